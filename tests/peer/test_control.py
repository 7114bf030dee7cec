#!/usr/bin/python3
"""Each netukictl command, and what is set with it, against a running netukid.

It runs on loopback and needs neither root nor a network.
"""

import http.client
import json
import os
import pty
import random
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import harness, paths, pe  # noqa: E402
from lab.loopback import DEFAULTS, Loopback  # noqa: E402

MACHINES = """\
  - {name: lab-01, mac: 52:54:00:00:00:01}
  - {name: lab-02, mac: 52:54:00:00:00:02, mode: local, cmdline: more=1}
  - {name: lab-03, mac: 52:54:00:00:00:03, mode: tftp-uki}
  - {name: turns, mac: 52:54:00:00:00:04, mode: alternate}
  - name: rack
    mac-prefix: 02:00:5e
  - {name: board, uuid: 01234567-89ab-cdef-0123-456789abcdef}
"""
ID = {"lab-01": "52-54-00-00-00-01", "lab-02": "52-54-00-00-00-02",
      "lab-03": "52-54-00-00-00-03", "turns": "52-54-00-00-00-04"}
STRANGER = "52:54:00:aa:bb:cc"
COMMANDS = ("status", "machines", "images", "explain", "mode", "boot-once",
            "reload", "boots", "boot", "report")
URL = re.compile(r"https?://[^/]+(/\S*)")


@contextmanager
def running(machines=MACHINES, more=DEFAULTS):
    """A Loopback with these machines, its netukid running."""
    with Loopback(machines, more) as box:
        box.start()
        yield box


def script(box, name, arch="x86_64", platform="efi"):
    """The script that a machine's iPXE is given."""
    return box.get(f"/ipxe/{ID[name]}?arch={arch}&platform={platform}"
                   ).decode()


def urls(text):
    """The paths of the URLs in a script."""
    return [found for found in URL.findall(text)
            if "/machines/" in found or "/images/" in found]


def is_local(text):
    """Whether a script sends the machine to its disk."""
    return not urls(text) and "exit" in text


def offered(box, name, firmware):
    """The file name or URL's path that this firmware would be offered."""
    answer = box.json("explain", name, "--firmware", firmware)
    found = URL.match(answer["file"])
    return answer["plan"], found.group(1) if found else answer["file"]


def wait_for(truth, what, seconds=60):
    """Waits until TRUTH() is true."""
    deadline = time.monotonic() + seconds
    while not truth():
        harness.check(time.monotonic() < deadline, f"{what}: not in time")
        time.sleep(0.02)


# What it says of itself.

def test_help():
    """Each command has its help; no daemon is needed for it."""
    netukictl = paths.built("netukictl")
    for command in COMMANDS:
        done = subprocess.run([netukictl, command, "--help"], text=True,
                              capture_output=True)
        harness.equal(done.returncode, 0, f"{command} --help")
        harness.check(done.stdout.startswith(f"Usage: netukictl {command}"),
                      f"{command} --help: {done.stdout}")
        harness.check("--json" in done.stdout, f"{command}: no --json")
        harness.check(max(map(len, done.stdout.splitlines())) <= 80,
                      f"{command} --help is too wide")
    done = subprocess.run([netukictl, "--help"], text=True,
                          capture_output=True)
    for command in COMMANDS:
        harness.check(f"\n  {command} " in done.stdout,
                      f"--help: no {command}")


WRONG = {
    "nothing": (), "no such command": ("frob",),
    "no such option": ("status", "--frob"),
    "an option of another command": ("status", "--unknown"),
    "an operand too many": ("images", "x"), "no machine": ("explain",),
    "a mode for nobody": ("mode", "ipxe"),
    "no mode": ("mode", "disk", "lab-01"),
    "no mode, but a machine": ("mode", "lab-01"),
    "a mode and clear": ("mode", "--clear"),
    "machines and all": ("mode", "ipxe", "lab-01", "--all"),
    "all machines but for one": ("mode", "ipxe", "lab-01",
                                 "--include-local"),
    "clear with local": ("mode", "--clear", "--all", "--include-local"),
    "once for all": ("boot-once", "--all"),
    "once for nobody": ("boot-once", "--image", "x.efi"),
    "cancel for nobody": ("boot-once", "--cancel"),
    "cancel an image": ("boot-once", "--cancel", "lab-01", "--image", "x"),
    "yaml of the known": ("machines", "--yaml"),
    "yaml and json": ("machines", "--unknown", "--yaml", "--json"),
    "an option before the command": ("--unknown", "machines"),
    "an option without its text": ("report", "--by"),
    "no such firmware": ("explain", "lab-01", "--firmware", "frob"),
    "no such architecture": ("explain", "lab-01", "--arch", "z80"),
    "once from its disk": ("boot-once", "lab-01", "--mode", "local"),
    "no such group": ("report", "--by", "frob"),
    "no group": ("report", "--by", ""),
    "two forms of a report": ("report", "--csv", "--json"),
    "no time": ("report", "--since", "frob"),
    "no boots": ("boots", "--limit", "0"),
    "too many boots": ("boots", "--limit", "10001"),
    "no number of boots": ("boots", "--limit", "1x"),
    "a time of what follows": ("boots", "--follow", "--since", "1h"),
    "boots of two": ("boots", "lab-01", "lab-02"),
    "no boot": ("boot",),
    "an operand of reload": ("reload", "x"),
    "an operand of status": ("status", "x"),
    "a report with an operand": ("report", "x"),
    "a bench of nothing": ("bench",),
    "a bench of no URL": ("bench", "frob"),
    "a bench as nobody": ("bench", "tftp://127.0.0.1/x", "--as", "frob"),
    "a bench without clients": ("bench", "tftp://127.0.0.1/x",
                                "--clients", "0"),
    "saved, and of a server": ("bench", "--saved", "tftp://127.0.0.1/x"),
}


def test_wrong_arguments():
    """They end with status 2 and a line that says why."""
    for name, args in WRONG.items():
        done = subprocess.run([paths.built("netukictl"), *args], text=True,
                              capture_output=True)
        harness.equal(done.returncode, 2, f"{name}: status")
        harness.equal(done.stdout, "", f"{name}: output")
        harness.check("netukictl: " in done.stderr, f"{name}: {done.stderr}")


def asked(box, **request):
    """What netukid answers to a program of somebody's own."""
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(20)
        client.connect(str(box.control))
        client.sendall(json.dumps(request).encode() + b"\n")
        with client.makefile() as answers:
            return json.loads(answers.readline())


def test_wrong_requests():
    """What netukictl would not ask: there is an error that says why."""
    with running() as box:
        for request, wanted in (
                ({"command": "explain", "machine": "lab-01",
                  "firmware": "frob"}, "frob is no firmware"),
                ({"command": "explain", "machine": "lab-01", "arch": "z80"},
                 "z80 is no architecture"),
                ({"command": "boot-once", "machines": ["lab-02"],
                  "mode": "local"}, "its mode is ipxe or tftp-uki"),
                ({"command": "boot-once", "machines": ["lab-02"],
                  "mode": "tftp"}, "did you mean tftp-uki?"),
                ({"command": "report", "by": "frob"}, "a report is by mode"),
                ({"command": "boots", "limit": 10001}, "from 1 to 10000")):
            said = asked(box, **request).get("error", "nothing")
            harness.check(wanted in said, f"{request}: {said}")


def test_command_misspelt():
    """What may be meant is asked; nonsense gets no guess."""
    for name, meant in (("stauts", "; did you mean status?\n"),
                        ("machine", "; did you mean machines?\n"),
                        ("xyzzy", ": xyzzy\n")):
        done = subprocess.run([paths.built("netukictl"), name], text=True,
                              capture_output=True)
        harness.equal(done.returncode, 2, f"{name}: status")
        harness.check(meant in done.stderr, done.stderr)


def test_no_daemon():
    """Without a daemon: status 3, and what to do about it."""
    with Loopback(MACHINES) as box:
        for command in ("status", "machines", "images", "reload", "mode"):
            said = box.refused(command, status=3)
            harness.check("Is netukid running?" in said, said)
        # A socket that a killed one has left behind.
        box.start()
        box.stop(signal.SIGKILL)
        harness.check("Is netukid running?" in box.refused("status", status=3),
                      "a socket that nobody listens at")


