#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command isthmus, from outside: what it refuses and how, exit statuses, the board's chips.

usage: cli.py ISTHMUS CC...   (CC: a compiler for RISC-V with its options)
"""
import glob
import hashlib
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from cases import case, tap

HERE = os.path.dirname(os.path.abspath(__file__))


class Bench:
    """A folder, the command, and programs for it."""

    def __init__(self, isthmus, cc, folder):
        self.isthmus, self.cc, self.folder = isthmus, cc, folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def program(self, number, **defines):
        out = self.path(f"case{number}" + "".join(f"-{k}{v}" for k, v in defines.items()))
        if not os.path.exists(out):
            subprocess.run([*self.cc, "-march=rv64gc", "-mabi=lp64d", "-nostdlib", "-static",
                            "-Wl,-N", "-Wl,-Ttext=0x80000000", "-Wl,--build-id=none",
                            f"-DCASE={number}", *(f"-D{k}={v}" for k, v in defines.items()),
                            "-o", out, os.path.join(HERE, "board.S")],
                           check=True, stderr=subprocess.DEVNULL)
        return out

    def run(self, *args, stdin=b"", timeout=60):
        return subprocess.run([self.isthmus, *args], input=stdin, capture_output=True,
                              timeout=timeout, check=False)

    def bare(self, number, *args, stdin=b"", defines=None):
        return self.run("run", "--bios", "none", "--kernel", self.program(number, **defines or {}),
                        "--timeout", "30", *args, stdin=stdin)


def expect(result, status, *words):
    """That exit status, and on failure one line on stderr with all the words."""
    text = result.stderr.decode(errors="replace")
    assert result.returncode == status, f"status {result.returncode}, not {status}: {text}"
    if status:
        assert text.count("\n") == 1 and text.startswith("isthmus: "), f"not one line: {text!r}"
    for word in words:
        assert word in text, f"no {word!r} in {text!r}"


# --- Usage ---

@case
def help_and_version(b):
    assert b.run("--version").stdout.startswith(b"isthmus ")
    for command in ([], ["run"], ["boot"], ["demo"], ["bench"], ["disasm"]):
        for option in ("--help", "-h"):
            result = b.run(*command, option)
            expect(result, 0)
            assert b"usage: isthmus" in result.stdout


@case
def wrong_command_lines_exit_with_2_and_name_the_option(b):
    kernel, disk = b.program(3), b.write("sectors", bytes(4096))
    for args, *words in [
            ([], "command"),
            (["fly"], "fly"),
            (["run", "--fly"], "--fly"),
            (["run", "x"], "x"),
            (["run", "--memory"], "--memory", "SIZE"),
            (["run", "--deterministic=1"], "--deterministic"),
            *(((["run", "--harts", n], "--harts", n, "1 to 64")) for n in ("0", "65", "-1", "x", "")),
            *(((["run", "--memory", n], "--memory", n, "size"))
              for n in ("0", "4095", "65G", "1025K", "-5M", "12Q", "x", "99999999999999999999G")),
            (["run", "--console", "tty"], "--console", "stdio, file:PATH or none"),
            (["run", "--virtio-console", "tty"], "--virtio-console", "stdio, file:PATH or none"),
            (["run", "--kernel", kernel, "--console", "stdio", "--virtio-console", "stdio"],
             "virtio console stdio", "serial console"),
            *(((["run", "--timeout", n], "--timeout", "seconds")) for n in ("0", "-1", "nan", "x")),
            (["run", "--bios", "none"], "--bios none", "--kernel"),
            (["run", "--cpu", ""], "--cpu", "rv64gch"),
            (["run", "--cpu", "rv64gch,zfoo"], "--cpu", "zfoo"),
            (["run", "--cpu", "rv64gch,-c"], "--cpu", "-c"),
            (["run", "--cpu", "rv64gch,vmidlen=15"], "vmidlen", "0 to 14"),
            (["run", "--aia", "plic"], "--aia", "none, aplic or aplic-imsic"),
            (["run", "--aia", "aplic-imsic", "--cpu", "rv64gch,-ssaia"], "--cpu", "ssaia"),
            (["run", "--aia", "aplic-imsic", "--aia-guests", "8"], "--aia-guests", "0 to 7"),
            (["run", "--aia-guests", "1"], "--aia-guests", "aplic-imsic"),
            (["run", "--guest", ""], "--guest"),
            (["run", "--guest", f"{kernel},size=3"], "--guest", "size"),
            (["run", "--guest", f"{kernel},memory=3"], "memory"),
            (["run", "--guest", f"{kernel},memory=1M"], "memory"),
            (["run", "--guest", f"{kernel},vcpus=9"], "vcpus"),
            (["run", "--guest", f"{kernel},name=a b"], "name 'a b' of guest0"),
            (["run", "--guest", f"{kernel},name="], "name '' of guest0"),
            (["run", "--guest", f"{kernel},name=a", "--guest", f"{kernel},name=a"], "a"),
            (["run", "--window", "a:b,r,1M"], "a:b"),
            (["run", "--guest", f"{kernel},name=a", "--window", "a:z,r,1M"],
             "window a:z", "no guest is named z"),
            *(((["run", "--guest", kernel, "--window", w], "--window", w))
              for w in ("a", "a:", ":b", "a:b", "a:b,x,1M", "a:b,r", "a:b,r,0", "a:b,r,1M,root",
                        "a:b,r,1M,user,user")),
            *((["run", "--kernel", kernel, option, ""], option, "''", "file")
              for option in ("--bios", "--kernel", "--initrd", "--disk", "--stats")),
            (["run", "--kernel", kernel, "--share", ""], "--share", "''", "directory"),
            (["run", "--kernel", kernel, "--harts", ""], "--harts ''"),
            (["run", "--guest", f"{kernel},initrd="], "--guest initrd ''", "file"),
            (["run", "--guest", f"{kernel},"], "--guest ''", "name="),
            (["run", "--guest", kernel, "--initrd", kernel], "--initrd", "--guest"),
            (["run", "--net", "user", "--net", "tap,ifname=x"], "--net tap", "once"),
            (["run", "--share", "/", "--share", "/tmp"], "--share /tmp", "once"),
            (["run", "--net", "tap,ifname="], "--net ifname ''", "interface"),
            (["run", "--net", "user,mac=00:00:00:00:00:00"], "--net mac", "six bytes"),
            (["run", "--kernel", kernel, *["--disk", disk + ",readonly"] * 8], "virtio slots"),
            (["run", "--kernel", kernel, *["--disk", kernel] * 9], "--disk", "fewer"),
            ([""], "''", "command"),
            (["boot"], "debian"),
            (["boot", "plan9"], "plan9", "debian"),
            (["boot", "debian", "--harts", "0"], "--harts 0", "1 to 64"),
            (["boot", "debian", "--memory", "3"], "--memory 3", "size"),
            (["boot", "debian", "--share", ""], "--share ''", "directory"),
            (["bench", "nothing"], "nothing", "compute"),
            (["bench", "--rounds", "0"], "--rounds 0", "1 to 15"),
            (["bench", "--svg", "", "compute"], "--svg ''", "file"),
            (["demo", "--file", ""], "--file ''", "file"),
            (["demo", "--fly"], "--fly"),
            (["disasm"], "disasm"),
            (["disasm", "123"], "123"),
    ]:
        expect(b.run(*args), 2, *words)


@case
def every_option_is_in_the_manual_and_completed(b):
    root = os.path.dirname(os.path.dirname(HERE))
    manual = open(os.path.join(root, "docs", "isthmus.1"), encoding="utf-8").read()
    manual = manual.replace("\\-", "-")
    bash = f"""
        _init_completion() {{ words=("${{COMP_WORDS[@]}}"); cword=$COMP_CWORD split=false
                              cur=${{words[cword]}} prev=${{words[cword-1]}}; }}
        source {os.path.join(root, "cli", "isthmus.bash")}
        complete_line() {{ COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
                           _isthmus; echo "${{COMPREPLY[@]}}"; }}
        """
    commands = re.findall(r"^  ([a-z]+) ", b.run("--help").stdout.decode(), re.M)
    assert {"run", "demo", "disasm"} <= set(commands)
    for command in commands:
        assert f"isthmus {command}" in manual, command
        options = re.findall(r"^  (--[a-z-]+)", b.run(command, "--help").stdout.decode(), re.M)
        completed = subprocess.run(["bash", "-c", f"{bash} complete_line {b.isthmus} {command} --"],
                                   capture_output=True, text=True, check=True).stdout.split()
        assert options and sorted(completed) == sorted(options), (completed, options)
        for option in options:
            assert option in manual, option
        section = re.split(r"^\.SH ", manual, flags=re.M)
        section = next((s for s in section if s.startswith(command.upper() + "\n")), "")
        for option, default in re.findall(r"^  (--[a-z-]+).*\(([0-9]+[KMG]?)\)$",
                                          b.run(command, "--help").stdout.decode(), re.M):
            told = section.partition(option)[2].partition(".TP\n")[0]
            assert not told or re.search(rf"\b{default}\b", told), f"{option}: {default}?"
    completed = subprocess.run(["bash", "-c", f"{bash} complete_line {b.isthmus} ''"],
                               capture_output=True, text=True, check=True).stdout.split()
    assert sorted(completed) == sorted(commands + ["--help", "--version"]), completed


# --- Files ---

@case
def missing_and_wrong_files_exit_with_1_and_name_the_file(b):
    program, empty = b.program(3), b.write("empty", b"")
    for option in ("--bios", "--kernel", "--initrd"):
        expect(b.run("run", option, "/nowhere/x"), 1, "/nowhere/x", "No such file")
        expect(b.run("run", option, b.folder), 1, b.folder, "directory")
        expect(b.run("run", option, empty), 1, empty, "empty")
        expect(b.run("run", option, "/dev/null"), 1, "/dev/null", "regular file")
    expect(b.run("run", "--guest", "/nowhere/x"), 1, "/nowhere/x")
    expect(b.run("run", "--guest", f"{program},initrd=/nowhere/x"), 1, "/nowhere/x")
    expect(b.run("demo", "--file", "/nowhere/x"), 1, "/nowhere/x")
    expect(b.run("disasm", "/nowhere/x"), 1, "/nowhere/x")
    for option in ("--disk", "--share"):
        expect(b.run("run", "--timeout", "5", option, "/nowhere/x"), 1, "/nowhere/x",
               "No such file")
    expect(b.run("run", "--timeout", "5", "--disk", b.folder), 1, b.folder, "directory")
    big = b.write("big", b"x" * (3 << 20))
    expect(b.run("run", "--memory", "2M", "--bios", "none", "--kernel", big), 1, big, "2 MiB")
    for i, magic in enumerate((b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh91AY&SY",
                               b"\x04\x22\x4d\x18", b"MZ\0\0zimg")):
        zipped = b.write(f"zipped{i}", magic + bytes(100))
        expect(b.run("run", "--kernel", zipped, "--timeout", "5"), 1, zipped, "compressed")
    result = b.run("run", "--guest", f"{zipped},name=g", "--timeout", "30")
    expect(result, 1, zipped, "compressed")
    expect(b.run("run", "--initrd", b.write("initrd", b"x" * (70 << 20))), 1, "initrd", "RAM")


@case
def images_of_guests_that_are_malformed_are_named(b):
    path = b.write("cut.elf", open(b.program(3), "rb").read()[:100])
    result = b.run("run", "--guest", f"{path},name=g", "--timeout", "30")
    expect(result, 1, path, "program header")
    assert b"guest g cannot start" in result.stdout, result.stdout


@case
def headers_of_an_elf_file_below_ram_are_left_out(b):
    code = struct.pack("<8I", 0x10000537, 0x06b00593, 0x00b50023, # li a0,UART; li a1,'k'; sb
                       0x00100537, 0x000055b7, 0x5555859b, 0x00b52023, 0x0000006f) # power off
    def image(fill):
        n = 0x1000 + len(code)
        head = elf([(0x7ffff000, n, n, 0)])[:64 + 56]
        return head + bytes([fill]) * (0x1000 - len(head)) + code
    result = b.run("run", "--bios", "none", "--kernel", b.write("ld.elf", image(0)), "--timeout", "30")
    expect(result, 0)
    assert result.stdout == b"k", result
    expect(b.run("run", "--bios", "none", "--kernel", b.write("data.elf", image(7))), 1,
           "data.elf", "not inside RAM", "0x7ffff000")


def elf(segments, entry=0x80000000, machine=243, clazz=2, kind=2, phnum=None):
    """An ELF file of these (paddr, filesz, memsz, offset) segments, or with wrong fields."""
    header = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", clazz, 1, 1, 0, kind, machine, 1,
                         entry, 64, 0, 0, 64, 56, phnum if phnum is not None else len(segments),
                         64, 0, 0)
    table = b"".join(struct.pack("<IIQQQQQQ", 1, 7, offset, pa, pa, filesz, memsz, 4096)
                     for pa, filesz, memsz, offset in segments)
    return header + table + bytes(0x200)


@case
def malformed_elf_files_are_refused_by_field(b):
    good = (0x80000000, 16, 16, 0x100)
    for i, (data, *words) in enumerate([
            (b"\x7fELF", "ELF"),
            (elf([good])[:70], "header"),
            (elf([good], machine=62), "e_machine", "62"),
            (elf([good], clazz=1), "e_ident"),
            (elf([good], kind=1), "e_type"),
            (elf([good], phnum=0), "PT_LOAD"),
            (elf([good], phnum=2000), "program header"),
            (elf([(0x80000000, 0x10000, 0x10000, 0x100)]), "p_filesz", "program header 0"),
            (elf([(0x80000000, 16, 16, 1 << 63)]), "p_offset"),
            (elf([(0x80000000, 16, 8, 0x100)]), "p_memsz"),
            (elf([(0x1000, 16, 16, 0x100)]), "not inside RAM", "0x1000"),
            (elf([(0x80000000, 16, 1 << 40, 0x100)]), "not inside RAM"),
            (elf([(0xfffffffffffff000, 16, 0x2000, 0x100)]), "not inside RAM"),
            (elf([good, (0x80000008, 16, 16, 0x100)]), "overlap", "program header 1"),
            (elf([good], entry=0x1000), "e_entry"),
    ]):
        path = b.write(f"bad{i}", data)
        expect(b.run("run", "--bios", "none", "--kernel", path), 1, path, *words)


@case
def overlapping_images_are_refused_and_both_named(b):
    kernel = b.write("kernel.elf", elf([(0x80000000, 16, 16, 0x100)]))
    expect(b.run("run", "--kernel", kernel), 1, "kernel.elf", "overlap", "bios")
    top = b.write("top.elf", elf([(0x80000000, 16, 16, 0x100), (0x87e00000, 16, 16, 0x100)]))
    expect(b.run("run", "--bios", "none", "--kernel", top), 1, "top.elf", "overlap", "device tree")


@case
def output_files_that_cannot_be_written(b):
    expect(b.bare(1, "--stats", "/nowhere/x"), 1, "--stats /nowhere/x")
    expect(b.bare(1, "--stats", "/dev/full"), 1, "--stats /dev/full", "No space")
    expect(b.bare(1, "--console", "file:/nowhere/x"), 1, "/nowhere/x")
    expect(b.bare(1, "--virtio-console", "file:/nowhere/x"), 1, "virtio console file:/nowhere/x")
    expect(b.bare(1, "--trace", "irq:/nowhere/x"), 1, "trace", "/nowhere/x")
    expect(b.run("bench", "--svg", "/nowhere/x", "compute", timeout=5), 1, "--svg /nowhere/x")
    expect(b.run("bench", "--svg", b.folder, "compute", timeout=5), 1, f"--svg {b.folder}")
    result = b.bare(1, "--console", "file:/dev/full")
    assert result.stderr.count(b"\n") == 1 and b"No space" in result.stderr, result


@case
def standard_output_that_cannot_be_written(b):
    for args in (["--help"], ["--version"], ["run", "--help"], ["disasm", "00000013"],
                 ["disasm", b.program(1)]):
        for redirect in (">/dev/full", ">&-"):
            result = subprocess.run(["sh", "-c", f'"$@" {redirect}', "sh", b.isthmus, *args],
                                    stderr=subprocess.PIPE, check=False)
            expect(result, 1, "standard output")


@case
def files_do_not_take_the_place_of_closed_streams(b):
    stats = b.path("stats.json")
    for redirect in (">&-", "<&- >&-", "<&- >&- 2>&-"):
        status = subprocess.run(["sh", "-c", f'"$@" {redirect}', "sh", b.isthmus, "run", "--bios",
                                 "none", "--kernel", b.program(1), "--stats", stats],
                                stderr=subprocess.DEVNULL, check=False).returncode
        told = json.load(open(stats, encoding="utf-8"))
        assert told["stop"] == "exit" and status == 0, (redirect, status, told)


# --- Ways to end ---

@case
def the_finisher_s_code_is_the_exit_status(b):
    assert b.bare(1).returncode == 0
    for code, status in ((1, 1), (7, 7), (124, 124), (0, 1), (255, 255), (300, 255)):
        assert b.bare(2, defines={"CODE": code}).returncode == status, code


@case
def a_timeout_has_its_own_status(b):
    start = time.monotonic()
    expect(b.run("run", "--bios", "none", "--kernel", b.program(3), "--timeout", "0.3"), 124,
           "--timeout")
    expect(b.run("run", "--bios", "none", "--kernel", b.program(3), "--timeout", "0.3",
                 "--deterministic"), 124, "--timeout")
    expect(b.run("run", "--bios", "none", "--kernel", b.program(6), "--timeout", "0.3"), 124)
    expect(b.run("run", "--bios", "none", "--kernel", b.program(3), "--timeout", "1e-300"), 124)
    assert time.monotonic() - start < 20


@case
def a_signal_ends_the_run_as_signals_do(b):
    for args in ([], ["--deterministic"]):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = subprocess.Popen([b.isthmus, "run", "--bios", "none", "--kernel",
                                        b.program(3), *args], stdin=subprocess.DEVNULL)
            time.sleep(0.3)
            process.send_signal(number)
            assert process.wait(10) == -number


@case
def a_large_file_is_in_memory_once(b):
    """Where the guest has it; a machine's reset reads the file again."""
    initrd = b.write("large", os.urandom(1 << 20) * 64)
    # What is freed is gone, also in AddressSanitizer's build.
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0"
    process = subprocess.Popen([b.isthmus, "run", "--bios", "none", "--kernel", b.program(3),
                                "--memory", "256M", "--initrd", initrd], stdin=subprocess.DEVNULL,
                               env={**os.environ, "ASAN_OPTIONS": options.lstrip(":")})
    end, threads = time.monotonic() + 20, set()
    while "hart 0\n" not in threads and time.monotonic() < end:
        time.sleep(0.1)
        threads = {open(task, encoding="ascii").read()
                   for task in glob.glob(f"/proc/{process.pid}/task/*/comm")}
    with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as f:
        resident = int(re.search(r"^Rss: +([0-9]+)", f.read(), re.M)[1]) >> 10
    process.kill()
    process.wait()
    os.unlink(initrd)
    libraries = subprocess.run(["ldd", b.isthmus], capture_output=True, check=False).stdout
    if b"libtsan" in libraries: # it has several bytes of its own for each
        return
    assert 64 <= resident < 120, f"{resident} MiB" # twice would be 128 and more


