#!/usr/bin/python3
"""The page of `report --html`, in a real browser that has no network."""

import functools
import html
import json
import random
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import browser, harness, paths, process, rows  # noqa: E402
from lab.loopback import Loopback  # noqa: E402

BEGIN = 1790000000
# As report.css has them for light pages.
IPXE, TFTP, BAD = "#2f6fd0", "#d97a06", "#c8102e"
IMAGE_PHASE, UP_PHASE = "#6ea0ec", "#6cc39f"
DARK = (0x14, 0x18, 0x1e)


def some_boots(count, up=True):
    """COUNT boots in two modes by turns; every tenth failed."""
    dice = random.Random(count)
    for n in range(1, count + 1):
        mode = "tftp-uki" if n % 2 else "ipxe"
        failed = n % 10 == 0
        ways = rows.times(mode, dice, "first_byte" if failed else None,
                          None if failed or not up else 5)
        ways.update({"outcome": "abandoned"} if failed else {})
        yield rows.boot(n, BEGIN + 1800 * n, mode=mode, **ways)


def report(box, *options):
    """Writes the page; (its path, the JSON report without it)."""
    path = box.tmp / "report.html"
    done = box.ctl("report", "--html", path, *options)
    harness.equal((done.returncode, done.stderr), (0, ""), "netukictl report")
    harness.check("BOOTS" in done.stdout or "has booted yet" in done.stdout,
                  "the text is not told, too")
    return path, box.json("report", *options)


def lanes(plot):
    """The groups that a plot has a lane for."""
    axis = re.search(r'<g aria-label="y-axis tick label"(.*?)</g>', plot, re.S)
    return re.findall(r">([^<\n]+)</text>", axis.group(1))


def history(box, boots):
    """Makes BOOTS the history of netukid."""
    box.start()
    box.stop()
    rows.write(box.state / "history.db", boots)
    box.start()


def figure(text, name):
    """What the document has in a figure."""
    found = re.search(rf'<figure id="{name}">(.*?)</figure>', text, re.S)
    harness.check(found, f"no figure {name}")
    return found.group(1)


def marks(text, kind, element):
    """How many ELEMENTs are in the mark of class KIND."""
    found = re.findall(rf'<g [^>]*class="{kind}"[^>]*>(.*?)</g>', text, re.S)
    return sum(len(re.findall(rf"<{element}\b", part)) for part in found)


def test_plots():
    """Every boot is a point, every group a box, every phase a bar."""
    with Loopback() as box:
        history(box, [*some_boots(60), rows.boot(
            61, BEGIN, mode="local", outcome="local", step="dhcp")])
        path, told = report(box)
        text = browser.dom(path)
        harness.check('data-drawn="yes"' in text, "nothing was drawn")
        # Every tenth boot failed: of those by iPXE every fifth.
        for name in ("whole", "up"):
            plot = figure(text, name)
            harness.equal((marks(plot, "boot", "circle"),
                           marks(plot, "box", "rect"),
                           marks(plot, "median", "path")), (54, 2, 2), name)
            measure = "last-byte" if name == "whole" else "up"
            for group in told["groups"]:
                wanted = group[measure]["median"]
                if wanted is None:
                    continue
                digits = 2 if wanted < 10 else 1
                harness.check(f">{wanted:.{digits}f} s<" in plot,
                              f"{name}: no median {wanted}")
        harness.equal(marks(figure(text, "phases"), "phase", "rect"), 8 + 4,
                      "phases of ipxe and tftp-uki")
        plot = figure(text, "runs")
        harness.equal((marks(plot, "boot", "circle"),
                       marks(plot, "failure", "path")), (54, 6), "runs")
        for comparison in told["comparisons"]:
            harness.check(f"{comparison['faster']} is faster" in text,
                          "a verdict is missing")
        harness.check("one boot in" not in plot, "a part is said to be drawn")
        # Groups without a time take no room.
        for name in ("whole", "up", "phases"):
            harness.equal(lanes(figure(text, name)), ["ipxe", "tftp-uki"],
                          f"lanes of {name}")
        check_picture(box, path)


