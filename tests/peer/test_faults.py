#!/usr/bin/python3
"""What fails under the daemon while it serves: memory, disks, interfaces."""

import collections
import contextlib
import http.client
import json
import mmap
import os
import random
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import appliance, dhcp, fetch, harness, netns, paths, pe  # noqa: E402
from lab.lab import NETUKI_ADDRESS, Lab  # noqa: E402
from lab.loopback import SERVER, Loopback  # noqa: E402

HTTP, TFTP = (NETUKI_ADDRESS, 80), (NETUKI_ADDRESS, 69)
MODES = ("ipxe", "tftp-uki", "local")
BIG = pe.uki("big", 24 << 20, 1 << 20)
MIB = 1 << 20


def mac(number):
    """The address of machine NUMBER."""
    return f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}"


def machine_id(number):
    """The same as it stands in URLs."""
    return mac(number).replace(":", "-")


def loopback_machines(count=20):
    """Text below `machines:`."""
    return "".join(f"  - {{name: m{n}, mac: '{mac(n)}'}}\n"
                   for n in range(count))


def until(truth, what, seconds=60):
    """Waits until TRUTH() is true; returns what it is."""
    deadline = time.monotonic() + seconds
    while not (found := truth()):
        harness.check(time.monotonic() < deadline, f"not in time: {what}")
        time.sleep(0.05)
    return found


def is_sanitized():
    """Whether the daemon was built with AddressSanitizer."""
    return b"__asan_init" in paths.built("netukid").read_bytes()


def with_shim(name, **more):
    """The environment of a daemon into which tests/shim/NAME.c is loaded."""
    if paths.BUILD.name == "valgrind":
        raise harness.Skip("valgrind has such a library of its own")
    env = {"LD_PRELOAD": paths.built(f"tests/shim/{name}.so"), **more}
    if is_sanitized():
        # It is second only to what it takes the place of.
        env["ASAN_OPTIONS"] = ":".join(
            [os.environ.get("ASAN_OPTIONS", ""), "verify_asan_link_order=0"])
    return {key: str(value) for key, value in env.items()}


@contextlib.contextmanager
def shared_words(path, form):
    """(environment's value, a function that sets the words, one that gets)."""
    path.write_bytes(bytes(struct.calcsize(form)))
    path.chmod(0o666)
    with open(path, "r+b") as file, \
            mmap.mmap(file.fileno(), struct.calcsize(form)) as words:
        yield (lambda *values: struct.pack_into(form, words, 0, *values),
               lambda: struct.unpack_from(form, words))


# Memory.

def play_machines(lab, load, source):
    """Everything that a daemon is asked, for ever."""
    images = appliance.images(lab)
    known = [f"machines/{machine_id(n)}/a.efi" for n in range(8)]

    def by_http():
        who = machine_id(source.randrange(60))
        path = source.choice([
            f"/ipxe/{who}?arch=x86_64&platform=efi",
            f"/machines/{who}/booted",
            f"/ipxe/{who}?arch=i386&platform=pcbios", "/images/b.efi/linux",
            "/images/b.efi/initrd", "/images/a.efi", "/metrics", "/nothing",
            "/" + source.choice(known)])
        fetch.get(HTTP, path)

    def by_tftp():
        fetch.tftp(TFTP, source.choice(
            ["images/a.efi", "snponly.efi", "nothing", *known]), patience=2)

    def by_dhcp():
        with dhcp.Client(lab.ns("client")) as client:
            client.send(dhcp.discover(mac(source.randrange(60)),
                                      source.choice(["uefi", "bios", "http"])))
            client.replies(0.02)

    def by_hand():
        who = f"m{source.randrange(20)}"
        words = source.choice([
            ("status",), ("machines",), ("boots",), ("report",), ("images",),
            ("explain", who), ("mode", source.choice(MODES), who),
            ("boot-once", who), ("boot-once", "--cancel", who), ("reload",),
            ("mode", "--clear", "--all")])
        lab.netukictl(*words, "--json", check=False)

    def by_change():
        name = source.choice("abcd") + ".efi"
        if name in ("c.efi", "d.efi") and source.random() < 0.5:
            (images / name).unlink(missing_ok=True)
        else:
            pe.write(images / name, pe.uki(f"k{source.randrange(9)}"))
        for word in ("replace", "del"):
            netns.ip("addr", word, "10.77.0.60/24", "dev", "eth0",
                     ns=lab.ns("netuki"))
        time.sleep(0.1)

    for call in (by_http, by_http, by_tftp, by_dhcp, by_hand, by_change):
        load.add(call.__name__, call)


