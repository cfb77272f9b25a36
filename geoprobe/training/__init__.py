"""`geoprobe finetune`: adapters trained equally, evaluated, and compared with intervals."""

import os

# Without it MKL may sum in another order where memory lies otherwise, and `--resume` end in other last digits. It is
# read at MKL's first product. AUTO takes the processor's best branch.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
