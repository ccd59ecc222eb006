#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs random programs on isthmus and on QEMU, or on Spike, and compares all that they print.

usage: run.py --isthmus PATH [--spike PATH] [--family NAME]... [--seeds FIRST:COUNT]

With --spike the programs are other ones: they do what QEMU 7.2 gets wrong, too.

Prints one TAP line a family and batch. A difference is printed with the program's seed; `--seeds
SEED:1 --keep DIR` leaves that program's assembly and both texts in DIR.
"""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gen          # noqa: E402
import privileged   # noqa: E402
import rules        # noqa: E402

QEMU_CPU = 'rv64,h=true,sstc=true,svinval=true,svnapot=true,svpbmt=true'
# The same instruction set as QEMU_CPU's, so that an encoding is illegal on both or on none.
CPU = 'rv64gch,-zabha,-zacas,-zawrs,-zicbom,-zicbop,-zicboz,-zicond,-zfa,-zfh,-zfhmin,-sscofpmf'
SPIKE_ISA = ('rv64gch_zba_zbb_zbc_zbs_zicntr_zihpm_zicclsm_zicbom_zicbop_zicboz_svade_svadu_'
             'svinval_svnapot_svpbmt_sstc_smstateen')
SPIKE_CPU = CPU.replace('-zicbom,-zicbop,-zicboz,', '')
# Ways to run isthmus; each must agree with the other machine.
VARIANTS = {'interpreter': ['--interpreter'], 'translator': ['--translate-after', '1']}
CC = ['riscv64-linux-gnu-gcc', '-march=rv64gc', '-mabi=lp64d',
      '-Wa,-march=rv64gch_zba_zbb_zbc_zbs_svinval', '-mcmodel=medany', '-O1', '-mno-relax',
      '-ffreestanding', '-nostdlib', '-static', '-fno-pic', '-no-pie', '-fno-stack-protector',
      '-fno-builtin', '-I' + HERE, '-T' + os.path.join(HERE, 'link.ld'), '-Wl,--build-id=none',
      '-Wl,--no-warn-rwx-segments', os.path.join(HERE, 'crt.S'), os.path.join(HERE, 'main.c')]
FAMILIES = list(gen.FAMILIES) + list(privileged.FAMILIES)
WIDE_FAMILIES = FAMILIES + list(rules.FAMILIES)


def build(family, seeds, directory, options, name='batch'):
    source = os.path.join(directory, f'{name}.S')
    elf = os.path.join(directory, f'{name}.elf')
    with open(source, 'w') as f:
        f.write(gen.generate(family, seeds, not options.wide))
    flags = (['-DDUMP'] if options.dump else []) + (['-DHTIF'] if options.spike else [])
    subprocess.run(CC + flags + [source, '-o', elf], check=True)
    return elf


def output_of(command, timeout):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout)
        text, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        text, status = late.stdout or b'', f'killed after {timeout} s'
    lines = text.decode(errors='replace').replace('\r', '').splitlines()
    return lines + [f'exit status {status}']


def on_other(elf, options):
    if options.spike:
        # With Smstateen Spike withholds what AIA adds: its mstateen0.AIA is zero.
        isa = SPIKE_ISA.replace('smstateen', 'smaia_ssaia') if options.aia else SPIKE_ISA
        return output_of([options.spike, '--isa=' + isa, '-m0x80000000:0x8000000',
                          '--triggers=0', elf], options.timeout)
    return output_of(['qemu-system-riscv64', '-M', 'virt', '-cpu', QEMU_CPU, '-m', '128M', '-bios',
                      'none', '-kernel', elf, '-display', 'none', '-monitor', 'none', '-serial',
                      'stdio'], options.timeout)


def on_isthmus(elf, options, variant):
    machine = ['--cpu', SPIKE_CPU if options.spike else CPU]
    if options.aia:
        machine = ['--cpu', SPIKE_CPU + ',-smstateen,-ssstateen', '--aia', 'aplic']
    return output_of([options.isthmus, 'run', '--bios', 'none', '--kernel', elf, '--memory', '128M',
                      '--console', 'stdio'] + machine + VARIANTS[variant] + options.extra,
                     options.timeout)


def split_fields(line):
    """What one line holds, as (name, value) pairs, to say which of them differ."""
    words = line.split()
    if not words:
        return []
    if words[0].startswith('S'):
        return [(f'x{i}', w) for i, w in enumerate(words[2:], 1)]
    if words[0] == 'F':
        return [(f'f{i}' if i < 32 else 'fcsr', w) for i, w in enumerate(words[1:])]
    return [tuple(w.split('=', 1)) if '=' in w else (w, '') for w in words]


GUEST_PAGE_FAULTS = {'14', '15', '17'}
PSEUDO = {'3000', '3020'}
ADDRESS_CAUSES = {'0', '1', '4', '5', '6', '7', 'c', 'd', 'f', '14', '15', '17'}
# mstatus.GVA and hstatus.GVA, as the log and the list of CSRs name them.
GVA = {'status': 1 << 38, 'mstatus': 1 << 38, 'extra': 1 << 6, 'hstatus': 1 << 6}
MPV = {'status': 1 << 39, 'extra': 1 << 7}


def amo_as_load(ours, theirs):
    return (ours, theirs) in {('6', '4'), ('7', '5'), ('f', 'd'), ('17', '15'), ('17', '5'),
                              ('f', '5')}


def allowed_by_spike(name, ours, theirs, record, insn):
    """The same as allowed() where the other machine is Spike."""
    if name == 'tinst':
        # Zero is always permitted but for pseudoinstructions; Spike transforms nothing.
        return theirs == '0' and ours not in PSEUDO
    if name == 'cause':
        # A misaligned LR, SC or AMO: either exception is permitted.
        return insn & 0x7f == 0x2f and (ours, theirs) in {('4', '5'), ('6', '7')}
    return False


def allowed(name, ours, theirs, record, insn):
    """Whether a field may differ: what the manual leaves open, and where QEMU 7.2 deviates.

    record holds our fields of the same line, insn the instruction at our epc.
    """
    cause = record.get('cause')
    amo = insn & 0x7f == 0x2f
    hypervisor_access = insn & 0x707f == 0x4073
    if name == 'tinst':
        # Zero is always permitted, and QEMU 7.2 does not transform; tests/isa checks the values.
        return theirs == '0'
    if name == 'cause':
        # A fault of an implicit access for VS-stage translation: the manual wants the cause of the
        # original access, QEMU 7.2 always says load. AMOs: the manual wants a store's.
        if record.get('tinst') in PSEUDO and theirs == '15' and ours in GUEST_PAGE_FAULTS:
            return True
        return amo and amo_as_load(ours, theirs)
    if name in GVA and int(ours, 16) ^ int(theirs, 16) == GVA[name]:
        # GVA: 1 after a trap that wrote a guest virtual address to tval, else 0. QEMU 7.2 leaves
        # what was there before: ours must be right.
        if name in ('mstatus', 'hstatus'):
            return True
        from_guest = int(ours, 16) & MPV[name]
        address = cause in ADDRESS_CAUSES or cause == '3' and record.get('tval') != '0'
        want = address and (from_guest or hypervisor_access)
        return bool(int(ours, 16) & GVA[name]) == bool(want)
    if name == 'tval2' and cause not in GUEST_PAGE_FAULTS:
        return ours == '0'  # the same
    if name == 'tval' and cause in ('2', '3', '16'):
        # After EBREAK: zero or the address. Of some refused instructions QEMU 7.2 gives zero, or
        # one from before: ours must be right.
        return (ours in ('0', record.get('epc')) if cause == '3' else int(ours, 16) == insn)
    if name == 'tval' and cause in ('5', '7'):
        # A misaligned access: QEMU 7.2 gives the address of the aligned piece.
        return 0 < int(ours, 16) - int(theirs, 16) < 8
    return False


def same(ours, theirs, image, may_differ):
    if ours == theirs:
        return True
    a, b = split_fields(ours), split_fields(theirs)
    record = dict(a)
    insn = 0
    if 'epc' in record:
        at = int(record['epc'], 16) & 0x1fffff
        insn = int.from_bytes(image[at:at + 4], 'little')
        if insn & 3 != 3:
            insn &= 0xffff
    return (len(a) == len(b) > 0 and
            all(x[0] == y[0] and (x[1] == y[1] or may_differ(x[0], x[1], y[1], record, insn))
                for x, y in zip(a, b)))


def describe(ours, theirs, image, other='QEMU', may_differ=allowed):
    """The first difference of two texts, in words; None when they agree."""
    program = '?'
    for a, b in zip(ours, theirs):
        if b.startswith('P '):
            program = int(b[2:], 16)
        if same(a, b, image, may_differ):
            continue
        fields = [f'{x[0]}: isthmus {x[1]}, {other} {y[1]}'
                  for x, y in zip(split_fields(a), split_fields(b)) if x != y and x[0] == y[0]]
        return (f'seed {program}: ' + ('; '.join(fields) or 'different lines') +
                f'\n  isthmus: {a}\n  {other + ":":8} {b}')
    if len(ours) != len(theirs):
        return f'seed {program}: one text ends early: {ours[-1:]} / {theirs[-1:]}'
    return None


def flat(elf):
    """The image as it lies in memory from 0x80000000."""
    binary = elf + '.bin'
    subprocess.run(['riscv64-linux-gnu-objcopy', '-O', 'binary', elf, binary], check=True)
    with open(binary, 'rb') as f:
        return f.read()


def save(directory, file, lines):
    with open(os.path.join(directory, file), 'w') as f:
        f.write('\n'.join(lines) + '\n')


def run_batch(family, seeds, options):
    """Returns (name, difference or None)."""
    name = f'{family} {seeds[0]}..{seeds[-1]}'
    options = argparse.Namespace(**{**vars(options), 'aia': family == 'aia'})
    directory = options.keep or tempfile.mkdtemp(prefix='cosim-')
    try:
        elf = build(family, seeds, directory, options)
        other, may_differ = ('Spike', allowed_by_spike) if options.spike else ('QEMU', allowed)
        theirs = on_other(elf, options)
        if theirs[-2:] != ['E', 'exit status 0']:
            return name, f'{other} did not finish: ' + ' / '.join(theirs[-3:])
        if options.keep:
            save(directory, other.lower() + '.txt', theirs)
        for variant in () if options.qemu_only else options.variant or VARIANTS:
            ours = on_isthmus(elf, options, variant)
            if options.keep:
                save(directory, f'{variant}.txt', ours)
            difference = describe(ours, theirs, flat(elf), other, may_differ)
            if difference:
                return name, f'{variant}, {difference}'
        return name, None
    finally:
        if not options.keep:
            shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--isthmus', default='build/isthmus')
    parser.add_argument('--extra', action='append', default=[], help='option for isthmus run')
    parser.add_argument('--family', action='append', choices=WIDE_FAMILIES)
    parser.add_argument('--variant', action='append', choices=VARIANTS)
    parser.add_argument('--seeds', default=None, metavar='FIRST:COUNT')
    parser.add_argument('--batch', type=int, default=40, help='programs an image')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--timeout', type=float, default=120)
    parser.add_argument('--qemu-only', action='store_true', help='check the generator alone')
    parser.add_argument('--spike', metavar='PATH', help='compare with Spike instead of QEMU')
    parser.add_argument('--dump', action='store_true', help='print the page tables as well')
    parser.add_argument('--keep', metavar='DIR', help='leave images and texts here (one batch)')
    options = parser.parse_args()
    options.wide = bool(options.spike)
    if not options.spike and not shutil.which('qemu-system-riscv64'):
        print('1..0 # skip qemu-system-riscv64 is not installed')
        return 0
    if not options.qemu_only and not os.path.exists(options.isthmus):
        print(f'1..0 # skip {options.isthmus} is not built')
        return 0
    default = '1:2000' if os.environ.get('TEST_LONG') else '1:80'
    first, count = (int(x) for x in (options.seeds or default).split(':'))
    batches = [(family, list(range(at, min(at + options.batch, first + count))))
               for family in options.family or (WIDE_FAMILIES if options.wide else FAMILIES)
               for at in range(first, first + count, options.batch)]
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
        batches = batches[:1]
    failures = 0
    print(f'1..{len(batches)}')
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda b: run_batch(*b, options), batches)
        for number, (name, difference) in enumerate(results, 1):
            if difference:
                failures += 1
                print(difference)
            print(f'{"not ok" if difference else "ok"} {number} - {name}', flush=True)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
