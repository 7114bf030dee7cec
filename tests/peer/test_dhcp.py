#!/usr/bin/python3
"""netukid's ProxyDHCP beside other DHCP servers, relays and interfaces."""

import contextlib
import json
import re
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, harness, netns, paths, pe  # noqa: E402
from lab.lab import DHCP_ADDRESS, NETUKI_ADDRESS, Lab  # noqa: E402

MAC = "52:54:00:aa:00:01"
MACHINE = {"name": "lab-01", "mac": MAC, "image": "small.efi"}
NETUKI_ID = socket.inet_aton(NETUKI_ADDRESS)
WAIT = 10.0  # seconds for what is to come, on a machine with much else to do


def start(lab, more="", machine=None):
    """Starts netukid with one image and one machine."""
    pe.write(appliance.images(lab) / "small.efi", pe.uki())
    return lab.start_netukid(
        appliance.config(lab, [machine or MACHINE], more))


@contextlib.contextmanager
def lab_with_client(address="10.77.0.50/24", more="", machine=None):
    """netukid and a host that plays machines; yields (lab, client)."""
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        lab.host("client", *([address] if address else []))
        start(lab, more, machine)
        with dhcp.Client(lab.ns("client")) as client:
            yield lab, client


def ask(client, packet, seconds=WAIT, sender=NETUKI_ADDRESS):
    """The first answer to a packet, parsed; None if there is none."""
    client.send(packet)
    found = client.replies(seconds, sender, enough=1)
    return dhcp.parse(found[0][0]) if found else None


def request_4011(client, xid):
    """What UEFI asks on port 4011, from its own 4011 port; the answer."""
    options = dhcp.option(53, bytes((dhcp.REQUEST,)))
    options += dhcp.option(97, b"\0" + bytes(range(16)))
    options += dhcp.option(93, struct.pack("!H", 7))
    options += dhcp.option(60, b"PXEClient:Arch:00007:UNDI:003000")
    packet = dhcp.message(MAC, options, xid, flags=0,
                          ciaddr=struct.unpack("!I", socket.inet_aton(
                              "10.77.0.50"))[0])
    client.send(packet, (NETUKI_ADDRESS, 4011))
    found = client.replies(WAIT, NETUKI_ADDRESS, enough=1)
    harness.check(found, "no answer on port 4011")
    harness.equal(found[0][1][1], 4011, "source port of the ACK")
    return dhcp.parse(found[0][0])


def next_form(lab, form, because):
    """Fails unless `explain` tells this form of the next attempt, and why."""
    told = json.loads(lab.netukictl("explain", "lab-01", "--json").stdout)
    harness.equal((told["form"], told["form-because"]), (form, because),
                  "explain")


def test_form_of_offer_follows_what_works():
    """auto: direct first; an attempt that leads to nothing, the other."""
    with lab_with_client() as (lab, client):
        first = ask(client, dhcp.discover(MAC, xid=1))
        again = ask(client, dhcp.discover(MAC, xid=1))
        second = ask(client, dhcp.discover(MAC, xid=2))
        harness.check(43 in first, "the first OFFER has no option 43")
        harness.check(43 in again, "the repeated DISCOVER got another form")
        harness.check(43 not in second, "the second attempt has option 43")
        next_form(lab, "direct", "the other one led to nothing the last time")
        with dhcp.Client(lab.ns("client"), 4011) as pxe:
            ack = request_4011(pxe, 77)
        harness.equal(ack[53], bytes((dhcp.ACK,)), "message type")
        harness.equal(ack["file"], b"snponly.efi", "file")
        harness.check(43 not in ack, "the ACK has option 43")
        next_form(lab, "pxe-port", "it led on the last time")
        third = ask(client, dhcp.discover(MAC, xid=3))
        harness.check(43 not in third, "what worked was not kept")


def test_form_of_offer_is_remembered():
    """The form that a transfer followed is the first one after a restart."""
    with lab_with_client() as (lab, client):
        harness.check(43 in ask(client, dhcp.discover(MAC, xid=1)), "first")
        harness.check(43 not in ask(client, dhcp.discover(MAC, xid=2)),
                      "second")
        lab.run(["ip", "link", "set", "eth0", "address", MAC],
                lab.ns("client"))
        time.sleep(0.3)
        lab.run([paths.program("curl"), "-s", "-o", lab.tmp / "loader",
                 f"tftp://{NETUKI_ADDRESS}/snponly.efi"], lab.ns("client"))
        lab.netukid.stop()
        lab.start_netukid(appliance.config(lab, [MACHINE]))
        next_form(lab, "pxe-port", "it led to a boot before")
        offer = ask(client, dhcp.discover(MAC, xid=3))
        harness.check(43 not in offer, "after a restart it was forgotten")


