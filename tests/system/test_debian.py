#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""isthmus boot debian, as its user sees it: to a login, apt-get, gcc, poweroff, a clean disk; the
second start uses what the first one made; an interrupted one leaves nothing half-done. TAP.

usage: test_debian.py ISTHMUS
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from console import Console
import debian

ISTHMUS = os.path.abspath(sys.argv[1])
PATIENCE = 1800  # seconds for what takes a minute on a quiet host


def boot_cases(env, disk):
    with Console([ISTHMUS, "boot", "debian"], env=env) as c:
        c.expect("login: $", PATIENCE)
        yield "boots to a login", True, True
        c.send("root\n")
        c.expect(r"root@debian:~# $", PATIENCE)
        c.run("stty -echo; bind 'set enable-bracketed-paste off'; export TERM=dumb", PATIENCE)
        out, _ = c.run("systemctl is-system-running --wait", PATIENCE)
        yield "systemd has started all", out.strip(), "running"
        yield "dpkg finds nothing amiss", c.run("dpkg --audit", PATIENCE), ("", 0)
        out, _ = c.run("stat -c '%a %U %G' /usr/bin/su /usr/bin/chage / /root /var/mail", PATIENCE)
        yield "files have their owners", out.split("\n")[:5], [
            "4755 root root", "2755 root shadow", "755 root root", "700 root root", "2775 root mail"]
        _, status = c.run("apt-get -q update", PATIENCE)
        yield "apt-get update", status, 0
        _, status = c.run("apt-get -q install -y gcc libc6-dev", PATIENCE)
        yield "apt-get install gcc", status, 0
        c.run("echo 'int puts(const char *); int main(void) { puts(\"compiled\"); return 7; }' > a.c",
              PATIENCE)
        yield "gcc compiles and the program runs", c.run("gcc -O2 -o a a.c && ./a", PATIENCE), \
            ("compiled\n", 7)
        second = subprocess.run([ISTHMUS, "run", "--disk", disk, "--kernel", debian.kernel()],
                                capture_output=True, text=True, check=False)
        yield "a second machine does not get the disk", second.returncode, 1
        c.send("poweroff\n")
        yield "poweroff ends the machine", c.ended(PATIENCE), 0
    fsck = subprocess.run(["/sbin/e2fsck", "-f", "-n", disk], capture_output=True, text=True,
                          check=False)
    yield "the disk is clean afterwards", fsck.returncode, 0


def interrupted(env, folder):
    """A start whose script is stopped in the midst. Result: what is left beside the packages."""
    made = os.path.join(folder, "debian")
    p = subprocess.Popen([ISTHMUS, "boot", "debian", "--prepare"], env=env, start_new_session=True,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in p.stderr:
        print("#", line.rstrip())
        if "unpacking packages" in line:
            break
    time.sleep(1)
    os.killpg(p.pid, signal.SIGINT)
    status = p.wait()
    return status != 0, os.path.exists(made)


def cases():
    debian.fetch()
    shared = os.path.join(os.path.dirname(debian.CACHE), "debian")
    with tempfile.TemporaryDirectory(prefix="isthmus-debian-", dir=os.path.dirname(debian.CACHE)) as d:
        env = dict(os.environ, XDG_CACHE_HOME=d)
        folder = os.path.join(d, "isthmus", "debian")
        if os.path.isdir(os.path.join(shared, "apt")):
            shutil.copytree(os.path.join(shared, "apt"), os.path.join(folder, "apt"))
        yield "interrupted: a failure, and no disk", interrupted(env, folder), (True, False)
        p = subprocess.run([ISTHMUS, "boot", "debian", "--prepare"], env=env, capture_output=True,
                           text=True, check=False)
        print("\n".join("# " + l for l in p.stderr.splitlines()))
        yield "the disk is made", p.returncode, 0
        yield "each step is told", [w for w in ("fetching", "unpacking", "making the disk",
                                                "configuring", "done") if w not in p.stderr], []
        yield "nothing is left over", sorted(os.listdir(folder)), ["apt", "debian", "lock"]
        p = subprocess.run([ISTHMUS, "boot", "debian", "--prepare"], env=env, capture_output=True,
                           text=True, check=False)
        yield "the second start finds it", (p.returncode, p.stderr), (0, "")
        yield from boot_cases(env, os.path.join(folder, "debian", "disk.img"))


if __name__ == "__main__":
    sys.exit(debian.tap(cases))
