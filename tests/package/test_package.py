#!/usr/bin/python3
"""Builds the Debian package twice and looks at what is in it.

It is unpacked, not installed: nothing on this machine changes.
"""

import contextlib
import functools
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import harness, netns, paths  # noqa: E402

TEMPORARY = tempfile.TemporaryDirectory(prefix="netuki-package-")
TMP = Path(TEMPORARY.name)

# What the package puts where; documentation that Debian compresses ends so.
CONTENTS = """
-rw-r--r-- /etc/netuki/netuki.yaml
-rw-r--r-- /lib/systemd/system/netukid.service
-rw-r--r-- /usr/lib/sysusers.d/netuki.conf
-rw-r--r-- /usr/lib/tmpfiles.d/netuki.conf
-rw-r--r-- /usr/share/bash-completion/completions/netukictl
-rw-r--r-- /usr/share/doc/netuki/README.md.gz
-rw-r--r-- /usr/share/doc/netuki/changelog.gz
-rw-r--r-- /usr/share/doc/netuki/copyright
-rw-r--r-- /usr/share/doc/netuki/examples/classroom.yaml
-rw-r--r-- /usr/share/doc/netuki/examples/loopback.yaml
-rw-r--r-- /usr/share/doc/netuki/examples/machines.d/row-1.yaml
-rw-r--r-- /usr/share/doc/netuki/examples/make-uki
-rw-r--r-- /usr/share/doc/netuki/examples/netuki.json
-rw-r--r-- /usr/share/doc/netuki/examples/strangers.yaml
-rw-r--r-- /usr/share/man/man1/netukictl.1.gz
-rw-r--r-- /usr/share/man/man5/netuki.yaml.5.gz
-rw-r--r-- /usr/share/man/man8/netukid.8.gz
-rwxr-xr-x /usr/bin/netukictl
-rwxr-xr-x /usr/sbin/netukid
"""
PROGRAMS = ("usr/sbin/netukid", "usr/bin/netukictl")

# The libraries that the daemon is meant to have, and no others.
LIBRARIES = {"libc6", "libevent-core-2.1-7", "libjansson4", "libnettle8",
             "libnl-3-200", "libnl-route-3-200", "libsqlite3-0",
             "libyaml-0-2"}

# Messages about what this machine does not have.
ABSENT = re.compile(r": image: \S+ is not in |: there is no \S+ now|"
                    r": images: there is no ")


