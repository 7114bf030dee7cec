"""The usual laboratory: a DHCP server, netukid beside it, images to boot."""

import re

from lab import paths, uki
from lab.lab import DHCP_ADDRESS, NETUKI_ADDRESS

LOADERS = {"x64": "usr/lib/ipxe/snponly.efi",
           "bios": "usr/lib/ipxe/undionly.kpxe"}
_PLAIN = re.compile(r"[A-Za-z0-9/](?:[A-Za-z0-9._/=,+-]|:(?=\S))*")


def config(lab, machines=(), more=""):
    """The text of a configuration for LAB.

    MACHINES are dicts of a machine's keys; MORE is added at the end of the
    text as it is.
    """
    lines = [f"images: {images(lab)}", f"control: {lab.control}",
             f"state: {lab.tmp}"]
    found = {arch: paths.asset(path) for arch, path in LOADERS.items()}
    if any(str(path) != f"/{LOADERS[arch]}" for arch, path in found.items()):
        lines.append("loaders:")
        lines += [f"  {arch}: {path}" for arch, path in found.items()]
    if machines:
        lines.append("machines:")
    for machine in machines:
        lead = "  - "
        for key, value in machine.items():
            lines.append(f"{lead}{key}: {quote(value)}")
            lead = "    "
    return "\n".join(lines) + "\n" + more


def loaders(*files):
    """The text of a machine for each of FILES, which is its loader.

    So TFTP serves them under their names.
    """
    return "machines:\n" + "".join(
        f"  - {{name: {file.stem}, mac: '52:54:00:bb:00:{number:02x}', "
        f"loaders: {{x64: {file}}}}}\n" for number, file in enumerate(files))


def quote(value):
    """VALUE as a YAML scalar; quoted where a plain one could be mistaken."""
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", "''") + "'"


def images(lab):
    """LAB's folder of images."""
    folder = lab.tmp / "images"
    folder.mkdir(exist_ok=True)
    return folder


def add_image(lab, name, source):
    """Copies the file SOURCE into LAB's images under NAME."""
    return uki.place(source, images(lab) / name)


def network(lab, dhcp=True, offload=True):
    """Adds the hosts dhcp and netuki, and the DHCP server unless not DHCP."""
    lab.host("dhcp", f"{DHCP_ADDRESS}/24")
    lab.host("netuki", f"{NETUKI_ADDRESS}/24", offload=offload)
    if dhcp:
        lab.start_dnsmasq("dhcp")
