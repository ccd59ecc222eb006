#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two guests with Debian's stock kernel under the reference hypervisor: console, input, windows
used from their user mode through the kernel module in linux/. TAP.

usage: test_linux_windows.py BUILD_DIR COMPILER
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import debian

BUILD = os.path.abspath(sys.argv[1])
COMPILER = sys.argv[2]
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
KERNEL_COMPLAINS = 'echo "@kernel $(dmesg | grep -cE "BUG|WARNING|Oops|Call Trace")"\n'


class Missing(Exception):
    pass


def build_module(where):
    """linux/isthmus.ko, built beside the sources' copy as the manual says."""
    headers = debian.headers()
    for folder in ("linux", "include", "guest/include"):
        shutil.copytree(os.path.join(SOURCE, folder), os.path.join(where, folder))
    p = subprocess.run(["make", "-C", headers, f"M={where}/linux", f"CC={COMPILER}",
                        "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    warnings = [l for l in p.stdout.splitlines() if "warning:" in l]
    if p.returncode or warnings:
        print("\n".join("# " + l for l in p.stdout.splitlines()))
    with open(os.path.join(where, "linux", "isthmus.ko"), "rb") as f:
        return f.read(), warnings


def build_program(where, source):
    out = os.path.join(where, os.path.basename(source).removesuffix(".c"))
    includes = [f"-I{SOURCE}/{d}" for d in ("linux", "guest/include", "include")]
    p = subprocess.run([COMPILER, "-O2", "-Wall", "-Wextra", "-Werror", "-static", *includes, "-o", out,
                        os.path.join(SOURCE, source)], stderr=subprocess.PIPE, text=True, check=False)
    if p.returncode:
        print("\n".join("# " + l for l in p.stderr.splitlines()))
        return b""
    with open(out, "rb") as f:
        return f.read()


def check_compiler(where):
    if len(sys.argv) > 3:
        raise Missing("no gcc for RISC-V: the kernel's headers are for it")
    with open(os.path.join(where, "empty.c"), "w", encoding="utf-8") as f:
        f.write("#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n")
    p = subprocess.run([COMPILER, "-static", "-o", where + "/empty", where + "/empty.c"],
                       capture_output=True, check=False)
    if p.returncode:
        raise Missing("the compiler for RISC-V has no static libc")


class Guests:
    """The hypervisor with some guests; lines by guest ('' for its own), in the order they came."""

    def __init__(self, where, files, scripts, windows=(), more=()):
        command = [os.path.join(BUILD, "isthmus"), "run", "--harts", "2", "--memory", "1G", "--timeout",
                   "200", *more]
        for name, script in scripts.items():
            initrd = os.path.join(where, "initrd-" + name)
            debian.initramfs(initrd, script, [], files)
            command += ["--guest", f"{debian.kernel()},name={name},memory=256M,initrd={initrd},"
                        "append=loglevel=4"]
        for window in windows:
            command += ["--window", window]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.lines = {"": []}
        self.unfinished = "" # what stands on the console after the last newline
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while piece := os.read(self.process.stdout.fileno(), 4096):
            with self.changed:
                *lines, self.unfinished = (self.unfinished + piece.decode(errors="replace")).split("\n")
                for line in lines:
                    print("#", line.rstrip(), flush=True)
                    m = re.match(r"\[(\w+)\] (.*)", line.rstrip())
                    self.lines.setdefault(m[1] if m else "", []).append(m[2] if m else line.rstrip())
                self.changed.notify_all()

    def wait_for_prompt(self, text, seconds=30):
        with self.changed:
            return self.changed.wait_for(lambda: self.unfinished == text, seconds)

    def wait_for(self, guest, text, seconds=200):
        with self.changed:
            return self.changed.wait_for(
                lambda: any(text in l for l in self.lines.get(guest, [])), seconds)

    def type(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end(self):
        status = self.process.wait()
        self.reader.join()
        return status

    def values(self, guest, key):
        return [l.split(" ", 1)[1] for l in self.lines.get(guest, []) if l.startswith(f"@{key} ")]


def promises(where, files):
    """linux_windows.c's cases. With few ASIDs the kernel hands them out anew all the time."""
    script = "insmod /isthmus.ko\nlinux_windows {}\n" + KERNEL_COMPLAINS
    g = Guests(where, files, {"alice": script.format("owner"), "bob": script.format("peer")},
               ["alice:bob,rw,64K,user", "alice:bob,rw,512K,user"], ["--cpu", "rv64gch,asidlen=5"])
    status = g.end()
    for guest in ("alice", "bob"):
        for line in g.lines.get(guest, []):
            if line.startswith(("@ok ", "@bad ")):
                yield f"{guest}: {line.split(' ', 1)[1]}", line.startswith("@ok")
        yield f"{guest}: all was tried", "@done" in g.lines.get(guest, [])
        yield f"{guest}: the kernel has nothing to complain of", g.values(guest, "kernel") == ["0"]
    yield "all guests end well", status == 0


def transfer(where, files):
    """A file from process to process. One guest restarts, and takes another one."""
    alice = """insmod /isthmus.ko; igcat list
        for size in 4000000 123457; do
            head -c $size /dev/urandom > /tmp/file; echo "@sum $(sha256sum < /tmp/file)"
            igcat serve bob < /tmp/file && echo "@served $size"
        done\n""" + KERNEL_COMPLAINS
    bob = """insmod /isthmus.ko; igcat list
        igcat fetch alice > /tmp/file 2> /tmp/how; echo "@sum $(sha256sum < /tmp/file)"
        sed -n 's/igcat: //;s/^/@how /p' /tmp/how
        [ $(stat -c %s /tmp/file) = 123457 ] || { sync; reboot -f; }\n""" + KERNEL_COMPLAINS
    g = Guests(where, files, {"alice": alice, "bob": bob}, ["alice:bob,rw,8M,user"])
    status = g.end()
    sums = g.values("alice", "sum")
    how = [re.match(r"(\d+) bytes, (\d+) exits", l) for l in g.values("bob", "how")]
    yield "the file arrives", len(sums) == 2 and g.values("bob", "sum")[:1] == sums[:1]
    # On a busy host the hypervisor's own clock may strike in the middle of one of them.
    yield "without an exit to the hypervisor", any(h and h[2] == "0" for h in how)
    yield "a restarted guest gets the next one", g.values("bob", "sum")[1:] == sums[1:] != []
    yield "the owner knows that it was taken", g.values("alice", "served") == ["4000000", "123457"]
    yield "restart: nothing to complain of", g.values("bob", "kernel") + g.values(
        "alice", "kernel") == ["0", "0"]
    yield "transfer: all guests end well", status == 0


def console(where, files):
    """Each has a terminal; what is typed goes to the one, and to the other after Ctrl-]."""
    script = ("test -c /dev/ttyS0 && echo @tty; echo @irq $(grep -c ttyS0 /proc/interrupts)\n"
              "read x; echo \"@read $x\"\n"
              "if [ \"$x\" = wait ]; then echo -n 'prompt> '; read x; echo; echo \"@read $x\"; fi\n")
    g = Guests(where, files, {"alice": script, "bob": script})
    alive = g.wait_for("alice", "@irq") and g.wait_for("bob", "@irq")
    time.sleep(1)
    g.type(b"wait\n")
    alive = alive and g.wait_for("alice", "@read wait", 30)
    prompt = g.wait_for_prompt("[alice] prompt> ")
    g.type(b"\x1d")
    alive = alive and g.wait_for("", "hypervisor: input goes to bob", 30)
    g.type(b"for bob\n")
    alive = alive and g.wait_for("", "guest bob has shut down", 60)
    again = g.wait_for_prompt("[alice] prompt> ") # which input goes to, since nobody else is there
    g.type(b"for alice\n")
    status = g.end()
    yield "each has a terminal", "@tty" in g.lines.get("alice", []) and "@tty" in g.lines.get("bob", [])
    yield "whose interrupt it takes", g.values("alice", "irq") + g.values("bob", "irq") == ["1", "1"]
    yield "input goes to the first guest, and to the last", \
        g.values("alice", "read") == ["wait", "for alice"]
    yield "a prompt is shown, and again after other lines", prompt and again
    yield "Ctrl-] passes it on", g.values("bob", "read") == ["for bob"]
    yield "console: all guests end well", alive and status == 0


def all_cases(where):
    for folder in ("module", "promises", "transfer", "console"):
        os.mkdir(os.path.join(where, folder))
    check_compiler(where)
    module, warnings = build_module(os.path.join(where, "module"))
    files = [("isthmus.ko", module)]
    yield "the module builds without a warning", not warnings
    for name, source in (("igcat", "linux/igcat.c"),
                         ("linux_windows", "tests/system/linux_windows.c")):
        program = build_program(where, source)
        files.append(("bin/" + name, program))
        yield f"{name} builds without a warning", bool(program)
    for group in (promises, transfer, console):
        yield from group(os.path.join(where, group.__name__), files)


def main():
    number = failed = 0
    with tempfile.TemporaryDirectory(prefix="isthmus-linux-") as where:
        try:
            for name, good in all_cases(where):
                number += 1
                failed += not good
                print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
        except (debian.Unreachable, Missing) as why:
            print(f"1..0 # SKIP {why}")
            return 0
    print(f"1..{number}")
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
