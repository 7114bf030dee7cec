#!/usr/bin/python3
"""netukictl bench: against netukid and the servers of others.

What the clients say is compared with what the server says of the same loads.
"""

import contextlib
import functools
import http.server
import json
import os
import random
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import (appliance, harness, netns, paths, peers,  # noqa: E402
                 process, uki)
from lab.harness import cases, check, equal  # noqa: E402
from lab.lab import Lab  # noqa: E402
from lab.loopback import Loopback  # noqa: E402
from lab.wire import Wire  # noqa: E402

SIZE = 700000
BYTES = random.Random(1).randbytes(SIZE)


@contextlib.contextmanager
def netukid(size=SIZE):
    """netukid on loopback, with a loader f.bin of SIZE."""
    with Loopback() as box:
        file = box.tmp / "f.bin"
        file.write_bytes(random.Random(1).randbytes(size))
        box.write_config("  - {name: f, mac: 52:54:00:00:00:01, mode: local, "
                         f"loaders: {{x64: {file}}}}}\n")
        box.start()
        box.tftp_url = f"tftp://127.0.0.1:{box.tftp}/f.bin"
        box.http_url = f"http://127.0.0.1:{box.http}/loaders/f.bin"
        yield box


def bench(folder, *args, status=0, child=None):
    """Runs netukictl bench with its figures kept in FOLDER."""
    done = subprocess.run(
        [str(arg) for arg in (paths.built("netukictl"), "bench", *args)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
        env={**os.environ, "LC_ALL": "C", "XDG_STATE_HOME": str(folder)},
        preexec_fn=child)
    check(status in (done.returncode, None),
          f"bench {args}: status {done.returncode}, wanted {status}: "
          f"{done.stdout}{done.stderr}")
    return done


def figures(folder, *args, status=0, **more):
    """The figures of a run: (all, those of the first target)."""
    found = json.loads(bench(folder, *args, "--json", status=status,
                             **more).stdout)
    return found, found["groups"][0]


def transfers(box, count):
    """What netukid says of COUNT whole transfers: dicts of numbers."""
    pattern = re.compile(
        r"tftp-done .* (?P<bytes>\d+) bytes .*: blksize (?P<blksize>\d+) "
        r"windowsize (?P<window>\d+).*resent (?P<timer>\d+) by timer "
        r"(?P<roll>\d+) by roll-back, round trip (?P<rtt>[0-9.]+) ms")
    deadline = time.monotonic() + 20
    while True:
        found = [{key: float(value)
                  for key, value in match.groupdict().items()}
                 for match in map(pattern.search, box.log().splitlines())
                 if match]
        if len(found) >= count:
            equal(len(found), count, "transfers")
            return found
        check(time.monotonic() < deadline,
              f"{len(found)} of {count} transfers:\n{box.log()}")
        time.sleep(0.02)


@cases(edk2=dict(who="edk2", blksize=1468, window=4, probes=True),
       ipxe=dict(who="ipxe", blksize=1432, window=1, probes=False),
       rom=dict(who="rom", blksize=1456, window=1, probes=True))
def test_firmware(who, blksize, window, probes):
    """Each firmware asks as it does, and gets the file."""
    with netukid() as box:
        result, group = figures(box.tmp, box.tftp_url, "--as", who,
                                "--clients", 3, "--loads", 2)
        # One more has loaded it first.
        for transfer in transfers(box, 7):
            equal([transfer[key] for key in ("bytes", "blksize", "window")],
                  [SIZE, blksize, window], "transfer")
        equal(box.json("status")["counts"]["tftp"]["requests"],
              14 if probes else 7, "requests")
        equal([group[key] for key in ("count", "completed", "failures")],
              [6, 6, 0], "loads")
        equal(group["blocks"], 6 * (SIZE // blksize + 1) + group["resent"],
              "blocks")
        equal(group["last-byte"]["n"], 6, "times")
        equal(result["size"], SIZE, "size")


def test_loss_agrees_with_the_server():
    """What got lost was sent again, and both sides count the same."""
    with netukid() as box:
        file = box.tmp / "f.bin"
        result, group = figures(box.tmp, box.tftp_url, "--clients", 5,
                                "--loads", 2, "--loss", 3, "--file", file)
        resent = sum(t["timer"] + t["roll"] for t in transfers(box, 10))
        equal(group["failures"], 0, "failures")
        packets = group["blocks"] * 1.25
        check(packets * 0.015 < group["dropped"] < packets * 0.06,
              f"{group['dropped']} of about {packets} packets lost at 3 %")
        check(resent > 0, "nothing was sent again")
        # What was under way when a client had all is the server's only: of
        # each of ten loads a window at most.
        check(0 <= resent - group["resent"] <= 10 * 4,
              f"sent again: {resent}, and seen again: {group['resent']}")
        equal(group["resent-share"], group["resent"] / group["blocks"],
              "share")
        again, other = figures(box.tmp, box.tftp_url, "--clients", 5,
                               "--loads", 2, "--loss", 3, "--file", file,
                               "--seed", 77)
        equal([again["loss"], result["loss"]], [0.03, 0.03], "loss")
        check(other["dropped"] != group["dropped"] or
              other["resent"] != group["resent"], "another seed is the same")


def test_delay_agrees_with_the_server():
    """A delay is one of each way: the server's round trip has it twice."""
    with netukid(60000) as box:
        _, group = figures(box.tmp, box.tftp_url, "--delay", "20ms",
                           "--clients", 2, "--file", box.tmp / "f.bin")
        for transfer in transfers(box, 2):
            check(39 <= transfer["rtt"] < 400, f"round trip: {transfer}")
        # Of the question 2 ways, of the request 2, of 11 windows 2 each.
        check(group["last-byte"]["min"] > 0.5, f"too soon: {group}")
        equal(group["failures"], 0, "failures")


def test_http():
    """As HTTP Boot and as iPXE; by IPv4 and IPv6; kept alive or not."""
    with netukid() as box:
        for options, loads in (((), 6), (("--as", "ipxe"), 6),
                               (("--keep-alive",), 6), (("--no-check",), 6)):
            _, group = figures(box.tmp, box.http_url, "--clients", 3,
                               "--loads", 2, *options)
            equal([group["completed"], group["bytes"]],
                  [loads, loads * SIZE], f"{options}")
        _, group = figures(box.tmp, box.http_url.replace("127.0.0.1", "[::1]"))
        equal(group["bytes"], SIZE, "by IPv6")


def retransmitted():
    """Segments that TCP has sent again, here."""
    names, values = [
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines()
        if line.startswith("Tcp:")]
    return int(values[names.index("RetransSegs")])


def test_loss_of_http():
    """What the clients lose of TCP, the kernel of the server sends again."""
    with netukid() as box:
        before = retransmitted()
        _, group = figures(box.tmp, box.http_url, "--clients", 4, "--loads", 3,
                           "--loss", 2)
        equal([group["completed"], group["failures"], group["bytes"]],
              [12, 0, 12 * SIZE], "loads")
        again = retransmitted() - before
        # Of 5,800 packets 116 are lost, some of them together.
        check(again >= 12, f"{again} segments sent again")
        check(group["last-byte"]["max"] > 0.005, f"too fast: {group}")


@cases(ipxe=dict(who="ipxe", ways=8, again=4),
       edk2=dict(who="edk2", ways=10, again=6))
def test_delay_of_http(who, ways, again):
    """60 kB come in 3 windows, and over the same connection again in 2."""
    with netukid(60000) as box:
        _, group = figures(box.tmp, box.http_url, "--delay", "20ms", "--as",
                           who, "--clients", 20, "--loads", 2, "--keep-alive")
        last = group["last-byte"]
        equal([group["completed"], group["bytes"], group["timeouts"]],
              [40, 40 * 60000, 0], "loads")
        check(0.02 * again <= last["min"] < 0.02 * ways,
              f"{again} ways: {last}")
        check(0.02 * ways <= last["p75"] < 0.02 * ways + 2,
              f"{ways} ways: {last}")
        # A socket is not watched while it waits.
        check(group["client-cpu-seconds"] < 0.3, f"a busy wait: {group}")


def test_delay_as_on_a_wire():
    """What --delay makes of HTTP is what a wire of that length makes of it."""
    with Lab() as lab:
        lab.host("netuki", "10.77.0.2/24")
        lab.host("client", "10.77.0.50/24")
        inside = netns.child_setup(lab.ns("client"))
        lab.start_nginx(fill(lab))
        run = ("/f.bin", "--no-save", "--loads", 4, "--as")
        with Wire(lab, 0.02, ("netuki", "10.88.0.1/24"),
                  ("client", "10.88.0.2/24")):
            for who in ("ipxe", "edk2"):
                wire, bench_s = (
                    figures(lab.tmp, url + run[0], *run[1:], who, *more,
                            child=inside)[1]["last-byte"]["min"]
                    for url, more in (("http://10.88.0.1", ()),
                                      ("http://10.77.0.2",
                                       ("--delay", "20ms"))))
                check(0.5 * wire < bench_s < 1.5 * wire,
                      f"{who}: {wire} s on a wire, {bench_s} s with --delay")


def test_compare():
    """TFTP and HTTP in turns: the verdict, text, CSV, what is kept."""
    with netukid() as box:
        both = (box.tftp_url, "--as", "ipxe", "--compare", box.http_url)
        check("No figures are kept yet" in bench(box.tmp, "--saved").stdout,
              "nothing is kept yet")
        result, _ = figures(box.tmp, *both)
        verdict, = result["comparisons"]
        equal([verdict["faster"], verdict["enough"], result["rounds"]],
              [box.http_url, True, 5], "verdict")
        text = bench(box.tmp, *both, "--rounds", 2).stdout
        check("Too few rounds" in text and box.http_url in text, text)
        rows = bench(box.tmp, *both, "--rounds", 1, "--csv").stdout
        check(rows.startswith("target,count,completed,failures,last-byte-n"),
              rows)
        equal(rows.count("\n"), 3, "lines")
        kept = json.loads(bench(box.tmp, "--saved", "--json").stdout)["runs"]
        equal([run["rounds"] for run in kept], [5, 2, 1], "kept")
        equal(kept[0], result, "figures and what is kept of them")
        listed = bench(box.tmp, "--saved", "--limit", 1).stdout
        equal(listed.count("\n"), 3, listed)
        bench(box.tmp, box.tftp_url, "--delay", "1ms", "--window", 8)
        listed = bench(box.tmp, "--saved", "--limit", 1).stdout
        check("edk2 (blksize 1468, window 8)" in listed and
              " 1.0 ms " in listed, listed)
        listed = bench(box.tmp, "--saved", "--since", "2999-01-01").stdout
        check("No figures since then" in listed, listed)
        own = box.tmp / "own.jsonl"
        bench(box.tmp, box.tftp_url, "--save", own)
        equal(len(own.read_text().splitlines()), 1, "--save")
        bench(box.tmp, box.tftp_url, "--no-save")
        equal(len(json.loads(bench(box.tmp, "--saved", "--json").stdout)
                  ["runs"]), 4, "--no-save")


def test_figures_on_a_full_disk():
    """They are whole or not there; why is said, and the next have a line."""
    with netukid() as box:
        kept = box.tmp / "own.jsonl"
        args = (box.tftp_url, "--no-check", "--save", kept)
        bench(box.tmp, *args)
        before = kept.read_text()
        room = functools.partial(process.no_room, len(before) + 10)
        done = bench(box.tmp, *args, status=1, child=room)
        check(f"cannot be kept in {kept}: File too large" in done.stderr,
              done.stderr)
        equal(kept.read_text(), before, "what was kept")


def test_content():
    """Another file than it has to be is a failure."""
    with netukid() as box:
        other = box.tmp / "other.bin"
        wrong = bytearray((box.tmp / "f.bin").read_bytes())
        wrong[-1] ^= 1
        for content, why in ((wrong, "not what it has to be"),
                             (wrong[:-1], "longer than it has"),
                             (wrong + b"x", "shorter than it has")):
            # Only what differs at its end goes so far.
            content[-2:-1] = BYTES[-2:-1]
            good = bytes(content) if len(content) == SIZE else \
                (BYTES + b"x")[:len(content)]
            other.write_bytes(good)
            for url in (box.tftp_url, box.http_url):
                done = bench(box.tmp, url, "--file", other, status=1)
                check(why in done.stderr, done.stderr)
        done = bench(box.tmp, box.tftp_url, "--sha256", "0" * 64, status=1)
        check("SHA-256 is" in done.stderr, done.stderr)
        digest = done.stderr.split()[-1]
        bench(box.tmp, box.tftp_url, "--sha256", digest)


def test_memory():
    """What a first load was is not kept in memory."""
    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (48 << 20, 48 << 20))

    # AddressSanitizer has memory of its own.
    child = None if paths.BUILD.name == "san" else limit
    with netukid(100 << 20) as box:
        _, group = figures(box.tmp, box.http_url, "--clients", 2, "--no-save",
                           child=child)
        equal([group["completed"], group["bytes"]], [2, 200 << 20], "loads")
        os.environ["TMPDIR"] = str(box.tmp / "not there")
        try:
            done = bench(box.tmp, box.http_url, "--no-save", status=1)
        finally:
            del os.environ["TMPDIR"]
        check("cannot be kept in TMPDIR" in done.stderr and
              "No such file" in done.stderr, done.stderr)


def test_errors():
    """What is wrong is said once, and in time."""
    with netukid() as box:
        nobody = f"127.0.0.1:{box.tftp + 1 if box.tftp + 1 != box.http else 1}"
        for url, why in (
                (f"tftp://{nobody}/x", "nothing listens there"),
                (f"http://{nobody}/x", "nothing listens there"),
                (box.tftp_url + "x", "no such file"),
                (box.http_url + "x", "answers 404"),
                ("http://224.0.0.1/x", "multicast"),
                ("tftp://255.255.255.255/x", "broadcast"),
                ("tftp://[ff02::1]/x", "multicast"),
                ("http://0.0.0.0/x", "no machine's address")):
            done = bench(box.tmp, url, status=1)
            check(why in done.stderr and done.stderr.count("\n") == 1,
                  f"{url}: {done.stderr}")
        _, group = figures(box.tmp, box.tftp_url + "x", "--missing",
                           "--loads", 20)
        equal(group["completed"], 20, "refusals")
        done = bench(box.tmp, box.tftp_url, "--missing", status=1)
        check("the file is there" in done.stderr, done.stderr)
        for args in ((), ("x",), ("ftp://a/b",),
                     (box.http_url, "--as", "rom"),
                     (box.tftp_url, "--clients", 0),
                     (box.tftp_url, "--clients", 10001),
                     (box.tftp_url, "--loss", "101"),
                     (box.tftp_url, "--loss", "nan"),
                     (box.tftp_url, "--delay", "2"),
                     (box.tftp_url, "--as", "uboot"),
                     (box.tftp_url, "--from", "10.0.0.9-10.0.0.1"),
                     (box.tftp_url, "--sha256", "12"),
                     (box.tftp_url, "--saved")):
            done = bench(box.tmp, *args, status=2)
            check(done.stderr and not done.stdout, f"{args}: {done}")


def test_time_limit():
    """A server that is too slow does not hold it up, and is told."""
    with netukid() as box:
        done = bench(box.tmp, box.tftp_url, "--delay", "200ms",
                     "--time-limit", "3s", "--clients", 2, "--file",
                     box.tmp / "f.bin", status=1)
        check("2 failed: not whole within the limit of 3 s" in done.stderr,
              done.stderr)
        deadline = time.monotonic() + 10
        while box.json("status")["counts"]["tftp"]["running"]:
            check(time.monotonic() < deadline, "the server was not told")
            time.sleep(0.02)


def endless(server):
    """Answers any request: 2 kB, it says, and sends blocks without end."""
    while True:
        try:
            packet, client = server.recvfrom(2000)
        except OSError:
            return  # the test is over
        if packet[1] == 1 and b"tsize" in packet:
            server.sendto(b"\0\6tsize\x002000\0", client)
        elif packet[1] == 4:
            number = int.from_bytes(packet[2:4], "big") + 1 & 0xffff
            server.sendto(b"\0\3" + number.to_bytes(2, "big") + bytes(512),
                          client)
        elif packet[1] == 1:
            server.sendto(b"\0\3\0\1" + bytes(512), client)


def test_endless():
    """A server that sends more than it said is not heard out."""
    with netukid() as box, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        threading.Thread(target=endless, args=(server,), daemon=True).start()
        done = bench(box.tmp, f"tftp://127.0.0.1:{server.getsockname()[1]}/x",
                     "--time-limit", "20s", status=1)
        check("longer than the server said" in done.stderr, done.stderr)


class Hasty(http.server.SimpleHTTPRequestHandler):
    """Keeps a connection that is idle for no longer than a moment."""
    protocol_version, timeout = "HTTP/1.1", 0.2

    def log_message(self, *_args):
        """Says nothing."""


def test_pause():
    """A server that hangs up in a pause is called again, and not before."""
    with tempfile.TemporaryDirectory(prefix="netuki-bench-") as folder:
        Path(folder, "f.bin").write_bytes(BYTES)
        handler = functools.partial(Hasty, directory=folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                             handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/f.bin"
            _, group = figures(folder, url, "--as", "ipxe", "--keep-alive",
                               "--loads", 2, "--pause", "2s")
            server.shutdown()
        equal((group["completed"], group["failures"]), (2, 0), "loads")
        check(group["seconds"] > 1.9 and group["client-cpu-seconds"] < 0.5,
              f"the pause was a busy one: {group}")


def fill(lab):
    """A folder with f.bin in it."""
    root = lab.tmp / "root"
    root.mkdir()
    (root / "f.bin").write_bytes(BYTES)
    return root


def test_addresses():
    """Clients of one address meet a server's limit; those of many do not."""
    with Lab() as lab:
        lab.host("netuki", "10.77.0.1/24")
        lab.host("client", *(f"10.77.0.{n}/24" for n in range(50, 90)))
        inside = netns.child_setup(lab.ns("client"))
        root = fill(lab)
        box = lab.start_netukid(appliance.config(
            lab, [], "dhcp: {enabled: false}\ninterfaces: [eth0]\n"
            "machines:\n  - {name: f, mac: 52:54:00:00:00:01, mode: local, "
            f"loaders: {{x64: {root}/f.bin}}}}\n"))
        run = ("tftp://10.77.0.1/f.bin", "--as", "ipxe", "--no-save",
               "--delay", "1ms", "--clients")
        many, group = figures(lab.tmp, *run, 40, "--from",
                              "10.77.0.50-10.77.0.89", child=inside)
        equal([many["notes"], group["completed"]], [[], 40], "of many")
        # The last lines may go out after the client's end.
        deadline = time.monotonic() + 20
        while len(seen := set(re.findall(r"tftp-done \S+ (\S+) f.bin",
                                         box.output()))) < 40:
            check(time.monotonic() < deadline, f"addresses: {sorted(seen)}")
            time.sleep(0.02)
        one, group = figures(lab.tmp, *run, 18, child=inside)
        check(group["unanswered"] > 0, f"no limit met: {group}")
        check("18 clients share an address" in one["notes"][0], one["notes"])
        for wrong, why in (("10.77.0.99", "cannot send from 10.77.0.99"),
                           ("fd00::1", "of another family")):
            done = bench(lab.tmp, *run, 1, "--from", wrong, status=1,
                         child=inside)
            check(why in done.stderr, done.stderr)


NOBODY = 65534
CLIENTS = 5
IPXE = ["dhcp", "loader", "ipxe", "script", "image"]
# --as: the number of its machines, what these are, the phases of a boot, and
# firmware and mode in the history.
BOOTS = {
    "edk2": [(1, "", IPXE, "uefi", "ipxe"),
             (2, "mode: tftp-uki, offer: pxe-port",
              ["dhcp", "request", "image"], "uefi", "tftp-uki")],
    "http-boot": [(3, "", ["dhcp", "image"], "http", "http")],
    "rom": [(4, "", IPXE, "bios", "ipxe")],
    "ipxe": [(5, "", ["dhcp", "script", "image"], "ipxe", "ipxe")],
}


def played(number, n):
    """The MAC address of machine N of those with this NUMBER."""
    return f"02:00:00:00:{number:02x}:{n:02x}"


@contextlib.contextmanager
def boots_lab():
    """netukid with the machines of BOOTS, and what runs in a client of it."""
    with Lab() as lab:
        lab.host("netuki", "10.77.0.2/24")
        lab.host("client", *(f"10.77.0.{50 + n}/24" for n in range(CLIENTS)))
        appliance.add_image(lab, "small.efi", uki.build())
        rows = "".join(
            f"  - {{name: m{number}-{n}, mac: '{played(number, n)}', "
            f"image: small.efi{', ' if what else ''}{what}}}\n"
            for kinds in BOOTS.values() for number, what, *_ in kinds
            for n in range(CLIENTS))
        lab.start_netukid(appliance.config(
            lab, [], f"interfaces: [eth0]\nmachines:\n{rows}"
            f"  - {{name: disk, mac: '{played(9, 0)}', mode: local}}\n"))
        deadline = time.monotonic() + 20
        while [i["state"] for i in json.loads(lab.netukictl(
                "images", "--json").stdout)["images"]] != ["ready"]:
            check(time.monotonic() < deadline, "the image is not ready")
            time.sleep(0.05)
        enter = netns.child_setup(lab.ns("client"))

        def inside():
            enter()
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)

        yield lab, inside


def in_history(lab, number, count):
    """COUNT boots of the machines with this NUMBER, when they are there."""
    deadline = time.monotonic() + 10
    while True:
        found = [boot for boot in json.loads(lab.netukictl(
            "boots", "--limit", "1000", "--json").stdout)["boots"]
                 if (boot["machine"] or "").startswith(f"m{number}-")]
        if len(found) == count and all(
                boot["outcome"] == "complete" for boot in found):
            return found
        check(time.monotonic() < deadline, f"{count} boots: {found}")
        time.sleep(0.1)


def test_boots():
    """Whole machines boot, each way, and the server has the same of them."""
    with boots_lab() as (lab, inside):
        for who, kinds in BOOTS.items():
            for number, _, phases, firmware, mode in kinds:
                result, group = figures(
                    lab.tmp, "dhcp://10.77.0.2", "--as", who, "--clients",
                    CLIENTS, "--mac", played(number, 0), "--no-save",
                    "--from", f"10.77.0.50-10.77.0.{49 + CLIENTS}",
                    child=inside)
                equal([group["completed"], group["failures"],
                       result["notes"]], [CLIENTS, 0, []], who)
                equal([(p["phase"], p["n"]) for p in group["phases"]],
                      [(name, CLIENTS) for name in phases], who)
                boots = in_history(lab, number, CLIENTS)
                equal({(b["firmware"], b["mode"]) for b in boots},
                      {(firmware, mode)}, who)
                equal(sorted(b["mac"] for b in boots),
                      [played(number, n) for n in range(CLIENTS)], who)
                seen = [{step["step"] for step in b["steps"]} for b in boots]
                check(all(steps >= set(phases) for steps in seen), seen)
                slowest = max(b["times"]["last_byte"] for b in boots)
                check(slowest <= group["last-byte"]["max"] + 0.5,
                      f"{who}: {slowest} s, and {group['last-byte']}")


# Ways of each phase: iPXE's loader comes in windows, the script by one load
# over HTTP, and the image in 14 windows.
WAYS = {"dhcp": 2, "loader": 60, "ipxe": 2, "script": 4, "image": 30}


def test_boots_with_delay():
    """All that a machine sends and is sent is as late as it would be."""
    with boots_lab() as (lab, inside):
        _, group = figures(
            lab.tmp, "dhcp://10.77.0.2", "--clients", CLIENTS, "--no-save",
            "--mac", played(1, 0), "--delay", "5ms",
            "--from", f"10.77.0.50-10.77.0.{49 + CLIENTS}", child=inside)
        equal(group["completed"], CLIENTS, "boots")
        took = {p["phase"]: p["median"] for p in group["phases"]}
        equal(list(took), list(WAYS), "phases")
        for phase, ways in WAYS.items():
            check(0.005 * ways <= took[phase] < 0.005 * ways + 2,
                  f"{phase}: {ways} ways in {took[phase]} s")


def test_boots_that_fail():
    """Who is given nothing, or not heard, fails at that phase."""
    with boots_lab() as (lab, inside):
        for server, mac, limit, why in (
                ("10.77.0.2", played(9, 0), "20s",
                 "dhcp: it is sent to its own disk"),
                ("10.77.0.2", played(8, 0), "1s", "not whole within"),
                ("10.77.0.2:6767", played(1, 0), "1s", "not whole within")):
            done = bench(lab.tmp, f"dhcp://{server}", "--mac", mac,
                         "--no-save", "--time-limit", limit, status=1,
                         child=inside)
            check(why in done.stderr, done.stderr)
        result, _ = figures(lab.tmp, "dhcp://10.77.0.2", "--clients", 2,
                            "--mac", played(1, 0), "--no-save",
                            status=None, child=inside)
        check("2 machines share an address" in result["notes"][0],
              result["notes"])


HTTP = "http://10.77.0.3"
IPXE_ASKS = ["dhcp", "request", "loader", "ipxe", "script", "image"]
# Hosts of dnsmasq, and what it offers there; --as, the number of the machines
# that netukid boots likewise, and the phases of a boot by dnsmasq.
DNSMASQ = {
    "10.77.0.3": (peers.proxy_ipxe(f"{HTTP}/boot.ipxe"), (
        ("edk2", 1, IPXE_ASKS), ("rom", 4, IPXE_ASKS),
        ("ipxe", 5, ["dhcp", "request", "script", "image"]))),
    "10.77.0.4": (peers.proxy_file("images/small.efi"), (
        ("edk2", 2, ["dhcp", "request", "image"]),)),
    "10.77.0.5": (peers.proxy_http(f"{HTTP}/images/small.efi"), (
        ("http-boot", 3, ["dhcp", "image"]),)),
}


def add_dnsmasq(lab):
    """The hosts of DNSMASQ; the first has nginx, too."""
    root = lab.tmp / "root"
    (root / "images").mkdir(parents=True)
    uki.place(appliance.images(lab) / "small.efi", root / "images/small.efi")
    for name in ("snponly.efi", "undionly.kpxe"):
        uki.place(paths.asset(f"usr/lib/ipxe/{name}"), root / name)
    (root / "boot.ipxe").write_text(
        f"#!ipxe\nchain {HTTP}/images/small.efi\n")
    for address, (offer, _) in DNSMASQ.items():
        lab.host(address, f"{address}/24")
        lab.start_dnsmasq_proxy(root, address, offer)
    lab.start_nginx(root, "10.77.0.3")


def test_boots_by_dnsmasq():
    """It broadcasts its answers: who is root hears them, others are told."""
    with boots_lab() as (lab, inside):
        add_dnsmasq(lab)
        as_root = netns.child_setup(lab.ns("client"))
        spread = ("--from", f"10.77.0.50-10.77.0.{49 + CLIENTS}")
        for address, (_, kinds) in DNSMASQ.items():
            for who, number, phases in kinds:
                result, group = figures(
                    lab.tmp, f"dhcp://{address}", "--compare",
                    "dhcp://10.77.0.2", "--as", who, "--clients", CLIENTS,
                    "--mac", played(number, 0), "--rounds", 2, *spread,
                    child=as_root)
                equal([(g["completed"], g["failures"])
                       for g in result["groups"]], [(2 * CLIENTS, 0)] * 2, who)
                equal([p["phase"] for p in group["phases"]], phases, who)
        lines = bench(lab.tmp, "--saved").stdout
        for address in DNSMASQ:
            check(f"dhcp://{address} " in lines, lines)
        done = bench(lab.tmp, "dhcp://10.77.0.4", "--time-limit", "1s",
                     "--no-save", *spread, status=1, child=inside)
        check("not whole within" in done.stderr and
              "port 68: Permission denied: this takes root" in done.stderr,
              done.stderr)


@cases(dnsmasq=dict(server="dnsmasq", who="edk2"),
       dnsmasq_ipxe=dict(server="dnsmasq", who="ipxe"),
       tftpd_hpa=dict(server="tftpd-hpa", who="edk2"),
       tftpd_hpa_rom=dict(server="tftpd-hpa", who="rom"),
       atftpd=dict(server="atftpd", who="edk2"),
       nginx=dict(server="nginx", who="edk2"),
       nginx_ipxe=dict(server="nginx", who="ipxe"))
def test_others(server, who):
    """The servers of others give the file to each firmware."""
    with Lab() as lab:
        lab.host("netuki", "10.77.0.1/24")
        inside = netns.child_setup(lab.ns("netuki"))
        root = fill(lab)
        (root / "f.efi").write_bytes(BYTES)
        url = "tftp://127.0.0.1/f.bin"
        if server == "nginx":
            process = lab.start_nginx(root)
            url = "http://127.0.0.1/f.efi"
        else:
            process = lab.spawn(
                peers.tftp_server(server, root, lab.tmp), "netuki", server)
            deadline = time.monotonic() + 20
            while bench(lab.tmp, url, "--no-save", status=None,
                        child=inside).returncode:
                process.require_running()
                check(time.monotonic() < deadline, "it does not listen")
        _, group = figures(lab.tmp, url, "--as", who, "--clients", 4,
                           "--loads", 2, "--no-save", child=inside)
        equal([group["completed"], group["failures"], group["bytes"]],
              [8, 0, 8 * SIZE], "loads")
        process.require_running()
        if server != "nginx":
            done = bench(lab.tmp, url + "x", "--no-save", status=1,
                         child=inside)
            check("refuses it" in done.stderr, done.stderr)


if __name__ == "__main__":
    harness.main(globals())
