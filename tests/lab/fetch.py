"""Machines that fetch files as firmware does: by TFTP and HTTP, with retries.

They connect from the namespace that the calling thread is in.
"""

import contextlib
import http.client
import socket
import threading
import time

from lab import netns

DATA, ACK, ERROR, OACK = 3, 4, 5, 6


class Refused(OSError):
    """A server's TFTP ERROR, or an HTTP status that is no file."""


def tftp(server, name, windowsize=4, blksize=1468, patience=8, wait=None):
    """The file NAME from SERVER, an (address, port).

    Nothing for a second: the last packet is sent again, PATIENCE times.
    WAIT(number of bytes) is called before each ACK of data.
    """
    size = str(blksize).encode()
    packet = (b"\0\1" + name.encode() + b"\0octet\0blksize\0" + size +
              b"\0windowsize\0" + str(windowsize).encode() + b"\0")
    data, block, tries = bytearray(), 0, patience
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.sendto(packet, server)
        peer = server
        while True:
            try:
                answer, sender = client.recvfrom(65536)
            except TimeoutError:
                tries -= 1
                if not tries:
                    raise
                client.sendto(packet, peer)
                continue
            if peer not in (server, sender):
                continue
            peer, tries = sender, patience
            kind, number = answer[1], int.from_bytes(answer[2:4], "big")
            if kind == ERROR:
                raise Refused(f"{name}: {answer[4:-1].decode()}")
            if kind == DATA and number == (block + 1) & 0xFFFF:
                block += 1
                data += answer[4:]
                if wait:
                    wait(len(data))
            last = kind == DATA and len(answer) < 4 + blksize
            if last or kind == OACK or block % windowsize == 0 or \
                    number != block & 0xFFFF:
                packet = bytes((0, ACK)) + (block & 0xFFFF).to_bytes(2, "big")
                client.sendto(packet, peer)
            if last and number == block & 0xFFFF:
                return bytes(data)


def get(server, path, timeout=10, method="GET", **headers):
    """(status, headers, body) of an HTTP request; a_b stands for a-b."""
    connection = http.client.HTTPConnection(*server, timeout=timeout)
    with contextlib.closing(connection):
        connection.request(method, path, headers={
            key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


class Load:
    """Functions that are called for ever, each in a thread, and counted.

        with Load(ns) as load:
            load.add("http", lambda: fetch.get(...))
            ...
        print(load.done, load.failed)

    What they raise of OSError and http.client's is counted as a failure, and
    ends nothing; the first other exception is raised at the end.
    """

    def __init__(self, ns=None):
        self.done, self.failed = {}, {}
        self._ns = ns
        self._end = threading.Event()
        self._threads = []
        self._error = None

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _traceback):
        self._end.set()
        for thread in self._threads:
            thread.join()
        if self._error and not kind:
            raise self._error

    def add(self, name, call):
        """Has call() called until the end."""
        self.done.setdefault(name, 0)
        self.failed.setdefault(name, 0)
        thread = threading.Thread(target=self._run, args=(name, call))
        self._threads.append(thread)
        thread.start()

    def _run(self, name, call):
        try:
            with netns.entered(self._ns) if self._ns \
                    else contextlib.nullcontext():
                while not self._end.is_set():
                    self._once(name, call)
        except Exception as error:
            self._error = self._error or error

    def _once(self, name, call):
        try:
            call()
            self.done[name] += 1
        except (OSError, http.client.HTTPException):
            self.failed[name] += 1
            time.sleep(0.005)
