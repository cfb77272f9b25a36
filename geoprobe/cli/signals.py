"""Ctrl-C, and a request to end: the program ends in order, whatever it is doing."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C, and a request to end, end the program in order: what is being written is finished or removed.

    Not by `KeyboardInterrupt`, which typer takes for a failure where it comes before a command begins.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Ended.asked = None
    before = {each: signal.signal(each, _end) for each in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook
    sys.unraisablehook = partial(_end_later, hook)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for each, handler in before.items():
            signal.signal(each, handler)


class _Ended(SystemExit):
    """The end that a signal asks for."""

    asked: ClassVar[int | None] = None

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def asked_to_end() -> int | None:
    """The signal that came, by its number.

    What is raised then can come to its end as another error: an extension module that is being loaded says that it
    could not be.
    """
    return _Ended.asked


def _end(number: int, _: object) -> None:
    if _Ended.asked is None:
        _Ended.asked = number
        # not by print: the signal may have come in the midst of one
        os.write(2, b"geoprobe: interrupted; what was to be written is there whole, or not at all.\n")
    raise _Ended(number)


def _end_later(hook: Callable[[Any], Any], lost: Any) -> None:
    """Ask again where the signal came while Python collected an object, from which no exception gets out."""
    if isinstance(lost.exc_value, _Ended):
        threading.Timer(0.01, _ask_again, [lost.exc_value.number]).start()
    else:
        hook(lost)


def _ask_again(number: int) -> None:
    """The signal to the main thread, which may wait for something."""
    main_thread = threading.main_thread().ident
    if main_thread is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread, number)
    else:
        signal.raise_signal(number)
