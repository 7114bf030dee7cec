"""Plays a vendor's BIOS ROM: iPXE's own requests, without iPXE's marks.

QEMU's network cards have iPXE as their ROM, and netukid knows it by options
77 and 175.  A VendorRom stands between such a machine and the switch and
renames these options in what the machine sends, until it asks for a file over
TFTP: from then on it is the loaded iPXE that speaks, and passes unchanged.
"""

import ctypes
import fcntl
import select
import socket
import struct
import threading

from lab import netns

_ETH_P_ALL = 3
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_PACKET_OUTGOING = 4
_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, _PACKET_MR_PROMISC = 263, 1, 1
_MARKS = {77: 224, 175: 225}
_DHCP_OPTIONS = 14 + 20 + 8 + 240


def checksum_in_software(ns, interface="eth0"):
    """Has a host write whole checksums, as no device after it will."""
    off = (ctypes.c_uint32 * 2)(_ETHTOOL_STXCSUM, 0)
    request = struct.pack("16sP", interface.encode(), ctypes.addressof(off))
    with netns.open_socket(ns) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, request.ljust(40, b"\0"))


def _udp(frame):
    """(source port, destination port) of a UDP frame over IPv4, else None."""
    if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[14] != 0x45 \
            or frame[23] != 17:
        return None
    return struct.unpack_from("!HH", frame, 34)


def unmark(frame):
    """The frame of a DHCP client with iPXE's options under other numbers."""
    changed = bytearray(frame)
    at = _DHCP_OPTIONS
    while at + 1 < len(frame) and frame[at] != 255:
        if frame[at] == 0:
            at += 1
            continue
        changed[at] = _MARKS.get(frame[at], frame[at])
        at += 2 + frame[at + 1]
    changed[40:42] = b"\0\0"  # no UDP checksum
    return bytes(changed)


class VendorRom:
    """Forwards between a machine's tap and the switch; see the module."""

    def __init__(self, lab, tap):
        ns = lab.switch_ns
        netns.ip("link", "set", tap, "nomaster", ns=ns)
        netns.ip("link", "add", "rom0", "type", "veth", "peer", "name",
                 "rom1", ns=ns)
        netns.ip("link", "set", "rom0", "master", "br0", "up", ns=ns)
        for interface in ("rom1", tap):
            netns.ip("link", "set", interface, "up", ns=ns)
        self._machine = self._open(ns, tap)
        self._switch = self._open(ns, "rom1")
        self._marked = True
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _open(ns, interface):
        found = netns.open_socket(ns, socket.AF_PACKET, socket.SOCK_RAW, 0)
        found.bind((interface, _ETH_P_ALL))
        with netns.entered(ns):
            number = socket.if_nametoindex(interface)
        found.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP,
                         struct.pack("IHH8s", number, _PACKET_MR_PROMISC, 0,
                                     b""))
        return found

    def _run(self):
        pairs = {self._machine: self._switch, self._switch: self._machine}
        while not self._end.is_set():
            ready, _, _ = select.select(list(pairs), [], [], 0.2)
            for source in ready:
                frame, address = source.recvfrom(65536)
                if address[2] == _PACKET_OUTGOING:
                    continue
                if source is self._machine:
                    frame = self._from_machine(frame)
                try:
                    pairs[source].send(frame)
                except OSError:
                    pass  # as a wire loses a frame

    def _from_machine(self, frame):
        ports = _udp(frame)
        if ports and ports[1] == 69:
            self._marked = False
        if self._marked and ports and ports[1] in (67, 4011):
            return unmark(frame)
        return frame

    def stop(self):
        """Ends the forwarding."""
        self._end.set()
        self._thread.join(5)
        self._machine.close()
        self._switch.close()
