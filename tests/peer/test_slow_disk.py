#!/usr/bin/python3
"""While a file is read from a slow disk, nobody else waits for it."""

import contextlib
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, harness, netns, pe  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402
from lab.slowdisk import SlowDisk  # noqa: E402

MAC = "52:54:00:aa:00:01"
SIZE = 32 << 20
DELAY = 0.1
# Python's own share of a measured time, on a machine with other work, is
# measured first and allowed for.
LIMIT = 0.010


def connect(lab):
    """A TCP connection from the client's host to netukid."""
    peer = netns.open_socket(lab.ns("client"), socket.AF_INET,
                             socket.SOCK_STREAM)
    peer.settimeout(30)
    peer.connect((NETUKI_ADDRESS, 80))
    return peer


def request(path):
    """A GET's bytes."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


class Download(threading.Thread):
    """Fetches PATH until it ends, or is told to."""

    def __init__(self, lab, path):
        super().__init__(daemon=True)
        self.got = bytearray()
        self._peer = connect(lab)
        self._peer.sendall(request(path))
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while data := self._peer.recv(1 << 18):
                self.got += data

    def end(self):
        """Hangs up."""
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)
        self.join()
        self._peer.close()


def measure(lab, seconds):
    """p99 in seconds of OFFERs, and of small answers of HTTP."""
    offers, answers = [], []
    until = time.monotonic() + seconds
    with dhcp.Client(lab.ns("client")) as client, connect(lab) as peer:
        while time.monotonic() < until:
            begun = time.monotonic()
            client.send(dhcp.discover(MAC, xid=len(offers) + 1))
            found = client.replies(5, NETUKI_ADDRESS, enough=1)
            harness.equal(len(found), 1, "OFFERs")
            offers.append(time.monotonic() - begun)
            begun = time.monotonic()
            peer.sendall(request("/healthz"))
            harness.check(peer.recv(4096).startswith(b"HTTP/1.1 200"),
                          "/healthz")
            answers.append(time.monotonic() - begun)
            time.sleep(0.002)
    return [sorted(times)[len(times) * 99 // 100]
            for times in (offers, answers)]


def test_nobody_else_waits():
    """p99 of DHCP and of small answers while a cold file comes slowly."""
    work = Path(tempfile.mkdtemp(prefix="nk-slow-"))
    try:
        contents = work / "contents"
        contents.mkdir()
        big = random.Random(1).randbytes(SIZE)
        (contents / "big.bin").write_bytes(big)
        (contents / "seed").write_text("I am ${name}\n" + "x" * 60000)
        with SlowDisk(work, contents, DELAY) as disk, Lab() as lab:
            slow(lab, disk, big)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def slow(lab, disk, big):
    """The test, with netukid and a loader and a file on the slow disk."""
    appliance.network(lab, dhcp=False)
    pe.write(appliance.images(lab) / "x.efi", pe.uki())
    lab.host("client", "10.77.0.50/24")
    lab.start_netukid(appliance.config(lab, [
        {"name": "lab-01", "mac": MAC, "image": "x.efi"}]) +
        f"    files: {{seed: {disk.path}/seed}}\n"
        f"  - {{name: slow, mac: '52:54:00:aa:00:02', image: x.efi, "
        f"loaders: {{x64: {disk.path}/big.bin}}}}\n", timeout=60)
    before = measure(lab, 2)
    download = Download(lab, "/loaders/big.bin")
    seed = Download(lab, f"/machines/{MAC}/seed")
    after = measure(lab, 4)
    print("# p99 in ms, idle and beside the slow disk: OFFER " +
          ", /healthz ".join(f"{idle * 1000:.1f} {busy * 1000:.1f}"
                             for idle, busy in zip(before, after)))
    harness.check(download.is_alive(), "the disk was not slow")
    harness.check(len(download.got) > 1 << 20, "nothing came from the disk")
    seed.end()
    download.end()
    head, body = bytes(download.got).split(b"\r\n\r\n", 1)
    harness.check(head.startswith(b"HTTP/1.1 200") and
                  big.startswith(body), "other bytes")
    head, body = bytes(seed.got).split(b"\r\n\r\n", 1)
    harness.check(body == b"I am lab-01\n" + b"x" * 60000,
                  f"the machine's file: {head}")
    # Other work on the machine may come and go meanwhile.
    for what, busy, *idle in zip(("OFFER", "/healthz"), after, before,
                                 measure(lab, 2)):
        harness.check(busy <= LIMIT + max(idle),
                      f"p99 of {what}: {busy * 1000:.1f} ms")


if __name__ == "__main__":
    harness.main(globals())
