#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# First program of the stock kernel. It loads the drivers of the root disk, and then goes over to
# the system on it; or, with isthmus.install in the command line, first finishes that system: files
# get their owners, and packages are configured by their own scripts.
/bin/busybox mkdir -p /proc /sys /dev /root
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

# The disk was made by somebody who is not root.
give_owners() {
    chown -R -h 0:0 /root
    (cd /root && sh isthmus-special) || give_up "cannot give files their owners"
    rm /root/isthmus-special
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
    rm /root/usr/sbin/policy-rc.d
    chroot /root /bin/sh /isthmus-setup || give_up "the last settings failed"
    rm /root/isthmus-setup
    for fs in dev sys proc; do
        umount "/root/$fs"
    done
}

wait_for /dev/vda
if grep -q isthmus.install /proc/cmdline; then
    # Nothing of it is of worth before the end: no barriers, no times of access.
    mount -t ext4 -o nobarrier,noatime /dev/vda /root || give_up "cannot mount the root disk"
    give_owners
    configure
    sync
    umount /root && give_up "installed"
    give_up "cannot unmount the root disk"
fi
mount -t ext4 /dev/vda /root || exec setsid cttyhack sh
umount /sys /proc
exec switch_root /root /sbin/init
