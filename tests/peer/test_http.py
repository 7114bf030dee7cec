#!/usr/bin/python3
"""The HTTP server and its clients' faults, over loopback and without root."""

import contextlib
import ctypes
import hashlib
import http.client
import mmap
import os
import random
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import harness, paths, pe, peers, uki  # noqa: E402
from lab.loopback import free_port  # noqa: E402
from lab.process import Process  # noqa: E402

MAC = "52-54-00-aa-00-01"
UUID = "6F1F2A60-0E4B-4D7C-9C1E-2A60B1C4D7E8"
MIB = 1 << 20
# More than the kernel's buffers of both ends hold, so that a client that does
# not read stops the server.
BIG = 64 * MIB


def contents(size):
    """SIZE bytes that no other size has, the same every time."""
    return random.Random(size).randbytes(size)


class Served:
    """netukid on loopback ports, with FILES as loaders, served by name."""

    def __init__(self, folder, sizes, http="", more="", files=None):
        self.folder = folder
        self.images = folder / "images"
        self.images.mkdir()
        self.files = {}
        for name, size in sizes.items():
            self.files[name] = folder / name
            self.files[name].write_bytes(contents(size))
        self.http_keys = http
        self.more = more
        self.port = free_port()
        self.tftp_port = free_port(socket.SOCK_DGRAM)
        self.control = folder / "control.sock"
        self.before = [paths.program("prlimit"),
                       f"--nofile={files}:{files}"] if files else []
        self.process = None
        self.start()

    def config(self):
        """The configuration's text."""
        loaders = "".join(
            f"  - {{name: f{number}, mac: '52:54:00:bb:00:{number:02x}', "
            f"image: x.efi, loaders: {{x64: {path}}}}}\n"
            for number, path in enumerate(self.files.values()))
        return (f"interfaces: [lo]\nimages: {self.images}\n"
                f"control: {self.control}\nstate: {self.folder}\n"
                "dhcp: {enabled: false}\n"
                f"tftp: {{port: {self.tftp_port}}}\n"
                f"http: {{port: {self.port}{self.http_keys}}}\n{self.more}"
                "machines:\n"
                f"  - {{name: lab-01, mac: {MAC.replace('-', ':')}, "
                f"uuid: {UUID}, image: lab.efi}}\n{loaders}")

    def start(self):
        """Starts the daemon; again after it has ended."""
        path = self.folder / "netuki.yaml"
        path.write_text(self.config())
        # A machine's image that is not there is an error: lab.efi and x.efi
        # are here, and none.
        for name in ("lab.efi", "x.efi"):
            target = self.images / name
            if not target.exists():
                shutil.copyfile(self.image(), target)
                os.utime(target, (1e9, 1e9))
        self.process = Process(
            "netukid", [*self.before, *paths.netukid(path)], None,
            self.folder / "netukid.log", None, self.folder)
        deadline = time.monotonic() + 20
        while True:
            self.process.require_running()
            with contextlib.suppress(OSError):
                self.connect().close()
                return
            if time.monotonic() > deadline:
                raise TimeoutError("netukid does not listen:\n" + self.log())
            time.sleep(0.02)

    @staticmethod
    def image():
        """Any image."""
        return uki.build()

    def log(self):
        """What the daemon has said so far."""
        return self.process.output()

    def connect(self, receive=None, host="127.0.0.1", own=None):
        """A connection from OWN, with a receive buffer of RECEIVE bytes."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        peer = socket.socket(family)
        if receive:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        peer.settimeout(20)
        if own:
            peer.bind((own, 0))
        try:
            peer.connect((host, self.port))
        except OSError:
            peer.close()
            raise
        return peer

    def get(self, path, method="GET", host="127.0.0.1", own="", **headers):
        """(status, headers, body) of one request, from the address OWN."""
        connection = http.client.HTTPConnection(
            host, self.port, timeout=30, source_address=(own, 0))
        names = {key.replace("_", "-"): value
                 for key, value in headers.items()}
        try:
            connection.request(method, path, headers=names)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def url(self, path):
        """The URL of PATH."""
        return f"http://127.0.0.1:{self.port}{path}"

    def metric(self, name):
        """The value of one metric."""
        body = self.get("/metrics")[2].decode()
        return int(re.search(rf"^{name} (\d+)$", body, re.M).group(1))

    def rss(self):
        """The daemon's private memory, in bytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", text).group(1)) * 1024

    def cpu(self):
        """Seconds of CPU that the daemon has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text() \
            .rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / \
            os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(sizes=None, http="", more="", files=None):
    """A running daemon; its log is shown when the test fails.

    It may have so many open FILES; None: as many as the system lets it.
    """
    folder = Path(tempfile.mkdtemp(prefix="nk-http-"))
    server = None
    try:
        server = Served(folder, sizes or {"small.bin": 1000}, http, more,
                        files)
        yield server
        server.process.require_running()
    except BaseException:
        if server:
            print(server.log()[-3000:], file=sys.stderr)
        raise
    finally:
        if server:
            server.process.stop(signal.SIGINT)
        shutil.rmtree(folder, ignore_errors=True)


def request(path, method="GET", version="1.1", *headers):
    """A request's bytes."""
    lines = [f"{method} {path} HTTP/{version}", "Host: x", *headers, "", ""]
    return "\r\n".join(lines).encode()


