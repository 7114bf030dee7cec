#!/usr/bin/python3
"""Real firmware boots while others do their worst."""

import collections
import contextlib
import json
import random
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, harness, netns, paths, uki  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
CMDLINE = "console=ttyS0 quiet panic=-1 test.siege=1"
TIMEOUT = 400
RATE, COUNT = 50_000, 500_000
# What a boot and its besiegers may write in the log, at most.
LINES = 1000


@contextlib.contextmanager
def laboratory(mode):
    """netukid, one machine that is off, and a host for its enemies."""
    with Lab() as lab:
        appliance.network(lab)
        lab.host("enemy", "10.77.0.50/16")
        netns.ip("addr", "add", f"{NETUKI_ADDRESS}/16", "dev", "eth0",
                 ns=lab.ns("netuki"))
        appliance.add_image(lab, "test.efi", uki.build(CMDLINE))
        lab.start_netukid(appliance.config(lab, [
            {"name": "lab-01", "mac": MAC, "image": "test.efi",
             "mode": mode}], "unknown-machines: default\n"
            "defaults: {image: test.efi}\n"))
        yield lab, lab.machine("lab-01", mac=MAC)


def check_boot(lab, machine):
    """The guest is up, with its command line, and the daemon is well."""
    cmdline, seconds = machine.wait_guest(TIMEOUT)
    harness.equal(cmdline.split()[:4], CMDLINE.split(), "/proc/cmdline")
    lab.netukid.require_running()
    status = json.loads(lab.netukictl("status", "--json").stdout)
    harness.check(not status["state-problem"] and
                  not status["history"]["problem"], status)
    boots = json.loads(
        lab.netukictl("boots", "lab-01", "--json").stdout)["boots"]
    harness.check("complete" in [boot["outcome"] for boot in boots], boots)
    lines = len(lab.netukid.output().splitlines())
    harness.check(lines < LINES, f"{lines} lines in the log")
    return seconds


@harness.cases(
    discovers={"kind": "discover", "mode": "ipxe"},
    discovers_tftp={"kind": "discover", "mode": "tftp-uki"},
    read_requests={"kind": "read", "mode": "ipxe"},
    read_requests_tftp={"kind": "read", "mode": "tftp-uki"})
def test_flood(kind, mode):
    """Half a million forged requests, 50,000 a second where the machine can,
    from when the firmware begins to ask."""
    flood = paths.built("tests/bench/flood")
    with laboratory(mode) as (lab, machine):
        with lab.socket("enemy") as known:
            known.settimeout(60)
            known.sendto(b"\0\1nothing\0octet\0", (NETUKI_ADDRESS, 69))
            known.recv(2000)
        machine.power_on()
        machine.wait_serial("Start PXE over IPv4", 120)
        done = lab.run([flood, kind, "eth0", NETUKI_ADDRESS, RATE, COUNT],
                       lab.ns("enemy"), TIMEOUT)
        sent = json.loads(done.stdout)
        seconds = check_boot(lab, machine)
        print(f"# {sent['sent'] / sent['seconds']:.0f} a second; the guest "
              f"after {seconds:.1f} s", flush=True)


