#!/usr/bin/python3
"""Real firmware boots the same image on every path, with its command line."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, disk, harness, uki  # noqa: E402
from lab.lab import Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
EMBEDDED = 'console=ttyS0 quiet panic=-1 test.embedded="two words"'
ADDED = "test.added=1 test.more=a,b"
TIMEOUT = 150
# What other load on the machine may add, in seconds.
SLACK = 2


def boot(mode, firmware="ovmf", added=None):
    """The kernel's command line of a machine that boots in MODE."""
    with Lab() as lab:
        appliance.network(lab)
        appliance.add_image(lab, "test.efi", uki.build(EMBEDDED))
        entry = {"name": "lab-01", "mac": MAC, "image": "test.efi",
                 "mode": mode}
        if added:
            entry["cmdline"] = added
        lab.start_netukid(appliance.config(lab, [entry]))
        machine = lab.machine("lab-01", firmware=firmware, mac=MAC)
        machine.power_on()
        cmdline, _ = machine.wait_guest(TIMEOUT)
        machine.wait_serial(uki.GUEST_UP, 10)
        machine.wait_off(30)
        return cmdline


@harness.cases(
    ipxe={"mode": "ipxe"},
    tftp_uki={"mode": "tftp-uki"},
    http_boot={"mode": "ipxe", "firmware": "ovmf-http"},
)
def test_embedded(mode, firmware="ovmf"):
    """Nothing to add: the kernel has exactly what the image's author wrote."""
    harness.equal(boot(mode, firmware), EMBEDDED, "/proc/cmdline")


@harness.cases(
    ipxe={"mode": "ipxe"},
    tftp_uki={"mode": "tftp-uki"},
    http_boot={"mode": "ipxe", "firmware": "ovmf-http"},
)
def test_added(mode, firmware="ovmf"):
    """The machine's own words come after the image's."""
    got = boot(mode, firmware, ADDED)
    # iPXE hands its arguments over with one blank before them.
    harness.equal(got.removeprefix(" "), f"{EMBEDDED} {ADDED}",
                  "/proc/cmdline")


@harness.cases(embedded={"added": None}, added={"added": ADDED})
def test_bios(added):
    """BIOS with iPXE: the same image, cut into kernel and initramfs."""
    got = boot("ipxe", "seabios", added)
    wanted = EMBEDDED + (f" {added}" if added else "")
    # iPXE names the initramfs on the kernel's command line.
    words = [word for word in got.split(" ")
             if not word.startswith("initrd=")]
    harness.equal(" ".join(words).strip(" "), wanted, "/proc/cmdline")


def to_disk(lab, name, firmware, **wishes):
    """Seconds from power-on to the first words of the disk's boot loader.

    Less those that the machine had to wait for a processor: (the rest, they).
    """
    make = disk.bios if firmware == "seabios" else disk.efi
    machine = lab.machine(name, firmware=firmware,
                          disk=make(lab.tmp / f"disk-{name}"), **wishes)
    machine.power_on()
    _, seconds = machine.wait_serial(disk.WORDS, TIMEOUT)
    starved = machine.starved()
    machine.power_off()
    return seconds - starved, starved


@harness.cases(
    ovmf={"firmware": "ovmf", "network": 8.5,
          "asks": ["PXEClient", "HTTPClien"]},
    seabios={"firmware": "seabios", "network": 4.8})
def test_local(firmware, network, asks=None):
    """A machine set to local is sent to its disk at once, not after the 124 s
    and 20 s that silence costs.

    NETWORK is what its network may cost, in seconds: with what the firmware
    takes to its disk without a network card on an idle machine, 12 s and 5 s
    to the disk.  ASKS is as what it asks: each once, or it was not told; with
    iPXE, repeats say nothing.
    """
    with Lab() as lab:
        appliance.network(lab)
        lab.start_netukid(appliance.config(lab, [
            {"name": "lab-01", "mac": MAC, "mode": "local"}]))
        capture = lab.capture("netuki", f"ether host {MAC}")
        took, starved = to_disk(lab, "lab-01", firmware, mac=MAC)
        capture.finish()
        alone, _ = to_disk(lab, "alone", firmware, card=False)
        print(f"# {took:.1f} s to the disk, {alone:.1f} s without a network "
              f"card; {starved:.1f} s more without a processor", flush=True)
        asked = [vendor[:9] for vendor, in capture.rows(
            "dhcp.option.dhcp == 1", "dhcp.option.vendor_class_id")]
        harness.equal(asked, asks or asked, "DISCOVERs")
        harness.check(took - alone < network + SLACK,
                      f"it took {took:.1f} s to the disk")
        boots = json.loads(lab.netukictl("boots", "--json").stdout)["boots"]
        harness.equal([(boot["mode"], boot["outcome"]) for boot in boots],
                      [("local", "local")], "netukictl boots")


if __name__ == "__main__":
    harness.main(globals())
