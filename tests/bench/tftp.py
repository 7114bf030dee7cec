#!/usr/bin/python3
"""TFTP: netukid against dnsmasq, tftpd-hpa and atftpd, in turns, on loopback.

    tests/bench/tftp.py [--rounds N] [--only PATTERN] [--servers NAMES]
                        [--json FILE]

Each server has a network namespace of its own and runs on one core, the
clients (netukictl bench) on the other.  All serve the same files.  Prints medians,
and what the goals are about: ratios to the best of the other servers.  CPU is
the server's seconds per gigabyte, its children and threads counted.
"""

import argparse
import contextlib
import fnmatch
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, bench, netns, paths, peers  # noqa: E402
from lab.lab import Lab  # noqa: E402

SIZES = {"loader.efi": 174080, "bulk.efi": 64 << 20}
# name: (file, the client's options, goals).  The goals: what, from where the
# ratio is taken ("best": the best of the others; the name of one; None: a
# figure), and its limit; "mb_s" is to be above it, all else below.
LOCKSTEP = [("mb_s", "best", 1.0), ("cpu", "best", 0.95)]
WORKS = {
    "lockstep 1468": ("bulk.efi", "--window 1", LOCKSTEP),
    "lockstep 1432": ("bulk.efi", "--as ipxe", LOCKSTEP),
    "window 4": ("bulk.efi", "--window 4",
                 [("mb_s", "best", 1.25), ("cpu", "best", 0.6)]),
    "window 16": ("bulk.efi", "--window 16 --loads 2",
                  [("mb_s", "best", 1.6), ("cpu", "best", 0.4)]),
    "window 64": ("bulk.efi", "--window 64 --loads 4",
                  [("mb_s", "best", 2.2), ("cpu", "best", 0.4)]),
    "window 64, GRO": ("bulk.efi", "--window 64 --gro --loads 8",
                       [("cpu", None, 0.3), ("mb_s", "segment", 0.8)]),
    "50 iPXE": ("loader.efi", "--as ipxe --clients 50 --loads 10",
                [("mb_s", "best", 1.0), ("cpu", "best", 0.95)]),
    "500 iPXE": ("loader.efi", "--as ipxe --clients 500 --loads 2",
                 [("mb_s", "best", 1.8), ("p99_ms", "best", 0.25),
                  ("timeouts", None, 0)]),
    "1000 iPXE": ("loader.efi", "--as ipxe --clients 1000",
                  [("mb_s", "best", 1.0), ("timeouts", None, 0),
                   ("spread", None, 1.5)]),
    "50 EDK2": ("loader.efi", "--as edk2 --clients 50 --loads 10",
                [("mb_s", "best", 2.0), ("cpu", "best", 0.5)]),
    "20 EDK2, 64 MiB": ("bulk.efi", "--as edk2 --clients 20",
                        [("mb_s", "best", 2.2), ("cpu", "best", 0.5),
                         ("spread", None, 1.1)]),
    "1 % lost": ("loader.efi", "--as edk2 --clients 20 --loads 10 --loss 1",
                 [("p50_ms", None, 30), ("p99_ms", None, 150),
                  ("again", None, 0.03)]),
    "5 % lost": ("loader.efi", "--as edk2 --clients 20 --loads 10 --loss 5",
                 [("p99_ms", None, 1000)]),
    "lockstep, 1 % lost": ("loader.efi",
                           "--as ipxe --clients 20 --loads 10 --loss 1", []),
    "lockstep, 5 % lost": ("loader.efi",
                           "--as ipxe --clients 20 --loads 10 --loss 5",
                           [("max_ms", None, 1500)]),
    "ACKs doubled": ("loader.efi", "--as ipxe --double --loads 20",
                     [("needless", None, 0)]),
    "not there": ("absent.efi", "--missing --loads 500",
                  [("p50_ms", "best", 1.2)]),
}
LOSSY = {f"{work}, {loss} % lost":
         (WORKS[work][0], f"{WORKS[work][1]} --loss {loss}", [])
         for work in ("window 16", "window 64", "50 iPXE", "500 iPXE",
                      "20 EDK2, 64 MiB") for loss in (1, 5)}
