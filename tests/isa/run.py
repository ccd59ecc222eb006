#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the bare-metal test programs on one machine and reports their cases as TAP.

usage: run.py --machine isthmus|qemu [--isthmus PATH] PROGRAM.elf...

A program prints one TAP line a case and ends through the test finisher (env/isa.h). A case tagged
"# qemu: why" is one that QEMU 7.2 is known to fail because it deviates from the manual: on QEMU its
failure is reported as passed ("deviates as known"), and its success too, since newer ones are
right.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

QEMU_CPU = 'rv64,h=true,sstc=true,svinval=true,svnapot=true,svpbmt=true,Zfh=true'
LINE = re.compile(r'^(ok|not ok) (\d+) - (\S+)(?: # qemu: (.*))?$')


def command(options, program):
    if options.machine == 'qemu':
        return ['qemu-system-riscv64', '-M', 'virt', '-cpu', QEMU_CPU, '-m', '128M', '-bios', 'none',
                '-kernel', program, '-display', 'none', '-monitor', 'none', '-serial', 'stdio']
    return [options.isthmus, 'run', '--bios', 'none', '--kernel', program, '--console', 'stdio',
            '--memory', '128M'] + options.extra


def run_program(options, program):
    """Returns a list of (ok, name, notes)."""
    name = os.path.splitext(os.path.basename(program))[0]
    try:
        done = subprocess.run(command(options, program), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=options.timeout)
        out, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        out, status = late.stdout or b'', f'killed after {options.timeout} s'
    cases, notes, plan, failed = [], [], None, False
    for line in out.decode(errors='replace').replace('\r', '').splitlines():
        match = LINE.match(line)
        if match:
            ok = match.group(1) == 'ok'
            failed |= not ok
            tolerated = not ok and match.group(4) and options.machine == 'qemu'
            text = f'{name}.{match.group(3)}' + (' (deviates as known)' if tolerated else '')
            cases.append((ok or tolerated, text, notes))
            notes = []
        elif line.startswith('1..'):
            plan = int(line[3:])
        else:
            notes.append(line)
    if plan is None or len(cases) < plan:
        cases.append((False, f'{name} ended after {len(cases)} of {plan} cases, exit {status}',
                      notes[-20:]))
    elif status != (1 if failed else 0):
        cases.append((False, f'{name} exit status {status}', notes[-20:]))
    return cases


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--machine', choices=['isthmus', 'qemu'], required=True)
    parser.add_argument('--isthmus')
    parser.add_argument('--extra', action='append', default=[], help='option for isthmus run')
    parser.add_argument('--timeout', type=float, default=120)
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('programs', nargs='+')
    options = parser.parse_args()
    if options.machine == 'qemu' and not shutil.which('qemu-system-riscv64'):
        print('1..0 # skip qemu-system-riscv64 is not installed')
        return 0
    if options.machine == 'isthmus' and not os.path.exists(options.isthmus):
        print(f'1..0 # skip {options.isthmus} is not built')
        return 0
    number = failures = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for cases in pool.map(lambda p: run_program(options, p), options.programs):
            for ok, text, notes in cases:
                number += 1
                failures += not ok
                if not ok:
                    print('\n'.join(notes))
                print(f'{"ok" if ok else "not ok"} {number} - {text}', flush=True)
    print(f'1..{number}')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
