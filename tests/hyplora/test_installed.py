import subprocess
import sys
from importlib.util import find_spec

import pytest
from builders import missing

KNOWN = "from peft.utils.peft_types import PeftType; assert 'HYPLORA' in PeftType.__members__"
ALONE = "import sys; assert not any('peft' in type(finder).__name__.lower() for finder in sys.meta_path)"


def test_what_hyplora_needs_is_installed():
    absent = [name for name in ("torch", "peft", "accelerate", "geoopt") if find_spec(name) is None]
    if absent:
        missing("finetune", f"{', '.join(absent)} not installed: pip install '.[finetune]' geoopt")


@pytest.mark.parametrize(
    "program",
    [
        f"import geoprobe; import peft; {KNOWN}; {ALONE}",
        f"import geoprobe; import importlib.util as i; assert i.find_spec('peft'); import peft; {KNOWN}; {ALONE}",
        f"import peft; import geoprobe; {KNOWN}; {ALONE}",
        f"import geoprobe.hyplora; {KNOWN}; {ALONE}",
        "import geoprobe, sys; assert not {'peft', 'torch'} & set(sys.modules)",
        # without torch peft fails as it does
        "import sys; sys.modules['torch'] = None; import geoprobe\ntry: import peft\nexcept ImportError: pass",
    ],
)
def test_importing_geoprobe_adds_the_method_to_peft_whichever_comes_first(program):
    absent = [name for name in ("torch", "peft", "accelerate", "geoopt") if find_spec(name) is None]
    if absent:
        missing("finetune", f"{', '.join(absent)} not installed")
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", program], check=True)
