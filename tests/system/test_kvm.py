#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Guests of KVM in the stock kernel, under Debian's own QEMU: one to a prompt; two at once with two
vCPUs each, which exchange data by iperf3; one killed while the other goes on. TAP.

usage: test_kvm.py ISTHMUS
"""
import os
import sys
import tempfile

import debian

ISTHMUS = os.path.abspath(sys.argv[1])
MODULES = """virtio_mmio virtio_blk crc16 crc32c_generic crc32c-generic libcrc32c mbcache jbd2 ext4
    irqbypass kvm""".split()
# The guests mount the disk, too, for iperf3 is on it.
GUEST_MODULES = """virtio_mmio virtio_blk failover net_failover virtio_net crc16 crc32c_generic
    crc32c-generic libcrc32c mbcache jbd2 ext4""".split()
GUEST = """
root() { # iperf3 wants /dev/urandom
    mount -t ext4 -o ro /dev/vda /mnt
    for fs in proc sys dev; do mount --bind /$fs /mnt/$fs; done
    mount -t tmpfs none /mnt/tmp
}
case $(sed -n 's/.*part=\\([a-z]*\\).*/\\1/p' /proc/cmdline) in
prompt)
    echo "% prompt $(nproc)" ;;
server)
    root; ifconfig lo up; ifconfig eth0 10.9.0.1 up
    chroot /mnt iperf3 -s -1 > /tmp/log 2>&1 & sleep 1; echo "% listening $(nproc)"; wait
    cat /tmp/log; echo "% served $(grep -c receiver /tmp/log)"
    i=0; while :; do i=$((i + 1)); echo "% alive $i"; sleep 1; done ;;
client)
    root; ifconfig eth0 10.9.0.2 up
    chroot /mnt iperf3 -c 10.9.0.1 -n 8M > /tmp/log 2>&1; echo "% sent $? $(nproc)"; cat /tmp/log
    while :; do :; done ;;
esac
echo "% complaints $(dmesg | grep -cE 'BUG|WARNING|Oops|Call Trace')"
"""
SCRIPT = """
mount -t ext4 -o ro /dev/vda /mnt
for fs in proc sys dev; do mount --bind /$fs /mnt/$fs; done
mount -t tmpfs none /mnt/tmp; cp /guest.gz /mnt/tmp/initrd
guest() {
    part=$1; shift
    exec chroot /mnt qemu-system-riscv64 -M virt -accel kvm -cpu host -m 256M -nodefaults -nographic -no-reboot \\
        -serial stdio -kernel /usr/local/share/guest/vmlinux -initrd /tmp/initrd \\
        -drive file=/dev/vda,if=none,id=d,format=raw,readonly=on -device virtio-blk-device,drive=d \\
        -append "console=ttyS0 quiet part=$part" "$@" < /dev/null
}
wait_for() { n=0; until grep -q "$1" $2 || [ $n = 600 ]; do sleep 1; n=$((n + 1)); done; }
NET=-netdev\\ stream,id=n,addr.type=unix,addr.path=/tmp/wire
( guest prompt 2>&1 ) | tee /one | sed 's/^% /@ one-/'
( guest server -smp 2 $NET,server=on -device virtio-net-device,netdev=n,mac=52:54:00:00:00:01 ) > /server 2>&1 &
wait_for '^% listening' /server
( guest client -smp 2 $NET,server=off -device virtio-net-device,netdev=n,mac=52:54:00:00:00:02 ) > /client 2>&1 &
client=$!
wait_for '^% served' /server; wait_for '^% sent' /client
sed -n 's/^% listening/@ server-cpus/p; s/^% served/@ served/p' /server
sed -n 's/^% sent/@ sent/p; s/.*\\(receiver\\)/# &/p' /client
grep -q '^% sent 0' /client || sed 's/^/# /' /server /client
kill -9 $client; wait $client 2>/dev/null
was=$(grep -c '^% alive' /server); n=0
until [ $(grep -c '^% alive' /server) -gt $((was + 2)) ] || [ $n = 200 ]; do sleep 1; n=$((n + 1)); done
[ $n = 200 ] || echo "@ goes-on"
echo "@ logs $(cat /one /server /client | grep -ciE 'BUG|WARNING|Oops|Call Trace|qemu-system|error|failed|NEEDS_RESET')"
cat /one /server /client | grep -iE 'BUG|WARNING|Oops|Call Trace|qemu-system|error|failed|NEEDS_RESET'
echo "@ complaints $(dmesg | grep -cE 'BUG|WARNING|Oops|Call Trace|kvm.*rror')"
"""


def boot(where, disk, more):
    guest, initrd = os.path.join(where, "guest.gz"), os.path.join(where, "initrd")
    debian.initramfs(guest, GUEST, GUEST_MODULES)
    with open(guest, "rb") as f:
        debian.initramfs(initrd, SCRIPT, MODULES, [("guest.gz", f.read())])
    status, lines = debian.run([*debian.machine(ISTHMUS, initrd, 2, "1536M"), "--timeout", "1500",
                                "--disk", disk + ",readonly", *more])
    return {"status": status, **debian.said(lines)}


def cases():
    disk = os.path.join(debian.variant(ISTHMUS, "nested"), "disk.img").replace(",", ",,")
    with tempfile.TemporaryDirectory(prefix="isthmus-kvm-") as where:
        for name, more in (("PLIC", []), ("IMSIC", ["--aia", "aplic-imsic", "--aia-guests", "3"])):
            said = boot(where, disk, more)
            yield f"{name}: a guest comes to its prompt", said.get("one-prompt"), "1"
            yield f"{name}: and has nothing to complain of", said.get("one-complaints"), "0"
            yield f"{name}: two guests have two vCPUs each", \
                (said.get("server-cpus"), said.get("sent")), ("2", "0 2")
            yield f"{name}: iperf3 sends from one to the other", said.get("served"), "1"
            yield f"{name}: one VMM killed, the other goes on", "goes-on" in said, True
            yield f"{name}: no error in the guests' logs", said.get("logs"), "0"
            yield f"{name}: the host's kernel has nothing to complain of", said.get("complaints"), "0"
            yield f"{name}: powered off by the host", said["status"], 0


if __name__ == "__main__":
    sys.exit(debian.tap(cases))
