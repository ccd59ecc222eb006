#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The test of the test: bugs put into the machine on purpose, each of which the cosimulation of its
family must find.

usage: mutants.py --build BUILD --source SOURCE

A mutant is one change in one source file. That file alone is compiled again, with the flags of the
build, and linked with the other objects into a program of its own; the tree and the build are not
touched. A mutant whose text is no longer in the source is a failure: it must be renewed.
"""
import argparse
import concurrent.futures
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

import run

# (family, variant, file, text, what it becomes)
# The first is the control: nothing changed, nothing to be found.
CONTROL = ('mixed', 'interpreter', 'hart/exec/alu.c', 'ALU(add, RS1 + RS2)', 'ALU(add, RS1 + RS2)')
MUTANTS = [
    CONTROL,
    ('int', 'interpreter', 'hart/exec/branch.c',
     'BRANCH(bltu, RS1 < RS2)', 'BRANCH(bltu, RS1 <= RS2)'),
    ('int', 'interpreter', 'hart/exec/alu.c',
     'ALU(sltiu, RS1 < (uint64_t)IMM)', 'ALU(sltiu, RS1 < (uint32_t)IMM)'),
    ('int', 'translator', 'jit/int.c',
     'BINARY(subw, 0, ALU_SUB << 3 | 3, false)', 'BINARY(subw, 0, ALU_SUB << 3 | 3, true)'),
    ('muldiv', 'interpreter', 'hart/exec/muldiv.c',
     '(s128)(int64_t)RS1 * (s128)RS2', '(s128)(int64_t)RS1 * (s128)(int64_t)RS2'),
    ('bits', 'interpreter', 'hart/exec/bitmanip.c',
     'carryless_multiply(RS1, RS2) >> 63', 'carryless_multiply(RS1, RS2) >> 62'),
    ('compressed', 'interpreter', 'isa/decode.c',
     'bits(w, 3, 2) << 6 | bits(w, 12, 12) << 5', 'bits(w, 3, 2) << 5 | bits(w, 12, 12) << 6'),
    ('memory', 'interpreter', 'hart/exec/memory.c',
     'LOAD_OP(lh, int16_t)', 'LOAD_OP(lh, uint16_t)'),
    ('atomic', 'interpreter', 'hart/exec/atomic.c',
     'minu##n(p, (type)RS2)', 'maxu##n(p, (type)RS2)'),
    ('float', 'interpreter', 'hart/exec/fp_arith.c',
     'FUSED(fnmsub_s, s, fp_single, float, __builtin_fmaf, true, false)',
     'FUSED(fnmsub_s, s, fp_single, float, __builtin_fmaf, false, true)'),
    ('trap', 'interpreter', 'hart/trap.c', 'c->mtval = t->tval;', 'c->mtval = 0;'),
    ('code', 'interpreter', 'hart/exec/system.c',
     'mmu_fence_i(&h->mmu, h->xbank);', '(void)h->mmu;'),
    ('paging', 'interpreter', 'mmu/walk.c',
     'u ? user || st->sum : !user', 'u ? true : !user'),
    ('paging', 'interpreter', 'mmu/tlb.c',
     '(!f->asid || ATP_ASID(ctx->atp) == *f->asid)', '!f->asid'),
    ('guest', 'interpreter', 'mmu/tlb.c',
     'gcache_drop(mmu->gcache, *gpa, vmid);', '(void)gpa;'),
    ('guest', 'interpreter', 'hart/trap.c',
     'c->hstatus = field_set(c->hstatus, HSTATUS_SPVP, h->priv);', ';'),
    ('guest', 'interpreter', 'hart/trap.c', 'c->mtval2 = t->gpa >> 2;', 'c->mtval2 = t->gpa >> 12;'),
]


class Build:
    """What is needed to compile one file of a build and to link the program again."""

    def __init__(self, build, source):
        self.build, self.source = build, source
        with open(os.path.join(build, 'compile_commands.json')) as f:
            commands = json.load(f)

        def last_command(target):
            lines = subprocess.run(['ninja', '-C', build, '-t', 'commands', target], check=True,
                                   capture_output=True, text=True).stdout.splitlines()
            return shlex.split(lines[-1])
        self.link = last_command('isthmus')
        members = {word for word in last_command('libisthmus.a') if word.endswith('.o')}
        self.commands = [c for c in commands if c['output'] in members]

    def mutate(self, file, old, new, directory):
        """Builds the program with old replaced by new in file; returns its path."""
        path = os.path.join(self.source, file)
        with open(path) as f:
            text = f.read()
        if old not in text:
            raise ValueError(f'{file} does not hold "{old}"')
        # Beside the original's name, so that its quoted includes still work from the root.
        mutated = os.path.join(directory, os.path.basename(file))
        with open(mutated, 'w') as f:
            f.write(text.replace(old, new, 1))
        command = next(c for c in self.commands
                       if os.path.realpath(os.path.join(self.build, c['file'])) ==
                       os.path.realpath(path))
        words = shlex.split(command['command'])
        output = os.path.join(directory, 'mutant.o')
        words[words.index('-o') + 1] = output
        words[words.index('-c') + 1] = mutated
        for flag in ('-MF', '-MQ'):
            at = words.index(flag)
            words[at + 1] = output + '.d'
        subprocess.run(words + ['-I' + os.path.dirname(path)], check=True, cwd=self.build,
                       capture_output=True)
        objects = [c['output'] for c in self.commands if c['output'] != command['output']]
        program = os.path.join(directory, 'isthmus')
        link = []
        for word in self.link:
            link += objects + [output] if word == 'libisthmus.a' else [word]
        link[link.index('-o') + 1] = program
        subprocess.run(link, check=True, cwd=self.build, capture_output=True)
        return program


def hunt(build, mutant, seeds, options):
    """Returns None when the mutant is found (the control: is not), else what went wrong."""
    family, variant, file, old, new = mutant
    directory = tempfile.mkdtemp(prefix='mutant-')
    try:
        program = build.mutate(file, old, new, directory)
        chosen = argparse.Namespace(**vars(options), isthmus=program, variant=[variant])
        for first in range(1, seeds, 40):
            _, difference = run.run_batch(family, list(range(first, first + 40)), chosen)
            if difference and mutant is CONTROL:
                return difference
            if difference and not difference.startswith('QEMU'):
                return None
        if mutant is CONTROL:
            return None
        return f'{seeds} programs of {family} agree with QEMU all the same'
    except (ValueError, subprocess.CalledProcessError) as error:
        return f'{error} {getattr(error, "stderr", b"") or b""}'
    finally:
        shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', required=True)
    parser.add_argument('--source', required=True)
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    options = parser.parse_args()
    if not shutil.which('qemu-system-riscv64'):
        print('1..0 # skip qemu-system-riscv64 is not installed')
        return 0
    build = Build(os.path.abspath(options.build), os.path.abspath(options.source))
    running = argparse.Namespace(timeout=60, extra=[], keep=None, dump=False, qemu_only=False,
                                 spike=None, wide=False)
    failures = 0
    print(f'1..{len(MUTANTS)}')
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda m: hunt(build, m, 120, running), MUTANTS)
        for number, (mutant, missed) in enumerate(zip(MUTANTS, results), 1):
            family, variant, file, old, _ = mutant
            if missed:
                failures += 1
                print(missed)
            what = (f'{family} finds a bug in {file} ({variant}): {old}' if mutant is not CONTROL
                    else 'without a bug nothing is found').replace('#', '')
            print(f'{"not ok" if missed else "ok"} {number} - {what}', flush=True)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
