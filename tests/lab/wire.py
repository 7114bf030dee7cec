"""A wire of a known length: packets take their time on it, each way.

    with Wire(lab, 0.02, ("netuki", "10.88.0.1/24"), ("client", ...)):

Not every kernel has netem, so this is two taps with a queue between them.
"""

import collections
import contextlib
import fcntl
import os
import select
import struct
import threading
import time

from lab import netns

_TUNSETIFF = 0x400454CA
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000


class Wire:
    """Joins two hosts of LAB, each (name, address), by interface wire0.

    DELAY is in seconds, each way.  A context manager.
    """

    def __init__(self, lab, delay, *ends):
        self._lab, self._delay, self._ends = lab, delay, ends
        self._taps, self._end = [], threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        for host, address in self._ends:
            ns = self._lab.ns(host)
            with netns.entered(ns):
                tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                self._taps.append(tap)
                fcntl.ioctl(tap, _TUNSETIFF, struct.pack(
                    "16sH22x", b"wire0", _IFF_TAP | _IFF_NO_PI))
            netns.ip("addr", "add", address, "dev", "wire0", ns=ns)
            netns.ip("link", "set", "wire0", "up", "txqueuelen", 10000, ns=ns)
        self._thread.start()
        return self

    def __exit__(self, *_args):
        self._end.set()
        self._thread.join(5)
        for tap in self._taps:
            os.close(tap)

    def _run(self):
        others = dict(zip(self._taps, reversed(self._taps)))
        queue = collections.deque()
        while not self._end.is_set():
            left = queue[0][0] - time.monotonic() if queue else 0.2
            ready, _, _ = select.select(self._taps, [], [], max(left, 0))
            due = time.monotonic() + self._delay
            for tap in ready:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        queue.append((due, others[tap], os.read(tap, 2000)))
            while queue and queue[0][0] <= time.monotonic():
                _, tap, frame = queue.popleft()
                os.write(tap, frame)
