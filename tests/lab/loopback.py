"""netukid without a network and without privileges: on loopback, no DHCP.

    with Loopback("  - {name: lab-01, mac: 52:54:00:00:00:01}\\n") as box:
        box.start()
        print(box.json("machines"))
        data = box.get("/images/x.efi")
"""

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab import harness, paths, pe
from lab.process import Process

SERVER = "127.0.0.1"
DEFAULTS = "defaults: {image: x.efi}\n"


def free_port(kind=socket.SOCK_STREAM):
    """A port that nobody has at the moment, of both families.

    From below the range of which the kernel gives ports to connections:
    another program's would be there when netukid wants it.  A probe of such a
    port, while nobody listens there, can even connect to itself.
    """
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket(family, kind) as probe, \
                contextlib.suppress(OSError):
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind(("", port))
            return port


class Loopback:
    """A folder, a configuration, and netukid as often as it is started.

    MACHINES is the text below `machines:`, MORE any other text of the
    configuration.  There are two images, x.efi and y.efi; x.efi is loaded
    when nothing else is said.
    """

    def __init__(self, machines="", more=DEFAULTS):
        self.tmp = Path(tempfile.mkdtemp(prefix="netuki-loopback-"))
        self.images = self.tmp / "images"
        self.state = self.tmp / "state"
        self.control = self.tmp / "control.sock"
        self.config = self.tmp / "netuki.yaml"
        self.http = free_port(socket.SOCK_STREAM)
        self.tftp = free_port(socket.SOCK_DGRAM)
        self.netukid = None
        self._starts = 0
        self.images.mkdir()
        self.state.mkdir()
        self.image("x.efi", pe.uki())
        self.image("y.efi", pe.uki("other", 120000, 40000))
        (self.tmp / "loader.efi").write_bytes(b"MZ a loader")
        (self.tmp / "loader.kpxe").write_bytes(b"a loader")
        self.write_config(machines, more)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, _traceback):
        if kind and kind is not paths.Missing and self.netukid:
            print("--- netukid, end of its output ---",
                  *self.log().splitlines()[-30:], sep="\n", file=sys.stderr)
        self.stop(signal.SIGINT)  # without waiting for clients
        shutil.rmtree(self.tmp, ignore_errors=True)

    def image(self, name, data):
        """Puts an image into the catalogue's folder."""
        return pe.write(self.images / name, data)

    def config_text(self, machines="", more=DEFAULTS):
        """The text of a configuration."""
        return (f"interfaces: [lo]\nimages: {self.images}\n"
                f"loaders: {{x64: {self.tmp}/loader.efi, "
                f"bios: {self.tmp}/loader.kpxe}}\n"
                f"dhcp: {{enabled: false}}\ntftp: {{port: {self.tftp}}}\n"
                f"http: {{port: {self.http}}}\nstate: {self.state}\n"
                f"control: {self.control}\n{more}"
                f"machines:{' []' if not machines else ''}\n{machines}")

    def write_config(self, machines="", more=DEFAULTS):
        """Replaces the configuration, as an editor would."""
        fresh = self.tmp / "netuki.yaml.new"
        fresh.write_text(self.config_text(machines, more))
        fresh.rename(self.config)

    # The daemon.

    def start(self, timeout=60, env=None):
        """Starts netukid, and waits until it is ready."""
        self._starts += 1
        log = self.tmp / f"netukid-{self._starts}.log"
        self.netukid = Process(
            "netukid", paths.netukid(self.config), None, log, env)
        deadline = time.monotonic() + timeout * paths.SLOW
        while not self.answers():
            self.netukid.require_running()
            harness.check(time.monotonic() < deadline, "netukid is not ready")
            time.sleep(0.01)
        return self.netukid

    def answers(self):
        """Whether the daemon takes requests, and answers them."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, \
                contextlib.suppress(OSError):
            probe.settimeout(paths.SLOW)
            probe.connect(str(self.control))
            probe.sendall(b'{"command": "status"}\n')
            return probe.recv(1) != b""
        return False

    def stop(self, how=signal.SIGTERM):
        """Ends it, if it runs; its exit status."""
        if not self.netukid:
            return None
        status = self.netukid.stop(how)
        return status

    def restart(self, how=signal.SIGTERM):
        """Ends it and starts it again."""
        self.stop(how)
        return self.start()

    def log(self):
        """What the running netukid has said so far."""
        return self.netukid.output()

    # netukictl.

    def ctl(self, *args, status=0, env=None, **more):
        """Runs netukictl; fails unless it ends with STATUS."""
        command = [paths.built("netukictl"), *args, "--control", self.control]
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=30,
            env={**os.environ, "LC_ALL": "C", **(env or {})}, **more)
        harness.check(
            done.returncode == status,
            f"netukictl {' '.join(map(str, args))}: status "
            f"{done.returncode}: {done.stdout}{done.stderr}")
        return done

    def text(self, *args):
        """What a command prints for people."""
        done = self.ctl(*args)
        harness.equal(done.stderr, "", "standard error")
        return done.stdout

    def json(self, *args, status=0):
        """What a command answers with --json."""
        return json.loads(self.ctl(*args, "--json", status=status).stdout)

    def refused(self, *args, status=1):
        """What a command says on standard error when it is refused."""
        done = self.ctl(*args, status=status)
        harness.equal(done.stdout, "", "standard output")
        return done.stderr

    def machine(self, name):
        """A machine as `netukictl machines` has it."""
        for machine in self.json("machines")["machines"]:
            if machine["name"] == name:
                return machine
        raise harness.Failure(f"no machine {name}")

    # As a machine.

    def request(self, path, method="GET", headers=None):
        """(status, body) of an HTTP request."""
        connection = http.client.HTTPConnection(SERVER, self.http, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read()

    def get(self, path):
        """The body of an HTTP answer, which must be a good one."""
        status, body = self.request(path)
        harness.equal(status, 200, f"status of {path}")
        return body

    def fetch_tftp(self, name, blocks=None):
        """The bytes of a file over TFTP; with BLOCKS only so many blocks,
        and then an ERROR, as firmware that only asks for the size."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.sendto(b"\0\1" + name.encode() +
                          b"\0octet\0blksize\x001468\0", (SERVER, self.tftp))
            data, at = b"", 0
            while True:
                packet, peer = client.recvfrom(2000)
                kind, number = packet[1], packet[2:4]
                harness.check(kind in (3, 6), f"{name}: {packet[:60]!r}")
                if kind == 6:
                    number = b"\0\0"
                elif number == (at + 1 & 0xFFFF).to_bytes(2, "big"):
                    data += packet[4:]
                    at += 1
                if blocks is not None and at >= blocks:
                    client.sendto(b"\0\5\0\0enough\0", peer)
                    return data
                client.sendto(b"\0\4" + number, peer)
                if kind == 3 and len(packet) < 4 + 1468:
                    return data
