"""Small disks that say, over the serial port, that the machine booted them."""

import struct

from lab import efiapp

WORDS = "netuki-disk: up"

# 7c00: cli; ax = ds = 0; si = text; dx = COM1; write each byte; halt.
_BOOT_SECTOR = bytes.fromhex("fa 31c0 8ed8 be167c baf803 ac 84c0 7403 ee ebf8"
                             "f4 ebfd")


def bios(path):
    """Writes a disk whose boot sector says WORDS to PATH; returns PATH."""
    code = _BOOT_SECTOR + f"\r\n{WORDS}\r\n".encode() + b"\0"
    sector = code.ljust(510, b"\0") + struct.pack("<H", 0xAA55)
    path.write_bytes(sector.ljust(1 << 20, b"\0"))
    return path


def efi(folder):
    """Makes FOLDER a disk for UEFI whose boot loader says WORDS, and no more.

    QEMU makes a FAT file system of it.
    """
    loader = folder / "EFI" / "BOOT" / "BOOTX64.EFI"
    loader.parent.mkdir(parents=True)
    efiapp.build(loader, WORDS)
    return folder
