"""A test program on Debian's kernel, where this machine's lacks something.

    said = guest.run("peer/test_dhcp.py", "vlan-interface")

The machine is a virtual one without network, disk or firmware of its own.
All it has is in its initramfs: the tests, netukid, Python and ip(8), with the
libraries that they ask for, copied from here.
"""

import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from lab import netns, paths, uki

MODULES = ("bridge", "veth", "macvlan", "8021q")
# Of Python's library, what no test can want there.
_LEFT_OUT = ("config-*", "dist-packages", "idlelib", "lib2to3", "ensurepip",
             "distutils", "pydoc_data", "tkinter", "turtledemo", "test")
_LIBRARY = re.compile(r"(?:^|=> )\s*(/\S+) \(0x", re.MULTILINE)

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in $(cat /modules/order); do
	insmod "/modules/$module"
done
export PATH=/bin:/sbin HOME=/ NETUKI_BUILD=/build
ip link set lo up
@COMMAND@ </dev/null >/dev/ttyS0 2>&1
sleep 1
poweroff -f
"""


class _Root:
    """The files of the initramfs, by their paths without the first slash."""

    def __init__(self):
        self._cpio = uki.Cpio()
        self._known = {"."}
        for name in ("dev", "proc", "sys", "tmp", "run"):
            self._folder(Path(name))
        self._cpio.device("dev/console", 5, 1)

    def _folder(self, path):
        if str(path) in self._known:
            return
        self._folder(path.parent)
        self._known.add(str(path))
        self._cpio.directory(str(path))

    def write(self, name, data, mode=0o644, mtime=0):
        """A file with these bytes; the first of a name stays."""
        path = Path(name.lstrip("/"))
        if str(path) not in self._known:
            self._folder(path.parent)
            self._known.add(str(path))
            self._cpio.file(str(path), data, mode, mtime)

    def copy(self, source, name=None):
        """A file of this machine, at its own path if no other is given.

        It keeps its time: what Python has compiled is good only with that.
        """
        source = Path(source)
        found = source.stat()
        self.write(name or str(source), source.read_bytes(),
                   found.st_mode & 0o777, int(found.st_mtime))

    def copy_tree(self, folder, name=None, left_out=()):
        """A folder with all that is in it."""
        for path in sorted(Path(folder).rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and not any(
                    part.match(pattern) for part in (inside, *inside.parents)
                    for pattern in left_out):
                self.copy(path, f"{name or folder}/{inside}")

    def copy_program(self, source, name=None):
        """A program or library, and the libraries that it asks for."""
        self.copy(source, name)
        told = subprocess.run(["ldd", source], check=False, text=True,
                              capture_output=True).stdout
        for library in _LIBRARY.findall(told):
            self.copy(library)

    def finish(self):
        """The archive's bytes."""
        return self._cpio.finish()


def _root(command):
    """The initramfs in which COMMAND is run."""
    root = _Root()
    root.copy_program(uki.busybox(), "bin/busybox")
    root.copy_program(paths.program("ip"), "bin/ip")
    root.copy_program(Path(sys.executable).resolve(), "bin/python3")
    library = sysconfig.get_path("stdlib")
    root.copy_tree(library, left_out=_LEFT_OUT)
    for path in Path(library, "lib-dynload").glob("*.so"):
        root.copy_program(path)
    root.copy_tree(paths.REPO / "tests/lab", "tests/lab")
    root.copy_tree(paths.REPO / "tests/peer", "tests/peer")
    root.copy_program(paths.built("netukid"), "build/netukid")
    root.copy_program(paths.built("netukictl"), "build/netukictl")
    for path in ("usr/lib/ipxe/snponly.efi", "usr/lib/ipxe/undionly.kpxe"):
        root.copy(paths.asset(path), path)
    root.write("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
    root.write("etc/group", b"root:x:0:\n")
    order = []
    for name in MODULES:
        uki.module_chain(paths.asset(uki.ARCHES["x64"]["modules"]), name,
                         order)
    for path in order:
        root.copy(path, f"modules/{path.name}")
    root.write("modules/order",
               "".join(f"{path.name}\n" for path in order).encode())
    root.write("init", INIT.replace("@COMMAND@", command).encode(), 0o755)
    return root.finish()


def run(lab, program, pattern, timeout=300):
    """What the tests of PROGRAM, a path below tests/, say that fit PATTERN."""
    command = shlex.join(["python3", f"/tests/{program}", "--only", pattern])
    initrd = lab.tmp / "guest.cpio"
    initrd.write_bytes(_root(command))
    done = subprocess.run(
        [paths.program("qemu-system-x86_64"), "-machine", "q35", "-accel",
         "tcg,thread=multi", "-m", "1024", "-display", "none", "-no-reboot",
         "-nodefaults", "-vga", "none", "-monitor", "none", "-nic", "none",
         "-serial", "stdio", "-kernel",
         paths.asset(uki.ARCHES["x64"]["kernel"]), "-initrd", initrd,
         "-append", "console=ttyS0 quiet panic=-1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=timeout, check=False,
        preexec_fn=netns.child_setup(None))
    return done.stdout.decode(errors="replace").replace("\r", "")
