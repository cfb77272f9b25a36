"""The hub's errors in geoprobe's terms, and whether it is there at all."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from geoprobe.errors import AccessError, GeoprobeError, NotFoundError
from geoprobe.sources.hub_responses import without_signature

#: Seconds in which a connection must stand; the hub's own library tries for half a minute.
_PATIENCE = 3.0
_PROXIES = ("all_proxy", "http_proxy", "https_proxy")


class LacksFileError(NotFoundError):
    """A repository, or what the cache has of it, without a file that a model has."""


def reachable() -> bool:
    """Whether a connection to the hub can be made; behind a proxy, only a request tells."""
    from huggingface_hub import constants

    if any(name.lower() in _PROXIES and value for name, value in os.environ.items()):
        return True
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=_PATIENCE):
            return True
    except OSError:
        return False


def unreachable_error(name: str) -> GeoprobeError:
    """What to raise where the hub is needed and not there."""
    from huggingface_hub import constants

    return GeoprobeError(
        f"The hub at {constants.ENDPOINT} cannot be reached for {name}.",
        "Check the connection, or give a local folder.",
    )


def offline_error(name: str, file: str) -> LacksFileError:
    """What to raise where a file is asked for and the network may not be."""
    return LacksFileError(
        f"{file} of {name} is not in the cache, and the network is switched off or away.",
        "Run once without --offline (and with HF_HUB_OFFLINE unset), or give a local folder.",
    )


@contextmanager
def translated(name: str, file: str, offline: bool) -> Iterator[None]:
    """Turn the hub's errors on a file, and those of its cache, into geoprobe's."""
    from huggingface_hub import constants, is_offline_mode
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is the client library's base
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    link = f"{constants.ENDPOINT}/{name}"
    try:
        yield
    except GeoprobeError:
        raise
    except GatedRepoError as error:
        raise AccessError(
            f"The model {name} is gated, and this account has no access.",
            f"Ask for it at {link}, then log in by `hf auth login` or set HF_TOKEN.",
        ) from error
    except RepositoryNotFoundError as error:
        raise NotFoundError(
            f"The hub has no model {name!r} (or it is private).",
            f"Check the name at {link}; for a private one log in by `hf auth login` or set HF_TOKEN.",
        ) from error
    except RevisionNotFoundError as error:
        raise NotFoundError(
            f"The model {name} has no such revision.", f"Its branches and tags are listed at {link}."
        ) from error
    except HFValidationError as error:
        raise NotFoundError(
            f"{name!r} is neither a path here nor a hub id ({without_signature(error)}).",
            "Give a folder, a file or owner/name.",
        ) from error
    except RemoteEntryNotFoundError as error:
        raise LacksFileError(
            f"The model {name} has no safetensors weights ({error.response.url.path.rpartition('/')[2]} is missing).",
            "Name a repository with safetensors or GGUF. PyTorch's .bin are pickles, which could run code, and are not "
            "fetched: those that you trust get by `hf download`, and scan what came.",
        ) from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise AccessError(
                f"The hub refuses {name} to this account (status {status}).",
                f"Check your rights at {link}, then log in by `hf auth login` or set HF_TOKEN.",
            ) from error
        raise GeoprobeError(f"The hub failed on {name}: {without_signature(error)}", "Try again later.") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HTTPError) as error:
        if offline or is_offline_mode():
            raise offline_error(name, file) from error
        raise unreachable_error(name) from error
    except OSError as error:  # a full disk, a folder that may not be written
        kind = AccessError if isinstance(error, PermissionError) else GeoprobeError
        raise kind(
            f"What the hub sends of {name} cannot be kept: {without_signature(error)}.",
            "Make room in the cache, or name another folder by HF_HOME.",
        ) from error
