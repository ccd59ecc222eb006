# SPDX-License-Identifier: MIT
# What root of a Debian runs for `isthmus bench linux`, from a disk; bench/kernels.c is there. "@"
# lines as in bench/console.h.
compile() {
    for _ in 1 2 3; do
        gcc -O2 -I. -c bench/kernels.c || return
    done
    echo "@ gcc"
}

if command -v gcc >/dev/null; then
    echo "@ gcc-start"
    compile
fi
poweroff
exit
