#!/usr/bin/python3
"""Real firmware boots an image that nginx has: netukid only says where."""

import hashlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, harness, uki  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
UUID = "6e657475-6b69-4c61-a001-525400123456"
EMBEDDED = "console=ttyS0 quiet panic=-1 test.embedded=1"
ADDED = "console=ttyS0 quiet panic=-1 test.added=1"
ORIGIN = "10.77.0.3"
SEED = f"http://{NETUKI_ADDRESS}/machines/{MAC}/seed"
TIMEOUT = 150


@harness.cases(
    http_boot={"firmware": "ovmf-http", "wanted": EMBEDDED},
    ipxe={"firmware": "ovmf", "wanted": ADDED, "cmdline": ADDED})
def test_origin(firmware, wanted, **entry):
    """The image comes from nginx, the guest's own file from netukid."""
    with Lab() as lab:
        appliance.network(lab)
        lab.host("origin", f"{ORIGIN}/24")
        root = lab.tmp / "origin"
        image = uki.place(uki.build(EMBEDDED, url=SEED), root / "far.efi")
        lab.start_nginx(root, "origin")
        (lab.tmp / "seed").write_text("I am ${name}, ${mac}, ${uuid}\n")
        machine = lab.machine("lab-01", firmware=firmware, mac=MAC,
                              uuid=UUID)
        lab.start_netukid(appliance.config(lab, [
            {"name": "lab-01", "mac": MAC, "url": f"http://{ORIGIN}/far.efi",
             **entry}], "defaults: {files: {seed: seed}}\n"))
        machine.power_on()
        cmdline, _ = machine.wait_guest(TIMEOUT)
        harness.equal(cmdline.strip(" "), wanted, "/proc/cmdline")
        fetched, _ = machine.wait_serial(uki.GUEST_FETCHED, TIMEOUT)
        seed = f"I am lab-01, {MAC}, {UUID}\n".encode()
        harness.equal(fetched.groups(), (
            str(len(seed)), hashlib.sha256(seed).hexdigest()), "its file")
        access = (lab.tmp / "nginx.access").read_text()
        harness.check("GET /far.efi" in access and
                      f" 200 {image.stat().st_size} " in access,
                      f"nginx: {access}")
        boots = json.loads(lab.netukictl("boots", "--json").stdout)["boots"]
        harness.equal([boot["outcome"] for boot in boots], ["elsewhere"],
                      "outcomes")


if __name__ == "__main__":
    harness.main(globals())
