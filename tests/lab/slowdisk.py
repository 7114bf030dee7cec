#!/usr/bin/python3
"""File systems whose reads take their time, so that one can wait with them.

    with SlowFolder(folder, contents, delay=0.05) as slow:
        ... slow.path is CONTENTS, read only, as from a slow file server ...
    with SlowDisk(folder, contents, delay=0.05) as slow:
        ... the same on a slow disk of the machine's own ...

SlowFolder is FUSE, which this program serves, each read after a delay: what
changes in CONTENTS is seen below path, if after a while, and inotify does not
tell of it; RWF_NOWAIT is not supported.  While CONTENTS has a file .no-reads,
reads beyond the first MiB fail; with .no-ends, they wait; with .no-lists,
lists of names break off after the first; with .no-statfs, statfs() and all
behind it wait.  SlowDisk is ext4 on a loop device, whose file is in a
SlowFolder: so the kernel has a page cache with misses, read-ahead and
RWF_NOWAIT.

Mounts are made in a mount namespace of the test's own, and are gone with it.
"""

import contextlib
import ctypes
import errno
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import paths  # noqa: E402
from lab.process import Process  # noqa: E402

CLONE_NEWNS = 0x20000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 0x4000, 1 << 18
MNT_DETACH = 2
# Of FUSE's protocol (linux/fuse.h), version 7.31.
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS = 1, 2, 3, 14, 15, 17
RELEASE, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR = 18, 25, 26, 27, 28, 29
INTERRUPT, BATCH_FORGET = 36, 42
KEEP_CACHE, AUTO_INVAL_DATA = 2, 1 << 12
ENOSYS = 38
VALID_S = 1  # names and attributes are asked for again after so long
_libc = ctypes.CDLL(None, use_errno=True)


def _check(status, what):
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source, target, kind, flags, data):
    _check(_libc.mount(source, str(target).encode(), kind, flags, data),
           f"mount {target}")


class Server:
    """Serves a folder and its files through FUSE; an inode is a node."""

    def __init__(self, folder, mountpoint, delay):
        self._path = {1: folder}
        self._delay = delay
        self._fuse = os.open("/dev/fuse", os.O_RDWR)
        _mount(b"slow", mountpoint, b"fuse", MS_NOSUID | MS_NODEV,
               f"fd={self._fuse},rootmode=40000,user_id=0,group_id=0,"
               "allow_other".encode())

    def _attr(self, node):
        st = os.stat(self._path[node])
        seconds, ns = divmod(st.st_mtime_ns, 10 ** 9)
        return struct.pack("<6Q10I", node, st.st_size, st.st_blocks,
                           *[seconds] * 3, *[ns] * 3, st.st_mode, 1, 0, 0, 0,
                           4096, 0)

    def _lookup(self, name):
        path = os.path.join(self._path[1], os.fsdecode(name))
        node = os.stat(path).st_ino
        self._path[node] = path
        return struct.pack("<QQQQII", node, 0, VALID_S, VALID_S, 0, 0) + \
            self._attr(node)

    def _fails(self, what):
        """Whether there are to be errors of WHAT."""
        return os.path.exists(os.path.join(self._path[1], f".no-{what}"))

    def _list(self, offset, size):
        """Directory entries from the one of this number on."""
        out = b""
        names = sorted(os.listdir(self._path[1]))
        if self._fails("lists"):
            if offset:
                print("a list broke off", flush=True)
                raise OSError(errno.EIO, "no lists")
            names = names[:1]
        for number, name in enumerate(names[offset:], offset + 1):
            raw = os.fsencode(name)
            entry = struct.pack("<QQII", number, number, len(raw), 0) + raw
            entry += bytes(-len(entry) % 8)
            if len(out) + len(entry) > size:
                break
            out += entry
        return out

    def _answer(self, code, node, body):
        """The answer's bytes, or None: there is none."""
        if code == INIT:
            return struct.pack("<IIIIHHIIHHI28x", 7, 31,
                               struct.unpack_from("<I", body, 8)[0],
                               AUTO_INVAL_DATA, 12, 9, 131072, 1, 0, 0, 0)
        if code == LOOKUP:
            return self._lookup(body.rstrip(b"\0"))
        if code == GETATTR:
            return struct.pack("<QII", VALID_S, 0, 0) + self._attr(node)
        if code == OPEN:
            file = os.open(self._path[node], os.O_RDONLY)
            return struct.pack("<QII", file, KEEP_CACHE, 0)
        if code == OPENDIR:
            return bytes(16)
        if code in (READ, READDIR):
            file, offset, size = struct.unpack_from("<QQI", body)
            if code == READDIR:
                return self._list(offset, size)
            time.sleep(self._delay)
            if offset >= 1 << 20 and self._fails("reads"):
                print("a read failed", flush=True)
                raise OSError(errno.EIO, "no reads")
            while offset >= 1 << 20 and self._fails("ends"):
                time.sleep(0.05)
            return os.pread(file, size, offset)
        if code == STATFS:
            if self._fails("statfs"):
                print("statfs waits", flush=True)
            while self._fails("statfs"):
                time.sleep(0.05)
            return bytes(80)
        if code == RELEASE:
            os.close(struct.unpack_from("<Q", body)[0])
        elif code in (FORGET, BATCH_FORGET, INTERRUPT):
            return None
        elif code not in (FLUSH, RELEASEDIR):
            raise OSError(ENOSYS, "not implemented")
        return b""

    def serve(self):
        """Answers until the file system is no longer mounted."""
        while True:
            try:
                request = os.read(self._fuse, 1 << 20)
            except OSError as err:
                if err.errno == errno.ENOENT:
                    continue
                return
            _, code, unique, node = struct.unpack_from("<IIQQ", request)
            error, data = 0, b""
            try:
                data = self._answer(code, node, request[40:])
            except OSError as err:
                error = -err.errno
            if data is None:
                continue
            # Who asked may have been killed meanwhile.
            with contextlib.suppress(FileNotFoundError):
                os.write(self._fuse, struct.pack(
                    "<IiQ", 16 + len(data), error, unique) + data)


