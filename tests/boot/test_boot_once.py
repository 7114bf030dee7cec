#!/usr/bin/python3
"""A machine that is set to local, told to boot once, on real firmware."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, disk, harness, uki  # noqa: E402
from lab.lab import Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
EMBEDDED = "console=ttyS0 quiet panic=-1 test.once=1"
TIMEOUT = 150


def boot_from_network(machine):
    """Powers it on; the image from the network must have been booted."""
    machine.power_on()
    cmdline, _ = machine.wait_guest(TIMEOUT)
    harness.equal(cmdline.strip(), EMBEDDED, "/proc/cmdline")
    machine.wait_off(30)


def boot_from_disk(machine):
    """Powers it on; its disk must have been booted."""
    machine.power_on()
    machine.wait_serial(disk.WORDS, TIMEOUT, uki.GUEST_CMDLINE.replace(
        "<([^\\n\\r]*)>", "<[^>]*test.once"))
    machine.power_off()


@harness.cases(
    ipxe={},
    tftp_uki={"args": ["--mode", "tftp-uki"]},
    http_boot={"firmware": "ovmf-http"},
    bios={"firmware": "seabios"},
)
def test_boot_once(firmware="ovmf", args=()):
    """The next boot is the network's, and the one after is the disk's."""
    with Lab() as lab:
        appliance.network(lab)
        appliance.add_image(lab, "once.efi", uki.build(EMBEDDED))
        text = appliance.config(lab, [{"name": "lab-01", "mac": MAC,
                                       "mode": "local"}])
        lab.start_netukid(text)
        make = disk.bios if firmware == "seabios" else disk.efi
        machine = lab.machine("lab-01", firmware=firmware, mac=MAC,
                              disk=make(lab.tmp / "disk"))
        lab.netukictl("boot-once", "lab-01", "--image", "once.efi", *args)
        # What was set is the daemon's to remember, over restarts too.
        lab.netukid.stop()
        lab.start_netukid(text)
        boot_from_network(machine)
        pending = json.loads(lab.netukictl("boot-once", "--json").stdout)
        harness.equal(pending["machines"], [], "set to boot once, still")
        boot_from_disk(machine)


def test_alternate():
    """iPXE and tftp-uki in turn, by what the network carried."""
    with Lab() as lab:
        appliance.network(lab)
        appliance.add_image(lab, "once.efi", uki.build(EMBEDDED))
        lab.start_netukid(appliance.config(lab, [{
            "name": "lab-01", "mac": MAC, "mode": "alternate",
            "image": "once.efi"}]))
        machine = lab.machine("lab-01", mac=MAC)
        for done in ("http-done", "tftp-done", "http-done"):
            lines = len(lab.netukid.output().splitlines())
            boot_from_network(machine)
            said = [line for line in
                    lab.netukid.output().splitlines()[lines:]
                    if "once.efi " in line and "-done" in line]
            harness.check(len(said) == 1 and done in said[0],
                          f"not one {done}: {said}")


if __name__ == "__main__":
    harness.main(globals())
