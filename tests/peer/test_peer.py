#!/usr/bin/python3
"""netukid among real peers, in network namespaces and without a machine."""

import hashlib
import http.client
import os
import random
import signal
import socket
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, harness, paths, uki  # noqa: E402
from lab.lab import DHCP_ADDRESS, NETUKI_ADDRESS, Lab  # noqa: E402

CLIENT_ADDRESS = "10.77.0.50"
PXE_MAC = "52:54:00:aa:00:01"
STRANGER_MAC = "52:54:00:aa:00:99"

# Whole and broken blocks of 512, of EDK2's 1468 and of iPXE's 1432, and one
# file whose block numbers wrap: 512 * 65536 bytes are 33.5 MB, 1428 * 65536
# are 93.6 MB.
SIZES = (0, 1, 511, 512, 513, 1024, 1428, 1432, 1468 * 4, 1468 * 4 + 1, 65536)
BIG = 100 * 1000 * 1000 + 7

UDHCPC_SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
echo "lease $ip from $serverid boot <$boot_file> <$siaddr>"
"""


def contents(size):
    """SIZE bytes that no other size has, the same every time."""
    return random.Random(size).randbytes(size)


def make_files(lab, sizes):
    """Files of these SIZES; {name: path}."""
    folder = lab.tmp / "files"
    folder.mkdir()
    made = {}
    for size in sizes:
        path = folder / f"size-{size}.bin"
        path.write_bytes(contents(size))
        made[path.name] = path
    return made


def loaders_entries(files):
    """Machines whose loaders are FILES: loaders are served by file name."""
    return "machines:\n" + "".join(
        f"  - name: {path.stem}\n"
        f"    mac: 52:54:00:bb:{number // 256:02x}:{number % 256:02x}\n"
        f"    image: small.efi\n"
        f"    loaders: {{x64: {path}}}\n"
        for number, path in enumerate(files.values()))


@contextmanager
def served(machines=(), sizes=(), client=True, dhcp_server=False):
    """A lab with netukid in it; yields (lab, {file name: path}).

    There is one image, small.efi.
    """
    with Lab() as lab:
        appliance.network(lab, dhcp=dhcp_server)
        appliance.add_image(lab, "small.efi", uki.build())
        if client:
            lab.host("client", f"{CLIENT_ADDRESS}/24")
        files = make_files(lab, sizes)
        more = loaders_entries(files) if files else ""
        lab.start_netukid(appliance.config(lab, machines, more))
        yield lab, files


def pxe_machine():
    """The configuration's entry of the machine that may boot."""
    return {"name": "lab-01", "mac": PXE_MAC, "image": "small.efi"}


def answers(lab, mac=PXE_MAC, kind="uefi", seconds=30):
    """The OFFERs of netukid for a DISCOVER from the client's host."""
    with dhcp.Client(lab.ns("client")) as client:
        client.send(dhcp.discover(mac, kind))
        return [dhcp.parse(data) for data, _ in
                client.replies(seconds, NETUKI_ADDRESS, enough=1)]


