"""The public face: what is imported, how fast, and what is promised by name."""

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

import geoprobe

HEAVY = {"torch", "transformers", "matplotlib", "numpy", "pandas", "numba", "scipy", "pyarrow", "peft"}


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_geoprobe_imports_nothing_heavy() -> None:
    assert not modules_after("import geoprobe") & HEAVY


def test_help_imports_nothing_heavy() -> None:
    help_of_all = "from geoprobe.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert not modules_after(help_of_all) & HEAVY


def test_the_scan_path_imports_neither_torch_nor_transformers_for_a_folder_with_tokenizer_json() -> None:
    assert not modules_after("import geoprobe.scanning, geoprobe.report.pdf, geoprobe.sources.models.tokenizer") & {
        "torch",
        "transformers",
        "peft",
    }


def test_all_is_the_sorted_public_names() -> None:
    assert geoprobe.__all__ == sorted(geoprobe.__all__)
    assert all(hasattr(geoprobe, name) for name in geoprobe.__all__ if name != "finetune" or find_spec("torch"))
    assert dir(geoprobe) == sorted([*geoprobe.__all__, "hyplora", "stats"])


def test_training_without_torch_says_what_to_install() -> None:
    # None in sys.modules makes Python say that a module is not there
    code = "import sys; sys.modules['torch'] = None; import geoprobe; geoprobe.finetune"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "geoprobe.finetune needs torch: pip install 'geoprobe-lm[finetune]'" in done.stderr


def test_scan_is_the_function_whatever_was_imported_before() -> None:
    import geoprobe.scanning

    assert callable(geoprobe.scan)
    assert geoprobe.scan is geoprobe.scanning.scan


def test_statistics_are_reached_from_the_package_and_imported_then() -> None:
    assert "scipy" not in modules_after("import geoprobe; dir(geoprobe); geoprobe.stats; dir(geoprobe.stats)")
    assert "scipy" in modules_after("import geoprobe; geoprobe.stats.powerlaw.fit")
    assert {"powerlaw", "hyperbolicity", "nulls"} <= set(dir(geoprobe.stats))
    with pytest.raises(AttributeError, match="no attribute 'powerlow'"):
        geoprobe.stats.powerlow  # noqa: B018


def test_the_adapter_without_torch_says_what_to_install() -> None:
    code = "import sys; sys.modules['torch'] = None; import geoprobe; geoprobe.hyplora"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert re.search(r"geoprobe\.hyplora needs (torch|peft): pip install 'geoprobe-lm\[finetune\]'", done.stderr)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sacn'"):
        geoprobe.sacn  # noqa: B018
