#!/usr/bin/python3
"""What this machine's kernel may lack, on Debian's in a virtual machine."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import guest, harness, paths  # noqa: E402
from lab.lab import Lab  # noqa: E402


def test_vlan_interface():
    """VLAN interfaces, by the tests that are skipped where there are none."""
    if paths.SLOW != 1:
        raise harness.Skip("an instrument's report would stay in the guest")
    with Lab() as lab:
        said = guest.run(lab, "peer/test_dhcp.py", "vlan-interface")
    for case in ("alone", "beside"):
        harness.check(f"\nok vlan-interface/{case} (" in "\n" + said, said)


if __name__ == "__main__":
    harness.main(globals())
