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


def capture(text2pcap, fixtures, path):
    """All fixtures in one capture file at PATH: tshark starts slowly."""
    whole = b""
    for fixture in fixtures:
        subprocess.run([text2pcap, "-q", "-F", "pcap", "-u",
                        ports(fixture.stem), fixture, path], check=True,
                       capture_output=True)
        data = path.read_bytes()
        # The head is the same for all; a packet follows.
        whole += data[24:] if whole else data
    path.write_bytes(whole)


def test_fixtures_decode():
    """Every request and reply is read whole, without a malformed field."""
    text2pcap, tshark = paths.program("text2pcap"), paths.program("tshark")
    fixtures = sorted(FIXTURES.glob("*.hex"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "all.pcap")
        capture(text2pcap, fixtures, path)
        # A fixture is what the firmware sent: tshark knows no port 4011.
        done = subprocess.run(
            [tshark, "-n", "-r", path, "-d", "udp.port==4011,dhcp", "-T",
             "fields", "-e", "frame.protocols", "-e", "_ws.malformed", "-e",
             "_ws.expert.message"], check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    harness.equal(len(lines), len(fixtures), "packets")
    harness.check(len(lines) >= 40, f"only {len(lines)} fixtures")
    for fixture, line in zip(fixtures, lines):
        protocols, malformed, notes = line.split("\t")
        wanted = "tftp" if fixture.name.startswith("tftp-") else "dhcp"
        harness.check(wanted in protocols.split(":"),
                      f"{fixture.name}: read as {protocols}")
        harness.equal(malformed, "", f"{fixture.name}: malformed")
        harness.check("error" not in notes.lower(), f"{fixture.name}: {notes}")


if __name__ == "__main__":
    harness.main(globals())
