#!/usr/bin/python3
"""Files of a machine's own, beside its image: `files`, over loopback."""

import http.client
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import harness, paths  # noqa: E402
from lab.loopback import SERVER, Loopback  # noqa: E402

MAC = "52:54:00:aa:00:01"
DASHES = "52-54-00-aa-00-01"
UUID = "6f1f2a60-0e4b-4d7c-9c1e-2a60b1c4d7e8"
SWAPPED = "602a1f6f-4b0e-7c4d-9c1e-2a60b1c4d7e8"
BARE = "52-54-00-aa-00-02"
STRANGER = "52-54-00-ff-00-01"

DEFAULTS = """defaults:
  image: x.efi
  files: {who: who, all: all, seed: defaults, bin: bin}
groups:
  lab: {image: x.efi, files: {seed: group, rack: rack}}
"""
MACHINES = f"""  - name: lab-01
    mac: ["{MAC}", "52:54:00:aa:00:11"]
    uuid: {UUID}
    group: lab
    files: {{seed: machine, empty: empty, big.txt: big}}
  - {{name: lab-02, mac: "{BARE.replace('-', ':')}", group: lab}}
"""
BIG = b"${mac} " * (20 << 10)


def box(more=""):
    """The loopback daemon, with files."""
    made = Loopback(MACHINES, DEFAULTS + more)
    for name in ("defaults", "group", "machine", "rack"):
        (made.tmp / name).write_text(f"of {name}\n")
    (made.tmp / "who").write_text(
        "${name} ${mac} ${ip} $${name} ${HOME} ${nam\n")
    (made.tmp / "all").write_text("${uuid}\n")
    (made.tmp / "bin").write_bytes(b"${mac}\0${uuid}")
    (made.tmp / "empty").write_text("")
    (made.tmp / "big").write_bytes(BIG)
    return made


def answer(made, path, method="GET", **headers):
    """(status, headers, body) of one request."""
    connection = http.client.HTTPConnection(SERVER, made.http, timeout=20)
    try:
        connection.request(method, path, headers={
            key.replace("_", "-"): value for key, value in headers.items()})
        got = connection.getresponse()
        return got.status, got.headers, got.read()
    finally:
        connection.close()


def pipelined(made, asked):
    """(status, body) of each of these paths, asked for at once."""
    with socket.create_connection((SERVER, made.http), 20) as peer:
        peer.sendall(b"".join(
            f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            for path in asked))
        stream = peer.makefile("rb")
        for _ in asked:
            status = int(stream.readline().split()[1])
            fields = http.client.parse_headers(stream)
            yield status, stream.read(int(fields["Content-Length"]))


def until(truth, what):
    """Waits until TRUTH() holds; else fails with WHAT."""
    deadline = time.monotonic() + 20 * paths.SLOW
    while not truth():
        harness.check(time.monotonic() < deadline, what)
        time.sleep(0.05)


def test_who_gets_what():
    """Machine before group before defaults, whichever name it asks under."""
    with box() as made:
        made.start()
        rows = (
            (DASHES, "seed", b"of machine\n"),
            (MAC, "seed", b"of machine\n"),
            (MAC.upper(), "seed", b"of machine\n"),
            ("525400aa0001", "seed", b"of machine\n"),
            ("52-54-00-aa-00-11", "seed", b"of machine\n"),
            (UUID, "seed", b"of machine\n"),
            (UUID.upper(), "seed", b"of machine\n"),
            (SWAPPED, "seed", b"of machine\n"),
            ("lab-01", "seed", b"of machine\n"),
            (DASHES, "rack", b"of rack\n"),
            (DASHES, "empty", b""),
            (BARE, "seed", b"of group\n"),
            (BARE, "empty", None),
            (DASHES, "none", None),
            (DASHES, "seed/linux", None),
            (STRANGER, "seed", None),
            ("nobody", "seed", None),
        )
        for who, name, wanted in rows:
            status, body = made.request(f"/machines/{who}/{name}")
            harness.equal(status, 200 if wanted is not None else 404,
                          f"{who} {name}")
            if wanted is not None:
                harness.equal(body, wanted, f"{who} {name}")
        # The image and the guest's word are where they were.
        harness.equal(made.request(f"/machines/{DASHES}/x.efi")[0], 200,
                      "image")
        harness.equal(made.request(f"/machines/{DASHES}/booted")[0], 200,
                      "booted")