class Enemies:
    """Hostile clients of every protocol, each in a thread, until the end.

    Each has an address of its own: what one may have at a time is counted by
    address, and would keep the others out.  A deed yields when it is done,
    before it lingers.
    """

    def __init__(self, lab):
        self._ns = lab.ns("enemy")
        self._end = threading.Event()
        self._threads = []
        self._here = threading.local()
        self.deeds = collections.Counter()

    def __enter__(self):
        for i, deed in enumerate((
                self.dribble, self.hold, self.lie, self.stall,
                self.never_acknowledge, self.acknowledge_the_future,
                self.babble)):
            address = f"10.77.0.{51 + i}"
            netns.ip("addr", "add", f"{address}/16", "dev", "eth0",
                     ns=self._ns)
            thread = threading.Thread(target=self._run, args=(deed, address))
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, deed, address):
        source = random.Random(deed.__name__)
        self._here.address = address
        self.deeds[deed.__name__] = 0
        with netns.entered(self._ns):
            while not self._end.is_set():
                with contextlib.suppress(OSError), \
                        contextlib.ExitStack() as stack:
                    for _ in deed(stack, source):
                        self.deeds[deed.__name__] += 1

    def _socket(self, stack, kind):
        peer = stack.enter_context(socket.socket(type=kind))
        peer.bind((self._here.address, 0))
        return peer

    def _connect(self, stack, send=b"", receive=None):
        peer = self._socket(stack, socket.SOCK_STREAM)
        if receive:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        peer.settimeout(2)
        peer.connect((NETUKI_ADDRESS, 80))
        peer.sendall(send)
        return peer

    def _udp(self, stack):
        return self._socket(stack, socket.SOCK_DGRAM)

    def dribble(self, stack, _):
        """A head in single bytes, on many connections."""
        peers = [self._connect(stack) for _ in range(100)]
        yield
        for byte in b"GET /images/test.efi HTTP/1.1\r\nHost: " + b"x" * 60:
            for peer in peers:
                peer.send(bytes((byte,)))
            if self._end.wait(0.3):
                return

    def hold(self, stack, _):
        """Connections that say nothing; half of them are reset."""
        for _ in range(200):
            self._connect(stack)
        yield
        self._end.wait(3)

    def lie(self, stack, source):
        """What is no HTTP, or too much of it."""
        get = b"GET /images/test.efi HTTP/1.1\r\nHost: x\r\n"
        self._connect(stack, source.choice([
            source.randbytes(4000), get * 200, b"\r\n" * 5000,
            get + b"Content-Length: 9999999999999999999999\r\n\r\n",
            get + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
            get + b"Range: bytes=" + b"0-1," * 900 + b"\r\n\r\n",
            get + b"Range: bytes=18446744073709551615-\r\n\r\n",
            b"GET " + b"/.." * 2000 + b" HTTP/1.1\r\n\r\n",
            (get + b"\r\n") * 30])).recv(1000)
        yield
        self._end.wait(0.02)

    def stall(self, stack, _):
        """Downloads that nobody reads."""
        for _ in range(50):
            self._connect(stack, b"GET /images/test.efi HTTP/1.1\r\n"
                          b"Host: x\r\n\r\n", 4096)
        yield
        self._end.wait(5)

    def never_acknowledge(self, stack, _):
        """TFTP transfers that begin and are left."""
        for _ in range(50):
            self._udp(stack).sendto(
                b"\0\1images/test.efi\0octet\0windowsize\00064\0blksize\0"
                b"1468\0", (NETUKI_ADDRESS, 69))
        yield
        self._end.wait(0.5)

    def acknowledge_the_future(self, stack, source):
        """ACKs of blocks that were not sent, and of none."""
        udp = self._udp(stack)
        udp.settimeout(1)
        udp.sendto(b"\0\1images/test.efi\0octet\0", (NETUKI_ADDRESS, 69))
        _, peer = udp.recvfrom(2000)
        for _ in range(50):
            udp.sendto(b"\0\4" + source.randbytes(2), peer)
            udp.sendto(source.randbytes(source.randrange(600)), peer)
        yield
        self._end.wait(0.1)

    def babble(self, stack, source):
        """DHCP and TFTP requests with errors in them."""
        udp = self._udp(stack)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        udp.setsockopt(socket.SOL_SOCKET, dhcp.SO_BINDTODEVICE, b"eth0\0")
        packet = bytearray(dhcp.discover("52:54:00:99:00:01"))
        for _ in range(source.randrange(1, 20)):
            packet[source.randrange(len(packet))] = source.randrange(256)
        for port in (67, 4011):
            udp.sendto(packet[:source.randrange(len(packet))],
                       (NETUKI_ADDRESS, port))
            udp.sendto(packet, ("255.255.255.255", port))
        udp.sendto(b"\0\1" + source.randbytes(200), (NETUKI_ADDRESS, 69))
        yield
        self._end.wait(0.005)


@harness.cases(ipxe={"mode": "ipxe"}, tftp_uki={"mode": "tftp-uki"})
def test_hostile_clients(mode):
    """Dribblers, liars, stalled and half-open ones, of every protocol."""
    with laboratory(mode) as (lab, machine), Enemies(lab) as enemies:
        machine.power_on()
        seconds = check_boot(lab, machine)
    print(f"# the guest after {seconds:.1f} s; {dict(enemies.deeds)}", flush=True)
    for deed, count in enemies.deeds.items():
        harness.check(count, f"{deed}: never done")


if __name__ == "__main__":
    harness.main(globals())
