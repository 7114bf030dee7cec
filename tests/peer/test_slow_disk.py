#!/usr/bin/python3
"""While a file comes from a slow disk or server, nobody else waits for it."""

import contextlib
import hashlib
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, fetch, harness, netns, paths, pe  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402
from lab.loopback import Loopback  # noqa: E402
from lab.slowdisk import SlowDisk, SlowFolder  # noqa: E402

MAC = "52:54:00:aa:00:01"
SIZE = 32 << 20
DELAY = 0.1
# Python's own share of a measured time, on a machine with other work, is
# measured first and allowed for.
LIMIT = 0.010 * paths.SLOW


@contextlib.contextmanager
def scratch():
    """A folder to work in, and one in it for what the disk is to have."""
    work = Path(tempfile.mkdtemp(prefix="nk-slow-"))
    try:
        (work / "contents").mkdir()
        yield work, work / "contents"
    finally:
        shutil.rmtree(work, ignore_errors=True)


def connect(lab):
    """A TCP connection from the client's host to netukid."""
    peer = netns.open_socket(lab.ns("client"), socket.AF_INET,
                             socket.SOCK_STREAM)
    peer.settimeout(30)
    peer.connect((NETUKI_ADDRESS, 80))
    return peer


def request(path):
    """A GET's bytes."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


class Download(threading.Thread):
    """Fetches PATH until it ends, or is told to."""

    def __init__(self, lab, path):
        super().__init__(daemon=True)
        self.got = bytearray()
        self._peer = connect(lab)
        self._peer.sendall(request(path))
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while data := self._peer.recv(1 << 18):
                self.got += data

    def end(self):
        """Hangs up."""
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)
        self.join()
        self._peer.close()


def measure(lab, seconds, part=0.99):
    """p99 in seconds of OFFERs, and of small answers of HTTP.

    PART 1: the longest.
    """
    offers, answers = [], []
    until = time.monotonic() + seconds
    with dhcp.Client(lab.ns("client")) as client, connect(lab) as peer:
        while time.monotonic() < until:
            begun = time.monotonic()
            client.send(dhcp.discover(MAC, xid=len(offers) + 1))
            found = client.replies(5, NETUKI_ADDRESS, enough=1)
            harness.equal(len(found), 1, "OFFERs")
            offers.append(time.monotonic() - begun)
            begun = time.monotonic()
            peer.sendall(request("/healthz"))
            harness.check(peer.recv(4096).startswith(b"HTTP/1.1 200"),
                          "/healthz")
            answers.append(time.monotonic() - begun)
            time.sleep(0.002)
    return [sorted(times)[int((len(times) - 1) * part)]
            for times in (offers, answers)]


def judge(before, beside, after):
    """Fails unless what was measured beside slow reads is as it was idle."""
    print("# p99 in ms, idle and beside slow reads: OFFER " +
          ", /healthz ".join(f"{idle * 1000:.1f} {busy * 1000:.1f}"
                             for idle, busy in zip(before, beside)))
    # Other work on the machine may come and go meanwhile.
    for what, busy, *idle in zip(("OFFER", "/healthz"), beside, before, after):
        harness.check(busy <= LIMIT + max(idle),
                      f"p99 of {what}: {busy * 1000:.1f} ms")


def test_nobody_else_waits():
    """p99 of DHCP and of small answers while a cold file comes slowly."""
    with scratch() as (work, contents):
        big = random.Random(1).randbytes(SIZE)
        (contents / "big.bin").write_bytes(big)
        (contents / "seed").write_text("I am ${name}\n" + "x" * 60000)
        with SlowDisk(work, contents, DELAY) as disk, Lab() as lab:
            slow(lab, disk, big)


def slow(lab, disk, big):
    """The test, with netukid and a loader and a file on the slow disk."""
    appliance.network(lab, dhcp=False)
    pe.write(appliance.images(lab) / "x.efi", pe.uki())
    lab.host("client", "10.77.0.50/24")
    lab.start_netukid(appliance.config(lab, [
        {"name": "lab-01", "mac": MAC, "image": "x.efi"}]) +
        f"    files: {{seed: {disk.path}/seed}}\n"
        f"  - {{name: slow, mac: '52:54:00:aa:00:02', image: x.efi, "
        f"loaders: {{x64: {disk.path}/big.bin}}}}\n", timeout=60)
    before = measure(lab, 2)
    download = Download(lab, "/loaders/big.bin")
    seed = Download(lab, f"/machines/{MAC}/seed")
    after = measure(lab, 4)
    harness.check(download.is_alive(), "the disk was not slow")
    harness.check(len(download.got) > 1 << 20, "nothing came from the disk")
    seed.end()
    download.end()
    head, body = bytes(download.got).split(b"\r\n\r\n", 1)
    harness.check(head.startswith(b"HTTP/1.1 200") and
                  big.startswith(body), "other bytes")
    head, body = bytes(seed.got).split(b"\r\n\r\n", 1)
    harness.check(body == b"I am lab-01\n" + b"x" * 60000,
                  f"the machine's file: {head}")
    judge(before, after, measure(lab, 2))


class TftpDownload(threading.Thread):
    """Fetches NAME."""

    def __init__(self, lab, name):
        super().__init__(daemon=True)
        self.got = b""
        self._ns, self._name = lab.ns("client"), name
        self.start()

    def run(self):
        with netns.entered(self._ns):
            self.got = fetch.tftp((NETUKI_ADDRESS, 69), self._name)


def wait_images(lab, seconds, wanted):
    """Waits until wanted(the images by name) is true, for so many seconds."""
    until = time.monotonic() + seconds
    while True:
        listed = json.loads(lab.netukictl("images", "--json").stdout)
        if wanted({image["name"]: image for image in listed["images"]}):
            return
        harness.check(time.monotonic() < until, f"the images: {listed}")
        time.sleep(0.2)


def make_cold(path):
    """The page cache forgets this file."""
    file = os.open(path, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def test_new_images():
    """Nobody waits while images appear whose heads are on the slow disk."""
    names = [f"{number}.efi" for number in range(16)]
    with scratch() as (work, contents):
        for name in names:
            pe.write(contents / name, pe.uki(name))
        with SlowDisk(work, contents, DELAY) as disk, Lab() as lab:
            appear(lab, disk, names)


def appear(lab, disk, names):
    """The test, with images of these names on the slow disk."""
    appliance.network(lab, dhcp=False)
    lab.host("client", "10.77.0.50/24")
    folder = appliance.images(lab)
    pe.write(folder / "x.efi", pe.uki())
    lab.start_netukid(appliance.config(lab, [
        {"name": "lab-01", "mac": MAC, "image": "x.efi"}]), timeout=60)
    for name in names:
        (folder / name).symlink_to(disk.path / name)
    worst = max(measure(lab, 6, 1))
    print(f"# longest while images appear: {worst * 1000:.1f} ms")
    wait_images(lab, 60, lambda images: len(images) == len(names) + 1 and all(
        image["state"] == "ready" for image in images.values()))
    harness.check(worst < 0.5 * paths.SLOW,
                  f"someone waited {worst:.1f} s")


def test_images_on_a_file_server():
    """The same for images that a slow file server has; their changes count."""
    with scratch() as (work, contents):
        for name in ("http", "tftp"):
            pe.write(contents / f"{name}.efi",
                     pe.uki(name, initrd_size=5 << 20))
        with SlowFolder(work, contents, 0.05) as remote, Lab() as lab:
            (lab.tmp / "images").symlink_to(remote.path)
            file_server(lab, contents)


def overwritten(lab, path):
    """What the server's file is not any more never arrives whole."""
    make_cold(lab.tmp / "images" / path.name)
    download = Download(lab, f"/images/{path.name}")
    until = time.monotonic() + 60
    while len(download.got) < 1 << 20:
        harness.check(time.monotonic() < until, "nothing came")
        time.sleep(0.01)
    with open(path, "r+b") as file:
        file.seek(-4096, os.SEEK_END)
        file.write(bytes(4096))
    download.join()
    harness.check(len(download.got) < path.stat().st_size,
                  "a mixture arrived whole")