@case
def a_machine_that_can_never_wake_is_told_in_deterministic_mode(b):
    expect(b.bare(6, "--deterministic"), 1, "every hart waits")
    expect(b.bare(12, "--deterministic"), 1, "every hart waits")


# --- The board ---

@case
def the_uart_prints(b):
    result = b.bare(1)
    assert result.stdout == b"hello from M-mode\n", result
    out = b.path("console.txt")
    result = b.bare(1, "--console", f"file:{out}")
    assert result.stdout == b"" and open(out, "rb").read() == b"hello from M-mode\n"
    assert b.bare(1, "--console", "none").stdout == b""


@case
def a_reset_starts_anew_with_ram_as_it_was_loaded(b):
    for args in ([], ["--deterministic"], ["--harts", "3"]):
        assert b.bare(4, *args).returncode == 0, args


@case
def the_uart_receives_polled_and_by_interrupt(b):
    text = b"the quick brown fox jumps over the lazy dog" * 200
    result = b.bare(5, stdin=text.replace(b"q", b"Q").replace(b" ", b"a") + b"q")
    want = bytes(c - 32 for c in text.replace(b"q", b"Q").replace(b" ", b"a"))
    assert result.returncode == 0 and result.stdout == want, result
    result = b.bare(10, stdin=text.replace(b"q", b"Q") + b"q")
    assert result.returncode == 0 and result.stdout == text.replace(b"q", b"Q"), result


