#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The interpreter and the translator in lock-step on many programs: TAP, one case a run.

usage: run.py --build DIR --events ELF --smp ELF --late ELF [--isa ELF]...

Programs: those of tests/isa, interrupts (events.S), code that changes under running harts (smp.S)
or that another one had translated (late.S), random ones of tests/cosim's generator, OpenSBI with
the reference hypervisor and the demo's guests, and, where ISTHMUS_TEST_KERNEL names a Linux kernel
(ISTHMUS_TEST_INITRD its initial RAM disk), its boot: of the long tests. Translators with one fault
each, lockstep_NAME, must be caught. What checks itself runs on threads, too, and there the map for
perf is looked at.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import types

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, '..', '..')
sys.path.insert(0, os.path.join(HERE, '..', 'cosim'))
import run as cosim  # noqa: E402

SEEDS = ['srai', 'blt', 'lhu', 'fsub', 'charge', 'event']
LONG = bool(os.environ.get('TEST_LONG'))
SMP_HARTS = 4  # as smp.S is assembled for
BARE = ['--bios', 'none', '--memory', '128', '--must-translate']


class Runner:
    def __init__(self, build):
        self.directory = os.path.join(build, 'tests', 'lockstep')
        self.build = build
        self.isthmus = os.path.join(build, 'isthmus')
        self.timeout = 3600 if LONG else 600  # the longest takes a minute under ThreadSanitizer

    def run(self, arguments, program='lockstep'):
        """Returns (exit status, what it printed)."""
        try:
            done = subprocess.run([os.path.join(self.directory, program)] + arguments,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=self.timeout)
            return done.returncode, done.stdout.decode(errors='replace')
        except subprocess.TimeoutExpired as late:
            return -1, (late.stdout or b'').decode(errors='replace') + '\nout of time'

    def agree(self, name, arguments):
        """A case: they agree."""
        def case():
            status, text = self.run(arguments)
            return name, status == 0, text
        return case

    def caught(self, seed, programs):
        """A case: the fault is found by one of the programs."""
        def case():
            for program in programs:
                status, text = self.run(BARE + ['--kernel', program, '--translate-after', '1',
                                                '--limit', '10000000'], 'lockstep_' + seed)
                if status == 1 and 'differ' in text:
                    return f'the fault {seed} is caught', True, ''
            return f'the fault {seed} is caught', False, text
        return case


def bare_cases(runner, programs, events):
    for program in programs:
        name = os.path.splitext(os.path.basename(program))[0]
        for after in ('1', '16'):
            yield runner.agree(f'{name}, translated after {after}',
                               BARE + ['--kernel', program, '--translate-after', after])
    for after in ('1', '2', '16'):
        for chunk in ('7', '1,7,1000,100003'):
            yield runner.agree(f'interrupts, translated after {after}, by {chunk}',
                               BARE + ['--kernel', events, '--translate-after', after,
                                       '--chunk', chunk])


def smp_cases(runner, smp):
    """On four harts, in turns and on threads; a buffer that is full all the time."""
    kernel = ['--bios', 'none', '--harts', str(SMP_HARTS), '--kernel', smp]
    for chunk in ('997', '1,7,1000,100003'):
        for buffer in ('64', '1024'):
            yield runner.agree(f'changing code, by {chunk}, buffer of {buffer} KiB',
                               kernel + ['--memory', '16', '--translate-after', '1',
                                         '--chunk', chunk, '--code-buffer', buffer])
    for mode in (['--translate-after', '1', '--code-buffer', '64K'], ['--translate-after', '4'],
                 ['--interpreter']):
        def case(mode=mode):
            status, text = runner.run(['run', '--timeout', '120', '--console', 'none'] + kernel + mode,
                                      runner.isthmus)
            return 'changing code on threads, ' + ' '.join(mode), status == 0, text
        yield case


def late_cases(runner, late):
    for mode in ('--translate-after=16', '--interpreter'):
        def case(mode=mode):
            status, text = runner.run(['run', '--timeout', '120', '--console', 'none', '--bios', 'none',
                                       '--harts', '2', '--kernel', late, mode], runner.isthmus)
            return f'code that another hart had translated, {mode}', status == 0, text
        yield case


