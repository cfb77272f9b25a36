"""Headless Chromium driven over its own pipe, for tests and benchmarks of pages."""

import base64
import json
import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


class Browser:
    """One page in one browser.

    Parameters
    ----------
    executable : str
        Chromium.
    """

    def __init__(self, executable: str) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="geoprobe-chromium-", ignore_cleanup_errors=True)
        read_commands, self._commands = os.pipe()
        self._answers, write_answers = os.pipe()
        # the browser reads commands from descriptor 3 and answers on 4
        shell = f'exec 3<&{read_commands} 4>&{write_answers}; exec "$@"'
        arguments = [
            executable,
            *FLAGS,
            f"--user-data-dir={self._profile.name}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *arguments],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        self._pending = b""
        self._sent = 0
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", {"url": "about:blank"}, session=None)["targetId"]
        attached = self.send("Target.attachToTarget", {"targetId": target, "flatten": True}, session=None)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)
        self._profile.cleanup()

    def send(
        self, method: str, parameters: dict[str, Any] | None = None, *, session: str | None = ""
    ) -> dict[str, Any]:
        """One command of the DevTools protocol, and its result."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters or {}}
        if session is not None:
            message["sessionId"] = session or self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._sent:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            chunk = os.read(self._answers, 1 << 16)
            if not chunk:
                raise RuntimeError("Chromium has gone.")
            self._pending += chunk
        message, _, self._pending = self._pending.partition(b"\0")
        return dict(json.loads(message))

    def open(self, path: Path) -> None:
        """Go to a file and wait until it is loaded."""
        self.events.clear()
        self.send("Page.navigate", {"url": path.resolve().as_uri()})
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, awaited; whatever the page's policy."""
        parameters = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = self.send("Runtime.evaluate", parameters)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def look(
        self, width: int, height: int = 900, *, dark: bool = False, media: str = "screen", ratio: float = 1
    ) -> None:
        """How the page is seen."""
        size = {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def picture(self, path: Path, *, whole: bool = False, clip: dict[str, float] | None = None) -> None:
        """A screenshot."""
        parameters: dict[str, Any] = {"format": "png", "captureBeyondViewport": whole or clip is not None}
        if clip is not None:
            parameters["clip"] = clip | {"scale": 1}
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", parameters)["data"]))

    def pdf(self, path: Path) -> None:
        """The page printed."""
        path.write_bytes(base64.b64decode(self.send("Page.printToPDF", {"printBackground": False})["data"]))

    def press(self, key: str) -> None:
        """A key, down and up."""
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", {"type": kind, "key": key, "code": key})

    def mouse(self, kind: str, x: float, y: float, button: str = "none") -> None:
        """A mouse event: mouseMoved, mousePressed, mouseReleased."""
        event = {
            "type": kind,
            "x": x,
            "y": y,
            "button": button,
            "buttons": {"left": 1, "right": 2}.get(button, 0),
            "clickCount": 1,
        }
        self.send("Input.dispatchMouseEvent", event)

    def logged(self) -> list[str]:
        """Errors and refusals of the page so far."""
        lines = []
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                lines.append(json.dumps(event["params"]["exceptionDetails"])[:500])
            if event.get("method") == "Log.entryAdded":
                lines.append(event["params"]["entry"]["text"])
        return lines

    def requests(self) -> list[str]:
        """Addresses that the page asked for so far."""
        sent = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"][:200] for event in sent]
