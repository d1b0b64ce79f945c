"""What several ranks can do wrong together is named, from their dumps and under torchrun."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import manual_mlp
from compare.contracts.errors import BadInput
from compare.contracts.result import Result
from compare.examine.dump.dump import check_dump

SIZES, RATE = (7, 6, 4), 0.2
UNEQUAL, EQUAL = (9, 5, 4), (6, 6, 6)
Numbers = dict[str, np.ndarray[Any, Any]]


class World:
    """Ranks of one process: what each holds, and the sums over all of them."""

    def __init__(self, rows: tuple[int, ...], dtype: str = "float64") -> None:
        draw = np.random.default_rng(0)
        self.rows, self.dtype = rows, dtype
        self.numbers: list[list[int]] = []
        self.data = [
            (
                draw.normal(size=(n, 7)).astype(dtype),
                np.eye(4, dtype=dtype)[draw.integers(4, size=n)],
            )
            for n in rows
        ]
        start = manual_mlp.initial_parameters(SIZES, draw, dtype=np.dtype(dtype))
        self.weights = [{name: w.copy() for name, w in start.items()} for _ in rows]

    def parts(self, reduction: str) -> list[tuple[float, Numbers]]:
        """Every rank's loss and gradients of its own rows."""
        return [
            manual_mlp.loss_and_gradients(w, *rows, reduction=reduction)
            for w, rows in zip(self.weights, self.data, strict=True)
        ]


def all_reduce(values: list[Any]) -> list[Any]:
    """Hand every rank the sum."""
    return [sum(values[1:], values[0])] * len(values)


def right(losses: list[Any], rows: tuple[int, ...]) -> list[Any]:
    """The mean over all rows, on every rank."""
    summed = all_reduce([value * n for value, n in zip(losses, rows, strict=True)])
    return [value / sum(rows) for value in summed]


def averaged(values: list[Any], rows: tuple[int, ...]) -> list[Any]:
    return [value / len(rows) for value in all_reduce(values)]


def summed(values: list[Any], rows: tuple[int, ...]) -> list[Any]:
    return all_reduce(values)


def alone(values: list[Any], rows: tuple[int, ...]) -> list[Any]:
    return values


def twice(values: list[Any], rows: tuple[int, ...]) -> list[Any]:
    return all_reduce(right(values, rows))


def divided(values: list[Any], rows: tuple[int, ...]) -> list[Any]:
    return [value / len(rows) for value in right(values, rows)]


Put = Callable[[list[Any], tuple[int, ...]], list[Any]]


def train(
    folder: Path, world: World, gradients_by: Put, losses_by: Put, reduction: str = "mean"
) -> Path:
    """Train for three updates, every rank writing down what it sees."""
    for number in range(4):
        parts = world.parts(reduction)
        losses = losses_by([loss for loss, _ in parts], world.rows)
        reduced = {
            name: gradients_by([dw[name] for _, dw in parts], world.rows) for name in parts[0][1]
        }
        for rank, (w, (x, targets)) in enumerate(zip(world.weights, world.data, strict=True)):
            own = {name: values[rank] for name, values in reduced.items()}
            here = folder / f"rank_{rank}"
            here.mkdir(parents=True, exist_ok=True)
            step: Any = {"loss": losses[rank], "x": x, "targets": targets, **w}
            step |= {f"d{name}": dw for name, dw in own.items()}
            step |= {"rows": world.numbers[rank]} if world.numbers else {}
            np.savez(here / f"step_{number:05d}.npz", **step)
            for name in w:
                w[name] = w[name] - w[name].dtype.type(RATE) * own[name]
    run = {"format": 1, "activation": "relu", "reduction": reduction, "learning_rate": RATE}
    (folder / "run.json").write_text(json.dumps({**run, "momentum": 0.0}))
    return folder


def names(result: Result) -> set[str]:
    """The mistakes that were named, also those that no number tells apart."""
    return {name for one in result.diagnosis for name in (one.mistake, *one.also)}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rows", [UNEQUAL, EQUAL])
def test_ranks_that_weight_their_parts_rightly_agree(
    rows: tuple[int, ...], dtype: str, tmp_path: Path
) -> None:
    result = check_dump(train(tmp_path / "dump", World(rows, dtype), right, right))
    assert result.verdict == "agrees", result.sentence
    assert result.settings["ranks"] == 3 and result.settings["batch_size"] == 18
    assert {one.check: one.made for one in result.checks}["same_point"] == 12
    worst = max(one.ratio for one in result.worst.values())
    assert worst <= 0.5


def test_sums_over_rows_need_no_weights(tmp_path: Path) -> None:
    result = check_dump(train(tmp_path / "dump", World(UNEQUAL), summed, summed, "sum"))
    assert result.verdict == "agrees", result.sentence