def digest(path):
    """The SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def same(got, wanted, what):
    """Fails unless two files hold the same bytes."""
    harness.check(got.exists(), f"{what}: nothing was written")
    harness.equal(got.stat().st_size, wanted.stat().st_size, f"{what}: size")
    harness.equal(digest(got), digest(wanted), f"{what}: SHA-256")


# DHCP.

def test_plain_client_is_left_alone():
    """An ordinary client gets its lease, and no packet from netukid."""
    with served([pxe_machine()], dhcp_server=True, client=False) as (lab, _):
        lab.host("client")
        seen = lab.capture("client", "udp")
        script = lab.tmp / "udhcpc.sh"
        script.write_text(UDHCPC_SCRIPT)
        script.chmod(0o755)
        done = lab.run([paths.program("busybox"), "udhcpc", "-f", "-q", "-n",
                        "-i", "eth0", "-t", "5", "-s", script],
                       lab.ns("client"))
        harness.check(f"from {DHCP_ADDRESS} boot <> <>" in done.stdout or
                      f"from {DHCP_ADDRESS} boot <> <{DHCP_ADDRESS}>"
                      in done.stdout, f"no plain lease: {done.stdout}")
        # A late answer would be one, too.
        time.sleep(1)
        seen.finish()
        from_dhcp = seen.rows(f"ip.src == {DHCP_ADDRESS}", "frame.number")
        from_us = seen.rows(f"ip.src == {NETUKI_ADDRESS}", "frame.number",
                            "udp.dstport")
        harness.check(len(from_dhcp) >= 2, "the capture saw no DHCP server")
        harness.equal(from_us, [], "packets from netukid")


def test_pxe_client_is_offered_the_loader():
    """A DISCOVER of UEFI firmware is answered, with all that it needs."""
    with served([pxe_machine()]) as (lab, _):
        offer, = answers(lab)
        harness.equal(offer["op"], 2, "op")
        harness.equal(offer["xid"], 0x12345678, "xid")
        harness.equal(offer["yiaddr"], "0.0.0.0", "yiaddr")
        harness.equal(offer["siaddr"], NETUKI_ADDRESS, "siaddr")
        harness.equal(offer[53], bytes((dhcp.OFFER,)), "message type")
        harness.equal(offer[54], socket.inet_aton(NETUKI_ADDRESS), "option 54")
        harness.equal(offer[60], b"PXEClient", "option 60")
        harness.equal(offer[97], b"\0" + bytes(range(16)), "option 97")
        harness.equal(offer["file"], b"snponly.efi", "file")


def test_stranger_is_left_alone():
    """A machine that nobody configured is not answered, whatever it says."""
    with served([pxe_machine()]) as (lab, _):
        for kind in sorted(dhcp.VENDOR_CLASS):
            harness.equal(answers(lab, STRANGER_MAC, kind, 0.5), [],
                          f"answers to an unknown {kind} client")


def bad_packets():
    """(name, packet): none of them may be answered, or harm the daemon."""
    good = dhcp.discover(PXE_MAC)
    yield "empty", b""
    yield "one byte", b"\x01"
    yield "no options", good[:240]
    yield "one byte short of the magic", good[:239]
    yield "magic wrong", good[:236] + b"\0\0\0\0" + good[240:]
    yield "option past the end", good[:250] + b"\x3c\xff"
    yield "option without a length", good[:250] + b"\x3c"
    yield "reply", b"\x02" + good[1:]
    yield "hardware address of 255 bytes", good[:2] + b"\xff" + good[3:]
    yield "oversized, no options", good[:240].ljust(4000, b"\0")
    yield "oversized, all options", good[:240] + b"\x3c\x01P" * 1200
    yield "largest datagram", bytes(65507)
    for seed in range(200):
        source = random.Random(seed)
        size = source.choice((20, 240, 300, 548, 1472))
        yield f"noise {seed}", good[:240] + source.randbytes(size)
    yield "random header", random.Random(7).randbytes(548)


def test_bad_packets_are_met_with_silence():
    """Truncated, oversized and random packets: silence, and a live daemon."""
    with served([pxe_machine()]) as (lab, _):
        with dhcp.Client(lab.ns("client")) as client:
            for name, packet in bad_packets():
                client.send(packet)
                client.send(packet, (NETUKI_ADDRESS, 4011))
                lab.netukid.require_running()
            replies = client.replies(0.5, NETUKI_ADDRESS)
        harness.equal(len(replies), 0, "replies to bad packets")
        lab.netukid.require_running()
        harness.equal(len(answers(lab)), 1, "answers afterwards")


# TFTP.

def tftp_hpa(lab, name, target):
    """Fetches NAME with tftp-hpa's client; the completed process."""
    return lab.run([paths.program("tftp"), "-m", "binary", NETUKI_ADDRESS,
                    "-c", "get", name, target], lab.ns("client"), check=False)