def test_strangers_by_defaults():
    """An unknown machine has the files of `defaults`, if it is booted."""
    with box("unknown-machines: default\n") as made:
        made.start()
        harness.equal(made.get(f"/machines/{STRANGER}/seed"),
                      b"of defaults\n", "seed")
        mac = STRANGER.replace("-", ":").encode()
        harness.check(made.get(f"/machines/{STRANGER}/who").startswith(
            mac + b" " + mac), "its name is its MAC address")


def test_templates():
    """Values stand in for our names; nothing else changes."""
    with box() as made:
        made.start()
        for who in (DASHES, UUID, SWAPPED, "lab-01"):
            harness.equal(
                made.get(f"/machines/{who}/who").decode(),
                f"lab-01 {MAC} 127.0.0.1 ${{name}} ${{HOME}} ${{nam\n", who)
            harness.equal(made.get(f"/machines/{who}/all").decode(),
                          UUID + "\n", who)
        # Not known is said aloud, and no text goes out.
        status, body = made.request(f"/machines/{BARE}/all")
        harness.equal(status, 500, "a UUID that nobody knows")
        harness.check(b"${uuid}" in body, f"it says {body}")
        harness.check("it wants ${uuid}" in made.log(), "not in the log")
        # Neither what is no text nor what is large is a template.
        harness.equal(made.get(f"/machines/{DASHES}/bin"),
                      b"${mac}\0${uuid}", "binary")
        harness.equal(made.get(f"/machines/{DASHES}/big.txt"), BIG, "large")


def test_as_others():
    """HEAD, ranges, validators and pipelines; what changes is seen."""
    with box() as made:
        made.start()
        for name in ("who", "seed", "big.txt"):
            path = f"/machines/{DASHES}/{name}"
            status, fields, whole = answer(made, path)
            harness.equal(status, 200, name)
            tag = fields["ETag"]
            status, fields, body = answer(made, path, "HEAD")
            harness.equal((status, fields["Content-Length"], body),
                          (200, str(len(whole)), b""), f"HEAD {name}")
            harness.equal(answer(made, path, Range="bytes=2-6",
                                 If_Match=tag)[::2],
                          (206, whole[2:7]), f"range of {name}")
            harness.equal(answer(made, path, If_None_Match=tag)[0], 304,
                          f"{name}, known")
            made.restart()
            harness.equal(answer(made, path)[1]["ETag"], tag,
                          f"ETag of {name} after a restart")
        asked = [f"/machines/{DASHES}/{name}" for name in
                  ("seed", "none", "who", "seed", "big.txt", "rack")] * 5
        for path, got in zip(asked, pipelined(made, asked), strict=True):
            harness.equal(got, made.request(path), path)
        seed = made.tmp / "machine"
        before = answer(made, f"/machines/{DASHES}/seed")[1]["ETag"]
        seed.write_text("of another\n")
        _, fields, body = answer(made, f"/machines/{DASHES}/seed")
        harness.equal(body, b"of another\n", "rewritten")
        harness.check(fields["ETag"] != before, "the ETag of before")
        seed.unlink()
        harness.equal(made.request(f"/machines/{DASHES}/seed")[0], 404,
                      "deleted")
        harness.check(f"{seed}: the file is not there" in made.log(),
                      "not in the log")
        os.mkfifo(seed)
        harness.equal(made.request(f"/machines/{DASHES}/seed")[0], 404,
                      "a FIFO")