@pytest.mark.parametrize("rows", [UNEQUAL, EQUAL], ids=["unequal", "equal"])
@pytest.mark.parametrize(
    ("put", "losses", "name"),
    [
        (averaged, averaged, "shards-averaged-unweighted"),
        (averaged, right, "shards-averaged-unweighted"),
        (summed, right, "summed-over-ranks"),
        (alone, right, "not-reduced"),
        (alone, alone, "not-reduced"),
        (twice, right, "reduced-twice"),
        (divided, right, "divided-by-ranks-twice"),
        (right, alone, "loss-of-one-rank"),
    ],
)
def test_every_wrong_way_of_putting_parts_together_is_named(
    put: Put, losses: Put, name: str, rows: tuple[int, ...], tmp_path: Path
) -> None:
    result = check_dump(train(tmp_path / "dump", World(rows), put, losses))
    if name == "shards-averaged-unweighted" and rows == EQUAL:
        assert result.verdict == "agrees", "the mean of equal shards' means is the mean"
        return
    assert result.verdict == "disagrees"
    assert name in names(result), result.diagnosis
    told_apart = {"summed-over-ranks", "reduced-twice"}
    expected = told_apart if rows == EQUAL and name in told_apart else {name}
    assert names(result) == expected


def test_two_mistakes_of_gradient_and_loss_are_both_named(tmp_path: Path) -> None:
    result = check_dump(train(tmp_path / "dump", World(UNEQUAL), summed, alone))
    assert names(result) == {"summed-over-ranks", "loss-of-one-rank"}


def test_weights_that_start_different_are_named_and_nothing_else(tmp_path: Path) -> None:
    world = World(UNEQUAL)
    world.weights[2]["w1"] += 1e-9
    result = check_dump(train(tmp_path / "dump", world, right, right))
    assert names(result) == {"weights-start-different"}
    assert "rank 2: w1 at step 0 is not that of rank 0" in result.sentence
    assert (result.verdict, result.kind) == ("disagrees", "data")


@pytest.mark.parametrize("numbered", [False, True])
def test_ranks_that_all_take_the_same_rows_are_named(numbered: bool, tmp_path: Path) -> None:
    world = World(EQUAL)
    world.data[1] = world.data[0]
    same = [[0, 3, 6, 9, 12, 15]] * 2 + [[2, 5, 8, 11, 14, 17]]
    world.numbers = same if numbered else []
    result = check_dump(train(tmp_path / "dump", world, right, right))
    assert names(result) == {"batches-overlap"}
    assert "rank 1 has 6 of its 6 rows in common with earlier ranks at step 0" in result.sentence
    assert numbered or "recorded as `rows`, tell equal rows apart" in result.sentence


def test_ranks_whose_rows_are_equal_by_right_are_not_accused(tmp_path: Path) -> None:
    world = World(EQUAL)
    world.data[1] = world.data[0]
    world.numbers = [list(range(rank, 18, 3)) for rank in range(3)]
    result = check_dump(train(tmp_path / "dump", world, right, right))
    assert result.verdict == "agrees" and not result.diagnosis


def test_data_in_which_rows_are_repeated_may_have_them_on_every_rank(tmp_path: Path) -> None:
    world = World(EQUAL)
    for part in world.data[0]:
        part[3:] = part[:3]
    world.data[1] = world.data[0]
    result = check_dump(train(tmp_path / "dump", world, right, right))
    assert result.verdict == "agrees" and not result.diagnosis
    assert any("rank 1 has 6 of its 6 rows in common" in note for note in result.notes)


def test_numbers_of_rows_in_a_shard_of_their_own_accuse_nobody(tmp_path: Path) -> None:
    world = World(EQUAL)
    world.numbers = [list(range(6))] * 3
    result = check_dump(train(tmp_path / "dump", world, right, right))
    assert result.verdict == "agrees" and not result.diagnosis


def test_rows_that_are_no_row_numbers_mean_nothing(tmp_path: Path) -> None:
    world = World(EQUAL)
    world.numbers = [[0.5] * 6] * 3  # type: ignore[list-item]
    result = check_dump(train(tmp_path / "dump", world, right, right))
    assert result.verdict == "agrees" and any("rows" in note for note in result.notes)


def test_a_row_that_two_ranks_have_may_be_two_equal_rows_and_is_only_noted(tmp_path: Path) -> None:
    world = World(EQUAL)
    for of_one, of_other in zip(world.data[1], world.data[0], strict=True):
        of_one[2] = of_other[5]
    result = check_dump(train(tmp_path / "dump", world, right, right))
    assert result.verdict == "agrees"
    assert any("rank 1 has 1 of its 6 rows in common" in note for note in result.notes)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "rank_1").rename(folder / "rank_7"), "and no rank_1"),
        (lambda folder: (folder / "rank_1" / "step_00002.npz").unlink(), "has no step 2, which"),
    ],
)
def test_a_rank_or_a_step_that_is_missing_is_said(
    spoil: Callable[[Path], Any], words: str, tmp_path: Path
) -> None:
    folder = train(tmp_path / "dump", World(EQUAL), right, right)
    spoil(folder)
    with pytest.raises(BadInput, match=words):
        check_dump(folder)
