# SPDX-License-Identifier: MIT
"""Functions as test cases: those marked @case run one after another, and are told of as TAP."""
import subprocess

CASES = []


def case(function):
    CASES.append(function)
    return function


def tap(*arguments):
    """Runs all cases, each with @arguments. Result: exit status."""
    failed = 0
    print(f"1..{len(CASES)}")
    for i, function in enumerate(CASES, 1):
        try:
            function(*arguments)
            print(f"ok {i} - {function.__name__}", flush=True)
        except (AssertionError, subprocess.SubprocessError, OSError, ValueError) as error:
            failed += 1
            print(f"# {type(error).__name__}: {error}")
            print(f"not ok {i} - {function.__name__}", flush=True)
    return failed != 0
