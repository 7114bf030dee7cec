#!/usr/bin/python3
"""What netukid gives up once its sockets are open, and that it misses none."""

import json
import pwd
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, harness, paths, pe  # noqa: E402
from lab.lab import Lab  # noqa: E402

MAC = "52:54:00:12:34:56"
USER = "nobody"
MACHINE = {"name": "lab-01", "mac": MAC, "image": "x.efi"}
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
DAC_OVERRIDE = 1 << 1


def config(lab, **machine):
    """A configuration whose directories netukid has to make."""
    text = appliance.config(lab, [{**MACHINE, **machine}])
    text = re.sub(r"(?m)^state: .*", f"state: {lab.tmp}/state", text)
    text = re.sub(r"(?m)^control: .*", f"control: {lab.tmp}/run/c.sock", text)
    return f"interfaces: [eth1]\n{text}"


def ctl(lab, *args):
    """What netukictl prints."""
    return lab.run([paths.built("netukictl"), *args, "--control",
                    lab.tmp / "run/c.sock"]).stdout


def started(lab, user=USER):
    """A network, an image, and netukid as root has started it."""
    appliance.network(lab, dhcp=False)
    pe.write(appliance.images(lab) / "x.efi", pe.uki())
    return lab.start_netukid(config(lab), user=user)


def threads(process):
    """What the kernel says of each thread: dicts."""
    return [dict(re.findall(r"(?m)^(\w+):\s*(.*?)\s*$",
                            (task / "status").read_text()))
            for task in Path(f"/proc/{process.pid}/task").iterdir()]


def wait(done, what):
    """Waits until DONE() is true."""
    deadline = time.monotonic() + 20
    while not done():
        harness.check(time.monotonic() < deadline, what)
        time.sleep(0.05)


def test_root_becomes_the_user():
    """In every thread, with no capability left, and none to be had."""
    entry = pwd.getpwnam(USER)
    with Lab() as lab:
        found = threads(started(lab))
        harness.check(len(found) > 1, "it has no helper threads")
        for status in found:
            harness.equal(status["Uid"].split(), [str(entry.pw_uid)] * 4,
                          "user")
            harness.equal(status["Gid"].split(), [str(entry.pw_gid)] * 4,
                          "group")
            harness.equal(status["Groups"], str(entry.pw_gid), "groups")
            harness.equal([int(status[name], 16) for name in CAPABILITIES],
                          [0] * 5, "capabilities")
            harness.equal(status["NoNewPrivs"], "1", "NoNewPrivs")


def test_what_comes_later_needs_no_privilege():
    """A reload, an interface, every service on it, and state on the disk."""
    uid = pwd.getpwnam(USER).pw_uid
    with Lab() as lab:
        process = started(lab)
        lab.host("client", "10.77.1.50/24")
        path = Path(process.command[process.command.index("--config") + 1])
        path.write_text(config(lab, cmdline="changed"))
        ctl(lab, "reload")
        lab.link("netuki", "eth1", "10.77.1.2/24")
        process.wait_output("eth1: serving as 10.77.1.2")
        with dhcp.Client(lab.ns("client")) as client:
            client.send(dhcp.discover(MAC))
            offers = client.replies(5, "10.77.1.2", enough=1)
            harness.equal(dhcp.parse(offers[0][0])["siaddr"], "10.77.1.2",
                          "the offer on the new interface")
        image = (appliance.images(lab) / "x.efi").read_bytes()
        for url in ("tftp://10.77.1.2/images/x.efi",
                    "http://10.77.1.2/images/x.efi"):
            lab.run([paths.program("curl"), "-fsS", "-o", lab.tmp / "got",
                     url], lab.ns("client"))
            harness.check((lab.tmp / "got").read_bytes() == image, url)
        script = lab.run([paths.program("curl"), "-fsS",
                          f"http://10.77.1.2/ipxe/{MAC}"], lab.ns("client"))
        harness.check("changed" in script.stdout, script.stdout)
        ctl(lab, "boot-once", "lab-01")
        for name in ("state.json", "history.db"):
            file = lab.tmp / "state" / name
            wait(file.exists, f"no {name}")
            harness.equal(file.stat().st_uid, uid, f"owner of {name}")
        problems = [line for line in process.output().splitlines()
                    if re.search("warning|error|denied|permitted", line)
                    and "there is no eth1 now" not in line]
        harness.equal(problems, [], "complaints")
        machines = json.loads(ctl(lab, "machines", "--json"))["machines"]
        harness.check(machines[0].get("boot-once"), f"{machines[0]}")
        harness.equal(process.stop(), 0, "exit status")
        harness.check(not (lab.tmp / "run/c.sock").exists(),
                      "the control socket was left behind")


def test_root_that_stays_keeps_no_more_than_the_reach_into_files():
    with Lab() as lab:
        for status in threads(started(lab, "root")):
            harness.equal(status["Uid"].split(), ["0"] * 4, "user")
            harness.equal([int(status[name], 16) for name in CAPABILITIES],
                          [0, DAC_OVERRIDE, DAC_OVERRIDE, 0, 0],
                          "capabilities")


def test_a_configuration_that_only_root_reads():
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        pe.write(appliance.images(lab) / "x.efi", pe.uki())
        path = lab.tmp / "netuki.yaml"
        path.write_text(config(lab))
        path.chmod(0o600)
        netukid = lab.spawn(paths.netukid(path, USER), "netuki", "netukid")
        netukid.wait_output(f"{path}: a reload will fail: Permission denied")
        netukid.wait_output(", 1 image in ")


@harness.cases(
    unknown={"user": "nobody-has-this-name",
             "said": "--user: there is no user nobody-has-this-name"},
    state_of_another={"user": USER,
                      "said": f"user {USER} cannot write there"},
)
def test_refused(user, said):
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        path = lab.tmp / "netuki.yaml"
        path.write_text(appliance.config(lab))
        done = lab.run(paths.netukid(path, user), lab.ns("netuki"),
                       timeout=20, check=False)
        harness.equal(done.returncode, 1, "exit status")
        harness.check(said in done.stderr, done.stderr)


if __name__ == "__main__":
    harness.main(globals())
