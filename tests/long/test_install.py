#!/usr/bin/python3
"""The package's whole life on a clean Debian 12, with its own systemd."""

import contextlib
import functools
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import (appliance, container, harness, netns, paths,  # noqa: E402
                 pe, uki)
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402

TEMPORARY = tempfile.TemporaryDirectory(prefix="netuki-install-")
TMP = Path(TEMPORARY.name)
DEBIAN = paths.REPO / "packaging/debian"

CONFIG = """interfaces: [eth0]
defaults: {image: debian.efi}
machines:
  - {name: lab-01, mac: 52:54:00:12:34:56}
drain-seconds: 60
"""
MAC = "52:54:00:12:34:56"

# In seconds; the loop is to speak twice as often, on a loaded machine too.
WATCHDOG = 6
URL = f"http://{NETUKI_ADDRESS}"


@functools.cache
def package():
    """The package of this tree."""
    subprocess.run([paths.REPO / "packaging/make-deb", TMP / "deb"],
                   check=True, stdin=subprocess.DEVNULL, capture_output=True,
                   env={"PATH": container.ENVIRONMENT["PATH"],
                        "DEB_BUILD_OPTIONS": "nocheck"})
    found, = (TMP / "deb").glob("*.deb")
    return found


def depends():
    """The packages that ours asks for, and those that its tests need."""
    fields = subprocess.run(
        ["dpkg-deb", "-f", package(), "Depends", "Recommends"], check=True,
        capture_output=True, text=True).stdout
    named = re.findall(r"(?:^\w+: |, )([a-z0-9][a-z0-9+.-]+)", fields,
                       re.MULTILINE)
    return {*named, "curl", "python3", "tftp-hpa"}


def newer(change=lambda root: None):
    """The package again with a higher version, and CHANGEd."""
    root = TMP / "newer"
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-R", package(), root], check=True)
    control = root / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: (.*)", r"Version: \1+newer",
                              control.read_text()))
    change(root)
    target = TMP / "netuki-newer.deb"
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", root, target],
                   check=True, stdout=subprocess.DEVNULL)
    return target


@contextlib.contextmanager
def clean_machine():
    """A laboratory whose host netuki is a clean Debian: (lab, container)."""
    with Lab() as lab:
        appliance.network(lab)
        box = container.boot(lab, "netuki", depends())
        yield lab, box


def install(box, deb, *options):
    """What a person does, with apt: it also gets what ours depends on."""
    target = box.path(f"root/{deb.name}")
    shutil.copyfile(deb, target)
    return box.run("apt-get", "install", "-y", *options,
                   f"/root/{deb.name}").stdout


def configure(box):
    """An image, large for one, and the machines."""
    pe.write(box.path("var/lib/netuki/images/debian.efi"),
             pe.uki(kernel_size=20_000_000))
    box.path("etc/netuki/netuki.yaml").write_text(CONFIG)
    box.run("systemctl", "restart", "netukid")


def files(box):
    """Every path of the machine, but what apt and systemd write of it."""
    paths_found = box.out(
        "find", "/", "-xdev", "-regextype", "egrep", "-regex",
        "/(root|var/log|var/cache|var/lib/(apt|systemd/[a-z]*))", "-prune",
        "-o", "-print")
    return set(paths_found.splitlines())


def service(box, wanted="active"):
    """The process of the service, which must be in the state WANTED."""
    shown = dict(line.split("=") for line in box.out(
        "systemctl", "show", "-p", "ActiveState,MainPID",
        "netukid").splitlines())
    harness.equal(shown["ActiveState"], wanted, "netukid.service")
    return shown["MainPID"]


def log(box):
    """What the service has said: all of it, when the journal has it all."""
    box.run("journalctl", "--sync")
    return box.out("journalctl", "-u", "netukid", "-o", "cat", "--no-pager")


def status_of(box, pid):
    """What the kernel says of a process: a dict."""
    return dict(re.findall(r"(?m)^(\w+):\s+(.*?)\s*$",
                           box.out("cat", f"/proc/{pid}/status")))


def mode(box):
    """The mode in force for the machine."""
    return json.loads(box.out("netukictl", "machines", "--json")
                      )["machines"][0]["mode"]


def fetch(lab):
    """Another host's download of the image, as it begins."""
    return lab.spawn([paths.program("curl"), "-fsS", "-o", lab.tmp / "fetched",
                      f"{URL}/images/debian.efi"], "dhcp")


