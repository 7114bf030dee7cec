#!/usr/bin/python3
"""Boots a virtual machine with real firmware through netukid, and tells how.

    sudo make demo [MODE=ipxe|tftp-uki|alternate|http|bios] [ROUNDS=N]

The network is made of namespaces on this machine and is connected to nothing.
Several rounds end with netukid's own report of them, as text and as a page.
The exit status is 0 only if the guest spoke each time, its kernel had the
command line that it should have, and netukid heard that it is up.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", metavar="DIR")
    parser.add_argument("--mode", default="ipxe",
                        choices=("ipxe", "tftp-uki", "alternate", "http",
                                 "bios"))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--size", type=int, default=0, metavar="MB",
                        help="the least size of the image")
    parser.add_argument("--timeout", type=int, default=180, metavar="SECONDS")
    return parser.parse_args()


ARGS = _arguments()
if ARGS.build:
    os.environ["NETUKI_BUILD"] = ARGS.build

from lab import appliance, paths, uki  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402

IMAGE = "demo.efi"
MAC = "52:54:00:12:34:56"
EMBEDDED = 'console=ttyS0 quiet panic=-1 demo.image="the author of the image"'
ADDED = "demo.machine=lab-01"
BOOTED = f"http://{NETUKI_ADDRESS}/machines/{MAC}/booted"

# What the user sees of each mode: the machine's firmware, the mode in the
# configuration, and the path in words.
MODES = {
    "ipxe": ("ovmf", "ipxe",
             "UEFI -> iPXE over TFTP -> script and UKI over HTTP"),
    "tftp-uki": ("ovmf", "tftp-uki",
                 "UEFI -> the UKI itself over TFTP, in windows"),
    "alternate": ("ovmf", "alternate",
                  "UEFI -> by iPXE and HTTP, and by TFTP alone, in turn"),
    "http": ("ovmf-http", "ipxe",
             "UEFI HTTP Boot -> the UKI itself over HTTP"),
    "bios": ("seabios", "ipxe",
             "BIOS with iPXE -> kernel and initrd cut out of the UKI"),
}

SILENCE = 10  # seconds without an event before a sign of life is printed


def say(text=""):
    """Prints a line now, through a pipe too."""
    print(text, flush=True)


class Events:
    """The journal of netukid, as netukictl tells it: one object a line.

    Whatever is no such object is handed on as an event of its own.
    """

    def __init__(self, lab):
        self._process = lab.spawn(
            [paths.built("netukictl"), "boots", "--follow", "--json",
             "--control", lab.control], name="netukictl")
        self._process.wait_output("\n")
        self._read = 0

    def fresh(self):
        """The events since the last call."""
        with open(self._process.log, "rb") as log:
            log.seek(self._read)
            data = log.read()
        whole = data[:data.rfind(b"\n") + 1]
        self._read += len(whole)
        events = [self._parse(line) for line in
                  whole.decode(errors="replace").splitlines() if line.strip()]
        # Its first line only says that it follows.
        return [event for event in events if "following" not in event]

    @staticmethod
    def _parse(line):
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            event = {"event": "netukictl", "detail": line}
        # A clock that is not told is the time at which we hear of it.
        if not isinstance(event.get("t"), (int, float)):
            event["t"] = time.monotonic()
        return event


def name(event):
    """The event's name."""
    return str(event.get("event", "?"))


def is_ipxe(event):
    """Whether it is about an iPXE client."""
    return event.get("firmware") == "ipxe"


def is_image(event):
    """Whether it is about the UKI or a part of it."""
    return IMAGE in str(event.get("file", ""))


def describe(event):
    """An event in words: known fields in order, then whatever else it has."""
    parts = []
    known = ("firmware", "arch", "ip", "file", "bytes", "seconds", "form",
             "detail")
    hidden = ("t", "event", "mac")
    for key in known + tuple(k for k in event if k not in known + hidden):
        value = event.get(key)
        if value in (None, ""):
            continue
        if key == "bytes":
            parts.append(f"{value:,} bytes")
        elif key == "seconds":
            parts.append(f"in {value:.3f} s")
        elif key in known:
            parts.append(str(value))
        else:
            parts.append(f"{key}={value}")
    return "  ".join(parts)


