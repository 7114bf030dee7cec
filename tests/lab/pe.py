"""Small unified kernel images that no machine could boot but netukid serves.

They cost nothing to build, so tests of the daemon alone need no kernel.
"""

import os
import random
import struct
import time

FILE_ALIGNMENT, ALIGNMENT, HEADERS = 0x200, 0x1000, 0x400
PE_AT = 0x80
OPTIONAL_AT = PE_AT + 24
DIRECTORY_AT = OPTIONAL_AT + 112
TABLE_AT = DIRECTORY_AT + 16 * 8


def _align(value, to):
    return -(-value // to) * to


def kernel(size):
    """SIZE bytes that look like a bzImage with an EFI stub for x64."""
    data = bytearray(random.Random(size).randbytes(size))
    data[0:2] = b"MZ"
    data[0x3C:0x40] = struct.pack("<I", 0x40)
    data[0x40:0x46] = b"PE\0\0\x64\x86"
    data[0x1FE:0x208] = b"\x55\xaaXXHdrS\x0f\x02"
    data[0x238:0x23C] = struct.pack("<I", 2047)
    return bytes(data)


def uki(cmdline="quiet", kernel_size=100000, initrd_size=50000):
    """The bytes of an image; INITRD_SIZE 0: it has no initrd."""
    sections = [(b".text", b"\xc3"), (b".osrel", b'PRETTY_NAME="A test"\n'),
                (b".cmdline", cmdline.encode())]
    if initrd_size:
        sections.append(
            (b".initrd", random.Random(1).randbytes(initrd_size)))
    sections.append((b".linux", kernel(kernel_size)))
    out = bytearray(HEADERS)
    out[0:2] = b"MZ"
    struct.pack_into("<I", out, 0x3C, PE_AT)
    struct.pack_into("<4sHH", out, PE_AT, b"PE\0\0", 0x8664, len(sections))
    struct.pack_into("<HH", out, PE_AT + 20, TABLE_AT - OPTIONAL_AT, 0x206)
    struct.pack_into("<H", out, OPTIONAL_AT, 0x20B)
    struct.pack_into("<I", out, OPTIONAL_AT + 16, ALIGNMENT)
    struct.pack_into("<II", out, OPTIONAL_AT + 32, ALIGNMENT, FILE_ALIGNMENT)
    struct.pack_into("<I", out, OPTIONAL_AT + 60, HEADERS)
    struct.pack_into("<H", out, OPTIONAL_AT + 68, 10)
    struct.pack_into("<I", out, DIRECTORY_AT - 4, 16)
    address = ALIGNMENT
    for number, (name, data) in enumerate(sections):
        raw_size = _align(len(data), FILE_ALIGNMENT)
        struct.pack_into("<8sIIII", out, TABLE_AT + 40 * number, name,
                         len(data), address, raw_size, len(out))
        struct.pack_into("<I", out, TABLE_AT + 40 * number + 36, 0x40000040)
        out += data.ljust(raw_size, b"\0")
        address += _align(len(data), ALIGNMENT)
    struct.pack_into("<I", out, OPTIONAL_AT + 56, address)
    return bytes(out)


def write(path, data):
    """Puts the bytes DATA at PATH as an operator would: whole, by a rename.

    The file is a minute old: nobody has to wait to see whether it is whole.
    """
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data)
    then = time.time() - 60
    os.utime(fresh, (then, then))
    fresh.rename(path)
    return path
