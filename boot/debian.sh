#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes what `isthmus boot debian` boots: usage: debian.sh ISTHMUS FOLDER VARIANT
#
# Packages come by apt, which checks the signed index and the hashes, into an apt root of its own
# below FOLDER; no privilege is needed. They are unpacked here, and become a file system by
# mke2fs -d. A machine that boots the stock kernel then gives the files their owners and runs the
# scripts of those packages that have one, as root of the guest. FOLDER/VARIANT/ has firmware,
# vmlinux, initrd and disk.img in the end; it appears whole or not at all. (The firmware is not the
# host's, since OpenSBI before 1.3 now and then starts a hart at the wrong place.)
#
# Variants: debian; debian-kvm, with QEMU and a guest to run in it; debian-gcc, with a compiler, and
# debian-kvm-gcc; nested, which is no Debian but a file system with QEMU's files and that guest, for
# tests and benches: it needs no machine to be made; stress, the same with stress-ng.
#
# Progress goes to stdout, a line "PERCENT TEXT" each; what is wrong to stderr. Exit status 3:
# the packages cannot be fetched.
set -eu
isthmus=$1
folder=$2
variant=$3
here=$(dirname "$0")
suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
system='?essential apt systemd-sysv udev dbus login passwd kmod iproute2 iputils-ping
    e2fsprogs debian-archive-keyring less procps'
vmm='qemu-system-riscv iperf3'
compiler='gcc libc6-dev'
modules='virtio_mmio virtio_blk failover net_failover virtio_net virtio-rng crc16 crc32c_generic
    crc32c-generic libcrc32c mbcache jbd2 ext4 netfs 9pnet 9p 9pnet_virtio'
# What of the kernel's modules goes onto the disk: what a machine without PCI and USB can use.
kept='arch crypto fs lib net virt drivers/virtio drivers/block drivers/char drivers/vhost
    drivers/net/tun.ko.xz drivers/net/veth.ko.xz drivers/net/tap.ko.xz drivers/net/virtio_net.ko.xz
    drivers/net/net_failover.ko.xz drivers/net/bonding drivers/md drivers/rtc'

case $variant in
debian) packages=$system size=8G files_only= ;;
debian-kvm) packages="$system $vmm" size=8G files_only= ;;
debian-gcc) packages="$system $compiler" size=8G files_only= ;;
debian-kvm-gcc) packages="$system $vmm $compiler" size=8G files_only= ;;
nested) packages=$vmm size=512M files_only=yes ;;
stress) packages="$vmm stress-ng" size=1G files_only=yes ;;
esac
[ -z "$files_only" ] || modules="$modules irqbypass kvm"
case $packages in *"$vmm"*) has_guest=yes ;; *) has_guest= ;; esac

PATH=$PATH:/usr/sbin:/sbin
for tool in apt-get dpkg-deb mke2fs cpio xz depmod; do
    if ! command -v $tool >/dev/null; then
        echo "isthmus: boot: the program $tool is needed (on Debian: packages apt, dpkg," \
            "e2fsprogs, cpio, xz-utils, kmod)" >&2
        exit 3
    fi
done
if [ ! -r $keyring ]; then
    echo "isthmus: boot: $keyring is needed to check signatures (package debian-archive-keyring)" >&2
    exit 3
fi

say() {
    echo "$1 $2"
}

# $1: what is wrong; $2: exit status.
fail() {
    echo "isthmus: boot: $1" >&2
    [ ! -s "$work/log" ] || { echo "the last lines of $work/log:"; tail -n 15 "$work/log"; } >&2
    exit "${2:-1}"
}

# --- fetching ---

# The archive that this system itself uses, or the one that the user names.
mirror() {
    if [ -n "${ISTHMUS_DEBIAN_MIRROR:-}" ]; then
        echo "$ISTHMUS_DEBIAN_MIRROR"
    else
        apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
            sed -n 's/^Debian //p' | grep -v -- '-security' | head -n 1
    fi
}

