#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the reference hypervisor with guests on QEMU's virt board.

It takes the options of `isthmus run` that describe guests and windows, puts the images into RAM,
adds their nodes to QEMU's own device tree (docs/hypervisor.md). The exit status is 0 when all
guests ended well, 1 when not, 124 on a timeout.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading

RAM_BASE = 0x80000000
ALL_WELL = b"hypervisor: all guests have stopped"
IMAGES = RAM_BASE + (64 << 20)
BIOS = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"


def size(text):
    """'64M' in bytes."""
    m = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not m:
        raise argparse.ArgumentTypeError(f"{text}: a size, for example 64M")
    return int(m[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[m[2]]


def pair(value):
    return f"<{value >> 32:#x} {value & 0xffffffff:#x}>"


class Loader:
    """Places files in RAM one after another."""

    def __init__(self):
        self.at = IMAGES
        self.args = []

    def place(self, path):
        length = os.path.getsize(path)
        addr = self.at
        self.args += ["-device", f"loader,file={path},addr={addr:#x},force-raw=on"]
        self.at += (length + 0x1fffff) & ~0xfffff
        return f"{pair(addr)}, {pair(length)}"


def guest_node(i, text, loader):
    image, *options = text.split(",")
    opt = dict(o.split("=", 1) for o in options)
    name = opt.pop("name", f"guest{i}")
    node = [f'guest@{i} {{ compatible = "isthmus,guest"; guest-name = "{name}";',
            f"image = {loader.place(image)};",
            f"memory-size = {pair(size(opt.pop('memory', '16M')))};",
            f"vcpus = <{opt.pop('vcpus', '1')}>;"]
    if "append" in opt:
        node.append(f'bootargs = "{opt.pop("append")}";')
    if "initrd" in opt:
        node.append(f"initrd = {loader.place(opt.pop('initrd'))};")
    if opt:
        sys.exit(f"--guest: unknown option {next(iter(opt))}")
    return " ".join(node) + " };"


def window_node(i, text):
    who, rights, length, *flags = text.split(",")
    owner, peer = who.split(":")
    node = (f'window@{i} {{ owner = "{owner}"; peer = "{peer}"; rights = "{rights}"; '
            f"length = {pair(size(length))};")
    for flag in flags:
        node += " user;" if flag == "user" else f" {flag.split('=')[0]} = <{flag.split('=')[1]}>;"
    return node + " };"


def shared_node(i, text):
    *guests, length = text.split(",")
    return (f"shared@{i} {{ guests = " + ", ".join(f'"{g}"' for g in guests) +
            f"; length = {pair(size(length))}; }};")


def device_tree(machine, nodes, directory):
    """QEMU's device tree for that machine with our nodes in /chosen/isthmus."""
    dtb = os.path.join(directory, "virt.dtb")
    board = list(machine)
    board[board.index("-M") + 1] += f",dumpdtb={dtb}"
    subprocess.run(board, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    dts = subprocess.run(["dtc", "-I", "dtb", "-O", "dts", dtb], check=True, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    dts += ('/ { chosen { isthmus { compatible = "isthmus,hypervisor";\n' + "\n".join(nodes) +
            "\n}; }; };\n")
    subprocess.run(["dtc", "-I", "dts", "-O", "dtb", "-o", dtb], input=dts, check=True, text=True,
                   stderr=subprocess.DEVNULL)
    return dtb


def pump(process, out, deadline):
    """Passes the console on. OpenSBI's failing power-off leaves QEMU's exit status at 0, so the
    hypervisor's last line decides."""
    timer = threading.Timer(deadline, process.kill)
    timer.daemon = True
    timer.start()
    last = b""
    for line in process.stdout:
        out.write(line)
        out.flush()
        last = line
    process.wait()
    timed_out = not timer.is_alive()
    timer.cancel()
    if timed_out:
        return 124
    return process.returncode or (0 if last.strip() == ALL_WELL else 1)


def run(options, out):
    machine = [options.qemu, "-M", "virt", "-cpu", options.cpu, "-smp", str(options.harts), "-m",
               f"{options.memory >> 20}M", "-nographic", "-bios", options.bios]
    loader = Loader()
    nodes = [guest_node(i, g, loader) for i, g in enumerate(options.guest)]
    nodes += [window_node(i, w) for i, w in enumerate(options.window)]
    nodes += [shared_node(i, s) for i, s in enumerate(options.shared)]
    if options.slice_ms:
        nodes.insert(0, f"slice-ms = <{options.slice_ms}>;")
    with tempfile.TemporaryDirectory() as directory:
        dtb = device_tree(machine, nodes, directory)
        command = machine + ["-dtb", dtb, "-kernel", options.kernel] + loader.args + options.extra
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            return pump(process, out, options.timeout)
        finally:
            process.kill()


def parser():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--qemu", default="qemu-system-riscv64")
    p.add_argument("--cpu", default="rv64,h=true")
    p.add_argument("--bios", default=BIOS)
    p.add_argument("--kernel", required=True, help="the hypervisor, ELF or flat")
    p.add_argument("--harts", type=int, default=2)
    p.add_argument("--memory", type=size, default=512 << 20)
    p.add_argument("--guest", action="append", default=[], metavar="IMAGE[,OPTION=VALUE]...")
    p.add_argument("--window", action="append", default=[], metavar="OWNER:PEER,RIGHTS,SIZE[,user]")
    p.add_argument("--shared", action="append", default=[], metavar="GUEST,GUEST,...,SIZE")
    p.add_argument("--slice-ms", type=int)
    p.add_argument("--timeout", type=float, default=60)
    p.add_argument("extra", nargs="*", help="more arguments for QEMU")
    return p


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)) # and QEMU with it
    sys.exit(run(parser().parse_args(), sys.stdout.buffer))