def read_head(peer, have=b""):
    """(status, fields, what came after the head)."""
    while b"\r\n\r\n" not in have:
        data = peer.recv(65536)
        harness.check(data, f"closed within a head: {have[:200]}")
        have += data
    head, rest = have.split(b"\r\n\r\n", 1)
    first, *lines = head.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, value in
              (line.split(":", 1) for line in lines)}
    return int(first.split(" ")[1]), fields, rest


def read_answer(peer, have=b"", method="GET"):
    """(status, body, what came after the answer)."""
    status, fields, rest = read_head(peer, have)
    size = 0 if method == "HEAD" else int(fields.get("content-length", 0))
    rest = bytearray(rest)
    while len(rest) < size:
        data = peer.recv(65536)
        harness.check(data, f"closed after {len(rest)} of {size} bytes")
        rest += data
    return status, bytes(rest[:size]), bytes(rest[size:])


def read_to_end(peer):
    """(all bytes until the end, whether it was a clean one)."""
    got = bytearray()
    try:
        while data := peer.recv(1 << 18):
            got += data
    except ConnectionResetError:
        return bytes(got), False
    return bytes(got), True


# What clients use.

def test_conditions_and_ranges():
    """HEAD, ranges, validators and versions, as RFC 9110 has them."""
    with served({"f.bin": 100000}) as server:
        whole = contents(100000)
        path = "/loaders/f.bin"
        status, fields, body = server.get(path)
        harness.equal((status, body == whole), (200, True), "GET")
        tag, date = fields["ETag"], fields["Last-Modified"]
        harness.check(re.fullmatch(r'"[^"]+"', tag), f"no strong ETag: {tag}")
        rows = (
            ("HEAD", {}, 200, b"", "100000"),
            ("GET", {"Range": "bytes=0-0"}, 206, whole[:1], "1"),
            ("GET", {"Range": "bytes=99990-"}, 206, whole[99990:], "10"),
            ("GET", {"Range": "bytes=-7"}, 206, whole[-7:], "7"),
            ("GET", {"Range": "bytes=0-1,5-6"}, 200, whole, "100000"),
            ("GET", {"Range": "bytes=100-199", "If-Match": tag}, 206,
             whole[100:200], "100"),
            ("GET", {"Range": "bytes=100-199", "If-Range": '"no"'}, 200,
             whole, "100000"),
            ("GET", {"If-None-Match": tag}, 304, b"", None),
            ("GET", {"If-Modified-Since": date}, 304, b"", None),
        )
        for method, headers, wanted, wanted_body, length in rows:
            what = f"{method} {headers}"
            status, fields, body = server.get(path, method, **headers)
            harness.equal(status, wanted, what)
            harness.check(body == wanted_body, f"{what}: another body")
            harness.equal(fields["Content-Length"], length, what)
        for headers, wanted in (
                ({"Range": "bytes=100000-"}, 416),
                ({"If-Match": '"no"'}, 412),
                ({"If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"},
                 412)):
            status, fields, _ = server.get(path, **headers)
            harness.equal(status, wanted, str(headers))
            if wanted == 416:
                harness.equal(fields["Content-Range"], "bytes */100000",
                              "Content-Range")


def test_pipelining():
    """Many requests in one packet are answered in their order."""
    with served({"a.bin": 3000, "b.bin": 300000}) as server:
        order = ["a.bin", "b.bin", "a.bin", "missing", "a.bin", "b.bin"] * 8
        with server.connect() as peer:
            peer.sendall(b"".join(
                request(f"/loaders/{name}",
                        "HEAD" if number % 3 == 0 else "GET")
                for number, name in enumerate(order)))
            rest = b""
            for number, name in enumerate(order):
                method = "HEAD" if number % 3 == 0 else "GET"
                status, body, rest = read_answer(peer, rest, method)
                harness.equal(status, 404 if name == "missing" else 200, name)
                if method == "GET" and status == 200:
                    harness.check(
                        body == server.files[name].read_bytes(),
                        f"answer {number}: not {name}")
            harness.equal(rest, b"", "bytes after the last answer")


def data_segments(peer):
    """In how many segments the data came: tcpi_data_segs_in."""
    info = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    return int.from_bytes(info[152:156], sys.byteorder)


def test_packets():
    """A head goes out with what follows it, be that memory or a file."""
    with served({"f.bin": 20000}) as server:
        pe.write(server.images / "y.efi", pe.uki("k", 30000, 12000))
        server.process.wait_output("image y.efi: UKI", 20)
        for path in ("/healthz", "/loaders/f.bin", "/images/y.efi/initrd",
                     f"/ipxe/{MAC}?arch=x86_64"):
            with server.connect() as peer:
                peer.sendall(request(path))
                harness.equal(read_answer(peer)[0], 200, path)
                harness.equal(data_segments(peer), 1, f"segments of {path}")


