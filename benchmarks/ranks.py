"""Rows per second of one and of several ranks, one thread each: `python -m benchmarks.ranks`.

One update of each side without its checks: the gradient of this rank's rows and the sum over ranks,
for the reference inside `DistributedDataParallel`. The numbers of ranks take turns, so a busy
minute hits all of them. Two ranks of a busy machine get more of it than one: what holds there is
the time a rank's own processor is busy, which is told beside it.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from functools import partial
from statistics import median
from time import process_time
from typing import Any

from benchmarks.problem import draw, label

ROWS, SIZES = 10_000, (784, 1_000, 10)
CALLS = 6


def main() -> None:
    """Measure here if this process is a rank, else start ranks in turns and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=__doc__)
    parser.add_argument("--ranks", type=int, default=2, help="how many beside one (default: 2)")
    parser.add_argument("--rounds", type=int, default=5, help="of turns (default: 5)")
    parser.add_argument("--dtype", default="float64", choices=("float32", "float64"))
    options = parser.parse_args()
    if "RANK" in os.environ:
        measure(options.dtype)
        return
    found: dict[int, dict[str, list[float]]] = {
        count: defaultdict(list) for count in (1, options.ranks)
    }
    for _ in range(options.rounds):
        for count, seconds in found.items():
            for side, taken in started(count, options.dtype).items():
                seconds[side] += taken
    print(f"{label(ROWS, SIZES)} {options.dtype}, medians, one thread per rank")
    for side in found[1]:
        rates = {count: ROWS / median(seconds[side]) for count, seconds in found.items()}
        told = ", ".join(f"{rate:,.0f} rows/s on {count}" for count, rate in rates.items())
        print(f"{side:22} {told}: {rates[options.ranks] / rates[1]:.2f} times")


def started(count: int, dtype: str) -> dict[str, list[float]]:
    """Seconds of each counted update, by side, on so many ranks."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", str(count), "-m", "benchmarks.ranks", "--dtype", dtype),
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(dtype: str) -> None:
    """Time both sides on this rank; the first prints what it measured."""
    import torch
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    from benchmarks.timing import stopwatch
    from benchmarks.torch_contenders import module, module_gradient
    from compare.contracts.experiment import Experiment
    from compare.examine.parallel import added_up
    from compare.examine.ranks import Ranks, together
    from compare.examine.sides import our_manual

    ranks = Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    problem = draw(ROWS, SIZES, dtype)
    mine = ranks.rows(ROWS)
    x, targets = problem.x[mine].copy(), problem.targets[mine].copy()
    ours = our_manual(Experiment(hidden=SIZES[1:-1], dtype=dtype, reduction="sum"))
    with together(ranks, timeout=60):
        manual: Any = added_up(ours, ranks, weighted=False, mean=True).loss_and_gradients
        network = DistributedDataParallel(module(problem))
        tensors = torch.from_numpy(x), torch.from_numpy(targets).argmax(dim=1)
        updates = {
            "manual": partial(manual, problem.parameters, x, targets),
            "reference": partial(module_gradient, network, *tensors),
        }
        found = {}
        for side, update in updates.items():
            update()
            distributed.barrier()
            before = process_time()
            found[side] = [stopwatch(update) for _ in range(CALLS)]
            found[f"{side}, processor"] = [(process_time() - before) / CALLS]
    if ranks.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
