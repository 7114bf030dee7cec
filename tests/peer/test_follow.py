#!/usr/bin/python3
"""`netukictl boots --follow` on a terminal: what a person would see."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import harness, paths, pe  # noqa: E402
from lab.loopback import SERVER, Loopback  # noqa: E402

IMAGE = "big.efi"
SIZE = 40 << 20  # more than the sockets of a connection take
CODE = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[\?\d+[hl]")


def take_terminal():
    """In the child: the terminal is its own, and Ctrl-C ends it.

    Even if this was started in the background by a shell, which has SIGINT
    be ignored.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A terminal in which a command runs, and what is to be seen on it."""

    def __init__(self, command, lines=24, columns=100):
        self.fd, slave = pty.openpty()
        self.raw, self.screen, self.row = "", [""], 0
        self.resize(lines, columns, slave)
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"}, start_new_session=True,
            preexec_fn=take_terminal)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self._slave)
        os.close(self.fd)

    def resize(self, lines, columns, fd=None):
        """Makes it of another size."""
        fcntl.ioctl(self.fd if fd is None else fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))
        self.columns = columns

    def read(self):
        """Takes what has come."""
        while select.select([self.fd], [], [], 0.05)[0]:
            try:
                text = os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                return
            self.raw += text
            self._show(text)

    def _show(self, text):
        """The few codes that may be used; others are a failure."""
        for part in re.split(r"(\x1b\[\??\d*[A-Za-z]|\r?\n)", text):
            code = CODE.fullmatch(part)
            if part.endswith("\n"):
                self.row += 1
                if self.row == len(self.screen):
                    self.screen.append("")
            elif code:
                self._code(code.group(2), int(code.group(1) or 1), part)
            else:
                self.screen[self.row] += part

    def _code(self, letter, number, whole):
        if letter == "A":
            self.row = max(0, self.row - number)
        elif letter == "H":
            self.row = 0
        elif letter == "J":
            del self.screen[self.row:]
            self.screen.append("")
        else:
            raise harness.Failure(f"the terminal is told {whole!r}")

    def text(self):
        """The lines to be seen."""
        self.read()
        return "\n".join(self.screen)

    def wait(self, pattern, seconds=20):
        """Waits until PATTERN is to be seen; its match."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text(), re.M)
            if found:
                return found
            harness.check(time.monotonic() < deadline,
                          f"no {pattern!r} in:\n{self.text()}")


def mac(number):
    """The MAC address of machine NUMBER."""
    return f"52:54:00:aa:00:{number:02x}"


@contextlib.contextmanager
def download(box, number):
    """A machine that loads its image; read from it by recv()."""
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        link.settimeout(20)
        link.connect((SERVER, box.http))
        path = f"/machines/{mac(number).replace(':', '-')}/{IMAGE}"
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        yield link


def take(link, count):
    """Reads COUNT bytes; fewer are an error."""
    while count > 0:
        data = link.recv(min(count, 1 << 20))
        harness.check(data, "the download ended")
        count -= len(data)


