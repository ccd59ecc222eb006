# SPDX-License-Identifier: MIT
"""Random programs of the privileged families: page tables of one and two stages, levels, CSRs.

A program has random tables (valid leaves of all sizes, each with some chance of wrong bits), random
delegation and status bits, and segments at random levels. A segment is a list of probes: loads,
stores, atomics and calls through the tables, HLV/HSV, CSR accesses, fences and returns that may or
may not be permitted. Faults are logged by the runtime and stepped over. Segments in M edit tables
with just the fence that the manual asks for, and switch roots and IDs with none where none is due.
"""
from gen import (AMOS, DATA_BASE, IMAGE, LOADS, M64, Program, STORES, TABLE_BASE, TABLE_BYTES,
                 USER_ALIAS)

PAGE = 4096
V, R, W, X, USER, G, A, D = (1 << i for i in range(8))
N = 1 << 63
NC, IO = 1 << 61, 1 << 62
GOOD = V | R | W | X | A | D
SV39, SV48, SV57 = 8, 9, 10
LEVELS = {SV39: 3, SV48: 4, SV57: 5}
RET16 = 0x8082808280828082          # c.jr ra, four times
CALL_OFFSET = 0x800                 # each data page holds RET16 from here for 64 bytes

# Levels as bits of mstatus: MPP and MPV.
U, HS, M, VU, VS = 0, 1 << 11, 3 << 11, 1 << 39, 1 << 39 | 1 << 11
NAMES = {U: 'U', HS: 'HS', M: 'M', VU: 'VU', VS: 'VS'}

SUM, MXR = 1 << 18, 1 << 19
TVM, TW, TSR = 1 << 20, 1 << 21, 1 << 22
PAGE_FAULTS = 1 << 12 | 1 << 13 | 1 << 15
GUEST_FAULTS = 1 << 20 | 1 << 21 | 1 << 23


class Tables:
    """Hands out table pages and remembers every PTE written, as memory pairs."""

    def __init__(self):
        self.next = TABLE_BASE
        self.words = {}

    def take(self, pages):
        size = pages * PAGE
        self.next = (self.next + size - 1) // size * size
        at = self.next
        self.next += size
        assert self.next <= TABLE_BASE + TABLE_BYTES, 'the table area is too small'
        return at


class Space:
    """One address space: a root and its leaves."""

    def __init__(self, tables, mode, g_stage):
        self.tables, self.mode, self.g_stage = tables, mode, g_stage
        self.root = tables.take(4 if g_stage else 1)
        self.levels = LEVELS[mode]

    def address_bits(self):
        return 12 + 9 * self.levels + (2 if self.g_stage else 0)

    def slot(self, va, level):
        """The address of the PTE for va at level; None where a leaf is in the way."""
        table = self.root
        for i in range(self.levels - 1, level, -1):
            at = self.pte_address(table, va, i)
            pte = self.tables.words.get(at)
            if pte is None:
                pte = self.tables.take(1) >> 12 << 10 | V
                self.tables.words[at] = pte
            elif not pte & V or pte & (R | W | X):
                return None
            table = (pte >> 10 & ((1 << 44) - 1)) << 12
        return self.pte_address(table, va, level)

    def pte_address(self, table, va, level):
        bits = 11 if self.g_stage and level == self.levels - 1 else 9
        return table + 8 * (va >> (12 + 9 * level) & ((1 << bits) - 1))

    def leaf(self, va, pa, level, flags):
        """Writes a leaf and returns its PTE's address; None where tables or leaves are in the way."""
        at = self.slot(va, level)
        if at in self.tables.words:
            return None
        if at is not None:
            self.tables.words[at] = pa >> 12 << 10 | flags
        return at


def canonical(va, bits):
    """va with the bits above copied from the top one, as a first stage wants it."""
    return va | M64 >> bits << bits if va >> (bits - 1) & 1 else va


class Target:
    """An address that probes go to, and the leaf that maps it."""

    def __init__(self, va, space=None, pte=None, flags=0):
        self.va, self.space, self.pte, self.flags = va, space, pte, flags