def file_server(lab, contents):
    """The test, with the images in CONTENTS, which netukid sees slowly."""
    appliance.network(lab, dhcp=False)
    lab.host("client", "10.77.0.50/24")
    lab.start_netukid(appliance.config(lab, [
        {"name": "lab-01", "mac": MAC, "image": "http.efi"}]), timeout=60)
    wait_images(lab, 60, lambda images: len(images) == 2 and all(
        "sha256" in image for image in images.values()))
    before = measure(lab, 2)
    for name in ("http", "tftp"):
        make_cold(lab.tmp / "images" / f"{name}.efi")
    downloads = [Download(lab, "/images/http.efi"),
                 TftpDownload(lab, "images/tftp.efi")]
    beside = measure(lab, 3)
    harness.check(any(one.is_alive() for one in downloads),
                  "the server was not slow")
    size = (contents / "http.efi").stat().st_size
    until = time.monotonic() + 60
    while b"\r\n\r\n" not in downloads[0].got or \
            len(downloads[0].got.split(b"\r\n\r\n", 1)[1]) < size:
        harness.check(time.monotonic() < until, "HTTP: it did not end")
        time.sleep(0.05)
    downloads[0].end()
    downloads[1].join()
    http = bytes(downloads[0].got).split(b"\r\n\r\n", 1)[1]
    for name, got in ("http", http), ("tftp", downloads[1].got):
        harness.check(got == (contents / f"{name}.efi").read_bytes(),
                      f"{name}: other bytes")
    judge(before, beside, measure(lab, 2))
    overwritten(lab, contents / "http.efi")
    # Done on the server: inotify says nothing.
    for number in range(24):
        pe.write(contents / f"{number}.efi", pe.uki(str(number)))
    (contents / "tftp.efi").unlink()
    wanted = {"http.efi"} | {f"{number}.efi" for number in range(24)}
    worst = max(measure(lab, 14, 1))
    print(f"# longest while images change: {worst * 1000:.1f} ms")
    wait_images(lab, 30, lambda images: set(images) == wanted)
    harness.check(worst < 0.5 * paths.SLOW,
                  f"someone waited {worst:.1f} s")


