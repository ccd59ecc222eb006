# SPDX-License-Identifier: MIT
"""Random programs about rules rather than memory: which CSR may be touched where, what stays of
what is written to it, and which interrupt is taken when. For machines that follow the manual
closely: not for QEMU 7.2 (see docs/testing.md).
"""
from privileged import HS, M, TSR, TVM, TW, U, VS, VU
from gen import M64, Program

MIE, SIE, MPIE = 1 << 3, 1 << 1, 1 << 7
STCE, PBMTE, ADUE = 1 << 63, 1 << 62, 1 << 61
ECALLS = 1 << 9 | 1 << 10
BREAKPOINT = 1 << 3
# Of the state enables not C, custom state, nor CSRIND, which Spike has without Sscsrind. FIOM is
# not written in menvcfg, henvcfg and senvcfg: Spike has none.
ENABLES = M64 & ~(1 << 60 | 1)

COUNTERS = [0xc00, 0xc01, 0xc02, 0xc03, 0xc05, 0xc1f]
# Registers whose values the manual fixes as far as these bits: (number, bits that a write may set).
WRITABLE = {
    0x100: 1 << 8 | 1 << 18 | 1 << 19 | 1 << 5, 0x104: M64, 0x106: 0xffffffff, 0x10a: M64 - 1,
    0x141: M64, 0x143: M64, 0x144: 2, 0x14d: M64,
    0x200: 1 << 8 | 1 << 18 | 1 << 19 | 1 << 5, 0x204: M64, 0x241: M64, 0x243: M64, 0x244: 2,
    0x24d: M64, 0x602: 0x8b1fe, 0x603: 0x1fff, 0x604: M64, 0x606: 0xffffffff, 0x60a: M64 - 1,
    0x60c: ENABLES, 0x60d: ENABLES, 0x60f: ENABLES, 0x643: M64, 0x645: M64, 0x64a: 0xffffffff,
}
# In M alone: some have no effect there, the others are put back.
MACHINE = {
    0x300: (1 << 8 | 1 << 18 | 1 << 19 | 1 << 5 | TVM | TW | TSR | 3 << 11 | 1 << 38 | 1 << 39 |
            MPIE),
    0x302: M64 & ~(ECALLS | BREAKPOINT | 1 << 18), 0x303: 0x1fff, 0x304: 0x1fff, 0x306: 0xffffffff,
    0x30a: M64 - 1,
    0x30c: ENABLES, 0x30d: ENABLES, 0x341: M64, 0x343: M64, 0x34a: 0xffffffff, 0x34b: M64,
    0x600: 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | TVM | TW | TSR,
    0x180: M64, 0x280: M64, 0x680: M64, 0x105: M64 - 2, 0x205: M64 - 2, 0x305: M64 - 2,
}
TRANSLATION = (0x180, 0x280, 0x680)
# Read only, or written with what they hold.
TOUCHED = [0x105, 0x140, 0x142, 0x180, 0x205, 0x240, 0x242, 0x280, 0x600, 0x605, 0x607, 0x644, 0x680,
           0xe12, 0x10c, 0x10f]
MACHINE_READ = [0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x30c, 0x320, 0x323, 0x340,
                0x341, 0x342, 0x343, 0x344, 0x34a, 0x34b, 0x3a0, 0x3a2, 0x3b0, 0xb00, 0xb02, 0xb03,
                0xf11, 0xf12, 0xf13, 0xf14, 0xf15]
# Not there, on either machine.
ABSENT = [0x000, 0x004, 0x101, 0x145, 0x181, 0x201, 0x206, 0x281, 0x601, 0x60b, 0x640, 0x681, 0x307,
          0x30b, 0x321, 0x345, 0x3a1, 0x3a3, 0xb01, 0xc20, 0xc80, 0xe00, 0xf00]