def curl(lab, url, target, *args, check=True):
    """Fetches URL with curl into TARGET."""
    return lab.run([paths.program("curl"), "-sS", "--max-time", "100", "-o",
                    target, *args, url], lab.ns("client"), check=check)


def test_tftp_sizes():
    """Two clients fetch files of every awkward size, with several blksizes."""
    with served(sizes=SIZES) as (lab, files):
        for name, path in files.items():
            got = lab.tmp / "got"
            done = tftp_hpa(lab, name, got)
            same(got, path, f"tftp-hpa, {name} ({done.stdout.strip()})")
            got.unlink()
            for blksize in (8, 512, 1428, 1468):
                if path.stat().st_size > 10000 and blksize == 8:
                    continue
                # curl 7.88 takes no empty file after an OACK, from any server.
                args = ["--tftp-blksize", blksize] if path.stat().st_size \
                    else ["--tftp-no-options"]
                curl(lab, f"tftp://{NETUKI_ADDRESS}/{name}", got, *args)
                same(got, path, f"curl, {name}, blksize {blksize}")
                got.unlink()


@harness.cases(blksize_512={"blksize": 512}, blksize_1428={"blksize": 1428})
def test_tftp_block_numbers_wrap(blksize):
    """More than 65,535 blocks arrive whole."""
    with served(sizes=(BIG,)) as (lab, files):
        (name, path), = files.items()
        got = lab.tmp / "got"
        if blksize == 512:
            tftp_hpa(lab, name, got)
        else:
            curl(lab, f"tftp://{NETUKI_ADDRESS}/{name}", got,
                 "--tftp-blksize", blksize)
        same(got, path, f"{name}, blksize {blksize}")


def test_tftp_missing_file():
    """A file that is not there is refused at once, with error 1."""
    with served() as (lab, _):
        with lab.socket("client") as client:
            client.settimeout(30)
            client.sendto(b"\0\1not-there.efi\0octet\0",
                          (NETUKI_ADDRESS, 69))
            data, _ = client.recvfrom(2000)
        harness.equal(data[:4], b"\0\5\0\1", "opcode and error code")
        done = tftp_hpa(lab, "not-there.efi", lab.tmp / "got")
        harness.check("Error code 1:" in done.stdout + done.stderr,
                      f"tftp-hpa said: {done.stdout}{done.stderr}")


# HTTP.

def test_http_files():
    """curl fetches an image whole and in a range, and loaders."""
    with served(sizes=(0, 1, 513, BIG)) as (lab, files):
        image = appliance.images(lab) / "small.efi"
        base = f"http://{NETUKI_ADDRESS}"
        got = lab.tmp / "got"
        for name, path in files.items():
            curl(lab, f"{base}/loaders/{name}", got, "-f")
            same(got, path, name)
        curl(lab, f"{base}/images/small.efi", got, "-f")
        same(got, image, "small.efi")
        curl(lab, f"{base}/images/small.efi", got, "-f", "-r",
             "1000000-1999999")
        harness.equal(digest(got), hashlib.sha256(
            image.read_bytes()[1000000:2000000]).hexdigest(), "range")


def test_new_image_is_noticed():
    """An image that is put into the folder is served without a reload."""
    with served() as (lab, _):
        harness.equal(http_status(lab, "/images/new.efi"), 404, "before")
        image = appliance.add_image(lab, "new.efi", uki.build("new"))
        wait_http(lab, "/images/new.efi")
        got = lab.tmp / "got"
        curl(lab, f"http://{NETUKI_ADDRESS}/images/new.efi", got, "-f")
        same(got, image, "new.efi")


