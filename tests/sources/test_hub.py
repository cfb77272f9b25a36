import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import make_model
from hub_server import COMMIT, Hub, serve

from geoprobe.errors import AccessError, BadDataError, GeoprobeError, NotFoundError
from geoprobe.sources.models import load_model

MODEL = "team/model"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A loopback hub with one repository, and an empty cache."""
    from huggingface_hub import constants, file_download

    folder = make_model(
        tmp_path / "origin", dimension=256, extra={"model.layers.0.weight": np.zeros((300, 400), np.float32)}
    )
    with serve(Hub({path.name: path.read_bytes() for path in folder.iterdir()})) as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", served.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        for module in (constants, file_download):
            if hasattr(module, "HF_HUB_CACHE"):
                monkeypatch.setattr(module, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_ASSETS_CACHE", str(tmp_path / "assets"))
        yield served


def expected(tmp_path: Path) -> np.ndarray:
    from safetensors.numpy import load_file

    return load_file(str(tmp_path / "origin" / "model.safetensors"))["model.embed_tokens.weight"]


def test_a_hub_model_equals_the_local_one_and_only_its_embedding_is_fetched(hub: Hub, tmp_path: Path) -> None:
    loaded = load_model(MODEL)
    array = expected(tmp_path)
    np.testing.assert_array_equal(loaded.embedding.vectors.read(0, len(array)), array)
    source = loaded.embedding.source
    assert (source.model, source.revision, source.tensor) == (MODEL, COMMIT, "model.embed_tokens.weight")
    assert source.sha256 == load_model(tmp_path / "origin").embedding.source.sha256
    small = sum(len(content) for name, content in hub.files.items() if name != "model.safetensors")
    header = int.from_bytes(hub.files["model.safetensors"][:8], "little")
    assert hub.sent == array.nbytes + small + 8 + header
    assert hub.sent < len(hub.files["model.safetensors"])


def test_the_second_time_nothing_is_fetched(hub: Hub) -> None:
    first = load_model(MODEL).embedding
    sent = hub.sent
    again = load_model(MODEL).embedding
    assert again.source == first.source
    assert hub.sent == sent


def test_a_sharded_model_asks_only_the_embeddings_shard(hub: Hub, tmp_path: Path) -> None:
    whole = hub.files.pop("model.safetensors")
    hub.files["model-00001-of-00002.safetensors"] = whole
    hub.files["model-00002-of-00002.safetensors"] = b"never asked for"
    index = {
        "model.embed_tokens.weight": "model-00001-of-00002.safetensors",
        "lm_head.weight": "model-00002-of-00002.safetensors",
    }
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": index}).encode()
    loaded = load_model(MODEL)
    assert loaded.embedding.source.file == "model-00001-of-00002.safetensors"
    assert loaded.embedding.tied is False
    assert not any("00002-of-00002" in path for _, path, _ in hub.requests)


def test_a_dropped_connection_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.drops = 2
    array = expected(tmp_path)
    told: list[tuple[int, int]] = []
    loaded = load_model(MODEL, progress=lambda done, total: told.append((done, total)))
    np.testing.assert_array_equal(loaded.embedding.vectors.read(0, len(array)), array)
    assert told[-1] == (array.nbytes, array.nbytes)
    small = sum(len(content) for name, content in hub.files.items() if name != "model.safetensors")
    header = int.from_bytes(hub.files["model.safetensors"][:8], "little")
    assert hub.sent == array.nbytes + small + 8 + header  # nothing was sent twice


def test_a_transfer_that_keeps_breaking_is_said_and_goes_on_in_the_next_run(hub: Hub, tmp_path: Path) -> None:
    hub.drops = 4
    with pytest.raises(GeoprobeError, match=r"broke off 4 times, at [\d,]+ of [\d,]+ bytes"):
        load_model(MODEL)
    sent = hub.sent
    array = expected(tmp_path)
    np.testing.assert_array_equal(load_model(MODEL).embedding.vectors.read(0, len(array)), array)
    assert 0 < hub.sent - sent < array.nbytes / 2


def test_a_hub_that_ignores_ranges_is_refused_before_the_whole_file_comes(hub: Hub) -> None:
    hub.ranges = False
    with pytest.raises(BadDataError, match="ignores range requests"):
        load_model(MODEL)


def test_offline_uses_the_cache_alone(hub: Hub, tmp_path: Path) -> None:
    load_model(MODEL)
    hub.files.clear()
    asked = len(hub.requests)
    with pytest.raises(NotFoundError, match="not in the cache, and the network is switched off"):
        load_model("team/other", offline=True)
    assert len(hub.requests) == asked


def test_a_cached_model_is_scanned_offline(hub: Hub, tmp_path: Path) -> None:
    array = expected(tmp_path)
    load_model(MODEL)
    asked = len(hub.requests)
    loaded = load_model(MODEL, offline=True)
    np.testing.assert_array_equal(loaded.embedding.vectors.read(0, len(array)), array)
    assert len(hub.requests) == asked


def gated(hub: Hub) -> None:
    hub.gated = True


def without_config(hub: Hub) -> None:
    del hub.files["config.json"]


def without_weights(hub: Hub) -> None:
    del hub.files["model.safetensors"]


def broken_index(hub: Hub) -> None:
    hub.files["model.safetensors.index.json"] = b"{"


def nothing(hub: Hub) -> None:
    pass


@pytest.mark.parametrize(
    ("name", "revision", "change", "kind", "message"),
    [
        (MODEL, None, gated, AccessError, "is gated.*\nAsk for it at http://127.*hf auth login"),
        ("team/none", None, nothing, NotFoundError, "The hub has no model 'team/none'"),
        (MODEL, "v9", nothing, NotFoundError, "has no such revision"),
        (MODEL, None, without_config, NotFoundError, "has no config.json"),
        (MODEL, None, without_weights, NotFoundError, "has no safetensors weights \\(model.safetensors is missing\\)"),
        (MODEL, None, broken_index, BadDataError, "model.safetensors.index.json is not JSON"),
        ("a--b/c", None, nothing, NotFoundError, "neither a path here nor a hub id"),
    ],
)
def test_what_is_wrong_is_said(
    hub: Hub,
    name: str,
    revision: str | None,
    change: Callable[[Hub], None],
    kind: type[GeoprobeError],
    message: str,
) -> None:
    change(hub)
    with pytest.raises(kind, match=message):
        load_model(name, revision=revision)


def test_a_hub_that_cannot_be_reached_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    )
    with pytest.raises(GeoprobeError, match=r"The hub at http://127.0.0.1:9 cannot be reached"):
        load_model(MODEL)


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "..", "a/b.safetensors", "a\\b", "a\0b", ""])
def test_a_shard_named_outside_its_folder_is_never_asked_for(hub: Hub, name: str) -> None:
    index = {"model.embed_tokens.weight": name}
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": index}).encode()
    with pytest.raises(BadDataError, match="which is not in its folder"):
        load_model(MODEL)
    assert not any("passwd" in path for _, path, _ in hub.requests)
