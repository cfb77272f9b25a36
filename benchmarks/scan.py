"""Time of ``geoprobe scan demo`` as a whole process, caches warm, beside bare reads of the same model file.

Run: ``python benchmarks/scan.py``. The bar is 20 s on two shared cores; the ratio is to what the `gguf` package takes
to open the file and dequantise the embedding, in the same run.
"""

import subprocess
import sys
import tempfile
import time
from statistics import median

BAR_SECONDS = 20
RUNS = 3
BARE_READ = """
import gguf
from geoprobe.sources.models.demo import demo_model
reader = gguf.GGUFReader(demo_model())
tensor = next(t for t in reader.tensors if t.name == "token_embd.weight")
gguf.dequantize(tensor.data, tensor.tensor_type)
"""


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as out:
        scan = [sys.executable, "-m", "geoprobe", "scan", "demo", "--out", out, "--quiet"]
        bare = [sys.executable, "-c", BARE_READ]
        seconds(scan)  # compiles the kernels once; they are kept on disk
        pairs = [(seconds(scan), seconds(bare)) for _ in range(RUNS)]
    whole = median(pair[0] for pair in pairs)
    ratio = median(first / second for first, second in pairs)
    print(f"geoprobe scan demo: {whole:.1f} s (bar {BAR_SECONDS} s), {ratio:.1f} x a bare gguf read of the embedding")


if __name__ == "__main__":
    main()
