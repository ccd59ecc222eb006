#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ways to end, and to go on, when the world outside fails: signals, consoles that are closed or
that nobody reads, full disks, disks that shrink. What the guest flushed is on the disk, a message
says what happened, the terminal is as it was, the status is right, and nothing hangs.

usage: test_endings.py ISTHMUS CC...   (CC: a compiler for RISC-V with its options)
"""
import fcntl
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

from cases import case, tap

HERE = os.path.dirname(os.path.abspath(__file__))
BLOCK, BLOCKS = 4096, 200
PATIENCE = 60  # seconds, for slow builds
MODES = ([], ["--deterministic"])


def fresh():
    """In the child: the signals that a test's caller may have ignored are not."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    """A machine whose guest writes to a disk (disk_bare.c), its console on a pipe or a terminal."""

    def __init__(self, b, *args, terminal=False, prepare=None, program="disk", console=True,
                 disk=True):
        self.b = b
        if disk:
            with open(b.disk, "wb") as f:
                f.truncate(BLOCKS * BLOCK)
        self.reader, writer = os.openpty() if terminal else os.pipe()
        if terminal:
            self.slave = writer
            self.before = termios.tcgetattr(writer)

        def child():
            fresh()
            if terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if prepare:
                prepare()
        self.errors = open(b.path("stderr"), "w+b")
        self.process = subprocess.Popen(
            [b.isthmus, "run", "--bios", "none", "--kernel", b.programs[program],
             *(["--disk", b.disk] if disk else []), *([] if console else ["--console", "none"]),
             *args],
            stdin=writer if terminal else subprocess.DEVNULL, stdout=writer, stderr=self.errors,
            start_new_session=True, preexec_fn=child)
        if not terminal:
            os.close(writer)
        self.output = b""

    def read_until(self, text, count=1):
        """Read the console until it has said text so often."""
        end = time.monotonic() + PATIENCE
        while self.output.count(text) < count:
            assert select.select([self.reader], [], [], end - time.monotonic())[0], self.said()
            data = os.read(self.reader, 4096)
            assert data, self.said()
            self.output += data

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def end(self):
        """The exit status, once it has ended."""
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()

    def close(self):
        os.close(self.reader)

    def check_disk(self):
        """What the guest was told to be on the disk is there."""
        blocks = [int(line.split()[0]) for line in self.output.split(b"\n")[:-1]
                  if line.rstrip().endswith(b" ok")]
        assert blocks
        with open(self.b.disk, "rb") as f:
            data = f.read()
        for n in blocks:
            assert data[n * BLOCK:(n + 1) * BLOCK] == bytes([n + 1]) * BLOCK, n

    def expect(self, status, *words):
        got, text = self.end(), self.said()
        assert got == status, f"status {got}, not {status}: {text}"
        assert all(line.startswith("isthmus: ") for line in text.splitlines()), text
        for word in words:
            assert word in text, f"no {word!r} in {text!r}"
        if not words:
            assert not text, text


class Bench:
    def __init__(self, isthmus, cc, folder):
        self.isthmus, self.folder = isthmus, folder
        self.disk = self.path("disk.img")
        with open(self.path("suppressions"), "w", encoding="utf-8") as f:
            f.write("race:dev/virtio/\n")  # the guest's fences order its memory, not TSan's
        os.environ["TSAN_OPTIONS"] = f"suppressions={f.name} " + os.environ.get("TSAN_OPTIONS", "")
        self.programs = {name: self.build(cc, name, source, *defines) for name, source, *defines in [
            ("disk", "disk_bare.c"), ("silent", "disk_bare.c", "-DSILENT"),
            ("writethrough", "disk_bare.c", "-DNO_FLUSH"),
            ("chatter", "board.S", "-DCASE=11"), ("loop", "board.S", "-DCASE=3"),
            ("hello", "board.S", "-DCASE=1")]}

    def path(self, name):
        return os.path.join(self.folder, name)

    def build(self, cc, name, source, *defines):
        out = self.path(name + ".elf")
        subprocess.run([*cc, "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-fno-pic", "-O1", "-nostdlib",
                        "-ffreestanding", "-static", "-Wl,-N", "-Wl,--build-id=none",
                        "-Wl,--section-start=.start=0x80000000", "-Wl,-Ttext=0x80000100", *defines,
                        "-o", out, os.path.join(HERE, source)],
                       check=True, stderr=subprocess.DEVNULL)
        return out


# --- Signals ---

@case
def signals_end_the_run_with_what_was_flushed_on_the_disk(b):
    for args in MODES:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
                       signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU):
            run = Run(b, *args)
            run.read_until(b" ok", 5)
            run.process.send_signal(number)
            run.expect(-number)
            run.check_disk()
            run.close()