@case
def harts_wake_each_other(b):
    for harts in (2, 5, 64):
        for args in ([], ["--deterministic"]):
            assert b.bare(7, "--harts", str(harts), *args,
                          defines={"HARTS": harts}).returncode == 0, (harts, args)


@case
def a_hart_that_polls_by_wfi_lets_the_others_go_first(b):
    path = b.path("stats.json")
    for _ in range(5):
        assert b.bare(13, "--harts", "2", "--stats", path).returncode == 0
        harts = json.load(open(path, encoding="utf-8"))["harts"]
        assert harts["1"]["instructions"] < harts["0"]["instructions"] / 20, harts


@case
def timers_wake_and_the_rtc_agrees(b):
    start = time.monotonic()
    assert b.bare(8).returncode == 0
    assert time.monotonic() - start >= 0.1
    assert b.bare(8, "--deterministic").returncode == 0


@case
def htif_prints_and_exits(b):
    for args in ([], ["--deterministic"]):
        result = b.bare(9, *args)
        assert result.stdout == b"HTIF\n" and result.returncode == 5, result


@case
def opensbi_starts_on_every_number_of_harts(b):
    for harts in ("1", "3"):
        result = b.run("run", "--harts", harts, "--timeout", "1")
        assert b"OpenSBI" in result.stdout and result.returncode == 124, result
        assert f"HART Count       : {harts}\r\n".encode() in result.stdout