class Rules(Program):
    def prepare(self):
        self.privileged = 1

    def csrw(self, csr, value):
        self.setup += [f'    li t0, {value & M64:#x}', f'    csrw {csr:#x}, t0']

    def emit(self, *lines):
        self.lines += ['    ' + line for line in lines]

    def start(self):
        self.lines = []
        self.registers = list(range(10, 32))
        self.rng.shuffle(self.registers)

    def result(self):
        if not self.registers:
            self.registers = list(range(10, 32))
            self.rng.shuffle(self.registers)
        return f'x{self.registers.pop()}'

    def finish(self, level, fs=3):
        self.add_segment(self.lines, level, [0] + [self.rng.word() for _ in range(31)],
                         [self.rng.float_word() for _ in range(32)], fs=fs)

    def mostly(self, bits):
        """bits, some of them, or none."""
        rng = self.rng
        return rng.choice([bits, bits, bits & rng.getrandbits(64), bits & ~(1 << rng.randrange(64)),
                           0])


def probe_csr(p, level):
    rng = p.rng
    shape = rng.randrange(10)
    if shape < 2:  # a counter: whether, not what
        p.emit(f'{rng.choice(["csrrs", "csrrc"])} x0, {rng.choice(COUNTERS):#x}, x0')
    elif shape < 5:
        csr = rng.choice(list(WRITABLE))
        rd = p.result()
        if csr in (0x14d, 0x24d, 0x144, 0x244):  # when an interrupt becomes pending is open
            p.emit('li t1, -1', f'csrrc x0, {csr:#x}, x0')
        else:
            value = rng.word() & WRITABLE[csr]
            if csr in (0x10a, 0x60a):  # CBIE 2 is reserved
                value &= ~(1 << 5) | value << 1
            p.emit(f'li t1, {value:#x}', f'csrrw x0, {csr:#x}, t1',
                   f'csrrs {rd}, {csr:#x}, x0')
    elif shape < 7:
        csr = rng.choice(TOUCHED + MACHINE_READ + COUNTERS + ABSENT)
        how = rng.randrange(3)
        if how == 0:
            p.emit(f'csrrs x0, {csr:#x}, x0')
        elif how == 1:  # a write that changes nothing, where it is permitted
            p.emit('li t1, 0', f'csrrc x0, {csr:#x}, t1')
        else:
            p.emit(f'csrrsi x0, {csr:#x}, 0')
    elif shape == 7:
        csr = rng.choice(list(WRITABLE) + TOUCHED + MACHINE_READ)
        p.emit(f'csrrci x0, {csr:#x}, 0')
    elif level == M:
        csr = rng.choice(list(MACHINE))
        rd = p.result()
        value = rng.word() & MACHINE[csr] & ~(1 << 5 if csr == 0x30a else 0)
        if csr in TRANSLATION:  # what becomes of other modes is open
            value = value >> 4 & M64 >> 4 | rng.choice([8, 9, 10]) << 60
        p.emit(f'li t1, {value:#x}', f'csrrw t2, {csr:#x}, t1',
               f'csrrw {rd}, {csr:#x}, t2')
    else:
        p.emit(f'csrrs x0, {rng.choice([0x001, 0x002, 0x003]):#x}, x0')


def probe_instruction(p, level):
    rng = p.rng
    a, b = rng.choice(['x0', 't0']), rng.choice(['x0', 't1'])
    choices = [f'{f} {a}, {b}' for f in ('sfence.vma', 'sinval.vma', 'hfence.vvma', 'hfence.gvma',
                                         'hinval.vvma', 'hinval.gvma')]
    choices += ['sfence.w.inval', 'sfence.inval.ir', 'ecall', 'fadd.d f1, f2, f3']
    choices += ['hlv.w x0, (t2)', 'hlvx.hu x0, (t2)', 'hsv.d x0, (t2)']
    # CBO.INVAL, CLEAN, FLUSH and ZERO of (t2).
    choices += [f'.4byte {op << 20 | 7 << 15 | 2 << 12 | 0xf:#x}' for op in (0, 1, 2, 4)]
    if level != M:
        choices.append('mret')
    # Only where they must trap.
    if level in (U, VU) or level == HS and p.status & TSR or level == VS and p.hstatus & TSR:
        choices.append('sret')
    if level in (U, VU) or level != M and p.status & TW or level == VS and p.hstatus & TW:
        choices.append('wfi')
    p.emit('li t0, 0x80200000', 'li t1, 5', 'li t2, 0x80200040', rng.choice(choices))


