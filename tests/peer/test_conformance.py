#!/usr/bin/python3
"""ProxyDHCP by the table: a request's bytes in, the reply's bytes out.

The packets are the commented files of tests/packets, the answers netukid's
own, decided and built as in service.  After each request comes one that is
answered in any case: by what arrives before its answer, silence is told
without waiting for it.
"""

import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, efiapp, harness, netns, pe  # noqa: E402
from lab.lab import Lab  # noqa: E402

FIXTURES = Path(__file__).resolve().parents[1] / "packets"
SERVER = "10.77.0.1"
RELAY = "10.1.0.1"  # of the fixtures, as are the machines
QEMU = {"name": "qemu", "mac": "52:54:00:12:34:56", "image": "debian.efi",
        "uuid": "12345678-9abc-def0-1122-334455667788"}
ROM = {"name": "rom", "mac": "00:a0:c9:11:22:33", "image": "debian.efi"}
LATER = {"name": "later", "mac": "52:54:00:aa:00:01", "image": "debian.efi"}
LATER_XID = 0x0A0A0A0A
BROADCAST = "255.255.255.255"

PORT_67, FROM_68, FROM_4011 = (68, 67), (68, 4011), (4011, 4011)
SILENCE = None

# Each row: the numbers of the conformance table, the request, the ports that
# it goes from and to, and the reply.
DIRECT = (
    ("2 12 24 25 26", "ovmf-pxe-discover", PORT_67, "ovmf-pxe-offer-direct"),
    ("3", "pxe-ebc-discover", PORT_67, "ovmf-pxe-offer-direct"),
    ("4, no loader", "aavmf-pxe-discover", PORT_67, SILENCE),
    ("5", "bios-rom-discover", PORT_67, "bios-rom-offer"),
    ("6", "linux-discover", PORT_67, SILENCE),
    ("7", "windows-discover", PORT_67, SILENCE),
    ("9", "pxe-no93-discover", PORT_67, "ovmf-pxe-offer-direct"),
    ("several in 93", "pxe-two-archs-discover", PORT_67,
     "ovmf-pxe-offer-direct"),
    ("11", "pxe-unknown-arch-discover", PORT_67, SILENCE),
    ("13", "pxe-no97-discover", PORT_67, "pxe-no97-offer"),
    ("15 29", "ipxe-bios-discover", PORT_67, "ipxe-bios-offer"),
    ("15, UEFI", "ipxe-uefi-discover", PORT_67, "ipxe-uefi-offer"),
    ("15, 175 alone", "ipxe-175-discover", PORT_67, "ipxe-uefi-offer"),
    ("16", "ipxe-rfc3004-discover", PORT_67, "ipxe-rfc3004-offer"),
    ("17", "ipxe-nohttp-discover", PORT_67, "ipxe-nohttp-offer"),
    ("20", "ovmf-http-discover", PORT_67, "ovmf-http-offer"),
    ("21", "http-ia32-discover", PORT_67, SILENCE),
    ("22", "http-pxe-arch-discover", PORT_67, "ovmf-http-offer"),
    ("23", "pxe-http-arch-discover", PORT_67, SILENCE),
    ("28", "relay-discover", PORT_67, "relay-offer"),
    ("28, more than 57", "relay-long-discover", PORT_67, "relay-long-offer"),
    ("31", "ovmf-pxe-offer-direct", PORT_67, SILENCE),
    ("31, 4011", "ovmf-4011-ack", FROM_4011, SILENCE),
    ("32", "ovmf-pxe-request-67", PORT_67, SILENCE),
    ("33", "ovmf-discovery-67", PORT_67, "ovmf-discovery-ack"),
    ("33, a long 43", "ovmf-long43-67", PORT_67, "ovmf-discovery-ack"),
    ("34", "ovmf-inform-item", PORT_67, "ovmf-discovery-ack"),
    ("35", "ovmf-inform", PORT_67, SILENCE),
    ("36", "ovmf-4011-request", FROM_4011, "ovmf-4011-ack"),
    ("36, no MAC", "guid-4011-request", FROM_4011, "guid-4011-ack"),
    ("37", "ipxe-4011-request", FROM_68, "ipxe-4011-ack"),
    ("37, an item", "ipxe-4011-discovery", FROM_68, "ipxe-4011-discovery-ack"),
    ("37, BIOS", "bios-rom-4011-request", FROM_68, "bios-rom-4011-ack"),
    ("39", "bios-rom-4011-bis", FROM_68, SILENCE),
    ("41", "http-4011-request", FROM_4011, SILENCE),
    ("42", "ovmf-pxe-discover", FROM_68, SILENCE),
    ("45", "overload-discover", PORT_67, "overload-offer"),
)
PXE_PORT = (
    ("1", "ovmf-pxe-discover", PORT_67, "ovmf-pxe-offer-port"),
    ("1, BIOS has one form", "bios-rom-discover", PORT_67, "bios-rom-offer"),
    ("36", "ovmf-4011-request", FROM_4011, "ovmf-4011-ack"),
)
LOCAL = (
    ("local", "ovmf-pxe-discover", PORT_67, "ovmf-pxe-offer-local"),
    ("local, iPXE", "ipxe-bios-discover", PORT_67, "ipxe-bios-offer"),
    ("local, HTTP Boot", "ovmf-http-discover", PORT_67,
     "ovmf-http-offer-local"),
)
ARM64 = (
    ("4", "aavmf-pxe-discover", PORT_67, "aavmf-pxe-offer"),
)
STRANGER = (
    ("ignored", "ovmf-pxe-discover", PORT_67, SILENCE),
    ("ignored, 4011", "ovmf-4011-request", FROM_4011, SILENCE),
    ("ignored, HTTP Boot", "ovmf-http-discover", PORT_67, SILENCE),
    ("ignored, iPXE", "ipxe-bios-discover", PORT_67, SILENCE),
)