def test_never_a_redirect():
    """No spelling of a path is answered with another one."""
    with served() as server:
        for path in ("/", "/images", "/images/", "//images//lab.efi",
                     "/images/./lab.efi", "/images/%6cab.efi", "/loaders",
                     "/ipxe", "/ipxe/", "/images/lab.efi/", "/a/../b",
                     "/%2e%2e/x", "/\\images\\lab.efi"):
            with server.connect() as peer:
                peer.sendall(request(path, "HEAD", "1.1"))
                status = read_head(peer)[0]
            harness.check(status == 200 or 400 <= status < 500,
                          f"{path}: {status}")


def test_ipv6():
    """IPv6 reaches the same service, and the script's URLs stay in it."""
    with served({"f.bin": 100000}) as server:
        harness.equal(server.get("/loaders/f.bin", host="::1")[2],
                      contents(100000), "body over IPv6")
        status, _, script = server.get(
            f"/ipxe/{MAC}?arch=x86_64&platform=efi", host="::1")
        harness.equal(status, 200, "script")
        harness.check(f"http://[::1]:{server.port}/".encode() in script,
                      f"another address: {script}")
        harness.check("::1 " in server.log(), "no IPv6 client in the log")


def test_pending_image():
    """iPXE is told to ask again while its image is still being written."""
    with served() as server:
        shutil.copyfile(server.image(), server.images / "lab.efi")
        url = f"/ipxe/{MAC}?arch=x86_64&platform=efi"
        begun, statuses = time.monotonic(), []
        while time.monotonic() < begun + 15:
            status, fields, body = server.get(url)
            statuses.append(status)
            if status == 503:
                harness.check(int(fields["Retry-After"]) > 0, "Retry-After")
                harness.equal(server.get("/images/lab.efi")[0], 503, "image")
            elif statuses[:1] == [503] or len(statuses) > 20:
                break
            time.sleep(0.1)
        harness.check(503 in statuses, "never 503")
        harness.equal(statuses[-1], 200, "in the end")
        harness.check(b"/images/lab.efi" in body, f"script: {body}")


def test_real_clients():
    """curl, wget and nginx as a proxy fetch, resume and keep connections."""
    with served({"f.bin": 20 * MIB + 7}) as server:
        whole = server.files["f.bin"]
        got = server.folder / "got"
        url = server.url("/loaders/f.bin")

        def same(what):
            harness.equal(hashlib.sha256(got.read_bytes()).hexdigest(),
                          hashlib.sha256(whole.read_bytes()).hexdigest(),
                          what)

        def run(*command):
            subprocess.run([str(part) for part in command], check=True,
                           timeout=60, stdin=subprocess.DEVNULL)

        run(paths.program("curl"), "-sSf", "-o", got, url)
        same("curl")
        got.write_bytes(whole.read_bytes()[:MIB])
        run(paths.program("curl"), "-sSf", "-C", "-", "-o", got, url)
        same("curl -C -")
        run(paths.program("wget"), "-q", "-O", got, url)
        same("wget")
        got.write_bytes(whole.read_bytes()[:MIB])
        run(paths.program("wget"), "-q", "-c", "-O", got, url)
        same("wget -c")
        with nginx_before(server, "location / { @; }") as port:
            proxied = f"http://127.0.0.1:{port}/loaders/f.bin"
            run(paths.program("curl"), "-sSf", "-o", got, proxied)
            same("through nginx")
            run(paths.program("curl"), "-sSf", "-r", f"{MIB}-", "-o",
                server.folder / "part", proxied)
            harness.check((server.folder / "part").read_bytes() ==
                          whole.read_bytes()[MIB:], "range through nginx")


@contextlib.contextmanager
def nginx_before(server, locations, port=None):
    """nginx as a proxy before SERVER; its port.

    LOCATIONS are nginx's, in which @ is to ask the server; they may use the
    cache `images`.
    """
    port = port or free_port()
    config = server.folder / "nginx.conf"
    text = peers.nginx_config(server.folder, server.folder, port)
    text = text.replace(
        f"root {server.folder};", locations.replace(
            "@", f"proxy_pass http://127.0.0.1:{server.port}; "
            "proxy_http_version 1.1; proxy_set_header Connection ''"))
    text = text.replace("  server {", f"  proxy_cache_path {server.folder}"
                        "/cache keys_zone=images:1m;\n  server {")
    config.write_text(text)
    nginx = Process("nginx", peers.nginx(server.folder, config), None,
                    server.folder / "nginx.log", None, server.folder)
    try:
        deadline = time.monotonic() + 20
        while True:
            nginx.require_running()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            harness.check(time.monotonic() < deadline, "nginx is not ready")
            time.sleep(0.02)
        yield port
    finally:
        nginx.stop()