def test_file_server_with_errors():
    """What failed is tried again; what a broken list leaves out is not gone."""
    with scratch() as (work, contents):
        for name in ("a", "b"):
            pe.write(contents / f"{name}.efi", pe.uki(name, 3 << 20))
        digest = hashlib.sha256((contents / "b.efi").read_bytes()).hexdigest()
        with SlowFolder(work, contents, 0) as remote, Loopback() as box:
            box.images = remote.path
            box.write_config(f"  - {{name: lab-01, mac: '{MAC}', "
                             f"image: b.efi, sha256: {digest}}}\n", "")
            errors(remote, contents, box)


def test_hung_file_server():
    """Whoever reads from it waits; what is set is saved meanwhile."""
    with scratch() as (work, contents):
        wanted = pe.uki("a", 3 << 20)
        pe.write(contents / "a.efi", wanted)
        with SlowFolder(work, contents, 0) as remote, \
                Loopback(f"  - {{name: lab-01, mac: '{MAC}'}}\n") as box:
            (box.images / "a.efi").symlink_to(remote.path / "a.efi")
            box.start()
            wait_until(lambda: box.request("/images/a.efi")[0] == 200, "a.efi")
            # What was read a moment ago is not read again.
            time.sleep(1)
            make_cold(remote.path / "a.efi")
            remote.hang(True)
            got = []
            readers = [threading.Thread(
                target=lambda: got.append(box.request("/images/a.efi")[1]))
                for _ in range(16)]
            for reader in readers:
                reader.start()
            reload = socket.socket(socket.AF_UNIX)
            try:
                wait_until(lambda: box.json("status")["counts"]["http"][
                    "requests"] > 16, "the requests")
                reload.connect(str(box.control))
                reload.sendall(b'{"command": "reload"}\n')
                box.ctl("mode", "local", "lab-01")
                box.ctl("boot-once", "lab-01")
                harness.equal(select.select([reload], [], [], 0)[0], [],
                              "who reloads, and reads heads of images")
            finally:
                remote.hang(False)
            with reload:
                harness.check(b"reloaded" in reload.recv(4096), "a reload")
            for reader in readers:
                reader.join()
            harness.check(got == [wanted] * 16, "other bytes")


