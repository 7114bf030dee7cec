"""Network namespaces: their names, how to enter one, how to clear them away.

A laboratory's namespaces are called nk<pid>.<n>-<name>, so that laboratories
running at the same time do not meet, and one that was killed outright can be
cleared away by the next.

They are entered by setns(2): `ip netns exec` makes a mount namespace too, and
that fails in a chroot that is no mount point.
"""

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

_FOLDER = Path("/run/netns")
_NAME = re.compile(r"nk(\d+)\.\d+-")
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*args, ns=None):
    """Runs ip(8) with ARGS, in namespace NS."""
    command = ["ip"] + [str(a) for a in args]
    done = subprocess.run(command, capture_output=True, text=True,
                          preexec_fn=child_setup(ns))
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def set_sysctl(ns, name, value):
    """Sets one /proc/sys entry, named with slashes, in namespace NS."""
    with entered(ns):
        Path("/proc/sys", name).write_text(f"{value}\n")


@contextlib.contextmanager
def entered(ns):
    """The calling thread is in namespace NS meanwhile.

    A socket that is made in there stays there.
    """
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(_FOLDER / ns)
        try:
            yield
        finally:
            _setns(f"/proc/self/fd/{own}")
    finally:
        os.close(own)


def _setns(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(fd, _CLONE_NEWNET) != 0:
            err = ctypes.get_errno()
            raise OSError(err, os.strerror(err), str(path))
    finally:
        os.close(fd)


def open_socket(ns, family=socket.AF_INET, kind=socket.SOCK_DGRAM, proto=0):
    """A socket in namespace NS."""
    with entered(ns):
        return socket.socket(family, kind, proto)


def child_setup(ns=None, death_signal=signal.SIGKILL):
    """A preexec_fn: the child is in NS, and is told when its parent dies.

    It also undoes what a shell did to SIGINT for a job in the background,
    which tcpdump would inherit and not stop at.
    """
    def setup():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _libc.prctl(_PR_SET_PDEATHSIG, death_signal)
        if ns:
            _setns(_FOLDER / ns)
    return setup


def delete(ns):
    """Ends what is left in namespace NS and removes it."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        for pid in _pids(ns):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
        deadline = time.monotonic() + 2
        while _pids(ns) and time.monotonic() < deadline:
            time.sleep(0.02)
    subprocess.run(["ip", "netns", "del", ns], stderr=subprocess.DEVNULL)


def _pids(ns):
    done = subprocess.run(["ip", "netns", "pids", ns], capture_output=True,
                          text=True)
    own = os.getpid()
    return [int(pid) for pid in done.stdout.split() if int(pid) != own]


def is_stale(name):
    """Whether NAME is one of a laboratory whose process is gone."""
    match = _NAME.match(name)
    return bool(match) and not Path("/proc", match.group(1)).exists()


def clear_stale():
    """Removes the namespaces of laboratories whose process is gone."""
    if not _FOLDER.is_dir():
        return
    for path in list(_FOLDER.iterdir()):
        if is_stale(path.name):
            delete(path.name)
