"""What a run costs beside time: resident memory above the imports, and how fast a command starts.

Each number comes from a process of its own, so that nothing else is in it.
"""

import subprocess
import sys
from itertools import pairwise
from statistics import median
from time import perf_counter

import numpy as np

MEASURED = """
import numpy as np, torch, manual_mlp, torch_reference, compare.examine.training
from pathlib import Path
from benchmarks.checked import checked_epochs, data_set
from benchmarks.problem import draw
torch.set_num_threads({threads})
def level(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(what))
problem = draw({rows}, {sizes}, {dtype!r})
data = data_set(problem)
Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
before = level("VmRSS")
checked_epochs(problem, {epochs}, data)
numbers = data.train.x.size + data.validation.x.size + data.test.x.size
own = 0 if data.train.x.dtype == {dtype!r} else numbers * np.dtype({dtype!r}).itemsize
print(level("VmHWM") - before - own)
"""
"""What a run needs beyond its rows: those of the data set are float64, a run in float32 copies."""
REST = 64_000_000


def peak_memory(rows: int, sizes: tuple[int, ...], dtype: str, *, epochs: int, threads: int) -> int:
    """Bytes by which a side-by-side run of so many epochs exceeds its data; on Linux only."""
    program = MEASURED.format(rows=rows, sizes=sizes, dtype=dtype, epochs=epochs, threads=threads)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def accounted_memory(sizes: tuple[int, ...], dtype: str) -> int:
    """Bytes of four copies of the parameters on either side, and `REST`."""
    numbers = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))
    return 8 * numbers * np.dtype(dtype).itemsize + REST


def start_up(*arguments: str, repetitions: int) -> float:
    """Median seconds of a command from start to end."""
    seconds = []
    for _ in range(repetitions):
        start = perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
        seconds.append(perf_counter() - start)
    return median(seconds)
