"""A clean Debian 12 that has booted: its own systemd, in a container.

    with Lab() as lab:
        lab.host("netuki", "10.77.0.2/24")
        box = container.boot(lab, "netuki", {"netuki", "curl"})
        box.run("apt-get", "install", "-y", "/netuki.deb")

Nothing reaches a package archive from in there: what it may install has been
downloaded before.  The root with those files is kept as build/lab/debian-*.tar
and unpacked for each container.
"""

import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from lab import paths
from lab.process import Process

SUITE = "bookworm"
# What a server has before anybody asks for more.
INCLUDE = "systemd,systemd-sysv,dbus,iproute2,procps"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}
BOOT_SECONDS = 300


def _chroot(root, *command):
    """Runs a command in ROOT with this machine's network."""
    subprocess.run(["chroot", root, *command], check=True, env=ENVIRONMENT,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _make_base(tar, packages):
    """Writes the root as a tar file, with PACKAGES and theirs downloaded."""
    with tempfile.TemporaryDirectory(prefix="netuki-debian-") as folder:
        root = Path(folder) / "root"
        subprocess.run(
            [paths.program("debootstrap"), "--variant=minbase",
             f"--include={INCLUDE}", SUITE, root], check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        _chroot(root, "apt-get", "update")
        _chroot(root, "apt-get", "clean")
        _chroot(root, "apt-get", "install", "-y", "--download-only",
                *sorted(packages))
        fresh = tar.with_suffix(".new")
        subprocess.run(["tar", "-C", root, "-cf", fresh, "."], check=True)
        fresh.rename(tar)


def base(packages):
    """The path of the tar file of a root that can install PACKAGES."""
    paths.program("debootstrap")
    recipe = " ".join([SUITE, INCLUDE, *sorted(packages)])
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    tar = paths.CACHE / f"debian-{key}.tar"
    with open(paths.CACHE / "debian.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tar.exists():
            _make_base(tar, packages)
    return tar


def unpack(packages, root):
    """Makes a clean root of folder ROOT."""
    root.mkdir()
    # "System" here: the container's users are none of this machine's.
    subprocess.run(["tar", "-C", root, "--numeric-owner", "-xpf",
                    base(packages)], check=True)
    return root


class Container(Process):
    """A booted root; ends with the laboratory that adopts it."""

    # Then nspawn ends its container; killed, it would leave that behind.
    death_signal = signal.SIGTERM

    def __init__(self, root, ns, log):
        self.root = root
        self._leader = None
        super().__init__(
            "container",
            [paths.program("systemd-nspawn"), "--quiet", "--boot",
             f"--directory={root}", f"--machine=netuki-{os.getpid()}",
             "--register=no", "--keep-unit", "--link-journal=no",
             f"--network-namespace-path=/run/netns/{ns}",
             "--resolv-conf=off", "--timezone=off", "--console=pipe"],
            None, log)
        try:
            self._wait_booted()
        except BaseException:
            self.stop()
            raise

    def _wait_booted(self):
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            self.require_running()
            if self._find_leader() and self.run(
                    "systemctl", "is-system-running", "--wait",
                    check=False).stdout.strip() in ("running", "degraded"):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"no systemd in there:\n{self.output()}")
            time.sleep(0.1)

    def _find_leader(self):
        """Its first process: the child that is 1 in a namespace of its own."""
        for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children") \
                .read_text().split():
            with contextlib.suppress(OSError):  # a child that ends
                status = Path(f"/proc/{pid}/status").read_text()
                comm = Path(f"/proc/{pid}/comm").read_text().strip()
                if f"NSpid:\t{pid}\t1\n" in status and comm == "systemd":
                    self._leader = pid
        return self._leader

    def run(self, *command, check=True, timeout=300):
        """Runs a command in there as root; a CompletedProcess."""
        done = subprocess.run(
            ["nsenter", f"--target={self._leader}", "--all", "--wdns=/root",
             *map(str, command)], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}: status "
                               f"{done.returncode}:\n{done.stdout}")
        return done

    def out(self, *command):
        """What a command in there prints."""
        return self.run(*command).stdout.strip()

    def path(self, inside):
        """Where a file of its root is on this machine."""
        return self.root / str(inside).lstrip("/")

    def send(self, number):
        """Ends it at once: an orderly shutdown has nothing to save."""
        if self._leader and self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(self._leader), signal.SIGKILL)
        else:
            super().send(number)


def boot(lab, host, packages):
    """A booted clean root in the namespace of HOST, which LAB will end."""
    paths.program("systemd-nspawn")
    root = unpack(packages, lab.tmp / "debian")
    box = Container(root, lab.ns(host), lab.tmp / "container.log")
    return lab.adopt(box)