def run(command, **options):
    """What a command prints, on both outputs; fails if it fails."""
    done = subprocess.run([str(part) for part in command], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    if done.returncode:
        raise harness.Failure(f"{command[0]}: exit status {done.returncode}:\n"
                              f"{done.stdout}")
    return done.stdout


FAILED = set()


@functools.cache
def tree():
    """A copy of the repository, which may change while this runs."""
    return shutil.copytree(
        paths.REPO, TMP / "tree", symlinks=True,
        ignore=shutil.ignore_patterns(".git", "build", "__pycache__"))


def here(_):
    """This user, and nothing of a caller's own."""
    return {"env": {**os.environ, "DEB_BUILD_OPTIONS": ""}}


def somebody_else(target):
    """Another user, if this is root, with another taste in everything."""
    target.mkdir(parents=True)
    other = {"umask": 0o077, "env": {
        **os.environ, "DEB_BUILD_OPTIONS": "nocheck parallel=1",
        "LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati",
        "USER": "else", "HOME": str(target), "CFLAGS": "-O0",
        "SOURCE_DATE_EPOCH": "1", "MAKEFLAGS": "-s"}}
    if os.geteuid() == 0:
        TMP.chmod(0o755)
        os.chown(target, 65534, 65534)
        other |= {"user": 65534, "group": 65534, "extra_groups": []}
    return other


@functools.cache
def build(name, source=tree, by=here):
    """Builds the package into a directory of its own; its path.

    BY gives the environment and the like of who does.  One test fails when
    that fails; the others are skipped.
    """
    if name in FAILED:
        raise harness.Skip("there is no package")
    for program in ("dpkg-buildpackage", "dh", "lintian"):
        paths.program(program)
    target = TMP / name
    FAILED.add(name)
    run([source() / "packaging/make-deb", target], **by(target))
    found = list(target.glob("*.deb"))
    harness.equal(len(found), 1, "packages")
    FAILED.remove(name)
    return found[0]


@functools.cache
def unpacked():
    """The package's files, in a directory."""
    root = TMP / "root"
    run(["dpkg-deb", "-x", build("first"), root])
    return root


@functools.cache
def scripts():
    """The package's control files, in a directory."""
    control = TMP / "control"
    run(["dpkg-deb", "-e", build("first"), control])
    return control


def unit():
    """The settings of the unit's file: (key, value), as they stand there."""
    lines = (unpacked() / "lib/systemd/system/netukid.service").read_text()
    return [tuple(line.split("=", 1)) for line in lines.splitlines()
            if "=" in line and not line.startswith("#")]


def test_builds_with_its_tests_and_without_complaint():
    build("first")


def other_tree():
    """The same tree elsewhere, with other times and permissions.

    Of a path with blanks dpkg does not keep the programs clean.
    """
    other = shutil.copytree(tree(), TMP / "a longer/path to/the tree",
                            symlinks=True, copy_function=shutil.copy)
    for path in (other, *other.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o775 if path.stat().st_mode & 0o100 else 0o664)
    return other


def test_same_tree_same_bytes():
    first = build("first").read_bytes()
    again = build("else where", other_tree, somebody_else).read_bytes()
    harness.check(first == again, "two builds of one tree differ")


def test_contents():
    lines = run(["dpkg-deb", "-c", build("first")]).splitlines()
    files = set()
    for line in lines:
        mode, owner, _, _, _, name = line.split(maxsplit=5)
        harness.equal(owner, "root/root", f"owner of {name}")
        if not mode.startswith("d"):
            files.add(f"{mode} {name[1:]}")
    harness.equal(sorted(files), sorted(CONTENTS.split("\n")[1:-1]),
                  "contents")


def test_dependencies():
    depends = run(["dpkg-deb", "-f", build("first"), "Depends"]).split(",")
    sysusers = [part for part in depends if "systemd-sysusers" in part]
    harness.check(sysusers, f"nothing makes the user: {depends}")
    harness.equal(sorted(part.split()[0] for part in depends
                         if part not in sysusers), sorted(LIBRARIES),
                  "libraries")
    harness.equal(run(["dpkg-deb", "-f", build("first"),
                       "Recommends"]).strip(), "ipxe", "Recommends")


def test_configuration_is_kept_at_upgrades():
    harness.equal((scripts() / "conffiles").read_text().split(),
                  ["/etc/netuki/netuki.yaml"], "conffiles")


def test_installation_makes_user_then_directories_then_starts():
    text = (scripts() / "postinst").read_text()
    steps = [text.find(step) for step in (
        "systemd-sysusers", "systemd-tmpfiles",
        "deb-systemd-helper enable 'netukid.service'",
        "deb-systemd-invoke $_dh_action 'netukid.service'")]
    harness.check(-1 not in steps and steps == sorted(steps),
                  f"steps of the postinst are at {steps}")


def test_user_and_directories():
    for program in ("systemd-sysusers", "systemd-tmpfiles"):
        paths.program(program)
    if os.geteuid() != 0:
        raise harness.Skip("only root can make them")
    root = TMP / "made"
    run(["dpkg-deb", "-x", build("first"), root])
    run(["systemd-sysusers", f"--root={root}"])
    run(["systemd-tmpfiles", f"--root={root}", "--create", "netuki.conf"])
    entry = [line for line in (root / "etc/passwd").read_text().splitlines()
             if line.startswith("netuki:")]
    harness.check(entry and entry[0].endswith("/nologin"), f"user: {entry}")
    uid, gid = (int(part) for part in entry[0].split(":")[2:4])
    for name, mode in (("var/lib/netuki", 0o755),
                       ("var/lib/netuki/images", 0o2775)):
        status = (root / name).stat()
        harness.equal((status.st_uid, status.st_gid,
                       oct(stat.S_IMODE(status.st_mode))),
                      (uid, gid, oct(mode)), name)


def test_programs_run():
    version = run(["dpkg-deb", "-f", build("first"), "Version"]).strip()
    for program in PROGRAMS:
        harness.equal(run([unpacked() / program, "--version"]),
                      f"{Path(program).name} {version}\n", program)


def test_shipped_configuration_has_nothing_to_say():
    shipped = unpacked() / "etc/netuki/netuki.yaml"
    done = subprocess.run([unpacked() / "usr/sbin/netukid", "--check",
                           "--config", shipped], text=True,
                          capture_output=True)
    harness.equal(done.stderr, "", "standard error")
    harness.check(re.fullmatch(f"{re.escape(str(shipped))}: ok, 0 machines, "
                               r"\d+ images?\n", done.stdout), done.stdout)


def test_examples_are_right():
    folder = unpacked() / "usr/share/doc/netuki/examples"
    for example in sorted(folder.glob("*.yaml")):
        done = subprocess.run([unpacked() / "usr/sbin/netukid", "--check",
                               "--config", example], text=True,
                              capture_output=True)
        wrong = [line for line in done.stderr.splitlines()
                 if not ABSENT.search(line)]
        harness.equal(wrong, [], example.name)


COMPLETE = """
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_netukictl
printf '%s\\n' "${COMPREPLY[@]}"
"""


@harness.cases(
    command={"words": ["mach"], "wanted": "machines"},
    machine={"words": ["explain", "lab-0"], "wanted": "lab-01\nlab-02"},
    stranger={"words": ["explain", "52"], "wanted": "52:54:00:00:00:09"},
    machines_to_set={"words": ["mode", "local", "lab-01", "l"],
                     "wanted": "lab-01\nlab-02"},
    mode={"words": ["mode", "t"], "wanted": "tftp-uki"},
    image={"words": ["boot-once", "lab-01", "--image", ""],
           "wanted": "lab-01\nlab-02"},
    option={"words": ["explain", "--a"], "wanted": "--arch"},
    architecture={"words": ["explain", "--arch", "loongarch6"],
                  "wanted": "loongarch64"},
    firmware={"words": ["bench", "--as", "http"], "wanted": "http-boot"},
    nothing={"words": ["status", "x"], "wanted": ""},
)
def test_completion(words, wanted):
    folder = TMP / "bin"
    folder.mkdir(exist_ok=True)
    stub = folder / "netukictl"
    # The names of its answer, to whatever it is asked, are these.
    stub.write_text("#!/bin/sh\nprintf '      \"%s\": \"%s\",\\n' "
                    "name lab-01 name lab-02 mac 52:54:00:00:00:09\n")
    stub.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", COMPLETE, "bash",
         unpacked() / "usr/share/bash-completion/completions/netukictl",
         "netukictl", *words], text=True, stdout=subprocess.PIPE,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
    harness.equal(done.stdout.strip(), wanted, " ".join(words))


