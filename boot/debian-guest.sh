#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# First program of the guest that runs by KVM in the machine: a shell; or with run=COMMAND as its
# kernel's last words, that command and then the end.
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ PS1='guest# '
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
for module in $(cat /lib/modules/order); do
    insmod "/lib/modules/$module"
done
if grep -q ' run=' /proc/cmdline; then
    sh -c "$(sed 's/.* run=//' /proc/cmdline)"
else
    echo "This is a guest of KVM, with $(nproc) vCPUs; exit ends it."
    setsid cttyhack sh
fi
poweroff -f