def test_reload_that_hangs():
    """Who asks for it is told, and it is taken up when it ends."""
    with scratch() as (work, contents):
        pe.write(contents / "x.efi", pe.uki("x"))
        with SlowFolder(work, contents, 0) as remote, \
                Loopback(f"  - {{name: lab-01, mac: '{MAC}'}}\n") as box:
            box.start()
            text = box.config.read_text()
            # The kernel is to ask the server.
            box.config.write_text(text.replace(
                str(box.images), str(remote.path)))
            remote.hang(True)
            try:
                for seconds in 60, 5:
                    begun = time.monotonic()
                    said = box.refused("reload")
                    harness.check("is still being read after 20 s" in said,
                                  said)
                    harness.check(time.monotonic() - begun < seconds,
                                  "it was told late")
                status = box.json("status")
                harness.equal(status["last-reload"]["ok"], False, "reloaded")
                harness.check("still being read" in status["config-error"],
                              status["config-error"])
            finally:
                remote.hang(False)
            wait_until(lambda: box.json("status")["last-reload"]["ok"] and
                       "x.efi" in box.text("images"), "the reload")
            harness.equal(box.json("status")["config-error"], None, "error")


def test_loader_on_a_hung_file_server():
    """Nobody waits for it but who loads it; each boot sees its newest."""
    with scratch() as (work, contents):
        (contents / "far.efi").write_bytes(b"MZ of a server" * 9999)
        with SlowFolder(work, contents, 0) as remote, Lab() as lab:
            far_loader(lab, remote, contents)


def offered(lab, mac):
    """The file that an OFFER names to the UEFI machine of this address.

    It asks again, as firmware does: a broadcast may be lost.
    """
    with dhcp.Client(lab.ns("client")) as client:
        for _ in range(6):
            client.send(dhcp.discover(mac))
            for data, _ in client.replies(5, NETUKI_ADDRESS, enough=1):
                return dhcp.parse(data)["file"].decode()
            print("no OFFER in 5 s", file=sys.stderr)
        raise harness.Failure("no OFFER")


def try_tftp(lab, name):
    """The file; None: an error came."""
    with netns.entered(lab.ns("client")), contextlib.suppress(fetch.Refused):
        return fetch.tftp((NETUKI_ADDRESS, 69), name)
    return None


def far_loader(lab, remote, contents):
    """The test, with a loader on the server and one on our disk."""
    far, near = "52:54:00:aa:00:02", "52:54:00:aa:00:03"
    appliance.network(lab, dhcp=False)
    pe.write(appliance.images(lab) / "x.efi", pe.uki())
    (lab.tmp / "near.efi").write_bytes(b"MZ of ours" * 9999)
    lab.host("client", "10.77.0.50/24")
    lab.start_netukid(appliance.config(lab, [
        {"name": "lab-01", "mac": "52:54:00:aa:00:04"}]) + "".join(
        f"  - {{name: {name}, mac: '{mac}', image: x.efi, "
        f"loaders: {{x64: {path}}}}}\n" for name, mac, path in (
            ("far", far, remote.path / "far.efi"),
            ("new", MAC, remote.path / "new.efi"),
            ("near", near, lab.tmp / "near.efi"))), timeout=60)
    harness.equal(offered(lab, far), "far.efi", "the loader")
    # The kernel is to ask the server again.
    time.sleep(1.1)
    remote.hang(True)
    try:
        loads = TftpDownload(lab, "far.efi")
        with connect(lab) as peer:
            for mac, name in (far, "far.efi"), (near, "near.efi"):
                harness.equal(offered(lab, mac), name, "the loader")
            with netns.entered(lab.ns("client")):
                harness.equal(fetch.tftp((NETUKI_ADDRESS, 69), "near.efi"),
                              b"MZ of ours" * 9999, "our own loader")
            peer.sendall(request("/healthz"))
            harness.check(peer.recv(4096).startswith(b"HTTP/1.1 200"),
                          "/healthz")
    finally:
        remote.hang(False)
    loads.join()
    harness.equal(loads.got, b"MZ of a server" * 9999, "the loader")
    for name, mac in ("far.efi", far), ("new.efi", MAC):
        text = f"MZ {name} as it is now".encode() * 999
        (contents / "fresh").write_bytes(text)
        (contents / "fresh").rename(contents / name)
        time.sleep(1.1)
        harness.equal(offered(lab, mac), name, "the loader")
        wait_until(lambda: try_tftp(lab, name) == text, f"the new {name}")