def is_well(lab):
    """Whether each part serves."""
    try:
        with netns.entered(lab.ns("client")), \
                dhcp.Client(lab.ns("client")) as client:
            client.send(dhcp.discover(mac(1)))
            answers = client.replies(1, enough=1)
            fetch.tftp(TFTP, "snponly.efi")
            paths_ = ["/healthz", "/images/a.efi", "/images/b.efi/initrd",
                      f"/ipxe/{machine_id(3)}?arch=x86_64&platform=efi"]
            statuses = [fetch.get(HTTP, path)[0] for path in paths_]
    except (OSError, http.client.HTTPException):
        return False
    status = json.loads(lab.netukictl("status", "--json").stdout)
    return answers and statuses == [200] * 4 and \
        not status["state-problem"] and not status["history"]["problem"]


@harness.cases(seldom={"one_in": 1000}, often={"one_in": 8})
def test_memory_is_short(one_in):
    """Allocations fail at random: requests are refused, and nothing breaks."""
    source = random.Random(one_in)
    with Lab() as lab, shared_words(lab.tmp / "short", "II") as (put, get):
        appliance.network(lab, dhcp=False)
        lab.host("client", "10.77.0.50/24")
        for name, image in (("a.efi", pe.uki()),
                            ("b.efi", pe.uki("other", 300000, 200000))):
            pe.write(appliance.images(lab) / name, image)
        machines = [{"name": f"m{n}", "mac": mac(n), "image": "a.efi",
                     "cmdline": f"x={n}"} for n in range(20)]
        lab.start_netukid(
            appliance.config(lab, machines, "unknown-machines: default\n"
                             "defaults: {image: a.efi}\n"),
            env=with_shim("shortmem", NETUKI_SHORTMEM=lab.tmp / "short"))
        lab.netukictl("mode", "local", "m19")
        with fetch.Load(lab.ns("client")) as load:
            play_machines(lab, load, source)
            put(one_in, 0)
            time.sleep(4)
            until(lambda: get()[1] > 5 and all(load.done.values()),
                  "allocations that fail, and an answer to each")
            put(0, 0)
        lab.netukid.require_running()
        until(lambda: is_well(lab), "all is well again")
        harness.equal(lab.netukid.stop(grace=30), 0, "exit status")
        json.loads((lab.tmp / "state.json").read_text())
        check_history(lab.tmp)
        harness.check(not list(lab.tmp.glob("*.bad")), "set aside")


def first_answers(box, name, times):
    """How TFTP answers a request: "data", an error's code, "silence"."""
    for _ in range(times):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.05)
            client.sendto(b"\0\1" + name.encode() + b"\0octet\0",
                          (SERVER, box.tftp))
            try:
                answer, peer = client.recvfrom(2000)
            except TimeoutError:
                yield "silence"
                continue
            client.sendto(b"\0\5\0\0enough\0", peer)
            yield answer[3] if answer[1] == fetch.ERROR else "data"


def test_memory_is_short_for_a_file():
    """What is there is never said to be missing: come again, or silence."""
    with Loopback(loopback_machines() + "  - {name: own, cmdline: own=1, "
                  f"mac: '{mac(90)}'}}\n") as box, \
            shared_words(box.tmp / "short", "II") as (put, _):
        box.start(env=with_shim("shortmem",
                                NETUKI_SHORTMEM=box.tmp / "short"))
        statuses, answers = collections.Counter(), collections.Counter()
        put(3, 0)
        for path in ("images/x.efi", "images/x.efi/linux",
                     "images/x.efi/initrd", "loaders/loader.efi",
                     f"machines/{machine_id(90)}/x.efi"):
            for _ in range(40):
                with contextlib.suppress(OSError, http.client.HTTPException):
                    statuses[fetch.get((SERVER, box.http), "/" + path)[0]] += 1
            answers.update(first_answers(box, path, 20))
        put(0, 0)
        print(f"# {dict(statuses)}, {dict(answers)}")
        harness.check(statuses[200] and statuses[503], str(statuses))
        harness.equal(set(statuses), {200, 503}, "the statuses")
        harness.check(answers["data"] and answers["silence"], str(answers))
        harness.check(1 not in answers, "TFTP says: not found")
        harness.equal(box.request("/images/y.efi/nothing")[0], 404, "no part")