def test_form_of_offer_after_local():
    """That a machine went to its disk, as it was told, is no failure."""
    with lab_with_client(machine=dict(MACHINE, mode="local")) as (lab, client):
        for xid in (1, 2):
            offer = ask(client, dhcp.discover(MAC, xid=xid))
            harness.equal(offer[43][:3], b"\x06\x01\x07", "43, local")
        lab.netukictl("boot-once", "lab-01")
        offer = ask(client, dhcp.discover(MAC, xid=3))
        harness.equal(offer.get(43, b"")[:3], b"\x06\x01\x08", "43, direct")


def test_form_of_offer_led_to_ipxe():
    """That iPXE runs shows that the form was taken, whoever asked TFTP."""
    with lab_with_client() as (_, client):
        for xid in (1, 3, 5):
            offer = ask(client, dhcp.discover(MAC, xid=xid))
            harness.check(43 in offer, f"attempt {xid} has no option 43")
            ask(client, dhcp.discover(MAC, xid=xid + 1,
                                      more=dhcp.option(77, b"iPXE")))


def test_form_of_offer_by_configuration():
    """direct and pxe-port stay what they are, attempt after attempt."""
    for form, wanted in (("direct", True), ("pxe-port", False)):
        machine = dict(MACHINE, offer=form)
        with lab_with_client(machine=machine) as (_, client):
            for xid in (1, 2, 3):
                offer = ask(client, dhcp.discover(MAC, xid=xid))
                harness.equal(43 in offer, wanted, f"{form}: option 43")


def test_loop_is_noticed():
    """The loader three times and never the script: said once, and shown."""
    with lab_with_client() as (lab, client):
        lab.run(["ip", "link", "set", "eth0", "address", MAC],
                lab.ns("client"))
        time.sleep(0.3)
        for xid in range(4):
            harness.check(ask(client, dhcp.discover(MAC, xid=xid)), "silent")
            lab.run([paths.program("curl"), "-s", "-o", lab.tmp / "loader",
                     f"tftp://{NETUKI_ADDRESS}/snponly.efi"],
                    lab.ns("client"))
        lab.netukid.wait_output("goes round in a circle")
        said = lines(lab, "goes round in a circle")
        harness.equal(len(said), 1, "lines about the loop")
        harness.check("Secure Boot mode, which refuses" in said[0], said)
        found = json.loads(lab.netukictl("machines", "--json").stdout)
        harness.equal(found["machines"][0]["loops"], True, "loops")
        harness.check("in a loop" in lab.netukictl("machines").stdout,
                      "netukictl machines does not say so")


def test_silence_is_said_once():
    """A machine of the configuration that gets no answer: the log says why."""
    with lab_with_client() as (lab, client):
        for xid in (1, 1, 2):
            client.send(dhcp.discover(MAC, "arm64", xid=xid))
        harness.check(ask(client, dhcp.discover(MAC, xid=3)), "silent")
        said = lines(lab, "gets no answer")
        harness.equal(len(said), 1, "lines about it")
        harness.check(f"lab-01 ({MAC}, arm64): its firmware gets no answer: no "
                      "loader is configured" in said[0], said)


# A relay.

def add_far_network(lab):
    """A second segment behind the host `relay`; its client is `far`."""
    lab.host("relay", "10.77.0.3/24")
    lab.host("far")
    relay, far = lab.ns("relay"), lab.ns("far")
    netns.ip("link", "del", "eth0", ns=far)
    netns.ip("link", "add", "eth1", "netns", relay, "type", "veth", "peer",
             "name", "eth0", "netns", far)
    netns.ip("addr", "add", "10.78.0.1/24", "dev", "eth1", ns=relay)
    netns.ip("addr", "add", "10.78.0.50/24", "dev", "eth0", ns=far)
    for ns, interface in ((relay, "eth1"), (far, "eth0")):
        netns.ip("link", "set", interface, "up", ns=ns)
    netns.set_sysctl(relay, "net/ipv4/ip_forward", 1)
    netns.ip("route", "add", "default", "via", "10.78.0.1", ns=far)
    netns.ip("route", "add", "10.78.0.0/24", "via", "10.77.0.3",
             ns=lab.ns("netuki"))


