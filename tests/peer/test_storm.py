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
def served(**sizes):
    """netukid on loopback with files NAME.bin of these SIZES."""
    with Lab() as lab:
        lab.host("netuki")
        files = [lab.tmp / f"{name}.bin" for name in sizes]
        for file, size in zip(files, sizes.values()):
            file.write_bytes(random.Random(size).randbytes(size))
        lab.start_netukid(appliance.config(
            lab, [], "interfaces: [lo]\ndhcp: {enabled: false}\n"
            "drain-seconds: 0\n" + appliance.loaders(*files)))
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
    client.settimeout(5)
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
        deadline = time.monotonic() + 5
        while not counts(lab)["over-cap"]:
            harness.check(time.monotonic() < deadline, "it is not counted")
            time.sleep(0.01)
        late.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            raise harness.Failure(f"an answer: {late.recv(2000)[:60]!r}")

        # Those who are served are none the worse for it.
        harness.equal(rest(*clients[0]), (lab.tmp / "loader.bin").read_bytes(),
                      "the bytes of the first client")
        late.settimeout(5)
        late.sendto(request, (SERVER, 69))
        harness.equal(late.recv(2000)[:4], b"\0\3\0\1", "the late one's block")
        for client, peer in clients[1:]:
            client.sendto(packet(5, 0), peer)


def shape(lab):
    """Makes loopback a wire of 1 Gbit/s; it drops nothing.

    A netukid that is slower has a wire that is as much slower.
    """
    lab.run([paths.program("tc"), "qdisc", "add", "dev", "lo", "root", "tbf",
             "rate", f"{1000 // paths.SLOW}mbit", "burst", "200kb", "limit",
             "64mb"], lab.ns("netuki"))


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
        found = load(lab, file, *options.split())
        print(f"# {found['mb_s']:.0f} MB/s, {found['again']} of "
              f"{found['blocks']} blocks again", flush=True)
        harness.check(found["again"] < 0.1 * found["blocks"],
                      f"{found['again']} of {found['blocks']} blocks again")


def queued(lab):
    """Bytes that the fullest of the daemon's sockets has under way."""
    rows = Path(f"/proc/{lab.netukid.pid}/net/udp").read_text().splitlines()
    return max(int(row.split()[4].split(":")[0], 16) for row in rows[1:])


def test_full_socket():
    """What a socket does not take waits until it has room, and is not lost.

    On a slow wire windows of 64 for 500 clients are more than a socket holds.
    """
    with served(image=512 << 10) as lab:
        shape(lab)
        clients = lab.spawn(command(lab, "image", "--window", "64",
                                    "--clients", "500"), "netuki")
        most = 0
        while clients.poll() is None:
            most = max(most, queued(lab))
            time.sleep(0.005)
        found = bench.figures(clients.output())
        harness.equal((found["failed"], found["failure"]), (0, None),
                      "loads that failed, and why")
        print(f"# {found['mb_s']:.0f} MB/s, up to {most >> 10} KiB in a "
              f"socket, {found['again']} of {found['blocks']} blocks again",
              flush=True)
        harness.check(most > 8 << 20, "no socket was full")
        # Were they lost, two of three would have to be sent again.
        harness.check(found["again"] < 0.5 * found["blocks"],
                      f"{found['again']} of {found['blocks']} blocks again")


if __name__ == "__main__":
    harness.main(globals())
