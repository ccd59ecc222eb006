#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The debugger's stub: by its protocol, packet for packet, and with GDB itself, where it is
installed. TAP, a case a statement.

usage: test_gdb.py BUILD_DIR CC...   (CC: a compiler for RISC-V with its options)
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(sys.argv[1])
CC = sys.argv[2:]
ISTHMUS = os.path.join(BUILD, "isthmus")
GDB = shutil.which("gdb-multiarch")
MODES = ([], ["--interpreter"], ["--deterministic"], ["--translate-after", "1"])
PATIENCE = 60
FOLDER = tempfile.TemporaryDirectory()


class Skip(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_equal(got, wanted):
    expect(got == wanted, f"{got!r}, expected {wanted!r}")


def guest(name):
    return os.path.join(BUILD, "guest", name + ".elf")


def bare():
    """The program to debug, and its symbols."""
    out = os.path.join(FOLDER.name, "bare.elf")
    if not os.path.exists(out):
        subprocess.run([*CC, "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-O1", "-g",
                        "-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-no-pie",
                        "-fno-stack-protector", "-fno-omit-frame-pointer", "-Wl,--build-id=none",
                        "-Wl,-Ttext=0x80000000", "-o", out, os.path.join(HERE, "debug_bare.c")],
                       check=True, stderr=subprocess.DEVNULL)
    text = subprocess.run(["nm", out], capture_output=True, text=True, check=True).stdout
    return out, {l.split()[2]: int(l.split()[0], 16) for l in text.splitlines()}


class Machine:
    """A machine with a stub that listens."""

    def __init__(self, *args, wait=True, timeout=PATIENCE):
        self.process = subprocess.Popen(
            [ISTHMUS, "run", "--timeout", str(timeout), "--gdb", "0,wait" if wait else "0", *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.match(r"isthmus: gdb: listening on 127\.0\.0\.1:(\d+)$", line)
        expect(found, f"no port: {line}")
        self.port = int(found[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def status(self):
        self.process.stderr.read()
        return self.process.wait(PATIENCE)


class Client:
    """What speaks the protocol."""

    def __init__(self, machine):
        self.socket = socket.create_connection(("127.0.0.1", machine.port), PATIENCE)
        self.socket.settimeout(PATIENCE)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def byte(self):
        if not self.buffer:
            self.buffer = self.socket.recv(65536)
            expect(self.buffer, "the connection has ended")
        byte, self.buffer = self.buffer[:1], self.buffer[1:]
        return byte

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, body):
        body = body if isinstance(body, bytes) else body.encode()
        self.raw(b"$" + body + b"#%02x" % (sum(body) & 255))

    def receive(self):
        """The next packet's body; acknowledgements are passed over."""
        while (byte := self.byte()) != b"$":
            expect(byte in b"+-", f"{byte} between packets")
        body = b""
        while (byte := self.byte()) != b"#":
            body += byte
        expect_equal(int(self.byte() + self.byte(), 16), sum(body) & 255)
        self.raw(b"+")
        return body.decode()

    def ask(self, body):
        self.send(body)
        return self.receive()

    def monitor(self, command):
        text, reply = "", self.ask("qRcmd," + command.encode().hex())
        while reply.startswith("O") and reply != "OK":
            text += bytes.fromhex(reply[1:]).decode()
            reply = self.receive()
        expect_equal(reply, "OK")
        return text

    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def word(self, address):
        return int.from_bytes(bytes.fromhex(self.ask(f"m{address:x},8")), "little")

    def select(self, hart):
        expect_equal(self.ask(f"Hg{hart + 1}"), "OK")


PC = 32
CASES = []


def case(function):
    CASES.append(function)
    return function


def debugged(*args, **kwargs):
    program, symbols = bare()
    return Machine("--bios", "none", "--kernel", program, *args, **kwargs), symbols


# --- The protocol ---

@case
def harts_and_registers_are_described():
    machine, _ = debugged("--harts", "3")
    with machine, Client(machine) as c:
        features = c.ask("qSupported:multiprocess+;swbreak+;hwbreak+")
        for feature in ("QStartNoAckMode+", "qXfer:features:read+", "vContSupported+"):
            expect(feature in features.split(";"), f"{feature} in {features}")
        text = ""
        while True:
            piece = c.ask(f"qXfer:features:read:target.xml:{len(text):x},3e8")
            text += piece[1:]
            if piece[0] == "l":
                break
        registers = {r.get("name"): int(r.get("regnum"))
                     for r in ElementTree.fromstring(text).iter("reg")}
        expect_equal(len(set(registers.values())), len(registers))
        for name, number in (("zero", 0), ("pc", 32), ("ft0", 33), ("mstatus", 65 + 0x300),
                             ("hgatp", 65 + 0x680), ("hiwt", 65 + 0x6c0), ("vsatp", 65 + 0x280)):
            expect_equal(registers.get(name), number)
        expect_equal(c.ask("qfThreadInfo"), "m1,2,3")
        expect_equal(c.ask("qsThreadInfo"), "l")
        threads = ElementTree.fromstring(c.ask("qXfer:threads:read::0,fff")[1:])
        expect_equal([(t.get("id"), t.text) for t in threads],
                     [(n, "M-mode") for n in ("1", "2", "3")])
        for hart in range(3):
            c.select(hart)
            expect_equal(c.register(65 + 0xf14), hart)
        expect_equal(c.ask("T3"), "OK")
        expect_equal(c.ask("T4")[:1], "E")
        expect_equal(c.ask("vMustReplyEmpty"), "")


@case
def registers_and_memory_are_read_and_written():
    machine, symbols = debugged()
    with machine, Client(machine) as c:
        expect_equal(c.ask("P5=8877665544332211"), "OK")
        expect_equal(c.register(5), 0x1122334455667788)
        everything = c.ask("g")
        expect_equal(len(everything), 65 * 16)
        expect_equal(everything[5 * 16:6 * 16], "8877665544332211")
        expect_equal(c.ask("G" + "11" * 8 + everything[16:5 * 16] + "0" * 16), "OK")
        expect_equal((c.register(0), c.register(5)), (0, 0))
        expect_equal(c.ask(f"P{65 + 0x341:x}=ff00000000000000"), "OK")
        expect_equal(c.register(65 + 0x341), 0xfe)  # mepc's bit 0 is 0: WARL
        expect_equal(c.ask(f"P{65 + 0xf14:x}=0100000000000000")[:1], "E")
        expect_equal(c.ask("Pffff=0000000000000000")[:1], "E")
        at = symbols["watched"]
        expect_equal(c.ask(f"M{at:x},4:01020304"), "OK")
        expect_equal(c.ask(f"X{at + 4:x},4:".encode() + b"\x05}\x03}\x5d\x08"), "OK")
        expect_equal(c.ask(f"m{at:x},8"), "0102030405237d08")
        expect_equal(c.ask("m10000000,1")[:1], "E")  # a device
        expect_equal(c.ask("M1000,1:00")[:1], "E")   # the boot ROM
        expect_equal(len(c.ask("m80ff0ff0,9999")), 2 * 8192)


@case
def garbage_is_refused_and_forgotten():
    machine, _ = debugged()
    with machine, Client(machine) as c:
        c.raw(b"$?#00")
        expect_equal(c.byte(), b"-")
        c.raw(b"$" + b"m" * 20000 + b"#%02x" % (20000 * ord("m") & 255))
        expect_equal(c.byte(), b"-")
        c.raw(b"garbage without end\x03\x04\xff++")
        for body in ("m", "mx,1", "m80000000", "M80000000,4:00", "M0,ffffffffffffffff:00", "Z0", "Z0,",
                     "Z0,80000001,4", "Z2,80000000,0", "Z2,ffffffffffffffff,10", "z9,0,0", "P", "P5",
                     "P5=", "p", "pfffffff", "Hg", "Hx", "Hgffff", "vCont;", "vCont;x", "vCont;c:",
                     "vCont;c:99", "vCont;S", "qRcmd,abc", "qRcmd,zz", "qXfer:features:read::0,9",
                     "qXfer:features:read:target.xml:", "qXfer:features:read:target.xml:fffff,9",
                     "qThreadExtraInfo,", "qThreadExtraInfo,9", "C", "czz", "szz", "Gxx", "T"):
            expect(c.ask(body)[:1] in ("", "E", "O"), body)
        c.send("p20")
        first = c.receive()
        c.raw(b"-")
        expect_equal(c.receive(), first)
        expect_equal(c.ask("QStartNoAckMode"), "OK")
        c.buffer = b""
        c.send("?")
        expect_equal(c.byte(), b"$")  # no acknowledgement before it


@case
def one_hart_steps_and_others_stay():
    for mode in MODES:
        machine, symbols = debugged("--harts", "3", *mode)
        with machine, Client(machine) as c:
            expect_equal(c.ask(f"Z1,{symbols['main']:x},2"), "OK")
            expect(c.ask("vCont;c").startswith("T05thread:1;"), "main")
            expect_equal(c.register(PC), symbols["main"])
            others = []
            for hart in (1, 2):
                c.select(hart)
                others.append(c.register(PC))
            c.select(0)
            expect_equal(c.ask("vCont;s:1"), "T05thread:1;")
            expect(symbols["main"] < c.register(PC) <= symbols["main"] + 4, "a step")
            for hart in (1, 2):
                c.select(hart)
                expect_equal(c.register(PC), others[hart - 1])
            # Hart 2 stays behind; hart 1 counts.
            counts = symbols["counts"]
            expect_equal(c.ask(f"Z0,{symbols['leaf']:x},2"), "OK")
            c.ask("vCont;c:1;c:2")
            before = c.word(counts + 8), c.word(counts + 16)
            for _ in range(4):
                expect(c.ask("vCont;c:1;c:2").startswith("T05thread:1;"), "leaf")
            expect_equal(c.word(counts + 16), before[1])
            # Others go on while one steps: they are given something to do.
            before = c.word(counts + 8)
            for _ in range(10):
                expect(c.ask("vCont;s:1;c").startswith("T05thread:1;"), "a step")
            expect(c.word(counts + 8) > before, f"hart 1 stands still with {mode}")


@case
def a_watchpoint_stops_before_the_access():
    for mode in MODES:
        machine, symbols = debugged(*mode)
        with machine, Client(machine) as c:
            c.ask("qSupported:swbreak+;hwbreak+")
            result, watched = symbols["result"], symbols["watched"]
            expect_equal(c.ask(f"Z2,{result:x},8"), "OK")
            for value in (0, 2, 5):
                expect_equal(c.ask("vCont;c"), f"T05thread:1;watch:{result:x};")
                expect_equal(c.word(result), value)
                expect_equal(c.ask(f"z2,{result:x},8"), "OK")
                expect_equal(c.ask("vCont;s:1"), "T05thread:1;")
                expect_equal(c.ask(f"Z2,{result:x},8"), "OK")
            expect_equal(c.ask(f"z2,{result:x},8"), "OK")
            expect_equal(c.ask(f"Z3,{watched + 9:x},1"), "OK")  # its bytes around are read, too
            expect_equal(c.ask("vCont;c"), f"T05thread:1;rwatch:{watched + 9:x};")
            expect_equal(c.ask(f"z3,{watched + 9:x},1"), "OK")
            expect_equal(c.ask(f"Z4,{watched:x},8"), "OK")
            expect_equal(c.ask("vCont;c"), f"T05thread:1;awatch:{watched:x};")
            # Another place on that page does not stop.
            expect_equal(c.ask(f"z4,{watched:x},8"), "OK")
            expect_equal(c.ask(f"Z2,{symbols['counts'] + 56:x},8"), "OK")
            expect_equal(c.ask("vCont;c"), "W07")
            expect_equal(machine.status(), 7)


@case
def breakpoints_stop_and_can_be_removed():
    for mode in MODES:
        machine, symbols = debugged(*mode)
        with machine, Client(machine) as c:
            c.ask("qSupported:swbreak+;hwbreak+")
            leaf, outer = symbols["leaf"], symbols["outer"]
            expect_equal(c.ask(f"Z0,{leaf:x},2"), "OK")
            expect_equal(c.ask("vCont;c"), "T05thread:1;swbreak:;")
            for _ in range(3):
                expect_equal(c.ask("vCont;s:1"), "T05thread:1;")
                expect_equal(c.ask("vCont;c"), "T05thread:1;swbreak:;")
                expect_equal(c.register(PC), leaf)
            expect_equal(c.ask(f"z0,{leaf:x},2"), "OK")
            expect_equal(c.ask(f"Z1,{outer:x},2"), "OK")
            expect_equal(c.ask("vCont;c"), "T05thread:1;hwbreak:;")
            expect_equal(c.register(PC), outer)
            # The same place in another page is planted, but not set.
            expect_equal(c.ask(f"z1,{outer:x},2"), "OK")
            expect_equal(c.ask(f"Z1,{outer + 4096:x},2"), "OK")
            expect_equal(c.ask("c"), "W07")
            expect_equal(machine.status(), 7)


@case
def it_can_be_stopped_left_and_found_again():
    for mode in ([], ["--deterministic"]):
        machine, symbols = debugged("--harts", "2", *mode)
        with machine:
            with Client(machine) as c:
                # Hart 0 never gets to its end: it counts, too.
                expect_equal(c.ask(f"Z1,{symbols['main']:x},2"), "OK")
                expect(c.ask("c").startswith("T05"), "main")
                expect_equal(c.ask(f"z1,{symbols['main']:x},2"), "OK")
                expect_equal(c.ask("Pa=" + "0" * 16), "OK")
                expect_equal(c.ask(f"P20={symbols['count'].to_bytes(8, 'little').hex()}"), "OK")
                c.send("vCont;c")
                c.raw(b"\x03")
                expect_equal(c.receive(), "T02thread:1;")
                before = c.word(symbols["counts"])
                expect_equal(c.word(symbols["counts"]), before)
                expect_equal(c.ask(f"Z0,{symbols['count'] + 0x10:x},2"), "OK")
                expect_equal(c.ask("D"), "OK")
            time.sleep(0.5)
            with Client(machine) as c:
                expect(c.word(symbols["counts"]) > before, "it went on")
                expect_equal(c.ask(f"Z2,{symbols['counts']:x},8"), "OK")
                c.ask("vCont;c")
            # Gone without a word: watchpoints are gone, too.
            with Client(machine) as c:
                before = c.word(symbols["counts"])
                c.send("vCont;c")
                c.raw(b"\x03")
                expect_equal(c.receive(), "T02thread:1;")
                c.send("k")
            expect_equal(machine.status(), 0)


@case
def monitor_commands_answer():
    machine, symbols = debugged("--harts", "2")
    with machine, Client(machine) as c:
        for command in ("walk", "info", "space", "scope", "interrupts", "trace", "reset"):
            expect(f"monitor {command}" in c.monitor("help"), command)
        expect("There is no command" in c.monitor("bogus"), "bogus")
        expect("*hart 0: pc 0x1000, M-mode" in c.monitor("info"), "info")
        expect("is allowed: va 0x1000 is pa 0x1000.\n" in c.monitor("walk $pc x"), "walk")
        expect("instruction access fault (1): " in c.monitor("walk 0x10 x"), "walk")
        expect("fails with store/AMO access fault (7): no PMP entry matches" in
               c.monitor("walk 0x80000000 w hs"), "walk hs")
        for wrong in ("walk", "walk x", "walk 1 y", "walk 1 r q", "space nowhere", "scope x",
                      "scope host 1", "interrupts maybe", "trace", "trace exits", "trace x:y"):
            expect(c.monitor(wrong).startswith("usage: monitor "), wrong)
        expect("are physical ones" in c.monitor("space physical"), "space")
        expect_equal(c.ask("qqemu.PhyMemMode"), "1")
        path = os.path.join(FOLDER.name, "trace")
        expect_equal(c.monitor("trace switch:" + path), "")
        expect_equal(c.ask(f"Z1,{symbols['main']:x},2"), "OK")
        c.ask("vCont;c")
        expect_equal(c.register(PC), symbols["main"])
        c.monitor("reset")
        expect_equal(c.register(PC), 0x1000)
        expect_equal(c.monitor("trace off"), "")
        expect(os.path.exists(path), "the trace")


@case
def impossible_options_are_refused():
    for value in ("", "x", "-1", "65536", "1,", "1,now", "1 "):
        p = subprocess.run([ISTHMUS, "run", "--bios", "none", "--kernel", bare()[0], "--gdb", value],
                           capture_output=True, text=True, timeout=PATIENCE, check=False)
        expect(p.returncode == 2 and "expected PORT" in p.stderr, f"{value}: {p}")
    with Machine("--bios", "none", "--kernel", bare()[0]) as m:
        p = subprocess.run([ISTHMUS, "run", "--bios", "none", "--kernel", bare()[0], "--gdb",
                            str(m.port)], capture_output=True, text=True, timeout=PATIENCE,
                           check=False)
        expect(p.returncode == 1 and "cannot listen on port" in p.stderr, str(p))


@case
def time_stands_still_with_the_harts():
    machine, _ = debugged()
    with machine, Client(machine) as c:
        expect("usage" not in c.monitor("info"), "info")
        c.ask("vCont;s:1")
        clock = 65 + 0xc01
        before = c.register(clock)
        time.sleep(1)
        expect_equal(c.register(clock), before)
        c.ask("vCont;s:1")
        c.ask("vCont;s:1")
        ticks = c.register(clock) - before
        expect(0 <= ticks < 9_000_000, f"{ticks} ticks")


@case
def a_debugger_that_does_not_read_keeps_nothing_from_ending():
    for args, status in ((["--timeout", "2"], 124), ([], -15)):
        machine, _ = debugged(*args)
        with machine, Client(machine) as c:
            c.socket.setblocking(False)
            packet = b"$m80000000,800#%02x" % (sum(b"m80000000,800") & 255)
            end = time.monotonic() + PATIENCE
            try:
                while time.monotonic() < end:
                    c.raw(packet * 100)
            except OSError:
                pass
            if not args:
                machine.process.terminate()
            expect_equal(machine.process.wait(PATIENCE), status)


# --- GDB ---

def gdb(machine, program, *commands):
    if not GDB:
        raise Skip("gdb-multiarch is not installed")
    args = [GDB, "-nx", "-q", "-batch", "-ex", "set pagination off", "-ex", "set width 0",
            "-ex", "set debuginfod enabled off", "-ex", f"file {program}",
            "-ex", f"target remote 127.0.0.1:{machine.port}"]
    for command in commands:
        args += ["-ex", command]
    p = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, errors="replace", timeout=2 * PATIENCE,
                       check=False)
    return p.stdout


def expect_in_order(text, *patterns):
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.M).search(text, at)
        expect(found, f"/{pattern}/ is not in, or not in this order:\n{text}")
        at = found.end()


@case
def gdb_debugs_a_bare_program():
    program, _ = bare()
    for mode in MODES:
        with Machine("--bios", "none", "--kernel", program, "--harts", "2", *mode) as m:
            text = gdb(m, program, "break leaf if n == 4", "continue", "backtrace", "info threads",
                       "p $mhartid", "p/x $mscratch = 0x1234", "p/x $mscratch", "delete",
                       "watch result", "continue", "delete", "hbreak outer", "continue", "finish",
                       "delete", "break count thread 2", "continue", "thread 1", "delete", "continue")
            expect_in_order(
                text, r"hit Breakpoint 1, leaf \(n=(n@entry=)?4\)", r"^#0 +leaf", r"^#1 .* middle",
                r"^#2 .* outer", r"^#3 .* main \(\)", r'1 +Thread 1 "hart 0" \(M-mode\)',
                r'2 +Thread 2 "hart 1" \(M-mode\)', r"= 0x1234$", r"= 0x1234$",
                r"Hardware watchpoint 2: result", r"Old value = 5\nNew value = 9",
                r"hit Breakpoint 3, outer", r"Value returned is", r"exited with code 07")
            expect_equal(m.status(), 7)


@case
def gdb_debugs_the_hypervisor_and_its_guest():
    guest_elf, hypervisor = guest("test_fault"), os.path.join(BUILD, "hypervisor/hypervisor.elf")
    with Machine("--harts", "2", "--memory", "512M", "--guest",
                 f"{guest_elf},name=x,append=wild-load,memory=16M") as m:
        text = gdb(m, guest_elf, "monitor scope guest", "break guest_main", "continue",
                   "backtrace", "info threads", "p g->bootargs", "info registers v priv",
                   "monitor walk 0x20000004 r", "x/i $pc", "stepi", "next", "delete",
                   f"file {hypervisor}", "monitor scope host", "break guest_misbehaved", "continue",
                   "backtrace", "p what", "monitor walk $stval r vs", "monitor space guest",
                   "x/i $sepc", "monitor space current", "delete", "continue")
        expect_in_order(
            text, r"for all guests", r"hit Breakpoint 1, guest_main", r"^#0 +guest_main",
            r"^#1 .* kernel_start",
            r'Thread \d "hart \d" \(VS-mode, guest 0x[0-9a-f]+, VMID 1\) +guest_main',
            r'"wild-load"', r"^v +0x1\b", r"^priv +0x1\b",
            r"^VS-stage: Bare", r"^G-stage: Sv39x4, root table at pa 0x[0-9a-f]+, for gpa 0x20000004$",
            r"load guest-page fault \(21\): the hypervisor's G-stage table does not map gpa "
            r"0x20000004: the level-\d PTE at pa 0x[0-9a-f]+ has V=0\.",
            r"guest_main", r"for V=0", r"hit Breakpoint 2, guest_misbehaved", r"^#0 +guest_misbehaved",
            r"on_guest_page_fault", r"vcpu_exit", r'"load outside of its memory"',
            r"load at va 0x20000004 by hart \d in VS-mode", r"load guest-page fault \(21\)",
            r"Addresses are guest ones", r"\bl[wd]\b", r"exited with code 01")
        expect_equal(m.status(), 1)


def main():
    failed = 0
    print(f"1..{len(CASES)}")
    for number, function in enumerate(CASES, 1):
        try:
            function()
            print(f"ok {number} - {function.__name__}", flush=True)
        except Skip as e:
            print(f"ok {number} - {function.__name__} # SKIP {e}", flush=True)
        except (AssertionError, subprocess.SubprocessError, OSError, ValueError) as e:
            failed += 1
            print("\n".join("# " + l for l in f"{type(e).__name__}: {e}".splitlines()))
            print(f"not ok {number} - {function.__name__}", flush=True)
    FOLDER.cleanup()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