class Guest(Program):
    """What all privileged families share."""

    def perturb(self, flags):
        """Flags with one to three wrong bits."""
        rng = self.rng
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            flags ^= rng.choice([V, R, W, X, USER, A, D, A | D, W | D, R | W, R | W | X, R | W | D,
                                 G, X, USER, 1 << 8, NC, IO])
            # QEMU 7.2 sets A and D before it faults for N with a wrong address.
            if not self.qemu and rng.randrange(8) == 0:
                flags ^= N
        return flags

    def targets_in(self, space, count, user, frames=None):
        """Random leaves in space. frames: addresses of what leaves may point to (data pages)."""
        rng = self.rng
        frames = frames or [DATA_BASE + PAGE * i for i in range(16)]
        out = []
        for index in range(count):
            level = rng.choice([0] * 6 + [1] * 2 + [2] * 2 + ([3] if space.levels > 3 else []) +
                               ([4] if space.levels > 4 else []))
            level = min(level, space.levels - 1)
            # QEMU 7.2 wants guest-physical addresses to be canonical: no top bit there.
            bits = space.address_bits() - (space.g_stage and self.qemu)
            frame = rng.choice(frames)
            size = 1 << (12 + 9 * level)
            # Far from the image, in a slot of its own at this level mostly, or beside another.
            if out and rng.randrange(3) == 0 and level == 0:
                va = out[-1].va & ~(PAGE - 1) ^ PAGE
            else:
                va = rng.getrandbits(bits - 1) | 1 << (bits - 2 if rng.randrange(2) else bits - 1)
                if rng.randrange(3) == 0:
                    va = 0x10000000 + index * (1 << 21) + rng.randrange(64) * PAGE
                elif not space.g_stage:
                    va = va & ((1 << bits) - 1)
            va &= ~(PAGE - 1) & ((1 << bits) - 1)
            if va >> 30 in (2, 3):  # the image
                va ^= 1 << 34
            va = va // size * size + frame % size
            pa = frame // size * size
            flags = GOOD | (USER if user or rng.randrange(2) else 0)
            if level == 0 and rng.randrange(6) == 0:
                # Svnapot: 64 KiB, pages 0..15 of the data.
                flags |= N
                pa = DATA_BASE + 8 * PAGE
            if rng.randrange(8) == 0:
                flags |= rng.choice([NC, IO])
            if rng.randrange(5) < 2:
                flags = self.perturb(flags)
            if space.g_stage and flags & X and self.qemu:
                flags |= R  # QEMU 7.2 lets vsstatus.MXR act on the G-stage
            if space.g_stage and self.amos and self.qemu:
                flags |= A | D  # an AMO that faults as a load does not set D
            if flags & (NC | IO) == NC | IO and self.qemu:
                flags &= ~IO  # QEMU 7.2 takes the reserved value; tests/isa covers it
            if level and rng.randrange(10) == 0:
                pa += PAGE << rng.randrange(9 * level)  # misaligned superpage
            if not space.g_stage:
                va = canonical(va, bits)
            pte = space.leaf(va & ((1 << bits) - 1), pa, level, flags)
            if pte is not None and not flags & (R | W | X) and flags & V:
                # A pointer by accident: to an empty table.
                flags &= 0xff
                self.tables.words[pte] = self.empty_table >> 12 << 10 | flags
            out.append(Target(va, space, pte, flags if pte else 0))
        # Addresses that nothing maps, and ones that are not canonical.
        out.append(Target(canonical(rng.getrandbits(space.address_bits() - 1) & ~0xfff |
                                    1 << 36, space.address_bits() + 1)))
        if rng.randrange(2):
            out.append(Target((1 << space.address_bits()) + rng.choice(out).va & M64))
        return out

    def first_stage(self, mode, targets, frames=None):
        space = Space(self.tables, mode, False)
        for at, flags in ((IMAGE, GOOD), (IMAGE + USER_ALIAS, GOOD | USER)):
            space.leaf(at, IMAGE, 1, flags)
        return space, self.targets_in(space, targets, False, frames)

    def csrw(self, csr, value):
        self.setup += [f'    li t0, {value & M64:#x}', f'    csrw {csr}, t0']

    def prepare(self):
        self.tables = Tables()
        self.empty_table = self.tables.take(1)
        self.privileged = 1
        self.lines = []
        self.sum_possible = self.rng.randrange(2)
        self.fixed_vsstatus = self.two_stages = False
        self.amos = self.rng.randrange(2)
        # One alone: QEMU 7.2 takes them in the order of their numbers.
        self.virtual_interrupt = self.rng.choice([0x4, 0x40, 0x400] +
                                                 ([] if self.qemu else [0x404, 0x444]))
        self.vtvm_possible = self.rng.randrange(2)
        self.crossing = self.misaligned = True
        # A store that faults in its second page: Spike has stored to the first.
        self.crossing_stores = self.rng.randrange(2) and self.qemu
        self.registers = []

    def protect(self, pages):
        """PMP entries over the data, and over one of these pages: of what is read to translate."""
        rng = self.rng
        self.crossing = self.misaligned = False  # of how many accesses one consists is open
        config = 0
        for i in range(6):
            size = 8 << rng.choice([0, 0, 1, 2, 5, 9, 10, 12])
            at = DATA_BASE + rng.randrange(16) * PAGE + rng.randrange(0xc00)
            at = at // size * size
            mode = rng.choice([0, 1, 2, 3, 3]) if i else rng.choice([0, 2, 3])
            if mode == 3 and i == 0 and pages:
                at, size = rng.choice(pages), PAGE
            # Of TOR the entry before this one is the base, whatever its own mode is.
            address = at >> 2 | (size // 8 - 1 if mode == 3 else 0)
            rights = rng.choice([0, 1, 3, 4, 5, 7, 7])
            config |= (mode << 3 | rights) << 8 * i
            self.csrw(f'pmpaddr{i}', address)
        self.csrw('pmpcfg0', config | 0x1f << 56)

    def finish_memory(self):
        for page in range(16):
            at = DATA_BASE + page * PAGE
            self.memory += [(at + CALL_OFFSET + 8 * i, RET16) for i in range(8)]
            # A 32-bit RET across two pages: 0x8067 ends one, 0x0000 begins the next.
            self.memory += [(at, 0x8082_0000), (at + PAGE - 8, 0x8067_8082_8082_8082)]
        self.memory += sorted(self.tables.words.items())

    # --- probes ---
    def emit(self, *lines):
        self.lines += ['    ' + line for line in lines]

    def result(self):
        """A register that no other probe of this segment writes, as long as they last."""
        if not self.registers:
            self.registers = list(range(10, 32))
            self.rng.shuffle(self.registers)
        return f'x{self.registers.pop()}'

    def offset(self, size, store=False):
        rng = self.rng
        shape = rng.randrange(8)
        if shape == 0 and self.misaligned:
            return rng.randrange(8, 0x700)
        if shape == 1 and self.crossing and not (store and not self.crossing_stores):
            return PAGE - rng.randrange(1, 8)
        return 8 + rng.randrange((0x700 - 8) // size) * size

    def probe_memory(self, targets):
        rng = self.rng
        target = rng.choice(targets)
        kind = rng.randrange(12)
        if kind < 5:
            op, size = rng.choice(list(LOADS.items()))
            self.emit(f'li t0, {target.va + self.offset(size) & M64:#x}',
                      f'{op} {self.result()}, 0(t0)')
        elif kind < 9:
            op, size = rng.choice(list(STORES.items()))
            self.emit(f'li t0, {target.va + self.offset(size, True) & M64:#x}',
                      f'li t1, {rng.word():#x}', f'{op} t1, 0(t0)')
        elif kind == 9 and self.amo_agrees(target):
            suffix, size = rng.choice([('w', 4), ('d', 8)])
            self.emit(f'li t0, {target.va + 8 + size * rng.randrange(100) & M64:#x}',
                      f'li t1, {rng.word():#x}')
            if rng.randrange(3):
                self.emit(f'{rng.choice(AMOS)}.{suffix} {self.result()}, t1, (t0)')
            else:
                # An SC with no reservation need not fault: only after an LR that did not.
                rd = self.result()
                self.emit(f'li t2, {rng.getrandbits(40):#x}', f'mv {rd}, t2', f'lr.{suffix} {rd}, (t0)',
                          f'beq {rd}, t2, 9f', f'sc.{suffix} t2, t1, (t0)')
                self.lines.append('9:')
        elif kind == 10:
            self.emit(f'li t0, {target.va + self.offset(8) & M64:#x}',
                      rng.choice(['fld f8, 0(t0)', 'flw f9, 0(t0)', 'c.nop\n    fsd f10, 0(t0)',
                                  'fsw f11, 0(t0)'][:2]))
        else:
            self.emit(f'li x8, {target.va + 8 + 8 * rng.randrange(80) & M64:#x}',
                      rng.choice(['c.ld x9, 0(x8)', 'c.lw x9, 4(x8)', 'c.sd x9, 8(x8)',
                                  'c.sw x9, 4(x8)']))

    def amo_agrees(self, target):
        """Whether QEMU 7.2, whose AMO is a load and a store, leaves behind what an AMO does."""
        if not self.qemu:
            return True
        if self.two_stages:  # of two stages that refuse an AMO, it reports the one that refuses a load
            return self.amos and ~target.flags & (V | R | W | A | D) == 0
        return target.flags & (W | A) or not target.flags & (R | X)  # the load sets A

    def probe_mprv(self, choice):
        """A load or a store of M with MPRV, at a level and through what it translates with."""
        level, targets = self.rng.choice(choice)
        mask = 3 << 11 | 1 << 39 | 1 << 17
        lines, self.lines = self.lines, []
        self.probe_memory(targets)
        probe, self.lines = self.lines, lines
        if any('t2' in line for line in probe):  # LR and SC use it
            return
        self.emit(f'li t2, {mask:#x}', 'csrc mstatus, t2', f'li t2, {level | 1 << 17:#x}')
        self.emit('csrs mstatus, t2')
        self.lines += probe
        self.emit(f'li t2, {mask:#x}', 'csrc mstatus, t2')

    def probe_call(self, targets):
        offset = CALL_OFFSET + 2 * self.rng.randrange(28)
        if not self.crossing_stores and self.rng.randrange(5) == 0:
            offset = PAGE - 2
        target = self.rng.choice(targets)
        pages = [target]
        if offset == PAGE - 2:  # the instruction may go on in the next page
            pages += [t for t in targets if t.va >> 12 == (target.va >> 12) + 1]
        if (self.qemu and self.sum_possible and self.level in (HS, VS) and
                any(t.pte is None or t.flags & USER for t in pages)):
            # QEMU 7.2 lets S fetch from a U page that it has loaded from with SUM set.
            return
        self.emit(f'li t0, {target.va + offset & M64:#x}', 'jalr ra, 0(t0)')

    def probe_hypervisor_access(self, targets):
        rng = self.rng
        target = rng.choice(targets)
        # Not HLVX: to QEMU 7.2 it is a load.
        op, size = rng.choice([('hlv.b', 1), ('hlv.bu', 1), ('hlv.h', 2), ('hlv.hu', 2),
                               ('hlv.w', 4), ('hlv.wu', 4), ('hlv.d', 8), ('hsv.b', 1),
                               ('hsv.h', 2), ('hsv.w', 4), ('hsv.d', 8)] +
                              ([] if self.qemu else [('hlvx.hu', 2), ('hlvx.wu', 4)]))
        store = op.startswith('hsv')
        self.emit(f'li t0, {target.va + self.offset(size, store) & M64:#x}')
        if store:
            self.emit(f'li t1, {rng.word():#x}', f'{op} t1, (t0)')
        else:
            self.emit(f'{op} {self.result()}, (t0)')

    # CSRs that lower levels may touch. 'rw': anything may be written; a number: only these bits;
    # 'r': read only, as a write would take the handlers' ground away.
    CSRS = [('sstatus', SUM | MXR | 1 << 8 | 1 << 5), ('sie', 0x222), ('sip', 2), ('stvec', 'r'),
            ('sepc', M64 - 1), ('scause', 0x1f), ('stval', 'rw'), ('sscratch', 'r'), ('satp', 'r'),
            ('scounteren', 7), ('0x10a', 'r'),
            ('0x600', SUM & 0 | 1 << 7 | 1 << 8 | 1 << 9 | TVM | TSR | 1 << 6),
            ('0x602', 0x1102), ('0x603', 0x444), ('0x604', 0x444),
            ('0x645', 0x444), ('0x644', 4), ('0x606', 7), ('0x643', 'rw'),
            ('0x680', 'r'), ('0x605', 'r'), ('0xe12', 'r'), ('0x607', 'r'),
            ('0x200', SUM | MXR | 1 << 8 | 1 << 5), ('0x204', 0x222), ('0x244', 2),
            ('0x205', 'r'), ('0x240', 'r'), ('0x241', M64 - 1), ('0x242', 0x1f), ('0x243', 'rw'),
            ('0x280', 'r'), ('mstatus', 'r'), ('mepc', 'r'), ('mideleg', 'r'),
            ('0x5c0', 'r'), ('0x9c0', 'r')]

    TRAP_CSRS = {'sepc', 'scause', 'stval', '0x241', '0x242', '0x243', '0x643'}

    def probe_csr(self, _targets):
        rng = self.rng
        csr, how = rng.choice(self.CSRS)
        if self.qemu:
            if self.level == VU and (csr[0] == 's' or csr == '0x10a'):
                return  # virtual-instruction, but illegal-instruction to QEMU 7.2
            if csr == 'satp' and self.level == VS and (self.vtvm_possible or self.status & TVM):
                return  # as for SFENCE.VMA
            if csr == '0x680' and self.status & TVM:
                return  # illegal in HS, but not to QEMU 7.2
        if self.qemu and csr in ('sstatus', '0x200'):
            if not self.sum_possible or self.fixed_vsstatus and (csr == '0x200' or self.level == VS):
                how &= ~SUM
            if self.fixed_vsstatus or self.two_stages and csr == 'sstatus' and self.level == HS:
                how &= ~MXR
        if csr in ('0x645', '0x644'):
            how = self.virtual_interrupt
        rd = self.result()
        if how == 'r':
            self.emit(f'csrr {rd}, {csr}')
            return
        if csr == '0x600':
            if not self.vtvm_possible:
                how &= ~TVM
            if self.qemu and self.fixed_vsstatus:
                how &= ~(1 << 8)  # QEMU 7.2 keeps translations made with the other SPVP
            # hstatus.GVA is not compared: see run.py.
            self.emit(f'li t1, {rng.word() & how:#x}', f'{rng.choice(["csrrs", "csrrc"])} {rd}, {csr}, t1',
                      f'andi {rd}, {rd}, ~0x40')
            return
        bits = rng.word() & (M64 if how == 'rw' else how)
        if csr in self.TRAP_CSRS:
            # What a trap left there may differ rightly (see run.py): written first, then read.
            self.emit(f'li t1, {bits:#x}', f'csrw {csr}, t1', f'csrr {rd}, {csr}')
        else:
            self.emit(f'li t1, {bits:#x}', f'{rng.choice(["csrrs", "csrrc"])} {rd}, {csr}, t1')

    def probe_system(self, _targets):
        """Fences at any level, with registers; permitted or not."""
        rng = self.rng
        if self.qemu and self.level == VU:
            return  # as for CSRs
        a, b = rng.choice(['x0', 't0']), rng.choice(['x0', 't1'])
        # In VS QEMU 7.2 heeds mstatus.TVM, and says illegal-instruction because of VTVM.
        fences = ['sfence.vma', 'sinval.vma']
        if self.qemu and self.level == VS and (self.vtvm_possible or self.status & TVM):
            fences = ['hfence.vvma']
        # QEMU 7.2 permits these two in U and VU.
        invalidations = ['sfence.w.inval', 'sfence.inval.ir']
        if self.qemu and self.level in (U, VU):
            invalidations = []
        self.emit(f'li t0, {rng.word():#x}', f'li t1, {rng.randrange(1 << 16)}', rng.choice([
            f'{fence} {a}, {b}' for fence in
            fences + ['hfence.vvma', 'hfence.gvma', 'hinval.vvma', 'hinval.gvma']] + [
            'fence.i', 'fence'] + invalidations))

    def probe_return(self, _targets):
        """MRET, and SRET where it must trap: from U, or with TSR or VTSR set."""
        if self.level == U or self.level == HS and self.status & TSR:
            self.emit('sret')
        elif self.level != M:
            self.emit('mret')

    def probe_ecall(self, _targets):
        self.emit('ecall')

    def segment(self, level, probes, count, alias):
        """Adds a segment of count probes drawn from the table (function, weight, targets)."""
        self.level, self.lines, self.registers = level, [], []
        rng = self.rng
        for _ in range(count):
            function, _, targets = rng.choices(probes, [w for _, w, _ in probes])[0]
            function(targets)
        self.add_segment(self.lines, level, [0] + [rng.word() for _ in range(31)],
                         [rng.float_word() for _ in range(32)], fs=rng.choice([1, 3, 3]),
                         alias=alias)


def random_delegation(p, to_vs=False):
    """For medeleg or hedeleg: never EBREAK; the faults of loads and of stores alike (see run.py)."""
    rng = p.rng
    if not p.qemu:
        return rng.getrandbits(16) & 0xb1f6
    bits = rng.getrandbits(16) & 0x1106
    for alike in (1 << 4 | 1 << 6, 1 << 5 | 1 << 7 | 1 << 13 | 1 << 15):
        bits |= rng.choice([0, alike])
    if not to_vs:
        return bits
    # QEMU 7.2 takes one from the causes 2, 6 and 10 on the way to VS, as from interrupts.
    return bits & ~(1 << 2 | 1 << 4 | 1 << 6)


def image_tables(space):
    """The tables by which a space's image is reached: without them handlers cannot run."""
    return {space.slot(at, level) & ~(PAGE - 1) for level in range(1, space.levels)
            for at in (IMAGE,) + (() if space.g_stage else (IMAGE + USER_ALIAS,))}


def envcfg_setup(program):
    """ADUE and PBMTE of both stages: on, as the runtime leaves them, or not."""
    for csr in () if program.qemu else ('0x30a', '0x60a'):  # QEMU 7.2 has none
        without = program.rng.choice([0, 0, 1 << 61, 1 << 62, 3 << 61])
        program.csrw(csr, 7 << 61 & ~without)


def fence_setup(program):
    program.setup += ['    sfence.vma', '    hfence.vvma', '    hfence.gvma']


def one_stage(family, seed, qemu):
    """S and U with satp."""
    p = Guest(family, seed, qemu)
    p.prepare()
    rng = p.rng
    mode = rng.choice([SV39, SV48, SV57])
    roots = [p.first_stage(mode, 7) for _ in range(2)]
    asids = rng.sample(range(1, 1 << 16), 2)
    atp = [mode << 60 | asid << 44 | space.root >> 12 for asid, (space, _) in zip(asids, roots)]
    p.status = rng.choice([0, SUM * p.sum_possible]) | rng.choice([0, MXR]) | rng.choice([0, 0, TVM])
    delegated = random_delegation(p) if rng.randrange(4) else 0
    if not delegated:
        p.status |= rng.choice([0, TSR])  # the HS handler returns by SRET
    p.setup += [f'    li t0, {p.status:#x}', '    csrs mstatus, t0']
    p.csrw('medeleg', delegated)
    p.csrw('satp', atp[0])
    if not qemu and rng.randrange(2):
        p.protect([at & ~(PAGE - 1) for space, targets in roots for at in
                   (t.pte for t in targets) if at and at & ~(PAGE - 1) not in image_tables(space)])
    envcfg_setup(p)
    fence_setup(p)
    current = 0
    for _ in range(rng.randrange(3, 7)):
        if rng.randrange(3) == 0:
            # M: edits a leaf of either space, or goes over to the other, which needs no fence.
            p.lines = []
            current ^= rng.randrange(2)
            p.emit(f'li t0, {atp[current]:#x}', 'csrw satp, t0')
            edit(p, roots[rng.randrange(2)][1], dict(zip((r[0].root for r in roots), asids)),
                 'sfence.vma')
            p.add_segment(p.lines, M, [0] * 32, [0] * 32)
        targets = roots[current][1]
        if not qemu and rng.randrange(4) == 0:
            p.segment(M, [(p.probe_mprv, 1, [(U, targets), (HS, targets)])], 12, 0)
        level = rng.choice([U, HS])
        p.segment(level, [(p.probe_memory, 12, targets), (p.probe_call, 4, targets),
                          (p.probe_csr, 2, None), (p.probe_system, 1, None),
                          (p.probe_return, 1, None), (p.probe_ecall, 1, None)],
                  rng.randrange(10, 24), USER_ALIAS if level == U else 0)
    p.finish_memory()
    return p


def edit(p, targets, ids, fence, shift=0):
    """Changes one leaf's bits and fences its address in its space, or all of it."""
    rng = p.rng
    targets = [t for t in targets if t.pte is not None and t.flags & V and t.flags & (R | W | X)]
    if not targets:
        return
    target = rng.choice(targets)
    dirty = [] if p.qemu and p.two_stages and p.amos else [D, A | D]
    flip = rng.choice([V, A, V if p.sum_possible else USER] +
                      dirty + ([] if p.two_stages else [W, X, R | W | D, R | W | X]))
    p.emit(f'li t0, {target.pte:#x}', 'ld t1, 0(t0)', f'xori t1, t1, {flip}', 'sd t1, 0(t0)')
    va, identity = rng.choice(['x0', 't0']), rng.choice(['x0', 't1'])
    p.emit(f'li t0, {(target.va >> shift) & M64:#x}', f'li t1, {ids[target.space.root]}',
           f'{fence} {va}, {identity}')


def two_stage(family, seed, qemu):
    """VS and VU under vsatp and hgatp, HS and U beside them."""
    p = Guest(family, seed, qemu)
    p.prepare()
    p.crossing = False  # which of two faulting pages is reported is open
    rng = p.rng
    g_mode = rng.choice([SV39, SV39, SV48, SV57])
    vs_mode = rng.choice([0, SV39, SV39, SV48, SV57])
    hs_mode = rng.choice([0, 0, SV39, SV48])
    g_bare = not qemu and rng.randrange(8) == 0
    if g_bare:
        vs_mode = vs_mode or SV39

    # Two G-stages. Data pages have guest-physical addresses of their own in each.
    g_spaces, g_targets = [], []
    for _ in range(2):
        space = Space(p.tables, g_mode, True)
        space.leaf(IMAGE, IMAGE, 1, GOOD | USER)
        targets = p.targets_in(space, 6, True)
        g_spaces.append(space)
        g_targets.append(targets)
    hs_space, hs_targets = p.first_stage(hs_mode or SV39, 3)

    # VS-stage tables live in the table area; their own accesses go through the G-stage too. Their
    # leaves lead to GPAs that a G-stage maps, or does not.
    vs_spaces, vs_targets = [], []
    frames = [t.va & ~(PAGE - 1) for ts in g_targets for t in ts if t.va < 1 << 50]
    if g_bare:
        frames = None
    for _ in range(2):
        space, targets = p.first_stage(vs_mode or SV39, 6, frames)
        vs_spaces.append(space)
        vs_targets.append(targets)
    # The G-stages map the area of data and tables: by one superpage, or page by page so that some
    # walks fail on the way.
    tables_of_image = image_tables(vs_spaces[0]) | image_tables(vs_spaces[1])
    for space in g_spaces:
        if rng.randrange(2):
            space.leaf(DATA_BASE, DATA_BASE, 1, GOOD | USER)
            continue
        for at in range(TABLE_BASE, p.tables.next, PAGE):
            flags = GOOD | USER
            if rng.randrange(24) == 0:
                # QEMU 7.2 sets A and D of VS-stage PTEs without asking the G-stage for W.
                flags ^= rng.choice([V, R, USER, A] if qemu else [V, R, USER, A, W, D, W | D])
            space.leaf(at, at, 0, GOOD | USER if at in tables_of_image else flags)

    vmids = rng.sample(range(1, 1 << 14), 2)
    asids = rng.sample(range(1, 1 << 16), 2)
    hgatp = [0 if g_bare else g_mode << 60 | vmid << 44 | s.root >> 12
             for vmid, s in zip(vmids, g_spaces)]
    vsatp = [vs_mode << 60 | asid << 44 | s.root >> 12 if vs_mode else 0
             for asid, s in zip(asids, vs_spaces)]
    satp = hs_mode << 60 | 1 << 44 | hs_space.root >> 12 if hs_mode else 0

    p.status = rng.choice([0, SUM * p.sum_possible]) | rng.choice([0, 0, 0, TVM])
    if not qemu and rng.randrange(2):
        p.status |= MXR  # QEMU 7.2 does not let HS's act on guests
    p.two_stages = True
    delegated = random_delegation(p) | rng.choice([0, GUEST_FAULTS]) | rng.choice([0, 1 << 22])
    if rng.randrange(4) == 0:
        delegated = 0
        p.status |= rng.choice([0, TSR])  # the HS handler returns by SRET
    to_vs = random_delegation(p, True) if rng.randrange(2) else 0
    p.setup += [f'    li t0, {p.status:#x}', '    csrs mstatus, t0']
    p.csrw('medeleg', delegated)
    p.csrw('0x602', to_vs)
    p.csrw('0x600', rng.getrandbits(24) & (1 << 8 | 1 << 9 | TVM * p.vtvm_possible | (0 if to_vs else TSR)))
    # For HLV and HSV QEMU 7.2 takes vsstatus.SUM for one and does not look at vsstatus.MXR.
    p.fixed_vsstatus = qemu and hs_mode and rng.randrange(2)
    if p.fixed_vsstatus:
        p.sum_possible = True
        p.csrw('0x200', SUM)
    else:
        p.csrw('0x200', rng.choice([0, SUM * p.sum_possible]) | rng.choice([0, MXR]))
    p.csrw('0x606', rng.randrange(8))
    p.csrw('0x280', vsatp[0])
    p.csrw('0x680', hgatp[0])
    p.csrw('satp', satp)
    if not qemu and rng.randrange(2):
        leaves = [(s, t) for s, ts in zip(g_spaces + vs_spaces, g_targets + vs_targets) for t in ts]
        image = set().union(*(image_tables(s) for s in g_spaces + vs_spaces))
        p.protect([t.pte & ~(PAGE - 1) for s, t in leaves
                   if t.pte and t.pte & ~(PAGE - 1) not in image])
    envcfg_setup(p)
    fence_setup(p)

    stage = {'vs': 0, 'g': 0}
    for _ in range(rng.randrange(4, 8)):
        if rng.randrange(3) == 0:
            manage(p, stage, hgatp, vsatp, g_spaces, g_targets, vs_spaces, vs_targets, vmids, asids,
                   vs_mode)
        level = rng.choice([VS, VS, VU, HS, U, VS, VU])
        if not qemu and rng.randrange(4) == 0:
            both = (vs_targets if vs_mode else g_targets)[stage['vs' if vs_mode else 'g']]
            p.segment(M, [(p.probe_mprv, 1, [(VS, both), (VU, both)])], 12, 0)
        guest = (vs_targets if vs_mode else g_targets)[stage['vs' if vs_mode else 'g']]
        if level in (VS, VU):
            mine, paged = guest, vs_mode
        else:
            mine, paged = hs_targets if hs_mode else [Target(DATA_BASE + PAGE)], hs_mode
        p.segment(level, [
            (p.probe_memory, 12 if level in (VS, VU) else 3, mine),
            (p.probe_call, 4 if level in (VS, VU) else 1, mine),
            # With satp Bare QEMU 7.2 reports page faults of HLV and HSV as access faults.
            (p.probe_hypervisor_access,
             1 if level in (VS, VU) else 10 if p.fixed_vsstatus or not qemu else 0, guest),
            (p.probe_csr, 4, None), (p.probe_system, 1, None), (p.probe_return, 1, None),
            (p.probe_ecall, 1, None)],
            rng.randrange(10, 24), USER_ALIAS if level in (U, VU) and paged else 0)
    p.finish_memory()
    return p


def manage(p, stage, hgatp, vsatp, g_spaces, g_targets, vs_spaces, vs_targets, vmids, asids,
           vs_mode):
    """A segment in M that plays the hypervisor: world switches, edits, fences."""
    rng = p.rng
    p.lines = []
    stage['g'] ^= rng.randrange(2)
    p.emit(f'li t0, {hgatp[stage["g"]]:#x}', 'csrw 0x680, t0')
    if vs_mode:
        stage['vs'] ^= rng.randrange(2)
        p.emit(f'li t0, {vsatp[stage["vs"]]:#x}', 'csrw 0x280, t0')
    if rng.randrange(2):
        edit(p, g_targets[rng.randrange(2)], dict(zip((s.root for s in g_spaces), vmids)),
             'hfence.gvma', 2)
    elif vs_mode:
        # HFENCE.VVMA acts on the current VMID alone; the tables are those of both.
        which = rng.randrange(2)
        other = hgatp[1 - stage['g']]
        edit(p, vs_targets[which], dict(zip((s.root for s in vs_spaces), asids)), 'hfence.vvma')
        p.emit(f'li t2, {other:#x}', 'csrrw t2, 0x680, t2', 'hfence.vvma', 'csrw 0x680, t2')
    p.add_segment(p.lines, M, [0] * 32, [0] * 32)


FAMILIES = {'paging': one_stage, 'guest': two_stage}
