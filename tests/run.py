#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every test that meson knows of and counts the single cases.

A test is a program. What it prints decides how it is counted:
  - TAP lines ("ok 3 - name", "not ok 4 - name", "ok 5 - name # SKIP why"): one case a line. cmocka
    programs are told to print TAP. A plan ("1..N") that is not met counts as failures.
  - no TAP: one case, by exit status (0 passed, 77 skipped, with the last line as the reason).
A non-zero exit status with no failed case counts as one failure more, so nothing is lost.

The last line of output is exactly `N passed, N failed, N skipped`; the exit status is 1 if any
failed. Tests of meson's suite `long` run only with --long; each test sees TEST_LONG=1 then.
"""
import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

TAP_LINE = re.compile(r'^(ok|not ok)\b\s*(\d+)?\s*-?\s*([^#]*?)\s*(#\s*(\w+)\b:?\s*(.*))?$')
TAP_PLAN = re.compile(r'^1\.\.(\d+)\s*(#\s*skip\b\s*(.*))?', re.I)
CONTEXT_LINES = 40


class Outcome:
    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failed = []   # texts
        self.skipped = []  # texts


def count_tap(outcome, text, status):
    """Fills outcome from TAP text; returns False when there is none."""
    plan, seen = None, 0
    notes = []
    for line in text.splitlines():
        match = TAP_PLAN.match(line)
        if match:
            plan = (plan or 0) + int(match.group(1))
            if int(match.group(1)) == 0:
                outcome.skipped.append(match.group(3) or 'no reason given')
            continue
        match = TAP_LINE.match(line)
        if not match:
            notes.append(line)
            continue
        seen += 1
        result, number, name, _, directive, reason = match.groups()
        if (directive or '').upper() == 'SKIP':
            outcome.skipped.append(f'{name or number}: {reason}')
        elif result == 'ok':
            outcome.passed += 1
        else:
            outcome.failed.append(f'{name or number}\n' + '\n'.join(notes[-CONTEXT_LINES:]))
        notes = []
    if plan is None and seen == 0:
        return False
    if plan is not None and seen < plan:
        outcome.failed.append(f'{plan - seen} of {plan} planned cases did not report\n' +
                              '\n'.join(notes[-CONTEXT_LINES:]))
    if status != 0 and not outcome.failed:
        outcome.failed.append(f'exit status {status}\n' + '\n'.join(notes[-CONTEXT_LINES:]))
    elif outcome.failed and notes:
        outcome.failed[-1] += '\n' + '\n'.join(notes[-CONTEXT_LINES:])
    return True


def run_test(test, options):
    outcome = Outcome(test['name'])
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT='TAP')
    env.update({k: v for k, v in test['env'].items()} if test['env'] else {})
    if options.long:
        env['TEST_LONG'] = '1'
    # meson's timeout is for one run on an idle machine of today; be patient with slower ones.
    timeout = (test['timeout'] or 0) * options.timeout_multiplier * (20 if options.long else 1)
    process = subprocess.Popen(test['cmd'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=env, cwd=test['workdir'] or test['build'],
                               start_new_session=True)
    try:
        raw, _ = process.communicate(timeout=timeout or None)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raw, _ = process.communicate()
        status = f'killed after {timeout:.0f} s'
    text = raw.decode(errors='replace')
    if count_tap(outcome, text, status):
        return outcome
    tail = '\n'.join(text.splitlines()[-CONTEXT_LINES:])
    if status == 0:
        outcome.passed = 1
    elif status == 77:
        outcome.skipped.append(tail.splitlines()[-1] if tail else 'no reason given')
    else:
        outcome.failed.append(f'exit status {status}\n{tail}')
    return outcome


def list_tests(build):
    """The tests of a build directory given as DIR or DIR:SUITE."""
    directory, _, only = build.partition(':')
    if not os.path.exists(os.path.join(directory, 'build.ninja')):
        return None
    out = subprocess.run(['meson', 'introspect', '--tests', directory], check=True,
                         capture_output=True, text=True).stdout
    tests = []
    for test in json.loads(out):
        suites = {s.split(':')[-1] for s in test['suite']}
        if bool(only) != ('fuzz' in suites):
            continue
        test['suites'] = suites
        test['build'] = directory
        tests.append(test)
    return tests


def main():
    parser = argparse.ArgumentParser(description='runs the tests, counts the cases')
    parser.add_argument('--build', action='append', metavar='DIR[:SUITE]')
    parser.add_argument('--long', action='store_true')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--timeout-multiplier', type=float, default=4)
    parser.add_argument('names', nargs='*', help='tests or suites to run; all by default')
    options = parser.parse_args()

    total = Outcome('total')
    tests = []
    for build in options.build or ['build']:
        found = list_tests(build)
        if found is None:
            if not options.names or 'fuzz' in options.names:
                total.skipped.append(f'{build} is not built')
                print(f'skipped: {build} is not built (clang with its runtime is needed)')
            continue
        tests += found
    if options.names:
        wanted = set(options.names)
        tests = [t for t in tests if t['name'] in wanted or t['suites'] & wanted]
    elif not options.long:
        tests = [t for t in tests if 'long' not in t['suites']]
    # Longest first, so that no core idles at the end; those that must not share the machine last.
    shared = sorted((t for t in tests if t.get('is_parallel', True)),
                    key=lambda t: -(t["timeout"] or 0))
    alone = [t for t in tests if not t.get('is_parallel', True)]

    lock = threading.Lock()

    def report(test):
        start = time.monotonic()
        outcome = run_test(test, options)
        seconds = time.monotonic() - start
        with lock:
            total.passed += outcome.passed
            total.failed += outcome.failed
            total.skipped += outcome.skipped
            print(f'{outcome.name}: {outcome.passed} passed, {len(outcome.failed)} failed, '
                  f'{len(outcome.skipped)} skipped ({seconds:.1f} s)')
            for text in outcome.skipped:
                print(f'  skipped: {text}')
            for text in outcome.failed:
                print('  FAILED: ' + text.replace('\n', '\n    '))
            sys.stdout.flush()

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(report, shared))
    for test in alone:
        report(test)
    if not tests:
        total.failed.append('no test by that name')
        print('FAILED: no test by that name')
    print(f'{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped')
    return 1 if total.failed else 0


if __name__ == '__main__':
    sys.exit(main())