def test_daemon_of_another_version():
    """What is not in its answer is left out; netukictl survives it."""
    answers = {("images",): {"images": [{}]},
               ("machines",): {"machines": [{}]},
               ("status",): {"interfaces": [{}], "listeners": [{}]},
               ("explain", "x"): {"files": [{}]},
               ("boots",): {"boots": [{}]},
               ("boots", "1"): {"boot": {"steps": [{}]}},
               ("report",): {"groups": [{}]},
               ("report", "--csv"): {"groups": [{}]},
               ("report", "--html", "report.html"): {"groups": [{}]}}
    with Loopback() as box, \
            closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(box.control))
        server.listen()
        server.settimeout(20)
        for args, answer in answers.items():
            asker = subprocess.Popen(
                [paths.built("netukictl"), *args, "--control", box.control],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=box.tmp)
            client, _ = server.accept()
            with client:
                client.recv(4096)
                client.sendall(json.dumps(answer).encode() + b"\n")
            _, said = asker.communicate(timeout=20)
            harness.check(asker.returncode in (0, 1) and
                          b"runtime error" not in said,
                          f"{args}: status {asker.returncode}: {said}")


def test_socket_is_not_for_all():
    """Only its owner and group may use the socket; others are told so."""
    with running() as box:
        harness.equal(box.control.stat().st_mode & 0o777, 0o660, "its mode")
        if os.geteuid() != 0:
            raise harness.Skip("root (to become somebody else)")
        box.tmp.chmod(0o755)
        done = box.ctl("status", status=3, user=65534, group=65534,
                       extra_groups=[])
        harness.check("group netuki" in done.stderr, done.stderr)


def test_colours_on_a_terminal_only():
    """Escape sequences go to a terminal, unless NO_COLOR is set."""
    with running() as box:
        command = [str(paths.built("netukictl")), "--control",
                   str(box.control), "machines"]

        def on_terminal(**env):
            master, slave = pty.openpty()
            with os.fdopen(master, "rb", buffering=0) as out:
                subprocess.run(command, stdout=slave, check=True,
                               env={**os.environ, "TERM": "xterm", **env})
                os.close(slave)
                return out.read(4096)
        harness.check(b"\x1b[1mNAME" in on_terminal(), "no colour")
        harness.check(b"\x1b" not in on_terminal(NO_COLOR="1"), "NO_COLOR")
        harness.check(b"\x1b" not in on_terminal(TERM="dumb"), "TERM=dumb")
        harness.check("\x1b" not in box.text("machines"), "in a pipe")


def ask(box, line):
    """The daemon's answer to one line, as bytes."""
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(10)
        client.connect(str(box.control))
        client.sendall(line)
        data = b""
        while chunk := client.recv(65536):
            data += chunk
        return data


def test_odd_requests():
    """What netukictl would never send is answered with an error."""
    with running() as box:
        for line in (b"\n", b"frob\n", b"[]\n", b"{}\n", b"1\n",
                     b'{"command": "frob"}\n', b'{"command": 7}\n',
                     b'{"command": "mode", "mode": "ipxe"}\n',
                     b'{"command": "mode", "machines": ["lab-01"]}\n',
                     b'{"command": "mode", "mode": "ipxe", "machines": [1]}\n',
                     b'{"command": "mode", "mode": "disk", "all": true}\n',
                     b'{"command": "mode", "mode": "ipxe", "all": true, '
                     b'"machines": ["lab-01"]}\n',
                     b'{"command": "mode", "mode": "ipxe", "clear": true, '
                     b'"all": true}\n',
                     b'{"command": "mode", "mode": "ipxe", '
                     b'"machines": ["lab-01"], "include-local": true}\n',
                     b'{"command": "boot-once", "all": true}\n',
                     b'{"command": "boot-once", "machines": ["lab-01"], '
                     b'"mode": "local"}\n',
                     b'{"command": "boot-once", "machines": ["lab-01"], '
                     b'"cancel": true, "image": "x.efi"}\n',
                     b'{"command": "explain"}\n'):
            answer = json.loads(ask(box, line))
            harness.check("error" in answer, f"{line[:60]}: {answer}")
        harness.equal(box.json("mode")["machines"], [], "what is set")
        # A line without end is not read for ever.
        with suppress(BrokenPipeError, ConnectionResetError):
            harness.equal(ask(box, b"x" * (1 << 22)), b"", "an answer")
        # One that hangs up while it is to be answered.
        for _ in range(20):
            with closing(socket.socket(socket.AF_UNIX)) as client:
                client.connect(str(box.control))
                client.sendall(b'{"command": "mode", "mode": "ipxe", '
                               b'"machines": ["lab-01"]}\n')
        harness.equal(box.json("status")["state-problem"], None, "status")


# The commands that only show.

def test_status():
    """What is served, in text and JSON."""
    with running() as box:
        status = box.json("status")
        harness.equal(status["config"], str(box.config), "config")
        for key in ("config-error", "state-problem"):
            harness.equal(status[key], None, key)
        harness.equal(status["machines"], 6, "machines")
        harness.equal(status["images"], 2, "images")
        harness.equal(status["unknown-machines"], "ignore", "unknown")
        harness.equal([i["name"] for i in status["interfaces"]], ["lo"],
                      "interfaces")
        harness.equal(status["overrides"], {
            "mode-for-all": None, "include-local": False, "modes": 0,
            "boot-once": 0}, "overrides")
        harness.check("tftp" in status["counts"], "counts")
        harness.equal(status["listeners"], [
            {"protocol": "tftp", "address": "0.0.0.0", "port": box.tftp},
            {"protocol": "http", "address": "0.0.0.0", "port": box.http}],
            "listeners")
        harness.equal((status["control"], status["last-reload"]),
                      (str(box.control), None), "control, last-reload")
        text = box.text("status")
        harness.check(f"\nconfig       {box.config}\n" in text, text)
        harness.check(f"\ncontrol      {box.control}\ndhcp         off\n"
                      f"tftp         port {box.tftp}: requests 0" in text,
                      text)
        harness.check("machines     6; unknown ones: ignore" in text, text)
        harness.check("\nset " not in text, text)
        box.ctl("mode", "local", "--all")
        box.ctl("mode", "ipxe", "lab-01", "lab-02")
        box.ctl("boot-once", "lab-03")
        harness.equal(box.json("status")["overrides"], {
            "mode-for-all": "local", "include-local": True, "modes": 2,
            "boot-once": 1},
            "overrides")
        harness.check("mode for all: local; modes of machines: 2; boot-once: "
                      "1" in box.text("status"), box.text("status"))


def test_images():
    """The images, and why one is not offered."""
    with running() as box:
        box.image("bad.efi", b"MZ nothing more")
        wait_for(lambda: len(box.json("images")["images"]) == 3, "bad.efi")
        images = {i["name"]: i for i in box.json("images")["images"]}
        harness.equal(images["x.efi"]["state"], "ready", "x.efi")
        harness.equal(images["x.efi"]["cmdline"], "quiet", "its cmdline")
        harness.equal(images["x.efi"]["bios"], True, "its bios")
        harness.equal(images["bad.efi"]["state"], "refused", "bad.efi")
        harness.check(images["bad.efi"]["why"], "bad.efi: why")
        text = box.text("images")
        harness.check(re.search(r"^x\.efi +ready +uki +x64 .* A test$", text,
                                re.MULTILINE), text)
        harness.check(images["bad.efi"]["why"] in text, text)