@case
def a_second_signal_does_no_harm(b):
    run = Run(b)
    run.read_until(b" ok", 5)
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        run.process.send_signal(number)
    assert run.end() in (-signal.SIGUSR1, -signal.SIGTERM, -signal.SIGINT), run.said()
    run.check_disk()
    run.close()


@case
def the_terminal_is_restored_after_each(b):
    for args in MODES:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            run = Run(b, *args, terminal=True)
            run.read_until(b" ok", 5)
            raw = termios.tcgetattr(run.slave) != run.before
            run.process.send_signal(number)
            run.expect(-number)
            assert raw == (not args), (args, raw)  # nobody types into a deterministic machine
            assert termios.tcgetattr(run.slave) == run.before, number
            run.check_disk()
            run.close()
            os.close(run.slave)


@case
def nohup_is_respected(b):
    run = Run(b, prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    run.read_until(b" ok", 5)
    run.process.send_signal(signal.SIGHUP)
    run.read_until(b" ok", 400)
    run.process.send_signal(signal.SIGTERM)
    run.expect(-signal.SIGTERM)
    run.close()


# --- Consoles ---

@case
def a_closed_console_ends_the_run(b):
    for args in MODES:
        for program in ("disk", "chatter"):
            run = Run(b, *args, program=program)
            run.read_until(b" ok" if program == "disk" else b"x", 5)
            run.close()
            run.expect(1, "console", "Broken pipe")
            if program == "disk":
                run.check_disk()


@case
def a_terminal_that_hangs_up_ends_the_run(b):
    for args in MODES:
        run = Run(b, *args, terminal=True)
        run.read_until(b" ok", 5)
        os.close(run.slave)
        run.close()
        assert run.end() == -signal.SIGHUP, run.said()  # the console's failure may be told as well
        run.check_disk()


@case
def a_terminal_that_hangs_up_under_nohup_is_a_closed_console(b):
    run = Run(b, terminal=True, prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    run.read_until(b" ok", 5)
    os.close(run.slave)
    run.close()
    run.expect(1, "console", "Input/output error")
    run.check_disk()


@case
def keys_that_end_do_not_end_the_run(b):
    run = Run(b)  # its standard input is at its end from the beginning
    run.read_until(b" ok", 300)
    run.process.send_signal(signal.SIGTERM)
    run.expect(-signal.SIGTERM)
    run.close()


@case
def a_console_that_nobody_reads_does_not_keep_it_from_ending(b):
    def start(*args):
        run = Run(b, *args, program="chatter", disk=False, terminal=terminal)
        if not terminal:
            fcntl.fcntl(run.reader, 1031, 4096)  # F_SETPIPE_SZ: soon full
        return run

    for terminal in (False, True):
        for args in MODES:
            run = start(*args)
            assert select.select([run.reader], [], [], PATIENCE)[0], run.said()
            time.sleep(0.5)
            run.process.send_signal(signal.SIGTERM)
            run.expect(-signal.SIGTERM, "console", "nobody reads")
            assert not terminal or termios.tcgetattr(run.slave) == run.before
            run.close()
            run = start(*args, "--timeout", "1")
            run.expect(124, "console", "nobody reads", "--timeout")
            run.close()


@case
def a_slow_reader_gets_everything(b):
    run = Run(b, program="hello", disk=False)
    fcntl.fcntl(run.reader, 1031, 4096)  # F_SETPIPE_SZ
    run.expect(0)
    run.read_until(b"hello from M-mode\n")
    run.close()


@case
def keys_work_on_a_terminal_that_controls_nobody(b):
    """As under programs that make a terminal and no session for it."""
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen([b.isthmus, "run", "--bios", "none", "--kernel", b.programs["loop"]],
                               stdin=slave, stdout=slave, stderr=slave, preexec_fn=fresh,
                               start_new_session=True)
    end = time.monotonic() + PATIENCE
    while termios.tcgetattr(slave) == before and time.monotonic() < end:
        time.sleep(0.02)
    os.write(master, b"\x01x")
    try:
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


@case
def what_reads_the_console_may_share_it_and_finds_it_as_it_was(b):
    """The standard streams belong to others, too: they do not become non-blocking."""
    read, write = os.pipe()
    process = subprocess.Popen([b.isthmus, "run", "--bios", "none", "--kernel",
                                b.programs["chatter"]], stdin=subprocess.DEVNULL, stdout=write)
    os.read(read, 100)
    blocking = os.get_blocking(write)
    process.terminate()
    process.wait(PATIENCE)
    os.close(read)
    os.close(write)
    assert blocking


# --- Full disks ---

def limit_files(blocks=100):
    resource.setrlimit(resource.RLIMIT_FSIZE, (blocks * BLOCK, blocks * BLOCK))


@case
def a_full_disk_is_an_error_that_the_guest_sees(b):
    for args in MODES:
        run = Run(b, *args, prepare=limit_files)
        run.read_until(b"199 failed")
        run.process.send_signal(signal.SIGTERM)
        run.expect(-signal.SIGTERM, f"disk {b.disk}", "cannot write at sector 800",
                   "File too large", "I/O error")
        assert b"\n99 ok" in run.output and b"\n100 failed" in run.output
        run.check_disk()
        run.close()


@case
def a_file_system_that_is_full_as_well(b):
    folder = b.path("small")
    os.mkdir(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", folder],
                      stderr=subprocess.DEVNULL, check=False).returncode:
        return  # not as root
    whole, b.disk = b.disk, os.path.join(folder, "disk.img")
    try:
        run = Run(b)
        run.read_until(b"199 failed")
        run.process.send_signal(signal.SIGTERM)
        run.expect(-signal.SIGTERM, f"disk {b.disk}", "No space left", "I/O error")
        assert b"\n50 ok" in run.output
        run.check_disk()
        run.close()
    finally:
        b.disk = whole
        subprocess.run(["umount", folder], check=True)


@case
def output_that_finds_no_room_is_told_and_the_run_has_failed(b):
    out = b.path("out")
    for args in MODES:
        run = Run(b, "--console", f"file:{out}", "--timeout", "1", *args, program="chatter",
                  disk=False, prepare=lambda: limit_files(4))
        run.expect(124, f"console file:{out}", "File too large", "the rest is lost")
        assert os.path.getsize(out) == 4 * BLOCK
        run.close()
        run = Run(b, "--console", "file:/dev/full", *args, program="hello", disk=False)
        run.expect(1, "console file:/dev/full", "No space left")
        run.close()
    run = Run(b, "--stats", "/dev/full", program="hello", disk=False)
    run.expect(1, "--stats /dev/full", "No space left")
    run.close()
    run = Run(b, "--trace", "irq:/dev/full", program="hello", disk=False)
    run.expect(0)
    run.close()
    run = Run(b, "--trace", "mmu:/dev/full", program="hello", disk=False)
    run.expect(1, "trace", "No space left")
    run.close()


# --- Disks that shrink ---

def with_shorter_disk(b, args):
    """A machine whose disk's file has become shorter. A write that is under way then may make it longer
    again (dev/virtio/blk.c), so this is tried a few times."""
    for _ in range(5):
        run = Run(b, *args)
        run.read_until(b" ok", 150)
        run.process.send_signal(signal.SIGSTOP)
        os.waitpid(run.process.pid, os.WUNTRACED)
        os.truncate(b.disk, 100 * BLOCK)
        run.process.send_signal(signal.SIGCONT)
        run.output = b""
        run.read_until(b"199 ")
        run.output = b""
        run.read_until(b"199 ")
        if os.path.getsize(b.disk) == 100 * BLOCK:
            break
        run.process.kill()
        run.process.wait()
        run.close()
    return run


@case
def a_disk_that_shrinks_is_an_error_that_the_guest_sees(b):
    for args in MODES:
        run = with_shorter_disk(b, args)
        run.process.send_signal(signal.SIGTERM)
        run.expect(-signal.SIGTERM, f"disk {b.disk}", "became shorter", f"{100 * BLOCK} bytes")
        assert b"\n99 ok" in run.output and b"\n100 failed" in run.output
        assert b"\n199 failed" in run.output or b"199 failed" in run.output
        assert os.path.getsize(b.disk) == 100 * BLOCK
        run.check_disk()
        run.close()


# --- Statistics ---

@case
def statistics_are_written_however_it_ends(b):
    stats = b.path("stats.json")
    run = Run(b, "--stats", stats)
    run.read_until(b" ok", 5)
    run.process.send_signal(signal.SIGTERM)
    run.expect(-signal.SIGTERM)
    with open(stats, encoding="utf-8") as f:
        assert json.load(f)["stop"] == "signal"
    run.close()
    run = Run(b, "--stats", stats)
    run.read_until(b" ok", 5)
    run.close()
    run.expect(1, "console")
    with open(stats, encoding="utf-8") as f:
        assert json.load(f)["stop"] == "error"


def main():
    isthmus, *cc = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        return tap(Bench(os.path.abspath(isthmus), cc, folder))


if __name__ == "__main__":
    sys.exit(main())
