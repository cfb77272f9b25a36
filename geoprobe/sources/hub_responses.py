"""What a hub may answer: names that stay inside the cache, bodies of a bounded size and rate, waits that end.

The hub's library makes paths of what headers say, and writes and waits as long as a hub likes. It has one HTTP client,
on which a hook looks at every answer to what geoprobe asks, before the library does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from geoprobe.errors import BadDataError, GeoprobeError

T = TypeVar("T")

#: Headers that the library makes file names of.
_NAMES = ("x-repo-commit", "x-linked-etag", "etag")
_FILE_NAME = re.compile(r"(?!\.\.?$)[\w.:=+~ -]{1,200}", re.ASCII)
#: A packed body unpacks to at most this many times its size.
_RATIO = 1_000
#: Bytes a second that an answer comes with at the least, once it has had time to begin.
_SLOWEST, _BEGIN_SECONDS = 1_024, 30.0
#: Answers that mean "later", how often they are heard, and the seconds that are waited at most.
_LATER, _ATTEMPTS, _LONGEST_WAIT, _WAIT = (429, 503), 4, 120.0, 1.0
#: Characters of a message that are shown, and what follows the question mark of an address: keys and signatures.
_LONGEST_MESSAGE = 4_000
_QUERY = re.compile(r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>)]+")


@dataclass
class Watch:
    """What is allowed of the answers to a request (bytes of a body), and seconds to wait if the last said "later"."""

    limit: int | None = None
    later: float | None = field(default=None, init=False)


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(limit: int | None = None) -> Iterator[Watch]:
    """Look at every answer that this thread gets from the hub: bodies to `limit` bytes, headers that name files.

    A header that would be a path, a larger body, an answer that comes by a trickle and a hub that asks to wait longer
    than anybody would are errors.
    """
    _install()
    watch = Watch(limit)
    before = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(before)


def patiently(ask: Callable[[], T], *, limit: int | None = None) -> T:
    """What `ask` gives; asked again where the hub says "later" (429, 503), after the seconds that it names."""
    for attempt in range(1, _ATTEMPTS + 1):
        with watched(limit) as watch:
            try:
                return ask()
            except GeoprobeError:
                raise
            except Exception:
                if watch.later is None or attempt == _ATTEMPTS:
                    raise
        time.sleep(watch.later)
    raise AssertionError("the last attempt returns or raises")


def without_signature(said: object) -> str:
    """Text without what follows the question mark of an address, which may be a key to it."""
    return _QUERY.sub(r"\1?…", str(said)[:_LONGEST_MESSAGE])


def _install() -> None:
    """Have every client that the hub's library makes ask `_look`."""
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    factory = _http._GLOBAL_CLIENT_FACTORY
    if getattr(factory, "_of_geoprobe", False):
        return

    def made() -> Any:
        client = factory()
        client.event_hooks["response"].append(_look)
        for transport in (client._transport, *client._mounts.values()):
            pool: Any = getattr(transport, "_pool", None)
            if hasattr(pool, "_network_backend"):
                pool._network_backend = _Connecting(pool._network_backend)
        return client

    made._of_geoprobe = True  # type: ignore[attr-defined]
    set_client_factory(made)


class _Connecting:
    """What opens connections for the client: the same, with streams whose rate is looked at."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def connect_tcp(self, *given: Any, **named: Any) -> _Timed:
        return _Timed(self._inner.connect_tcp(*given, **named))


class _Timed:
    """A connection that ends where what comes since the last request, headers too, comes by a trickle.

    The client waits for each byte anew, so that a header of a byte every two seconds would have no end.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._start, self._received = time.monotonic(), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def start_tls(self, *given: Any, **named: Any) -> _Timed:
        return _Timed(self._inner.start_tls(*given, **named))

    def write(self, *given: Any, **named: Any) -> None:
        self._inner.write(*given, **named)
        self._start, self._received = time.monotonic(), 0

    def read(self, *given: Any, **named: Any) -> bytes:
        block: bytes = self._inner.read(*given, **named)
        self._received += len(block)
        seconds = time.monotonic() - self._start
        if _watch.get() is not None and seconds > _BEGIN_SECONDS and self._received < _SLOWEST * seconds:
            raise GeoprobeError(
                f"The hub has sent {self._received:,} bytes in {seconds:,.0f} seconds.",
                "Run the same command again: it goes on from there.",
            )
        return block


def _look(response: Any) -> None:
    watch = _watch.get()
    if watch is None:
        return
    for name in _NAMES if response.request.method == "HEAD" else _NAMES[:1]:
        value = response.headers.get(name)
        if value is not None and not _FILE_NAME.fullmatch(value.removeprefix("W/").strip('"')):
            raise BadDataError(
                f"The hub sends the header {name} with {value[:60]!r}, which is the name of no file.",
                "Check HF_ENDPOINT: an honest hub sends a hash.",
            )
    watch.later = _seconds(response) if response.status_code in _LATER else None
    size = response.headers.get("x-linked-size") or response.headers.get("content-length")
    packed = response.headers.get("content-encoding", "identity").lower() != "identity"
    limit = watch.limit if watch.limit is None or not packed else watch.limit // _RATIO
    if limit is not None and size is not None and size.isascii() and size.isdigit() and int(size[:20]) > limit:
        raise _too_large(limit)
    _bounded(response, limit)


def _seconds(response: Any) -> float:
    """How long to wait, as the hub says it or a little."""
    stated = response.headers.get("retry-after", "")
    wait = float(stated[:20]) if stated.isascii() and stated.isdigit() else _WAIT
    if wait > _LONGEST_WAIT:
        raise GeoprobeError(
            f"The hub is busy (status {response.status_code}), and asks to wait {wait:,.0f} seconds.",
            "Run the same command again then; a token (hf auth login) has a limit of its own.",
        )
    return wait


def _bounded(response: Any, limit: int | None) -> None:
    """Count a response's bytes as they come."""
    inner = response.stream
    kind = next((kind for kind in type(inner).__mro__ if kind.__name__ == "SyncByteStream"), None)
    if kind is None:
        return

    def blocks(_: Any) -> Iterator[bytes]:
        received = 0
        for block in inner:
            received += len(block)
            if limit is not None and received > limit:
                raise _too_large(limit)
            yield block

    response.stream = type("WatchedStream", (kind,), {"__iter__": blocks, "close": lambda _: inner.close()})()


def _too_large(limit: int) -> BadDataError:
    return BadDataError(
        f"The hub sends over {limit:,} bytes of a file that is small.", "Tell the repository's owner, or fetch another."
    )