def test_machines():
    """The machines with their settings, and who was heard of."""
    with running() as box:
        machine = box.machine("lab-02")
        for key, value in {
                "mode": "local", "mode-from": "machine",
                "configured-mode": "local", "mode-set-by": None,
                "image": "x.efi", "image-from": "defaults",
                "cmdline": "more=1", "boot-once": False, "alternate": False,
                "macs": ["52:54:00:00:00:02"]}.items():
            harness.equal(machine[key], value, key)
        harness.check("seconds-ago" not in machine, "heard of")
        script(box, "lab-02")
        harness.check(box.machine("lab-02")["seconds-ago"] < 60, "not heard")
        harness.equal(box.machine("lab-02")["ip"], "127.0.0.1", "ip")
        harness.equal(box.machine("rack")["mac-prefixes"], ["02:00:5e"],
                      "mac-prefixes")
        box.ctl("mode", "tftp-uki", "lab-02")
        box.ctl("boot-once", "lab-01", "--image", "y.efi")
        text = box.text("machines")
        for row in (r"NAME +IDENTITY +MODE +SET BY +IMAGE +ADDRESS "
                    r"+LAST SEEN +CMDLINE",
                    r"lab-01 +52:54:00:00:00:01 +ipxe +boot-once +y\.efi +- "
                    r"+- +-",
                    r"lab-02 +52:54:00:00:00:02 +tftp-uki +mode +x\.efi "
                    r"+127\.0\.0\.1 +\d+ s ago +more=1",
                    r"lab-03 +52:54:00:00:00:03 +tftp-uki +- .*",
                    r"turns +52:54:00:00:00:04 +ipxe \(alternate\) +- .*",
                    r"rack +02:00:5e:\* .*",
                    r"board +01234567-89ab-cdef-0123-456789abcdef .*"):
            harness.check(re.search(f"^{row}$", text, re.MULTILINE),
                          f"{row} is not in\n{text}")


def test_unknown_machines():
    """Who asked and is not configured; its entry can be pasted as it is."""
    with running() as box:
        harness.equal(box.json("machines", "--unknown"), {"machines": []},
                      "strangers")
        path = f"/ipxe/{STRANGER.replace(':', '-')}"
        status, _ = box.request(f"{path}?arch=x86_64")
        harness.equal(status, 404, "a stranger's script")
        machine, = box.json("machines", "--unknown")["machines"]
        harness.equal(machine["mac"], STRANGER, "mac")
        harness.check(STRANGER in box.text("machines", "--unknown"), "text")
        entry = box.text("machines", "--unknown", "--yaml")
        box.write_config(MACHINES + entry)
        box.ctl("reload")
        harness.equal(box.machine("new-525400aabbcc")["macs"], [STRANGER],
                      f"pasted:\n{entry}")
        box.get(path)
        harness.equal(box.json("machines", "--unknown"), {"machines": []},
                      "strangers")
        harness.check("nobody" in box.text("machines", "--unknown", "--yaml"),
                      "no stranger")


def test_explain():
    """What a machine would be given, and whence each word comes."""
    with running() as box:
        answer = box.json("explain", "lab-02", "--firmware", "http")
        place = f"{box.config}:"
        harness.equal(answer["machine"], "lab-02", "machine")
        harness.equal(answer["matched-by"], "mac", "matched-by")
        harness.equal(answer["plan"], "local", "plan")
        harness.check(answer["entry"].startswith(place), answer["entry"])
        harness.check(answer["from"]["mode"].startswith(f"machine, {place}"),
                      answer["from"]["mode"])
        harness.check(answer["from"]["image"].startswith(
            f"defaults, {place}"), answer["from"]["image"])
        box.ctl("boot-once", "lab-02", "--image", "y.efi")
        answer = box.json("explain", "lab-02", "--firmware", "http")
        harness.equal(answer["plan"], "image", "plan")
        harness.equal(answer["settings"]["boot-once"], True, "boot-once")
        harness.equal(answer["cmdline"], "other more=1", "cmdline")
        for key in ("mode", "image"):
            harness.equal(answer["from"][key],
                          "override, set by `netukictl boot-once`", key)
        text = box.text("explain", "lab-02")
        for line in (r"machine      lab-02", r"matched by   mac",
                     r"image        y\.efi \(override, set by .*boot-once`\)",
                     r"boot-once    .*", r"kernel gets  other more=1",
                     r"script:", r"#!ipxe"):
            harness.check(re.search(f"^{line}$", text, re.MULTILINE),
                          f"{line} is not in\n{text}")
        box.ctl("mode", "tftp-uki", "--all")
        harness.equal(box.json("explain", "lab-01")["from"]["mode"],
                      "override, set by `netukictl mode --all`", "mode")


def test_explain_vlan_and_loader():
    """Both with where they were said, and a VLAN by its group."""
    with Loopback("  - {name: lab-01, mac: 52:54:00:00:00:01, group: r}\n",
                  DEFAULTS + "groups:\n  - {name: r, vlan: 42}\n") as box:
        box.start()
        answer = box.json("explain", "lab-01")
        harness.equal(answer["settings"]["vlan"], 42, "vlan")
        harness.check(answer["from"]["vlan"].startswith(
            f"group, {box.config}:"), answer["from"]["vlan"])
        harness.check(answer["from"]["loader"].startswith(
            f"defaults, {box.config}:3:"), answer["from"]["loader"])
        text = box.text("explain", "lab-01")
        for line in (r"vlan         42 \(group, .*\)",
                     r"loader       .*/loader\.efi \(defaults, .*\)"):
            harness.check(re.search(f"^{line}$", text, re.MULTILINE),
                          f"{line} is not in\n{text}")


@harness.cases(
    by_mac={"who": "52:54:00:00:00:03", "machine": "lab-03", "by": "mac"},
    by_dashes={"who": "52-54-00-00-00-03", "machine": "lab-03", "by": "mac"},
    by_uuid={"who": "67452301-ab89-efcd-0123-456789abcdef",
             "machine": "board", "by": "uuid"},
    by_name_of_a_prefix={"who": "rack", "machine": "rack",
                         "by": "mac-prefix"},
    a_stranger={"who": STRANGER, "machine": None, "by": None},
)
def test_explain_whom(who, machine, by):
    """A machine is named in any way that identifies it."""
    with running() as box:
        answer = box.json("explain", who)
        harness.equal(answer["machine"], machine, "machine")
        harness.equal(answer["matched-by"], by, "matched-by")
        harness.equal(answer["plan"] == "silence", machine is None, "plan")


def test_explain_refusals():
    """Names that are none are answered with the nearest one."""
    with running() as box:
        harness.check("did you mean lab-01?" in box.refused(
            "explain", "lab-0l"), "lab-0l")
        harness.check("no machine of this name" in box.refused(
            "explain", "something-else"), "something-else")
        done = box.ctl("explain", "nobody", "--json", status=1)
        harness.check("error" in json.loads(done.stdout), done.stdout)


# Modes.

def test_mode():
    """Set, shown wherever it counts, and cleared."""
    with running() as box:
        harness.equal(box.text("mode"),
                      "no mode is set: the configuration counts\n", "mode")
        harness.equal(box.json("mode"), {
            "changed": False, "mode-for-all": None, "include-local": False,
            "for-all": 5, "left-local": 1, "left-own": 0, "boot-once": 0,
            "machines": []}, "mode")
        answer = box.json("mode", "tftp-uki", "lab-01", "52:54:00:00:00:02")
        harness.equal([m["name"] for m in answer["machines"]],
                      ["lab-01", "lab-02"], "changed")
        harness.equal(answer["changed"], True, "changed")
        for name in ("lab-01", "lab-02"):
            harness.equal(box.machine(name)["mode"], "tftp-uki", name)
            harness.equal(box.machine(name)["mode-from"], "override", name)
        harness.equal(box.machine("lab-02")["configured-mode"], "local",
                      "configured-mode")
        plan, name = offered(box, "lab-01", "pxe")
        harness.equal((plan, name), ("image", "images/x.efi"), "offer")
        harness.check(not is_local(script(box, "lab-02")), "lab-02's script")
        text = box.text("mode")
        harness.check(re.search(r"^lab-02 +tftp-uki +local +tftp-uki$", text,
                                re.MULTILINE), text)
        harness.equal(
            box.text("mode", "--clear", "lab-02"),
            "lab-02: local, as configured\n", "clear")
        harness.check(is_local(script(box, "lab-02")), "lab-02's script")
        harness.equal(
            box.text("mode", "local", "lab-01"),
            "lab-01: local, set by `netukictl mode`; configured: ipxe\n",
            "local")
        # Again, which changes nothing and is no mistake.
        box.ctl("mode", "local", "lab-01")
        box.ctl("mode", "--clear", "lab-01", "lab-02", "lab-03")
        harness.equal(box.json("mode")["machines"], [], "after clear")


def modes_of(box):
    """The mode of each machine."""
    return {m["name"]: m["mode"] for m in box.json("machines")["machines"]}