def test_relay_of_isc():
    """A machine behind isc-dhcp-relay is answered through it."""
    relay = paths.program("dhcrelay")
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        add_far_network(lab)
        start(lab)
        process = lab.spawn([relay, "-4", "-d", "-a", "-pf",
                             lab.tmp / "relay.pid", "-iu", "eth0", "-id",
                             "eth1", NETUKI_ADDRESS], "relay")
        process.wait_output("Sending on")
        time.sleep(0.5)
        with dhcp.Client(lab.ns("far")) as client:
            for _ in range(5):
                client.send(dhcp.discover(MAC))
                found = client.replies(1.0, enough=1)
                if found:
                    break
        harness.check(found, f"no answer through it: {process.output()}")
        offer = dhcp.parse(found[0][0])
        harness.equal(offer["siaddr"], NETUKI_ADDRESS, "siaddr")
        harness.equal(offer[54], NETUKI_ID, "option 54")
        harness.equal(offer["file"], b"snponly.efi", "file")


def test_relayed_packet():
    """giaddr and option 82 come back, 82 last, to the relay's port 67."""
    with lab_with_client() as (lab, _):
        lab.host("relay", "10.77.0.3/24")
        with dhcp.Client(lab.ns("relay"), 67) as relay:
            agent = dhcp.option(82, b"\x01\x04eth1\x02\x03abc")
            packet = bytearray(dhcp.discover(MAC, more=agent))
            packet[24:28] = socket.inet_aton("10.77.0.3")
            packet[10:12] = bytes(2)
            relay.send(bytes(packet), (NETUKI_ADDRESS, 67))
            found = relay.replies(WAIT, NETUKI_ADDRESS, enough=1)
        harness.check(found, "no answer to the relay")
        data, source = found[0]
        harness.equal(source[1], 67, "source port")
        harness.equal(data[24:28], socket.inet_aton("10.77.0.3"), "giaddr")
        harness.equal(data[10:12], bytes(2), "flags")
        harness.check(data.rstrip(b"\0").endswith(agent + b"\xff"),
                      "option 82 is not the last one, as it was sent")


def through_relay(packet):
    """A broadcast as the relay of the far network passes it on."""
    packet = bytearray(packet)
    packet[24:28] = socket.inet_aton("10.78.0.1")
    return bytes(packet)


def lease_request(address):
    """The REQUEST with which UEFI takes another server's offer."""
    options = dhcp.option(53, bytes((dhcp.REQUEST,)))
    options += dhcp.option(54, socket.inet_aton("10.77.0.2"))
    options += dhcp.option(50, socket.inet_aton(address))
    options += dhcp.option(93, struct.pack("!H", 7))
    options += dhcp.option(60, b"PXEClient:Arch:00007:UNDI:003000")
    return dhcp.message(MAC, options)


def test_relayed_machine_is_known_by_its_lease():
    """Behind a relay too an offer that led to TFTP is the one to keep.

    Of addresses on our own link a relay tells nothing, nor who is none.
    """
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        add_far_network(lab)
        start(lab)
        netns.ip("addr", "add", "10.78.0.1/32", "dev", "lo",
                 ns=lab.ns("relay"))
        with dhcp.Client(lab.ns("relay"), 67) as relay:
            for xid in (1, 2):
                relay.send(through_relay(dhcp.discover(MAC, xid=xid)),
                           (NETUKI_ADDRESS, 67))
                found = relay.replies(WAIT, NETUKI_ADDRESS, enough=1)
                harness.check(found, "no answer to the relay")
                harness.check(43 in dhcp.parse(found[0][0]),
                              f"attempt {xid} is not `direct`")
                stranger = bytearray(lease_request("10.78.0.51"))
                stranger[24:28] = socket.inet_aton("10.99.0.1")
                for packet in (through_relay(lease_request("10.78.0.50")),
                               through_relay(lease_request("10.77.0.51")),
                               bytes(stranger)):
                    relay.send(packet, (NETUKI_ADDRESS, 67))
                lab.run([paths.program("curl"), "-s", "-o",
                         lab.tmp / "loader",
                         f"tftp://{NETUKI_ADDRESS}/snponly.efi"],
                        lab.ns("far"))
        next_form(lab, "direct", "it led on the last time")


