#!/bin/sh
# SPDX-License-Identifier: MIT
# The command "nested" of a Debian made with --kvm: a stock kernel as guest of KVM, under QEMU.
files=/usr/local/share/guest
if [ "${1:-}" = --help ]; then
    cat <<'END'
usage: nested [QEMU'S OPTIONS]...

Starts Debian's stock kernel with a small file system as a guest of KVM, to a shell. Options come
behind its own, such as -smp 2 or -m 1G. RUN=COMMAND in the environment runs that command in the
guest instead of a shell. The files are in /usr/local/share/guest. Ctrl-A x ends QEMU; where
Ctrl-A is isthmus' own, type it twice.
END
    exit
fi
[ -e /dev/kvm ] || modprobe kvm || exit
exec qemu-system-riscv64 -M virt -accel kvm -cpu host -m 256M -nographic -nodefaults -no-reboot \
    -serial mon:stdio -kernel $files/vmlinux -initrd $files/initrd \
    -append "console=ttyS0 quiet${RUN:+ run=$RUN}" "$@"