def http_connection(lab):
    """An HTTP connection from the client's host to netukid."""
    connection = http.client.HTTPConnection(NETUKI_ADDRESS, timeout=10)
    connection.sock = lab.socket("client", kind=socket.SOCK_STREAM)
    connection.sock.settimeout(10)
    connection.sock.connect((NETUKI_ADDRESS, 80))
    return connection


def http_status(lab, path, method="HEAD"):
    """The status that netukid answers for PATH."""
    connection = http_connection(lab)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    finally:
        connection.close()


def wait_http(lab, path, seconds=60):
    """Waits until PATH is there."""
    deadline = time.monotonic() + seconds
    while http_status(lab, path) != 200:
        harness.check(time.monotonic() < deadline,
                      f"{path} is not there after {seconds} s")
        time.sleep(0.05)


def test_http_missing_file():
    """A path that is not there is 404, for GET and HEAD."""
    with served() as (lab, _):
        for method in ("GET", "HEAD"):
            for path in ("/images/not-there.efi", "/", "/../etc/passwd",
                         "/images/"):
                status = http_status(lab, path, method)
                harness.check(status in (400, 404),
                              f"{method} {path}: {status}")
        harness.equal(http_status(lab, "/images/not-there.efi"), 404, "HEAD")
        harness.equal(http_status(lab, "/healthz"), 200, "healthz")


# The daemon itself.

def test_second_instance_names_the_port():
    """A port that is taken: one clear line that names it, and status 1."""
    with served() as (lab, _):
        path = lab.tmp / "second.yaml"
        text = appliance.config(lab).replace("control.sock", "second.sock")
        path.write_text(text)
        done = lab.run(paths.netukid(path), lab.ns("netuki"), timeout=20,
                       check=False)
        said = (done.stdout + done.stderr).strip().splitlines()
        about = [line for line in said if "port" in line]
        harness.check(done.returncode == 1, f"status {done.returncode}")
        harness.check(len(about) == 1 and any(
            port in about[0] for port in ("67", "4011", "69", "80")),
            f"it said: {said}")
        lab.netukid.require_running()


@harness.cases(
    for_it={"pid": None, "wanted": True},
    for_another={"pid": "1", "wanted": False},
)
def test_watchdog(pid, wanted):
    """As long as the loop turns, and only then, the watchdog hears of it."""
    told = {"WATCHDOG_PID": pid} if pid else {}
    with Lab() as lab, socket.socket(socket.AF_UNIX,
                                     socket.SOCK_DGRAM) as manager:
        appliance.network(lab, dhcp=False)
        manager.bind(str(lab.tmp / "manager"))
        manager.settimeout(20)
        begun = time.monotonic()
        netukid = lab.start_netukid(
            appliance.config(lab), check_ready=False, env={
                "WATCHDOG_USEC": "1000000", **told,
                "NOTIFY_SOCKET": str(lab.tmp / "manager")})
        harness.equal(manager.recv(4096), b"READY=1", "first word")
        if not wanted:
            manager.settimeout(2)
            with suppress(TimeoutError):
                raise harness.Failure(f"it says {manager.recv(4096)}")
            return
        for _ in range(4):
            harness.equal(manager.recv(4096), b"WATCHDOG=1", "next word")
        harness.check(time.monotonic() - begun > 1.5, "far too often")
        netukid.send(signal.SIGSTOP)
        os.waitid(os.P_PID, netukid.pid, os.WSTOPPED)
        manager.setblocking(False)
        with suppress(BlockingIOError):
            while manager.recv(4096):  # said before it was stopped
                pass
        manager.settimeout(2)
        with suppress(TimeoutError):
            raise harness.Failure(f"stopped, it says {manager.recv(4096)}")
        netukid.send(signal.SIGCONT)


def test_end_by_signal():
    """SIGTERM ends it at once, with status 0."""
    with served() as (lab, _):
        lab.netukid.send(signal.SIGTERM)
        harness.equal(lab.netukid.wait(5), 0, "exit status")


if __name__ == "__main__":
    harness.main(globals())
