# SPDX-License-Identifier: MIT
"""Random programs for cosimulation: generate(family, seeds) returns assembly text.

A family is a mixture of instructions or a kind of privileged set-up. Everything follows from the
seed. Programs avoid only what the manual leaves open (see docs/testing.md): counters, SC after
other accesses, state after a missing fence, and what QEMU 7.2 is known to do wrongly.
"""
import random

M64 = (1 << 64) - 1
DATA_BASE = 0x80200000
TABLE_BASE = 0x80300000
TABLE_BYTES = 0x80000
IMAGE = 0x80000000
USER_ALIAS = 0x40000000  # added to an image address for U with paging on

# Registers with a duty in the integer programs: data pointers and the loop counter.
BASE0, BASE1, SP, COUNTER = 8, 9, 2, 18
RESERVED = {BASE0, BASE1, SP, COUNTER}
FREE = [r for r in range(1, 32) if r not in RESERVED]
FREE_SHORT = [r for r in range(8, 16) if r not in RESERVED]

ALU_R = 'add sub sll slt sltu xor srl sra or and addw subw sllw srlw sraw'.split()
ALU_I = 'addi slti sltiu xori ori andi addiw'.split()
MULDIV = 'mul mulh mulhsu mulhu div divu rem remu mulw divw divuw remw remuw'.split()
BIT_R = ('add.uw sh1add sh2add sh3add sh1add.uw sh2add.uw sh3add.uw andn orn xnor max maxu min minu '
         'rol ror rolw rorw clmul clmulh clmulr bclr bext binv bset').split()
# ctzw is left out: QEMU 7.2 gets it wrong when bits 31:0 are zero (tests/isa covers it).
BIT_U = 'clz clzw ctz cpop cpopw sext.b sext.h zext.h orc.b rev8'.split()
BIT_I = 'slli.uw rori bclri bexti binvi bseti'.split()
LOADS = {'lb': 1, 'lbu': 1, 'lh': 2, 'lhu': 2, 'lw': 4, 'lwu': 4, 'ld': 8}
STORES = {'sb': 1, 'sh': 2, 'sw': 4, 'sd': 8}
AMOS = 'amoswap amoadd amoxor amoand amoor amomin amomax amominu amomaxu'.split()
BRANCHES = 'beq bne blt bge bltu bgeu'.split()
ROUNDING = ['rne', 'rtz', 'rdn', 'rup', 'rmm', 'dyn']
FP_RM2 = ['fadd', 'fsub', 'fmul', 'fdiv']
FP_RM3 = ['fmadd', 'fmsub', 'fnmadd', 'fnmsub']
FP_PLAIN = ['fsgnj', 'fsgnjn', 'fsgnjx', 'fmin', 'fmax']
FP_COMPARE = ['feq', 'flt', 'fle']

SINGLES = [0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000, 0x40490fdb,
           0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffc12345,
           0x4f000000, 0xcf000000, 0x5f000000, 0x3effffff, 0x33800000, 0x4b7fffff, 0x00000003]
DOUBLES = [0, 1 << 63, 1, (1 << 63) | 1, 0x000fffffffffffff, 0x0010000000000000, 0x3ff0000000000000,
           0xbff0000000000000, 0x400921fb54442d18, 0x7fefffffffffffff, 0xffefffffffffffff,
           0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001,
           0xfff8deadbeef0001, 0x41dfffffffc00000, 0xc1e0000000000000, 0x43e0000000000000,
           0x3fdfffffffffffff, 0x36a0000000000000, 0x380fffffffffffff, 0x47efffffe0000000]
EDGES = [0, 1, M64, 1 << 63, (1 << 63) - 1, 0x80000000, 0x7fffffff, 0xffffffff, 0xffffffff80000000,
         63, 64, 0x8000, 0xff]


class Random(random.Random):
    def word(self):
        """A 64-bit value, of the shapes that break arithmetic."""
        shape = self.randrange(6)
        value = self.getrandbits(64)
        if shape == 0:
            return self.choice(EDGES)
        if shape == 1:
            return value >> self.randrange(64)
        if shape == 2:
            return value << self.randrange(64) & M64
        if shape == 3:
            return value >> 32 | (M64 << 32 & M64 if value >> 31 & 1 else 0)
        return value

    def float_word(self):
        """A register image: boxed single, double, or neither."""
        shape = self.randrange(8)
        if shape < 3:
            return 0xffffffff00000000 | self.choice(SINGLES)
        if shape == 3:
            exponent = self.choice([self.randrange(256), 127 + self.randrange(-3, 4)])
            return (0xffffffff00000000 | self.randrange(2) << 31 | exponent << 23 |
                    self.getrandbits(23))
        if shape < 6:
            return self.choice(DOUBLES)
        if shape == 6:
            exponent = self.choice([self.randrange(2048), 1023 + self.randrange(-3, 4)])
            return self.randrange(2) << 63 | exponent << 52 | self.getrandbits(52)
        return self.getrandbits(64)


