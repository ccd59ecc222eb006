#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reference hypervisor and its guests on isthmus and on QEMU: TAP, one case a run.

usage: test_hypervisor.py BUILD_DIR
"""
import argparse
import base64
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "..")
QEMU_NAMES = ("qemu-system-riscv64",)
# What the manuals let a machine leave out, but for Sv48, in which a demo's guest runs.
LEAST = ("rv64gch,sv=48,htinst=zero,vmidlen=0,asidlen=0,-svadu,-sstc,-svinval,-svnapot,-svpbmt,"
         "-smstateen,-ssstateen,-zicbom,-zicboz,-zihpm,-d")


class Run:
    """What a run printed: lines by guest ('' for the hypervisor's), and its exit status."""

    def __init__(self, status, text):
        self.status = status
        self.text = text
        self.lines = {"": []}
        for line in text.splitlines():
            m = re.match(r"\[([\w-]+)\] (.*)", line)
            who, said = (m[1], m[2]) if m else ("", line)
            self.lines.setdefault(who, []).append(said)

    def values(self, guest, key):
        return [l.split(" ", 1)[1] if " " in l else "" for l in self.lines.get(guest, [])
                if l.split(" ")[0] == "@" + key]

    def said(self, guest, pattern):
        return any(re.search(pattern, l) for l in self.lines.get(guest, []))


class Machine:
    def __init__(self, name, command):
        self.name = name
        self.command = command

    def is_isthmus(self):
        return self.name.startswith("isthmus")

    def run(self, harts, guests, windows=(), memory="512M", timeout=120, more=(), until=None):
        """Runs it to its end, or, with @until, till a line matches that."""
        args = self.command + ["--harts", str(harts), "--memory", memory, "--timeout", str(timeout)]
        for g in guests:
            args += ["--guest", g]
        for w in windows:
            args += ["--window", w]
        args += more
        if until:
            return self.run_until(args, until)
        p = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        return Run(p.returncode, p.stdout)

    @staticmethod
    def run_until(args, pattern):
        with subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace") as p:
            text = ""
            for line in p.stdout:
                text += line
                if re.search(pattern, line):
                    p.terminate()
            return Run(p.wait(), text)


def expect(condition, what, wrong):
    if not condition:
        wrong.append(what)


def demo(machine, guest, harts):
    """All that the demo promises: the file arrives, the hostile guest gets nowhere, the drop holds."""
    wrong = []
    payload = os.urandom(50000) + b"\n"
    with tempfile.NamedTemporaryFile() as f:
        f.write(payload)
        f.flush()
        r = machine.run(harts, [f"{guest('demo_alice')},name=alice,memory=32M,initrd={f.name}",
                                f"{guest('demo_bob')},name=bob,memory=32M",
                                f"{guest('demo_mallory')},name=mallory,memory=16M"],
                        ["alice:bob,rw,16M", "alice:mallory,w,64K,user", "mallory:bob,rw,64K"])
    data = b"".join(base64.b64decode(d) for d in r.values("bob", "data"))
    expect(r.status == 0, f"exit status {r.status}", wrong)
    expect(data == payload, "the file differs", wrong)
    expect(r.values("bob", "sha256") == [hashlib.sha256(payload).hexdigest()], "SHA-256", wrong)
    expect(r.values("alice", "reply") == ["bob has it"], "the reply", wrong)
    refused = [v for g in ("mallory", "bob") for v in r.values(g, "refused")]
    expect(len(refused) == 25, f"{len(refused)} refusals, not 25", wrong)
    for g in ("alice", "bob", "mallory"):
        expect(not r.values(g, "error") and not r.values(g, "allowed"), f"{g} complains", wrong)
    expect(r.values("bob", "hammer_status") == ["DENIED"], "bob is not denied", wrong)
    expect(r.values("alice", "drop_unchanged") == ["1"], "bytes moved after the drop", wrong)
    if r.values("alice", "mode") == ["instructions"]:
        expect(r.values("bob", "exits_during_transfer") == ["0"], "exits in the transfer", wrong)
        expect(r.values("bob", "get_exits") == ["0"], "exits while measuring", wrong)
    return wrong, r


def restart(machine, guest, harts):
    wrong = []
    r = machine.run(harts, [f"{guest('test_restart')},name=phoenix,memory=16M,vcpus=3",
                            f"{guest('test_restart')},name=witness,memory=16M"],
                    ["phoenix:witness,rw,64K"])
    expect(r.status == 0, f"exit status {r.status}", wrong)
    expect(r.values("phoenix", "pristine") == ["1"] * 3, "not the pristine image", wrong)
    expect(r.values("phoenix", "life") == ["1", "2", "3"], "lives", wrong)
    expect(r.values("witness", "old_handle") == ["DENIED"] * 2, "old handles", wrong)
    expect(r.values("witness", "fresh_memory") == ["1"] * 3, "memory of the life before", wrong)
    return wrong, r


def smp(machine, guest, harts, more=()):
    wrong = []
    r = machine.run(harts, [f"{guest('test_smp')},name=smp,vcpus=8,memory=16M"], more=more)
    expect(r.status == 0, f"exit status {r.status}", wrong)
    for key in ("hsm", "ipi", "timer", "fence", "fp", "csrs", "own"):
        expect(r.values("smp", key) == ["1"], key, wrong)
    return wrong, r


def late_hart(machine, guest, harts):
    """Firmware that starts a hart at _start again, as OpenSBI up to 1.2 does now and then."""
    wrong = []
    bios = os.path.join(os.path.dirname(guest("")), "..", "tests", "system", "late_hart.elf")
    r = machine.run(harts, [f"{guest('test_hello')},name={n},memory=4M" for n in "ab"],
                    more=["--bios", bios])
    expect(r.status == 0, f"exit status {r.status}", wrong)
    expect(len(re.findall("^hypervisor: 2 harts, ", r.text, re.M)) == 1, "its first line", wrong)
    expect(r.said("a", "^hello 2") and r.said("b", "^hello 2"), "the guests", wrong)
    return wrong, r


def migration(machine, guest, harts):
    """The same where vCPUs change harts at the same points each time: a hart's fence that is
    missing shows in every run."""
    return smp(machine, guest, harts, ["--deterministic"])


EDGES = 44

FAULTS = {
    "wild-load": r"load outside of its memory at gpa 0x20000004 .*sepc 0x\w+, instruction 0x",
    "wild-store": r"store outside of its memory at gpa 0x20000008 .*sepc 0x\w+, instruction 0x",
    "wild-jump": r"instruction fetch outside of its memory at gpa 0x20000000 ",
    "beyond-ram": r"store outside of its memory at gpa 0x81000000 ",
    "no-vector": r"trap vector after: illegal instruction, vsepc 0x",
    "no-vector-virtual": r"virtual instruction before it set a trap vector, .*instruction 0x68",
    "device-amo": r"a device accessed by other than a load or store at gpa 0x10000000 ",
    "device-jump": r"instruction fetch outside of its memory at gpa 0x10000000 ",
    "wild-table": r"page table outside of its memory at gpa 0x20000010 ",
}


def faults(machine, guest, harts):
    """Each misbehaving guest is named with what it did, and the well-behaved one goes on."""
    wrong = []
    guests = [f"{guest('test_fault')},name={f},append={f},memory=16M"
              for f in [*FAULTS, "fail-shutdown"]]
    r = machine.run(harts, guests + [f"{guest('test_hello')},name=good,memory=16M"])
    expect(r.status == 1, f"exit status {r.status}", wrong)
    for name, line in FAULTS.items():
        expect(r.said(name, f"about to {name}$"), f"{name} lost its last words", wrong)
        expect(r.said("", f"guest {name} stopped: vCPU 0: .*{line}"), f"{name} not named", wrong)
    expect(r.said("", "guest fail-shutdown shuts down and reports a failure"), "shutdown", wrong)
    expect(r.said("good", "^hello 2 from good"), "the good guest did not finish", wrong)
    return wrong, r


def overcommit(machine, guest, harts):
    """A guest that asks for more memory than there is ends by that, and it goes to those that stay."""
    wrong = []
    r = machine.run(harts, [f"{guest('test_hello')},name=good,memory=4M",
                            f"{guest('test_fault')},name=hog,append=hog,memory=4G"])
    expect(r.status == 1, f"exit status {r.status}", wrong)
    expect(r.said("", r"guest hog stopped: vCPU 0: no memory left at gpa 0x\w+ "), "hog", wrong)
    expect(r.said("good", "^hello 2 from good"), "the good guest did not finish", wrong)
    return wrong, r


BUSY = ("trap-loop", "spin", "calls", "interrupts", "fences", "device-loop", "virtual-loop")


def neighbours(machine, guest, harts):
    """Guests that never end, each busy in its way: one that wants its share of a hart gets it."""
    wrong = []
    r = machine.run(harts, [f"{guest('test_fault')},name={b},append={b},memory=4M" for b in BUSY] +
                    [f"{guest('test_hello')},name=good,memory=4M"], until="guest good has shut down")
    expect(r.said("good", "^hello 2 from good"), "the good guest did not finish", wrong)
    expect("stopped" not in r.text, "a guest was stopped", wrong)
    for name in BUSY:
        expect(r.said(name, f"about to {name}$"), f"{name} did not run", wrong)
    return wrong, r


def no_floats(machine, guest, harts):
    """Harts without F have no such registers to keep."""
    wrong = []
    r = machine.run(harts, [f"{guest('test_hello')},name={n}" for n in "ab"],
                    more=["--cpu", "rv64gch,-f"])
    expect(r.status == 0, f"exit status {r.status}", wrong)
    for name in "ab":
        expect(r.said(name, "^hello 2 from"), f"{name} did not run", wrong)
    return wrong, r


def bad_images(machine, guest, harts):
    """Images that cannot be: a line says why, and the others run."""
    wrong = []
    with tempfile.TemporaryDirectory() as d:
        with open(guest("test_hello"), "rb") as f:
            elf = bytearray(f.read())
        cases = {
            "notriscv": (bytes(elf[:18]) + b"\x3e\0" + bytes(elf[20:]), "not for 64-bit RISC-V"),
            "cutoff": (bytes(elf[:40]), "header is cut off"),
            "segment": (bytes(elf[:4096]), "outside of the file"),
            "toobig": (b"\x13\0\0\0" * (4 << 20), "larger than the guest's memory"),
        }
        guests = []
        for name, (data, _) in cases.items():
            path = os.path.join(d, name)
            with open(path, "wb") as f:
                f.write(data)
            guests.append(f"{path},name={name},memory=16M")
        r = machine.run(harts, guests + [f"{guest('test_hello')},name=good,memory=16M"])
    expect(r.status == 1, f"exit status {r.status}", wrong)
    for name, (_, line) in cases.items():
        expect(r.said("", f"guest {name} cannot start: .*{line}"), f"{name} not refused", wrong)
    expect(r.said("good", "^hello 2 from good"), "the good guest did not finish", wrong)
    return wrong, r


def devices(machine, guest, harts):
    """The UART and the PLIC that guests see, by all widths of loads and stores."""
    wrong = []
    r = machine.run(harts, [f"{guest('test_device')},name=dev,memory=16M,vcpus=2"])
    expect(r.status == 0, f"exit status {r.status}", wrong)
    expect("by the UART" in r.lines.get("dev", []), "what the UART printed", wrong)
    for key in ("widths", "registers", "uart", "plic", "wakes"):
        expect(r.values("dev", key) == ["1"], key, wrong)
    return wrong, r


def sbi(machine, guest, harts):
    """What SBI answers to wrong arguments, and that no call harms it or its neighbour."""
    wrong = []
    r = machine.run(harts, [f"{guest('test_sbi')},name=sbi,memory=16M",
                            f"{guest('test_hello')},name=good,memory=16M"], ["sbi:sbi,rw,64K,user"])
    expect(r.status == 0, f"exit status {r.status}", wrong)
    for key in ("answers", "registers", "random", "withheld", "null"):
        expect(r.values("sbi", key) == ["1"], key, wrong)
    expect(r.said("good", "^hello 2 from good"), "the good guest did not finish", wrong)
    return wrong, r


def ring(machine, guest, harts):
    """A counter goes around many guests, each with a window to the next; fewer where it is slow."""
    wrong = []
    n = 64 if machine.is_isthmus() else 12
    r = machine.run(harts, [f"{guest('test_ring')},name=r{i},memory=4M" +
                            (",append=first" if i == 0 else "") for i in range(n)],
                    [f"r{(i + 1) % n}:r{i},w,4K" for i in range(n)], memory="1G")
    expect(r.status == 0, f"exit status {r.status}", wrong)
    expect(r.values("r0", "counter") == [str(10 * n)], "the counter", wrong)
    return wrong, r


def example(machine, guest, harts):
    """The README's example, which has no way but the instructions."""
    wrong = []
    r = machine.run(harts, [f"{guest('example')},name=owner", f"{guest('example')},name=peer"],
                    ["owner:peer,rw,4K"])
    expect(r.status == 0, f"exit status {r.status}", wrong)
    expect("[peer] the owner says: Hello from the owner's memory." in r.text, "the get", wrong)
    expect("[owner] the peer wrote: And back." in r.text, "the put", wrong)
    return wrong, r


def hammer(machine, guest, harts):
    """Three vCPUs put into a window that its owner keeps opening and closing."""
    wrong = []
    seconds = 10 if os.environ.get("TEST_LONG") else 1
    r = machine.run(harts, [f"{guest('test_hammer')},name=anvil,memory=16M,append={seconds}",
                            f"{guest('test_hammer')},name=hammer,memory=16M,vcpus=3"],
                    ["anvil:hammer,rw,1M"])
    expect(r.status == 0, f"exit status {r.status}", wrong)
    expect(r.values("anvil", "moved") == ["0"], "bytes moved after a drop", wrong)
    expect(r.values("hammer", "other") == ["0"], "a status other than DENIED", wrong)
    for guest_name, key in (("anvil", "rounds_with_puts"), ("hammer", "denied")):
        expect(int((r.values(guest_name, key) or ["0"])[0]) > 3, f"{key}: nothing happened", wrong)
    return wrong, r


def windows(machine, guest, harts):
    """The edges of put and get, by the instructions and by calls: the same results."""
    wrong = []
    r = machine.run(harts, [f"{guest('test_window')},name={n},memory=16M"
                            for n in ("owner", "peer")], ["owner:peer,rw,1M"] * 4)
    expect(r.status == 0, f"exit status {r.status}", wrong)
    expect(r.values("peer", "bad") + r.values("owner", "bad") == [], "edges", wrong)
    expect(len(r.values("peer", "ok")) == EDGES, f"{len(r.values('peer', 'ok'))} checks", wrong)
    return wrong, r


def flat(elf):
    """The bytes that an ELF64 loads, from its first segment on."""
    phoff, = struct.unpack_from("<Q", elf, 32)
    count, = struct.unpack_from("<H", elf, 56)
    segments = []
    for i in range(count):
        kind, _, offset, _, addr, size = struct.unpack_from("<IIQQQQ", elf, phoff + 56 * i)
        if kind == 1 and size:
            segments.append((addr, elf[offset:offset + size]))
    base = min(a for a, _ in segments)
    out = bytearray(max(a + len(d) for a, d in segments) - base)
    for addr, data in segments:
        out[addr - base:addr - base + len(data)] = data
    return bytes(out)


def image_formats(machine, guest, harts):
    """A flat image runs; so does one in the Linux format: the hypervisor itself, which finds no H
    extension in a guest and says so."""
    wrong = []
    with tempfile.NamedTemporaryFile() as f, open(guest("test_hello"), "rb") as elf:
        f.write(flat(elf.read()))
        f.flush()
        nested = os.path.join(os.path.dirname(guest("")), "..", "hypervisor", "hypervisor.bin")
        r = machine.run(harts, [f"{f.name},name=flat,memory=16M",
                                f"{nested},name=nested,memory=16M"])
    expect(r.status == 1, f"exit status {r.status}", wrong)
    expect(r.said("flat", "^hello 2 from flat"), "the flat image does not run", wrong)
    expect(r.said("nested", "^hypervisor: the machine has no H extension$"), "Linux format", wrong)
    expect(r.said("", "guest nested shuts down and reports a failure"), "its end", wrong)
    return wrong, r


CASES = [(f"{case.__name__}, {harts} harts", case, harts)
         for case, counts in ((demo, (1, 3)), (restart, (1, 2)), (smp, (1, 3)), (faults, (2,)),
                              (bad_images, (2,)), (overcommit, (2,)), (image_formats, (1,)), (devices, (1, 2)), (sbi, (2,)),
                              (neighbours, (1, 2)),
                              (ring, (2,)), (hammer, (1, 3)), (windows, (1, 2)))
         for harts in counts]


# Configurations that only a loader in error makes, so that isthmus refuses them itself: options of
# qemu_run.py, and what the hypervisor says.
BAD_CONFIGURATIONS = [
    ([], "no guests in the device tree"),
    (["--guest", "HELLO,name=a", "--guest", "HELLO,name=a"], "two guests have one name"),
    (["--guest", "HELLO,name=a", "--window", "a:b,r,4K"], "a window's owner or peer is no guest"),
    (["--guest", "HELLO,vcpus=9"], "fewer than 1 or more than 8 vCPUs"),
    (["--guest", "HELLO,memory=1M"], "less than 4 MiB"),
    (["--guest", "HELLO", "--cpu", "rv64,h=false"], "the machine has no H extension"),
]


def bad_configurations(machine, guest, harts):
    wrong = []
    r = None
    for options, line in BAD_CONFIGURATIONS:
        r = machine.run(harts, [], more=[o.replace("HELLO", guest("test_hello")) for o in options])
        expect(r.status == 1 and r.said("", f"^hypervisor: .*{line}"), line, wrong)
    return wrong, r


def cases(machine):
    """A machine without Sstc differs in its timer: the cases that lean on it, but for a long run."""
    if machine.name == "qemu without Sstc" and not os.environ.get("TEST_LONG"):
        yield from (c for c in CASES if c[1] is restart or (c[1] is smp and c[2] == 1))
        return
    yield from CASES
    if machine.name == "isthmus":
        yield "example, 1 harts", example, 1
        yield "migration, 3 harts", migration, 3
        yield "late_hart, 2 harts", late_hart, 2
        yield "no_floats, 1 harts", no_floats, 1
    if machine.name == "qemu":
        yield "bad_configurations, 1 harts", bad_configurations, 1


def machines(build):
    kernel = os.path.join(build, "hypervisor", "hypervisor.elf")
    isthmus = [os.path.join(build, "isthmus"), "run"]
    yield Machine("isthmus", isthmus)
    yield Machine("isthmus with the least", isthmus + ["--cpu", LEAST])
    yield Machine("isthmus with AIA", isthmus + ["--aia", "aplic-imsic", "--aia-guests", "3"])
    qemu = next((q for q in QEMU_NAMES if shutil.which(q)), None)
    if qemu and shutil.which("dtc"):
        yield Machine("qemu", [sys.executable, os.path.join(HERE, "qemu_run.py"), "--qemu", qemu,
                               "--kernel", kernel])
        yield Machine("qemu without Sstc", [sys.executable, os.path.join(HERE, "qemu_run.py"),
                                            "--qemu", qemu, "--kernel", kernel, "--cpu",
                                            "rv64,h=true,sstc=false"])


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--only", default="", help="cases whose name contains this")
    options = p.parse_args()
    failed = n = 0
    for machine in machines(options.build):
        for name, case, harts in cases(machine):
            name = f"{machine.name}: {name}"
            if options.only not in name:
                continue
            n += 1
            wrong, r = case(machine, lambda g: os.path.join(options.build, "guest", g + ".elf"),
                            harts)
            if wrong:
                failed += 1
                print("\n".join("# " + l[:200] for l in r.text.splitlines()[-60:]
                                if "@data" not in l))
                print("# wrong: " + "; ".join(wrong))
            print(f"{'not ok' if wrong else 'ok'} {n} - {name}", flush=True)
    print(f"1..{n}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
