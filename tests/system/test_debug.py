#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looking into a running machine from outside: --trace, --stats by guest. TAP, a case a statement.

usage: test_debug.py BUILD_DIR
"""
import json
import os
import re
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(sys.argv[1])
ISTHMUS = os.path.join(BUILD, "isthmus")
LINE = re.compile(r"(\d+\.\d{7}) hart=(\d+) ([\w.]+) guest=(host|0x[0-9a-f]+) (?:vmid=(\d+) )?(.*)$")


def guest(name):
    return os.path.join(BUILD, "guest", name + ".elf")


def run(args, timeout=60):
    p = subprocess.run([ISTHMUS, "run", "--timeout", str(timeout), *args],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, errors="replace", check=False, timeout=timeout + 30)
    return p.returncode, p.stdout


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


class Event:
    def __init__(self, match):
        self.time, self.hart, self.kind = float(match[1]), int(match[2]), match[3]
        self.guest, self.vmid = match[4], match[5]
        self.fields = dict(f.split("=", 1) for f in match[6].split())
        self.explanation = []


def read_trace(path):
    events = []
    with open(path, encoding="utf-8") as f:
        for text in f:
            if text.startswith("  | "):
                events[-1].explanation.append(text[4:].rstrip("\n"))
                continue
            m = LINE.match(text)
            expect(m, f"not a line of a trace: {text!r}")
            events.append(Event(m))
    return events


def demo(folder):
    """A run of two guests and a window, everything traced and counted."""
    payload = os.path.join(folder, "payload")
    with open(payload, "wb") as f:
        f.write(b"data " * 100)
    trace, stats = os.path.join(folder, "trace"), os.path.join(folder, "stats")
    status, text = run(["--harts", "2", "--memory", "512M",
                        "--guest", f"{guest('demo_alice')},name=alice,memory=32M,initrd={payload}",
                        "--guest", f"{guest('demo_bob')},name=bob,memory=32M",
                        "--window", "alice:bob,rw,16M",
                        "--trace", "exits,switch,ig,irq,mmu:" + trace, "--stats", stats])
    expect(status == 0, f"status {status}: {text}")
    with open(stats, encoding="utf-8") as f:
        return read_trace(trace), json.load(f)


def trace_and_counts_agree():
    with tempfile.TemporaryDirectory() as folder:
        events, stats = demo(folder)
    guests = stats["guests"]
    expect(len(guests) == 2, f"guests {list(guests)}")
    for root, counts in guests.items():
        mine = [e for e in events if e.guest == root]
        exits = [e for e in mine if e.kind == "exit"]
        switches = [e for e in mine if e.kind == "switch"]
        expect(len(exits) == counts["exits"]["all"], f"{root}: {len(exits)} exits, {counts}")
        calls = [e for e in exits if e.fields["cause"] == "ecall_vs"]
        expect(len(calls) == counts["exits"]["ecall_vs"], f"{root}: {len(calls)} calls, {counts}")
        expect(all("a7" in e.fields for e in calls), "calls say which")
        expect(len(switches) == counts["world_switches"], f"{root}: {len(switches)} switches")
        for name, kind in (("bytes_put", "ig.put"), ("bytes_got", "ig.get")):
            moved = sum(max(0, int(e.fields["rd"])) for e in mine if e.kind == kind)
            expect(moved == counts["windows"][name], f"{root}: {name} {moved}, {counts}")
        expect(len({e.vmid for e in mine}) == 1, "one VMID a guest")
        misses = [e for e in mine if e.kind in ("miss", "fault")]
        expect(0 < len(misses) <= counts["tlb_misses"] <= counts["walks"], f"misses {counts}")
    for name in ("world_switches",):
        expect(sum(g[name] for g in guests.values()) == stats[name], name)
    expect(sum(g["exits"]["all"] for g in guests.values()) == stats["exits"]["all"], "exits")
    put = sum(g["windows"]["bytes_put"] for g in guests.values())
    expect(put == stats["windows"]["bytes_put"] > 0, "bytes put")
    expect(any(e.kind == "irq" and e.fields["from"] in ("M", "HS", "U", "VS", "VU")
               for e in events), "no interrupt")
    times = {}
    for e in events:
        expect(e.time >= times.get(e.hart, 0), "time goes back")
        times[e.hart] = e.time


def only_what_was_asked_for_is_traced():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace")
        status, text = run(["--memory", "256M", "--guest", f"{guest('test_hello')},memory=16M",
                            "--trace", "switch:" + path])
        expect(status == 0, f"status {status}: {text}")
        events = read_trace(path)
    expect({e.kind for e in events} == {"switch"}, f"kinds {({e.kind for e in events})}")
    expect([e.fields["to"] for e in events[:4]] == ["guest", "host"] * 2, "in and out in turn")


def a_guests_fatal_fault_is_explained():
    for fault, last in (
            ("wild-load", r"The load fails with load guest-page fault \(21\): the hypervisor's "
                          r"G-stage table does not map gpa 0x20000004: the level-\d PTE at pa "
                          r"0x[0-9a-f]+ has V=0\."),
            ("wild-table", r"The instruction fetch fails with instruction guest-page fault "
                           r"\(20\): .* does not map gpa 0x20000010, where a PTE of the VS-stage "
                           r"lies: ")):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace")
            run(["--memory", "256M", "--trace", "exits,mmu:" + path,
                 "--guest", f"{guest('test_fault')},name=x,append={fault},memory=16M"])
            said = [e.explanation for e in read_trace(path) if e.explanation]
        expect(any(re.match(last, s[-1]) for s in said), f"{fault}: {said}")
        expect(all(any(l.startswith("G-stage") or "G-stage Sv39x4" in l for l in s)
                   for s in said), f"{fault}: no G-stage in {said}")


def impossible_traces_are_refused():
    for value in ("exits", "exits:", "nothing:x", "exits,:x", ":x", "exits,irqs:x"):
        status, text = run(["--bios", "none", "--kernel", guest("test_hello"), "--trace", value])
        expect(status == 2 and "expected KIND" in text, f"{value}: {status} {text}")
    status, text = run(["--bios", "none", "--kernel", guest("test_hello"), "--trace",
                        "irq:/nowhere/trace"])
    expect(status == 1 and "/nowhere/trace" in text, f"{status} {text}")


CASES = [
    trace_and_counts_agree,
    only_what_was_asked_for_is_traced,
    a_guests_fatal_fault_is_explained,
    impossible_traces_are_refused,
]


def main():
    failed = 0
    print(f"1..{len(CASES)}")
    for number, case in enumerate(CASES, 1):
        try:
            case()
            print(f"ok {number} - {case.__name__}", flush=True)
        except (AssertionError, subprocess.TimeoutExpired, OSError, KeyError) as e:
            failed += 1
            print("\n".join("# " + l for l in f"{type(e).__name__}: {e}".splitlines()))
            print(f"not ok {number} - {case.__name__}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
