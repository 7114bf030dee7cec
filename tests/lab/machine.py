"""A virtual machine with real firmware, in TCG: no KVM is asked for."""

import contextlib
import re
import shutil
import time
from pathlib import Path

from lab import paths, uki
from lab.process import Process

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b.|\x00")

# What the console says when nothing is left to boot from.
NOTHING_BOOTS = r"No bootable device|Shell> |netuki: nothing to boot"

_PC = ["-machine", "q35", "-global", "ICH9-LPC.disable_s3=1"]
# What keeps the keys is for the firmware's own mode of the processor only.
_SECURE_PC = [*_PC, "-machine", "smm=on", "-global",
              "driver=cfi.pflash01,property=secure,value=on"]
_NO_PXE_IPV4 = ["-fw_cfg",
                "name=opt/org.tianocore/IPv4PXESupport,string=no"]
_NO_IPV6 = ["-fw_cfg", "name=opt/org.tianocore/IPv6Support,string=no"]

# Each firmware: the pflash pair when it has one, whether the network card has
# its iPXE ROM (without it the card is the firmware's own driver's), and what
# else.
FIRMWARES = {
    # UEFI: PXE over IPv4 first, HTTP Boot after that has failed.  With IPv6
    # each of them would be tried for a minute over that as well: nobody here
    # speaks DHCPv6.
    "ovmf": {
        "code": "usr/share/OVMF/OVMF_CODE_4M.fd",
        "vars": "usr/share/OVMF/OVMF_VARS_4M.fd",
        "rom": False,
        "args": _NO_IPV6,
    },
    # The same with its PXE options switched off: HTTP Boot only.
    "ovmf-http": {
        "code": "usr/share/OVMF/OVMF_CODE_4M.fd",
        "vars": "usr/share/OVMF/OVMF_VARS_4M.fd",
        "rom": False,
        "args": _NO_PXE_IPV4 + _NO_IPV6,
    },
    # Secure Boot on, with the test key that Debian ships both halves of.
    "ovmf-secure": {
        "board": _SECURE_PC,
        "code": "usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
        "vars": "usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd",
        "rom": False,
        "args": _NO_IPV6,
    },
    "ovmf-secure-http": {
        "board": _SECURE_PC,
        "code": "usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
        "vars": "usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd",
        "rom": False,
        "args": _NO_PXE_IPV4 + _NO_IPV6,
    },
    # UEFI on ARM64.
    "aavmf": {
        "system": "aarch64",
        "board": ["-machine", "virt", "-cpu", "cortex-a57"],
        "code": "usr/share/AAVMF/AAVMF_CODE.fd",
        "vars": "usr/share/AAVMF/AAVMF_VARS.fd",
        "rom": False,
        "args": _NO_IPV6,
    },
    # BIOS, whose only network boot is the card's own iPXE.
    "seabios": {
        "rom": True,
        "args": ["-machine", "graphics=off", "-boot", "n"],
    },
}