def load(name):
    """The bytes of a fixture."""
    data = b""
    for line in (FIXTURES / f"{name}.hex").read_text().splitlines():
        words = line.partition("#")[0].split()
        data += bytes.fromhex("".join(words[1:]))
    return data


def giaddr(packet):
    """The relay that a packet came by, if any."""
    address = socket.inet_ntoa(packet[24:28])
    return None if address == "0.0.0.0" else address


def later(to_port, relay):
    """A request that is answered in any case, and goes the same way."""
    if to_port == 67:
        packet = bytearray(dhcp.discover(LATER["mac"], xid=LATER_XID))
    else:
        options = dhcp.option(53, bytes((dhcp.REQUEST,)))
        options += dhcp.option(93, struct.pack("!H", 7))
        options += dhcp.option(60, b"PXEClient")
        packet = bytearray(dhcp.message(LATER["mac"], options, LATER_XID))
    if relay:
        packet[24:28] = socket.inet_aton(relay)
    return bytes(packet)


def start(lab, entry, more):
    """netukid, a host with a lease, one without, and a relay."""
    lab.host("netuki", f"{SERVER}/24")
    lab.host("leased", "10.77.0.50/24")
    lab.host("bare")
    lab.host("relay", "10.77.0.3/24")
    netns.ip("addr", "add", f"{RELAY}/32", "dev", "lo", ns=lab.ns("relay"))
    netns.ip("route", "add", f"{RELAY}/32", "via", "10.77.0.3",
             ns=lab.ns("netuki"))
    pe.write(appliance.images(lab) / "debian.efi", pe.uki())
    pe.write(appliance.images(lab) / "arm64.efi",
             efiapp.build(lab.tmp / "arm64.efi", "", "aa64").read_bytes())
    lab.start_netukid(appliance.config(lab, [entry, ROM, LATER], more))
    # Once asked, they are neighbours that nothing has to wait for.
    for host, ports, relay in (("leased", FROM_68, None),
                               ("relay", (67, 67), RELAY)):
        with dhcp.Client(lab.ns(host), ports[0]) as client:
            client.send(later(ports[1], relay), (SERVER, ports[1]))
            harness.check(client.replies(5.0, SERVER, enough=1),
                          f"no answer to {host}")


def exchange(lab, packets, ports):
    """What comes back for the packets, up to the answer to the last one."""
    relay = giaddr(packets[0].ljust(28, b"\0"))
    leased = ports[1] == 4011 or any(packets[0][12:16])
    host = "relay" if relay else "leased" if leased else "bare"
    to = (SERVER if relay or ports[1] == 4011 else BROADCAST, ports[1])
    with dhcp.Client(lab.ns(host), 67 if relay else ports[0]) as client:
        for packet in packets:
            client.send(packet, to)
        client.send(later(ports[1], relay), to)
        found = []
        while not found or dhcp.parse(found[-1])["xid"] != LATER_XID:
            one = client.replies(5.0, enough=1)
            harness.check(one, f"{len(found)} answers, but not the last")
            harness.equal(one[0][1], (SERVER, ports[1]), "who answers")
            found.append(one[0][0])
        return found[:-1]


