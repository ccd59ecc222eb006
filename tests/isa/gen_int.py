#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the test program of the integer computational instructions of one extension.

The expected values come from the reference functions below, which are written from the manuals'
prose and use Python's unbounded integers. Usage: gen_int.py EXTENSION > program.S
"""
import random
import sys

M64 = (1 << 64) - 1
M32 = (1 << 32) - 1


def sx(value, bits):
    """value's low bits as a signed number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def s64(value):
    return sx(value, 64)


def w(value):
    """A 32-bit result, sign-extended."""
    return sx(value, 32)


def div(a, b, bits):
    if b == 0:
        return -1
    quotient = abs(a) // abs(b)
    return -quotient if (a < 0) != (b < 0) else quotient


def rem(a, b, bits):
    return a if b == 0 else a - b * div(a, b, bits)


def divu(a, b, ones):
    return ones if b == 0 else a // b


def remu(a, b):
    return a if b == 0 else a % b


def clmul(a, b):
    result = 0
    for i in range(64):
        if b >> i & 1:
            result ^= a << i
    return result


def rotl(value, by, bits):
    mask = (1 << bits) - 1
    by %= bits
    value &= mask
    return (value << by | value >> (bits - by)) & mask


def leading_zeros(value, bits):
    return bits - (value & ((1 << bits) - 1)).bit_length()


def trailing_zeros(value, bits):
    return next((i for i in range(bits) if value >> i & 1), bits)


def byte_map(value, f):
    return sum(f(value >> 8 * i & 255) << 8 * i for i in range(8))


# name -> function of the two 64-bit unsigned operands; the result is taken modulo 2^64.
R_TYPE = {
    'I': {
        'add': lambda a, b: a + b,
        'sub': lambda a, b: a - b,
        'sll': lambda a, b: a << (b & 63),
        'slt': lambda a, b: s64(a) < s64(b),
        'sltu': lambda a, b: a < b,
        'xor': lambda a, b: a ^ b,
        'srl': lambda a, b: a >> (b & 63),
        'sra': lambda a, b: s64(a) >> (b & 63),
        'or': lambda a, b: a | b,
        'and': lambda a, b: a & b,
        'addw': lambda a, b: w(a + b),
        'subw': lambda a, b: w(a - b),
        'sllw': lambda a, b: w(a << (b & 31)),
        'srlw': lambda a, b: w((a & M32) >> (b & 31)),
        'sraw': lambda a, b: w(a) >> (b & 31),
    },
    'M': {
        'mul': lambda a, b: a * b,
        'mulh': lambda a, b: s64(a) * s64(b) >> 64,
        'mulhsu': lambda a, b: s64(a) * b >> 64,
        'mulhu': lambda a, b: a * b >> 64,
        'div': lambda a, b: div(s64(a), s64(b), 64),
        'divu': lambda a, b: divu(a, b, M64),
        'rem': lambda a, b: rem(s64(a), s64(b), 64),
        'remu': remu,
        'mulw': lambda a, b: w(a * b),
        'divw': lambda a, b: w(div(w(a), w(b), 32)),
        'divuw': lambda a, b: w(divu(a & M32, b & M32, M32)),
        'remw': lambda a, b: w(rem(w(a), w(b), 32)),
        'remuw': lambda a, b: w(remu(a & M32, b & M32)),
    },
    'Zba': {
        'add.uw': lambda a, b: (a & M32) + b,
        'sh1add': lambda a, b: (a << 1) + b,
        'sh2add': lambda a, b: (a << 2) + b,
        'sh3add': lambda a, b: (a << 3) + b,
        'sh1add.uw': lambda a, b: ((a & M32) << 1) + b,
        'sh2add.uw': lambda a, b: ((a & M32) << 2) + b,
        'sh3add.uw': lambda a, b: ((a & M32) << 3) + b,
    },
    'Zbb': {
        'andn': lambda a, b: a & ~b,
        'orn': lambda a, b: a | ~b,
        'xnor': lambda a, b: ~(a ^ b),
        'max': lambda a, b: max(s64(a), s64(b)),
        'maxu': max,
        'min': lambda a, b: min(s64(a), s64(b)),
        'minu': min,
        'rol': lambda a, b: rotl(a, b & 63, 64),
        'ror': lambda a, b: rotl(a, -(b & 63), 64),
        'rolw': lambda a, b: w(rotl(a, b & 31, 32)),
        'rorw': lambda a, b: w(rotl(a, -(b & 31), 32)),
    },
    'Zbc': {
        'clmul': clmul,
        'clmulh': lambda a, b: clmul(a, b) >> 64,
        'clmulr': lambda a, b: clmul(a, b) >> 63,
    },
    'Zbs': {
        'bclr': lambda a, b: a & ~(1 << (b & 63)),
        'bext': lambda a, b: a >> (b & 63) & 1,
        'binv': lambda a, b: a ^ 1 << (b & 63),
        'bset': lambda a, b: a | 1 << (b & 63),
    },
}

