#!/usr/bin/python3
"""Real firmware boots images of OCI layouts, and says what it cannot boot."""

import struct
import sys
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, harness, oci, uki  # noqa: E402
from lab.lab import Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
EMBEDDED = 'console=ttyS0 quiet panic=-1 test.embedded="two words"'
ADDED = "test.added=1"
TIMEOUT = 150
IMAGE = "guest:12.1"


def place_layout(lab, tag, *files):
    """Has skopeo copy FILES as the image DIR:TAG into LAB's images.

    Of several the second is for arm64.
    """
    source = oci.Layout(lab.tmp / "source")
    manifests = [source.manifest(Path(file).read_bytes()) for file in files]
    if len(files) == 1:
        source.tag("a", manifests[0])
        oci.skopeo_copy(f"{source.path}:a", appliance.images(lab) / tag)
        return
    # skopeo copies one architecture of an index; this is how oras has it.
    folder, _, tag = tag.partition(":")
    index = source.json({
        "schemaVersion": 2, "mediaType": oci.INDEX_TYPE, "manifests": [
            {**manifest, "platform": {"os": "linux", "architecture": arch}}
            for manifest, arch in zip(manifests, ("amd64", "arm64"))]},
        oci.INDEX_TYPE)
    source.tag(tag, index)
    source.path.rename(appliance.images(lab) / folder)


@contextmanager
def powered_on(mode, firmware, prepare, **entry):
    """A machine that boots IMAGE, which PREPARE(lab) has placed."""
    with Lab() as lab:
        appliance.network(lab)
        prepare(lab)
        lab.start_netukid(appliance.config(lab, [
            {"name": "lab-01", "mac": MAC, "image": IMAGE, "mode": mode,
             **entry}]))
        machine = lab.machine("lab-01", firmware=firmware, mac=MAC)
        machine.power_on()
        yield machine


@harness.cases(
    ipxe={"mode": "ipxe", "firmware": "ovmf"},
    tftp_uki={"mode": "tftp-uki", "firmware": "ovmf"},
    http_boot={"mode": "ipxe", "firmware": "ovmf-http"},
    bios={"mode": "ipxe", "firmware": "seabios"},
)
def test_oci(mode, firmware):
    """What skopeo made boots on every path, with the machine's own words.

    It is pinned by its digest, too.
    """
    image = uki.build(EMBEDDED)
    with powered_on(mode, firmware,
                    lambda lab: place_layout(lab, IMAGE, image),
                    cmdline=ADDED,
                    sha256=oci.digest(image.read_bytes())) as machine:
        cmdline, _ = machine.wait_guest(TIMEOUT)
    words = [word for word in cmdline.split(" ")
             if not word.startswith("initrd=")]
    harness.equal(" ".join(words).strip(" "), f"{EMBEDDED} {ADDED}",
                  "/proc/cmdline")


def for_arm64(image, target):
    """A copy of IMAGE at TARGET that says that it is for arm64."""
    data = bytearray(image.read_bytes())
    pe_at, = struct.unpack_from("<I", data, 0x3C)
    struct.pack_into("<H", data, pe_at + 4, 0xAA64)
    _, _, found = uki.sections(data)
    raw, = (raw for name, _, _, raw, _ in found if name == ".linux")
    inner, = struct.unpack_from("<I", data, raw + 0x3C)
    struct.pack_into("<H", data, raw + inner + 4, 0xAA64)
    target.write_bytes(data)
    return target


def test_index_of_architectures():
    """Of an index the machine boots what is for its architecture."""
    def prepare(lab):
        image = uki.build(EMBEDDED)
        place_layout(lab, IMAGE, image, for_arm64(image, lab.tmp / "arm64"))

    with powered_on("tftp-uki", "ovmf", prepare) as machine:
        cmdline, _ = machine.wait_guest(TIMEOUT)
        harness.equal(cmdline, EMBEDDED, "/proc/cmdline")


@harness.cases(
    tftp_uki={"mode": "tftp-uki", "firmware": "ovmf"},
    http_boot={"mode": "ipxe", "firmware": "ovmf-http"},
    bios={"mode": "ipxe", "firmware": "seabios"},
)
def test_wrong_architecture_is_said_on_the_screen(mode, firmware):
    """An image that does not suit ends in words, not in silence."""
    def prepare(lab):
        place_layout(lab, IMAGE,
                     for_arm64(uki.build(EMBEDDED), lab.tmp / "arm64"))

    with powered_on(mode, firmware, prepare) as machine:
        words = "another architecture"
        machine.wait_serial(rf"netuki: nothing to boot: {IMAGE}: .*{words}",
                            TIMEOUT)


if __name__ == "__main__":
    harness.main(globals())
