"""Several ranks train one network: parts add up; a lost rank ends with a sentence and a report."""

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.gradients import batch_sums
from compare.command.main import main
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.examine.parallel import require_parallel
from compare.examine.ranks import Ranks
from compare.report.report_json import SCHEMA
from tests.ranks import run_on_ranks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
SMALL = ("--hidden", "7", "--epochs", "3", "--threads", "1", "--no-plots")

IN_FLOAT32 = ("--batch-size", "200", "--dtype", "float32")

THEIRS = """
import os
import manual_mlp
RANK = int(os.environ["RANK"])
calls = 0
def loss_and_gradients(parameters, x, targets):
    global calls
    calls += 1
    loss, gradients = manual_mlp.loss_and_gradients(parameters, x, targets)
    {fault}
    return loss, gradients
"""


def run_ranks(count: int, folder: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """Run the command on so many ranks; return what it printed and the report of rank 0."""
    command = (*SMALL, *options, "--out", str(folder))
    printed, codes = run_on_ranks(count, command, folder.with_suffix(".txt"))
    return printed, report_of(folder, printed, max(codes))


def run_torchrun(count: int, folder: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """The same, with torch's own launcher."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", str(count), "-m", "compare.run", *SMALL, *options),
            *("--out", str(folder)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    printed = done.stdout + done.stderr
    return printed, report_of(folder, printed, done.returncode)


def report_of(folder: Path, printed: str, code: int) -> dict[str, Any]:
    """The report that rank 0 wrote, after its form and its exit code were held against `code`."""
    file = folder / "report.json"
    assert file.exists(), printed
    report: dict[str, Any] = json.loads(file.read_text())
    jsonschema.validate(report, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert (code == 0) == (report["exit_code"] == 0)
    return report


def faulty(folder: Path, fault: str, more: str = "") -> str:
    """A file whose gradient has a fault, written so that it knows its rank."""
    path = folder / "theirs.py"
    path.write_text(THEIRS.format(fault=fault) + more)
    return str(path)


@pytest.mark.parametrize(
    ("run", "ranks", "options"),
    [
        (run_torchrun, 2, ()),
        # At a rate for means a sum over 200 rows diverges: right sides of one process part by 2e-4.
        (run_ranks, 3, (*IN_FLOAT32, "--reduction", "sum", "--learning-rate", "1e-4")),
        (run_ranks, 2, ("--hidden", "1100", "--epochs", "1")),  # two blocks of rows on each rank
        (run_ranks, 2, ("--normalisation", "layer")),
        (run_ranks, 3, ("--dropout", "0.3", "--batch-size", "200")),
        (run_ranks, 2, ("--normalisation", "layer", "--dropout", "0.3", *IN_FLOAT32)),
    ],
)
def test_uneven_shards_train_as_one_process_does(
    run: Any, ranks: int, options: tuple[str, ...], tmp_path: Path
) -> None:
    """1,437 training and 180 validation rows; a batch of 200 falls anyhow on three shards."""
    alone = tmp_path / "alone"
    assert main([*SMALL, *options, "--out", str(alone)]) == 0
    one = json.loads((alone / "report.json").read_text())
    _, several = run(ranks, tmp_path / "several", *options)
    assert several["verdict"] == "agrees"
    assert several["settings"]["ranks"] == ranks
    for before, after in zip(one["epochs"], several["epochs"], strict=True):
        for side in ("manual", "reference"):
            assert after[side] == pytest.approx(before[side], rel=1e-4)
    worst = max(row["ratio"] for row in several["worst"].values())
    assert worst <= 0.5


@pytest.mark.parametrize(
    ("run", "fault", "sentence"),
    [
        (run_torchrun, "if RANK == 1 and calls == 3: os._exit(7)", "another rank ended"),
        (run_ranks, "if RANK == 1 and calls == 3: os._exit(7)", "another rank ended"),
        (
            run_ranks,
            "if RANK == 1 and calls == 3: import time; time.sleep(600)",
            "did not return within 5",
        ),
    ],
    ids=["dies and the others are asked to end", "dies", "hangs"],
)
def test_a_rank_that_is_lost_ends_the_run_with_one_sentence_and_a_report(
    run: Any, fault: str, sentence: str, tmp_path: Path
) -> None:
    theirs = faulty(tmp_path, fault)
    printed, report = run(
        2, tmp_path / "out", "--manual", theirs, "--batch-size", "500", "--timeout", "5"
    )
    assert report["exit_code"] == 2
    assert "another rank ended" in report["failure"]
    assert sentence in printed and "Traceback (most recent call last)" not in report["failure"]


def test_code_that_raises_on_one_rank_is_one_sentence_and_a_report_that_disagrees(
    tmp_path: Path,
) -> None:
    theirs = faulty(tmp_path, "if RANK == 1 and calls == 2: raise KeyError('w9')")
    printed, report = run_ranks(2, tmp_path / "out", "--manual", theirs, "--batch-size", "500")
    assert (report["verdict"], report["exit_code"]) == ("disagrees", 2)
    assert report["failure"].startswith("on rank 1: theirs.py, line 10 (`if RANK == 1")
    assert "KeyError: 'w9'" in report["failure"]
    assert report["settings"]["ranks"] == 2
    assert printed.count("error: ") == 1 and "internal error" not in printed


def test_code_that_waits_for_other_ranks_while_it_is_called_alone_is_told_where_to_do_so(
    tmp_path: Path,
) -> None:
    """One number, as the ranks exchange among themselves: it must not be taken for one of ours."""
    fault = "from torch import distributed, zeros; distributed.all_reduce(zeros(1).double())"
    theirs = faulty(tmp_path, fault)
    printed, report = run_ranks(2, tmp_path / "out", "--manual", theirs, "--timeout", "6")
    assert report["exit_code"] == 2
    assert report["failure"].startswith("on rank 0: theirs.py, line 10")
    assert "add up in a function reduced(loss, gradients, rows)" in report["failure"]
    assert printed.count("error: ") == 1


REDUCED = """
import numpy, torch
from torch import distributed
def summed(one):
    total = torch.from_numpy(numpy.array(one))
    distributed.all_reduce(total)
    return total.numpy()
def right(one, rows):
    return summed(one * rows) / summed(rows * 1.0)
def reduced(loss, gradients, rows):
    {body}
    return loss_by(loss), {{name: dw_by(dw) for name, dw in gradients.items()}}
"""
RIGHT = "right(one, rows)"


@pytest.mark.parametrize(
    ("of_loss", "of_gradients", "name"),
    [
        (RIGHT, RIGHT, None),
        (RIGHT, "one", "not-reduced"),
        ("one", RIGHT, "loss-of-one-rank"),
    ],
)
def test_a_reduction_of_their_own_is_judged_and_its_mistake_named(
    of_loss: str, of_gradients: str, name: str | None, tmp_path: Path
) -> None:
    """719 rows on one rank and 718 on the other. Every mistake of the ranks is named from the
    same numbers in test_ranks_mistakes, without processes."""
    body = f"loss_by, dw_by = lambda one: {of_loss}, lambda one: {of_gradients}"
    theirs = faulty(tmp_path, "pass", REDUCED.format(body=body))
    _, report = run_ranks(2, tmp_path / "out", "--manual", theirs, "--epochs", "1")
    assert report["verdict"] == ("agrees" if name is None else "disagrees")
    assert report["failure"] is None
    assert [one["mistake"] for one in report["diagnosis"]] == ([] if name is None else [name])


DROPPING = """
import numpy, os
import manual_mlp
RANK = int(os.environ["RANK"])
BETWEEN = manual_mlp.Between(dropout=0.3)
def loss_and_gradients(parameters, x, targets, *, context):
    if RANK == 1 and "mask1" in context and {wrong}:
        context = dict(context) | {{"mask1": numpy.roll(context["mask1"], 1, axis=0)}}
    return manual_mlp.loss_and_gradients(parameters, x, targets, between=BETWEEN, context=context)
"""


@pytest.mark.parametrize("wrong", [False, True])
def test_masks_of_other_rows_on_one_rank_are_seen(wrong: bool, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.py"
    theirs.write_text(DROPPING.format(wrong=wrong))
    options = "--dropout", "0.3", "--manual", str(theirs), "--batch-size", "300"
    _, report = run_ranks(2, tmp_path / "out", *options, "--epochs", "1")
    assert report["verdict"] == ("disagrees" if wrong else "agrees")
    assert report["failure"] is None


def test_a_reduction_is_named_where_units_are_dropped(tmp_path: Path) -> None:
    body = f"loss_by, dw_by = lambda one: {RIGHT}, lambda one: one"
    theirs = tmp_path / "theirs.py"
    theirs.write_text(DROPPING.format(wrong=False) + REDUCED.format(body=body))
    options = "--dropout", "0.3", "--manual", str(theirs), "--epochs", "1"
    _, report = run_ranks(2, tmp_path / "out", *options)
    assert [one["mistake"] for one in report["diagnosis"]] == ["not-reduced"]


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ({"normalisation": "batch"}, "torch adds these up (SyncBatchNorm) on GPUs only"),
        ({"l2": 0.1}, "without penalties"),
        ({"bias": False}, "layers with biases"),
        ({"optimiser": "adam"}, "gradient descent with momentum"),
    ],
)
def test_what_several_ranks_cannot_train_is_refused_with_the_reason(
    declared: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadInput, match=re.escape(why)):
        require_parallel(Experiment(**declared))


@pytest.mark.parametrize(
    "declared", [{"normalisation": "layer"}, {"dropout": 0.3}, {"activation": "gelu"}]
)
def test_what_several_ranks_can_train_is_not_refused(declared: dict[str, Any]) -> None:
    require_parallel(Experiment(**declared))


def test_ranks_that_come_to_different_weights_are_told(tmp_path: Path) -> None:
    theirs = faulty(
        tmp_path,
        "pass",
        """
def step(parameters, gradients, state, *, learning_rate, momentum):
    after, state = manual_mlp.velocity_step(
        parameters, gradients, state, learning_rate=learning_rate, momentum=momentum
    )
    return {name: w + 1e-9 * RANK for name, w in after.items()}, state
""",
    )
    _, report = run_ranks(2, tmp_path / "out", "--manual", theirs)
    assert report["failure"] == "rank 1 has other weights at update 1 than rank 0"
    assert report["exit_code"] == 2


def test_one_rank_with_a_wrong_gradient_makes_the_sum_wrong(tmp_path: Path) -> None:
    theirs = faulty(tmp_path, "if RANK == 1: gradients['w2'] = gradients['w2'] * (1 + 1e-6)")
    _, report = run_ranks(2, tmp_path / "out", "--manual", theirs)
    assert report["verdict"] == "disagrees"
    assert report["findings"][0]["parameter"] == "w2"


def test_ranks_hold_every_row_once_and_nearly_as_many_each() -> None:
    for size in (1, 2, 3, 7):
        held = [Ranks(rank, size).rows(100) for rank in range(size)]
        assert held[0].start == 0 and held[-1].stop == 100
        assert all(one.stop == two.start for one, two in pairwise(held))
        counts = [one.stop - one.start for one in held]
        assert max(counts) - min(counts) <= 1


def test_an_allowance_knows_the_sum_over_ranks() -> None:
    one, two = (batch_sums(Arithmetic.of(np.float32, parts), 64, None) for parts in (1, 2))
    assert one.times < two.times < 1.1 * one.times
