"""Capture files read without tshark: the packets of IPv4, as tuples."""

import collections
import struct

UDP, TCP = 17, 6

Packet = collections.namedtuple(
    "Packet", "time proto src sport dst dport seq payload")


def packets(path):
    """The UDP and TCP packets of a file by tcpdump, Ethernet; times as seconds.

    A payload may be shorter than it was, by the capture's snaplen; SEQ is
    TCP's, else 0.
    """
    with open(path, "rb") as file:
        data = file.read()
    magic, = struct.unpack_from("<I", data)
    units = {0xA1B2C3D4: 1e6, 0xA1B23C4D: 1e9}[magic]
    at = 24
    while at + 16 <= len(data):
        seconds, part, size, _ = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16:at + 16 + size]
        at += 16 + size
        packet = _parse(seconds + part / units, frame)
        if packet:
            yield packet


def _parse(time, frame):
    if frame[12:14] != b"\x08\x00" or len(frame) < 42:
        return None
    proto, head = frame[23], 14 + (frame[14] & 15) * 4
    src, dst = (".".join(map(str, frame[i:i + 4])) for i in (26, 30))
    if proto not in (UDP, TCP) or len(frame) < head + 8:
        return None
    sport, dport = struct.unpack_from("!HH", frame, head)
    body, seq = head + 8, 0
    if proto == TCP:
        seq, = struct.unpack_from("!I", frame, head + 4)
        body = head + (frame[head + 12] >> 4) * 4
    return Packet(time, proto, src, sport, dst, dport, seq, frame[body:])
