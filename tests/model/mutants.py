#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the window engine in many places, one at a time, to see that its tests notice.

usage: mutants.py ROOT COMPILER MODEL_LIBRARY    (ROOT: the source tree)

Each mutant replaces text that stands once in its source; that it stands there is checked, so the
list follows the engine. The engine, broken, is compiled as one file and linked with the program
that is to find it out: the comparison with the model (tests/model/hunt.c), the test of revocation
with threads, or the statements of tests/unit/test_window.c.
Prints TAP.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

SOURCES = ['engine.h', 'control.c', 'copy.c', 'engine.c', 'transfer.c']
FLAGS = ['-std=gnu17', '-O1', '-w', '-D_GNU_SOURCE', '-DWINDOW_COPY_CHECKED', '-pthread']

# name: (which test finds it, source, text, replacement, perhaps more of both)
MUTANTS = {
    'range-one-too-long': ('model', 'transfer.c', 'len > v->len - offset)', 'len > v->len - offset + 1)'),
    'range-wraps': ('model', 'transfer.c', '(offset > v->len || len > v->len - offset)',
                    '(offset + len > v->len)'),
    'key-ignored': ('model', 'engine.h', '(((ctl >> IGC_KEY_SHIFT) & IGC_KEY_MASK) == key)', '1'),
    'stale-page': ('model', 'transfer.c', '(n->space.epoch != epoch) | ', ''),
    'fence-of-one-window': ('model', 'engine.c', '    epoch_ends(wh->engine, word_read(words', '    (void)(word_read(words'),
    'fence-of-one-owner': ('model', 'engine.c', '        epoch_ends(wh->engine, domain);', '        ;'),
    'fence-of-all-owners': ('statements', 'engine.c', '            atomic_fetch_add(&wh->engine->epochs[e], 1);', '            ;'),
    'page-of-another-space': ('statements', 'transfer.c', ' | (n->space.atp != atp)', '',
                              '(atp ^ hgatp << 20)', '0'),
    'page-of-another-guest': ('statements', 'transfer.c', ' | (n->space.hgatp != hgatp)', '',
                              '(atp ^ hgatp << 20)', '0'),
    'page-of-a-kernel': ('statements', 'transfer.c', '(n->space.user != user) | ', ''),
    'page-of-any-name': ('statements', 'transfer.c', ' | (p->space != v->name)', '',
                         'v->name * UINT64_C(0x9e3779b97f4a7c15) >> 40', '0'),
    'flush-keeps-pages': ('statements', 'engine.c', 'if (madvise(wh->pages, PAGES * sizeof(*wh->pages), MADV_DONTNEED))',
                          'if (0)'),
    'flush-keeps-table': ('model', 'engine.c', '    wh->table = NULL;\n', '',
                          '        wh->table =\n            wh->env', '        if (!wh->table)\n            wh->table = wh->env'),
    'write-through-read-page': ('model', 'transfer.c', '->host[write] =\n', '->host[0] = remote_slot(wh, v, va / PAGE_BYTES + (unsigned)i)->host[1] =\n'),
    'asid-is-identity': ('model', 'engine.h', 'atp & ~IGA_ASID_MASK', 'atp'),
    'vmid-is-identity': ('model', 'engine.h', 'uint64_t ppn = by->hgatp & IGA_PPN_MASK;',
                         'uint64_t ppn = by->hgatp & (IGA_PPN_MASK | 1ull << 44);'),
    'bare-guest-is-host': ('model', 'engine.h', ': DOMAIN_NONE;', ': 0;'),
    'bare-owner-accepted': ('model', 'engine.h', '(mode >= 8) & (mode <= 10) & ', ''),
    'unbound-user': ('model', 'transfer.c', 'v->ctl & IGC_BOUND && ', ''),
    'right-ignored': ('model', 'transfer.c', '!= (IGC_OPEN | right)', '< IGC_OPEN'),
    'suspension-ignored': ('model', 'transfer.c', 'v->ctl & IGC_SUSPENDED', '0'),
    'as-user-ignored': ('model', 'transfer.c', 'v->ctl & IGC_ASU);', '0);'),
    'not-zero-based': ('model', 'transfer.c', 'v->ctl & IGC_ZB ? remote :', ''),
    'base-told-to-peer': ('model', 'control.c', 'ctl & IGC_ZB && !owner', '0'),
    'ring-misaligned': ('model', 'transfer.c', 'if (va % 8)', 'if (0)'),
    'ring-without-right': ('model', 'transfer.c', 'view_check(&v, by, IGC_W, rs1', 'view_check(&v, by, 0, rs1'),
    'remote-fault-first': ('model', 'transfer.c', 'remote_runs.len ? remote_runs.len : 1, true',
                           'remote_runs.len, true'),
    'ceiling-ignored': ('model', 'control.c', '(flags & IGS_W && !(ctl & IGC_CW))', '0'),
    'max-len-ignored': ('model', 'control.c', 'len > word_read(words, IGD_MAX_LEN) || ', ''),
    'totals-inherited': ('model', 'control.c', 'IGD_BYTES_PUT, IGD_BYTES_GOT,', 'IGD_BYTES_PUT,'),
    'key-0': ('model', 'control.c', 'key += !key;', ''),
    'owner-not-checked': ('model', 'control.c', 'is_owner = owner == domain', 'is_owner = true'),
    'drop-keeps-rights': ('model', 'control.c', '#define CTL_STORED (IGC_OPEN | IGC_R |',
                          '#define CTL_STORED (IGC_OPEN |'),
    'free-keeps-binding': ('model', 'control.c', 'IGC_ALLOC | IGC_SUSPENDED | IGC_BOUND)',
                           'IGC_ALLOC | IGC_SUSPENDED)'),
    'last-byte-left': ('model', 'copy.c', 'if (n >= 1)', 'if (0)'),
    'copies-not-waited-out': ('threads', 'engine.c', '    wait_out(wh, HAZARD_ACTIVE | HAZARD_INDEX_MASK,', '    (void)(HAZARD_INDEX_MASK,'),
    'hazard-not-shown': ('threads', 'transfer.c', '    hazard_set(wh, index);\n    if', '    if'),
    'hazard-ends-early': ('threads', 'transfer.c', '    copy_runs(put', '    hazard_clear(wh);\n    copy_runs(put'),
    'change-not-seen': ('threads', 'transfer.c', 'if (unlikely(atomic_load(&wh->engine->changing[index])))', 'if (0)'),
    'owner-fence-waits-not': ('threads', 'engine.c', '    wait_out(wh, HAZARD_ACTIVE, HAZARD_ACTIVE);', ''),
}


