#!/usr/bin/python3
"""/metrics, read by Prometheus' own client library, and the Grafana board."""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import harness, paths  # noqa: E402
from lab.loopback import Loopback  # noqa: E402

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

BOARD = paths.REPO / "packaging/grafana/netuki.json"
LABELS = {"mode": {"unknown", "ipxe", "tftp-uki", "http", "local"},
          "outcome": {"complete", "local", "elsewhere", "abandoned", "looped",
                      "failed", "lost"}}
MACHINES = "".join(f"  - {{name: lab-{n}, mac: 52:54:00:aa:00:0{n}}}\n"
                   for n in range(1, 6))


def families(box):
    """The metrics of netukid, by name."""
    if not text_string_to_metric_families:
        raise paths.Missing("python3-prometheus-client")
    text = box.get("/metrics").decode()
    found = list(text_string_to_metric_families(text))
    names = [family.name for family in found]
    harness.equal(len(names), len(set(names)), "families without a double")
    return {family.name: family for family in found}


def series(found):
    """Each sample's name and labels, and its value."""
    values = {}
    for family in found.values():
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            harness.check(key not in values, f"twice: {key}")
            values[key] = sample.value
    return values


def boot(box, number, part=None, up=False):
    """A machine loads its image over HTTP, as iPXE does, or a PART of it."""
    mac = f"52:54:00:aa:00:0{number}"
    dashed = mac.replace(":", "-")
    box.get(f"/ipxe/{mac}?arch=x86_64&platform=efi")
    if part:
        box.request(f"/machines/{dashed}/x.efi",
                    headers={"Range": f"bytes=0-{part}"})
    else:
        box.get(f"/machines/{dashed}/x.efi")
    if up:
        box.get(f"/machines/{dashed}/booted")


def test_form():
    """What promtool would say: names, help texts, types, buckets."""
    with Loopback(MACHINES) as box:
        box.start()
        for family in families(box).values():
            name = family.name
            harness.check(re.fullmatch(r"netuki_[a-z_]+", name), name)
            harness.check(family.documentation.endswith("."),
                          f"{name}: no help")
            harness.check(family.type in ("counter", "gauge", "histogram"),
                          f"{name}: {family.type}")
            harness.check(family.samples, f"{name}: no sample")
            if family.type == "counter":
                harness.check(all(sample.name == name + "_total"
                                  for sample in family.samples),
                              f"{name}: a counter is no _total")
            if family.type == "histogram":
                check_buckets(family)


def check_buckets(family):
    """Buckets are cumulative, in order, and end with all."""
    groups = {}
    for sample in family.samples:
        labels = dict(sample.labels)
        bound = labels.pop("le", None)
        group = groups.setdefault(tuple(sorted(labels.items())), {})
        group.setdefault(sample.name.removeprefix(family.name), []).append(
            (bound, sample.value))
    for labels, parts in groups.items():
        bounds = [float(bound) for bound, _ in parts["_bucket"]]
        counts = [count for _, count in parts["_bucket"]]
        harness.equal(bounds, sorted(set(bounds)), f"{labels}: bounds")
        harness.equal(counts, sorted(counts), f"{labels}: counts")
        harness.equal((bounds[-1], [(None, counts[-1])]),
                      (float("inf"), parts["_count"]), f"{labels}: the last")
        harness.check("_sum" in parts, f"{labels}: no sum")


def test_boots_are_counted():
    """By mode and outcome; no boot and no client makes a new series."""
    with Loopback(MACHINES) as box:
        box.start()
        before = series(families(box))
        for number in (1, 2, 3):
            boot(box, number, up=number == 1)
        boot(box, 4, part=1000)
        boot(box, 4)
        box.request("/images/nothing'\"{}")
        box.request("/ipxe/52-54-00-99-99-99?arch=x86_64&platform=efi")
        after = series(families(box))
        harness.equal(set(after), set(before), "series")
        harness.check(len(after) < 300, f"{len(after)} series")
        for _, labels in after:
            for key, value in labels:
                harness.check(key == "le" or value in LABELS[key],
                              f"{key}: {value}")
        counted = {labels: value for (name, labels), value in after.items()
                   if name == "netuki_boots_total" and value}
        harness.equal(counted, {
            (("mode", "ipxe"), ("outcome", "complete")): 4,
            (("mode", "ipxe"), ("outcome", "abandoned")): 1}, "boots")
        ipxe = (("mode", "ipxe"),)
        harness.equal(
            (after["netuki_boot_last_byte_seconds_count", ipxe],
             after["netuki_boot_up_seconds_count", ipxe]), (4, 1), "times")


def expressions(value):
    """Every query in a board, wherever it stands."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key in ("expr", "query", "definition") and isinstance(
                    part, str):
                yield part
            yield from expressions(part)
    elif isinstance(value, list):
        for part in value:
            yield from expressions(part)


def test_board():
    """Every query of the Grafana board names metrics that there are."""
    with Loopback(MACHINES) as box:
        box.start()
        names = {name for name, _ in series(families(box))}
    # Loopback has no DHCP; its metrics are in the manual page.
    manual = (paths.REPO / "packaging/man/netukid.8").read_text()
    names |= set(re.findall(r"netuki_dhcp_[a-z_]+", manual))
    board = json.loads(BOARD.read_text())
    used = set()
    for text in expressions(board):
        used |= set(re.findall(r"netuki_[a-z_]+", text))
        harness.equal(text.count("("), text.count(")"), text)
    harness.check(len(used) > 10, f"only {used}")
    harness.equal(used - names, set(), "metrics that there are not")
    harness.equal(len({panel["id"] for panel in board["panels"]}),
                  len(board["panels"]), "ids of panels")


if __name__ == "__main__":
    harness.main(globals())
