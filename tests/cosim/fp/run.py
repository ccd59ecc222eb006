#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the FP guest on QEMU and on isthmus and compares what it prints, vector for vector; and
gives QEMU's vectors to test_fp, which calls the instructions' functions one by one.

usage: run.py GUEST.elf TEST_FP ISTHMUS
"""
import os
import shutil
import subprocess
import sys
import tempfile

QEMU = 'qemu-system-riscv64'


def qemu(guest, out):
    subprocess.run([QEMU, '-M', 'virt', '-bios', 'none', '-kernel', guest, '-display', 'none',
                    '-monitor', 'none', '-serial', f'file:{out}'], check=True, timeout=100)


def isthmus(program, guest, out, *options):
    subprocess.run([program, 'run', '--bios', 'none', '--kernel', guest, '--console', f'file:{out}',
                    '--timeout', '60', *options], check=True, timeout=100)


def lines(path):
    with open(path) as file:
        return file.read().splitlines()


def differences(theirs, ours):
    """Text that tells where two lists of vectors differ; "" where they do not."""
    pairs = list(zip(theirs, ours))
    differ = [f'QEMU    {a}\nisthmus {b}' for a, b in pairs if a != b]
    if len(pairs) < 10000 or len(theirs) != len(ours):
        differ.append(f'{len(theirs)} lines on QEMU, {len(ours)} on isthmus')
    return '\n'.join(differ[:20])


def report(number, name, problem):
    print(f'{"not ok" if problem else "ok"} {number} - {name}')
    if problem:
        print(problem)
    return bool(problem)


def main():
    guest, test_fp, program = sys.argv[1:]
    if not shutil.which(QEMU):
        print(f'1..0 # skip {QEMU} is not installed')
        return 0
    print('1..3')
    with tempfile.TemporaryDirectory() as tmp:
        theirs, ours = os.path.join(tmp, 'qemu'), os.path.join(tmp, 'isthmus')
        qemu(guest, theirs)
        done = subprocess.run([test_fp, theirs], capture_output=True, text=True)
        bad = report(1, f'instructions agree with QEMU on {len(lines(theirs))} vectors',
                     done.returncode and done.stderr[-4000:])
        isthmus(program, guest, ours)
        bad |= report(2, 'the guest prints the same on both', differences(lines(theirs), lines(ours)))
        isthmus(program, guest, ours, '--interpreter')
        bad |= report(3, 'and without translation', differences(lines(theirs), lines(ours)))
    return int(bad)


sys.exit(main())
