#!/usr/bin/python3
"""Real firmware under `http: {max-rate-per-client}`, and four at once."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, harness, uki  # noqa: E402
from lab.lab import Lab  # noqa: E402

CMDLINE = "console=ttyS0 quiet panic=-1 test.storm=1"
RATE = 4_000_000
TIMEOUT = 150
FIRMWARES = ("ovmf", "ovmf-http", "ovmf", "seabios")


def mac(number):
    """The MAC address of a machine."""
    return f"52:54:00:12:34:{number:02x}"


def laboratory(lab, count, more=""):
    """netukid with one image and COUNT machines; the image's size."""
    appliance.network(lab)
    image = appliance.add_image(lab, "test.efi", uki.build(CMDLINE))
    lab.start_netukid(appliance.config(lab, [
        {"name": f"lab-{number}", "mac": mac(number), "image": "test.efi"}
        for number in range(count)], more))
    return image.stat().st_size


def guest(machine, timeout):
    """Waits for the guest's words, and looks at its command line."""
    words = machine.wait_guest(timeout)[0].split()
    # Under BIOS iPXE names the initramfs there.
    harness.equal(" ".join(word for word in words
                           if not word.startswith("initrd=")), CMDLINE,
                  f"{machine.name}: /proc/cmdline")


@harness.cases(ipxe={"firmware": "ovmf"}, http_boot={"firmware": "ovmf-http"})
def test_paced(firmware):
    """The image comes at the rate that is set, and the guest is up."""
    with Lab() as lab:
        size = laboratory(lab, 1, f"http: {{max-rate-per-client: {RATE}}}\n")
        machine = lab.machine("lab-0", firmware=firmware, mac=mac(0))
        machine.power_on()
        guest(machine, TIMEOUT)
        boot = json.loads(
            lab.netukictl("boots", "--json").stdout)["boots"][0]
        harness.equal(boot["outcome"], "complete", "outcome")
        harness.check(boot["bytes"] >= size, f"bytes: {boot}")
        rate = boot["bytes"] / boot["transfer-seconds"]
        print(f"# {boot['bytes']} bytes at {rate / 1e6:.2f} MB/s")
        # The kernel's buffers take some in at once.
        harness.check(rate < RATE * 1.5, f"{rate / 1e6:.2f} MB/s")


def test_four_at_once():
    """Four machines with different firmware, switched on together."""
    with Lab() as lab:
        laboratory(lab, len(FIRMWARES), "http: {max-bulk: 2}\n")
        machines = [
            lab.machine(f"lab-{number}", firmware=firmware, mac=mac(number),
                        memory=1024)
            for number, firmware in enumerate(FIRMWARES)]
        for machine in machines:
            machine.power_on()
        for machine in machines:
            guest(machine, 2 * TIMEOUT)
        boots = json.loads(lab.netukictl("boots", "--json").stdout)["boots"]
        harness.equal(sorted((boot["machine"], boot["outcome"])
                             for boot in boots),
                      [(machine.name, "complete") for machine in machines],
                      "boots")


if __name__ == "__main__":
    harness.main(globals())
