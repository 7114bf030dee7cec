#!/usr/bin/python3
"""The memory of a daemon that has booted a hundred thousand machines."""

import contextlib
import os
import random
import re
import socket
import sqlite3
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, harness, netns, paths, pe  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402

BOOTS = int(os.environ.get("NETUKI_BOOTS", 100_000))
# As many as fill each table: of clients, of offers learnt, of running boots.
WARM = BOOTS // 5 * 2
STEP = BOOTS // 10
ALLOWED_KB = 2048
LOADER = random.Random(1).randbytes(400)
# Machines have addresses of 10.78.0.0/24 in turn.
SUBNET = "10.78.0.0/24"


class Machines:
    """Machine after machine boots, each with another MAC address."""

    def __init__(self, client, image):
        self.dhcp = client
        self.image = image
        self.retries = 0

    @staticmethod
    def blocking(plain, address, seconds):
        """The socket PLAIN bound to ADDRESS; a receive gives up by then."""
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                         struct.pack("ll", seconds, 0))
        plain.bind((address, 0))
        return plain

    def ask(self, packet, wanted, to=("255.255.255.255", 67)):
        """One DHCP message, and its answer; again if it was lost."""
        for _ in range(20):
            self.dhcp.send(packet, to)
            for data, _ in self.dhcp.replies(1, NETUKI_ADDRESS, 1):
                if data[4:8] == packet[4:8] and data[242] == wanted:
                    return
            self.retries += 1
        raise harness.Failure("DHCP: no answer")

    def load(self, address):
        """The loader by TFTP."""
        with self.blocking(socket.socket(type=socket.SOCK_DGRAM),
                           address, 1) as udp:
            for _ in range(20):
                udp.sendto(b"\0\1loader.efi\0octet\0", (NETUKI_ADDRESS, 69))
                try:
                    data, peer = udp.recvfrom(2000)
                except BlockingIOError:
                    self.retries += 1
                    continue
                harness.check(data == b"\0\3\0\1" + LOADER, f"{data[:60]!r}")
                udp.sendto(b"\0\4\0\1", peer)
                return
        raise harness.Failure("TFTP: no answer")

    @staticmethod
    def receive(tcp):
        """The next bytes of a connection, which is not to end."""
        data = tcp.recv(65536)
        harness.check(data, "HTTP: the connection has ended")
        return data

    def fetch(self, address, who):
        """Script, image, and the guest's word, over one connection."""
        with self.blocking(socket.socket(), address, 60) as tcp:
            tcp.connect((NETUKI_ADDRESS, 80))
            for path, body in (
                    (f"/ipxe/{who}?arch=x86_64&platform=efi", None),
                    (f"/machines/{who}/a.efi", self.image),
                    (f"/machines/{who}/booted", b"ok\n")):
                tcp.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                answer = self.receive(tcp)
                while b"\r\n\r\n" not in answer:
                    answer += self.receive(tcp)
                head, rest = answer.split(b"\r\n\r\n", 1)
                length = int(re.search(rb"Content-Length: (\d+)",
                                       head).group(1))
                while len(rest) < length:
                    rest += self.receive(tcp)
                harness.check(b" 200 " in head and body in (None, rest),
                              f"{path}: {head}")

    def boot(self, number):
        """One machine's whole boot."""
        mac = f"52:54:{number >> 24:02x}:{number >> 16 & 255:02x}:" \
            f"{number >> 8 & 255:02x}:{number & 255:02x}"
        address = f"10.78.0.{1 + number % 250}"
        discover = dhcp.discover(mac, xid=number)
        self.ask(discover, dhcp.OFFER)
        request = bytearray(discover)
        request[242] = dhcp.REQUEST
        request[12:16] = socket.inet_aton(address)
        self.ask(bytes(request), dhcp.ACK, (NETUKI_ADDRESS, 4011))
        self.load(address)
        self.fetch(address, mac.replace(":", "-"))


def memory(pid):
    """RssAnon and VmData in kB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return [int(re.search(rf"{key}:\s+(\d+)", text).group(1))
            for key in ("RssAnon", "VmData")]


def test_boots():
    """It is no larger after all of them than after two fifths."""
    if b"__asan_init" in paths.built("netukid").read_bytes():
        raise harness.Skip("AddressSanitizer has memory of its own")
    image = pe.uki("quiet", 3000, 0)
    with Lab() as lab:
        lab.host("netuki", f"{NETUKI_ADDRESS}/8")
        ns = lab.host("client", "10.77.0.50/8")
        netns.ip("route", "add", "local", SUBNET, "dev", "lo", "table",
                 "local", ns=ns)
        pe.write(appliance.images(lab) / "a.efi", image)
        (lab.tmp / "loader.efi").write_bytes(LOADER)
        lab.start_netukid(
            f"images: {lab.tmp}/images\ncontrol: {lab.control}\n"
            f"state: {lab.tmp}\nloaders: {{x64: {lab.tmp}/loader.efi}}\n"
            "unknown-machines: default\ndefaults: {image: a.efi}\n")
        begun = time.monotonic()
        seen = []
        with netns.entered(ns), dhcp.Client(ns) as client:
            machines = Machines(client, image)
            for number in range(BOOTS):
                machines.boot(number)
                if (number + 1) % STEP == 0:
                    seen.append((number + 1, *memory(lab.netukid.pid)))
                    print("# after %d boots: RssAnon %d kB, VmData %d kB"
                          % seen[-1], flush=True)
        took = time.monotonic() - begun
        print(f"# {BOOTS / took:.0f} boots a second, {machines.retries} "
              "questions asked again", flush=True)
        lab.netukid.stop(grace=30)
        with contextlib.closing(sqlite3.connect(
                lab.tmp / "history.db")) as sql:
            outcomes = sql.execute("SELECT outcome, count(*) FROM boots "
                                   "GROUP BY outcome").fetchall()
        harness.check([outcome for outcome, _ in outcomes] == ["complete"],
                      f"outcomes: {outcomes}")
        warm = next(row for row in seen if row[0] >= WARM)
        for column, name in ((1, "RssAnon"), (2, "VmData")):
            grown = seen[-1][column] - warm[column]
            harness.check(grown < ALLOWED_KB,
                          f"{name} grew by {grown} kB: {seen}")


if __name__ == "__main__":
    harness.main(globals())