def access(family, seed, qemu):
    """CSRs and privileged instructions at all levels under random enables."""
    p = Rules(family, seed, qemu)
    p.prepare()
    rng = p.rng
    p.status = rng.choice([0, TVM]) | rng.choice([0, TW])
    p.hstatus = rng.choice([0, TVM]) | rng.choice([0, TW]) | rng.choice([0, 1 << 9])
    causes = 1 << 2 | 1 << 22
    delegated = rng.choice([0, 0, causes, causes & rng.getrandbits(32)])
    to_vs = rng.choice([0, 1 << 2]) if delegated else 0
    if not delegated:
        p.status |= rng.choice([0, TSR])  # else handlers return by SRET
        p.hstatus |= rng.choice([0, TSR])
    p.setup += [f'    li t0, {p.status:#x}', '    csrs mstatus, t0']
    p.csrw(0x302, delegated)
    p.csrw(0x602, to_vs)
    p.csrw(0x600, p.hstatus)
    p.csrw(0x303, p.mostly(0x222))
    p.csrw(0x603, p.mostly(0x444))
    for csr in (0x306, 0x106, 0x606):
        p.csrw(csr, p.mostly(0xffffffff))
    for csr in (0x30a, 0x60a, 0x10a):
        cbo = rng.choice([0, 1, 3]) << 4 | rng.getrandbits(2) << 6  # CBIE 2 is reserved
        p.csrw(csr, p.mostly(STCE | PBMTE | ADUE) | cbo)
    for i in range(4):
        p.csrw(0x30c + i, p.mostly(ENABLES))
        p.csrw(0x60c + i, p.mostly(ENABLES))
        p.csrw(0x10c + i, p.mostly(ENABLES))
    p.csrw(0x200, rng.choice([0, 0, 1 << 13, 3 << 13]))
    for _ in range(6):
        level = rng.choice([U, HS, HS, VS, VS, VU, M])
        p.start()
        for _ in range(rng.randrange(8, 16)):
            probe = probe_csr if rng.randrange(3) else probe_instruction
            probe(p, level)
        p.finish(level, rng.choice([0, 1, 3]))
    return p


def interrupts(family, seed, qemu):
    """Interrupts that software makes pending, under random masks and delegation."""
    p = Rules(family, seed, qemu)
    p.prepare()
    rng = p.rng
    p.csrw(0x303, p.mostly(0x222))
    p.csrw(0x603, p.mostly(0x444))
    p.csrw(0x30a, rng.choice([0, STCE]))
    p.csrw(0x60a, rng.choice([0, STCE]))
    p.csrw(0x306, 7)
    p.csrw(0x606, 7)
    p.csrw(0x304, p.mostly(0x1666))
    p.csrw(0x204, p.mostly(0x222))
    p.csrw(0x200, rng.choice([0, SIE]))
    for _ in range(6):
        level = rng.choice([U, HS, HS, VS, VS, VU, M])
        status = rng.choice([0, SIE]) | rng.choice([0, MPIE])
        p.start()
        for _ in range(rng.randrange(4, 12)):
            probe_interrupt(p, level)
        p.finish(level | status)
    return p


