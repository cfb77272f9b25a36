from importlib.util import find_spec

from builders import missing


def test_what_hyplora_needs_is_installed():
    absent = [name for name in ("torch", "peft", "accelerate", "geoopt") if find_spec(name) is None]
    if absent:
        missing("finetune", f"{', '.join(absent)} not installed: pip install '.[finetune]' geoopt")