class Machine:
    """A machine, off until power_on().  Lab.machine() makes them.

    Its serial port is a file; every wait ends when the machine does.  MEMORY
    is in MiB; DISK is the path of an image, or of a folder that becomes a FAT
    file system; CARD: whether it has a network card; EXTRA are further
    arguments of QEMU.
    """

    def __init__(self, lab, name, tap, firmware, mac, uuid=None, memory=2048,
                 serial_number=None, disk=None, card=True, extra=()):
        self.name = name
        self.mac = mac
        self.powered_on = None
        self.powered_on_epoch = None
        self._lab = lab
        self._process = None
        self._console = (0, "")
        self.serial = lab.tmp / f"{name}.serial"
        known = FIRMWARES[firmware]
        self._command = [
            paths.program(f"qemu-system-{known.get('system', 'x86_64')}"),
            "-name", name, *known.get("board", _PC),
            "-accel", "tcg,thread=multi", "-smp", "1",
            "-m", str(memory), "-display", "none", "-no-reboot",
            "-nodefaults", "-vga", "none", "-monitor", "none",
            "-serial", f"file:{self.serial}",
        ]
        uuid = uuid or "6e657475-6b69-4c61-a001-" + mac.replace(":", "")
        self._command += ["-uuid", uuid]
        if serial_number:
            self._command += ["-smbios", f"type=1,serial={serial_number}"]
        self._command += self._flash(known) + known["args"]
        self._command += self._network(known, tap) if card else []
        self._command += self._disk(disk)
        self._command += [str(part) for part in extra]

    def _flash(self, known):
        if "code" not in known:
            return []
        store = self._lab.tmp / f"{self.name}.vars"
        shutil.copyfile(paths.asset(known["vars"]), store)
        return ["-drive", "if=pflash,format=raw,unit=0,readonly=on,file="
                f"{paths.asset(known['code'])}",
                "-drive", f"if=pflash,format=raw,unit=1,file={store}"]

    def _network(self, known, tap):
        # QEMU adapts the ROM's device id only when it chooses the file.
        rom = "" if known["rom"] else "romfile=,"
        return ["-netdev", f"tap,id=n0,ifname={tap},script=no,downscript=no",
                "-device", f"virtio-net-pci,netdev=n0,mac={self.mac},"
                f"{rom}bootindex=1"]

    @staticmethod
    def _disk(disk):
        """A disk after the network: a folder becomes a FAT file system."""
        if not disk:
            return []
        source = f"fat:{disk}" if Path(disk).is_dir() else disk
        return ["-drive", f"if=none,id=d0,format=raw,readonly=on,file={source}",
                "-device", "virtio-blk-pci,drive=d0,bootindex=2"]

    def power_on(self):
        """Starts the machine; its clock starts here."""
        self.serial.write_bytes(b"")
        self._console = (0, "")
        log = self._lab.tmp / f"{self.name}.qemu.log"
        self.powered_on_epoch = time.time()
        self.powered_on = time.monotonic()
        self._process = Process(self.name, self._command, self._lab.switch_ns,
                                log)
        self._lab.adopt(self._process)

    def console(self):
        """What came over the serial port, without terminal escapes."""
        size = self.serial.stat().st_size
        if size != self._console[0]:
            data = self.serial.read_bytes()
            text = _ESCAPES.sub("", data.decode("utf-8", "replace"))
            self._console = (len(data), text)
        return self._console[1]

    def elapsed(self):
        """Seconds since power-on."""
        return time.monotonic() - self.powered_on

    def starved(self):
        """How many of these it was ready to run and had no processor.

        That is what other work on this machine has cost it, or most of it.
        """
        tasks = Path("/proc", str(self._process.pid), "task")
        times = []
        for path in tasks.glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that ends
                times.append([int(part)
                              for part in path.read_text().split()[:2]])
        # Its own processor is the thread that has run the most.
        return max(times, default=(0, 0))[1] / 1e9

    def off(self):
        """Whether the machine has ended, by itself or by power_off()."""
        return self._process is None or self._process.poll() is not None

    def search(self, pattern):
        """The first match of PATTERN on the console so far, or None."""
        return re.search(pattern, self.console())

    def wait_serial(self, pattern, timeout, hopeless=None):
        """Waits for PATTERN on the console: (match, seconds since power-on).

        Raises TimeoutError after TIMEOUT seconds of waiting, and RuntimeError
        when the machine ends without having said it, or when it says what
        the pattern HOPELESS means.
        """
        deadline = time.monotonic() + timeout
        while True:
            ended = self.off()
            match = self.search(pattern)
            if match:
                return match, self.elapsed()
            if ended or (hopeless and self.search(hopeless)):
                raise RuntimeError(f"{self.name} ended or gave up and did not "
                                   f"say {pattern!r}{self._tail()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} did not say {pattern!r} in "
                                   f"{timeout} s{self._tail()}")
            time.sleep(0.02)

    def wait_guest(self, timeout):
        """Waits for the guest's words: (its command line, seconds)."""
        match, seconds = self.wait_serial(uki.GUEST_CMDLINE, timeout,
                                          NOTHING_BOOTS)
        return match.group(1), seconds

    def wait_off(self, timeout):
        """Waits until the machine has ended by itself."""
        self._process.wait(timeout)

    def power_off(self):
        """Pulls the plug."""
        if self._process:
            self._process.stop()

    def _tail(self):
        lines = [line.rstrip() for line in self.console().splitlines()]
        kept = [line for line in lines if line.strip()][-25:]
        output = self._process.output().strip() if self._process else ""
        return (f"\n--- {self.name}, end of its console ---\n"
                + "\n".join(kept) + (f"\n{output}" if output else ""))