def check_history(folder):
    """The database is whole, and each boot is in it once."""
    with contextlib.closing(sqlite3.connect(folder / "history.db")) as sql:
        harness.equal(sql.execute("PRAGMA integrity_check").fetchall(),
                      [("ok",)], "integrity of the history")
        return sql.execute("SELECT count(*) FROM boots").fetchone()[0]


# kill -9.

def by_curl(box, path, wanted):
    """A download that goes on where it broke off, until it is whole."""
    curl = paths.program("curl")

    def call():
        with open(path, "wb"):
            pass
        url = f"http://{SERVER}:{box.http}/images/big.efi"
        while subprocess.run(
                [curl, "-fsS", "-C", "-", "--limit-rate", "60M", "-o", path,
                 url], stderr=subprocess.DEVNULL).returncode:
            time.sleep(0.05)
        harness.check(path.read_bytes() == wanted, "curl: other bytes")
    return call


def by_tftp_again(box, wanted):
    """A TFTP download, begun anew until it is whole."""
    def call():
        data = fetch.tftp((SERVER, box.tftp), "images/big.efi", patience=2)
        harness.check(data == wanted, "TFTP: other bytes")
    return call


def by_script(box, source):
    """A whole boot by iPXE of one of the machines."""
    def call():
        who = machine_id(source.randrange(10, 20))
        server = (SERVER, box.http)
        fetch.get(server, f"/ipxe/{who}?arch=x86_64&platform=efi")
        fetch.get(server, f"/machines/{who}/x.efi")
        fetch.get(server, f"/machines/{who}/booted")
    return call


def by_mode(box, told):
    """Changes of m1's mode; TOLD has those asked for and those answered."""
    def call():
        mode = MODES[len(told) % 3]
        told.append([mode, False])
        done = subprocess.run(
            [paths.built("netukictl"), "mode", mode, "m1", "--control",
             box.control], capture_output=True)
        told[-1][1] = done.returncode == 0
        if done.returncode:
            raise OSError("nobody answers")
    return call


def test_kill_under_load():
    """kill -9 at any moment: state and history whole, clients get theirs."""
    source, moments = random.Random(9), random.Random(10)
    with Loopback(loopback_machines()) as box:
        box.image("big.efi", BIG)
        box.start()
        boots, told = 0, [["ipxe", True]]
        with fetch.Load() as load:
            load.add("curl", by_curl(box, box.tmp / "got", BIG))
            load.add("tftp", by_tftp_again(box, BIG))
            load.add("boot", by_script(box, source))
            load.add("mode", by_mode(box, told))
            for number in range(8):
                time.sleep(0.3 + moments.random())
                ended = box.log().count(": whole after ")
                if number % 2:
                    time.sleep(3)  # what is older may not be lost
                else:
                    ended = 0
                flying = len(told) - 1
                box.stop(signal.SIGKILL)
                # Those after it were asked of nobody.
                asked = [mode for mode, _ in told[flying:flying + 3]]
                known = [mode for mode, answered in told if answered][-1]
                box.start()
                harness.check("set aside" not in box.log() and
                              ".bad" not in box.log(), box.log())
                # It may have been changed again by now.
                asked += [mode for mode, _ in told[-2:]]
                mode = box.machine("m1")["mode"]
                harness.check(mode in [known, *asked],
                              f"round {number}: {mode}, {told[-4:]}")
                now = check_history(box.state)
                harness.check(now >= boots + ended,
                              f"{now} boots, were {boots} and {ended} ended")
                boots = now
            done = dict(load.done)
            until(lambda: all(load.done[name] > done[name]
                              for name in done), "all get theirs")
            until(lambda: check_history(box.state) > 20, "boots in it")
        harness.equal(box.stop(), 0, "exit status")


# Disks.

@contextlib.contextmanager
def mounted(target, *args):
    """Something mounted at TARGET, whatever becomes of it meanwhile."""
    if os.geteuid() != 0:
        raise harness.Skip("mounting takes root")
    subprocess.run(["mount", *args, target], check=True)
    try:
        yield
    finally:
        # It may be there twice, or not at all.
        while subprocess.run(["umount", "-l", target],
                             stderr=subprocess.DEVNULL).returncode == 0:
            pass


