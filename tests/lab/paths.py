"""Where things are: the repository, what was built, files of packages.

A file of a Debian package is looked for on the machine first, and then in
build/lab/root, where packaging/install-dependencies unpacks the packages that
it must not install.
"""

import glob
import os
import shutil
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NETUKI_BUILD", REPO / "build")).resolve()
CACHE = Path(os.environ.get("NETUKI_LAB_CACHE", REPO / "build" / "lab"))
UNPACKED = CACHE / "root"
# How much longer the programs take as they are built.
SLOW = {"san": 4, "valgrind": 12}.get(BUILD.name, 1)

_BIN_DIRS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin",
             "sbin", "bin")


class Missing(Exception):
    """A program or file that the laboratory needs is not on this machine."""


def _missing(what):
    return Missing(f"{what} is missing: run packaging/install-dependencies "
                   "demo check")


def asset(pattern):
    """The file of a package at PATTERN, a glob relative to the root.

    Of several matches the last in version-like order is taken.  Raises
    Missing.
    """
    for root in (Path("/"), UNPACKED):
        found = sorted(glob.glob(str(root / pattern.lstrip("/"))),
                       key=lambda name: (len(name), name))
        if found:
            return Path(found[-1])
    raise _missing("/" + pattern.lstrip("/"))


def program(name):
    """The path of program NAME, of the machine or unpacked; raises Missing."""
    path = os.pathsep.join([os.environ.get("PATH", "")] +
                           [str(Path("/") / d) for d in _BIN_DIRS] +
                           [str(UNPACKED / d) for d in _BIN_DIRS])
    found = shutil.which(name, path=path)
    if not found:
        raise _missing(name)
    return found


def netukid(config, user="root"):
    """The command that starts netukid, and has it be USER if it can.

    Not whom it would choose: that depends on what this machine has.
    """
    change = ["--user", user] if os.geteuid() == 0 else []
    return [built("netukid"), "--config", config, *change]


def built(name):
    """The path of a program of ours, e.g. netukid; raises Missing."""
    path = BUILD / name
    if not os.access(path, os.X_OK):
        raise Missing(f"{path} is not built: run make")
    return path
