#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Soak: boot the stock kernel with all devices, load on all harts, disk, network and shared
directory, a guest of KVM, poweroff; and again. TAP.

usage: test_soak.py ISTHMUS [SECONDS]

Rounds begin until SECONDS are over (0: one round), with the PLIC and with IMSICs in turn. In a build
with ThreadSanitizer each report of it fails the round.
"""
import os
import subprocess
import sys
import tempfile
import time

import debian
from test_kvm import GUEST_MODULES, MODULES

ISTHMUS = os.path.abspath(sys.argv[1])
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 0
MORE_MODULES = "failover net_failover virtio_net virtio-rng netfs 9pnet 9p 9pnet_virtio".split()
SCRIPT = """
mount -t ext4 -o ro /dev/vda /mnt
for fs in proc sys dev; do mount --bind /$fs /mnt/$fs; done
mount -t tmpfs none /mnt/tmp; cp /guest.gz /mnt/tmp/initrd; mkdir /share /scratch
mount -t 9p -o trans=virtio,version=9p2000.L share /share
mount -t ext4 /dev/vdb /scratch
ifconfig eth0 10.0.2.15 up
( i=0; while [ $i -lt 8 ]; do i=$((i + 1)); head -c 1000000 /dev/hwrng > /share/f$i; cp /share/f$i /scratch/
  sync; cmp /share/f$i /scratch/f$i || exit 1; done; echo "@ files $i" ) &
( ping -q -c 20 -i 0.2 -s 1400 10.0.2.2 | sed -n 's/.* \\([0-9]*\\) packets received.*/@ pings \\1/p' ) &
chroot /mnt stress-ng --temp-path /tmp --verify --timeout 5 --cpu 2 --vm 1 --vm-bytes 64M --futex 2 --icache 1
echo "@ load $?"
wait
chroot /mnt qemu-system-riscv64 -M virt -accel kvm -cpu host -smp 2 -m 256M -nodefaults -nographic -no-reboot \\
    -serial stdio -kernel /usr/local/share/guest/vmlinux -initrd /tmp/initrd -append "console=ttyS0 quiet" < /dev/null
umount /scratch /share
echo "@ complaints $(dmesg | grep -cE 'BUG|WARNING|Oops|Call Trace|NEEDS_RESET|kvm.*rror')"
"""


def boot(where, disk, aia):
    initrd, scratch, share = (os.path.join(where, name) for name in ("initrd", "scratch", "share"))
    os.makedirs(share, exist_ok=True)
    with open(scratch, "wb") as f:
        f.truncate(32 << 20)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", scratch], check=True)
    machine = debian.machine(ISTHMUS, initrd, 4, "1G")
    # Under ThreadSanitizer, on a busy host, a hart may have no turn for half a minute.
    machine[machine.index("--append") + 1] += " nosoftlockup rcupdate.rcu_cpu_stall_suppress=1"
    status, lines = debian.run([*machine, "--timeout", "3000",
                                "--disk", disk + ",readonly", "--disk", scratch, "--share", share,
                                "--net", "user", *aia])
    fsck = subprocess.run(["/sbin/e2fsck", "-f", "-n", scratch], stdout=subprocess.DEVNULL, check=False)
    return {"status": status, "fsck": fsck.returncode,
            "races": sum("ThreadSanitizer" in line for line in lines), **debian.said(lines)}


def cases():
    disk = os.path.join(debian.variant(ISTHMUS, "stress"), "disk.img").replace(",", ",,")
    end, round_ = time.monotonic() + SECONDS, 0
    with tempfile.TemporaryDirectory(prefix="isthmus-soak-") as where:
        guest = os.path.join(where, "guest.gz")
        debian.initramfs(guest, 'echo "@ guest $(nproc)"\n', GUEST_MODULES)
        with open(guest, "rb") as f:
            debian.initramfs(os.path.join(where, "initrd"), SCRIPT, MODULES + MORE_MODULES,
                             [("guest.gz", f.read())])
        while round_ == 0 or time.monotonic() < end:
            aia = ["--aia", "aplic-imsic", "--aia-guests", "3"] if round_ % 2 else []
            said, round_ = boot(where, disk, aia), round_ + 1
            yield f"round {round_}: stress-ng", said.get("load"), "0"
            yield f"round {round_}: disk and shared directory", \
                (said.get("files"), said["fsck"]), ("8", 0)
            yield f"round {round_}: network", said.get("pings"), "20"
            yield f"round {round_}: a guest of KVM", said.get("guest"), "2"
            yield f"round {round_}: the kernel has nothing to complain of", said.get("complaints"), "0"
            yield f"round {round_}: powered off by the guest", said["status"], 0
            yield f"round {round_}: no data races", said["races"], 0


if __name__ == "__main__":
    sys.exit(debian.tap(cases))
