"""Only a whole checkpoint counts."""

from pathlib import Path

from geoprobe.training.checkpoints import clear_checkpoints, last_checkpoint, seal


def _written(folder: Path, step: int, *, whole: bool) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir()
    (checkpoint / "weights").write_text("1")
    if whole:
        seal(checkpoint)
    return checkpoint


def test_the_last_whole_checkpoint_is_taken_by_its_number(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    assert last_checkpoint(tmp_path / "nowhere") is None
    _written(tmp_path, 9, whole=True)
    tenth = _written(tmp_path, 10, whole=True)
    _written(tmp_path, 20, whole=False)  # killed while it was being written
    assert last_checkpoint(tmp_path) == tenth


def test_a_finished_runs_checkpoints_go_and_nothing_else(tmp_path: Path) -> None:
    _written(tmp_path, 2, whole=True)
    _written(tmp_path, 4, whole=False)
    (tmp_path / "adapter").mkdir()
    clear_checkpoints(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