def test_full_disk():
    """No room for the state: what is set is in force, and saved when it can.

    Boots go on meanwhile; nothing has to be started again.
    """
    with Loopback(loopback_machines()) as box, \
            mounted(box.state, "-t", "tmpfs", "-o", "size=512k", "tmpfs"):
        box.start()
        box.ctl("mode", "tftp-uki", "m1")
        with open(box.state / "ballast", "wb", 0) as file, \
                contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        for words in (("mode", "local", "m1"), ("boot-once", "m2")):
            said = box.ctl(*words, status=1).stderr
            harness.check("in force, but could not be saved" in said and
                          "No space left" in said, said)
        harness.check("NOT SAVED" in box.text("status"), "status")
        source = random.Random(1)
        for _ in range(20):
            by_script(box, source)()
        fetch.tftp((SERVER, box.tftp), "images/x.efi")
        harness.check(box.machine("m2")["boot-once"], "boot-once")
        harness.equal(box.log().count("state: cannot be saved"), 1,
                      "lines about it")
        (box.state / "ballast").unlink()
        until(lambda: not box.json("status")["state-problem"], "saved")
        until(lambda: not box.json("status")["history"]["problem"], "history")
        box.restart(signal.SIGKILL)
        harness.equal(box.machine("m1")["mode"], "local", "afterwards")
        harness.check(box.machine("m2")["boot-once"], "boot-once afterwards")
        # What was written in the last second may be lost; no more.
        harness.check(check_history(box.state) >= 10, "the boots meanwhile")


def test_nobody_reads_the_log():
    """Standard error is a pipe that is full: boots go on, and it is told."""
    source = random.Random(2)
    with Loopback(loopback_machines()) as box:
        log = box.tmp / "netukid-1.log"
        os.mkfifo(log)
        with open(os.open(log, os.O_RDONLY | os.O_NONBLOCK), "rb", 0) as pipe:
            box.start()
            log.unlink()
            log.touch()
            for _ in range(800):
                by_script(box, source)()
            fetch.tftp((SERVER, box.tftp), "images/x.efi")
            said = bytearray()

            def is_told():
                said.extend(pipe.read() or b"")
                return b" lines were left out here: nobody read" in said

            until(is_told, "that lines are missing")
            # They count from where the pipe and the buffer were full.
            harness.check(said.count(b"\n") > 1000, "lines before that")
            by_script(box, source)()
            begin = time.monotonic()
            harness.equal(box.netukid.stop(), 0, "exit status")
            harness.check(time.monotonic() - begin < 15, "ends late")
            harness.check(b"SIGTERM: ending" in pipe.read(), "its last line")


# Bytes a second of a slow download.
SLOWLY = 400_000


class Download(threading.Thread):
    """A download in a thread: a slow one, until its end is waited for."""

    def __init__(self, call):
        super().__init__()
        self.data = self.error = None
        self.got = 0
        self._call = call
        self._begin = time.monotonic()
        self._hurry = threading.Event()
        self.start()

    def wait(self, got):
        """Called with the number of bytes that came so far."""
        self.got = got
        due = self._begin + got / SLOWLY
        self._hurry.wait(max(0, due - time.monotonic()))

    def run(self):
        try:
            self.data = self._call(self.wait)
        except (OSError, http.client.HTTPException) as error:
            self.error = error

    def check(self, wanted, what, seconds=60):
        """Waits for its end, which must be a good one."""
        self._hurry.set()
        self.join(seconds)
        harness.check(not self.is_alive(), f"{what}: still runs")
        harness.check(self.error is None, f"{what}: {self.error!r}")
        harness.check(self.data == wanted, f"{what}: other bytes")


def http_slowly(server, path, ns=None):
    """A function that reads PATH from SERVER, with a small buffer."""
    def call(wait):
        peer = netns.open_socket(ns, kind=socket.SOCK_STREAM) if ns \
            else socket.socket()
        with peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            peer.settimeout(60)
            peer.connect(server)
            peer.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            data = bytearray()
            while piece := peer.recv(65536):
                data += piece
                wait(len(data))
        head, body = bytes(data).split(b"\r\n\r\n", 1)
        harness.check(b" 200 " in head.split(b"\r\n")[0], head.decode())
        return body
    return call


