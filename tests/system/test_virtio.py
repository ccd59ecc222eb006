#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's stock kernel uses every virtio device: disks, network, shared directory. TAP.

usage: test_virtio.py ISTHMUS
"""
import hashlib
import http.server
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

import debian

ISTHMUS = os.path.abspath(sys.argv[1])
MODULES = """virtio_mmio virtio_blk failover net_failover virtio_net virtio-rng crc16 crc32c_generic
    crc32c-generic libcrc32c mbcache jbd2 ext4 netfs 9pnet 9p 9pnet_virtio""".split()
DHCP = """#!/bin/sh
[ "$1" = bound ] || exit 0
ifconfig $interface $ip netmask $subnet
route add default gw $router
"""
SCRIPT = """
mount -t ext4 /dev/vda /mnt && echo "@ disk $(cat /mnt/hello)"
dd if=/dev/zero of=/mnt/big bs=1M count=24 conv=fsync 2>/dev/null
echo "@ disk-big $(sha256sum < /mnt/big)"; echo "written by the guest" > /mnt/reply; umount /mnt
echo "@ disk-readonly $(cat /sys/block/vdb/ro) $(dd if=/dev/zero of=/dev/vdb count=1 2>&1 | head -n 1)"
echo "printed on hvc0" > /dev/hvc0
echo "@ queues $(ls /sys/block/vda/mq | wc -l)"
echo "@ entropy $(cat /sys/class/misc/hw_random/rng_current) $(head -c 32 /dev/hwrng | wc -c)"
mount -t 9p -o trans=virtio,version=9p2000.L share /mnt; cd /mnt
echo "@ share $(cat hello) $(readlink out)"; cat out/hostname >/dev/null 2>&1 && echo "@ share-escape"
mkdir d; for i in $(seq 100); do echo $i > d/$i; done; echo "@ share-files $(ls d | wc -l)"
mv d e; rm e/1; ln -s hello s; echo "@ share-link $(cat s)"
dd if=/dev/urandom of=big bs=1M count=4 2>/dev/null; echo "@ share-big $(sha256sum < big)"
cd /; umount /mnt
ifconfig lo up; ifconfig eth0 up; udhcpc -q -n -i eth0 -s /dhcp >/dev/null 2>&1
echo "@ ping $(ping -c 2 10.0.2.2 | grep -c 'bytes from')"
wget -q -O /tmp/f http://10.0.2.2:HTTP/f; echo "@ fetched $(sha256sum < /tmp/f)"
nc -w 100 -l -p 99 < /tmp/f > /tmp/heard & echo "@ listening"; wait
echo "@ heard $(cat /tmp/heard)"
echo "@ kernel $(dmesg | grep -cE 'BUG|WARNING|Oops|NEEDS_RESET')"
"""


class Payload(http.server.BaseHTTPRequestHandler):
    data = os.urandom(3_000_000)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()
        self.wfile.write(self.data)

    def log_message(self, *_):
        pass


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def talk_once(port):
    """Send a line through the forwarded port, and take all that comes. This end closes last: nc
    leaves as soon as its peer does."""
    data = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
            s.sendall(b"hello from outside\n")
            while piece := s.recv(65536):
                data += piece
    except OSError as error:
        print("# forwarded port:", error)
    return data


def talk(port, result):
    """The port is open before the guest listens at its end: until then it is closed again."""
    for _ in range(120):
        data = talk_once(port)
        if data:
            result["talk"] = sha256(data)
            return
        time.sleep(0.5)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_disks(where):
    os.mkdir(os.path.join(where, "files"))
    with open(os.path.join(where, "files", "hello"), "w", encoding="utf-8") as f:
        f.write("on the disk\n")
    disk = os.path.join(where, "a,disk.img")
    with open(disk, "wb") as f:
        f.truncate(64 << 20)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-d", os.path.join(where, "files"), disk],
                   check=True)
    with open(os.path.join(where, "readonly.img"), "wb") as f:
        f.truncate(1 << 20)
    share = os.path.join(where, "share")
    os.mkdir(share)
    with open(os.path.join(share, "hello"), "w", encoding="utf-8") as f:
        f.write("in the share\n")
    os.symlink("/etc", os.path.join(share, "out"))
    return disk, share


def boot(where, port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Payload)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    initrd = os.path.join(where, "initrd")
    debian.initramfs(initrd, SCRIPT.replace("HTTP", str(server.server_port)), MODULES,
                     [("dhcp", DHCP)])
    disk, share = make_disks(where)
    said, talker = {}, None
    p = subprocess.Popen(
        [*debian.machine(ISTHMUS, initrd, 2, "512M"), "--timeout", "500",
         "--disk", disk.replace(",", ",,"), "--disk", where + "/readonly.img,readonly",
         "--share", share, "--virtio-console", f"file:{where}/hvc", "--net", f"user,hostfwd=tcp::{port}-:99"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace")
    for line in p.stdout:
        print("#", line.rstrip())
        match = re.match(r"@ (\S+) ?(.*)", line)
        if match:
            said[match[1]] = match[2].replace("  -", "").strip()
        if match and match[1] == "listening":
            talker = threading.Thread(target=talk, args=(port, said), daemon=True)
            talker.start()
    said["status"] = p.wait()
    if talker:
        talker.join(timeout=60)
    server.shutdown()
    return said, disk, share


def main():
    with tempfile.TemporaryDirectory(prefix="isthmus-virtio-") as where:
        try:
            debian.fetch()
            debian.firmware()
        except debian.Unreachable as why:
            print(f"1..0 # SKIP the packages cannot be had: {why}")
            return 0
        said, disk, share = boot(where, free_port())
        fsck = subprocess.run(["/sbin/e2fsck", "-f", "-n", disk], capture_output=True, text=True,
                              check=False)
        reply = subprocess.run(["/sbin/debugfs", "-R", "cat /reply", disk], capture_output=True,
                               text=True, check=False).stdout
        with open(os.path.join(share, "big"), "rb") as f:
            big = sha256(f.read())
        with open(os.path.join(where, "hvc"), encoding="utf-8") as f:
            hvc = f.read()
        left = sorted(os.listdir(os.path.join(share, "e")), key=int)
    cases = [
        ("the machine is powered off by the guest", said["status"], 0),
        ("a file on the disk is read", said.get("disk"), "on the disk"),
        ("what is written to the disk is read back", said.get("disk-big"), sha256(bytes(24 << 20))),
        ("what the guest wrote is in the image", reply, "written by the guest\n"),
        ("the disk is clean afterwards", fsck.returncode, 0),
        ("a read-only disk is not written", said.get("disk-readonly"),
         "1 dd: error writing '/dev/vdb': Operation not permitted"),
        ("a disk has a queue a hart", said.get("queues"), "2"),
        ("the virtio console prints", hvc.replace("\r", ""), "printed on hvc0\n"),
        ("the kernel takes random bytes", said.get("entropy"), "virtio_rng.0 32"),
        ("the shared directory is read", said.get("share"), "in the share /etc"),
        ("a link out of it leads into the guest", "share-escape" in said, False),
        ("a hundred files are made in it", said.get("share-files"), "100"),
        ("a link in it is followed by the guest", said.get("share-link"), "in the share"),
        ("what the guest wrote to it is there", said.get("share-big"), big),
        ("directories move and files go", left, [str(i) for i in range(2, 101)]),
        ("the host answers to ping", said.get("ping"), "2"),
        ("a file comes over TCP", said.get("fetched"), sha256(Payload.data)),
        ("a forwarded port leads in", said.get("heard"), "hello from outside"),
        ("and what the guest sends leads out", said.get("talk"), sha256(Payload.data)),
        ("the kernel has nothing to complain of", said.get("kernel"), "0"),
    ]
    print(f"1..{len(cases)}")
    for number, (name, got, wanted) in enumerate(cases, 1):
        print(f"{'ok' if got == wanted else 'not ok'} {number} - {name}")
        if got != wanted:
            print(f"# got {got!r}, expected {wanted!r}")
    return int(any(got != wanted for _, got, wanted in cases))


if __name__ == "__main__":
    sys.exit(main())
