"""Processes of a laboratory: in a namespace, with a log, never left behind."""

import contextlib
import os
import resource
import shlex
import signal
import subprocess
import time
from pathlib import Path

from lab import netns, paths


def no_room(size):
    """For a child: a file beyond SIZE finds the disk full, as it were."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Process:
    """A running program whose output goes to a file.

    It is killed with the test that started it, whatever ends that one.
    """

    death_signal = signal.SIGKILL
    end_signal = signal.SIGTERM  # ends it soon

    def __init__(self, name, command, ns, log, env=None, cwd=None):
        self.name = name
        self.ns = ns
        self.log = Path(log)
        self.command = [str(part) for part in command]
        with open(self.log, "ab") as out:
            self._popen = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True, cwd=cwd,
                env={**os.environ, "LC_ALL": "C", **(env or {})},
                preexec_fn=netns.child_setup(ns, self.death_signal))

    @property
    def pid(self):
        """The process id."""
        return self._popen.pid

    def poll(self):
        """The exit status, or None while it runs."""
        return self._popen.poll()

    def wait(self, timeout):
        """The exit status; raises TimeoutError after TIMEOUT seconds."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} still runs after {timeout} s") \
                from None

    def output(self):
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def send(self, number):
        """Sends a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._popen.send_signal(number)

    def go_first(self):
        """Has it go before what else runs on this machine.

        Not as a real-time process: of those the kernel stops whatever is busy
        all the time, for 50 ms of each second.
        """
        os.setpriority(os.PRIO_PROCESS, self.pid, -20)
        # Where sessions are scheduled as groups, this one's counts as well.
        group = Path(f"/proc/{self.pid}/autogroup")
        if group.exists():
            group.write_text("-20")

    def stop(self, first=signal.SIGTERM, grace=30):
        """Ends it: FIRST, and after GRACE seconds SIGKILL.

        Returns the exit status.
        """
        self.send(first)
        return self.reap(grace)

    def reap(self, grace=30):
        """Waits for its end, which is SIGKILL after GRACE seconds.

        They are more where a sanitizer looks for what was not freed.  Returns
        the exit status.
        """
        try:
            return self._popen.wait(grace * paths.SLOW)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            return self._popen.wait()

    def require_running(self):
        """Raises RuntimeError, with its output, if it has ended."""
        status = self.poll()
        if status is not None:
            raise RuntimeError(
                f"{self.name} ended with status {status}: "
                f"{shlex.join(self.command)}\n{self.output()}")

    def wait_output(self, text, timeout=60):
        """Waits until TEXT is in its output."""
        deadline = time.monotonic() + timeout
        while text not in self.output():
            self.require_running()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} did not say {text!r} in "
                                   f"{timeout} s:\n{self.output()}")
            time.sleep(0.02)
