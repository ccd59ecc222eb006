#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's stock kernel with a small file system, on 1, 2 and 8 harts; its KVM module. TAP.

usage: test_linux.py ISTHMUS
"""
import os
import re
import sys
import tempfile

import debian

ISTHMUS = os.path.abspath(sys.argv[1])
KVM = ["irqbypass", "kvm"]
SCRIPT = """
echo "@ harts $(nproc) $(grep -c '^processor' /proc/cpuinfo)"
i=0; while [ $i -lt 40 ]; do (j=0; while [ $j -lt 200 ]; do j=$((j + 1)); done; echo $j > /tmp/r$i) & i=$((i + 1)); done
wait; echo "@ work $(cat /tmp/r* | sort | uniq -c | tr -s ' ')"
echo "@ isa $(grep -m 1 '^isa' /proc/cpuinfo)"
dmesg | sed -n 's/.*kvm \\[[0-9]*\\]: /@ kvm /p'
echo "@ complaints $(dmesg | grep -cE 'BUG|WARNING|Oops|Call Trace|insmod')"
"""


def boot(where, harts, *more):
    """What the guest said: the lines behind '@ KEY ', by their keys."""
    initrd = os.path.join(where, "initrd")
    debian.initramfs(initrd, SCRIPT, KVM)
    status, lines = debian.run([*debian.machine(ISTHMUS, initrd, harts, "512M"), "--timeout", "400",
                                *more])
    said = {"status": status}
    for line in lines:
        match = re.match(r"@ (\S+) ?(.*)", line)
        if match:
            said.setdefault(match[1], []).append(match[2])
    return said


def cases():
    with tempfile.TemporaryDirectory(prefix="isthmus-linux-") as where:
        for harts in (1, 2, 8):
            said = boot(where, harts)
            name = f"{harts} harts" if harts > 1 else "one hart"
            yield f"{name}: powered off by the guest", said["status"], 0
            yield f"{name}: the kernel has them all", said.get("harts"), [f"{harts} {harts}"]
            yield f"{name}: forty processes do their work", said.get("work"), [" 40 200"]
            yield f"{name}: nothing to complain of", said.get("complaints"), ["0"]
        said = boot(where, 1, "--aia", "aplic-imsic", "--aia-guests", "3")
        kvm = "; ".join(said.get("kvm", []))
        yield "KVM: the hypervisor extension", "hypervisor extension available" in kvm, True
        yield "KVM: Sv57x4", "using Sv57x4 G-stage page table format" in kvm, True
        yield "KVM: 14 bits of VMID", "VMID 14 bits available" in kvm, True
        yield "KVM: three guest files", "AIA available with 3 guest external interrupts" in kvm, True
        print("# kvm:", kvm)


if __name__ == "__main__":
    sys.exit(debian.tap(cases))