def check_picture(box, path):
    """What is to be seen has the colours of what it shows."""
    image = browser.screenshot(path, box.tmp / "light.png", 900, 2000)
    for colour, least in ((IPXE, 150), (TFTP, 150), (BAD, 60),
                          (IMAGE_PHASE, 2000), (UP_PHASE, 5000)):
        seen = image.count(colour)
        harness.check(seen >= least, f"{seen} pixels of {colour}")
    harness.equal(image.pixel(5, 5), (255, 255, 255), "background")
    image = browser.screenshot(path, box.tmp / "dark.png", 300, 200, True)
    harness.equal(image.pixel(5, 5), DARK, "background at night")


def test_offline():
    """The page names nothing to fetch, and may fetch nothing."""
    with Loopback() as box:
        history(box, some_boots(4))
        text = report(box)[0].read_text()
        own = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
        own = re.sub(r"<pre>.*?</pre>", "", own, flags=re.S)
        harness.equal(re.findall(r"https?:|\bsrc=|\bhref=|@import|url\(",
                                 own), [], "references")
        harness.check("default-src 'none'" in own, "it may fetch")
        for words in ("Mike Bostock", "Observable, Inc.", "jStat"):
            harness.check(words in text, f"no licence of {words}")


EVIL = [
    "</script><script>document.title = 'pwned'</script>",
    "<!--<script>", "]]>\"'&lt;<img src=x onerror=document.title='pwned'>",
    "\u2028{{data}}${1}\\", "<b>bold</b>\x01", "{{d3}}",
]


def test_injection():
    """Names are text, whatever they hold."""
    with Loopback() as box:
        history(box, [rows.boot(n + 1, BEGIN + n, machine=name, step=name,
                                last_byte_us=1000000 + n)
                      for n, name in enumerate(EVIL * 3)])
        path, _ = report(box, "--by", "machine")
        text = browser.dom(path)
        harness.check('data-drawn="yes"' in text, "nothing was drawn")
        harness.equal(re.search(r"<title>(.*?)</title>", text).group(1),
                      "Boots by machine - netuki", "title")
        harness.equal(len(re.findall("<script", re.sub(
            r"<script>.*?</script>", "<script>", text, flags=re.S))), 4,
            "scripts")
        plot = figure(text, "whole")
        harness.check("<img" not in text and "<b>" not in text, "an element")
        for name in EVIL:
            shown = html.escape(name[:10], quote=False).replace("\x01", "?")
            harness.check(shown in plot, f"{name!r} is not in the plot")
        data = re.search(r'id="data">(.*?)</script>', path.read_text(), re.S)
        harness.equal(sorted(group["name"] for group in
                             json.loads(data.group(1))["groups"]),
                      sorted(EVIL), "names")


def test_sampled():
    """Of many boots some are drawn, which is said; the box is of all."""
    with Loopback() as box:
        history(box, some_boots(5000, up=False))
        path, told = report(box)
        data = json.loads(re.search(r'id="data">(.*?)</script>',
                                    path.read_text(), re.S).group(1))
        for group in data["groups"]:
            ids = [point[0] for point in group["points"]]
            harness.equal(group["every"], 4, "every")
            harness.equal([b - a for a, b in zip(ids, ids[1:])],
                          [8] * 624, "steps between ids")
        harness.equal([group["last-byte"] for group in data["groups"]],
                      [group["last-byte"] for group in told["groups"]],
                      "percentiles of all")
        harness.check("points" not in told["groups"][0], "points in the JSON")
        text = browser.dom(path)
        harness.check("Drawn: one boot in 4." in figure(text, "runs"),
                      "it is not said")
        harness.equal(figure(text, "up"), "", "the plot of what nobody said")


