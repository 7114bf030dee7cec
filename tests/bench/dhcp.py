#!/usr/bin/python3
"""ProxyDHCP: netukid against dnsmasq, in turns, on a veth pair.

    tests/bench/dhcp.py [--rounds N] [--seconds S] [--json FILE]

The server runs on one core, the client (bench_dhcp) on the other.  netukid
has 10,000 machines configured, dnsmasq its one pxe-service.  Prints medians
and the ratio to dnsmasq.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, latency, netns, paths, uki  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402

MACHINES = 10000
# name: (outstanding, mode)
WORKS = {"one outstanding": (1, ""), "32 outstanding": (32, ""),
         "32, OFFER and 4011": (32, "sequence"),
         "1,000 a second": (1000, "rate"), "1,000 at once": (1000, "burst")}


def machines():
    """The machines that bench_dhcp plays."""
    return "machines:\n" + "".join(
        f"  - {{name: m{n}, mac: '52:54:00:10:{n >> 8:02x}:{n & 255:02x}'}}\n"
        for n in range(MACHINES))


def start_netukid(lab):
    """netukid with ten thousand machines."""
    appliance.add_image(lab, "small.efi", uki.build())
    more = "defaults: {image: small.efi}\ninterfaces: [eth0]\n" + machines()
    return lab.start_netukid(appliance.config(lab, [], more), timeout=60)


def start_dnsmasq(lab):
    """dnsmasq as ProxyDHCP."""
    return lab.start_dnsmasq_proxy(lab.tmp, "netuki", [
        "--pxe-service=x86-64_EFI,netboot,snponly.efi", "--quiet-dhcp"])


SERVERS = {"netukid": start_netukid, "dnsmasq": start_dnsmasq}


def cpu(pid):
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(server, work, seconds):
    """One run; a dict of figures."""
    outstanding, mode = WORKS[work]
    with Lab() as lab:
        lab.host("netuki", f"{NETUKI_ADDRESS}/24")
        lab.host("client", "10.77.0.50/24")
        process = SERVERS[server](lab)
        os.sched_setaffinity(process.pid, {0})
        before = cpu(process.pid)
        command = [str(paths.BUILD / "tests/bench/bench_dhcp"), "eth0",
                   NETUKI_ADDRESS, str(outstanding), str(seconds)]
        command += [mode, "10.77.0.50"] if mode else []
        done = subprocess.run(
            command, capture_output=True, text=True, check=True,
            timeout=seconds + 60,
            preexec_fn=lambda: (netns.child_setup(lab.ns("client"))(),
                                os.sched_setaffinity(0, {1})))
        found = json.loads(done.stdout)
        used = cpu(process.pid) - before
        replies = max(found["replies"], 1)
        found["per_second"] = replies / found["seconds"]
        found["cpu_us"] = used * 1e6 / replies
        found["answered"] = found["replies"] / max(
            found["sent"] if mode == "burst" else
            found["replies"] + found["lost"], 1)
        return found


# name: (clients over TFTP, over HTTP)
LOADS = {"nobody downloads": (0, 0), "50 over TFTP": (50, 0),
         "50 over HTTP": (0, 50), "200 and 200": (200, 200)}


def while_others_download(rounds, seconds):
    """Prints how soon netukid answers; dnsmasq has neither HTTP nor windows."""
    found = {}
    print(f"\n{'OFFER while':20} {'p50 us':>8} {'p99 us':>8} {'max us':>8}")
    for name, load in LOADS.items():
        with Lab() as lab:
            latency.start(lab)
            with latency.downloads(lab, *load):
                found[name] = [latency.offers(lab, seconds)
                               for _ in range(rounds)]
        medians = [statistics.median(latency.part(took, share)
                                     for took in found[name])
                   for share in (0.5, 0.99, 1)]
        print(f"{name:20}", *(f"{us:8.0f}" for us in medians), flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json", help="also write every figure to this file")
    args = parser.parse_args()
    everything = {}
    print(f"{'work':20} {'server':8} {'replies/s':>10} {'p50 us':>8} "
          f"{'p99 us':>8} {'CPU us':>7} {'answered':>9}")
    for work in WORKS:
        runs = {server: [] for server in SERVERS}
        for _ in range(args.rounds):
            for server in SERVERS:
                runs[server].append(measure(server, work, args.seconds))
        everything[work] = runs
        medians = {}
        for server, found in runs.items():
            medians[server] = row = {
                key: statistics.median(run[key] for run in found)
                for key in ("per_second", "p50_us", "p99_us", "cpu_us",
                            "answered")}
            print(f"{work:20} {server:8} {row['per_second']:10.0f} "
                  f"{row['p50_us']:8.1f} {row['p99_us']:8.1f} "
                  f"{row['cpu_us']:7.2f} {row['answered']:9.1%}", flush=True)
        ours, theirs = medians["netukid"], medians["dnsmasq"]
        print(f"{'':20} {'ratio':8} "
              f"{ours['per_second'] / theirs['per_second']:10.2f} "
              f"{ours['p50_us'] / theirs['p50_us']:8.2f} "
              f"{ours['p99_us'] / theirs['p99_us']:8.2f} "
              f"{ours['cpu_us'] / max(theirs['cpu_us'], 1e-9):7.2f}",
              flush=True)
    everything["while others download"] = while_others_download(
        args.rounds, args.seconds)
    if args.json:
        Path(args.json).write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