def test_relayed_packet_for_another():
    """What a relay sends to another server through this host is not ours."""
    with lab_with_client() as (lab, _):
        lab.host("relay", "10.77.0.3/24")
        netns.ip("route", "add", "10.99.0.1/32", "via", NETUKI_ADDRESS,
                 ns=lab.ns("relay"))
        with dhcp.Client(lab.ns("relay"), 67) as relay:
            packet = bytearray(dhcp.discover(MAC))
            packet[24:28] = socket.inet_aton("10.77.0.3")
            relay.send(bytes(packet), ("10.99.0.1", 67))
            harness.equal(relay.replies(0.7, NETUKI_ADDRESS), [], "answers")


def test_forged_addresses():
    """Nobody has the reply sent to all, to ourselves, or anywhere else."""
    forged = ("127.0.0.1", "255.255.255.255", "224.0.0.1", "0.0.0.1",
              "10.77.0.255", NETUKI_ADDRESS)
    with lab_with_client() as (lab, client), \
            dhcp.Client(lab.ns("client"), 67) as relay:
        for at in (12, 24):  # ciaddr, giaddr
            for address in forged:
                packet = bytearray(dhcp.discover(MAC))
                packet[at:at + 4] = socket.inet_aton(address)
                client.send(bytes(packet))
        good = ask(client, dhcp.discover(MAC, xid=77))
        harness.equal(good and good["xid"], 77, "the first answer")
        harness.equal(relay.replies(0.2, NETUKI_ADDRESS), [], "as a relay")


def ask_from(port, address="10.77.0.50", ciaddr="10.77.0.50", **more):
    """A DISCOVER with these addresses, as a packet."""
    packet = bytearray(dhcp.discover(MAC, **more))
    packet[12:16] = socket.inet_aton(ciaddr)
    return dhcp.datagram(bytes(packet), address, NETUKI_ADDRESS, (port, 67))


def ask_4011_from(port, address):
    """What UEFI asks on port 4011, as a packet."""
    packet = bytearray(dhcp.discover(MAC))
    packet[12:16] = socket.inet_aton(address)
    packet[242] = dhcp.REQUEST
    return dhcp.datagram(bytes(packet), address, NETUKI_ADDRESS, (port, 4011))


def test_port_of_reply():
    """No stranger's port gets a reply that somebody else asked for."""
    near, far = "10.77.0.50", "10.99.0.50"
    cases = (
        (ask_from(68), near, 68),
        (ask_from(40000), near, 40000),  # `netukictl bench dhcp://`
        (ask_from(53), near, 68),
        (ask_from(40000, ciaddr="10.77.0.51"), "10.77.0.51", 68),
        (ask_from(40000, far, far), far, 68),
        (ask_4011_from(4011, near), near, 4011),
        (ask_4011_from(40000, near), near, 40000),
        (ask_4011_from(53, near), near, 68),
        (ask_4011_from(4011, far), far, 4011),
        (ask_4011_from(68, far), far, 68),
        (ask_4011_from(40000, far), far, 68),
    )
    with lab_with_client() as (lab, _):
        ns = lab.ns("client")
        netns.ip("addr", "add", "10.77.0.51/24", "dev", "eth0", ns=ns)
        netns.ip("addr", "add", f"{far}/32", "dev", "eth0", ns=ns)
        netns.ip("route", "add", far, "via", near, ns=lab.ns("netuki"))
        with netns.open_socket(ns, kind=socket.SOCK_RAW,
                               proto=socket.IPPROTO_RAW) as mouth, \
                netns.open_socket(ns, kind=socket.SOCK_RAW,
                                  proto=socket.IPPROTO_UDP) as ear:
            ear.settimeout(5.0)
            for packet, address, port in cases:
                mouth.sendto(packet, (NETUKI_ADDRESS, 0))
                data = ear.recv(2048)
                harness.equal((socket.inet_ntoa(data[16:20]),
                               struct.unpack_from("!H", data, 22)[0]),
                              (address, port), "where the reply went")


# Others on the wire.

def lines(lab, words):
    """The lines of netukid's log with these words in them."""
    return [line for line in lab.netukid.output().splitlines()
            if words in line]


