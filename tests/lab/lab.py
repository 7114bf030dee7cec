"""The laboratory: a switch, hosts and machines, gone when the test ends.

    with Lab() as lab:
        lab.host("dhcp", "10.77.0.1/24")
        lab.host("netuki", "10.77.0.2/24")
        lab.start_dnsmasq("dhcp")
        lab.start_netukid(config)
        machine = lab.machine("m1", firmware="ovmf")
        machine.power_on()
        print(machine.wait_guest(120))

Each host is a network namespace with one interface, eth0, whose other end is
a port of the switch; the port has the host's name.  The switch is a namespace
with a bridge; the machines' taps are there too, and QEMU runs there.  Nothing
of this is connected to the network of the machine that it runs on.
"""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab import netns, paths, peers
from lab.capture import Capture
from lab.machine import Machine
from lab.process import Process

_counter = itertools.count(1)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

DHCP_ADDRESS = "10.77.0.1"
NETUKI_ADDRESS = "10.77.0.2"


def _on_signal(number, _frame):
    """Turns a signal into an exit that unwinds, so that all is cleared."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _clear_stale_folders():
    """Removes the folders of laboratories whose process was killed."""
    if os.environ.get("NETUKI_LAB_KEEP"):
        return
    for path in Path(tempfile.gettempdir()).glob("nk*.*-*"):
        if netns.is_stale(path.name):
            shutil.rmtree(path, ignore_errors=True)


class Lab:
    """A network to test in; a context manager.  Needs root.

    When a with block ends in an exception, the ends of all logs are printed.
    NETUKI_LAB_KEEP=1 in the environment keeps the folder of the logs.
    """

    def __init__(self):
        self.prefix = f"nk{os.getpid()}.{next(_counter)}"
        self.switch_ns = f"{self.prefix}-switch"
        self.tmp = None
        self.netukid = None
        self._namespaces = []
        self._processes = []
        self._machines = 0
        self._old_handlers = {}

    # Beginning and end.

    def __enter__(self):
        if os.geteuid() != 0:
            raise paths.Missing("root (for network namespaces)")
        for number in _SIGNALS:
            self._old_handlers[number] = signal.signal(number, _on_signal)
        try:
            netns.clear_stale()
            _clear_stale_folders()
            self.tmp = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
            # The daemon may have dropped its privileges.
            self.tmp.chmod(0o755)
            self._make_switch()
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(self, kind, value, _traceback):
        try:
            if kind and not issubclass(
                    kind, (KeyboardInterrupt, SystemExit, paths.Missing)):
                self.print_logs()
        finally:
            self._clear()

    def _clear(self):
        """Ends and removes everything; a second Ctrl-C must not stop it."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for process in reversed(self._processes):
            process.send(process.end_signal)
        for process in reversed(self._processes):
            process.reap()
        for ns in reversed(self._namespaces):
            netns.delete(ns)
        if self.tmp and not os.environ.get("NETUKI_LAB_KEEP"):
            shutil.rmtree(self.tmp, ignore_errors=True)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)

    def print_logs(self, file=None, lines=30):
        """Prints the last lines of every process's output."""
        for process in self._processes:
            text = process.output().strip().splitlines()[-lines:]
            if text:
                print(f"--- {process.name}, end of its output ---",
                      *text, sep="\n", file=file or sys.stderr)

    # The network.

    def _make_switch(self):
        self._add_namespace(self.switch_ns)
        # The switch itself is no host: no address, no router solicitations.
        for which in ("all", "default"):
            netns.set_sysctl(self.switch_ns,
                             f"net/ipv6/conf/{which}/disable_ipv6", 1)
        netns.ip("link", "add", "br0", "type", "bridge", "stp_state", 0,
                 "forward_delay", 0, "mcast_snooping", 0, ns=self.switch_ns)
        netns.ip("link", "set", "br0", "up", ns=self.switch_ns)

    def _add_namespace(self, ns):
        netns.ip("netns", "add", ns)
        self._namespaces.append(ns)
        netns.ip("link", "set", "lo", "up", ns=ns)

    def ns(self, name):
        """The name of the namespace of host NAME."""
        return f"{self.prefix}-{name}"

    def host(self, name, *addresses, mac=None, offload=True):
        """Adds a host with one interface, eth0, at the switch.

        ADDRESSES are like 10.77.0.2/24.  Without OFFLOAD each frame crosses
        the wire alone: a drop then loses one packet, not 64 kB.
        """
        ns = self.ns(name)
        self._add_namespace(ns)
        self.link(name, "eth0", *addresses, mac=mac, offload=offload)
        return ns

    def link(self, name, interface, *addresses, mac=None, offload=True,
             port=None):
        """Connects host NAME to the switch by one more interface."""
        ns = self.ns(name)
        port = port or (name if interface == "eth0" else f"{name}-{interface}")
        netns.ip("link", "add", port, "netns", self.switch_ns, "type", "veth",
                 "peer", "name", interface, "netns", ns)
        if mac:
            netns.ip("link", "set", interface, "address", mac, ns=ns)
        if not offload:
            netns.ip("link", "set", port, "gso_max_segs", 1,
                     ns=self.switch_ns)
            netns.ip("link", "set", interface, "gso_max_segs", 1, ns=ns)
        netns.ip("link", "set", port, "master", "br0", "up",
                 ns=self.switch_ns)
        for address in addresses:
            netns.ip("addr", "add", address, "dev", interface, ns=ns)
        netns.ip("link", "set", interface, "up", ns=ns)

    def loss(self, percent, match="meta l4proto udp"):
        """Drops PERCENT of the forwarded packets that MATCH, each way.

        0 ends it.  It is done in the bridge: a drop in a host's own output
        hook would be an error to the sender.
        """
        nft = [paths.program("nft")]
        self.run(nft + ["add", "table", "bridge", "lab"], self.switch_ns)
        self.run(nft + ["delete", "table", "bridge", "lab"], self.switch_ns)
        if not percent:
            return
        below = round(percent * 1000)
        rules = ("table bridge lab { chain forward { "
                 "type filter hook forward priority 0; policy accept; "
                 f"{match} numgen random mod 100000 < {below} drop; }}; }}")
        self.run(nft + [rules], self.switch_ns)

    def socket(self, name, family=socket.AF_INET, kind=socket.SOCK_DGRAM,
               proto=0):
        """A socket in the namespace of host NAME."""
        return netns.open_socket(self.ns(name), family, kind, proto)

    def capture(self, port, expression="", snaplen=0, bulk=False):
        """Starts a capture at a port of the switch (a host's or machine's).

        EXPRESSION is a filter of tcpdump's; BULK see capture.Capture.
        """
        number = len(self._processes)
        path = self.tmp / f"{port}-{number}.pcap"
        return self.adopt(Capture(port, self.switch_ns, path, expression,
                                  snaplen, bulk))

    # Processes.

    def adopt(self, process):
        """Has the laboratory end PROCESS; returns it."""
        self._processes.append(process)
        return process

    def spawn(self, command, host=None, name=None, env=None):
        """Starts COMMAND in the namespace of HOST."""
        name = name or Path(str(command[0])).name
        log = self.tmp / f"{name}-{len(self._processes)}.log"
        return self.adopt(Process(name, command, host and self.ns(host), log,
                                  env, self.tmp))

    def run(self, command, ns=None, timeout=120, check=True):
        """Runs COMMAND in namespace NS to its end; a CompletedProcess.

        Its output is text.  Raises RuntimeError when CHECK and it fails.
        """
        done = subprocess.run(
            [str(part) for part in command], timeout=timeout,
            capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, cwd=self.tmp,
            preexec_fn=netns.child_setup(ns))
        if check and done.returncode != 0:
            raise RuntimeError(f"{command}: status {done.returncode}: "
                               f"{done.stdout}{done.stderr}")
        return done

    def start_dnsmasq(self, host="dhcp", extra=(), delay=0, first=100,
                      last=199):
        """Starts dnsmasq on HOST as a DHCP server that knows no netboot.

        DELAY is in seconds, before each of its answers; FIRST and LAST are
        the ends of its range in 10.77.0.0/24.
        """
        args = [f"--dhcp-range=10.77.0.{first},10.77.0.{last},"
                "255.255.255.0,1h"]
        if delay:
            args.append(f"--dhcp-reply-delay={delay}")
        return self._start_dnsmasq(host, args + list(extra))

    def start_dnsmasq_proxy(self, root, host="netuki", extra=()):
        """Starts dnsmasq on HOST as ProxyDHCP and TFTP server of folder ROOT.

        EXTRA says what to offer; see peers.proxy_ipxe() and its like.
        """
        args = ["--dhcp-range=10.77.0.0,proxy", "--enable-tftp",
                f"--tftp-root={root}"]
        return self._start_dnsmasq(host, args + list(extra))

    def _start_dnsmasq(self, host, args):
        number = len(self._processes)
        command = peers.dnsmasq(self.tmp / f"leases-{number}") + args
        process = self.spawn(command, host, f"dnsmasq-{host}")
        process.wait_output("DHCP, ")
        return process

    def start_nginx(self, root, host="netuki", port=80):
        """Starts nginx on HOST, with one worker, for the files of ROOT."""
        config = self.tmp / "nginx.conf"
        config.write_text(peers.nginx_config(self.tmp, root, port))
        process = self.spawn(peers.nginx(self.tmp, config), host)
        self.wait_tcp(host, port, process)
        return process

    def wait_tcp(self, host, port, process=None, timeout=60):
        """Waits until something listens on HOST's TCP port, seen from there."""
        deadline = time.monotonic() + timeout
        while True:
            with self.socket(host, kind=socket.SOCK_STREAM) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if process:
                process.require_running()
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing listens on port {port}")
            time.sleep(0.02)

    # netuki.

    @property
    def control(self):
        """The path of netukid's control socket, for a configuration."""
        return self.tmp / "control.sock"

    def start_netukid(self, config, host="netuki", timeout=60, check_ready=True,
                      env=None, user="root"):
        """Starts netukid on HOST with the text CONFIG, and waits for it.

        It is ready when it says so in a datagram (READY=1).
        """
        path = self.tmp / f"netuki-{len(self._processes)}.yaml"
        path.write_text(config)
        notify = self._notify_socket()
        process = self.spawn(
            paths.netukid(path, user), host, "netukid",
            {"NOTIFY_SOCKET": notify.getsockname(), **(env or {})})
        process.end_signal = signal.SIGINT  # without waiting for clients
        with notify:
            if check_ready:
                self._wait_netukid(process, notify, timeout)
        self.netukid = process
        return process

    def _notify_socket(self):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = self.tmp / f"notify-{len(self._processes)}.sock"
        notify.bind(str(path))
        path.chmod(0o777)
        notify.settimeout(0.05)
        return notify

    @staticmethod
    def _wait_netukid(process, notify, timeout):
        deadline = time.monotonic() + timeout * paths.SLOW
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in notify.recv(4096):
                    return
            process.require_running()
        raise TimeoutError(f"netukid is not ready:\n{process.output()}")

    def netukictl(self, *args, check=True):
        """Runs netukictl against this laboratory's netukid."""
        return self.run([paths.built("netukictl"), *args, "--control",
                         self.control], check=check)

    # Machines.

    def machine(self, name="m1", firmware="ovmf", mac=None, **wishes):
        """A machine at the switch, off; see machine.Machine for WISHES."""
        self._machines += 1
        mac = mac or f"52:54:00:77:00:{self._machines:02x}"
        netns.ip("tuntap", "add", name, "mode", "tap", ns=self.switch_ns)
        netns.ip("link", "set", name, "master", "br0", "up",
                 ns=self.switch_ns)
        return Machine(self, name, name, firmware, mac, **wishes)
