#!/usr/bin/python3
"""OVMF loads UKIs over TFTP, small and large, with and without loss."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, harness, paths, uki  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
CMDLINE = "console=ttyS0 quiet panic=-1"
BIG = 226  # MB


@harness.cases(
    small={"size": 0, "loss": 0, "seconds": 2.5},
    small_1_percent={"size": 0, "loss": 1, "seconds": 2.5, "wire": 1.2},
    small_5_percent={"size": 0, "loss": 5, "seconds": 5},
    big={"size": BIG, "loss": 0, "seconds": 25},
    big_1_percent={"size": BIG, "loss": 1, "seconds": 25},
)
def test_tftp_uki(size, loss, seconds, wire=None):
    """The transfer's time, and the bytes that went over the wire for it.

    The limits are goals on an idle machine; a test allows four times as much
    time, since it is about a server that never stalls.  An OVMF that has to
    wait for its own timer once has waited for four seconds.  The share of the
    time that the machine had to wait for a processor does not count.
    """
    image = uki.build(CMDLINE, size)
    with Lab() as lab:
        # Frames cross the wire one by one: a drop is one packet.
        appliance.network(lab, offload=False)
        file = appliance.add_image(lab, "test.efi", image)
        lab.start_netukid(appliance.config(lab, [
            {"name": "lab-01", "mac": MAC, "image": "test.efi",
             "mode": "tftp-uki"}]))
        lab.netukid.go_first()
        machine = lab.machine("lab-01", mac=MAC)
        capture = lab.capture(
            "netuki", f"udp and src {NETUKI_ADDRESS} and greater 64",
            snaplen=64, bulk=True)
        # Of DHCP nothing is dropped: its timers are not what is measured.
        lab.loss(loss, "udp sport != 4011 udp dport != 4011 "
                 "udp dport != 67 udp dport != 68 meta l4proto udp")
        machine.power_on()
        cmdline, booted = machine.wait_guest(280)
        starved = machine.starved() / booted
        capture.finish()
        harness.equal(cmdline, CMDLINE, "/proc/cmdline")
        rows = capture.rows("udp.length > 500", "frame.time_epoch",
                            "frame.len")
        took = (float(rows[-1][0]) - float(rows[0][0])) * (1 - starved)
        share = sum(int(row[1]) - 46 for row in rows) / file.stat().st_size
        line = [line for line in lab.netukid.output().splitlines()
                if "tftp-done" in line][-1]
        print(f"# {file.stat().st_size / 1e6:.1f} MB, {loss} % lost: "
              f"{took:.2f} s (goal {seconds:g}), {share:.3f} of the file on "
              f"the wire (goal {wire or 'none'}), guest after {booted:.1f} s, "
              f"{100 * starved:.0f} % of it without a processor; "
              f"{line.split(': ', 1)[1]}", flush=True)
        harness.check(took < 4 * seconds * paths.SLOW, f"it took {took:.1f} s")
        if wire:
            harness.check(share <= wire, f"{share:.3f} of the file was sent")


if __name__ == "__main__":
    harness.main(globals())
