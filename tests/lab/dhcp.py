"""DHCP packets by hand: what a firmware asks, and what it is told.

Written apart from the daemon's own codec, so that an error in one of them
does not hide in the other.
"""

import socket
import struct
import time

from lab import netns

MAGIC = bytes.fromhex("63825363")
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
SO_BINDTODEVICE = 25

# What each kind of client says in option 60 and 93.
VENDOR_CLASS = {
    "uefi": (b"PXEClient:Arch:00007:UNDI:003000", 7),
    "arm64": (b"PXEClient:Arch:00011:UNDI:003000", 11),
    "bios": (b"PXEClient:Arch:00000:UNDI:002001", 0),
    "http": (b"HTTPClient:Arch:00016:UNDI:003000", 16),
}


def mac_bytes(mac):
    """The six bytes of a MAC address in text."""
    return bytes.fromhex(mac.replace(":", ""))


def option(code, data):
    """One option's bytes."""
    return bytes((code, len(data))) + data


def message(mac, options, xid=0x12345678, op=1, flags=0x8000, ciaddr=0):
    """A DHCP message with OPTIONS, the bytes after the magic and before END."""
    head = struct.pack("!BBBBIHHIIII", op, 1, 6, 0, xid, 0, flags, ciaddr, 0,
                       0, 0)
    head += mac_bytes(mac).ljust(16, b"\0") + bytes(64 + 128) + MAGIC
    return (head + options + b"\xff").ljust(300, b"\0")


def discover(mac, kind="uefi", more=b"", xid=0x12345678):
    """A DISCOVER as firmware of this KIND sends it."""
    vendor, arch = VENDOR_CLASS[kind]
    options = option(53, bytes((DISCOVER,))) + option(57, b"\x05\xc0")
    options += option(55, bytes((1, 3, 43, 54, 60, 66, 67, 97)))
    options += option(97, b"\0" + bytes(range(16)))
    options += option(94, b"\x01\x03\x00")
    options += option(93, struct.pack("!H", arch)) + option(60, vendor)
    return message(mac, options + more, xid)


def datagram(data, source="0.0.0.0", to="255.255.255.255", ports=(68, 67)):
    """The IPv4 packet around a DHCP message; no UDP checksum."""
    head = bytearray(struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 28 + len(data), 1, 0, 64, 17, 0,
        socket.inet_aton(source), socket.inet_aton(to)))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!H", head, 10, ~total & 0xFFFF)
    return bytes(head) + struct.pack("!4H", *ports, 8 + len(data), 0) + data


def parse(packet):
    """A reply as a dict: fields by name, options by number."""
    found = {"op": packet[0], "xid": struct.unpack_from("!I", packet, 4)[0]}
    for name, at in (("yiaddr", 16), ("siaddr", 20)):
        found[name] = socket.inet_ntoa(packet[at:at + 4])
    found["file"] = packet[108:236].split(b"\0")[0]
    at = 240
    while at < len(packet) and packet[at] != 255:
        if packet[at] == 0:
            at += 1
            continue
        length = packet[at + 1]
        found[packet[at]] = packet[at + 2:at + 2 + length]
        at += 2 + length
    return found


class Client:
    """Port 68 (or another) of a host, to broadcast from and to listen at.

    It hears what any DHCP client of that host would.
    """

    def __init__(self, ns, port=68, interface="eth0"):
        self._socket = netns.open_socket(ns)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE,
                                interface.encode() + b"\0")
        self._socket.bind(("0.0.0.0", port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, packet, to=("255.255.255.255", 67)):
        """Sends one datagram."""
        self._socket.sendto(packet, to)

    def replies(self, seconds, sender=None, enough=None):
        """(bytes, source address) of what comes within SECONDS.

        Only from the address SENDER if it is given; ENOUGH of them end it.
        """
        found = []
        deadline = time.monotonic() + seconds
        while not enough or len(found) < enough:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._socket.settimeout(left)
            try:
                data, source = self._socket.recvfrom(65536)
            except TimeoutError:
                break
            if sender in (None, source[0]):
                found.append((data, source))
        return found