def test_mode_for_all():
    """A machine's own goes before what is set for all."""
    with running() as box:
        box.ctl("mode", "local", "lab-03")
        harness.equal(
            box.text("mode", "tftp-uki", "--all"),
            "4 machines: tftp-uki\n1 machine: local as configured, and so "
            "left alone (--include-local, or name them)\nand these keep what "
            "was set for them:\nlab-03: local, set by `netukictl mode`; "
            "configured: tftp-uki\n", "what it says")
        harness.equal(modes_of(box), {
            "lab-01": "tftp-uki", "lab-02": "local", "lab-03": "local",
            "turns": "tftp-uki", "rack": "tftp-uki", "board": "tftp-uki"},
            "modes")
        harness.check("(all but local) " in box.text("mode"),
                      box.text("mode"))
        harness.check("mode for all but local: tftp-uki" in
                      box.text("status"), box.text("status"))
        answer = box.json("mode", "tftp-uki", "--all", "--include-local")
        harness.equal([answer[key] for key in (
            "include-local", "for-all", "left-local", "left-own")],
            [True, 5, 0, 1], "counts")
        box.restart()
        harness.equal({mode for name, mode in modes_of(box).items()
                       if name != "lab-03"}, {"tftp-uki"}, "the others")
        harness.check("(all) " in box.text("mode"), box.text("mode"))
        harness.equal(
            box.text("mode", "--clear", "lab-03"),
            "lab-03: tftp-uki, set by `netukictl mode --all`; configured: "
            "tftp-uki\n", "clear")
        box.ctl("mode", "local", "lab-03")
        box.ctl("boot-once", "lab-02")
        harness.equal(box.text("mode", "--clear", "--all"),
                      "all machines: as configured\nboot-once stays set for "
                      "1 machine: `netukictl boot-once`\n", "clear --all")
        harness.equal(box.json("mode")["mode-for-all"], None, "mode")
        harness.equal(box.json("mode")["machines"], [], "mode")
        harness.equal(box.machine("lab-03")["mode"], "tftp-uki", "lab-03")


def test_mode_refusals():
    """One wrong name, and nothing is changed at all."""
    with running() as box:
        said = box.refused("mode", "local", "lab-01", "lab-99", "lab-03")
        harness.check("lab-99: no machine of the configuration" in said and
                      "did you mean lab-0" in said, said)
        box.refused("mode", "local", STRANGER)
        harness.equal(box.json("mode")["machines"], [], "what is set")
        answer = box.json("mode", "local", "nobody", status=1)
        harness.check("nobody" in answer["error"], answer)


def test_mode_outlives_restart_and_entry():
    """It is kept for a machine that has left the configuration meanwhile."""
    with running() as box:
        box.ctl("mode", "local", "lab-01")
        box.ctl("mode", "alternate", "--all")
        box.restart()
        harness.equal(box.machine("lab-01")["mode"], "local", "lab-01")
        harness.equal(box.json("mode")["mode-for-all"], "alternate", "all")
        box.write_config("  - {name: other, mac: 52:54:00:00:00:09}\n")
        box.ctl("reload")
        machine, = box.json("mode")["machines"]
        harness.equal((machine["name"], machine["configured"]),
                      ("lab-01", False), "without an entry")
        harness.check("not in the configuration" in box.text("mode"),
                      box.text("mode"))
        box.refused("mode", "ipxe", "lab-01")
        box.write_config(MACHINES)
        box.ctl("reload")
        harness.equal(box.machine("lab-01")["mode"], "local", "lab-01")
        box.write_config("")
        box.ctl("reload")
        box.ctl("mode", "--clear", "lab-01")
        harness.equal(box.json("mode")["machines"], [], "cleared")


def test_many_machines():
    """A thousand names in one command."""
    names = [f"m{number}" for number in range(1000)]
    machines = "".join(
        f"  - {{name: {name}, mac: 52:54:00:01:{number // 256:02x}:"
        f"{number % 256:02x}}}\n" for number, name in enumerate(names))
    with running(machines) as box:
        box.ctl("mode", "local", *names)
        harness.equal(box.json("status")["overrides"]["modes"], 1000, "set")
        box.restart(signal.SIGKILL)
        harness.equal({m["mode"] for m in box.json("machines")["machines"]},
                      {"local"}, "modes after a restart")
        box.ctl("mode", "--clear", "--all")
        harness.equal(box.json("status")["overrides"]["modes"], 0, "cleared")


def test_command_without_its_caller():
    """Who goes away once it has asked leaves no half of it behind."""
    names = [f"m{number}" for number in range(5000)]
    machines = "".join(
        f"  - {{name: {name}, mac: 52:54:00:01:{number // 256:02x}:"
        f"{number % 256:02x}}}\n" for number, name in enumerate(names))
    request = {"command": "mode", "mode": "local", "machines": names}

    def modes(box):
        return box.json("status")["overrides"]["modes"]
    with running(machines) as box:
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.connect(str(box.control))
            client.sendall(json.dumps(request).encode() + b"\n")
        wait_for(lambda: modes(box) == 5000, "all of them")
        # One command after the other, whoever asks first.
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.connect(str(box.control))
            client.sendall(json.dumps({**request, "mode": "ipxe"}).encode()
                           + b"\n")
            wait_for(lambda: box.json("machines")["machines"][-1]["mode"] ==
                     "ipxe", "the first")
            box.ctl("mode", "--clear", "--all")
        harness.equal(modes(box), 0, "modes in the end")


def longest_wait(box, *args):
    """How long HTTP had to wait at most while this command ran, in s, and
    which share of the command that was."""
    ended, waits = threading.Event(), []

    def ask_health():
        client = http.client.HTTPConnection("127.0.0.1", box.http, timeout=20)
        with closing(client):
            while not ended.is_set():
                begun = time.monotonic()
                client.request("GET", "/healthz")
                client.getresponse().read()
                waits.append(time.monotonic() - begun)
    thread = threading.Thread(target=ask_health)
    thread.start()
    wait_for(lambda: waits, "an answer")
    begun = time.monotonic()
    box.ctl(*args, status=int("nobody" in args))
    took = time.monotonic() - begun
    ended.set()
    thread.join(20)
    return max(waits), max(waits) / took


@harness.cases(
    machines={"args": ("machines", "--json")}, reload={"args": ("reload",)},
    status={"args": ("status",)}, mode={"args": ("mode", "ipxe", "--all")},
    clear={"args": ("mode", "--clear", "--all")},
    nobody={"args": ("explain", "nobody")},
)
def test_nobody_waits(args):
    """With 30,000 machines no command holds up who boots meanwhile.

    What the test's machine does besides is no matter: the best of some tries.
    """
    machines = "".join(
        f"  - {{name: m{number}, mac: 52:54:00:{number >> 16:02x}:"
        f"{number >> 8 & 255:02x}:{number & 255:02x}}}\n"
        for number in range(30000))
    with running(machines) as box:
        for _ in range(10):
            wait, share = longest_wait(box, *args)
            if wait < 0.03 or share < 0.05:
                return
        raise harness.Failure(f"{wait * 1e3:.0f} ms, {share:.0%} of all")


# Boot once.

def by_ipxe(box, name):
    """A UEFI machine's iPXE: script, then image."""
    path, = urls(script(box, name))
    harness.check(not is_local(script(box, name)), "used up by the script")
    return box.get(path)


def by_bios(box, name):
    """A BIOS machine's iPXE: script, kernel, initrd."""
    kernel, initrd = urls(script(box, name, "i386", "pcbios"))
    body = box.get(kernel)
    harness.check(urls(script(box, name, "i386", "pcbios")),
                  "used up by the kernel")
    return body + box.get(initrd)


def by_http(box, name):
    """UEFI HTTP Boot: HEAD, then GET."""
    plan, path = offered(box, name, "http")
    harness.equal(plan, "image", "plan for HTTP Boot")
    harness.equal(box.request(path, "HEAD")[0], 200, "HEAD")
    harness.equal(offered(box, name, "http"), (plan, path), "after HEAD")
    return box.get(path)


