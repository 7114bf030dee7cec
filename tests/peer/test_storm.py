#!/usr/bin/python3
"""A thousand machines powered on together ask for files over TFTP."""

import contextlib
import json
import random
import resource
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, bench, harness, paths  # noqa: E402
from lab.lab import Lab  # noqa: E402

SERVER = "127.0.0.1"
LOADER = 174080
# As of daemon/tftp/tftp_service.h.
MAX_TRANSFERS = 4096
MAX_PER_ADDRESS = 16
TRANSFER_BYTES = 2048

@contextlib.contextmanager
def served(more="", **sizes):
    """netukid on loopback with files NAME.bin of these SIZES."""
    with Lab() as lab:
        lab.host("netuki")
        files = [lab.tmp / f"{name}.bin" for name in sizes]
        for file, size in zip(files, sizes.values()):
            file.write_bytes(random.Random(size).randbytes(size))
        lab.start_netukid(appliance.config(
            lab, [], "interfaces: [lo]\ndhcp: {enabled: false}\n"
            "drain-seconds: 0\n" + more + appliance.loaders(*files)))
        yield lab


def command(lab, name, *options):
    """The clients, all of them in one program: it checks every byte."""
    return bench.command(f"tftp://{SERVER}/{name}.bin", *options, "--file",
                         lab.tmp / f"{name}.bin")


def load(lab, name, *options):
    """What the clients saw; each must have got its file."""
    done = lab.run(command(lab, name, *options), lab.ns("netuki"),
                   check=False)
    harness.check(done.returncode in (0, 1), done.stderr)
    found = bench.figures(done.stdout)
    harness.equal((found["failed"], found["failure"]), (0, None),
                  "loads that failed, and why")
    return found


def counts(lab):
    """netukid's TFTP counts."""
    return json.loads(lab.netukictl("status", "--json").stdout)[
        "counts"]["tftp"]


def memory(lab, what):
    """A line of the daemon's /proc/PID/status, in bytes."""
    text = Path(f"/proc/{lab.netukid.pid}/status").read_text()
    for line in text.splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {what}")


def descriptors(lab):
    """How many the daemon has open."""
    return len(list(Path(f"/proc/{lab.netukid.pid}/fd").iterdir()))


def check_memory(grown, transfers):
    """Each transfer takes at most so much; some pieces of the file more."""
    print(f"# {grown / transfers:.0f} bytes for each transfer", flush=True)
    if paths.SLOW == 1:  # else the instruments have memory of their own
        harness.check(grown <= transfers * TRANSFER_BYTES + (512 << 10),
                      f"{grown} bytes for {transfers} transfers")


def storm(lab, clients):
    """So many iPXE clients at once, who are all served: what came of it."""
    before = counts(lab)
    found = load(lab, "loader", "--as", "ipxe", "--clients", clients)
    print(f"# {found['mb_s']:.0f} MB/s, first after {found['min_ms']:.0f} "
          f"ms, last after {found['max_ms']:.0f} ms, "
          f"{found['timeouts']} time-outs", flush=True)
    after = counts(lab)
    harness.equal([after[key] - before[key] for key in (
        "refused", "over-cap", "failed", "completed")], [0, 0, 0, clients],
                  "refused, over the cap, failed, completed")
    return found


def test_power_on():
    """1,000 iPXE clients at once: all are served, and side by side."""
    clients = 1000 // paths.SLOW
    with served(loader=LOADER) as lab:
        load(lab, "loader", "--as", "ipxe")
        before = memory(lab, "VmHWM")
        # A client asks again after a quarter of a second, which the machine
        # may have spent elsewhere: so often it is tried.
        for left in reversed(range(5)):
            found = storm(lab, clients)
            # One after the other the first would be done a thousand times
            # sooner.
            if found["max_ms"] < 2 * found["min_ms"] and \
                    found["timeouts"] <= 10:
                break
            harness.check(left, f"first after {found['min_ms']}, last after "
                          f"{found['max_ms']} ms, {found['timeouts']} clients "
                          "asked again")
        check_memory(memory(lab, "VmHWM") - before, clients)


def packet(op, number):
    """An ACK, or an ERROR without text."""
    return struct.pack(">HH", op, number) + b"\0" * (op == 5)


def begin(lab, number):
    """Client NUMBER, whose transfer has begun: (socket, server's address)."""
    client = lab.socket("netuki")
    client.bind((f"127.2.{number // MAX_PER_ADDRESS // 200}."
                 f"{number // MAX_PER_ADDRESS % 200 + 1}", 0))
    client.settimeout(30)
    client.sendto(b"\0\1loader.bin\0octet\0tsize\0" b"0\0", (SERVER, 69))
    data, peer = client.recvfrom(2000)
    harness.equal(data[:2], b"\0\6", "the answer's opcode")
    client.sendto(packet(4, 0), peer)
    return client, peer


