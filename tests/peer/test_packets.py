#!/usr/bin/python3
"""The packet fixtures, read by an independent decoder: tshark."""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import harness, paths  # noqa: E402

FIXTURES = Path(__file__).resolve().parents[1] / "packets"
REPLIES = ("offer", "ack")


def ports(name):
    """text2pcap's source and destination port for a fixture."""
    if name.startswith("tftp-"):
        return "2070,69"
    client, server = ("4011", "4011") if "4011" in name else ("68", "67")
    if any(word in name.split("-") for word in REPLIES):
        return f"{server},{client}"
    return f"{client},{server}"


def decode(text2pcap, tshark, fixture, folder):
    """tshark's one line about the packet: protocols, then expert notes."""
    capture = folder / (fixture.stem + ".pcap")
    subprocess.run([text2pcap, "-q", "-u", ports(fixture.stem), fixture,
                    capture], check=True, capture_output=True)
    # A fixture is what the firmware sent: 4011 is no port that tshark knows.
    done = subprocess.run(
        [tshark, "-n", "-r", capture, "-d", "udp.port==4011,dhcp", "-T",
         "fields", "-e", "frame.protocols", "-e", "_ws.malformed", "-e",
         "_ws.expert.message"], check=True, capture_output=True, text=True)
    return done.stdout.rstrip("\n").split("\t")


def test_fixtures_decode():
    """Every request and reply is read whole, without a malformed field."""
    text2pcap, tshark = paths.program("text2pcap"), paths.program("tshark")
    seen = 0
    with tempfile.TemporaryDirectory() as folder:
        for fixture in sorted(FIXTURES.glob("*.hex")):
            protocols, malformed, notes = decode(
                text2pcap, tshark, fixture, Path(folder))
            wanted = "tftp" if fixture.name.startswith("tftp-") else "dhcp"
            harness.check(wanted in protocols.split(":"),
                          f"{fixture.name}: read as {protocols}")
            harness.equal(malformed, "", f"{fixture.name}: malformed")
            harness.check("error" not in notes.lower(),
                          f"{fixture.name}: {notes}")
            seen += 1
    harness.check(seen >= 40, f"only {seen} fixtures")


if __name__ == "__main__":
    harness.main(globals())