def test_caching_proxy():
    """nginx keeps the images, and sees when one is another."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with served(http=f", base-url: '{base}'") as server, nginx_before(
            server, "location / { @; } location /images/ { @; "
            "proxy_cache images; proxy_cache_valid 200 1s; "
            "proxy_cache_revalidate on; proxy_cache_lock on; }", port):

        def through(path):
            with urllib.request.urlopen(f"{base}{path}", timeout=30) as got:
                return got.read()

        old = (server.images / "lab.efi").read_bytes()
        script = through(f"/ipxe/{MAC}?arch=x86_64&platform=efi").decode()
        harness.check(f" {base}/images/lab.efi ||" in script,
                      f"script: {script}")
        for _ in range(3):
            harness.check(through("/images/lab.efi") == old, "other bytes")
            time.sleep(0.6)
        lines = [line for line in server.log().splitlines()
                 if " http-done " in line and "images/lab.efi" in line]
        harness.equal(len(lines), 1, "downloads from netukid")
        new = pe.uki("another", 3 << 20)
        pe.write(server.images / "lab.efi", new)
        deadline = time.monotonic() + 20
        while through("/images/lab.efi") != new:
            harness.check(time.monotonic() < deadline, "the old one still")
            time.sleep(0.2)


# Faults of clients.

def test_half_close():
    """A client that says FIN after its request gets the whole file."""
    with served({"big.bin": BIG}) as server, server.connect() as peer:
        peer.sendall(request("/loaders/big.bin"))
        peer.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
        got, clean = read_to_end(peer)
        _, body = got.split(b"\r\n\r\n", 1)
        harness.check(clean, "a reset")
        harness.equal(len(body), BIG, "bytes")
        harness.check(body == contents(BIG), "other bytes")


def test_refusals_arrive():
    """A refused client reads the refusal, whatever it goes on sending."""
    with served() as server:
        rows = ((b"GET / HTTP/1.1\nHost: x\n\n", 400),
                (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
                (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
                 405),
                (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 9000, 431),
                (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505))
        for head, wanted in rows:
            with server.connect() as peer:
                peer.sendall(head)
                with contextlib.suppress(OSError):
                    peer.sendall(b"z" * 100000)
                time.sleep(0.2)
                got, clean = read_to_end(peer)
                harness.check(clean, f"{head[:40]}: a reset")
                harness.equal(got.split(b" ")[1], str(wanted).encode(),
                              f"{head[:40]}")
                harness.check(b"Connection: close" in got, "not closed")
        # Likewise what follows a request that is the last one.
        with server.connect() as peer:
            peer.sendall(request("/healthz", "GET", "1.1",
                                 "Connection: close") + b"z" * 60000)
            time.sleep(0.2)
            got, clean = read_to_end(peer)
            harness.check(clean and got.endswith(b"ok\n"), f"got {got}")


class Watch(threading.Thread):
    """Notes when a connection's other end closes it: self.seconds."""

    def __init__(self, peer, feed=None):
        super().__init__(daemon=True)
        self.peer, self.feed = peer, feed
        self.begun, self.seconds, self.got = time.monotonic(), None, b""
        self.start()

    def run(self):
        while True:
            ready, _, _ = select.select([self.peer], [], [], 0.25)
            try:
                if ready:
                    data = self.peer.recv(4096)
                    self.got += data
                    if not data:
                        break
                elif self.feed:
                    self.peer.sendall(self.feed)
            except OSError:
                break
            if time.monotonic() > self.begun + 60:
                return
        self.seconds = time.monotonic() - self.begun

    def within(self, low, high, what):
        """Fails unless it was closed after LOW to HIGH seconds."""
        self.join(max(0.0, self.begun + high + 1 - time.monotonic()))
        harness.check(self.seconds is not None and
                      low <= self.seconds <= high,
                      f"{what}: closed after {self.seconds} s, wanted "
                      f"{low} to {high}")


def stalled(server, path="/loaders/big.bin", receive=4096, own=None):
    """A client that has asked for a file and reads nothing."""
    peer = server.connect(receive=receive, own=own)
    peer.sendall(request(path))
    return peer


class Sips(threading.Thread):
    """A client that reads little by little, and all the rest after 32 s."""

    def __init__(self, peer):
        super().__init__(daemon=True)
        self.peer = peer
        self.answer = None
        self.start()

    def run(self):
        begun, have = time.monotonic(), b""
        while time.monotonic() < begun + 32:
            have += self.peer.recv(500)
            time.sleep(0.05)
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.answer = read_answer(self.peer, have)
        self.peer.close()