def same(got, wanted, what):
    """Fails with the first byte that differs."""
    for at, (one, other) in enumerate(zip(got, wanted)):
        harness.check(one == other, f"{what}: byte {at:#06x} is {one:02x}, "
                      f"not {other:02x}")
    harness.equal(len(got), len(wanted), f"{what}: bytes")


@harness.cases(
    direct={"rows": DIRECT, "offer": "direct"},
    pxe_port={"rows": PXE_PORT, "offer": "pxe-port"},
    local={"rows": LOCAL, "mode": "local"},
    arm64={"rows": ARM64, "mode": "tftp-uki", "image": "arm64.efi"},
    stranger={"rows": STRANGER, "mac": "52:54:00:12:34:99",
              "uuid": "12345678-9abc-def0-1122-334455667799"})
def test_table(rows, **settings):
    """Each row, sent twice (row 46): the same bytes come twice, or none."""
    with Lab() as lab:
        start(lab, {**QEMU, **settings}, "unknown-machines: ignore\n")
        for row, request, ports, reply in rows:
            got = exchange(lab, [load(request)] * 2, ports)
            wanted = [load(reply)] * 2 if reply else []
            what = f"row {row}: {request}"
            harness.equal(len(got), len(wanted), f"{what}: answers")
            for one, other in zip(got, wanted):
                same(one, other, what)


PXE_CODES = {6: "ia32", 7: "x64", 9: "x64", 10: "arm32", 11: "arm64",
             25: "riscv32", 27: "riscv64", 37: "loongarch32",
             39: "loongarch64"}
HTTP_CODES = {15: "ia32", 16: "x64", 17: "x64", 18: "arm32", 19: "arm64",
              26: "riscv32", 28: "riscv64", 38: "loongarch32",
              40: "loongarch64"}


@harness.cases(
    pxe={"request": "ovmf-pxe-discover", "codes": PXE_CODES, "path": "",
         "bios": {0}},
    http={"request": "ovmf-http-discover",
          "codes": {**HTTP_CODES, **PXE_CODES},
          "path": f"http://{SERVER}/loaders/", "bios": {0, 20}})
def test_architectures(request, codes, path, bios):
    """Each architecture is given its own loader, and no other code any.

    Those of BIOS are, too; HTTP Boot may name the processor by a PXE code.
    """
    whole = load(request)
    at = whole.index(b"\x5d\x02") + 2
    with Lab() as lab:
        loaders = {arch: lab.tmp / f"{arch}.efi" for arch in codes.values()}
        for file in loaders.values():
            file.write_bytes(bytes(1000))
        start(lab, {key: QEMU[key] for key in ("name", "mac")},
              "defaults: {loaders: {" + ", ".join(
                  f"{arch}: {file}" for arch, file in loaders.items()) + "}}")
        for code in range(256):
            packet = whole[:at] + struct.pack("!H", code) + whole[at + 2:]
            files = [dhcp.parse(reply)["file"].decode()
                     for reply in exchange(lab, [packet], PORT_67)]
            if code in bios:
                wanted = [f"{path}undionly.kpxe"]
            else:
                wanted = [f"{path}{codes[code]}.efi"] if code in codes else []
            harness.equal(files, wanted, f"architecture {code}")


def test_malformed():
    """Row 43: cut short anywhere, or without the cookie: silence."""
    whole = load("ovmf-pxe-discover")
    broken = [whole[:size] for size in range(len(whole))]
    broken.append(whole[:236] + b"\x63\x82\x53\x64" + whole[240:])
    with Lab() as lab:
        start(lab, QEMU, "")
        harness.equal(exchange(lab, [broken[-1]], PORT_67), [], "no cookie")
        for size in range(0, len(whole), 50):
            some = broken[size:size + 50]
            harness.equal(exchange(lab, some[::-1], PORT_67), [],
                          f"{size} bytes and more")
        harness.equal(len(exchange(lab, [whole], PORT_67)), 1, "the whole")


if __name__ == "__main__":
    harness.main(globals())
