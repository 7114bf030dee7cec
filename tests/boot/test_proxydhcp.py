#!/usr/bin/python3
"""Real firmware takes netukid's offers, in the networks that there are."""

import json
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, efiapp, harness, netns  # noqa: E402
from lab import paths, rom, uki  # noqa: E402
from lab.lab import DHCP_ADDRESS, NETUKI_ADDRESS, Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
CMDLINE = "console=ttyS0 quiet panic=-1 test.proxydhcp=1"
ARM_WORDS = "netuki-arm64: running"
TIMEOUT = 150
# What other load on the machine may add to the times that are asked for.
SLACK = 2


def events(lab):
    """What netukictl has heard of the boot so far."""
    found = []
    whole, _, _ = lab.follower.output().rpartition("\n")
    for line in whole.splitlines():
        if line.startswith("{"):
            found.append(json.loads(line))
    return found


def first(lab, kind, **wanted):
    """The first event of this kind with these fields; fails without one.

    It may be on its way: netukictl is a process of its own.
    """
    deadline = time.monotonic() + 10
    while True:
        found = events(lab)
        for event in found:
            if event.get("event") == kind and all(
                    event.get(key) == value for key, value in wanted.items()):
                return event
        harness.check(time.monotonic() < deadline,
                      f"no {kind} {wanted} in {found}")
        time.sleep(0.05)


@contextmanager
def laboratory(more="", dhcp=True, **entry):
    """netukid with one image and one machine, and its events."""
    with Lab() as lab:
        appliance.network(lab, dhcp=dhcp)
        appliance.add_image(lab, "test.efi", uki.build(CMDLINE))
        efiapp.build(appliance.images(lab) / "arm.efi", ARM_WORDS, "aa64")
        lab.start_netukid(appliance.config(lab, [
            {"name": "lab-01", "mac": MAC, **{"image": "test.efi", **entry}}],
            more))
        lab.follower = lab.spawn(
            [paths.built("netukictl"), "boots", "--follow", "--json",
             "--control", lab.control])
        lab.follower.wait_output("following")
        yield lab


def boot(lab, firmware="ovmf", machine=None):
    """Boots the machine to its guest's words."""
    machine = machine or lab.machine("lab-01", firmware=firmware, mac=MAC)
    machine.power_on()
    cmdline, _ = machine.wait_guest(TIMEOUT)
    harness.equal(cmdline.strip(" "), CMDLINE, "/proc/cmdline")
    machine.power_off()


@harness.cases(direct={"form": "direct"}, pxe_port={"form": "pxe-port"})
def test_form(form):
    """OVMF takes each form of offer, and asks port 4011 only for one."""
    with laboratory(offer=form, mode="tftp-uki") as lab:
        boot(lab)
        first(lab, "offer", detail=form)
        first(lab, "tftp-done", file="images/test.efi")
        asked = [event for event in events(lab)
                 if event.get("event") == "request"]
        harness.equal(bool(asked), form == "pxe-port", "asked port 4011")


def script_after_discover(lab):
    """Seconds from the machine's first DISCOVER to its script."""
    return first(lab, "script")["t"] - first(lab, "discover")["t"]


def test_ipxe_does_not_wait_for_a_router():
    """The script is asked for within 7.5 s of OVMF's first DISCOVER."""
    with laboratory() as lab:
        boot(lab)
        first(lab, "router-advertisement")
        took = script_after_discover(lab)
        print(f"# script {took:.1f} s after the first DISCOVER")
        harness.check(took <= 7.5 * SLACK, f"the script took {took:.1f} s")


def routes(lab, host):
    """The IPv6 routes and addresses of a host."""
    return [lab.run(["ip", "-6", what, "show"], lab.ns(host)).stdout
            for what in ("route", "addr")]


def settled_routes(lab, host):
    """The same, when duplicate address detection is over.

    That takes up to two seconds, of which the first is the kernel's chance.
    """
    deadline = time.monotonic() + 20
    while True:
        found = routes(lab, host)
        if "fe80" in found[1] and "tentative" not in found[1]:
            return found
        harness.check(time.monotonic() < deadline, f"{host}: {found}")
        time.sleep(0.1)


def test_router_advertisement_saves_the_wait():
    """iPXE with and without ipxe-ra; nobody else's routes change."""
    took = {}
    for setting in ("auto", "off"):
        with laboratory(f"dhcp: {{ipxe-ra: {setting}}}\n") as lab:
            lab.host("bystander", "10.77.0.60/24")
            netns.set_sysctl(lab.ns("bystander"),
                             "net/ipv6/conf/eth0/accept_ra", 1)
            before = settled_routes(lab, "bystander")
            boot(lab, "seabios")
            harness.equal(routes(lab, "bystander"), before,
                          "routes and addresses of another host")
            took[setting] = script_after_discover(lab)
    print(f"# script after DISCOVER: {took['auto']:.1f} s with the "
          f"advertisement, {took['off']:.1f} s without")
    harness.check(took["off"] > 12, f"without it took {took['off']:.1f} s")
    harness.check(took["auto"] < 4, f"with it took {took['auto']:.1f} s")