def test_many_groups():
    """The twelve groups with the most boots are drawn."""
    with Loopback() as box:
        history(box, [rows.boot(n, BEGIN + n, machine=f"lab-{n % 20:02}",
                                last_byte_us=1000000 + n)
                      for n in range(1, 231)])
        path, told = report(box, "--by", "machine")
        harness.equal(len(told["groups"]), 20, "groups")
        plot = figure(browser.dom(path), "whole")
        harness.equal(marks(plot, "box", "rect"), 12, "boxes")
        for n in range(1, 11):
            harness.check(f"lab-{n:02}" in plot, f"lab-{n:02} is not drawn")
        harness.check("of 20" in plot, "it is not said")
        harness.equal(len(told["comparisons"]), 6, "comparisons")
        for text in (path.read_text(), box.text("report", "--by", "machine")):
            harness.check("Of 20 groups the 4 with the most complete boots "
                          "are compared." in text, "that is not said")


LONG = "a-machine-that-has-been-given-the-longest-of-all-names.example.org"


def test_single():
    """One boot, on a telephone: its clock's time, and room for a point."""
    with Loopback() as box:
        history(box, [rows.boot(1, BEGIN, machine=LONG, discover_us=0,
                                offer_us=2000, first_byte_us=5000000,
                                last_byte_us=9000000)])
        text = browser.dom(report(box, "--by", "machine")[0], 400,
                           "Europe/Berlin")
        harness.check(re.search(r"<p>1 boot, 2026-09-2[12] [0-9:]+ "
                                "[A-Z0-9+-]+</p>", text), "no single moment")
        told = figure(text, "runs")
        for words in ("16:13:20", "21 Sep", "time (Europe/Berlin)"):
            harness.check(f">{words}<" in told, f"no {words}: {told}")
        harness.check("no two groups with complete boots" in text,
                      "no word of what cannot be compared")
        # Of names is not more than a half of it.
        plot = figure(text, "phases")
        x, = re.findall(r'<g [^>]*class="phase"[^>]*>.*?<rect x="([\d.]+)"',
                        plot, re.S)
        harness.check(float(x) < 180, f"the bars begin at {x}")
        harness.check(f">{LONG}<" not in plot, "the name is whole")


# Apart as 5 of 5 are by chance once in 32 times, and two that are like both.
SECONDS = {"a": (1, 2, 3, 4, 7), "b": (5, 6, 8, 9, 10),
           "c": (.5, 5.5, 5.6, 11, 12), "d": (.6, 5.4, 5.7, 11.5, 12.5)}


def compared(names):
    """What the report says of machines of these NAMES: (JSON, text, page)."""
    with Loopback() as box:
        history(box, [rows.boot(n, BEGIN + n, machine=name,
                                last_byte_us=int(seconds * 1e6))
                      for n, (name, seconds) in enumerate(
                          ((name, seconds) for name in names
                           for seconds in SECONDS[name]), 1)])
        path, told = report(box, "--by", "machine")
        pair, = [c for c in told["comparisons"]
                 if sorted((c["a"], c["b"])) == ["a", "b"]]
        return pair, box.text("report", "--by", "machine"), path.read_text()


def test_compared():
    """What is sure of two is not sure among four, which is said."""
    pair, text, page = compared("ab")
    harness.equal((round(pair["p"], 4), pair["p-corrected"], pair["faster"]),
                  (0.0317, pair["p"], "a"), "of two")
    harness.check("a is faster than b" in text and "Holm" not in text + page,
                  text)
    pair, text, page = compared("abcd")
    harness.equal((round(pair["p"], 4), round(pair["p-corrected"], 4),
                   pair["faster"]), (0.0317, 0.1905, None), "of four")
    for told in (text, page):
        harness.check("faster" not in re.sub(r"(?s)<script.*?</script>", "",
                                             told) and
                      "for 6 comparisons together" in told, told[:4000])