def test_strangers_ask_much():
    """The log is not theirs to fill."""
    with box() as made:
        made.start()
        for status, _ in pipelined(made, [f"/machines/{BARE}/all"] * 300):
            harness.equal(status, 500, "a UUID that nobody knows")
        lines = made.log().count("it wants ${uuid}")
        harness.check(60 <= lines <= 120, f"{lines} lines, in two minutes")


def test_who_does_not_read():
    """What is made for those who ask and do not read has an end."""
    if paths.BUILD.name == "valgrind":
        raise harness.Skip("the first are gone before there are too many")
    deaf = []
    with box() as made:
        (made.tmp / "who").write_text("${ip}" * 13000)
        made.start()
        path = f"/machines/{DASHES}/who"
        whole = answer(made, path)
        harness.equal(whole[0], 200, "the status")
        try:
            for number in range((64 << 20) // len(whole[2]) + 20):
                one = socket.socket()
                deaf.append(one)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                # Of an address with more than 16 some would have to go, for
                # what the kernel keeps for them.
                one.bind((f"127.0.1.{number // 16 + 1}", 0))
                one.connect((SERVER, made.http))
                one.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
                            * 25)
            until(lambda: answer(made, path)[0] == 503, "too many are served")
            status, fields, _ = answer(made, path)
            harness.equal((status, fields["Retry-After"]), (503, "2"),
                          "what one more is told")
            harness.equal(answer(made, f"/machines/{DASHES}/bin")[0], 200,
                          "a file that is not made")
        finally:
            for one in deaf:
                one.close()
        until(lambda: answer(made, path)[0] == 200, "nobody is served again")


def test_told():
    """--check, explain and the events."""
    with box() as made:
        (made.tmp / "group").unlink()
        (made.tmp / "rack").unlink()
        (made.tmp / "rack").mkdir()
        done = subprocess.run(
            [paths.built("netukid"), "--check", "--config", made.config],
            capture_output=True, text=True, timeout=30)
        harness.equal(done.returncode, 0, "--check")
        said = done.stderr.replace(f"{made.tmp}/", "")
        for wanted in (
                "warning: files: seed: group: the file is not there",
                "warning: files: rack: rack: it is no regular file",
                "warning: files: big.txt: big: it is larger than 64 KiB: "
                "${...} in it stays as it is"):
            harness.check(wanted in said, f"no '{wanted}' in {said}")
        harness.equal(len(said.splitlines()), 3, f"lines of {said}")
        made.start()
        found = {one["name"]: (Path(one["path"]).name, one["from"])
                 for one in made.json("explain", "lab-01")["files"]}
        harness.equal(sorted(found), ["all", "big.txt", "bin", "empty",
                                      "rack", "seed", "who"], "names")
        for name, path, whose in (("seed", "machine", "machine, "),
                                  ("rack", "rack", "group, "),
                                  ("who", "who", "defaults, ")):
            harness.equal(found[name][0], path, name)
            harness.check(found[name][1].startswith(whose), found[name][1])
        harness.check("files        seed: " in made.text("explain", "lab-01"),
                      "not for people")
        made.get(f"/machines/{DASHES}/who")
        # The line may go out after the answer.
        made.netukid.wait_output(f"file - 127.0.0.1 machines/{DASHES}/who")


def test_uses_nothing_up():
    """Who fetches a file takes no boot-once from its machine."""
    with box() as made:
        made.start()
        made.ctl("boot-once", "lab-01")
        for name in ("seed", "who", "big.txt", "bin"):
            made.get(f"/machines/{DASHES}/{name}")
        harness.check(made.machine("lab-01")["boot-once"], "it is used up")
        made.get(f"/machines/{DASHES}/x.efi")
        deadline = time.monotonic() + 10
        while made.machine("lab-01")["boot-once"]:
            harness.check(time.monotonic() < deadline, "not used up")
            time.sleep(0.05)


if __name__ == "__main__":
    harness.main(globals())
