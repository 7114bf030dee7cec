#!/usr/bin/python3
"""A disk that takes its time: a file system with whose reads one can wait.

    with SlowDisk(folder, contents, delay=0.05) as disk:
        ... disk.path is CONTENTS, read only, on a slow disk ...

It is ext4 on a loop device, whose file is in a FUSE file system of one file,
which this program serves, each read after a delay.  So the kernel has a page
cache with misses, read-ahead and RWF_NOWAIT as with a slow disk of its own.

Mounts are made in a mount namespace of the test's own, and are gone with it.
"""

import ctypes
import os
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
NAME = b"disk"
# Of FUSE's protocol (linux/fuse.h), version 7.31.
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS = 1, 2, 3, 14, 15, 17
RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 18, 25, 26, 36, 42
ENOENT, ENOSYS = 2, 38
_libc = ctypes.CDLL(None, use_errno=True)


def _check(status, what):
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source, target, kind, flags, data):
    _check(_libc.mount(source, str(target).encode(), kind, flags, data),
           f"mount {target}")


class Server:
    """Serves one file through FUSE."""

    def __init__(self, source, mountpoint, delay):
        self._file = os.open(source, os.O_RDONLY)
        self._size = os.fstat(self._file).st_size
        self._delay = delay
        self._fuse = os.open("/dev/fuse", os.O_RDWR)
        _mount(b"slow", mountpoint, b"fuse", MS_NOSUID | MS_NODEV,
               f"fd={self._fuse},rootmode=40000,user_id=0,group_id=0,"
               "allow_other".encode())

    def _attr(self, node):
        size, mode = (0, 0o40755) if node == 1 else (self._size, 0o100644)
        return struct.pack("<6Q10I", node, size, -(-size // 512), 0, 0, 0, 0,
                           0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _answer(self, code, node, body):
        """The answer's bytes, an error's number, or None: there is none."""
        if code == INIT:
            return struct.pack("<IIIIHHIIHHI28x", 7, 31,
                               struct.unpack_from("<I", body, 8)[0], 0, 12, 9,
                               131072, 1, 0, 0, 0)
        if code == LOOKUP:
            if body.rstrip(b"\0") != NAME:
                return ENOENT
            return struct.pack("<QQQQII", 2, 0, 3600, 3600, 0, 0) + \
                self._attr(2)
        if code == GETATTR:
            return struct.pack("<QII", 3600, 0, 0) + self._attr(node)
        if code == OPEN:
            return struct.pack("<QII", 0, 0, 0)
        if code == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            time.sleep(self._delay)
            return os.pread(self._file, size, offset)
        if code == STATFS:
            return bytes(80)
        if code in (RELEASE, FLUSH):
            return b""
        if code in (FORGET, BATCH_FORGET, INTERRUPT):
            return None
        return ENOSYS

    def serve(self):
        """Answers until the file system is no longer mounted."""
        while True:
            try:
                request = os.read(self._fuse, 1 << 20)
            except OSError as err:
                if err.errno == ENOENT:
                    continue
                return
            _, code, unique, node = struct.unpack_from("<IIQQ", request)
            answer = self._answer(code, node, request[40:])
            if answer is None:
                continue
            error, data = (-answer, b"") if isinstance(answer, int) else \
                (0, answer)
            os.write(self._fuse, struct.pack(
                "<IiQ", 16 + len(data), error, unique) + data)


class SlowDisk:
    """The files of the folder CONTENTS on a slow disk; needs root.

    Work is done in FOLDER.  DELAY is in seconds, before each read, which is
    of at most 128 KiB.
    """

    def __init__(self, folder, contents, delay):
        self.path = folder / "slow"
        self._image = folder / "slow.img"
        self._below = folder / "slow.fuse"
        self._contents = contents
        self._delay = delay
        self._log = folder / "slow.log"
        self._server = None

    def __enter__(self):
        if not Path("/dev/fuse").exists() or \
                not Path("/dev/loop-control").exists():
            raise paths.Missing("/dev/fuse and loop devices")
        _check(_libc.unshare(CLONE_NEWNS), "unshare")
        _mount(b"none", "/", None, MS_REC | MS_PRIVATE, None)
        size = sum(path.stat().st_size for path in self._contents.iterdir())
        subprocess.run(
            [paths.program("mkfs.ext4"), "-q", "-O", "^has_journal", "-d",
             self._contents, self._image, f"{size // 1024 + 16384}k"],
            check=True, stdin=subprocess.DEVNULL, capture_output=True)
        self.path.mkdir()
        self._below.mkdir()
        self._server = Process(
            "slowdisk", [sys.executable, __file__, self._image, self._below,
                         self._delay], None, self._log)
        try:
            self._server.wait_output("mounted")
            subprocess.run(
                [paths.program("mount"), "-t", "ext4", "-o", "ro,loop",
                 self._below / NAME.decode(), self.path], check=True,
                stdin=subprocess.DEVNULL, timeout=120)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # What still reads gets an error once nobody answers any more.
        self._server.stop()
        for path in (self.path, self._below):
            _libc.umount2(str(path).encode(), MNT_DETACH)


def main():
    """The server: IMAGE MOUNTPOINT DELAY."""
    server = Server(sys.argv[1], sys.argv[2], float(sys.argv[3]))
    print("mounted", flush=True)
    server.serve()


if __name__ == "__main__":
    main()
