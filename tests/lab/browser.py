"""A browser without a screen and without a network: Chromium, headless."""

import os
import struct
import subprocess
import tempfile
import zlib

from lab import paths

SECONDS = 90


def _run(page, *options, zone=None):
    """Opens the file PAGE; what Chromium prints.

    It is in a network namespace of its own, in which there is nothing.
    """
    chromium = paths.program("chromium")
    with tempfile.TemporaryDirectory(prefix="netuki-browser-") as profile:
        return subprocess.run(
            [paths.program("unshare"), "--net", chromium, "--headless=new",
             "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={profile}", "--virtual-time-budget=10000",
             *options, f"file://{page}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=SECONDS, check=True,
            env={**os.environ, "TZ": zone} if zone else None).stdout


def dom(page, width=1000, zone=None):
    """The document as its scripts have left it, as text.

    The window has this WIDTH, and the user is in this time ZONE.
    """
    return _run(page, "--dump-dom", f"--window-size={width},1000", zone=zone)


def screenshot(page, path, width, height, dark=False):
    """Writes what is to be seen of PAGE to PATH; its Image."""
    _run(page, f"--screenshot={path}", f"--window-size={width},{height}",
         f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    return Image(path)


class Image:
    """A PNG file of 8 bits a channel."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        if data[:8] != b"\x89PNG\r\n\x1a\n":
            raise ValueError(f"{path} is no PNG")
        packed, at = b"", 8
        while at < len(data):
            size, kind = struct.unpack_from("!I4s", data, at)
            body = data[at + 8:at + 8 + size]
            if kind == b"IHDR":
                self.width, self.height, depth, colours = struct.unpack_from(
                    "!IIBB", body)
                self._bytes = {2: 3, 6: 4}[colours]
                if depth != 8:
                    raise ValueError(f"{path}: {depth} bits")
            elif kind == b"IDAT":
                packed += body
            at += 12 + size
        self.rows = list(self._rows(zlib.decompress(packed)))

    def _rows(self, data):
        """The rows of pixels without the filters that packed them."""
        n, stride = self._bytes, self.width * self._bytes
        above = bytes(stride)
        for at in range(0, len(data), stride + 1):
            kind, row = data[at], bytearray(data[at + 1:at + 1 + stride])
            if kind == 2:
                row = bytearray((x + y) & 255 for x, y in zip(row, above))
            elif kind:
                self._unfilter(kind, row, above, n)
            above = bytes(row)
            yield above

    @staticmethod
    def _unfilter(kind, row, above, n):
        for i, value in enumerate(row):
            left = row[i - n] if i >= n else 0
            up = above[i]
            if kind == 1:
                guess = left
            elif kind == 3:
                guess = (left + up) // 2
            else:
                corner = above[i - n] if i >= n else 0
                by_left, by_up = abs(up - corner), abs(left - corner)
                by_corner = abs(left + up - 2 * corner)
                guess = (left if by_left <= by_up and by_left <= by_corner
                         else up if by_up <= by_corner else corner)
            row[i] = (value + guess) & 255

    def pixel(self, x, y):
        """(red, green, blue)."""
        return tuple(self.rows[y][x * self._bytes:x * self._bytes + 3])

    def count(self, colour):
        """How many pixels have exactly this "#rrggbb"."""
        wanted = bytes.fromhex(colour.removeprefix("#"))
        found = 0
        for row in self.rows:
            at = row.find(wanted)
            while at >= 0:
                found += at % self._bytes == 0
                at = row.find(wanted, at + 1)
        return found