class Body:
    """The straight-line stuff of a program at one level, with forward branches and loops."""

    def __init__(self, rng, weights, qemu):
        self.rng, self.qemu = rng, qemu
        self.lines = []
        self.labels = 0
        self.kinds = list(weights)
        self.weights = [weights[k] for k in self.kinds]

    def emit(self, line):
        self.lines.append('    ' + line)

    def label(self):
        self.labels += 1
        return f'{9000 + self.labels}'

    def rd(self):
        return f'x{self.rng.choice(FREE)}' if self.rng.randrange(24) else 'x0'

    def rs(self):
        return f'x{self.rng.randrange(32)}'

    def short(self):
        return f'x{self.rng.choice(FREE_SHORT)}'

    def f(self):
        return f'f{self.rng.randrange(32)}'

    def fill(self, count):
        for _ in range(count):
            getattr(self, self.rng.choices(self.kinds, self.weights)[0])()

    # --- integer ---
    def alu(self):
        rng = self.rng
        shape = rng.randrange(10)
        if shape < 4:
            self.emit(f'{rng.choice(ALU_R)} {self.rd()}, {self.rs()}, {self.rs()}')
        elif shape < 7:
            self.emit(f'{rng.choice(ALU_I)} {self.rd()}, {self.rs()}, {rng.randrange(-2048, 2048)}')
        elif shape == 7:
            op = rng.choice(['slli', 'srli', 'srai', 'slliw', 'srliw', 'sraiw'])
            self.emit(f'{op} {self.rd()}, {self.rs()}, {rng.randrange(32 if op[-1] == "w" else 64)}')
        elif shape == 8:
            self.emit(f'lui {self.rd()}, {rng.randrange(1 << 20)}')
        else:
            self.emit(f'auipc {self.rd()}, {rng.randrange(1 << 20)}')

    def muldiv(self):
        self.emit(f'{self.rng.choice(MULDIV)} {self.rd()}, {self.rs()}, {self.rs()}')

    def bits(self):
        rng = self.rng
        shape = rng.randrange(6)
        if shape < 3:
            self.emit(f'{rng.choice(BIT_R)} {self.rd()}, {self.rs()}, {self.rs()}')
        elif shape < 5:
            self.emit(f'{rng.choice(BIT_U if self.qemu else BIT_U + ["ctzw"])} {self.rd()}, {self.rs()}')
        elif rng.randrange(4):
            self.emit(f'{rng.choice(BIT_I)} {self.rd()}, {self.rs()}, {rng.randrange(64)}')
        else:
            self.emit(f'roriw {self.rd()}, {self.rs()}, {rng.randrange(32)}')

    def compressed(self):
        rng = self.rng
        rd = f'x{rng.choice(FREE)}'
        a, b = self.short(), self.short()
        self.emit(rng.choice([
            lambda: f'c.addi {rd}, {rng.choice([-32, -1, 1, 7, 31])}',
            lambda: f'c.addiw {rd}, {rng.randrange(-32, 32)}',
            lambda: f'c.li {rd}, {rng.randrange(-32, 32)}',
            lambda: f'c.lui {rd}, {rng.choice([1, 31, 0xfffe0, 0xfffff])}',
            lambda: f'c.slli {rd}, {rng.randrange(1, 64)}',
            lambda: f'c.srli {a}, {rng.randrange(1, 64)}',
            lambda: f'c.srai {a}, {rng.randrange(1, 64)}',
            lambda: f'c.andi {a}, {rng.randrange(-32, 32)}',
            lambda: f'c.mv {rd}, x{rng.randrange(1, 32)}',
            lambda: f'c.add {rd}, x{rng.randrange(1, 32)}',
            lambda: f'{rng.choice(["c.and", "c.or", "c.xor", "c.sub", "c.addw", "c.subw"])} {a}, {b}',
            lambda: f'c.addi4spn {a}, sp, {4 * rng.randrange(1, 256)}',
            lambda: f'c.lw {a}, {4 * rng.randrange(32)}(x{BASE0})',
            lambda: f'c.ld {a}, {8 * rng.randrange(32)}(x{BASE1})',
            lambda: f'c.sw {a}, {4 * rng.randrange(32)}(x{BASE0})',
            lambda: f'c.sd {a}, {8 * rng.randrange(32)}(x{BASE1})',
            lambda: f'c.lwsp {rd}, {4 * rng.randrange(64)}(sp)',
            lambda: f'c.ldsp {rd}, {8 * rng.randrange(64)}(sp)',
            lambda: f'c.swsp x{rng.randrange(32)}, {4 * rng.randrange(64)}(sp)',
            lambda: f'c.sdsp x{rng.randrange(32)}, {8 * rng.randrange(64)}(sp)',
            lambda: 'c.nop',
        ])())
        if not rng.randrange(12):
            step = 16 * rng.choice([-2, -1, 1, 2, 3])
            self.emit(f'c.addi16sp sp, {step}')
            self.emit(f'c.sdsp {rd}, 0(sp)')
            self.emit(f'c.addi16sp sp, {-step}')

    def memory(self):
        rng = self.rng
        base = rng.choice([BASE0, BASE1, SP])
        at = f'{rng.randrange(-2048, 2048)}(x{base})'
        if rng.randrange(2):
            self.emit(f'{rng.choice(list(LOADS))} {self.rd()}, {at}')
        else:
            self.emit(f'{rng.choice(list(STORES))} {self.rs()}, {at}')

    def indexed(self):
        """A load or a store through a computed pointer, somewhere in 4 KiB."""
        pointer = f'x{self.rng.choice(FREE)}'
        self.emit(f'slli {pointer}, {self.rs()}, {self.rng.randrange(40, 53)}')
        self.emit(f'srli {pointer}, {pointer}, 52')
        self.emit(f'add {pointer}, {pointer}, x{BASE0}')
        if self.rng.randrange(2):
            self.emit(f'{self.rng.choice(list(STORES))} {self.rs()}, 0({pointer})')
        self.emit(f'{self.rng.choice(list(LOADS))} {self.rd()}, {self.rng.randrange(-64, 64)}({pointer})')

    def atomic(self):
        rng = self.rng
        size, width = rng.choice([('w', 4), ('d', 8)])
        order = rng.choice(['', '.aq', '.rl', '.aqrl'])
        pointer = rng.choice([r for r in FREE])
        offset = width * rng.randrange(-2048 // width, 2048 // width)
        # Misaligned ones are an exception; QEMU 7.2 reports those of AMOs as a load's, and none for
        # an SC that fails anyway.
        misaligned = not rng.randrange(16)
        if misaligned:
            offset += rng.randrange(1, width)
        self.emit(f'addi x{pointer}, x{SP}, {offset}')
        if (not misaligned or not self.qemu) and rng.randrange(4):
            self.emit(f'{rng.choice(AMOS)}.{size}{order} {self.rd()}, {self.rs()}, (x{pointer})')
            return
        rest = [r for r in FREE if r != pointer]
        if misaligned:
            self.emit(f'lr.{size}{order} x{rng.choice(rest)}, (x{pointer})')
            return
        if rng.randrange(4):
            self.emit(f'lr.{size}{order} x{rng.choice(rest)}, (x{pointer})')
            self.emit(f'sc.{size}{order} x{rng.choice(rest)}, {self.rs()}, (x{pointer})')
        # With no reservation any more this one fails.
        self.emit(f'sc.{size} x{rng.choice(rest)}, {self.rs()}, (x{pointer})')

    # --- control ---
    def branch(self):
        rng = self.rng
        target = self.label()
        if rng.randrange(3):
            self.emit(f'{rng.choice(BRANCHES)} {self.rs()}, {self.rs()}, {target}f')
        else:
            self.emit(f'{rng.choice(["c.beqz", "c.bnez"])} {self.short()}, {target}f')
        self.straight(rng.randrange(1, 6))
        self.lines.append(f'{target}:')

    def jump(self):
        rng = self.rng
        target = self.label()
        shape = rng.randrange(4)
        if shape == 0:
            self.emit(f'jal {self.rd()}, {target}f')
        elif shape == 1:
            self.emit(f'c.j {target}f')
        else:
            pointer = f'x{rng.choice(FREE)}'
            self.emit(f'la {pointer}, {target}f')
            if shape == 2:
                offset = rng.choice([0, 1, -2, 100])
                self.emit(f'addi {pointer}, {pointer}, {-offset}')
                self.emit(f'jalr {self.rd()}, {offset}({pointer})')
            else:
                self.emit(f'{rng.choice(["c.jr", "c.jalr"])} {pointer}')
        self.straight(rng.randrange(1, 4))
        self.lines.append(f'{target}:')

    def loop(self):
        rng = self.rng
        target = self.label()
        self.emit(f'li x{COUNTER}, {rng.randrange(1, 20)}')
        self.lines.append(f'{target}:')
        self.straight(rng.randrange(2, 10))
        self.emit(f'addi x{COUNTER}, x{COUNTER}, -1')
        self.emit(f'bnez x{COUNTER}, {target}b')

    def straight(self, count):
        allowed = [(k, n) for k, n in zip(self.kinds, self.weights)
                   if k not in ('branch', 'jump', 'loop', 'self_modify')]
        for _ in range(count):
            kind = self.rng.choices([k for k, _ in allowed], [n for _, n in allowed])[0]
            getattr(self, kind)()

    def self_modify(self):
        """Overwrites an instruction that may have run before; FENCE.I makes it visible."""
        rng = self.rng
        a, b, c = rng.sample(FREE, 3)
        target, patch, again = self.label(), self.label(), self.label()
        self.emit(f'li x{COUNTER}, 2')
        self.lines.append(f'{again}:')
        self.emit('.option push\n    .option norvc')
        self.lines.append(f'{target}:')
        self.emit(f'addi x{c}, x{c}, {rng.randrange(-2048, 2048)}')
        self.emit('.option pop')
        self.emit(f'la x{a}, {patch}f')
        self.emit(f'lw x{b}, 0(x{a})')
        self.emit(f'la x{a}, {target}b')
        self.emit(f'sw x{b}, 0(x{a})')
        self.emit('fence.i')
        self.emit(f'addi x{COUNTER}, x{COUNTER}, -1')
        self.emit(f'bnez x{COUNTER}, {again}b')
        end = self.label()
        self.emit(f'j {end}f')
        self.emit('.option push\n    .option norvc\n    .balign 4')
        self.lines.append(f'{patch}:')
        self.emit(f'{rng.choice(ALU_R)} x{c}, x{c}, {self.rs()}')
        self.emit('.option pop')
        self.lines.append(f'{end}:')

    # --- floating point ---
    def fp(self):
        rng = self.rng
        t = rng.choice('sd')
        rm = rng.choice(ROUNDING)
        f, rd, rs = self.f, self.rd, self.rs
        self.emit(rng.choice([
            lambda: f'{rng.choice(FP_RM2)}.{t} {f()}, {f()}, {f()}, {rm}',
            lambda: f'{rng.choice(FP_RM2)}.{t} {f()}, {f()}, {f()}, {rm}',
            lambda: f'{rng.choice(FP_RM3)}.{t} {f()}, {f()}, {f()}, {f()}, {rm}',
            lambda: f'{rng.choice(FP_RM3)}.{t} {f()}, {f()}, {f()}, {f()}, {rm}',
            lambda: f'fsqrt.{t} {f()}, {f()}, {rm}',
            lambda: f'{rng.choice(FP_PLAIN)}.{t} {f()}, {f()}, {f()}',
            lambda: f'{rng.choice(FP_COMPARE)}.{t} {rd()}, {f()}, {f()}',
            lambda: f'fclass.{t} {rd()}, {f()}',
            lambda: f'fcvt.{rng.choice(["w", "wu", "l", "lu"])}.{t} {rd()}, {f()}, {rm}',
            lambda: (f'fcvt.{t}.{rng.choice(["l", "lu"])} {f()}, {rs()}, {rm}'),
            lambda: (f'fcvt.s.{rng.choice(["w", "wu"])} {f()}, {rs()}, {rm}'),
            lambda: f'fcvt.d.{rng.choice(["w", "wu"])} {f()}, {rs()}',
            lambda: f'fcvt.s.d {f()}, {f()}, {rm}',
            lambda: f'fcvt.d.s {f()}, {f()}',
            lambda: rng.choice([f'fmv.x.w {rd()}, {f()}', f'fmv.w.x {f()}, {rs()}',
                                f'fmv.x.d {rd()}, {f()}', f'fmv.d.x {f()}, {rs()}']),
        ])())

    def fp_memory(self):
        rng = self.rng
        at = f'{rng.randrange(-2048, 2048)}(x{rng.choice([BASE0, BASE1, SP])})'
        self.emit(rng.choice([
            lambda: f'{rng.choice(["flw", "fld", "fsw", "fsd"])} {self.f()}, {at}',
            lambda: f'c.fld f{rng.randrange(8, 16)}, {8 * rng.randrange(32)}(x{BASE0})',
            lambda: f'c.fsd f{rng.randrange(8, 16)}, {8 * rng.randrange(32)}(x{BASE1})',
            lambda: f'c.fldsp {self.f()}, {8 * rng.randrange(64)}(sp)',
            lambda: f'c.fsdsp {self.f()}, {8 * rng.randrange(64)}(sp)',
        ])())

    def fp_csr(self):
        rng = self.rng
        self.emit(rng.choice([
            lambda: f'fsrmi {self.rd()}, {rng.choice([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7])}',
            lambda: f'frcsr {self.rd()}',
            lambda: f'fsflags {self.rd()}, {self.rs()}',
            lambda: f'fsflagsi {self.rd()}, {rng.randrange(32)}',
            lambda: f'csrrc {self.rd()}, fcsr, {self.rs()}',
            lambda: f'csrrs {self.rd()}, frm, x0',
            lambda: f'csrrci {self.rd()}, fflags, {rng.randrange(32)}',
        ])())
        if not rng.randrange(3):
            self.emit('fsrmi x0, 0')

    # --- traps ---
    def csr(self):
        rng = self.rng
        # QEMU 7.2 keeps bit 0 of the epc registers.
        csr = rng.choice(['sscratch', 'stval', '0x240', '0x243'] +
                         ([] if self.qemu else ['sepc', '0x241']))
        op = rng.choice(['csrrw', 'csrrs', 'csrrc'])
        if rng.randrange(2):
            self.emit(f'{op} {self.rd()}, {csr}, {self.rs()}')
        else:
            self.emit(f'{op}i {self.rd()}, {csr}, {rng.randrange(32)}')

    def illegal(self):
        """Reserved encodings: logged, with the instruction's bits in mtval, and stepped over."""
        rng = self.rng
        r = rng.getrandbits
        self.emit('.4byte %#x' % rng.choice([
            lambda: 0x0000000f | 0x4000 | r(17) << 15 & 0xffff8000,       # MISC-MEM funct3 4
            lambda: 0x00000033 | rng.choice([0x02, 0x06, 0x0a, 0x12, 0x22, 0x32, 0x7f]) << 25 |
            r(5) << 7 | 2 << 12 | r(10) << 15 | 1 << 31,                  # OP with odd funct7
            lambda: 0x00000057 | r(25) << 7,                              # vector, absent
            lambda: 0x00000077 | r(25) << 7,                              # reserved opcode
            lambda: 0x0000007b | r(25) << 7,                              # custom-3
            lambda: 0x0000006b | r(25) << 7,                              # reserved opcode
            lambda: 0x00000067 | (1 + r(3) % 7) << 12 | r(5) << 7 | r(17) << 15,  # JALR funct3
            lambda: 0x00000063 | rng.choice([2, 3]) << 12 | r(5) << 7 | r(17) << 15,
            lambda: 0x00000003 | 7 << 12 | r(5) << 7 | r(17) << 15,       # LOAD funct3 7
            lambda: 0x00000023 | rng.choice([4, 5, 6, 7]) << 12 | r(5) << 7 | r(17) << 15,
            lambda: 0x0000002f | rng.choice([4, 5, 6, 7]) << 12 | r(5) << 7 | r(10) << 15,
            lambda: 0x0000002f | 3 << 12 | 0b10101 << 27 | r(5) << 7 | r(10) << 15,
            lambda: 0x00000073 | 0x7ff << 20 | rng.choice([1, 2, 3]) << 12 | r(5) << 7 | 1 << 15,
            lambda: 0x00000073 | 4 << 12 | r(5) << 7 | 0x25 << 25,
            lambda: 0x0000001b | rng.choice([2, 3, 4, 6, 7]) << 12 | r(5) << 7 | r(17) << 15,
            lambda: 0x00001013 | 1 << 26 | r(6) << 20 | r(5) << 15 | r(5) << 7 | 0x80000000,
        ])())
        if not rng.randrange(3):
            self.emit('.2byte %#x' % rng.choice([0x0000, 0x8000 | rng.getrandbits(11) << 2 & 0x1ffc,
                                                 0x2001, 0x4002, 0x6002, 0x8002, 0x6101 & ~0x7c,
                                                 0x9c41, 0x9c61]))


FAMILIES = {
    'int': dict(alu=10, branch=2, jump=1, loop=1, memory=3, indexed=1),
    'muldiv': dict(muldiv=8, alu=4, branch=1),
    'bits': dict(bits=8, alu=4, branch=1),
    'compressed': dict(compressed=10, alu=2, branch=2, jump=2, loop=1),
    'memory': dict(memory=8, indexed=5, alu=2, loop=1, fp_memory=2),
    'atomic': dict(atomic=8, alu=3, memory=1),
    'float': dict(fp=14, fp_memory=3, fp_csr=2, alu=1, branch=1),
    'trap': dict(illegal=4, csr=4, alu=4, branch=1, compressed=1),
    'code': dict(self_modify=3, alu=4, loop=2, jump=2, branch=2),
    'mixed': dict(alu=6, muldiv=2, bits=3, compressed=5, memory=3, indexed=2, atomic=2, fp=6,
                  fp_memory=2, fp_csr=1, branch=3, jump=2, loop=1, csr=1, illegal=1, self_modify=1),
}


class Program:
    """One program: its text, its tables, and its row in the batch."""

    def __init__(self, family, seed, qemu):
        self.family, self.seed, self.qemu = family, seed, qemu
        self.rng = Random(f'{family} {seed}')
        self.tag = f'{family}_{seed}'
        self.text, self.data, self.setup, self.memory, self.segments = [], [], [], [], []
        self.privileged = 0

    def add_segment(self, lines, level_bits, x, f, fs=3, fcsr=0, alias=0):
        index = len(self.segments)
        entry = f'{self.tag}_s{index}'
        self.text += ['    .balign 4', f'{entry}:'] + lines + ['    .option push',
                                                              '    .option norvc', '    ebreak',
                                                              '    .option pop']
        self.data += [f'{entry}_x: .dword ' + ', '.join(f'{v & M64:#x}' for v in x),
                      f'{entry}_f: .dword ' + ', '.join(f'{v & M64:#x}' for v in f)]
        self.segments.append(f'    .dword {level_bits:#x}, {entry} + {alias:#x}, {fs << 13:#x}, '
                             f'{fcsr:#x}, {entry}_x, {entry}_f')

    def write(self):
        out = ['    .section .programs, "ax"', f'{self.tag}_setup:'] + self.setup + ['    ret']
        out += self.text
        out += ['    .data', '    .balign 8'] + self.data
        out += [f'{self.tag}_segments:'] + self.segments
        out += [f'{self.tag}_memory:']
        out += [f'    .dword {a:#x}, {v & M64:#x}' for a, v in self.memory] + ['    .dword 0']
        return out

    def row(self):
        return (f'    .dword {self.seed:#x}, {self.tag}_setup, {self.tag}_memory, '
                f'{self.tag}_segments, {len(self.segments)}, {self.privileged}')


def unprivileged(family, seed, qemu, size=120):
    program = Program(family, seed, qemu)
    rng = program.rng
    body = Body(rng, FAMILIES[family], qemu)
    body.fill(size)
    x = [0] + [rng.word() for _ in range(31)]
    x[BASE0] = DATA_BASE + 0x2000
    x[BASE1] = DATA_BASE + 0x3000 + rng.randrange(16)
    x[SP] = DATA_BASE + 0x4000
    f = [rng.float_word() for _ in range(32)]
    level = 3 if family == 'trap' else rng.choice([0, 1, 3])
    program.add_segment(body.lines, level << 11, x, f, fs=rng.choice([1, 2, 3]),
                        fcsr=rng.randrange(5) << 5)
    return program


def generate(family, seeds, qemu=True):
    """Assembly of a batch: the programs of family for all seeds. qemu: without what QEMU 7.2 does
    wrongly."""
    from_family = unprivileged
    if family not in FAMILIES:
        import privileged
        import rules
        from_family = (privileged.FAMILIES | rules.FAMILIES)[family]
    programs = [from_family(family, seed, qemu) for seed in seeds]
    out = ['/* SPDX-License-Identifier: MIT */']
    for program in programs:
        out += program.write()
    out += ['    .data', '    .balign 8', '    .globl programs, program_count', 'programs:']
    out += [program.row() for program in programs]
    out += [f'program_count: .dword {len(programs)}']
    return '\n'.join(out) + '\n'
