# SPDX-License-Identifier: MIT
"""Debian's stock riscv64 kernel and a busybox initramfs for tests, out of Debian packages.

The packages come by apt, which checks their signatures, from the archive that this system uses,
into an apt root of their own below the user's cache folder. Unreachable is raised where that cannot
be.
"""
import fcntl
import glob
import gzip
import lzma
import os
import re
import shutil
import subprocess

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                     "isthmus", "tests")


# What a device does with the guest's memory is not ThreadSanitizer's business.
os.environ.setdefault("TSAN_OPTIONS", "suppressions=" + os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "tsan.supp"))


class Unreachable(Exception):
    pass


def mirror():
    if os.environ.get("ISTHMUS_DEBIAN_MIRROR"):
        return os.environ["ISTHMUS_DEBIAN_MIRROR"]
    p = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)",
                        "Created-By: Packages"], capture_output=True, text=True, check=False)
    for line in p.stdout.splitlines():
        origin, _, uri = line.partition(" ")
        if origin == "Debian" and "-security" not in uri:
            return uri
    raise Unreachable("this system has no archive of Debian")


def apt(root, *args, cwd=None):
    env = dict(os.environ, APT_CONFIG=os.path.join(root, "apt.conf"))
    p = subprocess.run(args, env=env, capture_output=True, text=True, check=False, cwd=cwd)
    if p.returncode:
        raise Unreachable((p.stderr.strip().splitlines() or ["apt failed"])[0])
    return p.stdout


def make_root(root, *architectures):
    if not shutil.which("apt-get") or not os.path.exists(KEYRING):
        raise Unreachable("apt or Debian's keyring is not installed")
    os.makedirs(os.path.join(root, "lists/partial"), exist_ok=True)
    os.makedirs(os.path.join(root, "archives/partial"), exist_ok=True)
    with open(os.path.join(root, "sources.list"), "w", encoding="utf-8") as f:
        f.write(f"deb [arch={','.join(architectures)} signed-by={KEYRING}] {mirror()} {SUITE} main\n")
    with open(os.path.join(root, "status"), "w", encoding="utf-8"):
        pass
    with open(os.path.join(root, "apt.conf"), "w", encoding="utf-8") as f:
        names = " ".join(f'"{a}";' for a in architectures)
        f.write(f'APT::Architecture "{architectures[0]}";\nAPT::Architectures {{ {names} }};\n'
                f'APT::Sandbox::User "";\nAcquire::Languages "none";\nAcquire::Retries "2";\n'
                f'Dir::Etc::sourcelist "{root}/sources.list";\n'
                f'Dir::Etc::sourceparts "/dev/null";\nDir::State "{root}";\n'
                f'Dir::State::lists "{root}/lists";\nDir::State::status "{root}/status";\n'
                f'Dir::Cache "{root}";\nDir::Cache::archives "{root}/archives";\n')


def download(ready, apt_root, architectures, choose):
    """Unpacks packages to the folder @ready, which appears whole or not at all. @choose(root) names
    them, asking the index below the apt root."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(ready):
            return ready
        root, work = os.path.join(CACHE, apt_root), os.path.join(CACHE, "work")
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(os.path.join(work, "debs"))
        make_root(root, *architectures)
        apt(root, "apt-get", "-q", "update")
        apt(root, "apt-get", "-q", "download", *choose(root), cwd=os.path.join(work, "debs"))
        for deb in glob.glob(os.path.join(work, "debs", "*.deb")):
            subprocess.run(["dpkg-deb", "-x", deb, os.path.join(work, "files")], check=True)
        os.rename(os.path.join(work, "files"), ready)
        shutil.rmtree(work)
    return ready


def choose_kernel(root):
    found = re.search(r"Depends: (linux-image-[0-9]\S*)",
                      apt(root, "apt-cache", "depends", "linux-image-riscv64"))
    if not found:
        raise Unreachable("the archive's index could not be fetched")
    return found[1], "busybox-static"


def fetch():
    """The folder with the unpacked kernel and busybox."""
    return download(os.path.join(CACHE, "kernel"), "apt", ["riscv64"], choose_kernel)


def headers():
    """The folder in which modules for the kernel are built: Debian's headers, and kbuild's programs
    for this host with the libc that they were linked with, which may be newer than the host's."""
    version = os.path.basename(kernel()).removeprefix("vmlinux-")
    series = version.removesuffix("-riscv64")
    native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True,
                            check=True).stdout.strip()
    ready = os.path.join(CACHE, "headers-" + version)
    download(ready, "apt-headers", ["riscv64", native],
             lambda root: (f"linux-headers-{version}", f"linux-headers-{series}-common",
                           f"linux-kbuild-{series}:{native}", f"libc6:{native}"))
    libc = os.path.dirname(glob.glob(os.path.join(ready, "usr/lib/*/ld-linux*"))[0])
    loader = glob.glob(os.path.join(libc, "ld-linux*"))[0]
    scripts = os.path.join(ready, "usr/lib", "linux-kbuild-" + series, "scripts")
    build = os.path.join(ready, "usr/src", "linux-headers-" + version)
    for name, real in (("basic/fixdep", "basic/fixdep.real"),
                       ("mod/modpost", "mod/modpost.real-lsb-64")):
        name, real = os.path.join(scripts, name), os.path.join(scripts, real)
        if not os.path.exists(real):
            os.rename(name, real)
        with open(name, "w", encoding="utf-8") as f:
            f.write(f'#!/bin/sh\nexec {loader} --library-path {libc} {real} "$@"\n')
        os.chmod(name, 0o755)
    with open(os.path.join(build, "Makefile"), "w", encoding="utf-8") as f:
        f.write(f"include {ready}/usr/src/linux-headers-{series}-common/Makefile\n")
    return build