def test_bios_rom_loads_undionly():
    """A BIOS ROM that is no iPXE is given undionly.kpxe, and that boots."""
    with laboratory() as lab:
        for host in ("netuki", "dhcp"):
            rom.checksum_in_software(lab.ns(host))
            netns.ip("link", "set", "eth0", "gso_max_segs", 1,
                     ns=lab.ns(host))
        machine = lab.machine("lab-01", firmware="seabios", mac=MAC)
        vendor = rom.VendorRom(lab, "lab-01")
        try:
            boot(lab, machine=machine)
        finally:
            vendor.stop()
        first(lab, "discover", firmware="bios")
        first(lab, "tftp-done", file="undionly.kpxe")
        first(lab, "discover", firmware="ipxe")


def test_arm64_firmware_loads_an_image():
    """ARM64 firmware asks, and loads and runs an application over TFTP."""
    with laboratory(mode="tftp-uki", image="arm.efi") as lab:
        machine = lab.machine("lab-01", firmware="aavmf", mac=MAC)
        machine.power_on()
        machine.wait_serial(ARM_WORDS, TIMEOUT)
        first(lab, "discover", firmware="uefi", arch="arm64")
        first(lab, "tftp-done", file="images/arm.efi")


def test_vlan_without_the_command():
    """Debian's iPXE has no VLANs: it says so, and the boot order goes on."""
    with laboratory(vlan=42) as lab:
        machine = lab.machine("lab-01", firmware="seabios", mac=MAC)
        machine.power_on()
        machine.wait_serial("netuki: no DHCP in VLAN 42, or this iPXE is built "
                            "without VLAN_CMD", TIMEOUT)
        machine.wait_serial("No bootable device", TIMEOUT)


def test_dhcp_server_on_the_same_host():
    """dnsmasq serves leases from the appliance's own host."""
    with laboratory(dhcp=False) as lab:
        lab.start_dnsmasq("netuki")
        boot(lab)


def test_slow_dhcp_server():
    """A DHCP server that answers two seconds later than netukid."""
    with laboratory(dhcp=False, mode="tftp-uki") as lab:
        lab.start_dnsmasq("dhcp", delay=2)
        boot(lab)


@harness.cases(ovmf={"firmware": "ovmf"}, seabios={"firmware": "seabios"})
def test_fast_dhcp_server(firmware):
    """A DHCP server whose OFFER comes half a second before netukid's."""
    with laboratory(dhcp=False, mode="tftp-uki") as lab:
        server = lab.start_dnsmasq("dhcp")
        machine = lab.machine("lab-01", firmware=firmware, mac=MAC)
        capture = lab.capture("lab-01", "udp port 67 or udp port 68")
        lab.netukid.send(signal.SIGSTOP)
        machine.power_on()
        server.wait_output("DHCPOFFER", TIMEOUT)
        time.sleep(0.5)
        lab.netukid.send(signal.SIGCONT)
        cmdline, _ = machine.wait_guest(TIMEOUT)
        words = [word for word in cmdline.split()
                 if not word.startswith("initrd=")]
        harness.equal(" ".join(words), CMDLINE, "/proc/cmdline")
        capture.finish()
        offers = [row[0] for row in capture.rows("dhcp.option.dhcp == 2",
                                                 "ip.src")]
        # A machine that has asked again meanwhile has two from the first.
        harness.check(offers[0] == DHCP_ADDRESS and NETUKI_ADDRESS in offers,
                      f"OFFERs: {offers}")


def add_far_bridge(lab):
    """A second segment, br1, behind a relay between it and br0."""
    lab.host("relay", "10.77.0.3/24")
    relay, switch = lab.ns("relay"), lab.switch_ns
    netns.ip("link", "add", "br1", "type", "bridge", "stp_state", 0,
             "forward_delay", 0, ns=switch)
    netns.ip("link", "set", "br1", "up", ns=switch)
    netns.ip("link", "add", "far", "netns", switch, "type", "veth", "peer",
             "name", "eth1", "netns", relay)
    netns.ip("link", "set", "far", "master", "br1", "up", ns=switch)
    netns.ip("addr", "add", "10.78.0.1/24", "dev", "eth1", ns=relay)
    netns.ip("link", "set", "eth1", "up", ns=relay)
    netns.set_sysctl(relay, "net/ipv4/ip_forward", 1)
    for host in ("netuki", "dhcp"):
        netns.ip("route", "add", "10.78.0.0/24", "via", "10.77.0.3",
                 ns=lab.ns(host))


def test_behind_a_relay():
    """A machine on another segment, whose relay names both servers."""
    relay = paths.program("dhcrelay")
    with laboratory(dhcp=False) as lab:
        add_far_bridge(lab)
        lab.start_dnsmasq("dhcp", [
            "--dhcp-range=10.78.0.100,10.78.0.150,255.255.255.0,1h",
            "--dhcp-option=tag:far,3,10.78.0.1"])
        process = lab.spawn([relay, "-4", "-d", "-pf",
                             lab.tmp / "relay.pid", "-iu", "eth0", "-id",
                             "eth1", "10.77.0.1", NETUKI_ADDRESS], "relay")
        process.wait_output("Sending on")
        machine = lab.machine("lab-01", mac=MAC)
        netns.ip("link", "set", "lab-01", "master", "br1", ns=lab.switch_ns)
        boot(lab, machine=machine)
        script = first(lab, "script")
        harness.check(script["ip"].startswith("10.78.0."),
                      f"the script went to {script['ip']}")


if __name__ == "__main__":
    harness.main(globals())