def test_hardening():
    for program in PROGRAMS:
        path = unpacked() / program
        header = run(["readelf", "-hW", path])
        harness.check(re.search(r"Type:\s+DYN", header),
                      f"{program} is not position-independent")
        dynamic = run(["readelf", "-dW", path])
        harness.check(re.search(r"FLAGS_1.*NOW.*PIE", dynamic),
                      f"{program}: not bound at start, or no PIE")
        harness.check("RPATH" not in dynamic and "RUNPATH" not in dynamic,
                      f"{program} has a library path")
        segments = run(["readelf", "-lW", path])
        harness.check("GNU_RELRO" in segments, f"{program}: no RELRO")
        harness.check(re.search(r"GNU_STACK\s.*\sRW\s", segments),
                      f"{program}: the stack is executable")
        symbols = run(["readelf", "--dyn-syms", "-W", path])
        harness.check("__stack_chk_fail" in symbols,
                      f"{program}: no stack protector")
        harness.check(re.search(r"__\w+_chk\b(?<!__stack_chk)", symbols),
                      f"{program}: not fortified")


def test_fortified_to_the_third_level():
    # No file tells the level: what Debian's flags ask for is less.
    asked = run(["dpkg-buildflags", "--get", "CPPFLAGS"])
    harness.check("-D_FORTIFY_SOURCE=2" in asked, asked)
    # As a package is built: not as the `make` that runs these tests was told.
    env = {key: value for key, value in os.environ.items()
           if key not in ("MAKEFLAGS", "MFLAGS", "SAN", "VALGRIND")}
    commands = run(["make", "-nB", "all"], cwd=tree(),
                   env={**env, "CPPFLAGS": asked.strip()})
    levels = [re.findall(r"-[DU]_FORTIFY_SOURCE(?:=\d)?", line)[-1:]
              for line in commands.splitlines() if re.search(r" -c\b", line)]
    harness.check(len(levels) > 50 and
                  all(level == ["-D_FORTIFY_SOURCE=3"] for level in levels),
                  f"fortified otherwise: {levels}")


def test_control_flow_protection():
    if platform.machine() != "x86_64":
        raise harness.Skip("endbr64 is x86's")
    # The note that says so is missing: Debian 12's own start-up code, which
    # is in every program, has none.  So the functions themselves are asked.
    for program in PROGRAMS:
        code = run(["objdump", "-d", "--no-show-raw-insn",
                    unpacked() / program])
        harness.check(len(re.findall(r"\tendbr64", code)) > 20,
                      f"{program} is not built with -fcf-protection")


