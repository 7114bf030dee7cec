#!/usr/bin/python3
"""What netukid says of a boot, against a capture of the same boot."""

import json
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, harness, pcap, uki  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
CMDLINE = "console=ttyS0 quiet panic=-1"
IMAGE = "test.efi"
BIG = 226  # MB
# Over HTTP it would be through before anybody has pulled the plug.
RATE = 10_000_000
TIMEOUT = 150
AGREE = 0.005
# On a machine with other work netukid may be late once: so often it is tried.
TRIES = 5

# Every moment of a boot with DHCP on port 4011, in order.
MOMENTS = {
    "ipxe": ["discover", "offer", "request", "ack", "loader", "loader_done",
             "ipxe", "ipxe_offer", "script", "first_byte", "last_byte"],
    "tftp-uki": ["discover", "offer", "request", "ack", "first_byte",
                 "last_byte"],
}


def start(lab, mode, size=0, more=""):
    """A laboratory with a machine in MODE, off."""
    appliance.network(lab)
    appliance.add_image(lab, IMAGE, uki.build(CMDLINE, size))
    lab.start_netukid(appliance.config(lab, [
        {"name": "lab-01", "mac": MAC, "image": IMAGE, "mode": mode}],
        "dhcp: {offer: pxe-port}\n" + more))
    # It says when it saw a packet: other work on this machine comes after.
    lab.netukid.go_first()
    return lab.machine("lab-01", mac=MAC)


def boots(lab):
    """The boots of the history, the oldest first."""
    return json.loads(lab.netukictl("boots", "--json").stdout)["boots"][::-1]


def wait_boots(lab, outcomes, seconds=30):
    """Waits until the boots have these outcomes; them."""
    deadline = time.monotonic() + seconds
    while [boot["outcome"] for boot in boots(lab)] != outcomes:
        harness.check(time.monotonic() < deadline,
                      f"{boots(lab)}: not {outcomes}")
        time.sleep(0.2)
    return boots(lab)


class Wire:
    """The packets of a boot, and the moments that they are."""

    def __init__(self, path):
        self.packets = list(pcap.packets(path))

    def times(self, wanted):
        """The times of the packets that are WANTED."""
        return [p.time for p in self.packets if wanted(p)]

    def moments(self, mode):
        """When each moment was, by the first or the last packet of a kind."""
        def discover(p, ipxe):
            return (p.dport == 67 and p.payload[242:243] == b"\1" and
                    (b"iPXE" in p.payload) == ipxe)

        def ours(p, port):
            return p.src == NETUKI_ADDRESS and p.sport == port

        asked = self.times(lambda p: discover(p, False))
        again = self.times(lambda p: discover(p, True))
        offers = self.times(lambda p: ours(p, 67))
        stage = again[0] if again else float("inf")
        at = {
            "discover": asked[0],
            "offer": max(t for t in offers if t < stage),
            "request": self.times(lambda p: p.dport == 4011)[0],
            "ack": max(t for t in self.times(lambda p: ours(p, 4011))
                       if t < stage),
        }
        if mode == "tftp-uki":
            at["first_byte"], at["last_byte"] = self.tftp()
            return at
        at["loader"], at["loader_done"] = self.tftp()
        at["ipxe"] = stage
        at["ipxe_offer"] = max(t for t in offers if t > stage)
        at.update(self.http())
        return at

    def tftp(self):
        """The first block, and the last acknowledgement, of a whole file."""
        peer = [p for p in self.packets if p.dport == 69][-1]
        blocks = self.times(lambda p: p.src == NETUKI_ADDRESS and
                            p.dport == peer.sport and
                            p.payload[:2] == b"\0\3")
        acks = self.times(lambda p: p.sport == peer.sport and
                          p.dst == NETUKI_ADDRESS and
                          p.payload[:2] == b"\0\4")
        return blocks[0], acks[-1]

    def http(self):
        """The request of the script, the image's first and last byte."""
        gets = [p for p in self.packets if p.dport == 80 and
                p.payload[:4] == b"GET "]
        script = [p for p in gets if b"/ipxe/" in p.payload][-1]
        image = [p for p in gets if IMAGE.encode() in p.payload][-1]
        sent = [p for p in self.packets if p.src == NETUKI_ADDRESS and
                p.sport == 80 and p.dport == image.sport and p.payload and
                p.time > image.time]
        # TCP sends the end again to a client that is slow to acknowledge it.
        end = max((p.seq - sent[0].seq) % 2 ** 32 for p in sent)
        last = [p for p in sent if (p.seq - sent[0].seq) % 2 ** 32 == end]
        return {"script": script.time, "first_byte": sent[0].time,
                "last_byte": last[0].time}