prepare_apt() {
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/etc"
    : >"$apt/status"
    url=$(mirror)
    [ -n "$url" ] || fail "cannot tell an archive: set ISTHMUS_DEBIAN_MIRROR to a Debian mirror" 3
    echo "deb [arch=riscv64 signed-by=$keyring] $url $suite main" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<END
APT::Architecture "riscv64";
APT::Architectures { "riscv64"; };
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Dir::Cache::archives "$apt/archives";
END
    export APT_CONFIG="$apt/apt.conf"
}

# apt's own figures, 0 to 100, into the range from $1 to $2.
show_download() {
    while IFS=: read -r kind _ percent _; do
        [ "$kind" = dlstatus ] || continue
        say $(($1 + ($2 - $1) * ${percent%.*} / 100)) "fetching packages"
    done
}

fetch() {
    say 1 "fetching the signed index"
    apt-get -q update >>"$work/log" 2>&1 || fail "cannot fetch the archive's index" 3
    # An index that could not be had makes apt go on with an old one, or none.
    apt-cache show linux-image-riscv64 >/dev/null 2>&1 || fail "cannot fetch the archive's index" 3
    kernel=$(apt-cache depends linux-image-riscv64 | sed -n 's/^ *Depends: \(linux-image-[0-9]\)/\1/p' |
        head -n 1)
    [ -n "$kernel" ] || fail "the archive has no kernel for riscv64" 3
    mkfifo "$work/status"
    show_download 3 40 <"$work/status" &
    # The kernel, busybox and the firmware are fetched alone: what they depend on is not needed.
    # shellcheck disable=SC2086
    apt-get -q -y -o APT::Status-Fd=9 --download-only install $packages \
        9>"$work/status" >>"$work/log" 2>&1 || fail "cannot fetch packages" 3
    wait
    say 40 "fetching the kernel"
    (cd "$apt/archives" && apt-get -q download "$kernel" busybox-static opensbi >>"$work/log" 2>&1) ||
        fail "cannot fetch the kernel" 3
    # Only what belongs to this set: the folder may hold older versions.
    # shellcheck disable=SC2086
    apt-get -q -y --print-uris --download-only -o Dir::Cache::archives="$work/none" install \
        $packages 2>>"$work/log" | sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p" >"$work/debs"
    [ -s "$work/debs" ] || fail "cannot tell which packages are needed"
    # In another folder: of files that are there apt prints nothing.
    extra=$(cd "$work" && apt-get -q --print-uris download "$kernel" busybox-static opensbi |
        sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p")
    [ -n "$extra" ] || fail "cannot tell the kernel's package"
}

# --- unpacking ---

# Files whose owner is not root, or that act for it, as a script: an unprivileged unpacking cannot
# give them. Reads tar's table.
special_files() {
    awk '{
        path = $6; for (i = 7; i <= NF; i++) path = path " " $i
        sub(/ (->|link to) .*/, "", path)
        if ($2 != "0/0") { split($2, id, "/"); print "chown -h " id[1] ":" id[2] " \"" path "\"" }
        if ($1 ~ /^[^l]..[sS]/ || $1 ~ /^[^l].....[sS]/) {
            m = ($1 ~ /^...[sS]/ ? "u+s" : "") ($1 ~ /^......[sS]/ ? ",g+s" : "")
            sub(/^,/, "", m); print "chmod " m " \"" path "\"" }
    }'
}