def rest(client, peer):
    """Loads what begin() began; the bytes."""
    got = b""
    while True:
        data, peer = client.recvfrom(2000)
        number = struct.unpack(">H", data[2:4])[0]
        if number == len(got) // 512 + 1:
            got += data[4:]
        client.sendto(packet(4, number), peer)
        if len(data) < 516:
            return got


def test_full_table():
    """What is too much is left to the client's retry, counted, and small."""
    if paths.BUILD.name == "valgrind":
        raise harness.Skip("before the last has begun the first gives up")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_TRANSFERS + 200
    if hard < wanted:
        raise harness.Skip(f"{hard} descriptors are not enough")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    with served(loader=LOADER) as lab, contextlib.ExitStack() as stack:
        clients = [begin(lab, 0)]
        before, open_before = memory(lab, "VmRSS"), descriptors(lab)
        for number in range(1, MAX_TRANSFERS):
            clients.append(begin(lab, number))
            stack.callback(clients[-1][0].close)
        harness.equal(counts(lab)["running"], MAX_TRANSFERS, "transfers")
        check_memory(memory(lab, "VmRSS") - before, MAX_TRANSFERS)
        harness.equal(descriptors(lab), open_before, "descriptors")

        late = stack.enter_context(lab.socket("netuki"))
        late.bind(("127.3.0.1", 0))
        request = b"\0\1loader.bin\0octet\0"
        late.sendto(request, (SERVER, 69))
        deadline = time.monotonic() + 30
        while not counts(lab)["over-cap"]:
            harness.check(time.monotonic() < deadline, "it is not counted")
            time.sleep(0.01)
        late.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            raise harness.Failure(f"an answer: {late.recv(2000)[:60]!r}")

        # Those who are served are none the worse for it.
        harness.equal(rest(*clients[0]), (lab.tmp / "loader.bin").read_bytes(),
                      "the bytes of the first client")
        late.settimeout(30)
        late.sendto(request, (SERVER, 69))
        harness.equal(late.recv(2000)[:4], b"\0\3\0\1", "the late one's block")
        for client, peer in clients[1:]:
            client.sendto(packet(5, 0), peer)


def shape(lab, mbit=1000):
    """Makes loopback a wire of MBIT Mbit/s; it drops nothing.

    A netukid that is slower has a wire that is as much slower.
    """
    lab.run([paths.program("tc"), "qdisc", "add", "dev", "lo", "root", "tbf",
             "rate", f"{mbit // paths.SLOW}mbit", "burst", "200kb", "limit",
             "64mb"], lab.ns("netuki"))


def check_again(found, share, mbit=1000):
    """Nothing was lost, and little went again needlessly.

    At most SHARE as many blocks as the files have, over a wire of MBIT.  A
    machine that took longer than the wire, which is others' doing, held
    answers up for longer than its queue: as much more may go again.  How many
    times as long it took.
    """
    wire = found["bytes"] * 8 / (mbit / paths.SLOW * 1e6)
    slow = max(found["seconds"] / wire, 1)
    once = found["blocks"] - found["needless"]
    lost = found["again"] - found["needless"]
    print(f"# {found['mb_s']:.0f} MB/s, {lost} blocks lost and "
          f"{found['needless']} sent needlessly beside {once}, {slow:.1f} "
          "times as long as the wire", flush=True)
    harness.check(lost < 0.02 * once, f"{lost} of {once} blocks were lost")
    harness.check(found["needless"] < share * once * slow,
                  f"{found['needless']} blocks sent needlessly beside {once}")
    return slow


@harness.cases(
    edk2={"file": "loader", "options": "--as edk2 --clients 500"},
    window_16={"file": "image", "options": "--window 16 --clients 50"},
)
def test_shared_wire(file, options):
    """Windows queue behind each other's at 1 Gbit/s: what is late is not lost.

    In the first round trips it is, to a timer that knows no better.
    """
    with served(loader=LOADER, image=1 << 20) as lab:
        shape(lab)
        check_again(load(lab, file, *options.split()), 0.1)


def refused(lab):
    """How often a UDP socket had no room for what was to be sent."""
    names, values = (line.split() for line in lab.run(
        ["cat", "/proc/net/snmp"], lab.ns("netuki")).stdout.splitlines()
        if line.startswith("Udp:"))
    return int(dict(zip(names, values))["SndbufErrors"])


def test_full_socket():
    """What a socket does not take waits until it has room, and is not lost.

    Windows of 64 for 500 clients are six times what it holds.  The wire is
    slow, that it be full also where others keep netukid from its work.
    """
    with served("tftp: {single-port: true}\n", image=128 << 10) as lab:
        shape(lab, 250)
        found = load(lab, "image", "--window", "64", "--clients", "500")
        slow = check_again(found, 1, 250)
        harness.check(refused(lab) > 0 or slow > 2,
                      "the socket was never full")


if __name__ == "__main__":
    harness.main(globals())