UNARY = {
    'Zbb': {
        'clz': lambda a: leading_zeros(a, 64),
        'clzw': lambda a: leading_zeros(a, 32),
        'ctz': lambda a: trailing_zeros(a, 64),
        'ctzw': lambda a: trailing_zeros(a, 32),
        'cpop': lambda a: bin(a).count('1'),
        'cpopw': lambda a: bin(a & M32).count('1'),
        'sext.b': lambda a: sx(a, 8),
        'sext.h': lambda a: sx(a, 16),
        'zext.h': lambda a: a & 0xffff,
        'orc.b': lambda a: byte_map(a, lambda byte: 255 if byte else 0),
        'rev8': lambda a: int.from_bytes(a.to_bytes(8, 'little'), 'big'),
    },
}

# Where QEMU 7.2 deviates from the manual: expected to fail there.
QEMU_DEVIATES = {'ctzw': 'looks at bits 63:32 too when bits 31:0 are zero'}

IMM12 = [0, 1, -1, 2, 0x7ff, -0x800, 0x555, -0x556, 31, 64]
SHIFT6 = [0, 1, 7, 15, 31, 32, 33, 62, 63]
SHIFT5 = [0, 1, 7, 15, 16, 30, 31]
# name -> (immediates, function)
I_TYPE = {
    'I': {
        'addi': (IMM12, lambda a, i: a + i),
        'slti': (IMM12, lambda a, i: s64(a) < i),
        'sltiu': (IMM12, lambda a, i: a < (i & M64)),
        'xori': (IMM12, lambda a, i: a ^ (i & M64)),
        'ori': (IMM12, lambda a, i: a | (i & M64)),
        'andi': (IMM12, lambda a, i: a & (i & M64)),
        'slli': (SHIFT6, lambda a, i: a << i),
        'srli': (SHIFT6, lambda a, i: a >> i),
        'srai': (SHIFT6, lambda a, i: s64(a) >> i),
        'addiw': (IMM12, lambda a, i: w(a + i)),
        'slliw': (SHIFT5, lambda a, i: w(a << i)),
        'srliw': (SHIFT5, lambda a, i: w((a & M32) >> i)),
        'sraiw': (SHIFT5, lambda a, i: w(a) >> i),
    },
    'Zba': {'slli.uw': (SHIFT6, lambda a, i: (a & M32) << i)},
    'Zbb': {
        'rori': (SHIFT6, lambda a, i: rotl(a, -i, 64)),
        'roriw': (SHIFT5, lambda a, i: w(rotl(a, -i, 32))),
    },
    'Zbs': {
        'bclri': (SHIFT6, lambda a, i: a & ~(1 << i)),
        'bexti': (SHIFT6, lambda a, i: a >> i & 1),
        'binvi': (SHIFT6, lambda a, i: a ^ 1 << i),
        'bseti': (SHIFT6, lambda a, i: a | 1 << i),
    },
}

EDGES = [0, 1, 2, 63, 64, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, (1 << 63) - 1, 1 << 63,
         M64, M64 - 1, 0xffffffff80000000, 0x0123456789abcdef, 0x80ff007f00ff8001]


def random_operand(rng):
    value = rng.getrandbits(64)
    shape = rng.randrange(4)
    if shape == 0:
        value >>= rng.randrange(64)
    elif shape == 1:
        value = value << rng.randrange(64) & M64
    elif shape == 2:
        value = sx(value, rng.choice([8, 16, 32])) & M64
    return value