def until(done, problem):
    """Waits until DONE(); PROBLEM is said if it is not so for a minute."""
    deadline = time.monotonic() + 60
    while not done():
        harness.check(time.monotonic() < deadline, problem)
        time.sleep(0.2)


class HeldDownload(threading.Thread):
    """Another host's download, slow until netukid is told to end."""

    def __init__(self, lab, box):
        super().__init__(daemon=True)
        self.got = bytearray()
        self.held = True
        self._box = box
        self._peer = netns.open_socket(lab.ns("dhcp"),
                                       kind=socket.SOCK_STREAM)
        self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self._peer.settimeout(60)
        self._peer.connect((NETUKI_ADDRESS, 80))
        self._peer.sendall(b"GET /images/debian.efi HTTP/1.1\r\nHost: x\r\n"
                           b"Connection: close\r\n\r\n")
        self.start()

    def run(self):
        while data := self._peer.recv(1 << 14):
            self.got += data
            if self.held:
                self.held = "1 transfers may finish" not in log(self._box)


def same_image(lab, box):
    """What was fetched is the image."""
    image = box.path("var/lib/netuki/images/debian.efi").read_bytes()
    harness.check((lab.tmp / "fetched").read_bytes() == image,
                  "the download is another file")


def test_installed_it_serves_and_purged_it_leaves_nothing():
    with clean_machine() as (lab, box):
        before = files(box)
        install(box, package())
        process = service(box)
        said = log(box)
        for words in ("nothing to boot yet: put a UKI",
                      "nobody to boot yet: add machines"):
            harness.check(words in said, f"it does not say {words!r}:\n{said}")
        harness.check("warning" not in said and "error" not in said, said)
        status = status_of(box, process)
        user = box.out("id", "-u", "netuki")
        harness.equal(status["Uid"].split(), [user] * 4, "its user")
        harness.equal(status["NoNewPrivs"], "1", "NoNewPrivs")
        harness.equal([int(status[name], 16) for name in (
            "CapInh", "CapPrm", "CapEff", "CapAmb")], [0] * 4, "capabilities")
        configure(box)
        box.run("netukictl", "mode", "tftp-uki", "lab-01")
        fetch(lab).wait(60)
        same_image(lab, box)
        box.run("apt-get", "purge", "-y", "netuki")
        service(box, "inactive")
        box.run("apt-get", "autoremove", "--purge", "-y")
        after = files(box)
        harness.equal((sorted(after - before), sorted(before - after)),
                      ([], []), "what purging left and took")


def test_upgraded_it_keeps_configuration_state_and_downloads():
    with clean_machine() as (lab, box):
        install(box, package())
        configure(box)
        box.run("netukictl", "mode", "tftp-uki", "lab-01")
        old = service(box)
        # The maintainer's file is another one, too: the person's stays.
        deb = newer(changed_sample)
        client = HeldDownload(lab, box)
        until(lambda: client.got, "no download")
        said = install(box, deb, "-o", "Dpkg::Options::=--force-confold")
        client.join(60)
        image = box.path("var/lib/netuki/images/debian.efi").read_bytes()
        harness.check(not client.held, "nobody waited for the download")
        harness.check(client.got.partition(b"\r\n\r\n")[2] == image,
                      "the download across the upgrade is not whole")
        harness.check(service(box) != old, "the old one still runs")
        harness.check("+newer" in box.out(
            "dpkg-query", "-W", "-f", "${Version}", "netuki"), said)
        harness.equal(box.path("etc/netuki/netuki.yaml").read_text(), CONFIG,
                      "configuration")
        harness.equal(mode(box), "tftp-uki", "mode after the upgrade")
        harness.equal(box.out("systemctl", "show", "-P", "NRestarts",
                              "netukid"), "0", "failures")


def changed_sample(root):
    """A newer package whose configuration has one more line."""
    with open(root / "etc/netuki/netuki.yaml", "a", encoding="utf-8") as file:
        file.write("# One more line.\n")


def test_removed_it_keeps_what_a_person_made():
    with clean_machine() as (_, box):
        install(box, package())
        configure(box)
        box.run("netukictl", "mode", "tftp-uki", "lab-01")
        box.run("apt-get", "remove", "-y", "netuki")
        service(box, "inactive")
        harness.check(not box.path("usr/sbin/netukid").exists(), "removed")
        harness.equal(box.path("etc/netuki/netuki.yaml").read_text(), CONFIG,
                      "configuration")
        install(box, package())
        service(box)
        harness.equal(mode(box), "tftp-uki", "mode of the new installation")


