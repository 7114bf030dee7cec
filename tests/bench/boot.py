#!/usr/bin/python3
"""Boots of real firmware: netukid against dnsmasq and nginx, in turns.

    tests/bench/boot.py [--rounds N] [--size MB] [--modes ipxe,tftp-uki,...]

Seconds from power-on to the guest's first words, in QEMU without KVM: what
counts are the ratios.  Prints the medians.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, baseline, uki  # noqa: E402
from lab.lab import Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
MODES = {"ipxe": ("ovmf", "ipxe"), "tftp-uki": ("ovmf", "tftp-uki"),
         "http": ("ovmf-http", "ipxe"), "bios": ("seabios", "ipxe")}


def boot_netukid(mode, image, timeout=180):
    """Boots one machine through netukid; seconds."""
    firmware, said = MODES[mode]
    with Lab() as lab:
        appliance.network(lab)
        appliance.add_image(lab, "uki.efi", image)
        lab.start_netukid(appliance.config(lab, [
            {"name": "lab-01", "mac": MAC, "image": "uki.efi",
             "mode": said}]))
        machine = lab.machine("lab-01", firmware=firmware, mac=MAC)
        machine.power_on()
        return machine.wait_guest(timeout)[1]


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=0, metavar="MB")
    parser.add_argument("--modes", default=",".join(MODES))
    args = parser.parse_args()
    image = uki.build(baseline.CMDLINE, args.size)
    size = image.stat().st_size / 1e6
    print(f"an image of {size:.1f} MB, {args.rounds} rounds")
    print(f"{'boot':10} {'dnsmasq+nginx':>14} {'netukid':>9} {'ratio':>6}")
    for mode in args.modes.split(","):
        theirs, ours = [], []
        for _ in range(args.rounds):
            theirs.append(baseline.boot(mode, image, traced=False)[0])
            ours.append(boot_netukid(mode, image))
        them, us = statistics.median(theirs), statistics.median(ours)
        print(f"{mode:10} {them:14.1f} {us:9.1f} {us / them:6.2f}",
              flush=True)


if __name__ == "__main__":
    main()
