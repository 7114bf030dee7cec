"""A tiny EFI application for ARM64, for firmware that loads one directly.

Debian for amd64 has no ARM64 kernel or stub to make a UKI of.  This says one
line on the firmware's console and then stays: enough to show that the
firmware asked, was answered, and ran what it got.
"""

import struct

WORDS = "netuki-arm64: running"

_ALIGN = 0x1000
# EFI_SYSTEM_TABLE.ConOut is at 64, its OutputString at 8; the table is x1.
_CODE = (
    0xF9402028,  # ldr x8, [x1, #64]
    0xAA0803E0,  # mov x0, x8
    0x100000A1,  # adr x1, the text, 5 instructions on
    0xF9400509,  # ldr x9, [x8, #8]
    0xD63F0120,  # blr x9
    0x14000000,  # b .
    0xD503201F,  # nop: the text follows
)


def build(path):
    """Writes the application to PATH."""
    text = struct.pack("<7I", *_CODE)
    text += f"\r\n{WORDS}\r\n\0".encode("utf-16-le")
    text = text.ljust(_ALIGN, b"\0")
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80)
    head = head.ljust(0x80, b"\0") + b"PE\0\0"
    # COFF: ARM64, one section, an executable image.
    head += struct.pack("<HHIIIHH", 0xAA64, 1, 0, 0, 0, 112 + 8 * 6, 0x0206)
    # Optional header: PE32+, an EFI application (subsystem 10).
    head += struct.pack("<HBBIIIII", 0x20B, 0, 0, len(text), 0, 0, _ALIGN,
                        _ALIGN)
    head += struct.pack("<QIIHHHHHHIIIIHHQQQQII", 0, _ALIGN, 0x200, 0, 0, 0,
                        0, 0, 0, 0, _ALIGN + len(text), _ALIGN, 0, 10, 0,
                        0, 0, 0, 0, 0, 6)
    head += bytes(8 * 6)
    head += struct.pack("<8sIIIIIIHHI", b".text", len(text), _ALIGN,
                        len(text), _ALIGN, 0, 0, 0, 0, 0x60000020)
    path.write_bytes(head.ljust(_ALIGN, b"\0") + text)
    return path
