"""Captures: tcpdump while a test runs, tshark when it reads the result."""

import re
import signal
import subprocess
import time
from pathlib import Path

from lab import paths
from lab.process import Process

# What it says at SIGUSR1; the kernel counts those that it dropped, too.
_COUNTS = re.compile(r"(\d+) packets? captured, (\d+) packets? received by "
                     r"filter, (\d+) packets? dropped by kernel\n")


class Capture(Process):
    """tcpdump on one interface, from the moment that it is made.

    BULK is for many packets while time is measured: the kernel hands them
    over in blocks, which costs less, and finish() takes a second.
    """

    def __init__(self, interface, ns, path, expression="", snaplen=0,
                 bulk=False):
        self.path = Path(path)
        # -Z root: it must be allowed to write into the test's folder.
        command = [paths.program("tcpdump"), "-i", interface, "-U", "-n",
                   "-Z", "root", "-B", "16384", "-s", str(snaplen), "-w",
                   str(self.path)]
        if not bulk:
            command.append("--immediate-mode")
        super().__init__(f"tcpdump-{interface}", command + expression.split(),
                         ns, self.path.with_suffix(".log"))
        self.wait_output("listening on")

    def finish(self, timeout=60):
        """Ends the capture when all that has come so far is in its file.

        At SIGINT tcpdump forgets what the kernel still holds for it.
        """
        deadline = time.monotonic() + timeout
        wanted = None
        while True:
            before = len(_COUNTS.findall(self.output()))
            self.send(signal.SIGUSR1)
            while len(said := _COUNTS.findall(self.output())) == before:
                self._wait(deadline)
            captured, received, dropped = map(int, said[-1])
            wanted = received if wanted is None else wanted
            if captured + dropped >= wanted:
                return self.stop(signal.SIGINT)
            self._wait(deadline)

    def _wait(self, deadline):
        self.require_running()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{self.name} does not end:\n{self.output()}")
        time.sleep(0.05)

    def rows(self, display_filter, *fields):
        """For each packet that matches, a tuple of the fields' texts.

        Fields are tshark's names; one that the packet lacks is "".  Repeated
        values are joined with commas.
        """
        return read(self.path, display_filter, *fields)


def read(path, display_filter, *fields):
    """Capture.rows() for a capture file."""
    command = [paths.program("tshark"), "-n", "-r", str(path), "-Y",
               display_filter, "-T", "fields", "-E", "separator=/t"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"tshark: {done.stderr.strip()}")
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]