def broken_engine(root, name):
    """The whole engine as one C text, with the mutant's edits."""
    _, broken, *edits = MUTANTS[name]
    text = ''
    for source in SOURCES:
        with open(os.path.join(root, 'window', source), encoding='utf-8') as f:
            code = f.read()
        if source == broken:
            for old, new in zip(edits[::2], edits[1::2]):
                if code.count(old) != 1:
                    raise ValueError(f'{old!r} stands {code.count(old)} times in {source}, not once')
                code = code.replace(old, new)
        text += code.replace('#include "window/engine.h"\n', '')
    return text


def hunt(root, compiler, library, name, folder):
    """Result: (found, what it printed)."""
    program = os.path.join(folder, name)
    try:
        text = broken_engine(root, name)
    except ValueError as error:
        return False, str(error)
    with open(program + '.c', 'w', encoding='utf-8') as f:
        f.write(text)
    include = ['-I' + root, '-I' + os.path.join(root, 'include')]
    if MUTANTS[name][0] == 'model':
        finder = [os.path.join(root, 'tests/model/hunt.c'), library]
        command = [program]
    elif MUTANTS[name][0] == 'statements':
        finder = [os.path.join(root, 'tests/unit/test_window.c'), library, '-lcmocka']
        command = [program]
    else:
        finder = [os.path.join(root, 'tests/unit/test_window_threads.c'), '-lcmocka']
        command = [program, '--broken']
    done = subprocess.run(compiler + FLAGS + include + [program + '.c'] + finder + ['-o', program],
                          capture_output=True, text=True)
    if done.returncode:
        return False, done.stderr
    done = subprocess.run(command, capture_output=True, text=True,
                          env=dict(os.environ, WINDOW_MS='1500', WINDOW_STEPS='1000'))
    found = done.returncode == 0
    return found != (MUTANTS[name][0] == 'statements'), done.stdout


def main(root, compiler, library):
    failed = 0
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {name: pool.submit(hunt, root, compiler.split(), library, name, folder)
                for name in MUTANTS}
        print(f'1..{len(jobs)}')
        for number, (name, job) in enumerate(jobs.items(), 1):
            found, text = job.result()
            failed += not found
            print(re.sub('^', '# ', text.strip(), flags=re.M))
            print(f'{"ok" if found else "not ok"} {number} - {name} is noticed', flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