def test_images_are_mounted_after_it():
    """As from a file server that boot does not wait for."""
    with clean_machine() as (lab, box):
        install(box, package())
        images = "/var/lib/netuki/images"
        configure(box)
        box.run("mkdir", "/root/share")
        box.run("mv", f"{images}/debian.efi", "/root/share")
        box.run("systemctl", "restart", "netukid")
        process = service(box)
        checked = box.out("systemctl", "show", "-P", "ExecStartPre", "netukid")
        harness.check("status=3" in checked and "ignore_errors=no" in checked,
                      checked)
        harness.check(f"image: debian.efi is not in {images}; it is booted "
                      "once it is there" in log(box), log(box))
        box.run("mount", "--bind", "/root/share", images)
        until(lambda: '"state": "ready"' in box.out(
            "netukictl", "images", "--json"), "the image is not ready")
        fetch(lab).wait(60)
        harness.check((lab.tmp / "fetched").read_bytes() == box.path(
            "root/share/debian.efi").read_bytes(), "another file")
        harness.equal(service(box), process, "the process")
        # A file that is wrong still ends it, and says why.
        box.path("etc/netuki/netuki.yaml").write_text("frob: 1\n")
        box.run("systemctl", "restart", "netukid", check=False)
        harness.check("/etc/netuki/netuki.yaml:1:1: unknown key 'frob'"
                      in log(box), log(box))


def spoke(box):
    """When the loop last said that it turns, in seconds of some clock."""
    return int(box.out("systemctl", "show", "-P",
                       "WatchdogTimestampMonotonic", "netukid")) / 1e6


def test_stopped_loop_is_ended_and_started_again():
    with clean_machine() as (_, box):
        install(box, package())
        box.run("mkdir", "/run/systemd/system/netukid.service.d")
        box.run("sh", "-c", f"printf '[Service]\\nWatchdogSec={WATCHDOG}\\n' "
                ">/run/systemd/system/netukid.service.d/soon.conf")
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "restart", "netukid")
        old, begun = service(box), spoke(box)
        until(lambda: spoke(box) > begun + WATCHDOG, "it does not speak")
        harness.equal(service(box), old, "a loop that turns")
        box.run("kill", "-STOP", old)
        until(lambda: box.out("systemctl", "show", "-P", "NRestarts",
                              "netukid") != "0", "it stands still")
        harness.check("Watchdog timeout" in log(box), log(box))


def test_autopkgtest():
    """What Debian's testers would run, without their runner."""
    with clean_machine() as (_, box):
        shutil.copytree(DEBIAN, box.path("root/debian"))
        shutil.copytree(paths.REPO / "tests/lab", box.path("root/tests/lab"))
        control = dict(line.split(": ", 1) for line in (
            DEBIAN / "tests/control").read_text().splitlines())
        install(box, package())
        box.run("apt-get", "install", "-y",
                *control["Depends"].removeprefix("@, ").split(", "))
        for name in control["Tests"].split(", "):
            box.run(f"/root/debian/tests/{name}")


def readme_config():
    """The configuration that the README has a new user write."""
    text = (paths.REPO / "README.md").read_text()
    return textwrap.dedent(re.search(
        r"Name the machines in `/etc/netuki/netuki\.yaml`.*\n\n"
        r"((?: {7}.*\n)+)", text).group(1))


def test_readme_to_a_booted_machine():
    """An image, the README's configuration, and power on."""
    image = uki.build()
    with clean_machine() as (lab, box):
        install(box, package())
        shutil.copyfile(
            image, box.path("var/lib/netuki/images/debian.efi"))
        box.path("etc/netuki/netuki.yaml").write_text(readme_config())
        box.run("netukid", "--check")
        machine = lab.machine("lab-01", mac=MAC)
        machine.power_on()
        cmdline, seconds = machine.wait_guest(200)
        harness.equal(cmdline, uki.DEFAULT_CMDLINE, "/proc/cmdline")
        boots = json.loads(box.out("netukictl", "boots", "--json"))["boots"]
        harness.equal([(boot["machine"], boot["mode"], boot["outcome"])
                       for boot in boots], [("lab-01", "ipxe", "complete")],
                      "netukictl boots")
        print(f"# the guest spoke after {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    harness.main(globals())
