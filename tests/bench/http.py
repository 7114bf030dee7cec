#!/usr/bin/python3
"""HTTP: netukid against nginx (one worker, sendfile), in turns, on loopback.

    tests/bench/http.py [--rounds N] [--only PATTERN] [--json FILE]

The server runs on one core, the clients (netukictl bench) on the other.  Both serve
the same files and both write a line of log for each.  Prints medians, the
ratio to nginx, and the goal that the ratio has to meet.
"""

import argparse
import contextlib
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import bench, paths, peers  # noqa: E402
from lab.process import Process  # noqa: E402

MB = 1 << 20
FILES = {"big.bin": 256 * MB, "mid.bin": 64 * MB, "small.bin": 174 * 1024,
         "script.bin": 600}
MAC = "52-54-00-10-00-01"
SERVER_CORE, CLIENT_CORE = 0, 1

# work: figures, and bounds for their ratio to nginx's (and see show()).
GOALS = {
    "one client, 256 MiB": (("mb_s", ">=", 1.0), ("cpu_gb", "<=", 1.0)),
    "100 clients, 64 MiB": (("mb_s", ">=", 1.0), ("cpu_gb", "<=", 1.0)),
    "1,000 clients, 64 MiB": (("mb_s", ">=", 1.0), ("cpu_gb", "<=", 1.0)),
    "174 kB, 100 keep-alive": (("per_s", ">=", 1.05),),
    "174 kB, a connection each": (("per_s", ">=", 1.05),),
    "script, 20,000 keep-alive": (("per_s", ">=", 1.0),),
    "script beside 100 bulk": (("p99_ms", "<=", 0.5),),
    "idle connections": (),
}
IDLE_BYTES, SCRIPT_P99_MS, SLOWEST = 512, 5, 1.5
FIGURES = {"mb_s": "MB/s", "cpu_gb": "CPU s/GB", "per_s": "requests/s",
           "p50_ms": "p50 ms", "p99_ms": "p99 ms", "slowest": "slowest/p50",
           "idle_bytes": "bytes each"}


def free_port():
    """A TCP port that nobody listens on.

    It is none that the kernel gives out: a probe of such a port, while nobody
    listens there, can connect to itself.
    """
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """A server under test, on its core."""

    def __init__(self, folder, files):
        self.folder = folder
        self.port = free_port()
        self.process = Process(type(self).__name__, self.command(files), None,
                               folder / f"{type(self).__name__}.log", None,
                               folder)
        os.sched_setaffinity(self.process.pid, {SERVER_CORE})
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(
                    ("127.0.0.1", self.port), 1):
                break
            self.process.require_running()
            if time.monotonic() > deadline:
                raise TimeoutError(self.process.output())
            time.sleep(0.05)
        for pid in self.pids():
            os.sched_setaffinity(pid, {SERVER_CORE})

    def pids(self):
        """The server's processes, its own children too."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}"
                        "/children").read_text().split()
        return [self.process.pid] + [int(pid) for pid in children]

    def cpu(self):
        """Seconds of CPU so far, of all threads."""
        return sum(int(path.read_text().split()[0]) for pid in self.pids()
                   for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
                   ) / 1e9

    def memory(self):
        """Bytes of its own memory: the heap, not the program's pages."""
        return sum(int(re.search(
            r"RssAnon:\s+(\d+) kB",
            Path(f"/proc/{pid}/status").read_text()).group(1))
            for pid in self.pids()) * 1024

    def path(self, name):
        """The URL's path of a file."""
        return f"/loaders/{name}"

    def stop(self):
        """Ends it."""
        self.process.stop(signal.SIGINT)


class Netukid(Server):
    """netukid, with the files as loaders."""

    def command(self, files):
        """The command line."""
        entries = "".join(
            f"  - {{name: f{n}, mac: '52:54:00:bb:00:{n:02x}', "
            f"mode: local, loaders: {{x64: {path}}}}}\n"
            for n, path in enumerate(files.values()))
        config = self.folder / "netuki.yaml"
        images = self.folder / "images"
        images.mkdir(exist_ok=True)
        config.write_text(
            f"interfaces: [lo]\nimages: {images}\n"
            f"control: {self.folder}/c.sock\nstate: {self.folder}\n"
            f"dhcp: {{enabled: false}}\ntftp: {{port: {free_port()}}}\n"
            f"http: {{port: {self.port}}}\nmachines:\n"
            f"  - {{name: s, mac: {MAC.replace('-', ':')}, mode: local}}\n"
            f"{entries}")
        return paths.netukid(config)

    def path(self, name):
        """A script is made anew for each request."""
        return f"/ipxe/{MAC}?arch=x86_64&platform=efi" \
            if name == "script.bin" else super().path(name)


class Nginx(Server):
    """nginx as the laboratory configures it, with room for the clients."""

    def command(self, files):
        """The command line."""
        root = self.folder / "root"
        (root / "loaders").mkdir(parents=True, exist_ok=True)
        for name, path in files.items():
            target = root / "loaders" / name
            if not target.exists():
                target.symlink_to(path)
        config = self.folder / "nginx.conf"
        config.write_text(peers.nginx_config(self.folder, root, self.port))
        return peers.nginx(self.folder, config)


def client(server, name, connections, requests, *options):
    """Starts clients; what they get is thrown away by the kernel."""
    url = f"http://127.0.0.1:{server.port}{server.path(name)}"
    return subprocess.Popen(
        bench.command(url, "--as", "ipxe", "--no-check", "--clients",
                      connections, "--loads", requests // connections,
                      *options),
        stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}))