def differences(boot, wire, mode):
    """For each phase, from one moment to the next, who is longer by what."""
    names = MOMENTS[mode]
    told, seen = boot["times"], wire.moments(mode)
    return {f"{a} to {b}": (told[b] - told[a]) - (seen[b] - seen[a])
            for a, b in zip(names, names[1:])}


@harness.cases(ipxe={"mode": "ipxe"}, tftp_uki={"mode": "tftp-uki"})
def test_agrees(mode):
    """Every phase is there, in order, and as long as on the wire, to 5 ms."""
    with Lab() as lab:
        machine = start(lab, mode)
        best = {}
        for attempt in range(1, TRIES + 1):
            capture = lab.capture("netuki", "udp or tcp port 80",
                                  snaplen=400, bulk=True)
            machine.power_on()
            machine.wait_guest(TIMEOUT)
            machine.wait_off(30)
            boot = wait_boots(lab, ["complete"] * attempt)[-1]
            capture.finish()
            reached = {key: at for key, at in boot["times"].items()
                       if at is not None}
            harness.equal(sorted(reached, key=reached.get), MOMENTS[mode],
                          "moments")
            off = differences(boot, Wire(capture.path), mode)
            worst = max(off, key=lambda name: abs(off[name]))
            print(f"# {mode}: at most {off[worst] * 1000:+.2f} ms, {worst}",
                  flush=True)
            best = {name: min(seconds, best.get(name, seconds), key=abs)
                    for name, seconds in off.items()}
            if all(abs(seconds) <= AGREE for seconds in best.values()):
                return
        raise harness.Failure(f"it does not agree: {best}")


def wait_half(lab):
    """Waits until a good part of an image has gone out, but not all of it."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(TIMEOUT)
        link.connect(str(lab.control))
        link.sendall(b'{"command":"boots","follow":true,"progress":true}\n')
        with link.makefile() as lines:
            for line in lines:
                for boot in json.loads(line).get("running", []):
                    share = boot.get("bytes", 0) / boot.get("size", 1)
                    if boot["step"] == "image" and 0.2 < share < 0.8:
                        return
    raise harness.Failure("netukid hung up")


@harness.cases(ipxe={"mode": "ipxe"}, tftp_uki={"mode": "tftp-uki"})
def test_power_cut(mode):
    """Switched off half-way through the image: abandoned, at that phase."""
    with Lab() as lab:
        # At this rate HTTP takes about as long as TFTP does.
        machine = start(lab, mode, BIG,
                        "http: {max-rate-per-client: 20000000}\n")
        machine.power_on()
        wait_half(lab)
        machine.power_off()
        # Its next start shows that nothing more is to come.
        machine.power_on()
        boot = wait_boots(lab, ["abandoned", "running"], TIMEOUT)[0]
        harness.equal((boot["mode"], boot["step"]), (mode, "image"), "step")
        reached = [key for key in MOMENTS[mode]
                   if boot["times"][key] is not None]
        harness.equal(reached, MOMENTS[mode][:-1], "moments")
        harness.check(boot["why"], "no reason is given")
        text = lab.netukictl("boot", str(boot["id"])).stdout
        harness.check("~" in text.splitlines()[-1], f"no open bar: {text}")


if __name__ == "__main__":
    harness.main(globals())
