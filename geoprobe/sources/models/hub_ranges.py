"""Parts of a hub file by HTTP range: a few bytes, a whole tensor, or some of its rows."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Bool, Int64

from geoprobe.errors import BadDataError, GeoprobeError
from geoprobe.files import file_lock, write_whole
from geoprobe.sources.hub_responses import Watch, watched, without_signature
from geoprobe.sources.models.hub import HubRepository

_ATTEMPTS = 4
_CONNECTIONS = 8
#: That a hub may say nothing before it counts as broken off.
_SECONDS = 30
#: Rows that nobody asked for are fetched too where they cost less than this share of what was asked for.
_WASTE = 0.05

Listener = Callable[[int, int], None] | None


@dataclass(frozen=True)
class HubFile:
    """One large file of a repository."""

    repository: HubRepository
    file: str

    def read(self, start: int, stop: int) -> tuple[bytes, int]:
        """Bytes start to stop, and the file's whole size; a dropped connection is tried again."""
        received = bytearray()
        total = ""
        with self.repository.asked(self.file), watched() as watch:
            for attempt in range(1, _ATTEMPTS + 1):
                with self._broken_off(attempt, watch, lambda: len(received), stop - start):
                    with self._request(start + len(received), stop) as response:
                        total = response.headers.get("content-range", "").rpartition("/")[2]
                        for chunk in response.iter_raw():
                            received.extend(chunk[: stop - start - len(received)])
                            if len(received) == stop - start:
                                break  # whatever else is sent
                    break
        if total == "*":  # which the hub may say where it does not know
            total = str(self.repository.size(self.file))
        if len(received) != stop - start or not (total.isascii() and total.isdigit() and len(total) < 19):
            raise BadDataError(
                f"The hub sent {len(received):,} of {stop - start:,} bytes of {self.repository.name}/{self.file}.",
                "Try again later.",
            )
        return bytes(received), int(total)

    def download(self, start: int, stop: int, target: Path, progress: Listener) -> None:
        """Write bytes start to stop to a file, which is there when all of it is.

        What an interrupted transfer has brought is kept, and the next one goes on from there. A process that wants
        what another one is fetching waits for it.
        """
        part = target.with_name(f"{target.name}.part")
        size = stop - start
        with self.repository.asked(self.file), watched() as watch, file_lock(_lock(target)):
            if target.is_file() and target.stat().st_size == size:
                return  # another process has brought it meanwhile
            part.touch()
            if part.stat().st_size > size:  # nobody knows what of it is right
                os.truncate(part, 0)
            for attempt in range(1, _ATTEMPTS + 1):
                done = part.stat().st_size
                if done == size:
                    break
                with self._broken_off(attempt, watch, lambda: part.stat().st_size, size):
                    with self._request(start + done, stop) as response, part.open("ab") as out:
                        for chunk in response.iter_raw():
                            done += out.write(chunk[: size - done])
                            if progress is not None:
                                progress(done, size)
                            if done == size:
                                break  # whatever else is sent
                    if done < size:
                        raise BadDataError(
                            f"The hub sent {done:,} of {size:,} bytes of {self.repository.name}/{self.file}.",
                            "Run the same command again: it goes on from there.",
                        )
            part.replace(target)

    def download_rows(
        self, start: int, shape: tuple[int, int], rows: Int64[np.ndarray, " n"], target: Path, progress: Listener
    ) -> None:
        """Write some rows (sorted) of the matrix at `start` to their own places in a sparse file.

        The shape is of rows, and of bytes in a row. Which rows are there is kept in a file beside it, so the next call
        fetches only those that are not. One process at a time does this; others wait for it. `progress` is called with
        (bytes here, bytes in all).
        """
        beside = target.with_name(f"{target.name}.rows.npy")
        row_bytes = shape[1]
        with self.repository.asked(self.file), file_lock(_lock(target)), _sized(target, beside, shape) as out:
            here = _rows_there(beside, shape[0])
            ranges = coalesced(rows[~here[rows]], _WASTE)
            size, lock, done = sum(stop - first for first, stop in ranges), threading.Lock(), 0

            def fetch(span: tuple[int, int]) -> None:
                nonlocal done
                first, stop = span
                content, _ = self.read(start + first * row_bytes, start + stop * row_bytes)
                with lock:
                    out.seek(first * row_bytes)
                    out.write(content)
                    here[first:stop] = True
                    done += stop - first
                    if progress is not None:
                        progress(done * row_bytes, size * row_bytes)

            try:
                with ThreadPoolExecutor(_CONNECTIONS) as pool:
                    futures = [pool.submit(fetch, span) for span in ranges]
                    try:
                        for future in futures:
                            future.result()
                    except BaseException:
                        pool.shutdown(wait=True, cancel_futures=True)
                        raise
            finally:
                out.flush()
                os.fsync(out.fileno())  # a row that is listed is there, whatever happens to the machine
                # where files cannot be locked, another process may have brought others
                write_whole({beside: _saved(here | _rows_there(beside, shape[0]))})

    @contextmanager
    def _broken_off(self, attempt: int, watch: Watch, done: Callable[[], int], size: int) -> Iterator[None]:
        """Let a transfer that broke off, or is to come later, be tried again, unless it was the last attempt."""
        from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

        try:
            yield
        except HfHubHTTPError:
            if watch.later is None or attempt == _ATTEMPTS:
                raise
            time.sleep(watch.later)
        except HTTPError as error:
            if attempt == _ATTEMPTS:
                raise GeoprobeError(
                    f"The transfer of {self.repository.name}/{self.file} broke off {_ATTEMPTS} times, at {done():,} of "
                    f"{size:,} bytes ({without_signature(error)}).",
                    "Run the same command again: it goes on from there.",
                ) from error

    @contextmanager
    def _request(self, start: int, stop: int) -> Iterator[Any]:
        from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        url = hf_hub_url(self.repository.name, self.file, revision=self.repository.commit)
        headers = {**build_hf_headers(), "Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        with get_session().stream("GET", url, headers=headers, follow_redirects=True, timeout=_SECONDS) as response:
            hf_raise_for_status(response)
            if response.status_code != 206:
                raise BadDataError(
                    f"The hub at {url.split('/resolve')[0]} ignores range requests (status {response.status_code}).",
                    "Download the model with `hf download`, and scan the folder.",
                )
            sent = response.headers.get("content-range", "")
            if not sent.startswith(f"bytes {start}-"):
                raise BadDataError(
                    f"The hub was asked for {self.file} from byte {start:,}, and says it sends {sent[:60]!r}.",
                    "Download the model with `hf download`, and scan the folder.",
                )
            yield response


def coalesced(rows: Int64[np.ndarray, " n"], waste: float) -> list[tuple[int, int]]:
    """Runs (first, one past the last) that cover sorted rows, few where gaps are small.

    The smallest gaps are bridged first, as long as rows nobody asked for stay below `waste` of those asked for.
    """
    if not len(rows):
        return []
    gaps = np.diff(rows) - 1
    order = np.argsort(gaps, kind="stable")
    affordable = np.cumsum(gaps[order]) <= waste * len(rows)
    bridged = np.zeros(len(gaps), dtype=np.bool_)
    bridged[order[affordable]] = True
    first = np.concatenate([[True], ~bridged])
    last = np.concatenate([~bridged, [True]])
    return [(int(a), int(b) + 1) for a, b in zip(rows[first], rows[last], strict=True)]


def _lock(target: Path) -> Path:
    return target.with_name(f"{target.name}.lock")


def _sized(target: Path, beside: Path, shape: tuple[int, int]) -> BinaryIO:
    """Open a sparse file for a matrix; in one of another size no row counts as there."""
    size = shape[0] * shape[1]
    target.touch()
    if target.stat().st_size != size:
        beside.unlink(missing_ok=True)
        os.truncate(target, size)
    return target.open("r+b")


def _rows_there(beside: Path, rows: int) -> Bool[np.ndarray, " v"]:
    """Which rows a sparse file holds; none where the list of them is not there or not right."""
    try:
        with beside.open("rb") as file:
            here: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        if here.shape == (rows,) and here.dtype == np.bool_:
            return here
    except (OSError, ValueError, EOFError):
        pass
    return np.zeros(rows, dtype=np.bool_)


def _saved(here: Bool[np.ndarray, " v"]) -> bytes:
    content = io.BytesIO()
    np.save(content, here)
    return content.getvalue()