def test_other_images():
    """A mode that had another image to load is not called faster so simply."""
    words = "which may be the difference"
    with Loopback() as box:
        history(box, [rows.boot(n, BEGIN + n, mode=mode, digest=digest,
                                image=f"{digest}.efi", last_byte_us=10 ** 6 * n)
                      for n, (mode, digest) in enumerate(
                          [("ipxe", "d1"), ("http", "d1"), ("local", "d2")]
                          * 5 + [("ipxe", None)], 1)])
        path, told = report(box)
        harness.equal(
            [(g["name"], g["images"]) for g in told["groups"]],
            [("http", ["d1"]), ("ipxe", ["d1"]), ("local", ["d2"])], "images")
        harness.equal(
            {c["same-images"]: {c["a"], c["b"]} for c in told["comparisons"]
             if "local" not in (c["a"], c["b"])}, {True: {"ipxe", "http"}},
            "same images")
        harness.equal([c["same-images"] for c in told["comparisons"]
                       if "local" in (c["a"], c["b"])], [False] * 2, "others")
        harness.check(words in path.read_text(), "the page does not say it")
        harness.check(words in box.text("report"), "the text does not say it")
        # That is what was asked for.
        harness.check(words not in box.text("report", "--by", "image"),
                      "it is said of images")


def test_other_machines():
    """Nor one in which other machines booted."""
    words = "Most machines are in one of these groups only"
    for more, several in (([], 0), ([(1, "tftp-uki")], 1)):
        with Loopback() as box:
            history(box, [rows.boot(n, BEGIN + n, mode=mode,
                                    mac=f"52:54:00:00:00:0{mac}",
                                    last_byte_us=10 ** 6 * n)
                          for n, (mac, mode) in enumerate(
                              [(1, "ipxe"), (2, "tftp-uki")] * 5 + more, 1)])
            path, told = report(box)
            harness.equal((told["machines"], told["machines-in-several"]),
                          (2, several), "machines")
            for text in (path.read_text(), box.text("report")):
                harness.equal(words in text, not several, "it is said")
            harness.check(words not in box.text("report", "--by", "machine"),
                          "it is said of machines")


def test_many_images():
    """How many images a group may have loaded for all of them to be told."""
    for count in (16, 17):
        with Loopback() as box:
            history(box, [rows.boot(n, BEGIN + n, digest=f"d{n * 7 % 17:02}")
                          for n in range(1, count + 1)])
            group, = box.json("report")["groups"]
            harness.equal(group["images"], sorted(
                f"d{n * 7 % 17:02}" for n in range(1, 17))
                if count == 16 else None, f"of {count}")


def test_nothing():
    """Without boots there is a page that says so; a bad path is an error."""
    with Loopback() as box:
        box.start()
        path, _ = report(box)
        text = browser.dom(path)
        harness.check("0 boots" in text and "no boot to report" in text,
                      "it does not say that there are none")
        done = subprocess.run(
            [paths.built("netukictl"), "report", "--control", box.control,
             "--html", box.tmp / "no" / "where.html"], capture_output=True,
            text=True)
        harness.equal((done.returncode, "No such file" in done.stderr),
                      (1, True), "a folder that is not there")


def test_full_disk():
    """The page of before stays whole where a new one finds no room."""
    with Loopback() as box:
        box.start()
        path, _ = report(box)
        path.chmod(0o640)
        link = box.tmp / "link.html"
        link.symlink_to(path)
        before = path.read_bytes()
        files = sorted(box.tmp.iterdir())
        done = box.ctl("report", "--html", link, status=1,
                       preexec_fn=functools.partial(process.no_room, 5000))
        harness.check("File too large" in done.stderr, done.stderr)
        harness.check(path.read_bytes() == before, "half a page")
        harness.equal(sorted(box.tmp.iterdir()), files, "files")
        path.write_text("old")
        box.ctl("report", "--html", link)
        harness.check(path.read_bytes().startswith(before[:100]), "a page")
        harness.equal((link.is_symlink(), path.stat().st_mode & 0o777),
                      (True, 0o640), "a link, and the file's mode")


if __name__ == "__main__":
    harness.main(globals())