def test_end_while_a_reload_hangs():
    """It ends, and what was set is saved."""
    if paths.BUILD.name == "san":
        raise harness.Skip("LeakSanitizer waits for the thread that hangs")
    with scratch() as (work, contents):
        pe.write(contents / "x.efi", pe.uki("x"))
        with SlowFolder(work, contents, 0) as remote, \
                Loopback(f"  - {{name: lab-01, mac: '{MAC}'}}\n") as box:
            box.start()
            text = box.config.read_text()
            remote.hang(True)
            try:
                box.config.write_text(text.replace(
                    str(box.images), str(remote.path)))
                box.netukid.send(signal.SIGHUP)
                box.ctl("mode", "local", "lab-01")
                box.netukid.send(signal.SIGTERM)
                harness.equal(box.netukid.wait(20 * paths.SLOW), 0,
                              "exit status")
            finally:
                remote.hang(False)
            box.config.write_text(text)
            box.start()
            harness.equal(box.machine("lab-01")["mode"], "local", "mode")


def test_start_with_a_hung_file_server():
    """What others have is served; the rest once there is an answer."""
    with scratch() as (work, contents):
        wanted = pe.uki("a")
        pe.write(contents / "a.efi", wanted)
        (contents / "loader.kpxe").write_bytes(b"a far loader")
        with SlowFolder(work, contents, 0) as remote, \
                Loopback(f"  - {{name: lab-01, mac: '{MAC}', "
                         "image: a.efi}\n", "") as box:
            box.images = remote.path
            (box.tmp / "loader.kpxe").unlink()
            (box.tmp / "loader.kpxe").symlink_to(remote.path / "loader.kpxe")
            box.write_config(f"  - {{name: lab-01, mac: '{MAC}', "
                             "image: a.efi}\n", "")
            remote.hang(True)
            try:
                box.start(timeout=40)
                for what in (f"loader {box.tmp}/loader.kpxe: its file system "
                             "does not answer",
                             f"the file system of {remote.path} does not "
                             "answer"):
                    harness.check(what in box.log(), box.log())
                harness.equal(box.get("/loaders/loader.efi"), b"MZ a loader",
                              "a near loader")
            finally:
                remote.hang(False)
            wait_until(lambda: box.request("/images/a.efi")[1] == wanted,
                       "the image")
            wait_until(lambda: box.request("/loaders/loader.kpxe")[1] ==
                       b"a far loader", "the loader")


