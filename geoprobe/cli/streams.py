"""Standard input, output and error as they may be: closed, full, or with nobody at their other end."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

#: What writing to a terminal, a pipe or a device fails of; that of a file names the file.
_FAILURES = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EPIPE, getattr(errno, "EDQUOT", errno.ENOSPC))


def check_output() -> None:
    """Refuse to work for what could not be printed."""
    from geoprobe.errors import GeoprobeError

    if sys.stdout is None:
        raise GeoprobeError("Standard output is closed, and what is to be printed has no place.", "Let it be open.")


def print_json(text: str) -> None:
    """Print a report's JSON on standard output."""
    check_output()
    typer.echo(text, nl=False)


def is_of_streams(error: OSError) -> bool:
    """Whether an error is of standard output or error, and not of a file."""
    return error.filename is None and error.errno in _FAILURES


def silence() -> None:
    """Send what is still to be printed nowhere, or Python would complain of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
            continue
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def sound_streams() -> Iterator[None]:
    """Keep closed streams' numbers from files that are opened; end quietly where nothing can be printed."""
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # the lowest number that is free: one of the three, as long as one is closed
    os.close(free)
    if sys.stderr is None:  # what is said there, some libraries take for an error
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # to the end of the program
    try:
        yield
    except OSError as error:
        if not is_of_streams(error):
            raise
        silence()
        raise SystemExit(1) from None