def ident(name):
    return name.replace('.', '_')


class Program:
    def __init__(self):
        self.text, self.data = [], []
        self.labels = 0

    def start(self, name):
        """Opens the case of an instruction."""
        label = f'case_{ident(name)}'
        self.data.append(f'name_{ident(name)}: .asciz "{name}"')
        self.text += [f'{label}:']
        reason = 0
        if name in QEMU_DEVIATES:
            reason = f'qemu_{ident(name)}'
            self.data.append(f'{reason}: .asciz "{QEMU_DEVIATES[name]}"')
        self.data.append(f'    .pushsection .isa_cases, "a"\n    .balign 8\n'
                         f'    .dword name_{ident(name)}, {label}, {reason}\n    .popsection')

    def loop(self, name, words, body):
        """A loop over rows of words; body leaves what it computes in t2, t4 and t5."""
        table = f'table_{self.labels}'
        self.labels += 1
        width = len(words[0])
        self.data.append(f'    .balign 8\n{table}:')
        self.data += ['    .dword ' + ', '.join(f'{x & M64:#x}' for x in row) for row in words]
        self.text += [f'    la a4, {table}', f'    li a5, {len(words)}', '    li a6, 0',
                      '1:  ld t0, 0(a4)']
        if width == 3:
            self.text.append('    ld t1, 8(a4)')
        self.text.append(f'    ld t3, {8 * (width - 1)}(a4)')
        for instructions, result in body:
            self.text += ['    ' + i for i in instructions]
            self.text += [f'    mv a2, {result}', f'    bne {result}, t3, fail_{ident(name)}']
        self.text += [f'    addi a4, a4, {8 * width}', '    addi a6, a6, 1', '    bne a6, a5, 1b']

    def end(self, name):
        # Nothing may have written x0.
        self.text += ['    li t3, 0', '    mv a2, x0', f'    bnez x0, fail_{ident(name)}', '    ret',
                      f'fail_{ident(name)}:', f'    la a0, name_{ident(name)}', '    mv a1, a6',
                      '    mv a3, t3', '    j fail_vector']

    def write(self, out):
        out.write('/* SPDX-License-Identifier: MIT */\n    .text\n')
        out.write('\n'.join(self.text) + '\n    .data\n' + '\n'.join(self.data) + '\n')


def main():
    extension = sys.argv[1]
    rng = random.Random(extension)
    program = Program()
    for name, f in R_TYPE.get(extension, {}).items():
        pairs = [(a, b) for a in EDGES for b in EDGES]
        pairs += [(random_operand(rng), random_operand(rng)) for _ in range(120)]
        program.start(name)
        program.loop(name, [(a, b, int(f(a, b))) for a, b in pairs], [
            ([f'{name} t2, t0, t1'], 't2'),
            (['mv t4, t0', f'{name} t4, t4, t1'], 't4'),
            (['mv t5, t1', f'{name} t5, t0, t5', f'{name} x0, t0, t1'], 't5'),
        ])
        same = [random_operand(rng) for _ in range(20)] + EDGES
        program.loop(name, [(a, int(f(a, a))) for a in same],
                     [(['mv t2, t0', f'{name} t2, t2, t2'], 't2')])
        program.end(name)
    for name, f in UNARY.get(extension, {}).items():
        values = EDGES + [random_operand(rng) for _ in range(120)]
        program.start(name)
        program.loop(name, [(a, int(f(a))) for a in values],
                     [([f'{name} t2, t0'], 't2'), (['mv t4, t0', f'{name} t4, t4'], 't4')])
        program.end(name)
    for name, (immediates, f) in I_TYPE.get(extension, {}).items():
        program.start(name)
        for imm in immediates:
            values = EDGES + [random_operand(rng) for _ in range(12)]
            program.loop(name, [(a, int(f(a, imm))) for a in values], [
                ([f'{name} t2, t0, {imm}'], 't2'),
                (['mv t4, t0', f'{name} t4, t4, {imm}', f'{name} x0, t0, {imm}'], 't4'),
            ])
        program.end(name)
    program.write(sys.stdout)


if __name__ == '__main__':
    main()