@case
def deterministic_runs_are_the_same(b):
    def once():
        path = b.path("stats.json")
        result = b.bare(7, "--harts", "4", "--deterministic", "--stats", path,
                        defines={"HARTS": 4})
        stats = json.load(open(path, encoding="utf-8"))
        del stats["seconds"]
        return result.returncode, result.stdout, stats
    first = once()
    assert first[0] == 0 and first[2]["instructions"] > 12000
    assert once() == first


@case
def stats_count_what_ran(b):
    path = b.path("stats.json")
    assert b.bare(1, "--stats", path).returncode == 0
    stats = json.load(open(path, encoding="utf-8"))
    assert stats["stop"] == "exit" and stats["exit_code"] == 0
    assert 90 < stats["instructions"] < 1000
    assert stats["harts"]["0"]["instructions"] == stats["instructions"]
    assert stats["exceptions"]["illegal_instruction"] == 0


@case
def the_demo_s_numbers_are_true(b):
    data = os.urandom(100001)
    path = b.write("payload", data)
    result = b.run("demo", "--file", path, "--json", timeout=100)
    expect(result, 0)
    told = json.loads(result.stdout)
    assert told["sha256"] == hashlib.sha256(data).hexdigest() and told["verified"] is True
    assert told["bytes"] == len(data) and told["exits_during_transfer"] == 0
    assert told["refused"] >= 7 and told["allowed"] == 0 and told["drop_unchanged"] is True
    names = {one["what"] for one in told["refusals"]}
    assert {"stale-key", "foreign-handle", "wrapping-address", "read-of-write-only",
            "unbound-user", "host-alloc", "device-page-get"} <= names, names
    assert min(told[k] for k in ("put_mb_s", "get_mb_s", "memcpy_mb_s")) > 0
    table = b.run("demo", "--file", path, timeout=100).stdout
    assert b"100001, identical" in table and b"All as it should be." in table, table