def tftp_slowly(server, name, ns=None):
    """The same by TFTP."""
    def call(wait):
        with netns.entered(ns) if ns else contextlib.nullcontext():
            return fetch.tftp(server, name, wait=wait, patience=30)
    return call


def begin_downloads(http_server, tftp_server, ns=None):
    """One by HTTP, one by TFTP, both under way."""
    both = [Download(http_slowly(http_server, "/images/big.efi", ns)),
            Download(tftp_slowly(tftp_server, "images/big.efi", ns))]
    until(lambda: all(one.got > 100000 or one.error for one in both),
          "the downloads begin")
    return both


def end_downloads(both, wanted):
    """Both must end well."""
    for one, what in zip(both, ("HTTP", "TFTP")):
        one.check(wanted, what)


def test_images_unmounted():
    """The images' disk goes and comes back: transfers end well, both ways."""
    with Loopback(loopback_machines()) as box:
        disk = box.tmp / "disk"
        box.images.rename(disk)
        box.images.mkdir()
        big = pe.uki("big", 12 * MIB, MIB)
        pe.write(disk / "big.efi", big)
        with mounted(box.images, "--bind", disk):
            box.start()
            names = sorted(path.name for path in disk.iterdir())
            listed = lambda: sorted(  # noqa: E731
                image["name"] for image in box.json("images")["images"])
            until(lambda: listed() == names, "the images")
            both = begin_downloads((SERVER, box.http), (SERVER, box.tftp))
            subprocess.run(["umount", "-l", box.images], check=True)
            until(lambda: listed() == [], "the images are gone")
            harness.equal(box.request("/images/big.efi")[0], 404, "a new one")
            harness.check(all(one.is_alive() for one in both),
                          "the downloads were over too early")
            end_downloads(both, big)
            subprocess.run(["mount", "--bind", disk, box.images], check=True)
            until(lambda: listed() == names, "the images are back")
            box.get("/images/big.efi")
            # And changes there are still seen.
            pe.write(disk / "new.efi", pe.uki())
            until(lambda: "new.efi" in listed(), "a new image")


# Interfaces.

def take_down(lab):
    """The link is down for two seconds."""
    netns.ip("link", "set", "eth0", "down", ns=lab.ns("netuki"))
    time.sleep(2)
    netns.ip("link", "set", "eth0", "up", ns=lab.ns("netuki"))


def rename(lab):
    """Another name."""
    ns = lab.ns("netuki")
    netns.ip("link", "set", "eth0", "down", ns=ns)
    netns.ip("link", "set", "eth0", "name", "lan0", ns=ns)
    netns.ip("link", "set", "lan0", "up", ns=ns)


def change_mtu(lab):
    """Smaller frames, and large ones again."""
    for mtu in (1280, 600, 1500):
        netns.ip("link", "set", "eth0", "mtu", mtu, ns=lab.ns("netuki"))
        time.sleep(0.5)


def add_addresses(lab):
    """A second address comes, and is the first one for a while."""
    ns = lab.ns("netuki")
    netns.ip("addr", "add", "10.77.0.77/24", "dev", "eth0", ns=ns)
    netns.ip("addr", "del", f"{NETUKI_ADDRESS}/24", "dev", "eth0", ns=ns)
    netns.ip("addr", "replace", "10.77.0.77/24", "dev", "eth0", ns=ns)
    time.sleep(1)
    netns.ip("addr", "add", f"{NETUKI_ADDRESS}/24", "dev", "eth0", ns=ns)


def recreate(lab):
    """The interface is taken away, and a new one put in."""
    netns.ip("link", "del", "eth0", ns=lab.ns("netuki"))
    time.sleep(1)
    lab.link("netuki", "eth0", f"{NETUKI_ADDRESS}/24")


@harness.cases(down_and_up={"change": take_down},
               renamed={"change": rename}, mtu={"change": change_mtu},
               addresses={"change": add_addresses},
               recreated={"change": recreate})