def start_pxe_dhcp(lab, host="netuki"):
    """dnsmasq as a DHCP server that says PXEClient."""
    lab.start_dnsmasq(host, ["--dhcp-option-force=60,PXEClient"])


def start_proxy(lab, host="netuki"):
    """dnsmasq as ProxyDHCP."""
    lab.start_dnsmasq_proxy(lab.tmp, host, [
        "--dhcp-boot=other.efi",
        "--pxe-service=x86-64_EFI,other,other.efi"])


@harness.cases(
    proxy={"server": start_proxy, "words": "10.77.0.9 is another PXE server"},
    dhcp={"server": start_pxe_dhcp,
          "words": "the DHCP server 10.77.0.9 says PXEClient"})
def test_rival_is_reported_once(server, words):
    """Another PXE server on the network is noticed, and said once."""
    with lab_with_client() as (lab, client):
        lab.host("rival", "10.77.0.9/24")
        server(lab, "rival")
        for xid in range(1, 4):
            client.send(dhcp.discover(MAC, xid=xid))
            client.replies(WAIT, "10.77.0.9", enough=1)
        lab.netukid.wait_output("10.77.0.9")
        time.sleep(0.3)
        said = lines(lab, "10.77.0.9")
        harness.equal(len(said), 1, "lines about the other server")
        harness.check(words in said[0], said[0])


@harness.cases(
    proxy={"server": start_proxy, "words": "a program of this host is another "
           "PXE server"},
    dhcp={"server": start_pxe_dhcp, "words": "of this host says PXEClient"},
    plain_dhcp={"server": lambda lab: lab.start_dnsmasq("netuki"),
                "words": None})
def test_rival_on_the_same_host(server, words):
    """Another PXE server here is said once; netukid is none to itself."""
    ports = "dhcp: {pxe-port: 4012}\ntftp: {port: 6969}\n"
    with lab_with_client(more=ports) as (lab, client):
        server(lab)
        deadline = time.monotonic() + (2 if words is None else 15)
        while not lines(lab, "PXE") and time.monotonic() < deadline:
            client.send(dhcp.discover(MAC))
            found = client.replies(WAIT, enough=2)
            harness.equal(len(found), 2, "answers to a DISCOVER")
            time.sleep(0.1)
        client.send(dhcp.discover(MAC))
        client.replies(WAIT, enough=2)
        time.sleep(0.3)
        said = lines(lab, "PXE")
        harness.equal(len(said), 0 if words is None else 1,
                      f"lines about another server: {said}")
        harness.check(words is None or words in said[0], said)


def test_tagged_frame():
    """A frame of a VLAN that has no interface here is not the parent's.

    The untagged network's server has no business in it. Priority tags, that
    is VLAN 0, are no VLAN.
    """
    with lab_with_client() as (lab, client):
        frame = bytes.fromhex("ffffffffffff") + dhcp.mac_bytes(MAC)
        wire = netns.open_socket(lab.ns("client"), socket.AF_PACKET,
                                 socket.SOCK_RAW)
        with wire:
            wire.bind(("eth0", 0))
            for xid, tags in enumerate((
                    "8100002a", "88a8002a", "8100002a8100002b",
                    "88a8002a81000000", "810000008100002a", "8100e000")):
                wire.send(frame + bytes.fromhex(tags) + b"\x08\0" +
                          dhcp.datagram(dhcp.discover(MAC, xid=xid)))
            found = client.replies(WAIT, NETUKI_ADDRESS, enough=1)
            found += client.replies(0.2, NETUKI_ADDRESS)
        harness.equal([dhcp.parse(data)["xid"] for data, _ in found], [5],
                      "which was answered")


# The same host as another DHCP server.

KEA = {"Dhcp4": {
    "interfaces-config": {"interfaces": ["eth0"]},
    "lease-database": {"type": "memfile", "persist": False},
    "subnet4": [{"subnet": "10.77.0.0/24",
                 "pools": [{"pool": "10.77.0.100 - 10.77.0.150"}]}]}}

ISC = """
default-lease-time 600;
authoritative;
subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.100 10.77.0.150; }
"""


def start_dnsmasq(lab):
    """dnsmasq as an ordinary DHCP server, on the appliance's own host."""
    return lab.start_dnsmasq("netuki")


