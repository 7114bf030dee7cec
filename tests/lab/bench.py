"""netukictl bench, as benchmarks and tests use it: one target, one round."""

import json

from lab import paths


def command(url, *options):
    """What loads URL; with option --file it asks for nothing else."""
    return [paths.built("netukictl"), "bench", url, *map(str, options),
            "--no-save", "--json"]


def figures(text):
    """The figures of what it printed, in milliseconds and MB/s."""
    group, = json.loads(text)["groups"]
    last = group["last-byte"]
    found = {"seconds": group["seconds"], "bytes": group["bytes"],
             "mb_s": group["together"] / 1e6, "loads": group["count"],
             "failed": group["failures"], "failure": group["failure"],
             "timeouts": group["timeouts"], "blocks": group["blocks"],
             "again": group["resent"], "needless": group["needless"],
             "client_cpu": group["client-cpu-seconds"]}
    for name, key in (("min", "min"), ("p50", "median"), ("p99", "p99"),
                      ("max", "max")):
        found[f"{name}_ms"] = (last.get(key) or 0) * 1e3
    return found
