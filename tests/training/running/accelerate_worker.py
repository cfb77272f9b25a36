"""What each process of `accelerate launch` runs: the command, with PyTorch's warnings about gloo left out.

accelerate launch --cpu --num_processes 2 accelerate_worker.py ARGUMENTS OF GEOPROBE
"""

import sys
import warnings

warnings.simplefilter("ignore")

from geoprobe.cli import main  # noqa: E402

main(sys.argv[1:])
