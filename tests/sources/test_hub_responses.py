"""A hub that lies, stalls or is busy, on the loopback interface."""

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import make_model
from hub_server import COMMIT, Hub, pointed

from geoprobe.errors import BadDataError, GeoprobeError
from geoprobe.sources import hub_responses
from geoprobe.sources.hub_responses import watched, without_signature
from geoprobe.sources.models import hub as hub_files
from geoprobe.sources.models.hub import open_repository
from geoprobe.sources.models.loading import open_model

MODEL = "team/model"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = make_model(tmp_path / "origin", dimension=64)
    with pointed(Hub({path.name: path.read_bytes() for path in folder.iterdir()}), tmp_path, monkeypatch) as served:
        yield served


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that would have been waited."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "value", ["../../../../owned", '"../../owned"', 'W/"/etc/owned"', "..", "a/b", "a\\b", "x" * 999]
)
@pytest.mark.parametrize("header", ["ETag", "X-Linked-Etag", "X-Repo-Commit"])
def test_a_header_that_is_a_path_is_refused_before_a_file_is_made_of_it(
    hub: Hub, tmp_path: Path, header: str, value: str
) -> None:
    before = below(tmp_path)
    hub.headers[header] = value
    with pytest.raises(BadDataError, match=f"(?i)the hub sends the header {header} with .*the name of no file"):
        open_model(MODEL)
    assert below(tmp_path) == before


@pytest.mark.parametrize("value", ['"d41d8cd9-12"', 'W/"abc"', "abc=="])
def test_names_that_stay_in_their_folder_are_taken(hub: Hub, value: str) -> None:
    hub.headers["ETag"] = value
    opened = open_repository(MODEL, tokenizer=False)
    assert (opened.folder / "config.json").read_bytes() == hub.files["config.json"]


def test_the_library_would_have_written_outside(hub: Hub, tmp_path: Path) -> None:
    """What is held off: without the look at headers, the blob of an ETag lands outside of its folder."""
    from huggingface_hub import hf_hub_download

    hub.headers["ETag"] = "../owned"
    try:
        hf_hub_download(MODEL, "config.json")
    except (OSError, ValueError):
        pytest.skip("this version of huggingface_hub refuses such names itself")
    assert any(name.endswith("team--model/owned") for name in below(tmp_path))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("times", [1, 3])
def test_a_busy_hub_is_asked_again_after_the_seconds_that_it_names(
    hub: Hub, status: int, times: int, waited: list[float]
) -> None:
    hub.later = [(status, "7")] * times
    table = open_model(MODEL).table()
    assert sum(seconds >= 7 for seconds in waited) >= times - 1  # the library asks once more at once
    np.testing.assert_array_equal(open_model(MODEL).table().vectors.read(0, 9), table.vectors.read(0, 9))


@pytest.mark.parametrize("status", [429, 503])
def test_a_transfer_waits_too(hub: Hub, status: int, waited: list[float]) -> None:
    loaded = open_model(MODEL)
    hub.later = [(status, "7")] * 2
    assert loaded.table().size == 127
    assert waited.count(7.0) == 2


@pytest.mark.usefixtures("waited")
def test_a_hub_that_stays_busy_is_said(hub: Hub) -> None:
    hub.later = [(503, "0")] * 40
    with pytest.raises(GeoprobeError, match="hub"):
        open_model(MODEL)


def test_nobody_waits_for_a_day(hub: Hub) -> None:
    hub.later = [(429, "86400")] * 9
    with pytest.raises(GeoprobeError, match=r"is busy \(status 429\), and asks to wait 86,400 seconds"):
        open_model(MODEL)


@pytest.mark.parametrize("what", ["config", "table"])
def test_a_trickle_ends(hub: Hub, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = open_model(MODEL) if what == "table" else None
    monkeypatch.setattr(hub_responses, "_BEGIN_SECONDS", 0.2)
    hub.trickle = 0.05
    start = time.monotonic()
    with pytest.raises(GeoprobeError, match=r"has sent \d+ bytes in \d+ seconds"):
        open_model(MODEL) if loaded is None else loaded.table()
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("what", ["config", "table"])
def test_headers_that_come_by_a_trickle_end_too(hub: Hub, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = open_model(MODEL) if what == "table" else None
    monkeypatch.setattr(hub_responses, "_BEGIN_SECONDS", 0.2)
    hub.slow_headers = 0.02  # all of them would take six seconds, and a request has no end at two seconds a byte
    start = time.monotonic()
    with pytest.raises(GeoprobeError, match=r"has sent \d+ bytes in \d+ seconds"):
        open_model(MODEL) if loaded is None else loaded.table()
    assert time.monotonic() - start < 4


def test_a_range_of_a_file_of_unknown_size_is_read(hub: Hub) -> None:
    hub.lie = "unknown"
    assert open_model(MODEL).table().size == 127


@pytest.mark.parametrize("said", [True, False])
def test_a_small_file_that_is_large_is_not_fetched(hub: Hub, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_files, "_LARGEST", 100_000)
    hub.files["config.json"] = b" " * 40_000_000
    if not said:
        hub.headers["X-Linked-Size"] = "2"
    with pytest.raises(BadDataError, match="sends over 100,000 bytes of a file that is small"):
        open_model(MODEL)
    assert hub.sent < 12_000_000  # what the sockets hold


def test_a_packed_configuration_is_unpacked_and_one_that_grows_a_thousandfold_is_not(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, tokenizer = hub.files["config.json"], hub.files["tokenizer.json"]
    hub.headers["Content-Encoding"] = "gzip"
    for name in hub.files:
        if name.endswith(".json"):
            hub.files[name] = gzip.compress(bytes(hub.files[name]))
    hub.headers["X-Linked-Size"] = str(len(plain))
    with watched():
        from huggingface_hub import hf_hub_download

        assert Path(hf_hub_download(MODEL, "config.json")).read_bytes() == plain
    assert len(tokenizer) > 1000
    monkeypatch.setattr(hub_files, "_LARGEST", 100_000)
    with pytest.raises(BadDataError, match="sends over 100 bytes"):
        open_model(MODEL)


def test_signatures_are_not_printed() -> None:
    said = "404 for url 'https://cdn.host/a/b?X-Amz-Signature=secret&Key=1' (https://x/y?token=secret)."
    assert without_signature(said) == "404 for url 'https://cdn.host/a/b?…' (https://x/y?…)."
    assert len(without_signature("http://" * 100_000)) == 4_000  # and at once
    assert without_signature(f"of {COMMIT}: why? nothing") == f"of {COMMIT}: why? nothing"
