from pathlib import Path

import pytest
from bad_inputs.case import make_workplace


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good one of everything; not to be written in."""
    folder = tmp_path_factory.mktemp("workplace")
    make_workplace(folder)
    return folder
