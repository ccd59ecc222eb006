#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""isthmus bench, a round without QEMU: what it prints has the shape and the sense that is promised.
How fast things are is not judged here.

usage: bench.py ISTHMUS
"""
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROW = {'name', 'size', 'value', 'unit', 'peer', 'peer_value', 'ratio'}


def bench(program, *args):
    return subprocess.run([program, 'bench', '--rounds', '1', '--no-qemu', *args],
                          capture_output=True, text=True, timeout=200)


def shape(program, name, unit_of):
    """Problem with `bench NAME --json`, or None; unit_of: names of rows that must be there."""
    done = bench(program, name, '--json')
    if done.returncode:
        return done.stderr
    out = json.loads(done.stdout)
    if set(out) != {'bench', 'rows'} or out['bench'] != name:
        return f'keys: {list(out)}'
    for row in out['rows']:
        if set(row) != ROW or not isinstance(row['value'], float) or row['size'] < 0:
            return f'row: {row}'
        if 'qemu' in row['peer'] and (row['peer_value'], row['ratio']) != (None, None):
            return f'QEMU was left out, but: {row}'
        if row['ratio'] is not None:
            better = row['value'] / row['peer_value']
            better = 1 / better if row['unit'] == 'ns' else better
            if abs(row['ratio'] / better - 1) > 1e-3:
                return f'ratio: {row}'
    units = {row['name']: row['unit'] for row in out['rows']}
    missing = {n: u for n, u in unit_of.items() if units.get(n) != u}
    return f'missing: {missing}' if missing else None


def chart(program):
    """Problem with `bench --svg FILE`, or None: a bar for each row that has a ratio."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'chart.svg')
        done = bench(program, 'compute', '--json', '--svg', path)
        if done.returncode:
            return done.stderr
        root = xml.etree.ElementTree.parse(path).getroot()
        ratios = [r['ratio'] for r in json.loads(done.stdout)['rows'] if r['ratio']]
        bars = [e for e in root if e.tag.endswith('rect') and 'fill' in e.attrib and 'x' in e.attrib]
        if len(bars) != len(ratios):
            return f'{len(bars)} bars for {len(ratios)} ratios'
    done = bench(program, 'compute', '--svg', '/nowhere/chart.svg')
    return None if done.returncode == 1 and '/nowhere/chart.svg' in done.stderr else done.stderr


def folder_of_files(program):
    """Problem with where bench linux has its files, or None."""
    with tempfile.TemporaryDirectory() as cache:
        os.makedirs(os.path.join(cache, 'isthmus', 'debian', 'nested')) # as if it had been fetched
        done = subprocess.run([program, 'bench', 'linux'], capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, XDG_CACHE_HOME=cache, TMPDIR='/nowhere'))
    told = done.returncode == 1 and '/nowhere: No such file' in done.stderr
    return None if told else done.stderr


def machines_end_with_it(program):
    """Problem with what is left of a bench that is killed, or None."""
    with tempfile.TemporaryDirectory() as folder:
        pids, qemu = os.path.join(folder, 'pid'), os.path.join(folder, 'qemu-system-riscv64')
        with open(qemu, 'w', encoding='utf-8') as f:
            f.write(f'#!/bin/sh\necho $$ >{pids}.new\nmv {pids}.new {pids}\nexec sleep 30\n')
        os.chmod(qemu, 0o755)
        bench_ = subprocess.Popen([program, 'bench', 'switch'], stdout=subprocess.DEVNULL,
                                  env=dict(os.environ, PATH=f'{folder}:{os.environ["PATH"]}'))
        end = time.monotonic() + 60
        while not os.path.exists(pids) and time.monotonic() < end:
            time.sleep(0.05)
        bench_.kill()
        bench_.wait()
        with open(pids, encoding='utf-8') as f:
            machine = f'/proc/{f.read().strip()}'
    end = time.monotonic() + 10
    while os.path.exists(machine) and time.monotonic() < end:
        time.sleep(0.05)
    return f'{machine} goes on' if os.path.exists(machine) else None


def main():
    program = sys.argv[1]
    checks = [
        ('compute', lambda: shape(program, 'compute', {'list': 'MIPS', 'fft': 'MIPS'})),
        ('switch', lambda: shape(program, 'switch', {'1 guest': 'ns', '8 guests, net': 'ns'})),
        ('copy', lambda: shape(program, 'copy', {'put': 'MB/s', 'get': 'MB/s',
                                                 'put, latency': 'ns',
                                                 'windows, each in turn': 'ns'})),
        ('a chart', lambda: chart(program)),
        ('linux has its files below $TMPDIR', lambda: folder_of_files(program)),
        ('a bench that is killed leaves no machine', lambda: machines_end_with_it(program)),
        ('an unknown name is a usage error',
         lambda: None if bench(program, 'speed').returncode == 2 else 'status is not 2'),
    ]
    print(f'1..{len(checks)}')
    failed = 0
    for number, (name, check) in enumerate(checks, 1):
        problem = check()
        print(f'{"not ok" if problem else "ok"} {number} - bench: {name}')
        if problem:
            failed += 1
            print(problem)
    return failed > 0


sys.exit(main())