def ended(process):
    """What it measured."""
    out, _ = process.communicate(timeout=300)
    if process.returncode:
        raise RuntimeError(f"netukictl bench: status {process.returncode}")
    return bench.figures(out)


def timed(server, name, connections, requests, *options):
    """One run of clients; all figures."""
    cpu = server.cpu()
    found = ended(client(server, name, connections, requests, *options))
    found["cpu_gb"] = (server.cpu() - cpu) / found["bytes"] * 1e9
    found["per_s"] = found["loads"] / found["seconds"]
    found["slowest"] = found["max_ms"] / max(found["p50_ms"], 1e-9)
    return found


def beside_bulk(server):
    """A script now and then, while 100 clients download."""
    bulk = client(server, "mid.bin", 100, 100000, KEEP)
    time.sleep(0.3)
    found = ended(client(server, "script.bin", 1, 200, KEEP, "--pause",
                         "10ms"))
    if bulk.poll() is not None:
        raise RuntimeError("the bulk ended too early")
    bulk.kill()
    bulk.communicate()
    time.sleep(0.2)
    return found


def ask_once(server, connections):
    """So many connections on which one answer has come: their sockets."""
    request = (f"GET {server.path('script.bin')} HTTP/1.1\r\nHost: x\r\n"
               "\r\n").encode()
    opened = []
    for _ in range(connections):
        one = socket.create_connection(("127.0.0.1", server.port), 10)
        one.sendall(request)
        opened.append(one)
    for one in opened:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += one.recv(65536)
        head, body = answer.split(b"\r\n\r\n", 1)
        left = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])
        while len(body) < left:
            body += one.recv(65536)
    return opened


def idle(server):
    """Memory of connections that ask nothing more."""
    some = 1000
    for one in ask_once(server, some):
        one.close()
    time.sleep(0.5)
    before = server.memory()
    opened = ask_once(server, 3 * some)
    used = server.memory() - before
    for one in opened:
        one.close()
    return {"idle_bytes": max(used, 1) / (3 * some)}


KEEP = "--keep-alive"
WORKS = {
    "one client, 256 MiB": lambda s: timed(s, "big.bin", 1, 8, KEEP),
    "100 clients, 64 MiB": lambda s: timed(s, "mid.bin", 100, 100, KEEP),
    "1,000 clients, 64 MiB": lambda s: timed(s, "mid.bin", 1000, 1000, KEEP),
    "174 kB, 100 keep-alive": lambda s: timed(s, "small.bin", 100, 40000, KEEP),
    "174 kB, a connection each":
        lambda s: timed(s, "small.bin", 100, 20000),
    "script, 20,000 keep-alive":
        lambda s: timed(s, "script.bin", 10, 20000, KEEP),
    "script beside 100 bulk": beside_bulk,
    "idle connections": idle,
}
# Long runs say little more when they are repeated.
ROUNDS = {"1,000 clients, 64 MiB": 1}


def verdict(ratio, goals):
    """The goals of a work, and which of them are met."""
    words = []
    for figure, sign, bound in goals:
        good = ratio[figure] >= bound if sign == ">=" else \
            ratio[figure] <= bound
        words.append(f"{FIGURES[figure]} {sign} {bound:g} x"
                     f"{'' if good else ' MISSED'}")
    return ", ".join(words)


def show(work, runs):
    """The rows of one work."""
    columns = [key for key in FIGURES if key in runs["netukid"][0]]
    if "per_s" in columns and work.endswith("MiB"):
        columns.remove("per_s")
    medians = {server: {key: statistics.median(run[key] for run in found)
                        for key in columns}
               for server, found in runs.items()}
    ratio = {key: medians["netukid"][key] / max(medians["nginx"][key], 1e-9)
             for key in columns}
    goal = verdict(ratio, GOALS[work])
    if work == "idle connections":
        good = medians["netukid"]["idle_bytes"] <= IDLE_BYTES
        goal = f"<= {IDLE_BYTES} bytes{'' if good else ' MISSED'}"
    if work == "script beside 100 bulk":
        good = medians["netukid"]["p99_ms"] <= SCRIPT_P99_MS
        goal += f", <= {SCRIPT_P99_MS} ms{'' if good else ' MISSED'}"
    if work == "100 clients, 64 MiB":
        good = medians["netukid"]["slowest"] <= SLOWEST
        goal += f", slowest <= {SLOWEST} x p50{'' if good else ' MISSED'}"
    print(f"{work}  (goal: {goal})")
    print(" " * 9 + "".join(f"{FIGURES[key]:>13}" for key in columns))
    for name, row in {**medians, "ratio": ratio}.items():
        print(f"  {name:7}" + "".join(f"{row[key]:13.3f}" if row[key] < 100
                                      else f"{row[key]:13.0f}"
                                      for key in columns), flush=True)


def measure(args, folder, files):
    """All works; every figure."""
    everything = {}
    for work, run in WORKS.items():
        if args.only not in work:
            continue
        runs = {"netukid": [], "nginx": []}
        for _ in range(ROUNDS.get(work, args.rounds)):
            for kind in (Netukid, Nginx):
                server = kind(folder, files)
                try:
                    runs[kind.__name__.lower()].append(run(server))
                finally:
                    server.stop()
        everything[work] = runs
        show(work, runs)
    return everything


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="a part of a work's name")
    parser.add_argument("--json", help="also write every figure to this file")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    folder = Path(tempfile.mkdtemp(prefix="nk-bench-http-"))
    try:
        folder.chmod(0o755)
        files = {}
        for name, size in FILES.items():
            files[name] = folder / name
            files[name].write_bytes(os.urandom(MB)[:size] * max(
                1, size // MB))
        everything = measure(args, folder, files)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        Path(args.json).write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