def head(link):
    """Reads the head of an answer; the length of its body."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        text += link.recv(1)
    return int(re.search(rb"(?i)content-length: (\d+)", text).group(1))


@contextlib.contextmanager
def box_of(machines):
    """A netukid that knows so many machines."""
    names = "".join(f"  - {{name: lab-{n:02}, mac: {mac(n)}}}\n"
                    for n in range(1, machines + 1))
    with Loopback(names, f"defaults: {{image: {IMAGE}}}\n") as box:
        box.image(IMAGE, pe.uki("big", SIZE))
        box.start()
        yield box


def follow(box, **size):
    """netukictl on a terminal."""
    return Terminal([paths.built("netukictl"), "boots", "--follow",
                     "--control", box.control], **size)


def test_bar():
    """A bar grows while the image is loaded, and a line tells the end."""
    with box_of(2) as box, follow(box) as terminal:
        terminal.wait(r"\(no boot runs\)")
        with download(box, 1) as link:
            size = head(link)
            found = terminal.wait(
                r"^lab-01 +http +image +[\d.]+ s  \[(#*)-+\] +(\d+) %  "
                r"[\d.]+ [kM]B of 42\.\d MB  [\d.]+ MB/s")
            early = int(found.group(2))
            take(link, size * 3 // 4)
            terminal.wait(rf"^lab-01 .*\[#{{10,}}-+\] +[789]\d %")
            harness.check(early < 50, f"{early} % before anything was read")
            take(link, size - size * 3 // 4)
        terminal.wait(r"lab-01  http  big.efi  complete after [\d.]+ s, "
                      r"42\.\d MB at [\d.]+ MB/s")
        box.get(f"/machines/{mac(1).replace(':', '-')}/booted")
        terminal.wait(r"lab-01  http  big.efi  up after [\d.]+ s")
        with download(box, 2) as link:
            head(link)
            terminal.wait(r"^lab-02 .* \d+ %")
        terminal.wait(r"^lab-02 +http +image +[\d.]+ s$")
        # Its next start ends the boot of before.
        box.get(f"/ipxe/{mac(2)}?arch=x86_64&platform=efi")
        terminal.wait(r"lab-02  http  big.efi  abandoned at image after "
                      r"[\d.]+ s: the client hung up")
        box.stop()
        terminal.wait("^netukictl: netukid hung up$")
        harness.equal(terminal.process.wait(10), 3, "its status")
        harness.check("lost at step script after 0.000 s: netukid ended" in
                      box.log(), "whom it blames for its own end")


def test_window():
    """Lines never break, and the longest boots are shown."""
    with box_of(12) as box, contextlib.ExitStack() as links:
        for number in range(1, 13):
            head(links.enter_context(download(box, number)))
        with follow(box, lines=8, columns=70) as terminal:
            terminal.wait(r"^\.\.\. and 7 more$")
            check_lines(terminal, 5)
            # There is no room for all that is told of a download.
            terminal.wait(r"^lab-01 .* s  \[[#-]{8,}\] +\d+ %$")
            harness.check(terminal.text().startswith("lab-01 "),
                          "the first is not above")
            terminal.resize(20, 40)
            terminal.wait(r"^lab-12 ")
            check_lines(terminal, 12)


def check_lines(terminal, count):
    """So many machines, in lines shorter than the terminal."""
    time.sleep(0.6)
    lines = terminal.text().splitlines()
    harness.equal(len([line for line in lines if line.startswith("lab-")]),
                  count, "lines of machines")
    harness.check(max(map(len, lines)) < terminal.columns,
                  f"too long: {lines}")


def test_table():
    """A line that has no room goes on below, and nothing of it is lost."""
    with box_of(1) as box:
        with download(box, 1) as link:
            take(link, head(link))
        deadline = time.monotonic() + 20
        while "complete" not in box.text("boots"):
            harness.check(time.monotonic() < deadline, "no boot is kept")
            time.sleep(0.05)
        wide = box.text("boots")
        with Terminal([paths.built("netukictl"), "boots", "--control",
                       box.control], columns=60) as terminal:
            terminal.wait(r"^    .* MB/s")
            lines = terminal.text().splitlines()
        harness.equal(" ".join(lines).split(), wide.split(), "the table")
        harness.check(max(map(len, lines)) <= 60, f"too long: {lines}")
        heading, row = lines[1], lines[3]
        harness.equal(heading.index("RATE"),
                      re.search(r"[\d.]+ MB/s", row).start(),
                      f"a column of {lines}")


def test_interrupt():
    """Ctrl-C leaves the terminal as it was, the cursor below the bars."""
    with box_of(1) as box, download(box, 1) as link:
        head(link)
        with follow(box) as terminal:
            terminal.wait(r"^lab-01 .* \d+ %")
            os.write(terminal.fd, b"\x03")
            harness.equal(terminal.process.wait(10), -2, "how it ended")
            terminal.read()
            harness.equal(termios.tcgetattr(terminal._slave),
                          terminal.before, "modes of the terminal")
            harness.check("\x1b[?" not in terminal.raw,
                          "it sets modes that it would have to restore")
            harness.equal(terminal.screen[-1].replace("^C", ""), "",
                          "the cursor's line")


def test_tftp():
    """What was acknowledged over TFTP is told, too."""
    with box_of(1) as box, follow(box) as terminal, socket.socket(
            type=socket.SOCK_DGRAM) as link:
        link.settimeout(20)
        name = f"machines/{mac(1).replace(':', '-')}/{IMAGE}"
        link.sendto(b"\0\1" + name.encode() + b"\0octet\0blksize\0" +
                    b"1468\0windowsize\x0064\0", (SERVER, box.tftp))
        _, peer = link.recvfrom(2000)
        link.sendto(b"\0\4\0\0", peer)
        for number in range(1, 20 * 64 + 1):
            link.recvfrom(2000)
            if number % 64 == 0:
                link.sendto(b"\0\4" + number.to_bytes(2, "big"), peer)
        terminal.wait(r"^lab-01 +tftp-uki +image .*  4 %  1879\.0 kB of "
                      r"42\.\d MB")
        link.sendto(b"\0\5\0\0enough\0", peer)
        terminal.wait(r"^lab-01 +tftp-uki +image +[\d.]+ s$")


if __name__ == "__main__":
    harness.main(globals())