WORKS.update(LOSSY)
# dnsmasq and tftpd-hpa know no windows: they are what they are in lockstep.
# With many losses all three would wait for minutes, their time-outs being
# seconds; and atftpd sends a block for each ACK, doubled or not.  A thousand
# processes of tftpd-hpa are so slow that clients give up.
NOT_FOR = {
    "1000 iPXE": ("tftpd-hpa",),
    "window 4": ("dnsmasq", "tftpd-hpa"),
    "window 16": ("dnsmasq", "tftpd-hpa"),
    "window 64": ("dnsmasq", "tftpd-hpa"),
    "window 64, GRO": ("dnsmasq", "tftpd-hpa"),
    "5 % lost": ("dnsmasq", "tftpd-hpa", "atftpd"),
    "lockstep, 1 % lost": ("dnsmasq", "tftpd-hpa", "atftpd"),
    "lockstep, 5 % lost": ("dnsmasq", "tftpd-hpa", "atftpd"),
    "ACKs doubled": ("atftpd",),
    **{work: ("dnsmasq", "tftpd-hpa", "atftpd") for work in LOSSY},
}
# With losses the others wait for seconds, and so many clients of netukid lose
# so many packets that one round says it: (server, work) that run once.
ONCE = {*((server, "1 % lost") for server in ("dnsmasq", "tftpd-hpa",
                                              "atftpd")),
        *(("netukid", f"20 EDK2, 64 MiB, {loss} % lost") for loss in (1, 5))}
# No server, but what the kernel sends if nothing else is to be done.
ONLY_FOR = {"segment": ("window 64, GRO",)}
COLUMNS = ("mb_s", "cpu", "p50_ms", "p99_ms", "max_ms", "spread", "timeouts",
           "again", "needless")


def start_netukid(lab, ns, root):
    """netukid on loopback; its loaders are the files."""
    more = ("interfaces: [lo]\ndhcp: {enabled: false}\n" +
            appliance.loaders(*sorted(root.iterdir())))
    return lab.start_netukid(appliance.config(lab, [], more), ns)


def start_other(name):
    """What starts one of the other servers."""
    return lambda lab, ns, root: lab.spawn(
        peers.tftp_server(name, root, lab.tmp), ns, name)


def start_segment(lab, ns, root):
    """bench_segment, which sends as fast as it can."""
    return lab.spawn([paths.built("tests/bench/bench_segment"),
                      root / "bulk.efi"], ns, "bench_segment")


# tftpd-hpa forks for each request, atftpd has a thread for each.
SERVERS = {"netukid": start_netukid, **{
    name: start_other(name) for name in ("dnsmasq", "tftpd-hpa", "atftpd")},
    "segment": start_segment}


def is_run(server, work):
    """Whether SERVER takes part in WORK."""
    return (server not in NOT_FOR.get(work, ()) and
            work in ONLY_FOR.get(server, WORKS))