def kernel():
    return glob.glob(os.path.join(fetch(), "boot", "vmlinux-*"))[0]


def firmware():
    """OpenSBI of the same archive. Before 1.3 it now and then starts a hart at the wrong place."""
    folder = download(os.path.join(CACHE, "firmware"), "apt", ["riscv64"], lambda root: ("opensbi",))
    return os.path.join(folder, "usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin")


def machine(isthmus, initrd, harts, memory):
    """The words of a machine with the stock kernel."""
    return [isthmus, "run", "--harts", str(harts), "--memory", memory, "--bios", firmware(), "--kernel",
            kernel(), "--initrd", initrd, "--append", "console=ttyS0 quiet"]


def cpio(entries):
    """A newc archive of (name, mode, bytes)."""
    out = bytearray()
    for number, (name, mode, data) in enumerate(list(entries) + [("TRAILER!!!", 0, b"")]):
        fields = [number + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
    return bytes(out)


INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /mnt
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
for m in $(cat /modules/order); do insmod /modules/$m || echo "insmod $m failed"; done
. /script
poweroff -f
"""


def initramfs(path, script, modules, files=()):
    """Write an initramfs that loads modules in their order, runs a shell script, and powers off."""
    root = fetch()
    entries = [(d, 0o040755, b"") for d in ("bin", "modules")]
    order = []
    for module in modules:
        found = glob.glob(os.path.join(root, "usr/lib/modules/*/kernel/**", module + ".ko.xz"),
                          recursive=True)
        if found:
            with lzma.open(found[0]) as f:
                entries.append((f"modules/{module}.ko", 0o100644, f.read()))
            order.append(module + ".ko")
    with open(os.path.join(root, "usr/bin/busybox"), "rb") as f:
        entries.append(("bin/busybox", 0o100755, f.read()))
    entries += [("init", 0o100755, INIT.encode()), ("script", 0o100644, script.encode()),
                ("modules/order", 0o100644, "\n".join(order).encode())]
    entries += [(name, 0o100755, data if isinstance(data, bytes) else data.encode())
                for name, data in files]
    with gzip.open(path, "wb", 1) as f:
        f.write(cpio(entries))


def run(command):
    """A machine to its end, without input. Result: its status and what it said, by lines."""
    lines = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as p:
        for line in p.stdout:
            lines.append(line.rstrip())
            print("#", lines[-1], flush=True)
    return p.returncode, lines


def said(lines):
    """What lines "@ NAME VALUE" of a script say."""
    return {match[1]: match[2] for match in (re.match(r"@ (\S+) ?(.*)", line) for line in lines) if match}


def variant(isthmus, name):
    """The folder with a variant of what boot/debian.sh makes, made where it is not there."""
    folder = os.path.join(os.path.dirname(CACHE), "debian")
    script = os.path.join(os.path.dirname(isthmus), "boot", "debian.sh")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, name)):
            p = subprocess.run(["sh", script, isthmus, folder, name], stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True, check=False)
            print("\n".join("# " + l for l in p.stderr.splitlines()))
            if p.returncode == 3:
                raise Unreachable(p.stderr.splitlines()[0] if p.stderr else "no packages")
            if p.returncode:
                raise RuntimeError(f"boot/debian.sh failed: {p.stderr}")
    return os.path.join(folder, name)


def tap(cases):
    """Runs a generator of (name, got, wanted) as TAP. Result: exit status."""
    number = failed = 0
    try:
        for number, (name, got, wanted) in enumerate(cases(), 1):
            print(f"{'ok' if got == wanted else 'not ok'} {number} - {name}", flush=True)
            if got != wanted:
                failed += 1
                print(f"# got {got!r}, expected {wanted!r}")
    except Unreachable as why:
        print(f"1..0 # SKIP the packages cannot be had: {why}")
        return 0
    print(f"1..{number}")
    return int(failed > 0)