def probe_interrupt(p, level):
    rng = p.rng
    choices = [('0x104', 0x222), ('0x144', 2), ('0x100', SIE)]  # sie, sip, sstatus
    if level in (HS, M):
        choices += [('0x645', 0x444), ('0x644', 4), ('0x604', 0x444), ('0x204', 0x222),
                    ('0x244', 2), ('0x200', SIE)]
        if p.family != 'aia':
            choices.append(('0x603', 0x444))
    if level == M:
        choices += [('mip', 0x222), ('mip', 0x222), ('mie', 0x666), ('mstatus', MIE),
                    ('mstatus', SIE), ('mideleg', 0x222)]
    csr, bits = rng.choice(choices)
    p.emit(f'li t1, {bits & rng.choice([bits, rng.getrandbits(12)]):#x}',
           f'{rng.choice(["csrs", "csrs", "csrc"])} {csr}, t1')
    if rng.randrange(3) == 0:
        seen = ['0x144', '0x104']
        if level in (HS, M):
            seen += ['0x644', '0x645', '0x604', '0x204', '0x244']
        p.emit(f'csrr {p.result()}, {rng.choice(seen)}')
    if rng.randrange(3) == 0:
        p.emit('addi x9, x9, 1')


def probe_aia(p, level):
    """What AIA adds, without priority arrays, whose width is open: Spike has none."""
    rng = p.rng
    shape = rng.randrange(6)
    if shape < 2:
        probe_interrupt(p, level)
    elif shape < 4:
        tops = ['0xdb0'] if level in (VS, U, VU) else ['0xdb0', '0xeb0'] + ['0xfb0'] * (level == M)
        rd, csr = p.result(), rng.choice(tops + ['0x15c', '0x309', '0x609', '0xeb0'])
        p.emit(f'csrr {rd}, {csr}')
        if csr in ('0xdb0', '0xfb0'):  # where iprio is all zeros IPRIO may be 1
            p.emit(f'srli {rd}, {rd}, 16')
    elif level in (HS, M) and rng.randrange(2):  # hvictl
        # With VTI a guest's handler cannot mask what it took, and Spike takes HS's interrupts in
        # VS: in M alone, for what vstopi says. Spike lets DPR decide before priority numbers.
        value = rng.getrandbits(10) | rng.choice([0, 1, 5, 9, 13, 40, 63]) << 16
        vti = level == M and rng.randrange(2)
        if vti:
            value &= ~0xff
        p.emit(f'li t1, {value | vti << 30:#x}', 'csrw 0x609, t1', f'csrr {p.result()}, 0x609',
               f'csrr {p.result()}, 0xeb0', *(['csrw 0x609, x0'] if vti else []))
    elif level == M:
        csr = rng.choice(['0x308', '0x309'])  # mvien, mvip
        p.emit(f'li t1, {rng.getrandbits(12) & 0x202:#x}',
               f'{rng.choice(["csrrs", "csrrc"])} {p.result()}, {csr}, t1')
    else:
        p.emit(f'csrr {p.result()}, {rng.choice(["0x308", "0x608", "0x144", "0x104"])}')


def aia(family, seed, qemu):
    """The same with mvien, mvip, hvictl, and the registers that name the top interrupt."""
    p = Rules(family, seed, qemu)
    p.prepare()
    rng = p.rng
    p.csrw(0x609, 0)
    p.csrw(0x308, 0)
    p.csrw(0x309, 0)
    p.csrw(0x303, p.mostly(0x222))
    p.csrw(0x603, 0x444)  # all: Spike leaves VS-level interrupts out of stopi
    p.csrw(0x304, p.mostly(0x1666))
    p.csrw(0x204, p.mostly(0x222))
    p.csrw(0x200, rng.choice([0, SIE]))
    p.csrw(0x308, p.mostly(0x202))
    p.csrw(0x30c, p.mostly(ENABLES) | rng.choice([0, 1 << 59]))
    p.csrw(0x60c, p.mostly(ENABLES) | rng.choice([0, 1 << 59]))
    for _ in range(6):
        level = rng.choice([U, HS, HS, VS, VS, VU, M])
        p.start()
        for _ in range(rng.randrange(4, 12)):
            probe_aia(p, level)
        p.finish(level | rng.choice([0, SIE]) | rng.choice([0, MPIE]))
    return p


FAMILIES = {'access': access, 'interrupts': interrupts, 'aia': aia}
