"""Boots written straight into a history, for tests of what reads it."""

import contextlib
import sqlite3


def boot(number, started, **values):
    """One row: a whole boot over HTTP, but for VALUES."""
    row = {
        "id": number, "started": started, "machine": "lab-01",
        "mac": "52:54:00:00:00:01", "ip": "10.0.0.1", "firmware": "uefi",
        "arch": "x64", "mode": "ipxe", "image": "x.efi",
        "outcome": "complete", "step": "image", "attempts": 1, "loads": 0,
        "image_loads": 1, "broken": 0, "bytes": 16000000,
        "transfer_us": 500000, "last_us": 9000000}
    row.update(values)
    return row


# The usual lengths of what a boot goes through, in seconds, up to each moment.
WAYS = {
    "ipxe": [("discover", 0), ("offer", .002), ("request", 1.1),
             ("ack", .002), ("loader", .3), ("loader_done", .35),
             ("ipxe", 1.4), ("ipxe_offer", .002), ("script", 3.1),
             ("first_byte", .05), ("last_byte", .6)],
    "tftp-uki": [("discover", 0), ("offer", .002), ("request", 1.1),
                 ("ack", .002), ("first_byte", .35), ("last_byte", 4.2)],
    "http": [("discover", 0), ("offer", .002), ("first_byte", 2.2),
             ("last_byte", 1.1)],
}


def times(mode, random, upto=None, up=None):
    """The moments of a boot, each phase as long as RANDOM has it.

    UPTO is the last one that is reached; UP when the guest spoke.
    """
    at, row = 0.0, {}
    for moment, seconds in WAYS[mode]:
        at += seconds * random.lognormvariate(0, .18)
        row[f"{moment}_us"] = int(at * 1e6)
        if moment == upto:
            break
    if up is not None:
        at += up * random.lognormvariate(0, .1)
        row["up_us"] = int(at * 1e6)
    row["last_us"] = int(at * 1e6)
    return row


def write(path, boots):
    """Adds BOOTS to the history at PATH, which netukid has made."""
    with contextlib.closing(sqlite3.connect(path)) as sql:
        for row in boots:
            sql.execute(f"INSERT INTO boots ({', '.join(row)}) VALUES "
                        f"({', '.join('?' * len(row))})", list(row.values()))
        sql.commit()
