"""A tiny EFI application: it says one line on the firmware's console.

Then it stays.  It is what a disk starts where only the way there matters, and
what ARM64 firmware loads: Debian for amd64 has no ARM64 kernel or stub to make
a UKI of.
"""

import struct

_ALIGN = 0x1000

# For each architecture the PE machine, and the code that the text follows.
# EFI_SYSTEM_TABLE.ConOut is at 64, its OutputString at 8.
_CODE = {
    "x64": (0x8664, bytes.fromhex(
        "4883ec28"          # sub rsp, 40: room for the callee, as it wants it
        "488b4a40"          # mov rcx, [rdx + 64]: the table is rdx
        "488d1509000000"    # lea rdx, the text, 9 bytes on
        "ff5108"            # call [rcx + 8]
        "f4ebfd"            # hlt, again and again
        "909090")),
    "aa64": (0xAA64, struct.pack(
        "<7I",
        0xF9402028,         # ldr x8, [x1, #64]: the table is x1
        0xAA0803E0,         # mov x0, x8
        0x100000A1,         # adr x1, the text, 5 instructions on
        0xF9400509,         # ldr x9, [x8, #8]
        0xD63F0120,         # blr x9
        0x14000000,         # b .
        0xD503201F)),       # nop
}


def build(path, words, arch="x64"):
    """Writes the application that says WORDS to PATH; returns PATH."""
    machine, code = _CODE[arch]
    text = code + f"\r\n{words}\r\n\0".encode("utf-16-le")
    text = text.ljust(_ALIGN, b"\0")
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80)
    head = head.ljust(0x80, b"\0") + b"PE\0\0"
    # COFF: one section, an executable image.
    head += struct.pack("<HHIIIHH", machine, 1, 0, 0, 0, 112 + 8 * 6, 0x0206)
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
