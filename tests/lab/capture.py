"""Captures: tcpdump while a test runs, tshark when it reads the result."""

import signal
import subprocess
import time
from pathlib import Path

from lab import paths
from lab.process import Process


# The kernel hands a block of packets over when it is full or this old.
_BLOCK_AGE = 1.0


class Capture(Process):
    """tcpdump on one interface, from the moment that it is made.

    BULK is for many packets while time is measured: they are handed over in
    blocks, which costs less, and finish() takes a second.
    """

    def __init__(self, interface, ns, path, expression="", snaplen=0,
                 bulk=False):
        self.path = Path(path)
        self._quiet = _BLOCK_AGE + 0.2 if bulk else 0.1
        # -Z root: it must be allowed to write into the test's folder.
        command = [paths.program("tcpdump"), "-i", interface, "-U", "-n",
                   "-Z", "root", "-B", "16384", "-s", str(snaplen), "-w",
                   str(self.path)]
        if not bulk:
            command.append("--immediate-mode")
        super().__init__(f"tcpdump-{interface}", command + expression.split(),
                         ns, self.path.with_suffix(".log"))
        self.wait_output("listening on")

    def finish(self, timeout=10):
        """Ends the capture when no more packets come; its file is whole.

        At SIGINT tcpdump forgets what the kernel still holds for it.
        """
        deadline = time.monotonic() + timeout
        size = -1
        while size != self._size() and time.monotonic() < deadline:
            size = self._size()
            time.sleep(self._quiet)
        return self.stop(signal.SIGINT)

    def _size(self):
        return self.path.stat().st_size if self.path.exists() else 0

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
