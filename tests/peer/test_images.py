#!/usr/bin/python3
"""The catalogue: files that come, go and change; OCI layouts; digests.

netukid runs on loopback with high ports, so this needs neither root nor a
network of its own.
"""

import contextlib
import http.client
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import harness, oci, paths, uki  # noqa: E402
from lab.loopback import free_port  # noqa: E402
from lab.process import Process  # noqa: E402

OLD = -60  # seconds: old enough for nobody to wait whether it is whole
SETTLED = 3  # seconds after which nothing is looked at again by itself
LIMIT_KB = 16 * 1024


# Small UKIs.

def kernel():
    """What passes for an x86 kernel: a PE header and a bzImage's marks."""
    data = bytearray(0x600)
    data[0:2] = b"MZ"
    struct.pack_into("<I", data, 0x3C, 0x40)
    data[0x40:0x46] = b"PE\0\0\x64\x86"
    data[0x1FE:0x200] = b"\x55\xaa"
    data[0x202:0x208] = b"HdrS\x0f\x02"
    struct.pack_into("<I", data, 0x238, 2047)
    return bytes(data)


def write_uki(path, cmdline="quiet", initrd=b"070701", size=0, seconds=OLD):
    """Writes a UKI to PATH; with SIZE its .initrd is a hole of so many bytes.

    It is replaced as an operator would do it: by a rename.  It is SECONDS
    old.
    """
    parts = [(".text", b"\xc3", 1), (".osrel", b"PRETTY_NAME=\"Test 1\"\n", 0),
             (".uname", b"6.1.0-test", 0), (".cmdline", cmdline.encode(), 0),
             (".linux", kernel(), 0), (".initrd", initrd, size)]
    head = bytearray(0x400)
    head[0:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x80)
    struct.pack_into("<4sHHIIIHH", head, 0x80, b"PE\0\0", 0x8664, len(parts),
                     0, 0, 0, 240, 0x206)
    struct.pack_into("<H", head, 0x98, 0x20B)
    struct.pack_into("<I", head, 0x98 + 16, 0x1000)
    raw, va = 0x400, 0x1000
    fresh = path.with_name(f".{path.name}.new")
    with open(fresh, "wb") as file:
        for i, (name, data, hole) in enumerate(parts):
            length = max(len(data), hole)
            padded = -(-length // 512) * 512
            struct.pack_into("<8sIIII", head, 0x188 + 40 * i, name.encode(),
                             length, va, padded, raw)
            struct.pack_into("<I", head, 0x188 + 40 * i + 36, 0x40000040)
            file.seek(raw)
            file.write(data)
            raw += padded
            va += -(-length // 4096) * 4096
        struct.pack_into("<II", head, 0x98 + 32, 4096, 512)
        struct.pack_into("<II", head, 0x98 + 56, va, 0x400)
        struct.pack_into("<H", head, 0x98 + 68, 10)
        struct.pack_into("<I", head, 0x98 + 108, 16)
        file.truncate(raw)
        file.seek(0)
        file.write(head)
    os.utime(fresh, (time.time() + seconds,) * 2)
    fresh.rename(path)
    return path


def noise(size, seed=1):
    """SIZE bytes that do not repeat."""
    return random.Random(seed).randbytes(size)


# netukid on loopback.

class Netukid:
    """netukid with a folder of images; a context manager."""

    def __init__(self, more=""):
        self.more = more
        self.tmp = None
        self.process = None

    def __enter__(self):
        self.tmp = Path(tempfile.mkdtemp(prefix="netuki-images-"))
        self.images = self.tmp / "images"
        self.images.mkdir()
        self.http_port = free_port()
        self.tftp_port = free_port(socket.SOCK_DGRAM)
        return self

    def __exit__(self, kind, *_):
        if self.process:
            self.process.stop()
            if kind:
                print(self.process.output(), file=sys.stderr)
        shutil.rmtree(self.tmp)

    def write_config(self, more=None):
        """Writes the configuration; its path."""
        path = self.tmp / "netuki.yaml"
        path.write_text(
            f"interfaces: [lo]\nimages: {self.images}\nstate: {self.tmp}\n"
            f"control: {self.tmp}/control.sock\ndhcp: {{enabled: false}}\n"
            f"tftp: {{listen: 127.0.0.1, port: {self.tftp_port}}}\n"
            f"http: {{listen: 127.0.0.1, port: {self.http_port}}}\n"
            "loaders: {x64: null, bios: null}\n" +
            (self.more if more is None else more))
        return path

    def start(self):
        """Starts it, and waits until it answers."""
        self.process = Process(
            "netukid", paths.netukid(self.write_config()), None,
            self.tmp / "log")
        self.wait(lambda: self.status("/healthz") == 200, "an answer")
        return self

    def wait(self, done, what, seconds=60):
        """Waits until DONE() is true."""
        deadline = time.monotonic() + seconds * paths.SLOW
        while True:
            with contextlib.suppress(OSError):
                if done():
                    return
            self.process.require_running()
            harness.check(time.monotonic() < deadline,
                          f"no {what} after {seconds} s")
            time.sleep(0.05)

    def connection(self):
        """An HTTP connection."""
        return http.client.HTTPConnection("127.0.0.1", self.http_port,
                                          timeout=20)

    def status(self, path):
        """The status for HEAD of PATH."""
        connection = self.connection()
        try:
            connection.request("HEAD", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def get(self, path):
        """The bytes at PATH."""
        connection = self.connection()
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            harness.equal(answer.status, 200, path)
            return answer.read()
        finally:
            connection.close()

    def ctl(self, *args):
        """What netukictl says, as JSON."""
        done = subprocess.run(
            [paths.built("netukictl"), *args, "--json", "--control",
             self.tmp / "control.sock"], capture_output=True, text=True)
        harness.check(done.returncode == 0, done.stderr)
        return json.loads(done.stdout)

    def image(self, name):
        """The facts of the image NAME; {} if there is none."""
        for image in self.ctl("images")["images"]:
            if image["name"] == name:
                return image
        return {}

    def wait_state(self, name, state, seconds=60):
        """Waits until the image NAME is in STATE; its facts."""
        self.wait(lambda: self.image(name).get("state") == state,
                  f"{name} in state {state}", seconds)
        return self.image(name)

    def peak_kb(self):
        """The most memory that it has had resident."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmHWM:")[1].split()[0])


class TftpError(Exception):
    """The server's ERROR."""


class Tftp:
    """A TFTP transfer with windows: an iterator over the blocks."""

    def __init__(self, port, name, blksize=1428, windowsize=16):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.settimeout(10)
        self._window = windowsize
        self._blksize = blksize
        self._socket.sendto(
            b"\0\1" + name.encode() + b"\0octet\0blksize\0%d\0windowsize\0"
            b"%d\0" % (blksize, windowsize), ("127.0.0.1", port))

    def __iter__(self):
        last, count = 0, 0
        while True:
            data, peer = self._socket.recvfrom(66000)
            opcode, number = struct.unpack_from("!HH", data)
            if opcode == 5:
                raise TftpError(data[4:-1].decode())
            if opcode == 6:
                self._socket.sendto(b"\0\4\0\0", peer)
                continue
            if number != (last + 1) % 65536:
                continue
            last = number
            count += 1
            block = data[4:]
            final = len(block) < self._blksize
            yield block
            if final or count % self._window == 0:
                self._socket.sendto(b"\0\4" + struct.pack("!H", last), peer)
            if final:
                self._socket.close()
                return


# Files that come, go and change.

def test_appears_and_disappears():
    """A file is served when it is there, and no more when it is gone."""
    with Netukid() as netukid:
        netukid.start()
        harness.equal(netukid.status("/images/a.efi"), 404, "before")
        path = write_uki(netukid.images / "a.efi")
        netukid.wait(lambda: netukid.status("/images/a.efi") == 200, "image")
        harness.equal(netukid.get("/images/a.efi"), path.read_bytes(), "a.efi")
        path.unlink()
        netukid.wait(lambda: netukid.status("/images/a.efi") == 404, "404")


def test_directory_comes_later():
    """The folder itself may be missing at first, and be replaced."""
    with Netukid() as netukid:
        netukid.images.rmdir()
        netukid.start()
        netukid.images.mkdir()
        write_uki(netukid.images / "a.efi")
        netukid.wait(lambda: netukid.status("/images/a.efi") == 200, "image")
        netukid.images.rename(netukid.tmp / "away")
        netukid.wait(lambda: netukid.status("/images/a.efi") == 404, "404")


def switch_link(netukid, target):
    """Makes the images directory a link to TARGET, at once."""
    link = netukid.tmp / "link"
    link.symlink_to(target)
    link.rename(netukid.images)


def test_directory_is_a_link_that_is_switched():
    """The link's new target is served, and its changes are noticed."""
    with Netukid() as netukid:
        netukid.images.rmdir()
        for name in ("one", "two"):
            (netukid.tmp / name).mkdir()
            write_uki(netukid.tmp / name / f"{name}.efi")
        switch_link(netukid, "one")
        netukid.start()
        netukid.wait_state("one.efi", "ready")
        time.sleep(SETTLED)
        switch_link(netukid, "two")
        netukid.wait_state("two.efi", "ready")
        harness.equal(netukid.status("/images/one.efi"), 404, "the old one")
        write_uki(netukid.tmp / "two" / "three.efi")
        netukid.wait_state("three.efi", "ready")


def test_directory_is_another():
    """One moved away is followed no more, one made in its place is."""
    with Netukid() as netukid:
        netukid.start()
        netukid.images.rename(netukid.tmp / "old")
        netukid.images.mkdir()
        write_uki(netukid.images / "a.efi")
        netukid.wait_state("a.efi", "ready")
        # The watch on the old one is none of the new one's.
        write_uki(netukid.tmp / "old" / "b.efi")
        write_uki(netukid.images / "c.efi")
        netukid.wait_state("c.efi", "ready")
        watched = [line for fd in Path(
            f"/proc/{netukid.process.pid}/fdinfo").iterdir()
            for line in fd.read_text().splitlines()
            if f"ino:{(netukid.tmp / 'old').stat().st_ino:x} " in line]
        harness.equal(watched, [], "watches on the old directory")


def test_link_to_the_directory_itself():
    """A link to `.` among the images does not spoil the watch."""
    with Netukid() as netukid:
        (netukid.images / "self").symlink_to(".")
        write_uki(netukid.images / "a.efi")
        netukid.start()
        netukid.wait_state("a.efi", "ready")
        time.sleep(SETTLED)
        netukid.images.rename(netukid.tmp / "away")
        netukid.wait(lambda: netukid.status("/images/a.efi") == 404, "404")


@harness.cases(file={"gone": "file"}, layout={"gone": "layout"})
def test_two_of_a_name(gone):
    """Neither is offered, until one of them is gone."""
    with Netukid() as netukid:
        layout = oci.Layout(netukid.images / "test")
        data = write_uki(netukid.tmp / "a.efi").read_bytes()
        layout.tag("1.efi", layout.manifest(data))
        file = write_uki(netukid.images / "test:1.efi")
        netukid.start()
        image = netukid.wait_state("test:1.efi", "refused")
        harness.check("two images" in image["why"], image)
        time.sleep(SETTLED)
        if gone == "file":
            file.unlink()
        else:
            shutil.rmtree(layout.path)
        netukid.wait_state("test:1.efi", "ready")


def test_half_copied_is_not_offered():
    """A file is offered when its writer has closed it, not before.

    It has its full size from the beginning, and then nothing is written for
    longer than the daemon waits for a file to hold still.
    """
    with Netukid() as netukid:
        netukid.start()
        data = write_uki(netukid.tmp / "a.efi",
                         initrd=noise(200000)).read_bytes()
        path = netukid.images / "a.efi"
        with open(path, "wb") as file:
            file.truncate(len(data))
            file.write(data[:100000])
            file.flush()
            netukid.wait_state("a.efi", "pending")
            for _ in range(7):
                time.sleep(0.5)
                harness.check(netukid.status("/images/a.efi") != 200, "half")
            harness.check("being written" in netukid.image("a.efi")["why"],
                          str(netukid.image("a.efi")))
            file.write(data[100000:])
        netukid.wait(lambda: netukid.status("/images/a.efi") == 200, "image")
        harness.equal(netukid.get("/images/a.efi"), data, "a.efi")


def test_cut_short_is_named():
    """A copy that broke off is listed with the reason, and can be mended."""
    with Netukid() as netukid:
        data = write_uki(netukid.tmp / "a.efi",
                         initrd=noise(20000)).read_bytes()
        (netukid.images / "a.efi").write_bytes(data[:-5000])
        netukid.start()
        image = netukid.wait_state("a.efi", "refused")
        harness.check("beyond the file's end" in image["why"], str(image))
        (netukid.images / "a.efi").write_bytes(data)
        netukid.wait_state("a.efi", "ready")


BIG = 48 << 20


@harness.cases(http={"by": "http"}, tftp={"by": "tftp"})
def test_replaced_by_rename(by):
    """A transfer keeps the version that it began with; the next has the new.
    """
    with Netukid() as netukid:
        path = netukid.images / "a.efi"
        old = write_uki(path, initrd=noise(BIG)).read_bytes()
        netukid.start()
        netukid.wait(lambda: netukid.status("/images/a.efi") == 200, "image")
        with slowly(netukid, by, "images/a.efi") as rest:
            begun = next(rest)
            new = write_uki(path, "other", noise(1000)).read_bytes()
            netukid.wait(lambda: netukid.get("/images/a.efi") == new, "new")
            harness.equal(oci.digest(begun + b"".join(rest)), oci.digest(old),
                          "SHA-256 of what had begun")


def test_replaced_between_kernel_and_initrd():
    """A BIOS machine gets both of the version that its script is for."""
    with Netukid("machines: [{name: m, mac: 52:54:00:00:00:01, "
                 "image: a.efi}]\n") as netukid:
        path = write_uki(netukid.images / "a.efi", initrd=b"old one")
        netukid.start()
        script = netukid.get("/ipxe/52-54-00-00-00-01?platform=pcbios"
                             "&arch=i386").decode()
        base = f"http://127.0.0.1:{netukid.http_port}"
        found = [word.removeprefix(base) for word in script.split()
                 if word.startswith(base)]
        harness.equal([url.rpartition("/")[2] for url in found],
                      ["linux", "initrd"], "parts")
        harness.equal(netukid.get(found[0]), kernel(), "kernel")
        write_uki(path, initrd=b"new one")
        netukid.wait(lambda: netukid.get("/images/a.efi/initrd") ==
                     b"new one", "new initrd")
        harness.equal(netukid.get(found[1]), b"old one", "initrd")
        # A version that never was is not there.
        harness.equal(netukid.status("/images/a.efi@v-0123456789abcdef/linux"),
                      404, "status")


@harness.cases(http={"by": "http"}, tftp={"by": "tftp"})
def test_rewritten_in_place(by):
    """A transfer of a file that is rewritten ends with an error."""
    with Netukid() as netukid:
        path = netukid.images / "a.efi"
        data = write_uki(path, initrd=noise(BIG)).read_bytes()
        netukid.start()
        netukid.wait(lambda: netukid.status("/images/a.efi") == 200, "image")
        with slowly(netukid, by, "images/a.efi") as rest:
            next(rest)
            with open(path, "r+b") as file:
                file.seek(len(data) - 1000)
                file.write(b"another tail")
            try:
                got = sum(map(len, rest))
            except (TftpError, OSError, http.client.HTTPException):
                return
        raise harness.Failure(f"{got} more bytes came, and no error")


@contextlib.contextmanager
def slowly(netukid, by, name):
    """A transfer whose bytes come as they are asked for: an iterator."""
    if by == "tftp":
        yield iter(Tftp(netukid.tftp_port, name))
        return
    connection = netukid.connection()
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    try:
        connection.request("GET", "/" + name)
        answer = connection.getresponse()
        yield read_all(answer)
    finally:
        connection.close()


def read_all(answer):
    """The pieces of an HTTP answer; http.client tells if it is cut short."""
    left = int(answer.getheader("Content-Length"))
    while left:
        piece = answer.read(min(left, 65536))
        if not piece:
            raise http.client.IncompleteRead(b"", left)
        left -= len(piece)
        yield piece


def test_strays_are_named():
    """What is no image is listed with the reason; the daemon goes on."""
    with Netukid() as netukid:
        (netukid.images / "README").write_text("read me")
        (netukid.images / "text.efi").write_text("#!/bin/sh\n" * 100)
        (netukid.images / "folder").mkdir()
        (netukid.images / "dead.efi").symlink_to("nowhere")
        os.mkfifo(netukid.images / "fifo.efi")
        (netukid.images / ".hidden").write_text("")
        for letter in "ab":
            (netukid.images / f"{letter * 130}.efi").write_text("")
        write_uki(netukid.images / "good.efi")
        netukid.start()
        netukid.wait_state("good.efi", "ready")
        netukid.wait_state("text.efi", "refused")
        for name, why in (("README", "does not end in .efi"),
                          ("text.efi", "no MZ signature"),
                          ("folder", "oci-layout"),
                          ("dead.efi", "symbolic link"),
                          ("fifo.efi", "not a regular file"),
                          ("(a very long name)", "longer than 128 bytes")):
            image = netukid.image(name)
            harness.check(image.get("state") == "refused" and
                          why in image["why"], f"{name}: {image}")
        harness.equal(netukid.image(".hidden"), {}, "hidden file")


# OCI.

def test_oci_by_skopeo():
    """What skopeo copies is offered, and followed when the tag moves."""
    with Netukid() as netukid:
        netukid.start()
        source = oci.Layout(netukid.tmp / "source")
        for cmdline in ("first", "second"):
            data = write_uki(netukid.tmp / "a.efi", cmdline,
                             noise(3 << 20)).read_bytes()
            source.tag("1", source.manifest(data))
            oci.skopeo_copy(f"{source.path}:1", f"{netukid.images}/test:1")
            netukid.wait(lambda: netukid.image("test:1").get("cmdline") ==
                         cmdline, f"image with {cmdline}")
            harness.equal(oci.digest(netukid.get("/images/test:1")),
                          oci.digest(data), "SHA-256")
            harness.equal(netukid.image("test:1")["sha256"], oci.digest(data),
                          "sha256")
        shutil.rmtree(netukid.images / "test")
        netukid.wait(lambda: netukid.status("/images/test:1") == 404, "404")


def test_oci_wrong_digest():
    """A blob that is not what its digest says is refused, and never served."""
    with Netukid() as netukid:
        layout = oci.Layout(netukid.images / "test")
        data = write_uki(netukid.tmp / "a.efi", initrd=noise(20000))
        data = data.read_bytes()
        descriptor = layout.manifest(data)
        blob = layout.path / "blobs" / "sha256" / oci.digest(data)
        blob.write_bytes(data[:-1] + bytes((data[-1] ^ 1,)))
        layout.tag("1", descriptor)
        netukid.start()
        image = netukid.wait_state("test:1", "refused")
        harness.check("does not match its digest" in image["why"], str(image))
        harness.equal(netukid.status("/images/test:1"), 404, "status")
        # Mended, it is taken.
        blob.write_bytes(data)
        netukid.wait_state("test:1", "ready")


def test_oci_index_of_architectures():
    """Each architecture of an index is an image of its own."""
    with Netukid() as netukid:
        layout = oci.Layout(netukid.images / "test")
        x64 = write_uki(netukid.tmp / "a.efi").read_bytes()
        arm = bytearray(x64)
        for at in (0x84, x64.index(b"PE\0\0\x64\x86", 0x400) + 4):
            struct.pack_into("<H", arm, at, 0xAA64)
        layout.tag("2", layout.json({
            "schemaVersion": 2, "mediaType": oci.INDEX_TYPE, "manifests": [
                {**layout.manifest(x64), "platform": {"architecture": "amd64",
                                                      "os": "linux"}},
                {**layout.manifest(bytes(arm)),
                 "platform": {"architecture": "arm64", "os": "linux"}}]},
            oci.INDEX_TYPE))
        netukid.more = ("machines: [{name: m, mac: 52:54:00:00:00:01, "
                        "image: 'test:2'}]\n")
        netukid.start()
        netukid.wait_state("test:2@x64", "ready")
        netukid.wait_state("test:2@arm64", "ready")
        for arch, name in (("x86_64", "x64"), ("arm64", "arm64")):
            script = netukid.get("/ipxe/52-54-00-00-00-01?platform=efi"
                                 f"&arch={arch}").decode()
            harness.check(f"/images/test:2@{name} " in script, script)
        harness.equal(netukid.get("/images/test:2@arm64"), bytes(arm), "arm64")


# Digests that the configuration pins.

def test_pins():
    """Who pins another digest is told so on the screen, and gets nothing."""
    with Netukid() as netukid:
        path = write_uki(netukid.images / "a.efi")
        good = oci.digest(path.read_bytes())
        netukid.more = (
            "machines:\n"
            f"  - {{name: good, mac: 52:54:00:00:00:01, image: a.efi, "
            f"sha256: '{good}'}}\n"
            f"  - {{name: bad, mac: 52:54:00:00:00:02, image: a.efi, "
            f"sha256: '{good[::-1]}'}}\n")
        netukid.start()
        netukid.wait(lambda: "sha256" in netukid.image("a.efi"), "digest")
        url = "/machines/52-54-00-00-00-0{}/a.efi"
        script = netukid.get("/ipxe/52-54-00-00-00-01").decode()
        harness.check(url.format(1) in script, script)
        script = netukid.get("/ipxe/52-54-00-00-00-02").decode()
        harness.check("nothing to boot: a.efi: its digest is not" in script,
                      script)
        harness.equal(netukid.status(url.format(1)), 200, "good")
        harness.equal(netukid.status(url.format(2)), 404, "bad")
        harness.check("`sha256` says" in netukid.process.output(), "the log")
        explained = netukid.ctl("explain", "bad")
        harness.check("sha256" in explained["problem"], str(explained))
        done = subprocess.run([paths.built("netukid"), "--check", "--config",
                               netukid.tmp / "netuki.yaml"],
                              capture_output=True, text=True)
        harness.check("sha256: a.efi has another digest" in done.stderr,
                      done.stderr)
        # The file becomes another one: the tables turn.
        write_uki(path, "changed")
        netukid.wait(lambda: netukid.status(url.format(1)) == 404, "refusal")


# What is said of a file.

def test_example_makes_a_uki():
    """The example script's image has all parts, for every boot path."""
    script = paths.REPO / "packaging" / "examples" / "make-uki"
    made = uki.build()
    with Netukid() as netukid:
        parts = []
        for name in (".linux", ".initrd"):
            parts.append(netukid.tmp / name[1:])
            parts[-1].write_bytes(uki.section(made, name))
        path = netukid.images / "a b.efi"
        environment = {**os.environ, "STUB": str(paths.asset(
            uki.ARCHES["x64"]["stub"]))}
        subprocess.run(["sh", script, path, *parts, "quiet splash"],
                       check=True, env=environment)
        done = subprocess.run([paths.built("netukid"), "--inspect", path,
                               "--json"], check=True, capture_output=True)
        facts = json.loads(done.stdout)
        harness.equal((facts["arch"], facts["cmdline"]),
                      ("x64", "quiet splash"), "facts")
        harness.equal([path["works"] for path in facts["paths"].values()],
                      [True] * 4, "boot paths")
        for name, part in zip((".linux", ".initrd"), parts):
            harness.equal(uki.section(path, name), part.read_bytes(), name)
        done = subprocess.run(["sh", script, path, "/nowhere", *parts],
                              capture_output=True, text=True,
                              env=environment)
        harness.equal((done.returncode, done.stderr),
                      (1, "make-uki: /nowhere cannot be read\n"), "a failure")
        harness.equal(list(netukid.images.iterdir()), [path], "left behind")


def test_inspect():
    """`netukid --inspect` needs no daemon, and agrees with `netukictl`."""
    with Netukid() as netukid:
        path = write_uki(netukid.images / "a.efi", "quiet splash")
        netukid.start()
        netukid.wait(lambda: "sha256" in netukid.image("a.efi"), "digest")
        listed = netukid.image("a.efi")
        inspect = [paths.built("netukid"), "--inspect"]
        done = subprocess.run([*inspect, path, "--json"], text=True,
                              capture_output=True, check=True)
        harness.equal(json.loads(done.stdout), listed, "facts")
        harness.equal(listed["arch"], "x64", "arch")
        harness.equal(listed["kernel"], "6.1.0-test", "kernel")
        harness.equal(listed["os"], "Test 1", "os")
        harness.equal(listed["cmdline"], "quiet splash", "cmdline")
        harness.equal(listed["sha256"], oci.digest(path.read_bytes()),
                      "sha256")
        harness.equal([path["works"] for path in listed["paths"].values()],
                      [True] * 4, "boot paths")
        harness.equal([s["name"] for s in listed["sections"]],
                      [".text", ".osrel", ".uname", ".cmdline", ".linux",
                       ".initrd"], "sections")
        done = subprocess.run([*inspect, path], text=True,
                              capture_output=True, check=True)
        for word in ("quiet splash", "6.1.0-test", "BIOS", ".initrd",
                     listed["sha256"]):
            harness.check(word in done.stdout, done.stdout)
        (netukid.tmp / "no.efi").write_text("no")
        done = subprocess.run([*inspect, netukid.tmp / "no.efi"], text=True,
                              capture_output=True)
        harness.equal(done.returncode, 1, "status")
        harness.check("too short" in done.stdout, done.stdout)


def test_splice_is_the_same_but_where_it_must():
    """A longer command line changes the headers and its own bytes alone.

    objdump and sbverify read it.
    """
    objdump, sbverify = paths.program("objdump"), paths.program("sbverify")
    for added in ("x=1", "long=" + "y" * 1500):
        with Netukid() as netukid:
            path = write_uki(netukid.images / "a.efi", "quiet")
            netukid.more = ("machines: [{name: m, mac: 52:54:00:00:00:01, "
                            f"image: a.efi, cmdline: '{added}'}}]\n")
            netukid.start()
            netukid.wait_state("a.efi", "ready")
            old = path.read_bytes()
            new = netukid.get("/machines/52-54-00-00-00-01/a.efi")
            out = netukid.tmp / "spliced.efi"
            out.write_bytes(new)
            done = subprocess.run([objdump, "-h", out], capture_output=True,
                                  text=True)
            harness.equal((done.returncode, done.stderr), (0, ""), "objdump")
            for name in sections(old):
                harness.check(name in done.stdout, done.stdout)
            # It walks over the headers to say that there is no signature.
            done = subprocess.run([sbverify, "--list", out], text=True,
                                  capture_output=True)
            harness.check("No signature table" in done.stderr, done.stderr)
            compare_splice(old, new, f"quiet {added}".encode())
            harness.equal(path.read_bytes(), old, "the file on disk")


def sections(data):
    """{name: (header's offset, vsize, rva, raw size, raw offset)}."""
    found = {}
    count, = struct.unpack_from("<H", data, 0x86)
    for i in range(count):
        at = 0x188 + 40 * i
        found[data[at:at + 8].rstrip(b"\0").decode()] = (
            at, *struct.unpack_from("<IIII", data, at + 8))
    return found


def compare_splice(old, new, cmdline):
    """Fails where NEW differs from OLD without need."""
    before, after = sections(old), sections(new)
    harness.equal(list(after), list(before), "sections")
    header, vsize, rva, raw_size, raw = after[".cmdline"]
    harness.equal(new[raw:raw + vsize], cmdline, ".cmdline")
    allowed = set(range(header + 8, header + 24))   # its sizes and places
    allowed |= set(range(0x98 + 56, 0x98 + 60))     # SizeOfImage
    allowed |= set(range(0x98 + 64, 0x98 + 68))     # CheckSum
    allowed |= set(range(0x98 + 4, 0x98 + 16))      # SizeOf...Data
    allowed |= set(range(raw, raw + raw_size))      # its content
    old_raw = before[".cmdline"]
    allowed |= set(range(old_raw[4], old_raw[4] + old_raw[3]))
    for at, (a, b) in enumerate(zip(old, new)):
        harness.check(a == b or at in allowed,
                      f"byte {at:#x} is {b:#x}, was {a:#x}")
    for at in range(len(old), len(new)):
        harness.check(at in allowed or new[at] == 0,
                      f"byte {at:#x} was added: {new[at]:#x}")
    ends = sorted((rva, rva + vsize) for _, vsize, rva, _, _ in after.values())
    for (_, end), (begin, _) in zip(ends, ends[1:]):
        harness.check(end <= begin, "sections overlap in memory")
    image, = struct.unpack_from("<I", new, 0x98 + 56)
    harness.check(ends[-1][1] <= image, "SizeOfImage is too small")


# Memory.

def test_thousands():
    """Four thousand small images are all hashed, at little cost."""
    wanted = 4000 // paths.SLOW
    with Netukid() as netukid:
        data = write_uki(netukid.images / "i0.efi").read_bytes()
        for number in range(1, wanted):
            path = netukid.images / f"i{number}.efi"
            path.write_bytes(data)
            os.utime(path, (time.time() + OLD,) * 2)
        netukid.start()
        netukid.wait(lambda: sum(
            bool(image.get("sha256")) for image in netukid.ctl(
                "images")["images"]) == wanted, f"{wanted} digests", 60)
        stat = Path(f"/proc/{netukid.process.pid}/stat").read_text()
        fields = stat.rsplit(")", 1)[1].split()
        used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        harness.check(used < 5 * paths.SLOW, f"{used:.1f} s of CPU")


def test_memory_does_not_grow():
    """A GiB by HTTP, by TFTP and through SHA-256: 16 MiB are enough."""
    if paths.SLOW > 1:
        raise harness.Skip("AddressSanitizer and valgrind have memory of "
                           "their own")
    size = 1 << 30
    with Netukid() as netukid:
        path = write_uki(netukid.images / "big.efi", size=size)
        whole = path.stat().st_size
        netukid.start()
        netukid.wait(lambda: netukid.status("/images/big.efi") == 200, "image")
        connection = netukid.connection()
        connection.request("GET", "/images/big.efi")
        answer = connection.getresponse()
        got = 0
        while piece := answer.read(1 << 20):
            got += len(piece)
        connection.close()
        harness.equal(got, whole, "bytes by HTTP")
        got = sum(map(len, Tftp(netukid.tftp_port, "images/big.efi", 16384,
                                64)))
        harness.equal(got, whole, "bytes by TFTP")
        netukid.wait(lambda: "sha256" in netukid.image("big.efi"), "digest",
                     60)
        peak = netukid.peak_kb()
        harness.check(peak < LIMIT_KB, f"peak resident memory: {peak} kB")


if __name__ == "__main__":
    harness.main(globals())
