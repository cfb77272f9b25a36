"""Parts of a hub file by HTTP range: a few bytes, a whole tensor, or some of its rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from geoprobe.errors import BadDataError, GeoprobeError
from geoprobe.sources.hub import HubRepository

__all__ = ["HubFile", "coalesced"]

_ATTEMPTS = 4
_CONNECTIONS = 8
#: That a hub may say nothing before it counts as broken off.
_SECONDS = 30
#: Rows that nobody asked for are fetched too where they cost less than this share of what was asked for.
_WASTE = 0.05

Told = Callable[[int, int], None] | None


@dataclass(frozen=True)
class HubFile:
    """One large file of a repository."""

    repository: HubRepository
    file: str

    def read(self, start: int, stop: int) -> tuple[bytes, int]:
        """Bytes start to stop, and the file's whole size; a dropped connection is tried again."""
        found = bytearray()
        total = ""
        with self.repository.asked(self.file):
            for attempt in range(1, _ATTEMPTS + 1):
                with self._broken_off(attempt, lambda: len(found), stop - start):
                    with self._request(start + len(found), stop) as response:
                        total = response.headers.get("content-range", "").rpartition("/")[2]
                        for chunk in response.iter_raw():
                            found.extend(chunk[: stop - start - len(found)])
                            if len(found) == stop - start:
                                break  # whatever else is sent
                    break
        if len(found) != stop - start or not (total.isascii() and total.isdigit() and len(total) < 19):
            raise BadDataError(
                f"The hub sent {len(found):,} of {stop - start:,} bytes of {self.repository.name}/{self.file}.",
                "Try again later.",
            )
        return bytes(found), int(total)

    def download(self, start: int, stop: int, target: Path, told: Told) -> None:
        """Write bytes start to stop to a file, which is there when all of it is.

        What an interrupted transfer has brought is kept, and the next one goes on from there.
        """
        part = target.with_name(f"{target.name}.part")
        size = stop - start
        with self.repository.asked(self.file):
            for attempt in range(1, _ATTEMPTS + 1):
                done = part.stat().st_size if part.exists() else 0
                if done >= size:
                    break
                with self._broken_off(attempt, lambda: part.stat().st_size if part.exists() else 0, size):
                    with self._request(start + done, stop) as response, part.open("ab") as out:
                        for chunk in response.iter_raw():
                            done += out.write(chunk[: size - done])
                            if told is not None:
                                told(done, size)
                            if done == size:
                                break  # whatever else is sent
                    if done < size:
                        raise BadDataError(
                            f"The hub sent {done:,} of {size:,} bytes of {self.repository.name}/{self.file}.",
                            "Run the same command again: it goes on from there.",
                        )
        part.replace(target)

    def download_rows(
        self, start: int, shape: tuple[int, int], rows: Int64[np.ndarray, " n"], target: Path, told: Told
    ) -> None:
        """Write some rows of the matrix at `start` to their own places in a sparse file.

        Which rows are there is kept in a file beside it, so the next call fetches only those that are not.

        Parameters
        ----------
        start : int
            Where the matrix begins in the file.
        shape : tuple of int
            Rows of the matrix, and bytes of a row.
        rows : array of int
            (n,) the rows to fetch, sorted.
        target : Path
            The sparse file.
        told : callable or None
            Called with (bytes here, bytes in all).
        """
        beside = target.with_name(f"{target.name}.rows.npy")
        row_bytes = shape[1]
        here = _rows_there(target, beside, shape)
        with self.repository.asked(self.file), target.open("r+b") as out:
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
                    if told is not None:
                        told(done * row_bytes, size * row_bytes)

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
                np.save(beside, here)

    @contextmanager
    def _broken_off(self, attempt: int, done: Callable[[], int], size: int) -> Iterator[None]:
        """Let a transfer that broke off be tried again, unless it was the last attempt."""
        from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

        try:
            yield
        except HfHubHTTPError:
            raise
        except HTTPError as error:
            if attempt == _ATTEMPTS:
                raise GeoprobeError(
                    f"The transfer of {self.repository.name}/{self.file} broke off {_ATTEMPTS} times, at {done():,} of "
                    f"{size:,} bytes ({error}).",
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


def _rows_there(target: Path, beside: Path, shape: tuple[int, int]) -> Bool[np.ndarray, " v"]:
    """Which rows a sparse file holds; one that is not there is made, and so is one that is not right."""
    size = shape[0] * shape[1]
    try:
        here: np.ndarray = np.load(beside, allow_pickle=False)
        if here.shape == (shape[0],) and here.dtype == np.bool_ and target.stat().st_size == size:
            return here
    except (OSError, ValueError, EOFError):
        pass
    beside.unlink(missing_ok=True)
    with target.open("wb") as out:
        out.truncate(size)
    return np.zeros(shape[0], dtype=np.bool_)