def by_tftp(box, name):
    """UEFI PXE in mode tftp-uki: asks for the size, then fetches it."""
    plan, path = offered(box, name, "pxe")
    harness.equal(plan, "image", "plan for UEFI PXE")
    box.fetch_tftp(path, 0)
    box.fetch_tftp(path, 30)
    harness.equal(offered(box, name, "pxe"), (plan, path), "broken off")
    return box.fetch_tftp(path)


def once_is_used_up(box, name):
    """Waits until a machine's boot-once is no more."""
    wait_for(lambda: not box.machine(name)["boot-once"],
             f"{name}: boot-once used up")


@harness.cases(
    ipxe={"boot": by_ipxe}, bios={"boot": by_bios}, http={"boot": by_http},
    tftp_uki={"boot": by_tftp, "args": ("--mode", "tftp-uki")},
)
def test_boot_once(boot, args=()):
    """On each path a local machine boots from the network, once."""
    with running() as box:
        harness.check(is_local(script(box, "lab-02")), "before")
        said = box.text("boot-once", "lab-02", *args)
        harness.check(said.startswith("lab-02: next: x.efi in mode "), said)
        box.restart()
        pending, = box.json("boot-once")["machines"]
        harness.equal(pending["name"], "lab-02", "after a restart")
        body = boot(box, "lab-02")
        harness.check(len(body) >= 150000, f"{len(body)} bytes")
        once_is_used_up(box, "lab-02")
        harness.check(is_local(script(box, "lab-02")) and
                      "its own disk for lab-02" in script(box, "lab-02"),
                      "afterwards")
        harness.equal(offered(box, "lab-02", "http")[1], "/local.efi",
                      "HTTP Boot afterwards")
        harness.equal(offered(box, "lab-02", "pxe")[0], "local",
                      "PXE afterwards")
        box.restart(signal.SIGKILL)
        harness.equal(box.json("boot-once")["machines"], [],
                      "after a kill and a restart")


@harness.cases(
    ipxe={"boot": by_ipxe}, bios={"boot": by_bios}, http={"boot": by_http},
    tftp_uki={"boot": by_tftp, "args": ("--mode", "tftp-uki")},
)
def test_boot_once_image(boot, args=()):
    """Another image, once, with the machine's own command line."""
    with running() as box:
        box.ctl("boot-once", "lab-02", "--image", "y.efi", *args)
        body = boot(box, "lab-02")
        image = (box.images / "y.efi").read_bytes()
        if boot is by_bios:
            harness.check(body[:120000] in image, "not y.efi's kernel")
            harness.check(body[120000:160000] in image, "not y.efi's initrd")
        else:
            # The same but for the command line, which is spliced.
            harness.check(b"other more=1" in body and
                          image[-100000:] in body, "not y.efi")
        once_is_used_up(box, "lab-02")
        # Its name of before leads nowhere now.
        harness.equal(box.request(f"/machines/{ID['lab-02']}/y.efi")[0], 404,
                      "y.efi afterwards")


def test_boot_once_tiny():
    """An image that goes out in one packet with its head was loaded, too."""
    with running() as box:
        box.image("tiny.efi", pe.uki("t", 3000, 0))
        wait_for(lambda: box.request("/images/tiny.efi")[0] == 200, "image")
        box.ctl("boot-once", "lab-01", "--image", "tiny.efi")
        harness.equal(by_ipxe(box, "lab-01"), pe.uki("t", 3000, 0), "image")
        once_is_used_up(box, "lab-01")


def test_boot_once_small_initrd():
    """The last part of a boot may be so short that it goes with its head."""
    with Loopback(MACHINES) as box:
        box.image("y.efi", pe.uki("other", 120000, 1000))
        box.start()
        box.ctl("boot-once", "lab-02", "--image", "y.efi")
        harness.equal(len(by_bios(box, "lab-02")), 121000, "bytes")
        once_is_used_up(box, "lab-02")


def test_boot_once_is_not_used_up():
    """By nothing but the last byte of its own image, fetched by itself."""
    with Loopback(MACHINES) as box:
        # More than all buffers between netukid and a client can hold.
        box.image("y.efi", pe.uki("other", 30_000_000, 1000))
        box.start()
        box.ctl("boot-once", "lab-02", "--image", "y.efi")
        path, = urls(script(box, "lab-02"))
        harness.equal(path, f"/machines/{ID['lab-02']}/y.efi", "path")
        # The script told whose this address is; another image changes none.
        box.get("/images/x.efi")
        box.request(path, headers={"Range": "bytes=0-9999"})
        box.request(path, headers={"Range": "bytes=20000-40000"})
        with closing(socket.create_connection(("127.0.0.1", box.http))) as one:
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            one.recv(100)
        script(box, "lab-01")
        box.get("/images/y.efi")
        # The address is lab-01's now, and another's boots are not its own.
        box.get(path)
        time.sleep(0.3)
        harness.check(box.machine("lab-02")["boot-once"], "used up")
        script(box, "lab-02")
        size = int(box.request(path, headers={"Range": "bytes=50000-"})[0])
        harness.equal(size, 206, "the rest of a download")
        once_is_used_up(box, "lab-02")


def test_boot_once_by_address():
    """Fetched as images/NAME: whose it is tells the address."""
    with running() as box:
        box.ctl("boot-once", "lab-02")
        script(box, "lab-02")
        box.get("/images/x.efi")
        once_is_used_up(box, "lab-02")


def test_boot_once_cancel():
    """Cancelled, for some and for all."""
    with running() as box:
        box.ctl("boot-once", "lab-01", "lab-02", "lab-03")
        text = box.text("boot-once")
        harness.check(re.search(r"^lab-02 +ipxe +x\.efi$", text,
                                re.MULTILINE), text)
        harness.equal(box.text("boot-once", "--cancel", "lab-02"),
                      "lab-02: not any more\n", "cancel")
        harness.check(is_local(script(box, "lab-02")), "lab-02")
        harness.equal([m["name"]
                       for m in box.json("boot-once")["machines"]],
                      ["lab-01", "lab-03"], "the others")
        harness.equal(box.text("boot-once", "--cancel", "--all"),
                      "all machines: not any more\n", "cancel --all")
        harness.equal(box.text("boot-once"),
                      "no machine is set to boot once\n", "afterwards")
        box.ctl("boot-once", "--cancel", "lab-02")


def test_boot_once_refusals():
    """What could never boot is refused, with the reason."""
    with running() as box:
        box.image("bad.efi", b"MZ nothing more")
        wait_for(lambda: len(box.json("images")["images"]) == 3, "bad.efi")
        for args, wanted in ((("lab-02", "--image", "x.ef"),
                              "did you mean x.efi?"),
                             (("lab-02", "--image", "bad.efi"),
                              "bad.efi is not offered: "),
                             (("lab-2",), "did you mean lab-02?")):
            said = box.refused("boot-once", *args)
            harness.check(wanted in said, f"{args}: {said}")
        harness.equal(box.json("boot-once")["machines"], [], "what is set")
        said = box.text("boot-once", "lab-01")
        harness.check("that is what it boots every time" in said, said)


# Alternate.

def test_alternate():
    """From one boot to the next ipxe and tftp-uki; a restart changes none."""
    with running() as box:
        for number in range(4):
            mode = box.machine("turns")["mode"]
            harness.equal(mode, ("ipxe", "tftp-uki")[number % 2],
                          f"mode of boot {number}")
            harness.equal(box.machine("turns")["alternate"], True,
                          "alternate")
            if number == 2:
                box.restart(signal.SIGKILL)
            # Asked again and again, it stays.
            for _ in range(3):
                harness.equal(box.json("explain", "turns")["settings"]["mode"],
                              mode, "mode meanwhile")
            (by_ipxe if mode == "ipxe" else by_tftp)(box, "turns")
            wait_for(lambda old=mode: box.machine("turns")["mode"] != old,
                     "the other mode")
        harness.check("alternate    the other mode the next time" in
                      box.text("explain", "turns"), "explain")


