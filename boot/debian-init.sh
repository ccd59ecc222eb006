#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# First program of the stock kernel. It loads the drivers of the root disk, and then goes over to the
# system on it; or, with isthmus.install in the command line, makes that system first: out of the
# payload disk, unpacked and configured by the packages' own scripts.
/bin/busybox mkdir -p /proc /sys /dev /root /payload
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
for module in $(cat /lib/modules/order); do
    insmod "/lib/modules/$module" || echo "cannot load $module"
done

wait_for() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ -b "$1" ] && return
        sleep 1
    done
    echo "there is no disk $1"
}

give_up() {
    echo "ISTHMUS: $*"
    poweroff -f
    sleep 60
}

unpack() {
    mount -t ext4 -o ro /dev/vdb /payload || give_up "cannot mount the payload"
    # base-files first: its links /bin and so on are where the others unpack.
    for tar in /payload/tars/base-files.tar /payload/tars/*.tar; do
        tar -x -f "$tar" -C /root || give_up "cannot unpack $tar"
    done
    mkdir -p /root/var/lib/dpkg/info /root/var/lib/dpkg/updates
    cp /payload/info/* /root/var/lib/dpkg/info/
    cp /payload/status /root/var/lib/dpkg/status
    : >/root/var/lib/dpkg/available
    cp -R /payload/files/. /root/
    chown -R 0:0 /root/etc/apt /root/root
}

configure() {
    # What scripts rely on before the package that brings it is configured.
    cp /root/usr/share/base-passwd/passwd.master /root/etc/passwd
    cp /root/usr/share/base-passwd/group.master /root/etc/group
    [ -e /root/usr/bin/awk ] || ln -s mawk /root/usr/bin/awk
    printf '#!/bin/sh\nexit 101\n' >/root/usr/sbin/policy-rc.d
    chmod 755 /root/usr/sbin/policy-rc.d
    for fs in proc sys dev; do
        mount --bind "/$fs" "/root/$fs"
    done
    DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C HOME=/root \
        chroot /root /usr/bin/dpkg --force-depends --force-confold --force-unsafe-io \
        --configure -a || give_up "the packages' configuration failed"
    chroot /root /usr/sbin/depmod "$(uname -r)"
    rm /root/usr/sbin/policy-rc.d
    chroot /root /usr/bin/passwd -d root
    chroot /root /bin/sh /etc/isthmus-setup || give_up "the last settings failed"
    rm /root/etc/isthmus-setup
    for fs in dev sys proc; do
        umount "/root/$fs"
    done
}

wait_for /dev/vda
if grep -q isthmus.install /proc/cmdline; then
    mount -t ext4 /dev/vda /root || give_up "cannot mount the root disk"
    unpack
    configure
    sync
    umount /root && give_up "installed"
    give_up "cannot unmount the root disk"
fi
mount -t ext4 /dev/vda /root || exec setsid cttyhack sh
umount /sys /proc
exec switch_root /root /sbin/init
