#!/bin/sh
# SPDX-License-Identifier: MIT
# Settings of a new Debian that its packages leave open; runs once, as root in it.
set -e
passwd -q -d root
echo debian >/etc/hostname
printf '127.0.0.1 localhost debian\n::1 localhost\n' >/etc/hosts
echo '/dev/vda / ext4 defaults,noatime 0 1' >/etc/fstab
mkdir -p /etc/systemd/network
printf '[Match]\nName=e*\n[Network]\nDHCP=yes\n' >/etc/systemd/network/ethernet.network
echo 'nameserver 10.0.2.3' >/etc/resolv.conf
# On a busy host the machine is slow, and udev tells of the console late.
mkdir -p /etc/systemd/system.conf.d
printf '[Manager]\nDefaultDeviceTimeoutSec=600\nDefaultTimeoutStartSec=600\n' \
    >/etc/systemd/system.conf.d/patience.conf
systemctl -q enable systemd-networkd
systemctl -q disable systemd-networkd-wait-online || true
# There is no firmware to be started by, and no second console.
systemctl -q mask systemd-boot-update getty@tty1 || true
printf 'Debian GNU/Linux 13 on isthmus, \\l: log in as root, no password is asked\n\n' >/etc/issue
if [ -e /isthmus-motd ]; then
    cat /isthmus-motd >>/etc/motd
    rm /isthmus-motd
fi
