#!/usr/bin/python3
"""boot-once as DHCP clients see it: by packets, on every kind of firmware."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, harness, paths, pe  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402

MAC = "52:54:00:aa:00:01"
ID = MAC.replace(":", "-").encode()
IMAGE = b"machines/" + ID + b"/x.efi"
URL = b"http://" + NETUKI_ADDRESS.encode() + b"/"


@contextmanager
def local_machine():
    """netukid, a machine in mode local, and a host that plays it."""
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        pe.write(appliance.images(lab) / "x.efi", pe.uki())
        lab.host("client", "10.77.0.50/24", mac=MAC)
        lab.host("stranger", "10.77.0.51/24")
        lab.start_netukid(appliance.config(lab, [{
            "name": "lab-01", "mac": MAC, "mode": "local",
            "image": "x.efi"}]))
        yield lab


def offer(lab, kind, xid):
    """netukid's OFFER to a DISCOVER of this kind of firmware."""
    with dhcp.Client(lab.ns("client")) as client:
        client.send(dhcp.discover(MAC, kind, xid=xid))
        found = client.replies(3.0, NETUKI_ADDRESS, enough=1)
        harness.equal(len(found), 1, f"OFFERs for {kind}")
        return dhcp.parse(found[0][0])


def file_of(answer):
    """The file or URL of an OFFER; None: it sends the client to its disk."""
    name = answer.get(67, answer["file"]).rstrip(b"\0")
    if name.endswith(b"/local.efi") or not name:
        return None
    return name


def fetch(lab, name, host="client"):
    """A host fetches a file by its TFTP name, or a URL."""
    text = name.decode()
    url = text if text.startswith("http") else \
        f"tftp://{NETUKI_ADDRESS}/{text}"
    lab.run([paths.program("curl"), "-sS", "-f", "--max-time", "20", "-o",
             lab.tmp / "got", url], lab.ns(host))
    return (lab.tmp / "got").read_bytes()


def is_pending(lab):
    """Whether the machine is still set to boot once."""
    answer = json.loads(lab.netukictl("boot-once", "--json").stdout)
    return bool(answer["machines"])


@harness.cases(
    tftp_uki={"kind": "uefi", "file": IMAGE, "args": ("--mode", "tftp-uki")},
    ipxe={"kind": "uefi", "file": b"snponly.efi",
          "then": (URL + IMAGE,)},
    bios={"kind": "bios", "file": b"undionly.kpxe",
          "then": (URL + IMAGE + b"/linux", URL + IMAGE + b"/initrd")},
    http={"kind": "http", "file": URL + IMAGE},
)
def test_offers(kind, file, then=(), args=()):
    """Local, then the network's until the last byte, then local again."""
    with local_machine() as lab:
        harness.equal(file_of(offer(lab, kind, 1)), None, "before")
        lab.netukictl("boot-once", "lab-01", *args)
        # Offered twice and not taken: it stays.
        for xid in (2, 3):
            harness.equal(file_of(offer(lab, kind, xid)), file, "once")
        for name in (file, *then):
            harness.check(is_pending(lab), f"used up before {name}")
            fetch(lab, name)
        harness.check(not is_pending(lab), "not used up")
        harness.equal(file_of(offer(lab, kind, 4)), None, "afterwards")


@harness.cases(
    tftp_uki={"name": IMAGE, "args": ("--mode", "tftp-uki")},
    http={"name": URL + IMAGE},
    bios={"name": URL + IMAGE + b"/initrd"},
)
def test_strangers(name, args=()):
    """Who is not the machine does not use its boot-once up."""
    with local_machine() as lab:
        lab.netukictl("boot-once", "lab-01", *args)
        offer(lab, "uefi", 1)
        # Not even by a look at its script.
        fetch(lab, URL + b"ipxe/" + ID + b"?arch=x86_64", "stranger")
        fetch(lab, name, "stranger")
        harness.check(is_pending(lab), "used up by a stranger")
        fetch(lab, name)
        harness.check(not is_pending(lab), "not used up")


def test_mode_at_run_time():
    """An override changes the very next OFFER."""
    with local_machine() as lab:
        lab.netukictl("mode", "tftp-uki", "lab-01")
        harness.equal(file_of(offer(lab, "uefi", 1)), b"images/x.efi", "set")
        lab.netukictl("mode", "ipxe", "--all", "--include-local")
        harness.equal(file_of(offer(lab, "uefi", 2)), b"images/x.efi",
                      "its own still")
        lab.netukictl("mode", "--clear", "lab-01")
        harness.equal(file_of(offer(lab, "uefi", 3)), b"snponly.efi", "all")
        lab.netukictl("mode", "--clear", "--all")
        harness.equal(file_of(offer(lab, "uefi", 4)), None, "cleared")


if __name__ == "__main__":
    harness.main(globals())