def test_alternate_and_once():
    """What boot-once takes the place of, and what comes after it."""
    with running() as box:
        box.ctl("mode", "alternate", "lab-01")
        harness.equal(box.text("boot-once", "lab-01", "--mode", "tftp-uki"),
                      "lab-01: next: x.efi in mode tftp-uki; then alternate\n",
                      "boot-once")
        text = box.text("explain", "lab-01")
        harness.check("\nboot-once    until its image has gone out; then "
                      "alternate\n" in text and "the other mode" not in text,
                      text)
        box.ctl("boot-once", "lab-01")
        harness.check(re.search(r"^lab-01 .* ipxe \(alternate\) +mode, "
                                "boot-once ", box.text("machines"),
                                re.MULTILINE), box.text("machines"))
        by_ipxe(box, "lab-01")
        once_is_used_up(box, "lab-01")
        harness.equal(box.machine("lab-01")["mode"], "tftp-uki", "then")


# Reload.

BAD = "defaults: {image: x.efi, mode: disk}\nfrob: 1\n"


def test_reload():
    """A good file is taken over; a bad one is told of, and changes nothing."""
    with running() as box:
        harness.equal(box.text("reload"), "reloaded\n", "reload")
        box.write_config(MACHINES + "  - {name: new, mac: 52:54:00:00:01:01}"
                         "\n")
        answer = box.json("reload")
        harness.equal((answer["reloaded"], answer["needs-restart"]),
                      (True, False), "reload")
        harness.equal(box.machine("new")["mode"], "ipxe", "new")
        box.write_config(MACHINES, BAD)
        done = box.ctl("reload", status=1)
        for part in (f"{box.config}:", "'disk' is not one of", "frob",
                     "netukictl: not reloaded"):
            harness.check(part in done.stderr, f"{part}: {done.stderr}")
        answer = box.json("reload", status=1)
        harness.check(len(answer["messages"]) >= 2, answer)
        harness.equal(box.machine("new")["mode"], "ipxe", "new, still")
        status = box.json("status")
        harness.check(status["config-error"].startswith(f"{box.config}:"),
                      status["config-error"])
        harness.equal(status["last-reload"], {"ok": False, "seconds-ago": 0},
                      "last-reload")
        harness.check(re.search(r"^NOT RELOADED \d+ s ago: " +
                                re.escape(str(box.config)), box.text("status"),
                                re.MULTILINE), box.text("status"))
        harness.check("not reloaded: 2 errors" in box.log(), box.log())
        box.write_config(MACHINES)
        box.ctl("reload")
        harness.equal(box.json("status")["config-error"], None, "status")
        harness.check(", reloaded 0 s ago\n" in box.text("status"), "status")
        box.write_config(MACHINES + "frob: 1\n")
        harness.check("before stays in force: 1 error\n" in
                      box.ctl("reload", status=1).stderr, "one error")


def test_reload_says_what_needs_a_restart():
    """A port is not changed by a reload, which says so each time."""
    with running() as box:
        box.write_config(MACHINES, DEFAULTS + "unknown-machines: default\n")
        text = box.config.read_text().replace(
            f"http: {{port: {box.http}}}", "http: {port: 1}").replace(
            f"state: {box.state}", f"state: {box.tmp}")
        box.config.write_text(text)
        for _ in range(2):
            done = box.ctl("reload")
            harness.check("at the next start only" in done.stdout, done.stdout)
            harness.equal(re.findall(r": (\S+): taken over at the next start",
                                     done.stderr), ["http.port", "state"],
                          "what is taken over at the next start")
        box.write_config(MACHINES)
        harness.equal(box.text("reload"), "reloaded\n", "all as it was")


def test_reload_error_is_logged_once():
    """The file is watched, and somebody asks for a reload besides."""
    with running() as box:
        for number in range(1, 4):
            box.write_config(MACHINES, DEFAULTS + f"frob: {number}\n")
            box.ctl("reload", status=1)
            time.sleep(0.6)  # longer than a changed file waits to be read
            harness.equal(box.log().count("configuration not reloaded"),
                          number, "words of it")


@harness.cases(by_signal={"how": "signal"}, by_rename={"how": "rename"},
               by_writing={"how": "write"})
def test_reload_by_itself(how):
    """By SIGHUP, and when the file is replaced or written."""
    with running() as box:
        text = box.config_text(MACHINES + "  - {name: new, mac: "
                               "52:54:00:00:01:01}\n")
        if how == "rename":
            fresh = box.tmp / "fresh"
            fresh.write_text(text)
            fresh.rename(box.config)
        else:
            box.config.write_text(text)
        if how == "signal":
            box.netukid.send(signal.SIGHUP)
        wait_for(lambda: box.json("status")["machines"] == 7, "reload")
        # And a bad one is noticed as well, and told.
        box.config.write_text("frob: 1\n")
        wait_for(lambda: box.json("status")["config-error"], "its error")
        harness.equal(box.json("status")["machines"], 7, "machines")


def test_end_while_busy():
    """A reload and answers that are under way do not outlive netukid."""
    machines = "".join(f"  - {{serial: s{n}}}\n" for n in range(20000))
    with Loopback(machines) as box:
        for number in range(6):
            box.start()
            box.ctl("status")
            clients = []
            for command in (b"machines", b"reload", b"reload", b"mode"):
                client = socket.socket(socket.AF_UNIX)
                client.connect(str(box.control))
                client.sendall(b'{"command": "' + command + b'"}\n')
                clients.append(client)
            box.netukid.send(signal.SIGHUP)
            if number % 2:
                clients.pop(number % 4).close()
            time.sleep(0.02 * number)
            harness.equal(box.stop(), 0, "exit status")
            for client in clients:
                client.close()


def included(box, name):
    """An included machine of its own, as the text of a file."""
    return f"{{name: {name}, serial: {name}}}\n"


def by_part(box, parts):
    """A file comes into an included, empty directory; is rewritten; goes."""
    part = parts / "a.yaml"
    for name in ("first", "second"):
        part.write_text(included(box, name))
        yield name
    part.unlink()
    yield None


def by_part_elsewhere(box, parts):
    """What a link in an included directory leads to is rewritten."""
    other = box.tmp / "elsewhere"
    other.mkdir()
    (other / "a").write_text(included(box, "first"))
    (parts / "a.yaml").symlink_to("../elsewhere/a")
    yield "first"
    (other / "a").write_text(included(box, "second"))
    yield "second"


def by_mended_part(box, parts):
    """A part is wrong, which changes nothing, and then right."""
    (parts / "a.yaml").write_text("{frob: 1}\n")
    yield Exception
    (parts / "a.yaml").write_text(included(box, "first"))
    yield "first"


def by_directory(box, parts):
    """An included directory is moved away, and another into its place."""
    fresh = box.tmp / "fresh"
    fresh.mkdir()
    (fresh / "a.yaml").write_text(included(box, "first"))
    parts.rename(box.tmp / "old")
    yield Exception
    fresh.rename(parts)
    yield "first"
    (parts / "a.yaml").write_text(included(box, "second"))
    yield "second"


def by_target(box, parts):
    """The configuration is a link: to a file that an editor replaces."""
    repository = box.tmp / "git"
    repository.mkdir()
    target = repository / "lab.yaml"
    target.write_text(box.config.read_text())
    link = box.tmp / "link"
    link.symlink_to(target)
    link.rename(box.config)
    yield None
    fresh = repository / "fresh"
    fresh.write_text(target.read_text().replace("lab-01", "first"))
    fresh.rename(target)
    yield "first"
    target.write_text(target.read_text().replace("first", "second"))
    yield "second"


def by_linked_directory(box, parts):
    """As a Kubernetes volume is updated: ..data leads somewhere else."""
    text = box.config.read_text()
    for number, name in enumerate(("lab-01", "first", "second")):
        version = box.tmp / f"..{number}"
        version.mkdir()
        (version / "netuki.yaml").write_text(text.replace("lab-01", name))
        fresh = box.tmp / "..fresh"
        fresh.symlink_to(version.name)
        fresh.rename(box.tmp / "..data")
        if not number:
            link = box.tmp / "link"
            link.symlink_to("..data/netuki.yaml")
            link.rename(box.config)
        yield name if number else None