class SlowFolder:
    """The files of the folder CONTENTS on a slow file server; needs root.

    Work is done in FOLDER.  DELAY is in seconds, before each read, which is
    of at most 128 KiB.
    """

    def __init__(self, folder, contents, delay):
        self.path = folder / "slow.fuse"
        self._contents = contents
        self._delay = delay
        self._log = folder / "slow.log"
        self._server = None

    def __enter__(self):
        if not Path("/dev/fuse").exists():
            raise paths.Missing("/dev/fuse")
        _check(_libc.unshare(CLONE_NEWNS), "unshare")
        _mount(b"none", "/", None, MS_REC | MS_PRIVATE, None)
        self.path.mkdir()
        self._server = Process(
            "slowdisk", [sys.executable, __file__, self._contents, self.path,
                         self._delay], None, self._log)
        try:
            self._server.wait_output("mounted")
        except BaseException:
            self.__exit__()
            raise
        return self

    def output(self):
        """What the server has said."""
        return self._log.read_text()

    def hang(self, hangs):
        """The server answers nobody any more; or it does again."""
        self._server.send(signal.SIGSTOP if hangs else signal.SIGCONT)

    def __exit__(self, *_):
        self.hang(False)
        # What still reads gets an error once nobody answers any more.
        self._server.stop()
        _libc.umount2(str(self.path).encode(), MNT_DETACH)


class SlowDisk:
    """The same on a slow disk."""

    def __init__(self, folder, contents, delay):
        self.path = folder / "slow"
        self._contents = contents
        self._below = folder / "disk"
        self._slow = SlowFolder(folder, self._below, delay)

    def __enter__(self):
        if not Path("/dev/loop-control").exists():
            raise paths.Missing("loop devices")
        self.path.mkdir()
        self._below.mkdir()
        size = sum(path.stat().st_size for path in self._contents.iterdir())
        subprocess.run(
            [paths.program("mkfs.ext4"), "-q", "-O", "^has_journal", "-d",
             self._contents, self._below / "disk", f"{size // 1024 + 16384}k"],
            check=True, stdin=subprocess.DEVNULL, capture_output=True)
        self._slow.__enter__()
        try:
            subprocess.run(
                [paths.program("mount"), "-t", "ext4", "-o", "ro,loop",
                 self._slow.path / "disk", self.path], check=True,
                stdin=subprocess.DEVNULL, timeout=120)
        except BaseException:
            self._slow.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._slow.__exit__()
        _libc.umount2(str(self.path).encode(), MNT_DETACH)


def main():
    """The server: FOLDER MOUNTPOINT DELAY."""
    server = Server(sys.argv[1], sys.argv[2], float(sys.argv[3]))
    print("mounted", flush=True)
    server.serve()


if __name__ == "__main__":
    main()