MAP_LINE = re.compile(r'[0-9a-f]+ [0-9a-f]+ (guest_[0-9a-f]+(_rare)?|isthmus_thunks)$')


def perf_map_case(runner, events):
    def case():
        process = subprocess.Popen([runner.isthmus, 'run', '--bios', 'none', '--kernel', events,
                                    '--perf-map', '--console', 'none', '--timeout', '60'])
        process.wait()
        path = f'/tmp/perf-{process.pid}.map'
        try:
            with open(path) as f:
                lines = f.read().splitlines()
            os.unlink(path)
        except OSError as error:
            return 'the map for perf', False, str(error)
        wrong = [line for line in lines if not MAP_LINE.match(line)]
        names = {line.split()[2] for line in lines}
        ok = not wrong and len(lines) > 5 and any(n.startswith('guest_800000') for n in names)
        return 'the map for perf', ok and process.returncode == 0, '\n'.join(wrong or lines)
    return case


def random_cases(runner, directory):
    count = 500 if LONG else 10
    options = types.SimpleNamespace(dump=False, spike=None, wide=True)
    for family in cosim.WIDE_FAMILIES:
        for first in range(5001, 5001 + count, 20):
            seeds = list(range(first, min(first + 20, 5001 + count)))

            def case(family=family, seeds=seeds):
                elf = cosim.build(family, seeds, directory, options, f'{family}-{seeds[0]}')
                name = f'random {family} {seeds[0]}..{seeds[-1]}'
                for chunk in ('1,7,1000,100003', '1009'):
                    status, text = runner.run(BARE + ['--kernel', elf, '--translate-after', '1',
                                                      '--chunk', chunk])
                    if status:
                        return name, False, text
                return name, True, ''
            yield case


def demo_arguments(build):
    guests = os.path.join(build, 'guest')
    return ['--hypervisor', os.path.join(build, 'hypervisor', 'hypervisor.elf'),
            '--harts', '2', '--memory', '256', '--must-translate',
            '--guest', f'alice:{guests}/demo_alice.elf:32:1:{SOURCE}/LICENSE',
            '--guest', f'bob:{guests}/demo_bob.elf:32:2',
            '--guest', f'mallory:{guests}/demo_mallory.elf:16',
            '--window', 'alice:bob:rw:16384', '--window', 'alice:mallory:w:64:user',
            '--window', 'mallory:bob:rw:64', '--limit', '1000000000']


def system_cases(runner):
    demo = demo_arguments(runner.build)
    yield runner.agree('hypervisor and guests', demo)
    yield runner.agree('hypervisor and guests, a full buffer again and again',
                       demo + ['--translate-after', '2', '--code-buffer', '64'])
    kernel, initrd = (os.environ.get('ISTHMUS_TEST_' + n) for n in ('KERNEL', 'INITRD'))
    if LONG and kernel:
        yield runner.agree('Linux', ['--kernel', kernel, '--harts', '2', '--memory', '1024',
                                     '--limit', '4000000000', '--ram-each', '500000000',
                                     '--append', 'console=ttyS0'] +
                           (['--initrd', initrd] if initrd else []))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', required=True)
    parser.add_argument('--events', required=True)
    parser.add_argument('--smp', required=True)
    parser.add_argument('--late', required=True)
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--isa', nargs='*', default=[])
    options = parser.parse_args()
    runner = Runner(options.build)
    directory = tempfile.mkdtemp(prefix='lockstep-')
    cases = list(system_cases(runner)) + list(bare_cases(runner, options.isa, options.events))
    cases += list(smp_cases(runner, options.smp)) + list(late_cases(runner, options.late)) + [perf_map_case(runner, options.events)]
    cases += list(random_cases(runner, directory))
    cases += [runner.caught(seed, options.isa + [options.events]) for seed in SEEDS]
    failures = 0
    print(f'1..{len(cases)}')
    try:
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for number, (name, ok, text) in enumerate(pool.map(lambda c: c(), cases), 1):
                if not ok:
                    failures += 1
                    print(text[-3000:])
                print(f'{"ok" if ok else "not ok"} {number} - {name}', flush=True)
    finally:
        shutil.rmtree(directory)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