@harness.cases(
    part={"how": by_part}, part_elsewhere={"how": by_part_elsewhere},
    mended_part={"how": by_mended_part}, directory={"how": by_directory},
    target={"how": by_target}, linked_directory={"how": by_linked_directory},
)
def test_reload_by_parts(how):
    """Whatever the configuration was read from is watched for changes."""
    with Loopback() as box:
        parts = box.tmp / "netuki.d"
        parts.mkdir()
        box.write_config(MACHINES, DEFAULTS + "include: netuki.d\n")
        box.start()
        for wanted in how(box, parts):
            if wanted is Exception:
                wait_for(lambda: box.json("status")["config-error"],
                         "an error")
                continue
            if wanted:
                wait_for(lambda name=wanted: name in {
                    m["name"] for m in box.json("machines")["machines"]},
                    f"{wanted} after {box.log()}")
            else:
                wait_for(lambda: "first" not in box.text("machines") and
                         "second" not in box.text("machines"), "no machine")
            harness.equal(box.json("status")["config-error"], None, "error")


def test_reload_once_for_many():
    """Five hundred files that come in one go are read once."""
    with Loopback() as box:
        parts = box.tmp / "netuki.d"
        parts.mkdir()
        box.write_config(MACHINES, DEFAULTS + "include: netuki.d\n")
        box.start()
        for number in range(500):
            (parts / f"m{number}.yaml").write_text(
                included(box, f"m{number}"))
        wait_for(lambda: box.json("status")["machines"] == 506, "them")
        box.ctl("reload")
        harness.equal(box.log().count("configuration reloaded"), 2,
                      "reloads, the last one asked for")


def check(box):
    """(status, standard output, standard error) of `netukid --check`."""
    done = subprocess.run([paths.built("netukid"), "--check", "--config",
                           box.config], text=True, capture_output=True)
    return done.returncode, done.stdout, done.stderr


def test_check():
    """All is well, or what is not; what many machines share is said once."""
    if paths.BUILD.name == "valgrind":
        raise harness.Skip("by its name netukid is not known to be one")
    with Loopback(MACHINES) as box:
        ok = f"{box.config}: ok, 6 machines, 2 images"
        harness.equal(check(box), (0, f"{ok}\n", ""), "all is well")
        box.write_config(MACHINES, "defaults:\n  image: x.efi\n"
                         f"  sha256: {'0' * 64}\n")
        status, out, said = check(box)
        harness.equal((status, out), (0, f"{ok}, 1 warning\n"), "with a pin")
        harness.check(re.fullmatch(
            r"\S+:11:11: warning: sha256: x\.efi has another digest: it will "
            r"not be booted \(6 times\)\n", said), said)
        box.write_config(MACHINES)
        with socket.create_server(("127.0.0.1", box.http)):
            status, out, said = check(box)
        harness.equal((status, out), (0, f"{ok}, 1 warning\n"), "with a port")
        harness.check(f"warning: http.port: TCP port {box.http} is taken by "
                      in said and f", process {os.getpid()}\n" in said, said)
        box.start()
        harness.equal(check(box), (0, f"{ok}\n", ""), "while it runs itself")
        box.stop()
        box.image("y.efi", pe.uki())
        box.write_config(MACHINES, "defaults: {image: Y.eif}\n")
        status, out, said = check(box)
        harness.check(re.search(r"image: Y\.eif is not in \S+: did you mean "
                                r"'y\.efi'\?\n", said), said)
        box.write_config(MACHINES)
        for number in range(4161):
            (box.images / f"z{number}.efi").touch()
        status, out, said = check(box)
        harness.equal(status, 0, "status of too many")
        harness.check(f"warning: images: {box.images} holds more than 4096: "
                      "the rest is left out, of those that no machine boots\n"
                      in said, said)
        shutil.rmtree(box.images)
        status, out, said = check(box)
        harness.equal((status, out), (3, ""), "without images")
        harness.check(f"warning: images: there is no {box.images}\n" in said
                      and f"image: x.efi is not in {box.images}\n" in said,
                      said)
        box.write_config(MACHINES, "frob: 1\n")
        harness.equal(check(box)[:2], (1, ""), "a key that there is not")


def test_starts_before_its_disk_is_mounted():
    """What is missing is told of, and taken up when it comes."""
    with Loopback(MACHINES) as box:
        parts = {part: box.tmp / f"{part.name}.away" for part in (
            box.images, box.tmp / "loader.efi")}
        for part, away in parts.items():
            part.rename(away)
        harness.equal(check(box)[0], 3, "status of --check")
        box.start()
        for words in (f"warning: images: there is no {box.images}\n",
                      f"warning: image: x.efi is not in {box.images}; it is "
                      "booted once it is there\n",
                      f"warning: loader {box.tmp}/loader.efi: No such file or "
                      "directory; it is served once it is there\n"):
            harness.check(words in box.log(), box.log())
        harness.equal(box.fetch_tftp("loader.kpxe"), b"a loader", "a loader")
        harness.check("no such file" in box.refused(
            "bench", f"tftp://127.0.0.1:{box.tftp}/loader.efi"),
            "a loader that is away")
        harness.check("/x.efi" not in script(box, "lab-01"), "its script")
        harness.check("x.efi is not in" in box.refused("reload"), "a reload")
        for part, away in parts.items():
            away.rename(part)
        wait_for(lambda: "/x.efi" in script(box, "lab-01"), "the image")
        wait_for(lambda: box.request("/loaders/loader.efi")[0] == 200,
                 "the loader")
        harness.equal(box.fetch_tftp("loader.efi"), b"MZ a loader", "a loader")
        box.ctl("reload")


def test_configuration_from_a_pipe():
    """It is read once, as a whole."""
    with Loopback(MACHINES) as box:
        text = box.config.read_text()
        with subprocess.Popen(
                [paths.built("netukid"), "--check", "--config", "/dev/stdin"],
                stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True) as netukid:
            said = netukid.communicate(text.replace("x.efi", "z.efi"))[1]
        harness.check("/dev/stdin:" in said and "z.efi is not in" in said,
                      said)
        with subprocess.Popen(
                [paths.built("netukid"), "--config", "/dev/stdin"],
                stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True) as netukid:
            netukid.stdin.write(text)
            netukid.stdin.close()
            wait_for(box.answers, "an answer")
            said = box.refused("reload")
            harness.check("/dev/stdin is no regular file" in said, said)
            harness.equal(box.json("status")["machines"], 6, "machines")
            netukid.terminate()


def slow_download(box, path, wanted, errors, hurry):
    """Fetches PATH slowly until HURRY, so that reloads happen meanwhile."""
    try:
        with closing(socket.create_connection(("127.0.0.1", box.http))) as one:
            one.settimeout(20)
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n"
                        "Connection: close\r\n\r\n".encode())
            data = b""
            while chunk := one.recv(65536):
                data += chunk
                hurry.wait(0.05)
        body = data.split(b"\r\n\r\n", 1)[1]
        if body != wanted:
            errors.append(f"{path}: {len(body)} bytes, other than wanted")
    except (OSError, IndexError) as err:
        errors.append(f"{path}: {err}")


def fetch_all(box, path, wanted, errors, end):
    """Fetches PATH again and again over TFTP until END."""
    try:
        while not end.is_set():
            if box.fetch_tftp(path) != wanted:
                errors.append(f"{path}: other than wanted")
    except (OSError, harness.Failure) as err:
        errors.append(f"{path}: {err}")


def test_reload_under_load():
    """Transfers run on, whole and undisturbed, while everything changes."""
    big = pe.uki("big", 30_000_000, 10_000_000)
    small = pe.uki()
    with Loopback(MACHINES) as box:
        box.image("big.efi", big)
        box.start()
        errors, hurry, end = [], threading.Event(), threading.Event()
        slow = [threading.Thread(target=slow_download, args=(
            box, "/images/big.efi", big, errors, hurry)) for _ in range(4)]
        quick = [threading.Thread(target=fetch_all, args=(
            box, "images/x.efi", small, errors, end)) for _ in range(3)]
        for thread in slow + quick:
            thread.start()
        reloads = 0
        while any(thread.is_alive() for thread in slow) and not errors:
            reloads += 1
            if reloads % 3 == 0:
                box.write_config(MACHINES, BAD)
                box.ctl("reload", status=1)
            else:
                box.write_config(MACHINES if reloads % 3 == 1 else "")
                box.ctl("reload")
            if reloads == 4:
                # Replaced under its readers: they go on with the old one.
                box.image("big.efi", pe.uki("new", 1000, 1000))
            box.ctl("mode", ("local", "ipxe")[reloads % 2], "--all")
            if reloads == 6:
                hurry.set()
        hurry.set()
        end.set()
        for thread in slow + quick:
            thread.join(30)
        harness.equal(errors, [], "errors")
        harness.check(reloads >= 6, f"only {reloads} reloads meanwhile")
        box.netukid.require_running()


