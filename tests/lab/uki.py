#!/usr/bin/python3
"""Builds a unified kernel image whose guest says its command line and stops.

The image is systemd's stub, Debian's cloud kernel and an initramfs that holds
busybox and one script.  The guest writes to its first serial port

    netuki-guest: cmdline: <contents of /proc/cmdline>
    netuki-guest: up

and powers off.  It writes to the port itself: a lost command line means that
there is no console either.  Images are cached under build/lab/uki by what
went into them.

    tests/lab/uki.py --out build/lab/demo.efi [--cmdline TEXT] [--size MB]
"""

import argparse
import hashlib
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import paths  # noqa: E402  (the path is set just above)

DEFAULT_CMDLINE = "console=ttyS0 quiet panic=-1"
OSREL = 'ID=netuki-guest\nNAME="netuki guest"\nVERSION_ID=1\n'
GUEST_CMDLINE = r"netuki-guest: cmdline: <([^\n\r]*)>"
GUEST_UP = r"netuki-guest: up"
GUEST_FETCHED = r"netuki-guest: fetched: ([0-9]+) ([0-9a-f]{64})"

# Architecture names are the configuration's.
ARCHES = {
    "x64": {
        "stub": "usr/lib/systemd/boot/efi/linuxx64.efi.stub",
        "kernel": "boot/vmlinuz-*-cloud-amd64",
        "modules": "lib/modules/*-cloud-amd64",
        "machine": 0x8664,
    },
    "aa64": {
        "stub": "usr/lib/systemd/boot/efi/linuxaa64.efi.stub",
        "kernel": "boot/vmlinuz-*-cloud-arm64",
        "modules": "lib/modules/*-cloud-arm64",
        "machine": 0xAA64,
    },
}

# printk is silenced first, so that no kernel message lands in the line.
# Writing through one open file and waiting lets the port drain: a power-off
# would cut the words.
INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
echo 1 >/proc/sys/kernel/printk
port=/dev/@PORT@
[ -c "$port" ] || port=/dev/console
stty -F "$port" 115200 raw 2>/dev/null
printf '\r\nnetuki-guest: cmdline: <%s>\r\n' "$(cat /proc/cmdline)" >"$port"
printf 'netuki-guest: up\r\n' >"$port"
[ ! -x /network ] || /network >"$port" 2>&1
sleep 1
poweroff -f
"""

# With a URL, the guest fetches it and says the size and digest of what came.
NETWORK = r"""#!/bin/busybox sh
for module in $(cat /modules/order); do
	insmod "/modules/$module"
done
ip link set eth0 up
udhcpc -q -n -i eth0 -t 8 -s /udhcpc.script >/dev/null 2>&1
wget -q -O /fetched '@URL@'
echo "netuki-guest: fetched: $(stat -c %s /fetched)" \
	"$(sha256sum /fetched | cut -d ' ' -f 1)"
"""

UDHCPC_SCRIPT = r"""#!/bin/busybox sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/${mask:-24}" dev "$interface"
[ -z "$router" ] || ip route add default via "${router%% *}"
"""


class Cpio:
    """A newc archive in memory, the same bytes for the same contents."""

    def __init__(self):
        self._parts = []
        self._ino = 0

    def _entry(self, name, mode, data=b"", rdev=(0, 0), mtime=0):
        self._ino += 1
        encoded = name.encode() + b"\0"
        fields = (self._ino, mode, 0, 0, 1, mtime, len(data), 0, 0, rdev[0],
                  rdev[1], len(encoded), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields)
        head += encoded
        self._parts += [head, b"\0" * (-len(head) % 4),
                        data, b"\0" * (-len(data) % 4)]

    def directory(self, name):
        """Adds a directory."""
        self._entry(name, 0o040755)

    def file(self, name, data, mode=0o644, mtime=0):
        """Adds a regular file with DATA (bytes)."""
        self._entry(name, 0o100000 | mode, data, mtime=mtime)

    def device(self, name, major, minor):
        """Adds a character device."""
        self._entry(name, 0o020600, rdev=(major, minor))

    def finish(self):
        """The archive's bytes; nothing may be added afterwards."""
        self._entry("TRAILER!!!", 0)
        return b"".join(self._parts)