def start_kea(lab):
    """Kea on the appliance's own host."""
    binary = paths.asset("usr/sbin/kea-dhcp4")
    config = lab.tmp / "kea.json"
    config.write_text(json.dumps(KEA))
    libraries = sorted({str(path.parent) for path in
                        paths.UNPACKED.glob("usr/lib/*/libkea-*.so*")})
    process = lab.spawn([binary, "-c", config], "netuki", "kea", {
        "LD_LIBRARY_PATH": ":".join(libraries),
        "KEA_PIDFILE_DIR": str(lab.tmp), "KEA_LOCKFILE_DIR": "none",
        "KEA_DHCP_DATA_DIR": str(lab.tmp)})
    process.wait_output("DHCP4_STARTED")
    return process


def start_isc(lab):
    """ISC dhcpd on the appliance's own host."""
    binary = paths.program("dhcpd")
    config = lab.tmp / "dhcpd.conf"
    config.write_text(ISC)
    leases = lab.tmp / "dhcpd.leases"
    leases.touch()
    process = lab.spawn([binary, "-4", "-f", "-d", "-cf", config, "-lf",
                         leases, "-pf", lab.tmp / "dhcpd.pid", "eth0"],
                        "netuki", "dhcpd")
    process.wait_output("Server starting service")
    return process


def lease(lab, client):
    """A lease by broadcast, taken by hand; the address."""
    mac = "52:54:00:cc:00:01"
    for _ in range(5):
        client.send(dhcp.message(
            mac, dhcp.option(53, bytes((dhcp.DISCOVER,))), xid=11))
        found = client.replies(2.0, enough=1)
        if found:
            break
    harness.check(found, "the DHCP server offers nothing")
    offer = dhcp.parse(found[0][0])
    wanted = dhcp.option(53, bytes((dhcp.REQUEST,)))
    wanted += dhcp.option(50, socket.inet_aton(offer["yiaddr"]))
    wanted += dhcp.option(54, offer[54])
    client.send(dhcp.message(mac, wanted, xid=11))
    found = client.replies(WAIT, enough=1)
    harness.check(found, "the DHCP server acknowledges nothing")
    ack = dhcp.parse(found[0][0])
    harness.equal(ack[53], bytes((dhcp.ACK,)), "answer to the REQUEST")
    netns.ip("addr", "add", f"{ack['yiaddr']}/24", "dev", "eth0",
             ns=lab.ns("client"))
    return ack["yiaddr"]


def renew(client, address):
    """Renews by unicast, three times; how often it was answered."""
    answered = 0
    ciaddr = struct.unpack("!I", socket.inet_aton(address))[0]
    for xid in (21, 22, 23):
        client.send(dhcp.message(
            "52:54:00:cc:00:01", dhcp.option(53, bytes((dhcp.REQUEST,))),
            xid=xid, flags=0, ciaddr=ciaddr), (NETUKI_ADDRESS, 67))
        for data, _ in client.replies(WAIT, NETUKI_ADDRESS, enough=1):
            reply = dhcp.parse(data)
            answered += (reply["xid"] == xid and
                         reply[53] == bytes((dhcp.ACK,)))
    return answered


def start_both(lab, server, first):
    """The DHCP server and netukid, in this order or the other."""
    if first:
        server(lab)
        start(lab)
    else:
        start(lab)
        server(lab)


@harness.cases(
    dnsmasq_first={"server": start_dnsmasq, "first": True},
    dnsmasq_after={"server": start_dnsmasq, "first": False},
    kea_first={"server": start_kea, "first": True},
    kea_after={"server": start_kea, "first": False},
    isc_first={"server": start_isc, "first": True},
    isc_after={"server": start_isc, "first": False})
def test_same_host(server, first):
    """Beside a DHCP server: both answer, and its renewals stay its own."""
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        lab.host("client")
        start_both(lab, server, first)
        with dhcp.Client(lab.ns("client")) as client:
            address = lease(lab, client)
            harness.equal(renew(client, address), 3, "renewals answered")
            client.send(dhcp.discover(MAC))
            kinds = []
            for data, _ in client.replies(WAIT, enough=2):
                kinds.append(dhcp.parse(data).get(60))
        harness.check(b"PXEClient" in kinds, f"netukid is silent: {kinds}")


# Interfaces.

