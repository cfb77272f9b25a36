"""What transformers is given to load: the model that was named, and nothing that its files name."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import make_model
from hub_server import COMMIT, Hub, pointed

from geoprobe.errors import GeoprobeError, UsageError
from geoprobe.sources.models.whole import whole_model

ADAPTER = json.dumps({"base_model_name_or_path": "team/base", "peft_type": "LORA"}).encode()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = make_model(tmp_path / "origin")
    with pointed(Hub({path.name: path.read_bytes() for path in folder.iterdir()}), tmp_path, monkeypatch) as served:
        yield served


def test_a_repository_is_loaded_at_one_commit(hub: Hub) -> None:
    with whole_model("team/model") as (name, options):
        assert (name, options["revision"]) == ("team/model", COMMIT)


@pytest.mark.parametrize("alone", [False, True])
def test_the_base_of_an_adapter_on_the_hub_is_not_asked_for(hub: Hub, alone: bool) -> None:
    hub.files["adapter_config.json"] = ADAPTER
    if alone:
        del hub.files["config.json"]
    said = "no config.json" if alone else r"team/model holds an adapter \(LORA\) of team/base, and no model"
    with pytest.raises(GeoprobeError, match=said), whole_model("team/model"):
        pytest.fail("it was given to transformers")
    assert not any("base" in path for _, path, _ in hub.requests)


def test_while_files_are_loaded_the_hub_is_not_asked(hub: Hub, tmp_path: Path) -> None:
    from huggingface_hub import hf_hub_download, is_offline_mode
    from huggingface_hub.errors import LocalEntryNotFoundError

    with whole_model(tmp_path / "origin") as (name, _):
        assert name == str(tmp_path / "origin")
        with pytest.raises(LocalEntryNotFoundError):
            hf_hub_download("team/model", "config.json")
    assert hub.requests == []
    assert not is_offline_mode()
    hf_hub_download("team/model", "config.json")


def test_states_of_an_adapter_on_the_hub_are_refused(hub: Hub) -> None:
    pytest.importorskip("torch")
    from geoprobe.sources.models.states import open_states

    hub.files["adapter_config.json"] = ADAPTER
    with pytest.raises(UsageError, match="holds an adapter"):
        open_states("team/model")
    assert not any("safetensors" in path for _, path, _ in hub.requests)


def test_states_of_a_folder_are_read_without_the_network(hub: Hub, tmp_path: Path) -> None:
    """A configuration of a family with a backbone of its own, which the hub's library would fetch."""
    pytest.importorskip("torch")
    from geoprobe.sources.models.states import open_states

    config = {"model_type": "vitmatte", "backbone": "team/backbone", "use_pretrained_backbone": True}
    (tmp_path / "origin" / "config.json").write_text(json.dumps(config))
    with pytest.raises(GeoprobeError, match="cannot be loaded to run it"):
        open_states(tmp_path / "origin").read([np.arange(3)], [0])
    assert hub.requests == []