def busybox():
    """Debian's static busybox, from the machine or unpacked."""
    for pattern in ("bin/busybox", "usr/bin/busybox"):
        for root in (Path("/"), paths.UNPACKED):
            path = root / pattern
            if path.exists() and _is_static(path):
                return path
    return paths.asset("bin/busybox-static")


def _is_static(path):
    """Whether an ELF program asks for no interpreter (no PT_INTERP)."""
    data = path.read_bytes()[:4096]
    offset, = struct.unpack_from("<Q", data, 0x20)
    size, count = struct.unpack_from("<HH", data, 0x36)
    kinds = [struct.unpack_from("<I", data, offset + size * i)[0]
             for i in range(count)]
    return 3 not in kinds


def module_chain(tree, name, order):
    """Appends to ORDER the files of module NAME after those it depends on."""
    pattern = name.replace("-", "_")
    found = [path for path in tree.rglob("*.ko*")
             if path.name.split(".")[0].replace("-", "_") == pattern]
    if not found:
        return
    depends = subprocess.run(
        [paths.program("modinfo"), "-F", "depends", str(found[0])],
        check=True, capture_output=True, text=True).stdout.strip()
    for other in filter(None, depends.split(",")):
        module_chain(tree, other, order)
    if found[0] not in order:
        order.append(found[0])


def _add_network(cpio, arch, url):
    """Adds to CPIO what the guest needs to fetch URL over virtio-net."""
    order = []
    tree = paths.asset(ARCHES[arch]["modules"])
    for name in ("virtio_pci", "virtio_net"):
        module_chain(tree, name, order)
    cpio.directory("modules")
    for path in order:
        cpio.file("modules/" + path.name, path.read_bytes())
    names = "".join(path.name + "\n" for path in order)
    cpio.file("modules/order", names.encode())
    cpio.file("network", NETWORK.replace("@URL@", url).encode(), 0o755)
    cpio.file("udhcpc.script", UDHCPC_SCRIPT.encode(), 0o755)


def _ballast(size):
    """SIZE bytes that do not compress, the same ones every time."""
    source = random.Random(0x6e65)
    whole, rest = divmod(size, 1 << 20)
    for _ in range(whole):
        yield source.randbytes(1 << 20)
    yield source.randbytes(rest)


def _initrd(arch, ballast, url):
    """The initramfs; BALLAST bytes of it are of no use."""
    cpio = Cpio()
    for name in ("bin", "dev", "proc", "sys"):
        cpio.directory(name)
    cpio.device("dev/console", 5, 1)
    cpio.file("bin/busybox", busybox().read_bytes(), 0o755)
    port = "ttyAMA0" if arch == "aa64" else "ttyS0"
    cpio.file("init", INIT.replace("@PORT@", port).encode(), 0o755)
    if url:
        _add_network(cpio, arch, url)
    if ballast > 0:
        cpio.file("ballast", b"".join(_ballast(ballast)))
    return cpio.finish()


def sections(data):
    """The sections of a PE file: (name, rva, virtual size, raw, raw size).

    Also returns the image base and the section alignment, as
    (base, alignment, list).
    """
    pe_at, = struct.unpack_from("<I", data, 0x3C)
    if data[pe_at:pe_at + 4] != b"PE\0\0":
        raise ValueError("not a PE file")
    count, = struct.unpack_from("<H", data, pe_at + 6)
    optional_size, = struct.unpack_from("<H", data, pe_at + 20)
    optional = pe_at + 24
    base, alignment = struct.unpack_from("<QI", data, optional + 24)
    found = []
    for i in range(count):
        at = optional + optional_size + 40 * i
        name = data[at:at + 8].rstrip(b"\0").decode()
        vsize, rva, raw_size, raw = struct.unpack_from("<IIII", data, at + 8)
        found.append((name, rva, vsize, raw, raw_size))
    return base, alignment, found