def test_deadlines():
    """Who dribbles, idles or stalls is cut, and costs next to nothing."""
    with served({"big.bin": BIG}) as server:
        server.get("/healthz")
        before = server.rss()
        dribble = server.connect()
        dribble.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        dribble = Watch(dribble, b"y")
        silent = Watch(server.connect())
        idle = server.connect()
        idle.sendall(request("/healthz"))
        idle = Watch(idle)
        begun = time.monotonic()
        stalls = [stalled(server) for _ in range(60)]
        # One that takes a nap of less than a deadline gets all of it.
        slow = stalled(server)
        # And one that takes a little all the time, of which the socket, with
        # its megabytes, does not say that there is room.
        sips = Sips(stalled(server))
        time.sleep(2)
        if paths.SLOW == 1:  # else the instruments have memory of their own
            grown = server.rss() - before
            harness.check(grown < 60 * 12288 + 262144,
                          f"{grown} bytes for 60 stalled clients")
        worst = 0.0
        for _ in range(50):
            at = time.monotonic()
            harness.equal(server.get("/healthz")[0], 200, "meanwhile")
            worst = max(worst, time.monotonic() - at)
        # Who waits for a stalled client waits for its deadline, thirty seconds.
        harness.check(worst < 2, f"a small answer took {worst:.3f} s")
        dribble.within(9, 12.5, "a head that dribbles in")
        harness.check(dribble.got.startswith(b"HTTP/1.1 408"),
                      f"it said {dribble.got[:40]}")
        silent.within(9, 12.5, "a client that says nothing")
        idle.within(14, 17.5, "a client that asks no more")
        time.sleep(max(0.0, begun + 20 - time.monotonic()))
        slow.settimeout(60)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        status, body, _ = read_answer(slow)
        harness.check(status == 200 and body == contents(BIG), "the slow one")
        slow.close()
        sips.join(60)
        harness.check(sips.answer and sips.answer[1] == contents(BIG),
                      "who takes little at a time was cut")
        time.sleep(max(0.0, begun + 33 - time.monotonic()))
        harness.equal(server.metric("netuki_http_open_connections"), 1,
                      "connections left")
        for peer in stalls:
            with peer:
                harness.check(not read_to_end(peer)[1],
                              "a clean end of half a file")
        harness.check("the client stopped reading" in server.log(), "no line")


def prlimit_files(server, soft):
    """Sets the daemon's limit of descriptors."""
    hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_out_of_descriptors():
    """At EMFILE callers wait, with one line in the log and no busy loop."""
    with served() as server:
        used = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        old = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[0]
        prlimit_files(server, used + 10)
        held = [server.connect() for _ in range(40)]
        for peer in held:
            peer.sendall(request("/healthz"))
        time.sleep(0.5)
        cpu = server.cpu()
        time.sleep(2.5)
        harness.check(server.cpu() - cpu < 0.1 * paths.SLOW,
                      f"{server.cpu() - cpu} s of CPU while waiting")
        lines = [line for line in server.log().splitlines()
                 if "have to wait" in line]
        harness.equal(len(lines), 1, f"lines {lines}")
        # Those who waited are served as others go.
        for peer in held:
            with peer:
                harness.equal(read_answer(peer)[0], 200, "one that waited")
        prlimit_files(server, old)
        harness.equal(server.get("/healthz")[0], 200, "afterwards")