@case
def the_demo_sends_an_empty_file(b):
    result = b.run("demo", "--file", b.write("empty", b""), "--json", timeout=100)
    expect(result, 0)
    told = json.loads(result.stdout)
    assert told["bytes"] == 0 and told["verified"] is True
    assert told["sha256"] == hashlib.sha256(b"").hexdigest()


# --- The terminal ---

def on_terminal(b, program, keys, number=None):
    """Run program on a terminal of its own, type keys; its output, status, and whether the
    terminal was raw meanwhile and is as it was afterwards."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen([b.isthmus, "run", "--bios", "none", "--kernel", program],
                               stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                               preexec_fn=lambda: __import__("fcntl").ioctl(0, termios.TIOCSCTTY,
                                                                            0))
    end = time.monotonic() + 10
    while termios.tcgetattr(slave) == before and time.monotonic() < end:
        time.sleep(0.02)
    raw = not termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
    os.write(master, keys)
    if number:
        process.send_signal(number)
    status = process.wait(10)
    out = b""
    while select.select([master], [], [], 0.1)[0]:
        out += os.read(master, 4096)
    same = termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
    return out, status, raw, same


@case
def ctrl_a_x_leaves_and_the_terminal_is_restored(b):
    out, status, raw, same = on_terminal(b, b.program(3), b"\x01h\x01x")
    assert b"leave the emulator" in out and status == 0 and raw and same, (out, status, raw, same)


@case
def keys_reach_the_guest_and_ctrl_c_too(b):
    out, status, raw, same = on_terminal(b, b.program(5), b"\x03a\x01\x01q")
    assert out == bytes([0x03 - 32 & 255]) + b"A" + bytes([1 - 32 & 255]) and status == 0, out
    assert raw and same


@case
def the_terminal_is_restored_after_signals(b):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT):
        _, status, raw, same = on_terminal(b, b.program(3), b"", number)
        assert status == -number and raw and same, (number, status, raw, same)


# --- Disassembly ---

@case
def words_and_files_are_disassembled(b):
    assert b.run("disasm", "00b50533").stdout.split() == [b"add", b"a0,a0,a1"]
    assert b.run("disasm", "0x8082").stdout.split()[0].endswith(b"ret") or \
        b"ra" in b.run("disasm", "0x8082").stdout
    text = b.run("disasm", b.program(1)).stdout
    assert b"<_start>:" in text and b"<puts>:" in text and b"wfi" in text, text
    assert b"80000000:" in text
    # Headers and constants are in a program's first segment, too, but are no code.
    path = b.path("linked")
    subprocess.run([*b.cc, "-march=rv64gc", "-mabi=lp64d", "-nostdlib", "-static", "-DCASE=1",
                    "-Wl,-Ttext-segment=0x80000000", "-o", path, os.path.join(HERE, "board.S")],
                   check=True, stderr=subprocess.DEVNULL)
    lines = b.run("disasm", path).stdout.split(b"\n")
    assert lines[1].endswith(b"<_start>:") and b"lui s0,0x10000" in lines[2], lines[:3]
    with open(path, "rb") as f:
        image = bytearray(f.read())
    image[40:48], image[58:64] = bytes(8), bytes(6) # e_shoff; e_shentsize, e_shnum, e_shstrndx
    text = b.run("disasm", b.write("bare", image)).stdout
    assert text.startswith(b"80000000:") and b"lui s0,0x10000" in text, text[:200]


def main():
    isthmus, *cc = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        return tap(Bench(os.path.abspath(isthmus), cc, folder))


if __name__ == "__main__":
    sys.exit(main())