def section(path, name):
    """The contents of section NAME of the PE file at PATH, or None."""
    with open(path, "rb") as file:
        _, _, found = sections(file.read(4096))
        for title, _, vsize, raw, raw_size in found:
            if title == name:
                file.seek(raw)
                return file.read(min(vsize, raw_size))
    return None


def assemble(stub, parts, out):
    """Writes to OUT the stub with PARTS, a list of (section name, file).

    Every section goes to the next free page after all others: overlapping
    ones boot junk.
    """
    base, alignment, found = sections(Path(stub).read_bytes())
    alignment = max(alignment, 4096)

    def align(value):
        return (value + alignment - 1) // alignment * alignment

    free = align(max(rva + size for _, rva, size, _, _ in found))
    command = [paths.program("objcopy")]
    for name, path in parts:
        command += ["--add-section", f"{name}={path}",
                    "--set-section-flags", f"{name}=data,readonly",
                    "--change-section-vma", f"{name}={base + free:#x}"]
        free = align(free + os.path.getsize(path))
    subprocess.run(command + [str(stub), str(out)], check=True)


def _write_parts(folder, recipe, kernel):
    """Writes the sections' contents in FOLDER; .linux is the last."""
    version = kernel.name.removeprefix("vmlinuz-")
    texts = [(".osrel", OSREL), (".cmdline", recipe["cmdline"]),
             (".uname", version)]
    parts = []
    for name, text in texts:
        path = folder / name
        path.write_bytes(text.encode())
        parts.append((name, path))
    if recipe["ucode"]:
        cpio = Cpio()
        cpio.directory("kernel")
        cpio.file("kernel/ucode", recipe["ucode"])
        (folder / ".ucode").write_bytes(cpio.finish())
        parts.append((".ucode", folder / ".ucode"))
    ballast = recipe["size"] * 1000 * 1000 - kernel.stat().st_size - 2000000
    initrd = folder / ".initrd"
    initrd.write_bytes(_initrd(recipe["arch"], ballast, recipe["url"]))
    return parts + [(".initrd", initrd), (".linux", kernel)]


def _key(recipe, files):
    """A name for what RECIPE and the contents of FILES make together."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    text = repr(sorted(recipe.items())) + INIT + NETWORK + OSREL
    digest.update(text.encode())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:20]


def build(cmdline=DEFAULT_CMDLINE, size=0, arch="x64", url="", ucode=b""):
    """The path of the cached image for these wishes, built when needed.

    SIZE is in MB (10^6) and is the least that the image shall have; 0 gives
    the small one of about 17 MB.  With URL the guest fetches that address
    before it stops.  UCODE adds a .ucode section that holds these bytes.
    """
    known = ARCHES[arch]
    stub = paths.asset(known["stub"])
    kernel = paths.asset(known["kernel"])
    recipe = {"cmdline": cmdline, "size": size, "arch": arch, "url": url,
              "ucode": ucode}
    folder = paths.CACHE / "uki"
    path = folder / (_key(recipe, (stub, kernel, busybox())) + ".efi")
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as work:
        parts = _write_parts(Path(work), recipe, kernel)
        made = Path(work) / "image.efi"
        assemble(stub, parts, made)
        made.rename(path)
    return path


def place(source, target):
    """Copies SOURCE to TARGET, replaced by a rename as an operator would.

    A copy, not a link: what a test does to it must not reach the cache.  It
    is a minute old, so that nobody waits to see whether it is whole.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, fresh)
    fresh.chmod(0o644)
    a_minute_ago = time.time() - 60
    os.utime(fresh, (a_minute_ago, a_minute_ago))
    fresh.rename(target)
    return target


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--cmdline", default=DEFAULT_CMDLINE)
    parser.add_argument("--size", type=int, default=0, metavar="MB")
    parser.add_argument("--arch", choices=sorted(ARCHES), default="x64")
    parser.add_argument("--fetch", default="", metavar="URL",
                        help="the guest fetches this and says its digest")
    args = parser.parse_args()
    try:
        path = build(args.cmdline, args.size, args.arch, args.fetch)
    except paths.Missing as err:
        parser.exit(1, f"uki.py: {err}\n")
    place(path, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
