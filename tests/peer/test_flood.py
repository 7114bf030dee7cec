#!/usr/bin/python3
"""A flood of one kind leaves the daemon's other work alone."""

import socket
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, harness, latency, paths, uki  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402

MAC = "52:54:00:aa:00:01"
SECONDS = 3
LIMIT_US = 5000


@contextmanager
def laboratory():
    """netukid with one machine, and a host for the flood and the probe."""
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        lab.host("client", "10.77.0.50/24")
        appliance.add_image(lab, "small.efi", uki.build())
        lab.start_netukid(appliance.config(lab, [
            {"name": "lab-01", "mac": MAC, "image": "small.efi"}],
            "defaults: {image: small.efi}\nunknown-machines: default\n"))
        yield lab


@contextmanager
def flood(send):
    """Calls send() as fast as can be, in a thread, until the end."""
    end = threading.Event()

    def run():
        while not end.is_set():
            for _ in range(64):
                send()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def probe_http(lab):
    """Seconds until /healthz answers."""
    begin = time.monotonic()
    with lab.socket("client", kind=socket.SOCK_STREAM) as probe:
        probe.settimeout(30)
        probe.connect((NETUKI_ADDRESS, 80))
        probe.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        harness.check(probe.recv(100).startswith(b"HTTP/1.1 200"), "healthz")
    return time.monotonic() - begin


def probe_through(lab, send, what):
    """HTTP answers while send() floods: nine of ten at once.

    Those of a moment in which the machine was elsewhere may be later.
    """
    took = []
    with flood(send):
        end = time.monotonic() + SECONDS
        while len(took) < 40 or time.monotonic() < end:
            took.append(probe_http(lab))
            time.sleep(0.02)
    late = sorted(took)[len(took) * 9 // 10]
    harness.check(late < 0.5 * paths.SLOW, f"{late:.2f} s in {what}")
    lab.netukid.require_running()


def test_discovers():
    """DISCOVERs of ever new machines, as fast as they can be sent."""
    with laboratory() as lab, dhcp.Client(lab.ns("client")) as client:
        number = iter(range(1 << 24))

        def send():
            n = next(number)
            mac = f"52:54:02:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}"
            client.send(dhcp.discover(mac, xid=n))

        probe_through(lab, send, "a flood of DISCOVERs")
        lines = len(lab.netukid.output().splitlines())
        harness.check(lines < 500, f"{lines} lines in the log")


def test_read_requests():
    """Read requests for a file that is not there, from many ports."""
    with laboratory() as lab:
        sockets = [lab.socket("client") for _ in range(32)]
        turn = iter(range(1 << 30))

        def send():
            sockets[next(turn) % 32].sendto(
                b"\0\1not-there\0octet\0", (NETUKI_ADDRESS, 69))

        probe_through(lab, send, "a flood of read requests")
        for one in sockets:
            one.close()


@harness.cases(idle={"tftp": 0, "http": 0}, tftp_50={"tftp": 50, "http": 0},
               http_50={"tftp": 0, "http": 50},
               both_200={"tftp": 200, "http": 200})
def test_offers_while_others_download(tftp, http):
    """A DISCOVER is answered within 5 ms (p99): iPXE waits two seconds.

    The best of five: what else the machine has to do can only add to it.
    """
    with Lab() as lab:
        latency.start(lab)
        with latency.downloads(lab, tftp, http):
            time.sleep(0.5)
            in_time(lab)


def in_time(lab, are_enough=lambda: True):
    """Fails unless the p99 is below the limit in one of five tries.

    One that was not enough is none.  Under AddressSanitizer and valgrind the
    daemon is put to the same work, which is all that can be said there.
    """
    best = None
    for _ in range(5):
        took = latency.offers(lab, 2)
        if not are_enough():
            continue
        best = min(best or took, took,
                   key=lambda found: latency.part(found, 0.99))
        if latency.part(best, 0.99) < LIMIT_US or paths.SLOW > 1:
            break
    harness.check(best, "nothing was going on meanwhile")
    print(f"# p50 {latency.part(best, 0.5):.0f} us, "
          f"p99 {latency.part(best, 0.99):.0f} us, max {best[-1]:.0f} us")
    lab.netukid.require_running()
    if paths.SLOW > 1:
        raise harness.Skip("it is well, but its time is an instrument's")
    harness.check(latency.part(best, 0.99) < LIMIT_US,
                  "the p99 is above the limit")


HERD = 30000 // paths.SLOW
NAMES = [f"m{number}" for number in range(HERD)]


@harness.cases(
    reload={"lines": [["reload"]]},
    mode_all={"lines": [["mode", "local", "--all"],
                        ["mode", "ipxe", "--all"]]},
    mode_many={"lines": [["mode", "local", *NAMES], ["mode", "ipxe", *NAMES]]},
    once_many={"lines": [["boot-once", *NAMES],
                         ["boot-once", "--cancel", "--all"]]},
    clear_many={"lines": [["mode", "ipxe", *NAMES],
                          ["mode", "--clear", "--all"]]},
    machines={"lines": [["machines", "--json"]]})
def test_offers_while_commanded(lines):
    """The same with 30,000 machines, while a command follows the other."""
    with Lab() as lab:
        latency.start(lab, HERD)
        with latency.commands(lab, *lines) as count:
            ended = [count()]

            def is_busy():
                ended.append(count())
                return ended[-1] > ended[-2]

            in_time(lab, is_busy)


if __name__ == "__main__":
    harness.main(globals())
