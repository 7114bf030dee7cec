"""The frame of a test program: runs its test_ functions and says how it went.

    from lab import harness

    def test_something():
        ...

    if __name__ == "__main__":
        harness.main(globals())

Each test prints one line when it ends, which tests/run counts:

    ok NAME (1.2 s)
    not ok NAME (0.3 s)
    skip NAME reason

A test fails by an exception (assert, or harness.equal() and its like) and is
skipped by harness.Skip or by paths.Missing.  A test that takes parameters is
a function with a table: see cases().
"""

import argparse
import fnmatch
import sys
import time
import traceback
from pathlib import Path

from lab import paths


class Skip(Exception):
    """This test cannot run here, for the reason given."""


class Failure(AssertionError):
    """What a test saw is not what it wanted."""


def equal(got, wanted, what="value"):
    """Fails unless GOT is WANTED."""
    if got != wanted:
        raise Failure(f"{what}: got {_short(got)}, wanted {_short(wanted)}")


def check(truth, message):
    """Fails with MESSAGE unless TRUTH."""
    if not truth:
        raise Failure(message)


def _short(value):
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:400]}... ({len(text)})"


def cases(**table):
    """Makes a test of each row: test_NAME becomes NAME/ROW.

    The keyword is the row's name; its value, a dict, becomes the arguments.
    """
    def mark(function):
        function.cases = {name.replace("_", "-"): arguments
                          for name, arguments in table.items()}
        return function
    return mark


def collect(namespace):
    """The tests of a module's NAMESPACE in their order: (name, callable)."""
    found = []
    for name, function in namespace.items():
        if not name.startswith("test_") or not callable(function):
            continue
        title = name.removeprefix("test_").replace("_", "-")
        rows = getattr(function, "cases", None)
        if rows is None:
            found.append((title, function))
            continue
        for row, arguments in rows.items():
            found.append((f"{title}/{row}",
                          lambda f=function, a=arguments: f(**a)))
    return found


def matches(name, pattern):
    """Whether NAME is meant by PATTERN: a glob, or a part of it."""
    return fnmatch.fnmatch(name, pattern) or pattern in name


def run_one(name, function):
    """Runs one test and prints its line; True unless it failed."""
    begun = time.monotonic()
    try:
        function()
    except (Skip, paths.Missing) as reason:
        print(f"skip {name} {' '.join(str(reason).split())}", flush=True)
        return True
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        print(f"not ok {name} ({time.monotonic() - begun:.1f} s)", flush=True)
        return False
    print(f"ok {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    return True


def main(namespace):
    """The test program: its arguments, its tests, its exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", metavar="PATTERN", default="")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    program = Path(sys.argv[0]).stem
    wanted = [(name, function) for name, function in collect(namespace)
              if matches(f"{program}:{name}", args.only)
              or matches(name, args.only)]
    if args.list:
        for name, _ in wanted:
            print(name)
        return
    results = [run_one(name, function) for name, function in wanted]
    sys.exit(0 if all(results) else 1)