def test_exposure_of_the_service():
    paths.program("systemd-analyze")
    text = run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                unpacked() / "lib/systemd/system/netukid.service"])
    level = float(re.search(r"exposure level[^:]*: ([0-9.]+)", text).group(1))
    harness.check(level <= 2.0, f"exposure level {level}, at most 2.0:\n{text}")


@functools.cache
def system_calls(group):
    """The system calls of a group of systemd's, such as @system-service."""
    calls = set()
    for line in run(["systemd-analyze", "syscall-filter", "--no-pager",
                     group]).splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            calls |= system_calls(name)
        elif name and not name.startswith("#"):
            calls.add(name)
    return calls


def allowed_calls():
    """The system calls that the unit leaves the daemon."""
    allowed = set(system_calls("@default"))
    for key, value in unit():
        if key != "SystemCallFilter":
            continue
        for name in value.lstrip("~").split():
            calls = system_calls(name) if name.startswith("@") else {name}
            if value.startswith("~"):
                allowed -= calls
            else:
                allowed |= calls
    return allowed


def as_the_service(folder):
    """The start of a command that runs it with the unit's privileges only."""
    settings = dict(unit())
    capabilities = ",".join(
        "+" + name.lower().removeprefix("cap_")
        for name in settings["AmbientCapabilities"].split())
    os.chown(folder, 65534, 65534)
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
            f"--inh-caps=-all,{capabilities}",
            f"--ambient-caps=-all,{capabilities}",
            f"--bounding-set=-all,{capabilities}", "--no-new-privs"]


@contextlib.contextmanager
def lonely_namespace():
    """A network namespace that has a loopback interface only."""
    name = f"nk{os.getpid()}.0-package"
    netns.ip("netns", "add", name)
    try:
        netns.ip("link", "set", "lo", "up", ns=name)
        yield name
    finally:
        netns.delete(name)


def exercise(folder, namespace):
    """Has the daemon do what it does, without machines."""
    control = folder / "control.sock"
    deadline = time.monotonic() + 20
    while not control.exists():
        harness.check(time.monotonic() < deadline, "it did not start")
        time.sleep(0.05)
    with netns.entered(namespace):
        for path in ("healthz", "metrics", "images/none.efi"):
            try:
                urllib.request.urlopen(f"http://127.0.0.1/{path}",
                                       timeout=10).read()
            except urllib.error.HTTPError as error:
                harness.equal(error.code, 404, path)
    for command in (["status"], ["images"], ["machines", "--unknown"],
                    ["explain", "52:54:00:00:00:01"], ["reload"]):
        run([unpacked() / "usr/bin/netukictl", *command, "--control",
             control])


@functools.cache
def traced():
    """The system calls of a daemon with the unit's privileges: strace's log."""
    strace = paths.program("strace")
    paths.program("systemd-analyze")
    if os.geteuid() != 0:
        raise harness.Skip("only root can make the network for it")
    folder = TMP / "service"
    (folder / "images").mkdir(parents=True)
    TMP.chmod(0o755)
    config = folder / "netuki.yaml"
    config.write_text("interfaces: [lo]\nimages: images\nstate: .\n"
                      "control: control.sock\n")
    log = folder / "strace"
    with lonely_namespace() as namespace:
        process = subprocess.Popen(
            [*as_the_service(folder), strace, "-f", "-qq", "-o", log,
             unpacked() / "usr/sbin/netukid", "--config", config],
            preexec_fn=netns.child_setup(namespace), text=True,
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            exercise(folder, namespace)
        finally:
            child = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            for pid in child.read_text().split():
                os.kill(int(pid), signal.SIGTERM)
            _, errors = process.communicate(timeout=20)
    harness.equal(process.returncode, 0, f"exit status:\n{errors}")
    harness.check("error" not in errors and "warning" not in errors,
                  f"it complains with the unit's privileges:\n{errors}")
    return log.read_text()


def test_service_has_the_system_calls_that_it_needs():
    # strace's own start of the program, which systemd does, is left out.
    text = traced().split("execve(", 1)[1]
    used = set(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE))
    harness.check(len(used) > 30, f"few system calls seen: {used}")
    harness.equal(sorted(used - allowed_calls()), [], "calls not allowed")


def test_service_has_the_sockets_that_it_needs():
    used = set(re.findall(r"socket\((AF_\w+)", traced()))
    allowed = set(dict(unit())["RestrictAddressFamilies"].split())
    harness.equal(sorted(used - allowed), [], "address families not allowed")


if __name__ == "__main__":
    harness.main(globals())
