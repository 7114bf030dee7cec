"""Captures: tcpdump while a test runs, tshark when it reads the result."""

import signal
import subprocess
from pathlib import Path

from lab import paths
from lab.process import Process


class Capture(Process):
    """tcpdump on one interface, from the moment that it is made."""

    def __init__(self, interface, ns, path, expression="", snaplen=0):
        self.path = Path(path)
        # -U: without it tcpdump holds packets back for up to a second.
        # -Z root: it must be allowed to write into the test's folder.
        command = [paths.program("tcpdump"), "-i", interface, "-U", "-n",
                   "-Z", "root", "-B", "16384", "-s", str(snaplen), "-w",
                   str(self.path)]
        super().__init__(f"tcpdump-{interface}", command + expression.split(),
                         ns, self.path.with_suffix(".log"))
        self.wait_output("listening on")

    def finish(self):
        """Ends the capture; its file is then whole."""
        return self.stop(signal.SIGINT)

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
