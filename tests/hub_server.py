"""A small hub on the loopback interface: resolve, ranges, gated and missing repositories, dropped connections."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

import pytest

CHUNK = 1 << 20
COMMIT = "c0ffee" + "0" * 34


@dataclass(frozen=True)
class Repeated:
    """A large file that is not kept: a beginning, then one block again and again up to a size."""

    head: bytes
    block: bytes
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, span: slice) -> bytes:
        start, stop, _ = span.indices(self.size)
        first = self.head[start:stop]
        start, stop = max(start, len(self.head)) - len(self.head), max(stop, len(self.head)) - len(self.head)
        copies = stop // len(self.block) - start // len(self.block) + 1
        shift = start % len(self.block)
        return first + (self.block * copies)[shift : shift + stop - start]


@dataclass
class Hub:
    """What the server holds and what it was asked."""

    files: dict[str, bytes | Repeated] = field(default_factory=dict)
    gated: bool = False
    ranges: bool = True
    drops: int = 0
    delay: float = 0.0
    #: What is wrong with answers to range requests: another range, a size, a body without end, or none for a while.
    lie: str = ""
    #: Headers that every answer has beside, or in place of, the server's own.
    headers: dict[str, str] = field(default_factory=dict)
    #: Answers "later" that come first: status, and what Retry-After says.
    later: list[tuple[int, str]] = field(default_factory=list)
    #: Seconds between two bytes, of bodies and of headers.
    trickle: float = 0.0
    slow_headers: float = 0.0
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    sent: int = 0
    url: str = ""


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Run the server in a thread; `hub.url` says where."""
    lock = Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def list_files(self) -> None:
            listed = {"id": "team/model", "sha": hub.headers.get("X-Repo-Commit", COMMIT)}
            content = json.dumps(listed | {"siblings": [{"rfilename": name} for name in hub.files]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def send_without_end(self) -> None:
            self.close_connection = True
            # a client that has enough hangs up; one that does not would wait for a minute
            for _ in range(600):
                try:
                    self.wfile.write(b"\0" * CHUNK)
                except OSError:
                    return
                time.sleep(0.1)

        def flush_headers(self) -> None:
            if not hub.slow_headers:
                return super().flush_headers()
            for byte in b"".join(self._headers_buffer):
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:  # the client has hung up
                    break
                time.sleep(hub.slow_headers)
            self._headers_buffer = []
            return None

        def answer(self, *, body: bool) -> None:
            wanted = self.headers.get("Range")
            hub.requests.append((self.command, self.path, wanted))
            if self.path.startswith("/api/models/team/model"):
                return self.list_files()
            repository, marker, rest = self.path.lstrip("/").partition("/resolve/")
            if hub.gated:
                return self.refuse(403, "GatedRepo")
            if hub.later:
                status, wait = hub.later.pop(0)
                self.send_response(status)
                self.send_header("Retry-After", wait)
                self.send_header("Content-Length", "0")
                return self.end_headers()
            if repository != "team/model" or not marker:
                return self.refuse(404, "RepoNotFound")
            revision, _, name = rest.partition("/")
            if revision not in ("main", COMMIT):
                return self.refuse(404, "RevisionNotFound")
            if name not in hub.files:
                return self.refuse(404, "EntryNotFound")
            content = hub.files[name]
            start, stop = 0, len(content)
            if wanted and hub.ranges:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start, stop = int(first), min(int(last) + 1 if last else stop, stop)
            self.send_response(206 if wanted and hub.ranges else 200)
            known = content if isinstance(content, bytes) else content.head
            own = {"ETag": f'"{hashlib.sha256(known).hexdigest()}"', "X-Repo-Commit": COMMIT}
            for header, value in (own | hub.headers).items():
                self.send_header(header, value)
            self.send_header("Accept-Ranges", "bytes")
            endless = bool(wanted) and hub.lie == "endless"
            self.send_header(*(("Connection", "close") if endless else ("Content-Length", str(stop - start))))
            if wanted and hub.ranges:
                first = 0 if hub.lie == "range" else start
                size = {"size": "9" * 5000, "unknown": "*"}.get(hub.lie, len(content))
                self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{size}")
            self.end_headers()
            if not body:
                return None
            if wanted and hub.lie == "stall":
                time.sleep(1)
            if endless:
                return self.send_without_end()
            if hub.trickle:
                for place in range(start, stop):
                    self.wfile.write(content[place : place + 1])
                    time.sleep(hub.trickle)
                return None
            if hub.drops and stop - start > 10_000:
                hub.drops -= 1
                stop = start + (stop - start) // 2  # and hang up in the middle
                self.close_connection = True
            for begin in range(start, stop, CHUNK):
                part = content[begin : min(begin + CHUNK, stop)]
                with lock:
                    hub.sent += len(part)
                self.wfile.write(part)
                time.sleep(hub.delay)
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def pointed(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve a hub, with the hub's library asking it and an empty cache."""
    from huggingface_hub import constants, file_download

    with serve(hub) as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", served.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        for module in (constants, file_download):
            if hasattr(module, "HF_HUB_CACHE"):
                monkeypatch.setattr(module, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_ASSETS_CACHE", str(tmp_path / "assets"))
        yield served