class Meter:
    """The CPU time of a process and of all that it starts: a control group.

    The kernel forgets what children used that nobody waits for, as those of
    tftpd-hpa.  The group is gone after clear().
    """

    def __init__(self, pid):
        for root, usage in (("/sys/fs/cgroup/cpuacct", "cpuacct.usage"),
                            ("/sys/fs/cgroup", "cpu.stat")):
            # Those of a run that was killed; one in use cannot be removed.
            for self._folder in Path(root).glob("netuki-bench-*"):
                self.clear()
            self._folder = Path(root, f"netuki-bench-{pid}")
            try:
                self._folder.mkdir()
                self._usage = self._folder / usage
                self.seconds()
                (self._folder / "cgroup.procs").write_text(str(pid))
                return
            except OSError:
                self.clear()
        raise paths.Missing("a control group to count CPU time")

    def seconds(self):
        """CPU seconds so far."""
        fields = self._usage.read_text().split()
        if fields[0] == "usage_usec":
            return int(fields[1]) / 1e6
        return int(fields[0]) / 1e9

    def clear(self):
        """Removes the group; its processes have ended."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()


def measure(lab, ns, process, meter, root, work, seed):
    """One run; a dict of figures, or None if the client gave up."""
    name, options, _ = WORKS[work]
    file = root / (name if (root / name).exists() else "loader.efi")
    # Children that end late belong to the run before.
    time.sleep(0.1)
    before = meter.seconds()
    check = () if work == "not there" else ("--file", file)
    done = subprocess.run(
        bench.command(f"tftp://127.0.0.1/{name}", *options.split(), *check,
                      "--seed", seed),
        capture_output=True, text=True, timeout=600,
        preexec_fn=lambda: (netns.child_setup(lab.ns(ns))(),
                            os.sched_setaffinity(0, {1})))
    process.require_running()
    time.sleep(0.05)
    if done.returncode > 1:
        raise RuntimeError(f"netukictl bench: {done.stderr}")
    found = bench.figures(done.stdout)
    found["cpu"] = (meter.seconds() - before) / max(found["bytes"], 1) * 1e9
    found["spread"] = found["max_ms"] / max(found["min_ms"], 1e-9)
    found["again"] /= max(found["blocks"] - found["again"], 1)
    if work == "not there":
        found["cpu"] = found["mb_s"] = 0
    return found


def judge(work, medians, out=sys.stdout):
    """Prints each goal of WORK with what was reached."""
    others = [row for name, row in medians.items()
              if name not in ("netukid", *ONLY_FOR)]
    for what, against, limit in WORKS[work][2]:
        value = medians["netukid"][what]
        more = what == "mb_s"
        note = ""
        if against == "segment":
            if against not in medians:
                continue
            value /= medians[against][what]
            note = " x a sender of nothing but segments"
        elif against == "best":
            known = [row[what] for row in others if row]
            if not known:
                continue
            best = max(known) if more else min(known)
            value /= max(best, 1e-9)
            note = " x the best of the others"
        good = value >= limit if more else value <= limit
        print(f"{'':26} {'goal':9} {what} {'>=' if more else '<='} "
              f"{limit:g}{note}: {value:.3g} "
              f"{'reached' if good else 'MISSED'}", file=out, flush=True)


def show(work, server, row, rounds):
    """Prints one line of the table, medians of ROUNDS rounds."""
    print(f"{work:26} {server:9} {row['mb_s']:8.1f} {row['cpu']:7.3f} "
          f"{row['p50_ms']:9.2f} {row['p99_ms']:9.2f} {row['spread']:7.2f} "
          f"{row['timeouts']:8.0f} {row['again']:7.2%} "
          f"{row['needless']:8.0f} {row['failed']:6.0f} {rounds:6}",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="*")
    parser.add_argument("--servers", default=",".join(SERVERS))
    parser.add_argument("--json", help="also write every figure to this file")
    args = parser.parse_args()
    with Lab() as lab, contextlib.ExitStack() as stack:
        everything = compare(lab, stack, args)
    if args.json:
        Path(args.json).write_text(json.dumps(everything, indent=1))


def start_all(lab, stack, names, root):
    """Starts the servers: ({name: process}, {name: meter})."""
    processes, meters = {}, {}
    for number, name in enumerate(names):
        # tftpd-hpa finds its own address only where there is another.
        lab.host(name, f"10.77.0.{number + 1}/24")
        process = processes[name] = SERVERS[name](lab, name, root)
        meters[name] = Meter(process.pid)
        stack.callback(lambda p=process, m=meters[name]: (p.stop(), m.clear()))
        # The threads that it has already, too.
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {0})
    time.sleep(0.5)
    return processes, meters


def compare(lab, stack, args):
    """Runs all works that ARGS want; all figures."""
    everything = {}
    names = args.servers.split(",")
    root = lab.tmp / "root"
    root.mkdir()
    for name, size in SIZES.items():
        (root / name).write_bytes(random.Random(size).randbytes(size))
    processes, meters = start_all(lab, stack, names, root)
    print(f"{'work':26} {'server':9} {'MB/s':>8} {'CPU/GB':>7} {'p50 ms':>9} "
          f"{'p99 ms':>9} {'max/min':>7} {'timeouts':>8} {'again':>7} "
          f"{'needless':>8} {'failed':>6} {'rounds':>6}")
    for work in WORKS:
        if not any(fnmatch.fnmatch(work, p) for p in args.only.split("|")):
            continue
        runs = {name: [] for name in names if is_run(name, work)}
        for turn in range(args.rounds):
            for name, found in runs.items():
                if turn and (name, work) in ONCE:
                    continue
                found.append(measure(lab, name, processes[name], meters[name],
                                     root, work, turn * 1000))
        everything[work] = runs
        medians = {}
        for name, found in runs.items():
            medians[name] = {
                key: statistics.median(run[key] for run in found)
                for key in COLUMNS + ("failed",)}
            show(work, name, medians[name], len(found))
        if "netukid" in medians:
            judge(work, medians)
    return everything


if __name__ == "__main__":
    main()
