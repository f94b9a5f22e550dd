"""What every driver's script shares: where the server is, and a count of what was checked.

Each script runs on the primary first, where it leaves its tables, and then on each secondary (QUORATE_READ_ONLY=1),
where it finds what it left and may not write.
"""
import os
import sys

HOST, PORT = os.environ["QUORATE_HOST"], int(os.environ["QUORATE_PORT"])
USER, PASSWORD, DATABASE = os.environ["QUORATE_USER"], os.environ["QUORATE_PASSWORD"], os.environ["QUORATE_DATABASE"]
READ_ONLY = os.environ.get("QUORATE_READ_ONLY") == "1"

checked, failed = 0, 0


def check(what, found, wanted):
    """Compares and counts; says what differs."""
    global checked, failed
    checked += 1
    if found != wanted:
        failed += 1
        print(f"FAILED {what}: found {found!r}, wanted {wanted!r}")


def refused(what, errors, code, run):
    """`run` must fail with MySQL's error `code`."""
    try:
        run()
    except errors as error:
        found = getattr(error, "errno", None) or error.args[0]
        check(what, found, code)
    else:
        check(what, "no error", code)


def end():
    """The closing line, and the exit code."""
    print(f"{checked - failed} passed, {failed} failed")
    sys.exit(failed > 0)
