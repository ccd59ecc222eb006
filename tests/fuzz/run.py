#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one fuzz target for a while, from starting points that get past the first checks.

usage: run.py TARGET NAME [CORPUS]

10 seconds, or FUZZ_SECONDS, or ten minutes with TEST_LONG=1. Without CORPUS what is found is thrown
away, but for an input that crashes: that one is left in the working directory.
"""
import os
import random
import struct
import subprocess
import sys
import tempfile


def small_elf():
    """An RV64 executable of one segment, with the symbols tohost and fromhost."""
    code = bytes.fromhex('73005010') * 4
    strings = b'\0tohost\0fromhost\0.strtab\0.symtab\0'
    symbols = bytes(24) + b''.join(
        struct.pack('<IBBHQQ', name, 0x10, 0, 1, 0x80001000 + 64 * i, 8)
        for i, name in enumerate((1, 8)))
    at_code = 64 + 56
    at_strings = at_code + len(code)
    at_symbols = at_strings + len(strings)
    at_sections = at_symbols + len(symbols)
    header = b'\x7fELF\x02\x01\x01' + bytes(9) + struct.pack(
        '<HHIQQQIHHHHHH', 2, 243, 1, 0x80000000, 64, at_sections, 5, 64, 56, 1, 64, 3, 1)
    segment = struct.pack('<IIQQQQQQ', 1, 5, at_code, 0x80000000, 0x80000000, len(code), 8192, 4096)
    sections = bytes(64)
    sections += struct.pack('<IIQQQQIIQQ', 17, 3, 0, 0, at_strings, len(strings), 0, 0, 1, 0)
    sections += struct.pack('<IIQQQQIIQQ', 25, 2, 0, 0, at_symbols, len(symbols), 1, 1, 8, 24)
    return header + segment + code + strings + symbols + sections


def linux_image():
    """The header of a RISC-V Linux Image."""
    return (struct.pack('<IIQQQIIQQ', 0x6f, 0, 0x200000, 0x3000, 0, 2, 0, 0, 0x5643534952) +
            b'RSC\x05' + bytes(4096))


def words(*words):
    return b''.join(w.encode() + b'\0' for w in words)


SEEDS = {
    'board': {f'{i}': bytes([i % 3]) + random.Random(i).randbytes(12 * (i + 1)) for i in range(64)},
    'options': {
        'machine': words('--harts', '2', '--memory=64M', '--bios', 'none', '--kernel', 'k',
                         '--append', 'x', '--cpu', 'rv64gch,-c', '--aia', 'aplic-imsic',
                         '--aia-guests', '3', '--timeout', '1.5', '--deterministic'),
        'guests': words('--guest', 'i,name=a,memory=64M,vcpus=2,append=x,,y,initrd=f', '--guest',
                        'i,name=b', '--window', 'a:b,rw,64K,user', '--stats', 's'),
        'devices': words('--disk', 'd,readonly', '--net',
                         'user,mac=52:54:00:12:34:56,hostfwd=tcp:127.0.0.1:1-10.0.2.15:2',
                         '--share', 's', '--console', 'file:x', '--virtio-console', 'stdio'),
        'rest': words('--net', 'tap,ifname=t0', '--code-buffer', '64K', '--translate-after', '1',
                      '--perf-map', '--interpreter', '--gdb', '0,wait', '--trace', 'irq,mmu:-'),
    },
    'aplic': {f'{i}': random.Random(i).randbytes(512) for i in range(100)},
    'cpu': {'all': b'0rv64gch,-svadu,vmidlen=0,asidlen=0,geilen=0,htinst=zero,sv=39,+smaia'},
    'image': {'elf': small_elf(), 'linux': linux_image(), 'raw': bytes(64)},
    'decode': {'words': bytes(8) + bytes.fromhex('3305b500735010c093050000af26b520')},
    'gdb': {
        'session': b'\0' + b'\n'.join((
            b'qSupported:swbreak+;hwbreak+', b'?', b'QStartNoAckMode', b'vMustReplyEmpty', b'Hg0',
            b'qXfer:features:read:target.xml:0,ffb', b'qXfer:threads:read::0,ffb',
            b'qThreadExtraInfo,2', b'qfThreadInfo', b'qsThreadInfo', b'g', b'p20', b'P20=' +
            b'0000008000000000', b'p341', b'P341=1032547698badcfe', b'm80000000,40',
            b'M80000000,8:1300000013000000', b'X80000008,4:\x13\0\0\0', b'Z0,80000004,4',
            b'Z2,80000100,8', b'vCont?', b'vCont;c', b'vCont;s:1;c', b'vCont;s:2', b'c', b's',
            b'C05', b'S05', b'z0,80000004,4', b'z2,80000100,8', b'T1', b'Qqemu.PhyMemMode:1',
            b'qqemu.PhyMemMode', b'G' + 65 * b'0011223344556677', b'D')),
        'monitor': b'\0' + b'\n'.join(b'qRcmd,' + c.encode().hex().encode() for c in (
            'help', 'info', 'walk 0x80000000 w', 'walk 0 x vu', 'space guest', 'scope guest 5',
            'interrupts on', 'trace off', 'trace irq:x', 'reset')),
        'raw': b'\1$?#3f\n$g#67\n+$m80000000,8#5f-\n$vCont;c#a8\n\x03\n$k#6b',
    },
    'walk': {f'{i}': bytes([0x8f]) + random.Random(i).randbytes(56 + 12 * (i % 20))
             for i in range(100)},
    'jit': {f'{i}': bytes([i]) + random.Random(i).randbytes(71 + 12 * i) for i in range(64)},
}


def main():
    target, name = sys.argv[1:3]
    seconds = os.environ.get('FUZZ_SECONDS') or ('600' if os.environ.get('TEST_LONG') else '10')
    with tempfile.TemporaryDirectory(prefix='corpus-') as directory:
        for seed, content in SEEDS.get(name, {}).items():
            with open(os.path.join(directory, seed), 'wb') as f:
                f.write(content)
        corpus = sys.argv[3:] + [directory]
        quiet = ['-close_fd_mask=3'] if name == 'options' else []  # it complains of each input
        return subprocess.run([target, f'-max_total_time={seconds}', '-max_len=8192',
                               '-print_final_stats=1', '-error_exitcode=1'] + quiet +
                              corpus).returncode


if __name__ == '__main__':
    sys.exit(main())
