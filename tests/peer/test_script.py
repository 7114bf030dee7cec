#!/usr/bin/python3
"""netukid's script goes where it should, whatever iPXE meets on its way.

No packaged iPXE has VLANs, so none can run the script of a machine with
`vlan`.  What runs it here is small, but holds it to what iPXE documents: which
options and arguments a command takes, what `&&`, `||` and `goto` do, and that
a line which fails ends the script.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import harness  # noqa: E402
from lab.loopback import DEFAULTS, Loopback  # noqa: E402

MAC = "52-54-00-00-00-01"
MACHINES = f"  - {{name: lab-01, mac: {MAC.replace('-', ':')}, vlan: 42}}\n"
MANY = 1000
NUMBER, TEXT = r"\d+", r".*"

# Of each command: its options with what they take, and how many arguments.
GRAMMAR = {
    "boot": ({}, 0, 1),
    "chain": ({"name": TEXT, "timeout": NUMBER}, 1, MANY),
    "echo": ({}, 0, MANY),
    "exit": ({}, 0, 1),
    "goto": ({}, 1, 1),
    "ifclose": ({}, 0, MANY),
    "ifconf": ({"configurator": r"dhcp|ipv6", "timeout": NUMBER}, 0, MANY),
    "imgfree": ({}, 0, MANY),
    "inc": ({}, 1, 2),
    "initrd": ({"name": TEXT, "timeout": NUMBER}, 1, MANY),
    "iseq": ({}, 2, 2),
    "kernel": ({"name": TEXT, "timeout": NUMBER}, 1, MANY),
    "set": ({}, 1, MANY),
    "sleep": ({}, 1, 1),
    "vcreate": ({"tag": NUMBER, "priority": NUMBER}, 1, 1),
}


def arguments(words):
    """A command's options and arguments; fails if it takes other ones."""
    takes, least, most = GRAMMAR[words[0]]
    options, at = {}, 1
    while at < len(words) and words[at].startswith("--"):
        name, equals, value = words[at][2:].partition("=")
        harness.check(name in takes, f"{words}: --{name}")
        if not equals:
            at += 1
            value = words[at]
        harness.check(re.fullmatch(takes[name], value), f"{words}: {value}")
        options[name] = value
        at += 1
    harness.check(least <= len(words) - at <= most, f"{words}: arguments")
    return options, words[at:]


class Over(Exception):
    """The script has ended; its words say how."""