def server_of(client, xid, seconds=WAIT):
    """Which of netukid's addresses answers; None for silence."""
    client.send(dhcp.discover(MAC, xid=xid))
    for data, source in client.replies(seconds, enough=1):
        offer = dhcp.parse(data)
        harness.equal(offer["siaddr"], source[0], "siaddr")
        return offer["siaddr"]
    return None


def told(lab, words):
    """Waits for netukid's line with these words: how long, in seconds."""
    begun = time.monotonic()
    lab.netukid.wait_output(words)
    return time.monotonic() - begun


def test_interface_comes_and_goes():
    """Only the named interface is served, from when it has an address.

    A change is seen within a second, but for when the machine is late.
    """
    with lab_with_client(more="interfaces: [eth1]\n") as (lab, client):
        ns = lab.ns("netuki")
        harness.equal(server_of(client, 1, 0.5), None, "without eth1")
        lab.link("netuki", "eth1", "10.77.1.2/24")
        took = [told(lab, "eth1: serving as 10.77.1.2, MTU 1500")]
        harness.equal(server_of(client, 2), "10.77.1.2", "with eth1")
        netns.ip("link", "set", "eth1", "mtu", 1400, ns=ns)
        took.append(told(lab, "eth1: serving as 10.77.1.2, MTU 1400"))
        netns.ip("addr", "del", "10.77.1.2/24", "dev", "eth1", ns=ns)
        netns.ip("addr", "add", "10.77.1.3/24", "dev", "eth1", ns=ns)
        took.append(told(lab, "eth1: serving as 10.77.1.3, MTU 1400"))
        harness.check(min(took) < 1, f"changes are seen after {took} s")
        harness.equal(server_of(client, 3), "10.77.1.3", "a new address")
        netns.ip("link", "set", "eth1", "down", ns=ns)
        told(lab, "eth1: no longer served")
        harness.equal(server_of(client, 4, 0.5), None, "with eth1 down")
        netns.ip("link", "set", "eth1", "name", "lan1", ns=ns)
        netns.ip("link", "set", "lan1", "up", ns=ns)
        time.sleep(1)
        harness.equal(server_of(client, 5, 0.5), None, "renamed away")
        lab.netukid.require_running()


def test_interface_comes_back():
    """What iPXE asks of IPv6 routers is heard on the next of its index, too."""
    with lab_with_client() as (lab, _):
        ns = lab.ns("netuki")
        for number in (1, 2):
            netns.ip("link", "add", "lan0", "index", 77, "type", "bridge",
                     ns=ns)
            netns.ip("addr", "add", f"10.77.1.{number}/24", "dev", "lan0",
                     ns=ns)
            netns.ip("link", "set", "lan0", "up", ns=ns)
            told(lab, f"lan0: serving as 10.77.1.{number}")
            groups = lab.run(["cat", "/proc/net/igmp6"], ns).stdout
            harness.check(re.search(r"^77 +lan0 +ff02(0{26})02 ", groups,
                                    re.MULTILINE), groups)
            netns.ip("link", "del", "lan0", ns=ns)
            told(lab, "lan0: gone")


@harness.cases(bridge={"kind": "bridge"}, macvlan={"kind": "macvlan"})
def test_stacked_interface(kind):
    """An address on a bridge or macvlan over the wire's interface."""
    with lab_with_client(more="interfaces: [up0]\n") as (lab, client):
        ns = lab.ns("netuki")
        lab.link("netuki", "eth1")
        if kind == "bridge":
            netns.ip("link", "add", "up0", "type", "bridge", "stp_state", 0,
                     "forward_delay", 0, ns=ns)
            netns.ip("link", "set", "eth1", "master", "up0", ns=ns)
        else:
            netns.ip("link", "add", "up0", "link", "eth1", "type", "macvlan",
                     "mode", "bridge", ns=ns)
        netns.ip("addr", "add", "10.77.2.2/24", "dev", "up0", ns=ns)
        netns.ip("link", "set", "up0", "up", ns=ns)
        told(lab, "up0: serving as 10.77.2.2")
        client.send(dhcp.discover(MAC))
        found = client.replies(WAIT, enough=1) + client.replies(0.5)
        servers = [dhcp.parse(data)["siaddr"] for data, _ in found]
        harness.equal(servers, ["10.77.2.2"], "who answers")