def test_check_of_a_file_server_that_hangs_half_way():
    """It ends, and says at which file; a slow one is waited for."""
    with scratch() as (work, contents):
        pe.write(contents / "a.efi", pe.uki("a", kernel_size=2 << 20))
        pe.write(contents / "b.efi", pe.uki("b", kernel_size=3 << 20))
        pin = hashlib.sha256((contents / "b.efi").read_bytes()).hexdigest()
        with SlowFolder(work, contents, 0) as remote:
            config = work / "netuki.yaml"
            config.write_text(
                f"interfaces: [lo]\nimages: {remote.path}\n"
                "dhcp: {enabled: false}\ntftp: {port: 6969}\n"
                "http: {port: 8080}\nmachines:\n"
                "  - {name: lab-01, image: a.efi, mac: 52:54:00:aa:00:01}\n"
                "  - {name: lab-02, image: b.efi, mac: 52:54:00:aa:00:02, "
                f"sha256: {pin}}}\n")

            def check(done=lambda: None):
                with subprocess.Popen(
                        [paths.built("netukid"), "--check", "--config",
                         config], stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE, text=True) as netukid:
                    try:
                        said = netukid.communicate(timeout=60 * paths.SLOW)[1]
                    finally:
                        # Who hangs cannot even be ended before.
                        done()
                return netukid.returncode, said

            (contents / ".no-ends").touch()
            harness.equal(
                check((contents / ".no-ends").unlink),
                (3, f"{config}:2:9: images: the file system of {remote.path} "
                 "does not answer for the rest of b.efi\n"), "it hangs")
            harness.equal(check(), (0, ""), "it works")


def wait_until(truth, what):
    """Waits until TRUTH() is true."""
    until = time.monotonic() + 30
    while not truth():
        harness.check(time.monotonic() < until, f"not in time: {what}")
        time.sleep(0.05)


def look_again(contents, box, name):
    """Has the directory looked at, until the new image NAME is known."""
    pe.write(contents / name, pe.uki(name))
    subprocess.run(["mount", "-t", "tmpfs", "none", box.tmp / "mount"],
                   check=True)
    subprocess.run(["umount", box.tmp / "mount"], check=True)
    wait_until(lambda: any(
        image["name"] == name and "sha256" in image
        for image in box.json("images")["images"]), f"{name}'s digest")


def rarely_again(remote, contents, box):
    """What failed is not read again at each look, but when one reloads."""
    def count():
        return remote.output().count("a read failed")

    counts = []
    for number in range(6):
        look_again(contents, box, f"more-{number}.efi")
        counts.append(count())
    grown = sum(one < other for one, other in zip(counts, counts[1:]))
    harness.check(grown <= 2, f"failed reads, look by look: {counts}")
    before = count()
    box.ctl("reload")
    wait_until(lambda: count() > before, "another try after a reload")


def errors(remote, contents, box):
    """The test, with images that a file server has, at first unreadable."""
    script = f"/ipxe/{MAC}?arch=x86_64&platform=efi"
    (contents / ".no-reads").touch()
    box.start()
    wait_until(lambda: "image b.efi: its digest could not be computed: "
               "Input/output error" in box.log(), "the error")
    harness.check(b"could not be computed" in box.get(script), "the script")
    (box.tmp / "mount").mkdir()
    rarely_again(remote, contents, box)
    (contents / ".no-reads").unlink()
    box.ctl("reload")
    wait_until(lambda: b"/b.efi" in box.get(script), "its script")
    (contents / ".no-lists").touch()
    said = box.refused("reload")
    harness.check(f"{remote.path} cannot be read: Input/output error" in said,
                  said)
    # The next is netukid's own look at what a file server has.
    count = remote.output().count("broke off")
    wait_until(lambda: remote.output().count("broke off") > count + 1, "looks")
    harness.check("gone" not in box.log(), box.log())
    (contents / ".no-lists").unlink()
    # A mount anywhere, and the images' server does not answer.
    (contents / ".no-statfs").touch()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "none", box.tmp / "mount"],
                       check=True)
        wait_until(lambda: "statfs waits" in remote.output(), "a look at it")
        harness.check(box.answers(), "netukid waits for the file server")
    finally:
        # Who waits for it cannot be ended otherwise.
        (contents / ".no-statfs").unlink()
    subprocess.run(["umount", box.tmp / "mount"], check=True)
    (contents / "a.efi").unlink()
    wait_until(lambda: "image a.efi: gone" in box.log(), "a.efi to go")
    harness.check(b"/b.efi" in box.get(script), "its script")


if __name__ == "__main__":
    harness.main(globals())
