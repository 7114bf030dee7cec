"""How soon netukid answers a DISCOVER while it has other work.

Told by a capture where the packets come in and go out, so that it is
netukid's time and not that of the client, which shares a core with those who
download.  While it is measured netukid goes before other processes: what else
runs on the machine shall not matter.
"""

import contextlib
import itertools
import json
import os
import subprocess
import threading

from lab import appliance, bench, netns, paths, uki
from lab.capture import Capture
from lab.lab import NETUKI_ADDRESS

MACHINES = 10000
PER_SECOND = 200
_IMAGE = "small.efi"


def start(lab, machines=MACHINES):
    """netukid with so many machines, m0 and on, serving loopback as well."""
    lab.host("netuki", f"{NETUKI_ADDRESS}/24")
    lab.host("client", "10.77.0.50/24")
    appliance.add_image(lab, _IMAGE, uki.build())
    more = (f"defaults: {{image: {_IMAGE}}}\ninterfaces: [eth0, lo]\n"
            "tftp: {allow: [127.0.0.0/8]}\nmachines:\n")
    process = lab.start_netukid(appliance.config(lab, [], more + "".join(
        f"  - {{name: m{n}, mac: '52:54:00:10:{n >> 8:02x}:{n & 255:02x}'}}\n"
        for n in range(machines))), timeout=60)
    os.sched_setaffinity(process.pid, {0})
    process.go_first()
    return process


def _on_other_core(ns, first=False):
    def setup():
        netns.child_setup(ns)()
        os.sched_setaffinity(0, {os.cpu_count() - 1})
        if first:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    return setup


@contextlib.contextmanager
def downloads(lab, tftp, http):
    """So many clients load the image over and over, all over loopback, where
    each of TFTP's has an address of its own."""
    commands = []
    if tftp:
        commands.append(bench.command(
            f"tftp://127.0.0.1/images/{_IMAGE}", "--clients", tftp, "--loads",
            1000, "--file", appliance.images(lab) / _IMAGE))
    if http:
        commands.append(bench.command(
            f"http://127.0.0.1/images/{_IMAGE}", "--as", "ipxe", "--clients",
            http, "--loads", 1000000 // http, "--keep-alive", "--no-check"))
    running = []
    try:
        for command in commands:
            running.append(subprocess.Popen(
                command, stdout=subprocess.DEVNULL,
                preexec_fn=_on_other_core(lab.ns("netuki"))))
        yield
        for process in running:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args} ended by itself")
    finally:
        for process in running:
            process.kill()
            process.wait()


@contextlib.contextmanager
def commands(lab, *lines):
    """These commands of netukictl, one after the other, over and over; yields
    a function that says how many have ended."""
    ended, done, failed = threading.Event(), [], []

    def run():
        for line in itertools.cycle(lines):
            if ended.is_set():
                return
            try:
                subprocess.run(
                    [paths.built("netukictl"), *line, "--control",
                     lab.control], check=True, capture_output=True,
                    timeout=60, preexec_fn=_on_other_core(None))
            except subprocess.SubprocessError as err:
                failed.append(err)
                return
            done.append(line[0])
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield lambda: len(done)
        if failed:
            raise RuntimeError(failed[0])
    finally:
        ended.set()
        thread.join()


def offers(lab, seconds):
    """Microseconds from each DISCOVER to its OFFER, sorted."""
    capture = lab.adopt(Capture("eth0", lab.ns("netuki"),
                                lab.tmp / "offers.pcap",
                                "udp port 67 or udp port 68"))
    done = subprocess.run(
        [paths.built("tests/bench/bench_dhcp"), "eth0", NETUKI_ADDRESS,
         str(PER_SECOND), str(seconds), "rate"], capture_output=True,
        text=True, check=True, timeout=seconds + 60,
        preexec_fn=_on_other_core(lab.ns("client"), first=True))
    capture.finish()
    asked, took = {}, []
    for at, xid, kind in capture.rows("dhcp", "frame.time_epoch", "dhcp.id",
                                      "dhcp.type"):
        if kind == "1":
            asked[xid] = float(at)
        elif xid in asked:
            took.append((float(at) - asked.pop(xid)) * 1e6)
    counts = json.loads(done.stdout)
    if counts["lost"]:
        raise RuntimeError(f"DISCOVERs without an OFFER: {counts}")
    return sorted(took)


def part(took, share):
    """The time within which this SHARE was answered."""
    return took[int((len(took) - 1) * share)]
