"""The Ray cluster that RAY_ADDRESS names, or a Ray of this machine's own for the time it takes."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from geoprobe.errors import GeoprobeError, NotFoundError
from geoprobe.versions import install_command

#: Tasks under way for each core: enough to keep it busy, few enough to bound what waits for its turn.
_AHEAD = 2
_PATIENCE_SECONDS = 10


def in_order(ray: Any, tasks: Iterable[Any]) -> Iterator[Any]:
    """Results of tasks in their order, a bounded number of them under way; failures raise as in `result`."""
    ahead = max(int(_AHEAD * ray.cluster_resources().get("CPU", 1)), 2)
    waiting: deque[Any] = deque()
    try:
        for task in tasks:
            waiting.append(task)
            if len(waiting) >= ahead:
                yield result(ray, waiting.popleft())
        while waiting:
            yield result(ray, waiting.popleft())
    finally:
        _give_up(ray, waiting)


def _give_up(ray: Any, tasks: Collection[Any]) -> None:
    """End tasks whose results nobody wants any more; Ray prints the error of one that nobody asked for."""
    for task in tasks:
        ray.cancel(task)
    if tasks:
        for task in ray.wait(list(tasks), num_returns=len(tasks), timeout=_PATIENCE_SECONDS)[0]:
            with suppress(ray.exceptions.RayError):
                ray.get(task)


def result(ray: Any, task: Any) -> Any:
    """What a task gives; where it fails, its own error if that is one of geoprobe's, else a `GeoprobeError`."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, GeoprobeError):
            raise error.cause from error
        raise GeoprobeError(f"A task failed on Ray: {error.cause!r}.", "See the log of its worker.") from error
    except ray.exceptions.RayError as error:
        raise GeoprobeError(
            f"Ray gave up: {type(error).__name__}: {error}".strip(), "See the cluster's state by: ray status"
        ) from error


def _answers(address: str) -> None:
    """Find out in seconds what Ray takes minutes to say."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):  # such as "auto"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise GeoprobeError(
            f"Ray at {address} cannot be reached: {error}.",
            "Set RAY_ADDRESS to a running cluster, or unset it for a Ray of this machine's own.",
        ) from error


@contextmanager
def ray_cluster() -> Iterator[Any]:
    """The package ``ray``, connected."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    try:
        import ray
    except ImportError as error:
        raise NotFoundError(
            "The engine ray needs the package `ray`, which is not installed.",
            f"Install it by: {install_command('scale')}",
        ) from error
    if ray.is_initialized():  # the caller's own
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS")
    if address:
        _answers(address)
    local = {} if address else {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **local)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise GeoprobeError(
            f"Ray at {address or 'this machine'} cannot be reached: {error}",
            "Set RAY_ADDRESS to a running cluster, or unset it for a Ray of this machine's own.",
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