class Ipxe:
    """iPXE that came by net0 and has an address there.

    VLANS: was it built for them?  DHCP says for each try in the VLAN whether
    there is an answer, FETCH for each download whether it succeeds; after
    their ends the last one counts.
    """

    def __init__(self, vlans=True, dhcp=(True,), fetch=(True,)):
        self._vlans, self._dhcp, self._fetch = vlans, dhcp, fetch
        self._settings = {"netX/ifname": "net0", "net0/ip": "10.77.0.100"}
        self._open = {"net0": True}
        self.tries = 0  # of DHCP
        self.fetched = []  # URL and interface of each download
        self.said = []

    def run(self, text):
        """How the script ends: "exit 1", or "boot" with what it boots."""
        lines = text.splitlines()
        harness.equal(lines[0], "#!ipxe", "first line")
        at, steps = 1, 0
        try:
            while at < len(lines):
                steps += 1
                harness.check(steps < 1000, "the script does not end")
                label = self._line(lines[at])
                at = lines.index(f":{label}") if label else at + 1
        except Over as end:
            return str(end)
        return "end of the script"

    def _line(self, line):
        """Runs a line; a label to go to, or None."""
        if line.startswith(":"):
            return None
        good, process, command = True, True, []
        for word in [*line.split(), ";"]:
            if word not in ("||", "&&", ";"):
                command.append(word)
                continue
            if process and command and command[0] == "goto":
                return arguments(command)[1][0]
            if process:
                good = self._command([
                    re.sub(r"\$\{([^}]*)\}",
                           lambda m: self._settings.get(m[1], ""), part)
                    for part in command])
            process = {"||": not good, "&&": good, ";": True}[word]
            command = []
        if not good:
            raise Over(f"failed: {line}")
        return None

    def _command(self, words):
        """Runs one command; does it succeed?"""
        if not words:
            return True
        harness.check(words[0] in GRAMMAR, f"no command: {words}")
        if words[0] == "vcreate" and not self._vlans:
            return False
        options, rest = arguments(words)
        return getattr(self, f"_{words[0]}")(options, rest) is not False

    def _vcreate(self, options, rest):
        harness.check(rest[0] in self._open, f"vcreate: {rest}")
        self._open[f"{rest[0]}-{options['tag']}"] = False

    def _ifclose(self, _, rest):
        for name in rest or list(self._open):
            self._open[name] = False

    def _ifconf(self, options, rest):
        harness.equal(options, {"configurator": "dhcp"}, "ifconf: options")
        harness.check(rest[0] in self._open, f"ifconf: {rest}")
        answered = self._dhcp[min(self.tries, len(self._dhcp) - 1)]
        self.tries += 1
        if not answered:
            return False
        # A VLAN opens the interface below it again.
        for name in (rest[0], rest[0].partition("-")[0]):
            self._open[name] = True
        self._settings[f"{rest[0]}/ip"] = "10.42.0.100"
        return True

    def _set(self, _, rest):
        self._settings[rest[0].partition(":")[0]] = " ".join(rest[1:])

    def _inc(self, _, rest):
        self._settings[rest[0]] = str(int(self._settings[rest[0]]) + 1)

    def _iseq(self, _, rest):
        return rest[0] == rest[1]

    def _echo(self, _, rest):
        self.said.append(" ".join(rest))

    def _sleep(self, _, rest):
        harness.check(rest[0].isdigit(), f"sleep: {rest}")

    def _imgfree(self, *_):
        pass

    def _kernel(self, _, rest):
        over = [name for name, is_open in self._open.items() if is_open and
                self._settings.get(f"{name}/ip", "0.0.0.0") != "0.0.0.0"]
        good = self._fetch[min(len(self.fetched), len(self._fetch) - 1)]
        self.fetched.append((rest[0], *over))
        return good

    _initrd = _kernel

    def _chain(self, options, rest):
        if not self._kernel(options, rest):
            return False
        raise Over("boot")

    def _boot(self, *_):
        raise Over("boot")

    def _exit(self, _, rest):
        raise Over(" ".join(["exit", *rest]))


def given(arch, machines=MACHINES):
    """The script that the machine's iPXE is given."""
    platform = "pcbios" if arch == "i386" else "efi"
    with Loopback(machines, DEFAULTS) as box:
        box.start()
        return box.get(f"/ipxe/{MAC}?arch={arch}&platform={platform}").decode()


VLAN = "net0-42"
FAILS = {"end": "exit 1", "fetches": 0}


@harness.cases(
    at_once={"ipxe": {}},
    late_dhcp={"ipxe": {"dhcp": (False, False, False, True)}, "tries": 4},
    no_dhcp={"ipxe": {"dhcp": (False,)}, "tries": 5, **FAILS},
    no_vlans={"ipxe": {"vlans": False}, "tries": 0, **FAILS},
    late_server={"ipxe": {"fetch": (False, False, True)}, "fetches": 3},
    no_server={"ipxe": {"fetch": (False,)}, "end": "exit 1", "fetches": 5})
def test_vlan(ipxe, end="boot", tries=1, fetches=1):
    """All is fetched over the VLAN; what fails goes on with the boot order."""
    one = Ipxe(**ipxe)
    harness.equal(one.run(given("x86_64")), end, "the end")
    harness.equal(one.tries, tries, "tries of DHCP")
    harness.equal([over for _, *over in one.fetched], [[VLAN]] * fetches,
                  "interfaces that the downloads can take")
    wanted = "no DHCP in VLAN 42, or this iPXE is built without VLAN_CMD"
    harness.equal(f"netuki: {wanted}" in one.said, not fetches, "what it says")


def test_vlan_bios():
    """The parts that BIOS loads come over the VLAN, too."""
    one = Ipxe()
    harness.equal(one.run(given("i386")), "boot", "the end")
    harness.equal([(url.rpartition("/")[2], over)
                   for url, *over in one.fetched],
                  [("linux", [VLAN]), ("initrd", [VLAN])], "downloads")


def test_no_vlan():
    """Without `vlan` nothing is done to the interface."""
    one = Ipxe()
    harness.equal(one.run(given("x86_64", MACHINES.replace(", vlan: 42", ""))),
                  "boot", "the end")
    harness.equal([over for _, *over in one.fetched], [["net0"]], "interface")


if __name__ == "__main__":
    harness.main(globals())