# What dpkg notes of a package's triggers when it unpacks it.
add_triggers() {
    sed -n 's/^interest\(-[a-z]*\)\{0,1\} */\1 /p' "$work/control/triggers" | while read -r kind what; do
        [ -n "$what" ] || { what=$kind kind=; }
        [ "$kind" = -noawait ] && mark=/noawait || mark=
        case $what in
        /*) echo "$what $file$mark" >>"$db/triggers/File" ;;
        *) echo "$file$mark" >>"$db/triggers/$what" ;;
        esac
    done
}

# One package: its files into the tree, its scripts and lists as dpkg keeps them. A package without
# a script is configured as soon as it is unpacked.
add_package() {
    rm -rf "$work/control"
    dpkg-deb -e "$1" "$work/control"
    name=$(sed -n 's/^Package: //p' "$work/control/control")
    file=$name
    ! grep -q '^Multi-Arch: same' "$work/control/control" || file=$name:riscv64
    dpkg-deb --fsys-tarfile "$1" |
        tar -x -v -v -p --numeric-owner --no-same-owner --no-overwrite-dir -C "$tree" >"$work/table"
    special_files <"$work/table" >>"$work/special"
    awk '{ path = $6; for (i = 7; i <= NF; i++) path = path " " $i
        sub(/ (->|link to) .*/, "", path); sub(/^\./, "", path); sub(/\/$/, "", path)
        print path == "" ? "/." : path }' "$work/table" >"$db/info/$file.list"
    for part in "$work/control"/*; do
        part=${part##*/}
        [ "$part" = control ] || cp "$work/control/$part" "$db/info/$file.$part"
    done
    state=installed
    [ ! -e "$work/control/postinst" ] || state=unpacked
    [ ! -e "$work/control/triggers" ] || add_triggers
    {
        sed -e '/^$/d' -e "/^Package:/a Status: install ok $state" "$work/control/control"
        if [ -s "$work/control/conffiles" ]; then
            echo "Conffiles:"
            (cd "$tree" && sed -n 's,^/,,p' "$work/control/conffiles" | xargs md5sum |
                sed 's,^\([^ ]*\) *\(.*\),\ /\2 \1,')
        fi
        echo
    } >>"$db/status"
}

unpack() {
    total=$(wc -l <"$work/debs")
    n=0
    # base-files first: its links /bin and so on are where the others unpack.
    for deb in $(grep '^base-files_' "$work/debs") $(grep -v '^base-files_' "$work/debs"); do
        n=$((n + 1))
        say $((45 + 15 * n / total)) "unpacking packages"
        if [ -n "$files_only" ]; then
            dpkg-deb -x "$apt/archives/$deb" "$tree"
        else
            add_package "$apt/archives/$deb"
        fi
    done
}

unpack_kernel() {
    say 60 "unpacking the kernel"
    mkdir -p "$work/kernel"
    for deb in $extra; do
        dpkg-deb --fsys-tarfile "$apt/archives/$deb" | tar -x --no-same-owner -C "$work/kernel"
    done
    version=$(ls "$work/kernel/usr/lib/modules")
    cp "$work/kernel/boot/vmlinux-$version" "$new/vmlinux"
    cp "$work/kernel/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin" "$new/firmware"
}

# --- what is made of it ---

# A small file system to start with: busybox, a script /init, modules. $1: the folder to make it
# in, $2: the script, $3: the modules, $4: the result.
make_initrd() {
    mkdir -p "$1/bin" "$1/lib/modules"
    cp "$work/kernel/usr/bin/busybox" "$1/bin/"
    cp "$2" "$1/init"
    chmod 755 "$1/init"
    for module in $3; do
        path=$(find "$work/kernel/usr/lib/modules/$version/kernel" -name "$module.ko.xz")
        [ -n "$path" ] || continue
        xz -d -c "$path" >"$1/lib/modules/$module.ko"
        echo "$module.ko" >>"$1/lib/modules/order"
    done
    (cd "$1" && find . | sort | cpio --quiet -R 0:0 -o -H newc | gzip -1) >"$4"
}

add_modules() {
    from=$work/kernel/usr/lib/modules/$version
    to=$tree/usr/lib/modules/$version
    mkdir -p "$to/kernel"
    cp "$from"/modules.builtin* "$from"/modules.order "$to/"
    for part in $kept; do
        if [ -e "$from/kernel/$part" ]; then
            mkdir -p "$to/kernel/$(dirname "$part")"
            cp -R "$from/kernel/$part" "$to/kernel/$part"
        fi
    done
    depmod -b "$tree/usr" -m /lib/modules "$version" 2>>"$work/log" ||
        depmod -b "$tree" "$version" >>"$work/log" 2>&1 || fail "depmod failed"
}

# What QEMU in the machine boots.
add_guest() {
    mkdir -p "$tree/usr/local/share/guest" "$tree/usr/local/bin"
    cp "$new/vmlinux" "$tree/usr/local/share/guest/"
    make_initrd "$work/guest" "$here/debian-guest.sh" \
        'virtio_mmio virtio_blk failover net_failover virtio_net' \
        "$tree/usr/local/share/guest/initrd"
    cp "$here/debian-nested.sh" "$tree/usr/local/bin/nested"
    chmod 755 "$tree/usr/local/bin/nested"
}