def add_vlan(ns, parent, name, number=42):
    """A VLAN over an interface; not every kernel knows VLANs."""
    try:
        netns.ip("link", "add", name, "link", parent, "type", "vlan", "id",
                 number, ns=ns)
    except RuntimeError as err:
        if "Unknown device type" not in str(err):
            raise
        raise harness.Skip("a kernel with VLANs (CONFIG_VLAN_8021Q); "
                           "boots test_guest has one") from err
    netns.ip("link", "set", name, "up", ns=ns)


def heard_of(clients, asked, seconds):
    """Who answers what one of CLIENTS asks, and which of them hear it.

    An answer is waited for so many SECONDS.
    """
    clients[asked].send(dhcp.discover(MAC))
    found = [(asked, data)
             for data, _ in clients[asked].replies(seconds, enough=1)]
    found += [(name, data) for name, client in clients.items()
              for data, _ in client.replies(0.1)]
    return [(name, dhcp.parse(data)["siaddr"]) for name, data in found]


@harness.cases(alone={"served": "up0", "plain": []},
               beside={"served": "eth0, up0",
                       "plain": [("eth0", NETUKI_ADDRESS)]})
def test_vlan_interface(served, plain):
    """An address in a VLAN: who asks with its tag is answered with it, once;
    with another VLAN's tag, or none, by nobody or by whose frame it is."""
    with lab_with_client(more=f"interfaces: [{served}]\n") as (lab, client), \
            contextlib.ExitStack() as stack:
        add_vlan(lab.ns("netuki"), "eth0", "up0")
        clients = {"eth0": client}
        for name, number in (("up0", 42), ("far0", 43)):
            add_vlan(lab.ns("client"), "eth0", name, number)
            clients[name] = stack.enter_context(
                dhcp.Client(lab.ns("client"), interface=name))
        netns.ip("addr", "add", "10.77.2.2/24", "dev", "up0",
                 ns=lab.ns("netuki"))
        told(lab, "up0: serving as 10.77.2.2")
        for asked, wanted in (("eth0", plain), ("far0", []),
                              ("up0", [("up0", "10.77.2.2")])):
            heard = heard_of(clients, asked, WAIT if wanted else 1.0)
            harness.equal(heard, wanted, asked)


def test_two_interfaces():
    """Each interface's clients are told that interface's address."""
    with lab_with_client(more="interfaces: [eth0, eth1]\n") as (lab, client):
        lab.link("netuki", "eth1", "10.77.1.2/24")
        told(lab, "eth1: serving as 10.77.1.2")
        client.send(dhcp.discover(MAC))
        servers = {dhcp.parse(data)["siaddr"]
                   for data, _ in client.replies(WAIT, enough=2)}
        harness.equal(servers, {NETUKI_ADDRESS, "10.77.1.2"}, "servers")


def test_listen():
    """`listen` names the one address that is told, and asked by broadcast."""
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        lab.host("client", "10.77.0.50/24")
        netns.ip("addr", "add", "10.77.2.2/24", "dev", "eth0",
                 ns=lab.ns("netuki"))
        lab.link("netuki", "eth1", "10.77.1.2/24")
        netns.ip("route", "add", "10.77.2.2/32", "dev", "eth0",
                 ns=lab.ns("client"))
        start(lab, "dhcp: {listen: 10.77.2.2}\n")
        with dhcp.Client(lab.ns("client")) as client:
            client.send(dhcp.discover(MAC, xid=1), (NETUKI_ADDRESS, 67))
            client.send(dhcp.discover(MAC, xid=2))
            client.send(dhcp.discover(MAC, xid=3), ("10.77.2.2", 67))
            told = [dhcp.parse(data)
                    for data, _ in client.replies(WAIT, enough=2)]
        harness.equal([(offer["xid"], offer["siaddr"]) for offer in told],
                      [(2, "10.77.2.2"), (3, "10.77.2.2")], "answers")


def test_dhcp_server_beside():
    """A whole exchange with a DHCP server on another host goes on beside."""
    with lab_with_client() as (lab, client):
        lab.start_dnsmasq("dhcp")
        client.send(dhcp.discover(MAC))
        found = {source[0]: dhcp.parse(data)
                 for data, source in client.replies(WAIT, enough=2)}
        harness.equal(set(found), {DHCP_ADDRESS, NETUKI_ADDRESS}, "servers")
        harness.equal(found[NETUKI_ADDRESS]["yiaddr"], "0.0.0.0", "yiaddr")


if __name__ == "__main__":
    harness.main(globals())