def first(events, names, condition):
    """The time of the first event of these NAMES that meets CONDITION."""
    for event in events:
        if name(event) in names and condition(event):
            return event["t"]
    return None


def transfer(events, protocol, condition):
    """(begin, end) of the first whole transfer that meets CONDITION.

    Firmware may begin more than once, for example to learn the size first.
    """
    done = None
    for event in events:
        if name(event) == f"{protocol}-done" and condition(event):
            done = event
            break
    if done is None:
        return None, None
    begun = [event["t"] for event in events
             if name(event) == f"{protocol}-start" and condition(event)
             and event.get("file") == done.get("file")
             and event["t"] <= done["t"]]
    if "seconds" in done and not begun:
        begun = [done["t"] - done["seconds"]]
    return begun[-1] if begun else None, done["t"]


def timeline(events):
    """The steps of the boot: (what, time), time None if it did not happen."""
    def firmware(event):
        return not is_ipxe(event)

    loader = transfer(events, "tftp", lambda event: not is_image(event))
    over_tftp = transfer(events, "tftp", is_image)
    over_http = image_over_http(events)
    return [
        ("firmware's DISCOVER", first(events, ("discover",), firmware)),
        ("OFFER to it", first(events, ("offer",), firmware)),
        ("its request to port 4011", first(events, ("request",), firmware)),
        ("answer from port 4011", first(events, ("ack",), firmware)),
        ("loader over TFTP: first byte", loader[0]),
        ("loader over TFTP: last byte", loader[1]),
        ("iPXE's own DISCOVER", first(events, ("discover",), is_ipxe)),
        ("OFFER to iPXE", first(events, ("offer",), is_ipxe)),
        ("router advertisement to iPXE",
         first(events, ("router-advertisement",), lambda event: True)),
        ("script", first(events, ("script",), lambda event: True)),
        ("UKI over TFTP: first byte", over_tftp[0]),
        ("UKI over TFTP: last byte", over_tftp[1]),
        ("UKI over HTTP: first byte", over_http[0]),
        ("UKI over HTTP: last byte", over_http[1]),
        ("its word to netukid: it is up",
         first(events, ("booted",), lambda event: True)),
    ]


def image_over_http(events):
    """(begin, end) of the image over HTTP, whole or in its parts."""
    begin, end = transfer(events, "http", is_image)
    ends = [event["t"] for event in events
            if name(event) == "http-done" and is_image(event)]
    return begin, max(ends) if ends else end


def print_table(events, powered_on, guest):
    """Prints the steps with their seconds since power-on."""
    steps = [(what, at) for what, at in timeline(events) if at is not None]
    steps.append(("the guest's first words", powered_on + guest))
    say("\n  since power-on       step")
    previous = powered_on
    for what, at in sorted(steps, key=lambda step: step[1]):
        say(f"  {at - powered_on:9.3f} s  +{at - previous:7.3f}  {what}")
        previous = at


def watch(machine, events, timeout):
    """Prints what happens until the guest is up: (cmdline, seconds, all).

    The command line is None when the machine ended, or time was up, before
    the guest's first words, which came after so many seconds.
    """
    seen = []
    cmdline = words_at = None
    spoke_at = time.monotonic()
    while True:
        ended = machine.off() or machine.elapsed() > timeout
        match = machine.search(uki.GUEST_CMDLINE)
        at = machine.elapsed()
        for event in events.fresh():
            seen.append(event)
            since = event["t"] - machine.powered_on
            say(f"  {since:9.3f} s  {name(event):<14} {describe(event)}")
            spoke_at = time.monotonic()
        if match and cmdline is None:
            say(f"  {at:9.3f} s  {'guest':<14} its first words")
            cmdline, words_at = match.group(1), at
        if ended or cmdline is not None and any(
                name(event) == "booted" for event in seen):
            return cmdline, words_at, seen
        if time.monotonic() - spoke_at > SILENCE:
            say(f"  {at:9.3f} s  ...")
            spoke_at = time.monotonic()
        time.sleep(0.02)


