"""What a run costs beside time: resident memory above the imports, and how fast a command starts.

Each number comes from a process of its own, so that nothing else is in it.
"""

import subprocess
import sys
from statistics import median
from time import perf_counter

from benchmarks.problem import Problem

MEASURED = """
import resource, sys
import numpy as np, torch, manual_mlp, torch_reference, compare.examine.training
import torch._dynamo  # torch imports it when the first optimiser is made
from benchmarks.checked import checked_epochs
from benchmarks.problem import draw
torch.set_num_threads({threads})
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
checked_epochs(draw({rows}, {sizes}, {dtype!r}), {epochs})
print(peak() - before)
"""


def peak_memory(rows: int, sizes: tuple[int, ...], dtype: str, *, epochs: int, threads: int) -> int:
    """Bytes by which a side-by-side run of so many epochs raises the process's peak."""
    program = MEASURED.format(rows=rows, sizes=sizes, dtype=dtype, epochs=epochs, threads=threads)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def accounted_memory(problem: Problem) -> int:
    """Bytes of the data, the activations, and three copies of the parameters, for both sides."""
    data = problem.x.nbytes + problem.targets.nbytes
    activations = len(problem.x) * sum(problem.sizes[1:]) * problem.x.itemsize
    parameters = sum(array.nbytes for array in problem.parameters.values())
    return 2 * (data + activations + 3 * parameters)


def start_up(*arguments: str, repetitions: int) -> float:
    """Median seconds of a command from start to end."""
    seconds = []
    for _ in range(repetitions):
        start = perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
        seconds.append(perf_counter() - start)
    return median(seconds)
