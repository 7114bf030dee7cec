#!/usr/bin/python3
"""Firmware in Secure Boot mode: what it boots, what it refuses, and whether
netuki said so before."""

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, harness, paths, uki  # noqa: E402
from lab.lab import Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
CMDLINE = "console=ttyS0 quiet panic=-1"
TIMEOUT = 250
KEY = "usr/share/ovmf/PkKek-1-snakeoil.key"
CERTIFICATE = "usr/share/ovmf/PkKek-1-snakeoil.pem"
REFUSED = r"Access Denied|Security Violation"

TEMPORARY = tempfile.TemporaryDirectory(prefix="netuki-secure-")


@functools.cache
def signed():
    """An image signed with the key that the firmware trusts."""
    folder = Path(TEMPORARY.name)
    subprocess.run(
        [paths.program("openssl"), "pkey", "-in", paths.asset(KEY),
         "-passin", "pass:snakeoil", "-out", folder / "key"], check=True)
    subprocess.run(
        [paths.program("sbsign"), "--key", folder / "key", "--cert",
         paths.asset(CERTIFICATE), "--output", folder / "signed.efi",
         uki.build(CMDLINE)], check=True, capture_output=True)
    return folder / "signed.efi"


def tampered():
    """The signed image with other words for the kernel."""
    data = signed().read_bytes()
    path = Path(TEMPORARY.name) / "tampered.efi"
    path.write_bytes(data.replace(b"quiet panic=-1", b"quiet panic=-2"))
    harness.check(path.read_bytes() != data, "nothing was changed")
    return path


def started(lab, mode, image):
    """netukid, and a machine in Secure Boot mode that is off."""
    appliance.network(lab)
    appliance.add_image(lab, "test.efi", image)
    lab.start_netukid(appliance.config(lab, [
        {"name": "lab-01", "mac": MAC, "image": "test.efi", "mode": mode}]))


@harness.cases(
    tftp_uki={"mode": "tftp-uki", "firmware": "ovmf-secure"},
    http_boot={"mode": "ipxe", "firmware": "ovmf-secure-http"},
)
def test_signed_image_boots(mode, firmware):
    with Lab() as lab:
        started(lab, mode, signed())
        machine = lab.machine("lab-01", firmware=firmware, mac=MAC)
        machine.power_on()
        cmdline, seconds = machine.wait_guest(TIMEOUT)
        harness.equal(cmdline, CMDLINE, "/proc/cmdline")
        print(f"# the guest spoke after {seconds:.1f} s", flush=True)


def refused(lab, file):
    """Powers the machine on, which fetches FILE and will not start it."""
    machine = lab.machine("lab-01", firmware="ovmf-secure", mac=MAC)
    machine.power_on()
    machine.wait_serial(REFUSED, TIMEOUT)
    lab.netukid.wait_output("tftp-done")
    said = lab.netukid.output()
    harness.check(f"{file} " in said and "tftp-done" in said, said)
    harness.check(not machine.search(uki.GUEST_UP), "the guest has started")
    harness.check("script " not in said, f"iPXE asked:\n{said}")


def test_unsigned_ipxe_is_refused_as_was_said():
    """By the log, by --check's words, and by explain, before any machine."""
    with Lab() as lab:
        started(lab, "ipxe", signed())
        said = lab.netukid.output()
        for words in ("in Secure Boot mode refuses", "snponly.efi, which is "
                      "not signed"):
            harness.check(words in said, said)
        told = json.loads(lab.netukictl("explain", "lab-01", "--json").stdout)
        harness.equal(told["secure-boot"], f"would refuse {told['loader']}, "
                      "which is not signed", "explain")
        refused(lab, "snponly.efi")


def test_tampered_image_is_refused():
    with Lab() as lab:
        started(lab, "tftp-uki", tampered())
        told = json.loads(lab.netukictl("explain", "lab-01", "--json").stdout)
        harness.check("allowed if the firmware trusts" in told["secure-boot"],
                      told)
        refused(lab, "images/test.efi")


if __name__ == "__main__":
    harness.main(globals())