def prepare_image():
    """Builds the UKI; its path."""
    say("Building a UKI from Debian's kernel, systemd's stub and busybox ...")
    begun = time.monotonic()
    path = uki.build(EMBEDDED, ARGS.size, url=BOOTED)
    say(f"  {IMAGE}: {path.stat().st_size / 1e6:.1f} MB, in "
        f"{time.monotonic() - begun:.1f} s")
    say(f"  its command line: {EMBEDDED}\n")
    return path


def start(lab, image, mode):
    """Makes the network and starts the servers; the reader of events."""
    say("Making a network: a switch, a DHCP server that knows nothing of "
        "netboot\n  (dnsmasq, 10.77.0.1), netukid (10.77.0.2), and a machine.")
    appliance.network(lab)
    appliance.add_image(lab, IMAGE, image)
    config = appliance.config(lab, [
        {"name": "lab-01", "mac": MAC, "image": IMAGE, "mode": mode,
         "cmdline": ADDED}])
    say("\nnetukid's configuration:\n")
    say("".join(f"    {line}\n" for line in config.splitlines()))
    process = lab.start_netukid(config)
    for line in process.output().splitlines():
        say(f"  {line}")
    return Events(lab)


def verdict(cmdline, machine, is_up):
    """Prints whether the guest is up, and as it should be; exit status."""
    wanted = f"{EMBEDDED} {ADDED}"
    if cmdline is None:
        say(f"\nThe guest did not speak within {machine.elapsed():.0f} s.  The "
            "end of the machine's console:\n")
        lines = [line.rstrip() for line in machine.console().splitlines()]
        for line in [line for line in lines if line][-20:]:
            say(f"    {line}")
        return 1
    say(f"\nThe guest's /proc/cmdline:\n\n    {cmdline.strip()}\n")
    # Under BIOS the boot loader has to name the initramfs on it.
    got = " ".join(word for word in cmdline.strip().split(" ")
                   if not word.startswith("initrd="))
    if got != wanted:
        say(f"That is wrong: it should have been\n\n    {wanted}\n")
        return 1
    say("That is what the image's author wrote, and then what the machine's "
        "entry adds.\n")
    if not is_up:
        say("But it has not told netukid that it is up.\n")
    return 0 if is_up else 1


def boot(machine, events, firmware):
    """One boot, told step by step; its exit status."""
    machine.power_on()
    say(f"\nPower on ({firmware}, QEMU without KVM: seconds are longer "
        "than on hardware).\n")
    cmdline, seconds, seen = watch(machine, events, ARGS.timeout)
    time.sleep(0.1)
    seen += events.fresh()
    if cmdline is not None:
        print_table(seen, machine.powered_on, seconds)
    return verdict(cmdline, machine,
                   any(name(event) == "booted" for event in seen))


def report(lab):
    """What netukid says of all rounds, as text and as a page; exit status."""
    page = paths.BUILD / "demo-report.html"
    up = 0
    deadline = time.monotonic() + 10
    # The history is written once a second.
    while up < ARGS.rounds and time.monotonic() < deadline:
        time.sleep(0.2)
        answer = json.loads(lab.netukictl("report", "--json").stdout)
        up = sum(group["up"]["n"] for group in answer["groups"])
    say("netukictl report:\n")
    for line in lab.netukictl("report", "--html",
                              page).stdout.splitlines():
        say(f"    {line}")
    say(f"\nThe same with plots: {page}")
    return 0 if up == ARGS.rounds else 1


def main():
    """The demonstration; its exit status."""
    firmware, mode, path = MODES[ARGS.mode]
    say(f"netuki demo, mode {ARGS.mode}: {path}\n")
    image = prepare_image()
    with Lab() as lab:
        events = start(lab, image, mode)
        machine = lab.machine("lab-01", firmware=firmware, mac=MAC)
        status = 0
        for number in range(1, ARGS.rounds + 1):
            if ARGS.rounds > 1:
                say(f"\nBoot {number} of {ARGS.rounds}")
            status |= boot(machine, events, firmware)
            machine.power_off()
        if ARGS.rounds > 1:
            status |= report(lab)
        if status:
            lab.print_logs(sys.stdout)
        return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except paths.Missing as err:
        sys.exit(f"demo: {err}")
    except KeyboardInterrupt:
        sys.exit(130)
