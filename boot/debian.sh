#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes what `isthmus boot debian` boots: usage: debian.sh ISTHMUS FOLDER VARIANT
#
# Packages come by apt, which checks the signed index and the hashes, into an apt root of its own
# below FOLDER; no privilege is needed. They are unpacked into one tar each and a dpkg database in
# state "unpacked"; a machine that boots the stock kernel then puts them on the root disk and runs
# the packages' own configuration, as root of the guest. FOLDER/VARIANT/ has vmlinux, initrd and
# disk.img in the end; it appears whole or not at all.
#
# Progress goes to stdout, a line "PERCENT TEXT" each; what is wrong to stderr.
set -eu
isthmus=$1
folder=$2
variant=$3
here=$(dirname "$0")
suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
packages='?essential apt systemd-sysv udev dbus login passwd kmod iproute2 iputils-ping
    e2fsprogs debian-archive-keyring less procps'
[ "$variant" = debian ] || packages="$packages qemu-system-riscv opensbi iperf3"
modules='virtio_mmio virtio_blk failover net_failover virtio_net virtio-rng crc16 crc32c_generic
    crc32c-generic libcrc32c mbcache jbd2 ext4 netfs 9pnet 9p 9pnet_virtio'
# What of the kernel's modules goes onto the disk: what a machine without PCI and USB can use.
kept='arch crypto fs lib net virt drivers/virtio drivers/block drivers/char drivers/vhost
    drivers/net/tun.ko.xz drivers/net/veth.ko.xz drivers/net/tap.ko.xz drivers/net/virtio_net.ko.xz
    drivers/net/net_failover.ko.xz drivers/net/bonding drivers/md drivers/rtc'

PATH=$PATH:/usr/sbin:/sbin
for tool in apt-get dpkg-deb mke2fs cpio xz; do
    if ! command -v $tool >/dev/null; then
        echo "boot debian: the program $tool is needed (on Debian: packages apt, dpkg," \
            "e2fsprogs, cpio, xz-utils)" >&2
        exit 1
    fi
done
if [ ! -r $keyring ]; then
    echo "boot debian: $keyring is needed to check signatures (package debian-archive-keyring)" >&2
    exit 1
fi

say() {
    echo "$1 $2"
}

fail() {
    echo "boot debian: $1" >&2
    [ ! -s "$work/log" ] || { echo "the last lines of $work/log:"; tail -n 15 "$work/log"; } >&2
    exit 1
}

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
    [ -n "$url" ] || fail "cannot tell an archive: set ISTHMUS_DEBIAN_MIRROR to a Debian mirror"
    echo "deb [arch=riscv64 signed-by=$keyring] $url $suite main" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<EOF
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
EOF
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
    apt-get -q update >>"$work/log" 2>&1 || fail "cannot fetch the archive's index"
    # An index that could not be had makes apt go on with an old one, or none.
    apt-cache show linux-image-riscv64 >/dev/null 2>&1 || fail "cannot fetch the archive's index"
    kernel=$(apt-cache depends linux-image-riscv64 | sed -n 's/^ *Depends: \(linux-image-[0-9]\)/\1/p' |
        head -n 1)
    [ -n "$kernel" ] || fail "the archive has no kernel for riscv64"
    mkfifo "$work/status"
    show_download 3 35 <"$work/status" &
    # shellcheck disable=SC2086
    apt-get -q -y -o APT::Status-Fd=9 --download-only install $packages \
        9>"$work/status" >>"$work/log" 2>&1 || fail "cannot fetch packages"
    wait
    say 35 "fetching the kernel"
    (cd "$work" && apt-get -q download "$kernel" busybox-static >>log 2>&1) ||
        fail "cannot fetch the kernel"
    # Only what belongs to this set: the folder may hold older versions.
    # shellcheck disable=SC2086
    apt-get -q -y --print-uris --download-only -o Dir::Cache::archives="$work/none" install \
        $packages 2>>"$work/log" | sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p" >"$work/debs"
    [ -s "$work/debs" ] || fail "cannot tell which packages are needed"
}

# One package into the payload: its files as a tar, its scripts and lists as dpkg keeps them.
add_package() {
    rm -rf "$work/control"
    dpkg-deb -e "$1" "$work/control"
    name=$(dpkg-deb -f "$1" Package)
    file=$name
    [ "$(dpkg-deb -f "$1" Multi-Arch)" != same ] || file=$name:riscv64
    dpkg-deb --fsys-tarfile "$1" >"$payload/tars/$name.tar"
    tar -t -f "$payload/tars/$name.tar" | sed -e 's/^\.//' -e 's,/$,,' -e 's,^$,/.,' \
        >"$payload/info/$file.list"
    for part in "$work/control"/*; do
        part=${part##*/}
        [ "$part" = control ] || cp "$work/control/$part" "$payload/info/$file.$part"
    done
    {
        sed -e '/^$/d' -e '/^Package:/a Status: install ok unpacked' "$work/control/control"
        if [ -s "$work/control/conffiles" ]; then
            mkdir -p "$work/conf"
            echo "Conffiles:"
            grep '^/' "$work/control/conffiles" | while read -r conf; do
                sum=$(tar -x -O -f "$payload/tars/$name.tar" ".$conf" | md5sum | cut -d ' ' -f 1)
                echo " $conf $sum"
            done
        fi
        echo
    } >>"$payload/status"
}

