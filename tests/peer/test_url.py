#!/usr/bin/python3
"""An image that another server has: what is said of it, over loopback.

Boots from a real origin are in tests/boot/test_origin.py.
"""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import harness, paths  # noqa: E402
from lab.loopback import Loopback  # noqa: E402

URL = "http://192.0.2.7:8080/a/far.efi?key=1"
MACHINES = f"""  - {{name: far, mac: 52:54:00:aa:00:01, url: "{URL}"}}
  - name: far-more
    mac: 52:54:00:aa:00:02
    url: https://192.0.2.7/far.efi
    mode: tftp-uki
    cmdline: a=1 b
  - name: far-pinned
    mac: 52:54:00:aa:00:03
    url: {URL}
    sha256: {"0" * 64}
"""


def script(box, last, arch="x86_64", platform="efi"):
    """What the iPXE of one of the machines gets."""
    return box.get(f"/ipxe/52-54-00-aa-00-0{last}?arch={arch}"
                   f"&platform={platform}").decode()


def test_scripts():
    """iPXE is sent there; where that cannot be, it says so on the screen."""
    with Loopback(MACHINES) as box:
        box.start()
        harness.check(f"chain --name= --timeout 30000 {URL} ||" in
                      script(box, 1), "another URL")
        harness.check("https://192.0.2.7/far.efi a=1 b ||" in script(box, 2),
                      "no command line")
        for text, wanted in ((script(box, 1, "i386", "pcbios"), "BIOS needs"),
                             (script(box, 3), "sha256")):
            harness.check("nothing to boot" in text and wanted in text and
                          "chain" not in text, text)
            harness.check(wanted in box.log(), f"not in the log: {wanted}")


def test_told():
    """--check and explain say what is so, boot-once is refused."""
    with Loopback(MACHINES) as box:
        config = box.config.read_text().replace(
            f"x64: {box.tmp}/loader.efi, ", "")
        box.config.write_text(config)
        done = subprocess.run(
            [paths.built("netukid"), "--check", "--config", box.config],
            capture_output=True, text=True, timeout=30)
        harness.equal(done.returncode, 0, "--check")
        for wanted in ("url: https://192.0.2.7/far.efi: the iPXE of Debian",
                       "mode: https://192.0.2.7/far.efi does not come over",
                       "cmdline: UEFI HTTP Boot gets https://192.0.2.7/far",
                       f"sha256: {URL} will not be booted"):
            harness.check(f"warning: {wanted}" in done.stderr,
                          f"no '{wanted}' in {done.stderr}")
        box.start()
        for machine, firmware, key, wanted in (
                ("far", "http", "file", URL),
                ("far-more", "http", "warning", "without `cmdline`"),
                ("far", "bios", "problem", "BIOS needs its kernel"),
                ("far-pinned", "http", "problem", "`sha256`")):
            said = box.json("explain", "--firmware", firmware, machine)
            harness.check(wanted in said.get(key, ""),
                          f"{machine}, {firmware}: {said}")
        harness.check("another server" in box.refused("boot-once", "far"),
                      "boot-once")
        box.ctl("boot-once", "--image", "x.efi", "far")
        harness.check("/machines/52-54-00-aa-00-01/x.efi" in script(box, 1),
                      "boot-once with an image of ours")


def test_history():
    """The boot is elsewhere; the guest's word says that it came."""
    with Loopback(MACHINES) as box:
        box.start()
        script(box, 1)
        box.get("/machines/52-54-00-aa-00-01/booted")
        deadline = time.monotonic() + 20
        while True:
            boots = box.json("boots")["boots"]
            if boots and boots[0]["step"] == "up":
                break
            harness.check(time.monotonic() < deadline, f"boots: {boots}")
            time.sleep(0.1)
        harness.equal(len(boots), 1, "boots")
        harness.equal((boots[0]["outcome"], boots[0]["image"]),
                      ("elsewhere", URL), "the boot")


if __name__ == "__main__":
    harness.main(globals())