def full(stack, kind, addresses=3):
    """As many connections as there can be, each from KIND(its own address)."""
    # Each may have a file of its own, too.
    return [stack.enter_context(kind(f"127.0.1.{n % addresses}"))
            for n in range((200 - 64) // 2)]


def test_cap_of_all():
    """Whoever is too many waits until another has gone; it is said once."""
    with served(files=200) as server, contextlib.ExitStack() as stack:
        # None of them has so many that it would give way.
        held = full(stack, lambda own: stalled(server, own=own), 5)
        waiting = [stack.enter_context(server.connect()) for _ in range(20)]
        for peer in waiting:
            peer.sendall(request("/healthz"))
        harness.check(not select.select(waiting, [], [], 1.5)[0],
                      "one beyond the cap was served")
        for peer in held[:20]:
            peer.close()
        for peer in waiting:
            harness.equal(read_answer(peer)[0], 200, "one that waited")
        harness.equal(server.log().count("too many are open"), 1, "lines")


@harness.cases(silent={"sends": b""}, slow={"sends": b"GET /he"},
               idle={"sends": request("/healthz")})
def test_cap_without_requests(sends):
    """Who asks for nothing makes room for those who do."""
    def kind(own):
        peer = server.connect(own=own)
        peer.sendall(sends)
        return peer

    with served(files=200) as server, contextlib.ExitStack() as stack:
        full(stack, kind, 5)
        begun = time.monotonic()
        harness.equal(server.get("/healthz")[0], 200, "one more")
        harness.check(time.monotonic() - begun < 6, "it had to wait")
        harness.equal(server.metric("netuki_http_over_cap_total"), 0,
                      "closed at once")


@harness.cases(stalled={"after": 0}, stalled_long={"after": 4})
def test_cap_of_all_is_shared(after):
    """A few addresses with all the connections keep no machine out."""
    with served({"big.bin": BIG}, files=200) as server, \
            contextlib.ExitStack() as stack:
        full(stack, lambda own: stalled(server, own=own))
        machine = stack.enter_context(stalled(server, own="127.0.2.1"))
        time.sleep(after)
        for n in range(3):
            # They try again meanwhile, and that gets them nothing.
            for _ in range(20):
                with contextlib.suppress(OSError):
                    stack.enter_context(server.connect(own=f"127.0.1.{n}"))
            begun = time.monotonic()
            with server.connect(own=f"127.0.3.{n}") as peer:
                peer.sendall(request("/loaders/big.bin"))
                have = peer.recv(65536)
                # Whoever waits for a stalled one waits three seconds.
                harness.check(time.monotonic() - begun < 2.5,
                              "a download began late")
                harness.equal(read_answer(peer, have)[1], contents(BIG),
                              "it")
        machine.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        harness.equal(read_answer(machine)[1], contents(BIG),
                      "the one that began before them")


def unread(server):
    """Bytes that the kernel keeps for the server's clients."""
    lines = Path("/proc/net/tcp6").read_text().splitlines()
    lines += Path("/proc/net/tcp").read_text().splitlines()
    fields = [line.split() for line in lines]
    return sum(int(field[4].split(":")[0], 16) for field in fields
               if field[1].endswith(f":{server.port:04X}"))


def test_unread_bytes_are_bounded():
    """What a few addresses do not read takes no memory from the others."""
    most = 256 * MIB
    with served({"big.bin": BIG}) as server, contextlib.ExitStack() as stack:
        machines = [stack.enter_context(stalled(server, own=f"127.0.2.{n}"))
                    for n in range(1, 9)]
        strangers = [stack.enter_context(
            stalled(server, own=f"127.0.1.{n % 3}")) for n in range(240)]
        begun = time.monotonic()
        # Until there is too much, or has been.
        while unread(server) <= most and \
                not server.metric("netuki_http_over_cap_total"):
            harness.check(time.monotonic() - begun < 20,
                          f"{unread(server)} is too little")
            time.sleep(0.05)
        begun = time.monotonic()
        while unread(server) > most:
            harness.check(time.monotonic() - begun < 10, "it stays so")
            time.sleep(0.1)
        harness.check(unread(server) > most // 2, "more went than had to")
        for peer in machines:
            harness.equal(read_head(peer)[0], 200, "a machine")


def test_cap_of_an_address():
    """One address cannot have all connections."""
    cap = 4096
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * cap + 64:
        raise harness.Skip(f"{hard} open files are too few")
    with served() as server, contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE,
                       (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (cap + 200, hard))
        for _ in range(cap):
            stack.enter_context(server.connect())
        with server.connect() as peer:
            peer.sendall(request("/healthz"))
            harness.equal(read_to_end(peer)[0], b"", "one too many")
        harness.equal(server.get("/healthz", own="127.0.0.3")[0], 200,
                      "another address")


def test_lines_are_bounded():
    """Who asks again and again does not fill the log."""
    asked = request(f"/ipxe/{MAC}?arch=x86_64") * 20
    with served() as server, server.connect() as peer:
        have = b""
        for _ in range(21000 // 20):
            peer.sendall(asked)
            for _ in range(20):
                status, _, have = read_answer(peer, have)
                harness.equal(status, 200, "an answer")
        # A minute may have ended meanwhile.
        lines = server.log().count("script 52:54:")
        harness.check(10000 <= lines <= 20000, f"{lines} lines")


# Faults of files.

def read_some(peer, amount):
    """At least AMOUNT bytes."""
    got = bytearray()
    while len(got) < amount:
        got += peer.recv(65536)
    return bytes(got)


def cut_short(path):
    """Half of the file goes."""
    os.truncate(path, BIG // 2)


def rewritten(path):
    """Other bytes of the same number, in place."""
    time.sleep(0.02)
    with open(path, "r+b") as file:
        file.seek(BIG - 5 * MIB)
        file.write(b"\0" * MIB)


@harness.cases(cut_short={"change": cut_short},
               rewritten={"change": rewritten})
def test_file_changed_while_sent(change):
    """Its readers are cut off with a reset; no one else notices."""
    with served({"big.bin": BIG, "other.bin": BIG + 1}) as server:
        with stalled(server) as peer, \
                stalled(server, "/loaders/other.bin") as other:
            got = read_some(peer, 100000)
            read = read_some(other, 100000)
            change(server.files["big.bin"])
            rest, clean = read_to_end(peer)
            harness.check(not clean, "a clean end")
            harness.check(len(got) + len(rest) < BIG, "as many bytes as whole")
            read += read_to_end_of(other, BIG + 1, read)
            harness.check(read.split(b"\r\n\r\n", 1)[1] == contents(BIG + 1),
                          "the other file")
        # What is there now is another file, with another tag.
        status, _, body = server.get("/loaders/big.bin")
        harness.equal(status, 200, "afterwards")
        harness.check(body == server.files["big.bin"].read_bytes(),
                      "neither the old nor the new file")


def read_to_end_of(peer, size, have):
    """What is missing of an answer with SIZE bytes of body."""
    left = size - len(have.split(b"\r\n\r\n", 1)[1])
    got = bytearray()
    while len(got) < left:
        data = peer.recv(1 << 18)
        harness.check(data, "closed too early")
        got += data
    return bytes(got)


def test_cold_file():
    """A file that is not in the page cache comes whole, in turns with others.

    Half of it is dropped from the cache each time, so that a download changes
    from memory to the disk and back.
    """
    with served({"big.bin": BIG, "other.bin": BIG + 1}) as server:
        for offset, length in ((0, 0), (0, BIG // 2), (BIG // 2, 0)):
            for path in server.files.values():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), offset, length,
                                     os.POSIX_FADV_DONTNEED)
            threads, bad = [], []

            def fetch(name, bad=bad):
                body = server.get(f"/loaders/{name}")[2]
                if body != contents(len(body)) or len(body) < BIG:
                    bad.append(name)

            for name in ("big.bin", "other.bin", "big.bin"):
                threads.append(threading.Thread(target=fetch, args=(name,)))
                threads[-1].start()
            for thread in threads:
                thread.join()
            harness.equal(bad, [], f"cold from {offset}: other bytes")


def evict(path, offset):
    """Drops the end of a file, its last page, from the page cache.

    Asked with mincore(2) whether it is gone: to try and read it without
    waiting would have it read in.
    """
    libc = ctypes.CDLL(None)
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), offset, 4096,
                         os.POSIX_FADV_DONTNEED)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
            view = ctypes.c_char.from_buffer(mapped, offset)
            resident = ctypes.c_ubyte(1)
            libc.mincore(ctypes.c_void_p(ctypes.addressof(view)),
                         ctypes.c_size_t(1), ctypes.byref(resident))
            del view
    if resident.value & 1:
        raise harness.Skip(f"the page cache keeps what it has of {path}")


def test_cold_end():
    """The end alone, which is held back, has to come from the disk.

    It has a page of its own, which nothing that was sent before has touched.
    """
    size = BIG + 512
    with served({"big.bin": size}) as server:
        evict(server.files["big.bin"], BIG)
        status, fields, body = server.get("/loaders/big.bin")
        harness.equal((status, fields["Content-Length"]), (200, str(size)),
                      "answer")
        harness.check(body == contents(size), "other bytes")
        harness.equal(server.metric("netuki_http_broken_total"), 0, "broken")


def test_file_replaced_while_sent():
    """A file replaced by rename: those under way get the old one, whole."""
    with served({"big.bin": BIG}) as server:
        with stalled(server) as peer:
            have = read_some(peer, 100000)
            new = server.folder / "new"
            new.write_bytes(b"other")
            os.rename(new, server.files["big.bin"])
            have += read_to_end_of(peer, BIG, have)
            harness.check(have.split(b"\r\n\r\n", 1)[1] == contents(BIG),
                          "not the old file")


# The daemon's end.

def test_restart_and_resume():
    """A download goes on where it was after a restart, under the same ETag."""
    with served({"big.bin": BIG}) as server:
        with stalled(server) as peer:
            status, fields, body = read_head(peer)
            body += read_some(peer, 200000)
            server.process.stop(signal.SIGINT)
        server.start()
        status, again, rest = server.get(
            "/loaders/big.bin", Range=f"bytes={len(body)}-{BIG - 1}",
            If_Match=fields["etag"])
        harness.equal(status, 206, "status")
        harness.equal(again["ETag"], fields["etag"], "ETag")
        harness.equal(again["Content-Range"],
                      f"bytes {len(body)}-{BIG - 1}/{BIG}", "Content-Range")
        harness.check(body + rest == contents(BIG), "other bytes")


def tftp_begin(server, name):
    """A TFTP transfer's first block: (socket, sender's address)."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.settimeout(5)
    peer.sendto(b"\0\1" + name.encode() + b"\0octet\0",
                ("127.0.0.1", server.tftp_port))
    _, sender = peer.recvfrom(2000)
    return peer, sender


def tftp_finish(peer, sender, blocks):
    """Acknowledges BLOCKS blocks of a file."""
    for block in range(1, blocks + 1):
        peer.sendto(struct.pack("!HH", 4, block), sender)
        if block < blocks:
            while struct.unpack("!HH", peer.recv(2000)[:4])[1] != block + 1:
                pass


def test_drain():
    """SIGTERM: what runs may finish, nothing new begins."""
    with served({"big.bin": BIG, "small.bin": 5000},
                more="drain-seconds: 60\n") as server:
        idle = server.connect()
        idle.sendall(request("/healthz"))
        read_answer(idle)
        with stalled(server) as peer, idle:
            have = read_some(peer, 100000)
            tftp, sender = tftp_begin(server, "small.bin")
            server.process.send(signal.SIGTERM)
            server.process.wait_output("no new boots")
            harness.equal(idle.recv(10), b"", "an idle connection")
            try:
                server.connect().close()
                raise harness.Failure("a new connection was taken")
            except ConnectionRefusedError:
                pass
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as new:
                new.settimeout(0.3)
                new.connect(("127.0.0.1", server.tftp_port))
                try:
                    new.send(b"\0\1small.bin\0octet\0")
                    harness.equal(new.recv(10), b"", "a new TFTP transfer")
                except OSError:
                    pass
            have += read_to_end_of(peer, BIG, have)
            harness.check(have.split(b"\r\n\r\n", 1)[1] == contents(BIG),
                          "not the whole file")
            server.process.require_running()
            with tftp:
                tftp_finish(tftp, sender, 10)
            # Far less than what it would wait for transfers.
            harness.equal(server.process.wait(20), 0, "exit status")
            harness.check("broken off" not in server.log(), "it ended late")
        server.start()


@harness.cases(time_over={"seconds": 2, "signals": 1, "low": 1.5},
               second_signal={"seconds": 60, "signals": 2, "low": 0},
               no_time={"seconds": 0, "signals": 1, "low": 0})
def test_drain_ends(seconds, signals, low):
    """One that does not finish holds the end up for so long and no longer.

    It would do so for its own deadline, thirty seconds.
    """
    with served({"big.bin": BIG},
                more=f"drain-seconds: {seconds}\n") as server:
        with stalled(server) as peer:
            read_some(peer, 1000)
            begun = time.monotonic()
            for number in range(signals):
                if number:
                    # Of two that wait together it would see one.
                    server.process.wait_output("no new boots")
                server.process.send(signal.SIGTERM)
            harness.equal(server.process.wait(9), 0, "exit status")
            took = time.monotonic() - begun
            harness.check(low <= took, f"it took {took:.1f} s")
        server.start()


# Boot storms.

def test_rate_limit():
    """max-rate-per-client paces large files, and small ones not."""
    with served({"big.bin": 6 * MIB, "small.bin": 900000},
                ", max-rate-per-client: 3000000") as server:
        begun = time.monotonic()
        for _ in range(20):
            server.get("/loaders/small.bin")
        # At 3 MB/s they would take six seconds.
        harness.check(time.monotonic() - begun < 4, "small files are slow")
        begun = time.monotonic()
        body = server.get("/loaders/big.bin")[2]
        took = time.monotonic() - begun
        harness.check(body == contents(6 * MIB), "other bytes")
        harness.check(1.4 < took < 8, f"6 MiB at 3 MB/s in {took:.2f} s")


def test_bulk_waits_in_line():
    """Beyond max-bulk large files come in turn, small ones at once."""
    with served({"big.bin": BIG}, ", max-bulk: 1") as server:
        first = stalled(server, receive=65536)
        read_some(first, 1000)

        def in_line(length):
            """Waits until the line is so long, and keeps the first one busy:
            who reads nothing for three seconds loses its turn."""
            until = time.monotonic() + 20
            while server.metric("netuki_http_bulk_waiting") != length:
                harness.check(time.monotonic() < until, f"not {length} wait")
                read_some(first, 5000)
                time.sleep(0.02)

        def line_up(length):
            """One more, and the line is so long."""
            peer = server.connect()
            peer.sendall(request("/loaders/big.bin"))
            in_line(length)
            return peer

        others = [line_up(number) for number in (1, 2, 3)]
        order, right = [], []

        def fetch(number, peer):
            status, body, _ = read_answer(peer)
            order.append(number)
            right.append((status, body == contents(BIG)))

        harness.equal(server.get(f"/ipxe/{MAC}?arch=x86_64")[0], 200, "script")
        harness.equal(server.metric("netuki_http_bulk_waiting"), 3,
                      "a script had to wait for those in line, who")
        # They are kept alive: drops come while the first one is read slowly.
        begun, drops = time.monotonic(), 0
        while time.monotonic() < begun + 2.5:
            read_some(first, 50000)
            time.sleep(0.02)
        for peer in others:
            drops = len(peer.recv(1 << 20))
            harness.check(1000 < drops < 10000, f"drops of {drops} bytes")
            peer.close()
        in_line(0)
        # In line anew, and to the end.
        others = []
        for number in range(3):
            others.append(threading.Thread(
                target=fetch, args=(number, line_up(number + 1))))
            others[-1].start()
        first.close()
        for thread in others:
            thread.join()
        harness.equal((order, right), ([0, 1, 2], [(200, True)] * 3),
                      "the order, and what came")


def test_stalled_bulk_loses_its_turn():
    """One that reads nothing does not keep the line waiting."""
    with served({"big.bin": BIG}, ", max-bulk: 1") as server:
        with stalled(server) as first:
            read_some(first, 1000)
            begun = time.monotonic()
            body = server.get("/loaders/big.bin")[2]
            took = time.monotonic() - begun
            harness.check(body == contents(BIG), "other bytes")
            harness.check(2 < took < 10, f"the next one took {took:.1f} s")


if __name__ == "__main__":
    harness.main(globals())
