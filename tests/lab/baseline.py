#!/usr/bin/python3
"""Boots a machine through dnsmasq and nginx: proves the lab, and is the peer.

    tests/lab/baseline.py [--mode ipxe|tftp-uki|http|bios] [--size MB]

Prints the seconds from power-on to each step and the guest's command line.
"""

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import paths, peers, uki  # noqa: E402
from lab.lab import DHCP_ADDRESS, NETUKI_ADDRESS, Lab  # noqa: E402

CMDLINE = 'console=ttyS0 quiet panic=-1 lab.words="two words"'

_URL = f"http://{NETUKI_ADDRESS}"
_SCRIPTS = {
    "ipxe": f"#!ipxe\nimgfree\nchain --name= {_URL}/uki.efi\n",
    "bios": f"#!ipxe\nkernel {_URL}/linux {CMDLINE} initrd=initrd\n"
            f"initrd --name initrd {_URL}/initrd\nboot\n",
}
_MODES = {
    "ipxe": ("ovmf", peers.proxy_ipxe(f"{_URL}/boot.ipxe")),
    "tftp-uki": ("ovmf", peers.proxy_file("uki.efi")),
    "http": ("ovmf-http", peers.proxy_http(f"{_URL}/uki.efi")),
    "bios": ("seabios", peers.proxy_ipxe(f"{_URL}/boot.ipxe")),
}

# (what, tshark filter): the time of the first packet is told, and of the
# last one where the name ends so.
_STEPS = [
    ("first DISCOVER", "dhcp.option.dhcp == 1"),
    ("first OFFER of the proxy",
     f"dhcp.option.dhcp == 2 && ip.src == {NETUKI_ADDRESS}"),
    ("request to port 4011", "udp.dstport == 4011"),
    ("loader's first block", "tftp.opcode == 3"),
    ("loader's last block", "tftp.opcode == 3"),
    ("iPXE's DISCOVER", "dhcp.option.dhcp == 1 && dhcp.option.type == 77"),
    ("script asked", 'http.request.uri contains "boot.ipxe"'),
    ("image asked over HTTP",
     'http.request.method == GET && !(http.request.uri contains "ipxe")'),
]


def fill(root, mode, image):
    """Puts in folder ROOT the files that MODE needs."""
    root.mkdir()
    uki.place(image, root / "uki.efi")
    for name in ("snponly.efi", "undionly.kpxe"):
        uki.place(paths.asset(f"usr/lib/ipxe/{name}"), root / name)
    if mode in _SCRIPTS:
        (root / "boot.ipxe").write_text(_SCRIPTS[mode])
    for name in ("linux", "initrd"):
        (root / name).write_bytes(uki.section(image, f".{name}"))


def boot(mode, image, timeout=180, traced=True):
    """Boots one machine; returns (seconds, command line, list of steps).

    A step is (what, seconds since power-on).  There are none unless TRACED:
    the capture they are read from takes its share of the machine.
    """
    firmware, offer = _MODES[mode]
    with Lab() as lab:
        lab.host("dhcp", f"{DHCP_ADDRESS}/24")
        lab.host("netuki", f"{NETUKI_ADDRESS}/24")
        fill(lab.tmp / "root", mode, image)
        lab.start_dnsmasq()
        lab.start_dnsmasq_proxy(lab.tmp / "root", extra=offer)
        lab.start_nginx(lab.tmp / "root")
        machine = lab.machine(firmware=firmware)
        if traced:
            capture = lab.capture(machine.name, snaplen=600, bulk=True)
        machine.power_on()
        cmdline, seconds = machine.wait_guest(timeout)
        if not traced:
            return seconds, cmdline, []
        capture.finish()
        return seconds, cmdline, list(steps(machine, capture))


def steps(machine, capture):
    """Yields (what, seconds since power-on) for each step in CAPTURE."""
    for what, display_filter in _STEPS:
        rows = capture.rows(display_filter, "frame.time_epoch")
        if rows:
            row = rows[-1] if "last" in what else rows[0]
            yield what, float(row[0]) - machine.powered_on_epoch


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mode", choices=sorted(_MODES), default="ipxe")
    parser.add_argument("--size", type=int, default=0, metavar="MB")
    args = parser.parse_args()
    try:
        image = uki.build(CMDLINE, args.size)
        seconds, cmdline, timeline = boot(args.mode, image)
    except paths.Missing as err:
        parser.exit(1, f"baseline.py: {err}\n")
    for what, at in timeline + [("guest's first words", seconds)]:
        print(f"{at:8.3f} s  {what}")
    print(f"command line: <{cmdline}>")
    if cmdline.removesuffix(" initrd=initrd") != CMDLINE:
        parser.exit(1, f"baseline.py: expected <{CMDLINE}>\n")


if __name__ == "__main__":
    main()