# Boots.

def test_boots_follow():
    """Each step as it happens, as JSON lines and as text."""
    with running() as box:
        for args in (["--json"], []):
            with subprocess.Popen(
                    [paths.built("netukictl"), "boots", "--follow",
                     "--control", box.control, *args],
                    stdout=subprocess.PIPE, bufsize=0) as follow:
                try:
                    if args:
                        line = json.loads(follow.stdout.readline())
                        harness.equal(line, {"following": True}, "first")
                    else:
                        # The text does not say when it has begun to follow.
                        steps_come(box, follow.stdout)
                    box.get("/images/x.efi")
                    steps = read_steps(follow.stdout, bool(args))
                finally:
                    follow.kill()
            harness.check("http-start" in steps and "http-done" in steps,
                          steps)


def test_answer_cannot_be_written():
    """A full disk is no success, and ends what follows."""
    with running() as box, open("/dev/full", "wb") as full:
        at = ["--control", box.control]
        for program, *args in (
                ["netukictl", "--help"], ["netukictl", "status", *at],
                ["netukictl", "images", "--json", *at],
                ["netukictl", "boots", "--follow", "--json", *at],
                ["netukid", "--help"],
                ["netukid", "--check", "--config", box.config]):
            done = subprocess.run(
                [paths.built(program), *args],
                text=True, stdout=full, stderr=subprocess.PIPE, timeout=20)
            harness.equal((done.returncode, done.stderr.splitlines()[-1:]),
                          (1, [f"{program}: the answer could not be written"]),
                          (program, args))


def test_boots_before_any():
    """Nothing has booted yet, which is told as such."""
    with running() as box:
        wait_for((box.state / "history.db").exists, "the history")
        harness.equal(box.json("boots")["boots"], [], "boots")
        for args, wanted in (
                (["boots"], "No machine has booted yet"),
                (["report"], "No machine has booted yet"),
                (["boots", "lab-01"], "No boot of lab-01 is known.\n"),
                (["boots", "--since", "1d"], "without --since"),
                (["report", "--since", "1d"], "without --since")):
            text = box.text(*args)
            harness.check(wanted in text and "MODE" not in text,
                          f"{args}: {text}")
        harness.check("no boot of this machine is known" in
                      box.refused("boot", "lab-01"), "lab-01")
        harness.check("no boot of this number" in box.refused("boot", "7"),
                      "7")


def steps_come(box, stream):
    """Loads an image, until steps of it are told; they are read."""
    deadline = time.monotonic() + 20
    while not select.select([stream], [], [], 0.5)[0]:
        harness.check(time.monotonic() < deadline, "no step is told")
        box.get("/images/x.efi")
    read_steps(stream, False)


def read_steps(stream, is_json):
    """The names of the steps up to http-done."""
    steps = []
    while "http-done" not in steps:
        ready, _, _ = select.select([stream], [], [], 20)
        harness.check(ready, f"no more than {steps}")
        line = stream.readline()
        steps.append(json.loads(line)["event"] if is_json
                     else line.split()[1].decode())
    return steps


# What is kept.

def test_state_cannot_be_saved():
    """A full disk: in force, but said to be forgotten; saved when it can."""
    with running() as box:
        box.ctl("mode", "local", "lab-01")
        old = (box.state / "state.json").read_bytes()
        pid = box.netukid.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        done = box.ctl("mode", "tftp-uki", "lab-01", status=1)
        harness.check("in force, but could not be saved" in done.stderr and
                      "state.json" in done.stderr, done.stderr)
        harness.equal(box.machine("lab-01")["mode"], "tftp-uki", "in force")
        problem = box.json("status")["state-problem"]
        harness.check("File too large" in problem, problem)
        harness.check("NOT SAVED" in box.text("status"), "status")
        harness.equal((box.state / "state.json").read_bytes(), old,
                      "the old file")
        answer = box.json("boot-once", "lab-02", status=1)
        harness.check(answer["changed"] and "could not be saved" in
                      answer["error"], answer)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_for(lambda: not box.json("status")["state-problem"],
                 "saved by itself", 10)
        box.restart(signal.SIGKILL)
        harness.equal(box.machine("lab-01")["mode"], "tftp-uki", "afterwards")
        harness.equal(box.machine("lab-02")["boot-once"], True, "afterwards")


def test_corrupt_state_is_set_aside():
    """netukid starts all the same, and says so."""
    with Loopback(MACHINES) as box:
        (box.state / "state.json").write_text("{\"version\": 1, \"mach")
        box.start()
        harness.check("state.json.bad" in box.log(), "the log")
        harness.check((box.state / "state.json.bad").exists(), "set aside")
        box.ctl("mode", "local", "lab-01")
        box.restart()
        harness.equal(box.machine("lab-01")["mode"], "local", "and works")


def test_full_state_takes_no_half():
    """A command for which there is no room changes no machine at all."""
    free, names = 2, ("lab-01", "lab-02", "lab-03")
    gone = {f"gone-{n}": {"mode": "ipxe"} for n in range(131072 - free)}
    with Loopback(MACHINES) as box:
        (box.state / "state.json").write_text(
            json.dumps({"version": 1, "machines": gone}))
        box.start()
        before = [box.machine(name)["mode"] for name in names]
        for command in (("mode", "alternate"), ("boot-once",)):
            done = box.ctl(*command, *names, status=1)
            harness.check("no more than 131072" in done.stderr, done.stderr)
            harness.equal([box.machine(name)["mode"] for name in names],
                          before, "modes")
        box.ctl("mode", "ipxe", *names[:free])
        harness.equal([box.machine(name)["mode"] for name in names[:free]],
                      ["ipxe"] * free, "modes, where there is room")


def change_for_ever(box, told, end):
    """Changes lab-01's mode and tells of each that was answered."""
    number = 0
    while not end.is_set():
        number += 1
        mode = ("local", "ipxe", "tftp-uki")[number % 3]
        told.append(("asked", mode))
        try:
            answer = ask(box, json.dumps(
                {"command": "mode", "mode": mode,
                 "machines": ["lab-01"]}).encode() + b"\n")
            if json.loads(answer).get("changed"):
                told.append(("answered", mode))
        except (OSError, ValueError):
            return


def test_kill_while_saving():
    """After kill -9 the state is what was answered last, or what was asked."""
    source = random.Random(time.time_ns())
    with Loopback(MACHINES) as box:
        box.start()
        for number in range(12):
            told, end = [], threading.Event()
            thread = threading.Thread(target=change_for_ever,
                                      args=(box, told, end))
            thread.start()
            wait_for(lambda: any(what == "answered" for what, _ in told),
                     "an answer", 20)
            time.sleep(source.random() * 0.1)
            box.stop(signal.SIGKILL)
            end.set()
            thread.join(10)
            json.loads((box.state / "state.json").read_text())
            box.start()
            mode = box.machine("lab-01")["mode"]
            answered = [m for what, m in told if what == "answered"]
            harness.check(mode in (answered[-1], told[-1][1]),
                          f"round {number}: {mode} after {told[-4:]}")
            harness.check("set aside" not in box.log(), box.log())


def test_network_changes_nothing():
    """Neither HTTP nor TFTP can set anything."""
    with running() as box:
        box.ctl("mode", "local", "lab-01")
        before = (box.state / "state.json").read_bytes()
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            for path in ("/mode", "/boot-once", "/images/x.efi",
                         f"/ipxe/{ID['lab-01']}?mode=ipxe&image=y.efi"):
                status, _ = box.request(path, method)
                harness.check(status >= 400, f"{method} {path}: {status}")
        script(box, "lab-01")
        box.get(f"/ipxe/{ID['lab-01']}?mode=ipxe&boot-once=1")
        harness.equal((box.state / "state.json").read_bytes(), before,
                      "the state")
        harness.equal(box.machine("lab-01")["mode"], "local", "lab-01")


if __name__ == "__main__":
    harness.main(globals())
