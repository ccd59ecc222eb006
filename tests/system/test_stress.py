#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""stress-ng, which verifies what it computes, on four harts of the stock kernel; the same with room
for few translations; and in a guest of KVM. TAP.

usage: test_stress.py ISTHMUS [SECONDS]

SECONDS is how long each stressor runs.
"""
import os
import sys
import tempfile

import debian
from test_kvm import GUEST_MODULES, MODULES

ISTHMUS = os.path.abspath(sys.argv[1])
SECONDS = sys.argv[2] if len(sys.argv) > 2 else "3"
STRESSORS = {"cpu": "--cpu 4", "vm": "--vm 4 --vm-bytes 128M", "atomic": "--atomic 4",
             "futex": "--futex 4", "sigsegv": "--sigsegv 4", "icache": "--icache 4"}
ROOT = """
mount -t ext4 -o ro /dev/vda /mnt
for fs in proc sys dev; do mount --bind /$fs /mnt/$fs; done
mount -t tmpfs none /mnt/tmp
"""
STRESS = ROOT + "".join(
    f"chroot /mnt stress-ng --temp-path /tmp --verify --timeout SECONDS {options}; echo \"@ {name} $?\"\n"
    for name, options in STRESSORS.items()) + """
echo "@ complaints $(dmesg | grep -cE 'BUG|WARNING|Oops|Call Trace')"
"""
NESTED = ROOT + """
cp /guest.gz /mnt/tmp/initrd
chroot /mnt qemu-system-riscv64 -M virt -accel kvm -cpu host -smp 2 -m 512M -nodefaults -nographic -no-reboot \\
    -serial stdio -kernel /usr/local/share/guest/vmlinux -initrd /tmp/initrd -append "console=ttyS0 quiet" \\
    -drive file=/dev/vda,if=none,id=d,format=raw,readonly=on -device virtio-blk-device,drive=d < /dev/null
echo "@ host $(dmesg | grep -cE 'BUG|WARNING|Oops|Call Trace|kvm.*rror')"
"""


def boot(where, script, modules, files, *more):
    initrd = os.path.join(where, "initrd")
    debian.initramfs(initrd, script, modules, files)
    disk = os.path.join(debian.variant(ISTHMUS, "stress"), "disk.img").replace(",", ",,")
    status, lines = debian.run([*debian.machine(ISTHMUS, initrd, 4, "1536M"), "--timeout", "3000",
                                "--disk", disk + ",readonly", *more])
    return {"status": status, **debian.said(lines)}


def results(name, said):
    for stressor in STRESSORS:
        yield f"{name}: {stressor}", said.get(stressor), "0"
    yield f"{name}: the kernel has nothing to complain of", said.get("complaints"), "0"
    yield f"{name}: powered off by the guest", said["status"], 0


def cases():
    stress = STRESS.replace("SECONDS", SECONDS)
    with tempfile.TemporaryDirectory(prefix="isthmus-stress-") as where:
        yield from results("4 harts", boot(where, stress, MODULES, []))
        yield from results("small code buffer", boot(where, stress, MODULES, [], "--code-buffer", "256K"))
        guest = os.path.join(where, "guest.gz")
        debian.initramfs(guest, stress, GUEST_MODULES)
        with open(guest, "rb") as f:
            said = boot(where, NESTED, MODULES, [("guest.gz", f.read())])
        yield from results("guest of KVM", said)
        yield "guest of KVM: the host's kernel has nothing to complain of", said.get("host"), "0"


if __name__ == "__main__":
    sys.exit(debian.tap(cases))