# Settings for the system's first minutes, and the archive that it goes on with.
add_settings() {
    cp "$work/special" "$tree/isthmus-special"
    cp "$here/debian-setup.sh" "$tree/isthmus-setup"
    mkdir -p "$tree/etc/apt/apt.conf.d"
    echo "deb [signed-by=$keyring] $url $suite main" >"$tree/etc/apt/sources.list"
    # A proxy on this host is at 10.0.2.2 for the guest.
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    proxy=${proxy:-${http_proxy:-}}
    [ -z "$proxy" ] || echo "Acquire::http::Proxy \"$proxy\";" |
        sed -E 's,//(localhost|127\.0\.0\.1|\[::1\]),//10.0.2.2,' \
            >"$tree/etc/apt/apt.conf.d/90proxy"
    [ -z "$has_guest" ] || {
        printf '\n%s\n%s\n' "KVM: the command 'nested' starts a guest under QEMU (nested --help)" '' \
            >"$tree/isthmus-motd"
    }
}

make_disk() {
    say 66 "making the disk"
    # Devices and the like that packages bring closed for their owner are read here, too.
    chmod -R u+rwX "$tree"
    mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -L root -d "$tree" "$new/disk.img" "$size" \
        >>"$work/log" 2>&1 || fail "cannot make a file system"
}

show_install() {
    scripts=$(ls "$db/info" | grep -c '\.postinst$')
    while kill -0 "$1" 2>/dev/null; do
        sleep 1
        n=$(grep -c '^Setting up' "$work/console" 2>/dev/null || true)
        say $((72 + 26 * ${n:-0} / scripts)) "configuring packages in the machine"
    done
}

configure() {
    say 72 "starting a machine to configure packages in"
    "$isthmus" run --harts 2 --memory 1G --bios "$new/firmware" --kernel "$new/vmlinux" \
        --initrd "$new/initrd" --append "console=ttyS0 quiet isthmus.install" --disk "$disk" \
        --console "file:$work/console" --timeout 7200 2>>"$work/log" &
    machine=$!
    trap 'kill $machine 2>/dev/null; wait $machine; remove_work; exit 1' HUP INT TERM
    show_install $machine
    wait $machine || true
    trap 'remove_work; exit 1' HUP INT TERM
    if ! grep -q '^ISTHMUS: installed' "$work/console"; then
        cat "$work/console" >>"$work/log"
        fail "the packages could not be configured"
    fi
    say 98 "adding the disk's journal"
    tune2fs -j "$new/disk.img" >>"$work/log" 2>&1 || fail "cannot finish the file system"
}

apt=$folder/apt
work=$folder/$variant.work
new=$work/new
tree=$work/tree
db=$tree/var/lib/dpkg
# --disk takes a comma as two.
disk=$(echo "$new/disk.img" | sed 's/,/,,/g')
remove_work() {
    chmod -R u+rwX "$work" 2>/dev/null || true
    rm -rf "$work"
}
trap 'remove_work; exit 1' HUP INT TERM
remove_work
mkdir -p "$new" "$tree"
prepare_apt
fetch
if [ -z "$files_only" ]; then
    mkdir -p "$db/info" "$db/triggers" "$db/updates"
    echo 1 >"$db/info/format"
    : >"$db/available"
    : >"$work/special"
fi
unpack
unpack_kernel
make_initrd "$work/initrd" "$here/debian-init.sh" "$modules" "$new/initrd"
[ -z "$has_guest" ] || add_guest
if [ -n "$files_only" ]; then
    for part in doc man locale info; do
        rm -rf "$tree/usr/share/$part"
    done
    for link in bin sbin lib; do
        ln -s usr/$link "$tree/$link"
    done
    mkdir -p "$tree/proc" "$tree/sys" "$tree/dev" "$tree/tmp" "$tree/run"
    make_disk
else
    add_modules
    add_settings
    make_disk
    configure
fi
chmod -R u+rwX "${folder:?}/$variant" 2>/dev/null || true
rm -rf "${folder:?}/$variant"
mv "$new" "$folder/$variant"
rm -rf "$work"
say 100 "done"