def test_interface(change):
    """An interface changes under transfers: they end well, and new ones do."""
    big = pe.uki("big", 12 * MIB, MIB)
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        ns = lab.host("client", "10.77.0.50/24")
        pe.write(appliance.images(lab) / "big.efi", big)
        lab.start_netukid(appliance.config(
            lab, [{"name": "m1", "mac": mac(1), "image": "big.efi"}]))
        both = begin_downloads(HTTP, TFTP, ns)
        change(lab)
        harness.check(all(one.is_alive() for one in both),
                      f"over too early: {[one.error for one in both]}")
        end_downloads(both, big)
        with netns.entered(ns), dhcp.Client(ns) as client:
            def asked():
                client.send(dhcp.discover(mac(1)))
                return client.replies(1, enough=1)
            until(asked, "a DISCOVER is answered")
            harness.check(fetch.tftp(TFTP, "images/big.efi", 16) == big,
                          "TFTP afterwards")
            harness.check(fetch.get(HTTP, "/images/big.efi")[2] == big,
                          "HTTP afterwards")


# Descriptors.

def test_out_of_descriptors():
    """HTTP has taken all descriptors: DHCP, TFTP and the images live on."""
    with Lab() as lab:
        appliance.network(lab, dhcp=False)
        ns = lab.host("client", "10.77.0.50/24")
        images = appliance.images(lab)
        pe.write(images / "a.efi", pe.uki())
        lab.start_netukid(appliance.config(
            lab, [{"name": "m1", "mac": mac(1), "image": "a.efi"}]))
        pid = lab.netukid.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 10, limits[1]))
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                peer = stack.enter_context(
                    netns.open_socket(ns, kind=socket.SOCK_STREAM))
                peer.connect(HTTP)
            until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= used + 10,
                  "all descriptors are taken")
            pe.write(images / "b.efi", pe.uki("b"))
            client = stack.enter_context(dhcp.Client(ns))
            with netns.entered(ns):
                for _ in range(10):
                    client.send(dhcp.discover(mac(1)))
                    harness.check(client.replies(30, enough=1), "DHCP")
                    harness.equal(fetch.tftp(TFTP, "images/a.efi"), pe.uki(),
                                  "by TFTP")
                    time.sleep(0.2)
            lines = lab.netukid.output().splitlines()
            harness.check(len([line for line in lines
                               if "have to wait" in line]) == 1, lines)
            harness.check(not any("gone" in line for line in lines), lines)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        with netns.entered(ns):
            until(lambda: fetch.get(HTTP, "/images/b.efi")[0] == 200,
                  "the image that came meanwhile")
            harness.equal(fetch.get(HTTP, "/images/a.efi")[0], 200, "a.efi")


# The clock.

def is_sent_again(box):
    """Whether a TFTP block that is not acknowledged comes once more."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(8)
        client.sendto(b"\0\1images/x.efi\0octet\0", (SERVER, box.tftp))
        first, peer = client.recvfrom(2000)
        again, _ = client.recvfrom(2000)
        client.sendto(b"\0\5\0\0enough\0", peer)
        return first == again


def test_clock_is_set():
    """The clock of the day jumps: timers and transfers go on as they were."""
    big = pe.uki("big", 12 * MIB, MIB)
    with Loopback(loopback_machines()) as box, \
            shared_words(box.tmp / "clock", "q") as (put, _):
        box.image("big.efi", big)
        box.start(env=with_shim("clock", NETUKI_CLOCK=box.tmp / "clock"))
        source = random.Random(7)
        server = (SERVER, box.http)
        both = begin_downloads(server, (SERVER, box.tftp))
        for number, offset in enumerate(
                (86400, -86400, 3000 * 86400, -1000 * 86400,
                 1000 - int(time.time()), 0)):
            put(offset)
            date = fetch.get(server, "/healthz")[1]["Date"]
            wanted = time.gmtime(time.time() + offset)
            harness.check(time.strftime(" %b %Y ", wanted) in date, date)
            by_script(box, source)()
            box.image(f"i{number}.efi", pe.uki(f"{number}"))
            until(lambda n=number: box.request(f"/images/i{n}.efi")[0] == 200,
                  "a new image")
        harness.check(all(one.is_alive() for one in both), "over too early")
        put(86400)
        harness.check(is_sent_again(box), "another block")
        end_downloads(both, big)
        put(0)
        by_script(box, source)()
        box.stop()
        with contextlib.closing(sqlite3.connect(
                box.state / "history.db")) as sql:
            rows = sql.execute("SELECT last_byte_us, transfer_us FROM boots "
                               "WHERE outcome = 'complete'").fetchall()
        harness.check(rows, "no boots")
        for row in rows:
            harness.check(0 <= row[0] < 600e6 and 0 <= row[1] < 600e6,
                          f"a boot's times: {row}")


if __name__ == "__main__":
    harness.main(globals())
