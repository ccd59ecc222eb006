#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# First program of the kernels of `isthmus bench linux`: of the machine's, and of those of its
# guests, which have bench=PART in their command line. Lines that begin with "@ ": see
# bench/console.h.
/bin/busybox mkdir -p /proc /sys /dev /tmp /mnt
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
for module in $(cat /lib/modules/order); do
    insmod "/lib/modules/$module" || echo "cannot load $module"
done

# The rows of one kernel's user mode. $1: what the keys begin with.
user_mode() {
    /bench compute | sed "s/^/@ $1/"
    /bench syscalls | sed "s/^/@ $1/"
}

part=$(sed -n 's/.*bench=\([a-z]*\).*/\1/p' /proc/cmdline)
case $part in
prompt)
    echo "@ nested-prompt"
    user_mode nested-
    /bench block /dev/vda 64 | sed 's/^/@ nested-/'
    poweroff -f
    ;;
sink)
    ifconfig eth0 10.9.0.1 up
    /bench receive 5000 &
    sleep 1
    echo "@ sink-ready"
    wait
    poweroff -f
    ;;
source)
    ifconfig eth0 10.9.0.2 up
    /bench send 10.9.0.1 5000 32 | sed 's/^/@ nested-/'
    poweroff -f
    ;;
esac

echo "@ prompt"
user_mode ''
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
port=$(sed -n 's/.*port=\([0-9]*\).*/\1/p' /proc/cmdline)
/bench send 10.0.2.2 "$port" 64 | sed 's/^/@ /'
for disk in vda vdb; do
    if [ "$(cat /sys/block/$disk/ro)" = 1 ]; then
        mount -t ext4 -o ro /dev/$disk /mnt || echo "cannot mount the disk"
    else
        /bench block /dev/$disk 128 | sed 's/^/@ /'
    fi
done

# QEMU with a guest of KVM that does a part; further words are options of its own.
guest() {
    part=$1
    shift
    chroot /mnt /usr/bin/qemu-system-riscv64 -M virt -accel kvm -cpu host -m 192M -nodefaults \
        -nographic -no-reboot -serial stdio -kernel /usr/local/share/guest/vmlinux \
        -initrd /tmp/initrd -append "console=ttyS0 quiet bench=$part" "$@" </dev/null
}

mount --bind /proc /mnt/proc
mount --bind /dev /mnt/dev
mount --bind /sys /mnt/sys
mount -t tmpfs none /mnt/tmp
cp /mnt/usr/local/share/guest/initrd /mnt/tmp/initrd
size=$(stat -c %s /mnt/tmp/initrd)
truncate -s $(((size + 3) / 4 * 4)) /mnt/tmp/initrd
cat /extra.cpio >>/mnt/tmp/initrd
echo "@ nested-prompt-start"
truncate -s 64M /mnt/tmp/disk
guest prompt -drive file=/tmp/disk,if=none,id=d,format=raw -device virtio-blk-device,drive=d
rm /mnt/tmp/disk
guest sink -device virtio-net-device,netdev=n,mac=52:54:00:00:00:01 \
    -netdev stream,id=n,server=on,addr.type=unix,addr.path=/tmp/wire >/tmp/sink &
for _ in $(seq 300); do
    grep -q '^@ sink-ready' /tmp/sink && break
    sleep 1
done
guest source -device virtio-net-device,netdev=n,mac=52:54:00:00:00:02 \
    -netdev stream,id=n,server=off,addr.type=unix,addr.path=/tmp/wire
poweroff -f
