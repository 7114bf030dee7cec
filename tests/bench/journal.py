#!/usr/bin/python3
"""What the journal costs: netukid with it, and built without it, in turns.

    tests/bench/journal.py [--rounds N] [--only PATTERN] [--json FILE]

Without it nothing is told of a download: no boots, no history, no metrics of
boots and no line in the log. Both serve the same storms on one core, the
clients are on the other. Prints medians and their ratio; the goal is 98 % of
the throughput.
"""

import argparse
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import bench, paths  # noqa: E402

# Its plain name is a module of Python's.
_spec = importlib.util.spec_from_file_location(
    "bench_http", Path(__file__).with_name("http.py"))
bench_http = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bench_http)

GOAL = 0.98
SILENT = paths.BUILD / "silent"


class Told(bench_http.Netukid):
    """netukid as it is."""

    def tftp_port(self):
        """Where it serves TFTP."""
        text = (self.folder / "netuki.yaml").read_text()
        return re.search(r"tftp: {port: (\d+)}", text).group(1)


class Silent(Told):
    """netukid without its journal."""

    def command(self, files):
        """The command line."""
        return [SILENT / "netukid", *super().command(files)[1:]]


def tftp(server, files, options):
    """A storm over TFTP; its figures."""
    cpu = server.cpu()
    done = subprocess.run(
        bench.command(
            f"tftp://127.0.0.1:{server.tftp_port()}/small.bin",
            "--file", files["small.bin"], *options.split()),
        capture_output=True, text=True, timeout=300, check=True,
        preexec_fn=lambda: os.sched_setaffinity(
            0, {bench_http.CLIENT_CORE}))
    found = bench.figures(done.stdout)
    found["cpu_gb"] = (server.cpu() - cpu) / found["bytes"] * 1e9
    return found


WORKS = {
    "HTTP, 100 clients, 64 MiB":
        lambda s, _: bench_http.timed(s, "mid.bin", 100, 100,
                                      bench_http.KEEP),
    "TFTP, 50 iPXE, 174 kB":
        lambda s, files: tftp(s, files, "--as ipxe --clients 50 --loads 20"),
    "TFTP, 50 EDK2, 174 kB":
        lambda s, files: tftp(s, files, "--as edk2 --clients 50 --loads 40"),
    "HTTP, 100 clients, 174 kB, keep-alive":
        lambda s, _: bench_http.timed(s, "small.bin", 100, 40000,
                                      bench_http.KEEP),
}
# No storm of boots, whose bytes are those of images: what a request costs.
NO_GOAL = {"HTTP, 100 clients, 174 kB, keep-alive"}


def compare(run, folder, files, rounds):
    """The figures of both, in turns: {class: [figures]}."""
    runs = {Told: [], Silent: []}
    for turn in range(rounds):
        for kind in (Told, Silent) if turn % 2 else (Silent, Told):
            server = kind(folder, files)
            try:
                runs[kind].append(run(server, files))
            finally:
                server.stop()
    return runs


def show(work, runs):
    """The row of one work."""
    def median(kind, key):
        return statistics.median(found[key] for found in runs[kind])

    ratio = median(Told, "mb_s") / median(Silent, "mb_s")
    cpu = median(Told, "cpu_gb") / median(Silent, "cpu_gb")
    verdict = "reached" if ratio >= GOAL else "MISSED"
    print(f"{work:38} {median(Told, 'mb_s'):8.0f} "
          f"{median(Silent, 'mb_s'):8.0f} {ratio:7.3f} x {cpu:7.3f} x  "
          f"{'-' if work in NO_GOAL else verdict}", flush=True)


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="a part of a work's name")
    parser.add_argument("--json", help="also write every figure to this file")
    args = parser.parse_args()
    subprocess.run(["make", "-s", "-C", paths.REPO, f"B={SILENT}",
                    "CPPFLAGS=-DJOURNAL_OFF", f"{SILENT}/netukid"],
                   check=True, stdout=subprocess.DEVNULL)
    folder = Path(tempfile.mkdtemp(prefix="nk-bench-journal-"))
    everything = {}
    try:
        folder.chmod(0o755)
        files = {}
        for name, size in bench_http.FILES.items():
            files[name] = folder / name
            files[name].write_bytes(os.urandom(size))
        print(f"{'storm':38} {'MB/s':>8} {'without':>8} {'ratio':>9} "
              f"{'CPU/GB':>9}  goal >= {GOAL} x")
        for work, run in WORKS.items():
            if args.only in work:
                everything[work] = compare(run, folder, files, args.rounds)
                show(work, everything[work])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        Path(args.json).write_text(json.dumps(
            {work: {kind.__name__: found for kind, found in runs.items()}
             for work, runs in everything.items()}, indent=1))


if __name__ == "__main__":
    main()