unpack() {
    payload=$work/payload
    mkdir -p "$payload/tars" "$payload/info" "$payload/files" "$work/kernel"
    echo 1 >"$payload/info/format"
    total=$(wc -l <"$work/debs")
    n=0
    while read -r deb; do
        n=$((n + 1))
        say $((37 + 13 * n / total)) "unpacking packages"
        add_package "$apt/archives/$deb"
    done <"$work/debs"
    say 50 "unpacking the kernel"
    dpkg-deb --fsys-tarfile "$work"/linux-image-*.deb | tar -x -C "$work/kernel" ./boot ./usr/lib
    dpkg-deb --fsys-tarfile "$work"/busybox-static_*.deb | tar -x -C "$work/kernel" ./usr/bin
    version=$(ls "$work/kernel/usr/lib/modules")
    cp "$work/kernel/boot/vmlinux-$version" "$new/vmlinux"
}

# The small file system that the kernel starts with.
make_initrd() {
    root=$work/initrd
    from=$work/kernel/usr/lib/modules/$version/kernel
    mkdir -p "$root/bin" "$root/lib/modules"
    cp "$work/kernel/usr/bin/busybox" "$root/bin/"
    cp "$here/debian-init.sh" "$root/init"
    chmod 755 "$root/init"
    for module in $modules; do
        path=$(find "$from" -name "$module.ko.xz")
        [ -n "$path" ] || continue
        xz -d -c "$path" >"$root/lib/modules/$module.ko"
        echo "$module.ko" >>"$root/lib/modules/order"
    done
    (cd "$root" && find . | sort | cpio --quiet -R 0:0 -o -H newc | gzip -1) >"$new/initrd"
}

# Modules and settings that go onto the disk beside the packages.
add_files() {
    from=$work/kernel/usr/lib/modules/$version
    to=$work/modules/usr/lib/modules/$version
    mkdir -p "$to/kernel"
    cp "$from"/modules.builtin* "$from"/modules.order "$to/"
    for part in $kept; do
        if [ -e "$from/kernel/$part" ]; then
            mkdir -p "$to/kernel/$(dirname "$part")"
            cp -R "$from/kernel/$part" "$to/kernel/$part"
        fi
    done
    find "$to" -name '*.xz' -exec xz -d {} +
    tar -c -f "$payload/tars/modules.tar" --owner=0 --group=0 -C "$work/modules" ./usr
    if [ "$variant" != debian ]; then
        mkdir -p "$payload/files/root"
        cp "$new/vmlinux" "$work/kernel/usr/bin/busybox" "$payload/files/root/"
    fi
    mkdir -p "$payload/files/etc/apt"
    sed "s/\[arch=riscv64 signed-by=[^]]*\]/[signed-by=$(echo $keyring | sed 's,/,\\/,g')]/" \
        "$apt/sources.list" >"$payload/files/etc/apt/sources.list"
    cat >"$payload/files/etc/isthmus-setup" <<'EOF'
set -e
echo debian >/etc/hostname
printf '127.0.0.1 localhost debian\n::1 localhost\n' >/etc/hosts
echo '/dev/vda / ext4 defaults 0 1' >/etc/fstab
mkdir -p /etc/systemd/network
printf '[Match]\nName=e*\n[Network]\nDHCP=yes\n' >/etc/systemd/network/ethernet.network
echo 'nameserver 10.0.2.3' >/etc/resolv.conf
# On a busy host the machine is slow, and udev tells of the console late.
mkdir -p /etc/systemd/system.conf.d
printf '[Manager]\nDefaultDeviceTimeoutSec=600\nDefaultTimeoutStartSec=600\n' \
    >/etc/systemd/system.conf.d/patience.conf
systemctl enable systemd-networkd
systemctl disable systemd-networkd-wait-online || true
echo 'debian: log in as root, no password is asked' >>/etc/issue
EOF
}

show_install() {
    while kill -0 "$1" 2>/dev/null; do
        sleep 1
        n=$(grep -c '^Setting up' "$work/console" 2>/dev/null || true)
        say $((56 + 43 * ${n:-0} / total)) "configuring packages in the machine"
    done
}

install() {
    say 53 "making disks"
    truncate -s 8G "$new/disk.img"
    mke2fs -q -t ext4 -L root "$new/disk.img" >>"$work/log" 2>&1 || fail "cannot make a file system"
    size=$(du -sm "$payload" | cut -f 1)
    truncate -s $((size + size / 4 + 64))M "$work/payload.img"
    mke2fs -q -t ext4 -d "$payload" "$work/payload.img" >>"$work/log" 2>&1 ||
        fail "cannot make a file system"
    say 56 "starting a machine to install"
    "$isthmus" run --harts 2 --memory 1G --kernel "$new/vmlinux" --initrd "$new/initrd" \
        --append "console=ttyS0 quiet isthmus.install" --disk "$new/disk.img" \
        --disk "$work/payload.img,readonly" --console "file:$work/console" --timeout 7200 \
        2>>"$work/log" &
    machine=$!
    trap 'kill $machine 2>/dev/null; exit 1' HUP INT TERM
    show_install $machine
    wait $machine || true
    if ! grep -q '^ISTHMUS: installed' "$work/console"; then
        cat "$work/console" >>"$work/log"
        fail "the installation failed"
    fi
}

apt=$folder/apt
work=$folder/$variant.work
new=$work/new
rm -rf "$work"
mkdir -p "$new"
prepare_apt
fetch
unpack
make_initrd
add_files
install
rm -rf "${folder:?}/$variant"
mv "$new" "$folder/$variant"
rm -rf "$work"
say 100 "done"
