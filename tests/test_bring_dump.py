"""Dumps: what a run records agrees, what is tampered with does not, what is no dump is refused.

The first dump is written once by a short run of ours; every test works on a copy.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray

from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.result import ExitCode, Result, Verdict
from compare.data import Split, load
from compare.examine.dump.dump import check_dump
from compare.examine.dump.recorder import Recorder
from compare.examine.training import run_training
from compare.judge.naming import Named

Array = NDArray[Any]
Change = Callable[[Path], Any]
ROWS = 40


def recorded(folder: Path, **options: Any) -> Path:
    """Record a short run of ours on a few of the digits."""
    asked = Experiment(hidden=(12,), epochs=3, seed=1, **options)
    digits = load()
    few = Split(digits.train.x[:ROWS], digits.train.labels[:ROWS])
    run_training(asked, data=replace(digits, train=few), tap=Recorder(folder, asked))
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full-batch dump of three updates."""
    return recorded(tmp_path_factory.mktemp("recorded") / "dump")


@pytest.fixture
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the search for a mistake, which takes longest where there is none to find."""
    monkeypatch.setattr("compare.judge.conclusion.name_mistake", lambda *_: Named())


@pytest.fixture
def dump(original: Path, tmp_path: Path) -> Path:
    """A copy of it, free to be changed."""
    return Path(shutil.copytree(original, tmp_path / "dump"))


def rewrite(dump: Path, number: int, **changes: Any) -> None:
    """Replace arrays of a step, or take them away with None."""
    path = dump / f"step_{number:05d}.npz"
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays |= {name: np.asarray(value) for name, value in changes.items() if value is not None}
    for name, value in changes.items():
        if value is None:
            del arrays[name]
    np.savez(path, allow_pickle=True, **arrays)


def in_float32(dump: Path, number: int) -> None:
    """Store every array of a step in float32, as a training that was resumed in it would."""
    describe(dump, dtype=None)
    with np.load(dump / f"step_{number:05d}.npz") as archive:
        rewrite(dump, number, **{name: archive[name].astype(np.float32) for name in archive.files})


def array_of(dump: Path, number: int, name: str) -> Array:
    """Return one array of a step."""
    with np.load(dump / f"step_{number:05d}.npz") as archive:
        array: Array = archive[name]
    return array


def describe(dump: Path, **changes: Any) -> None:
    """Change keys of run.json, or take them away with None."""
    content = json.loads((dump / "run.json").read_text()) | changes
    kept = {key: value for key, value in content.items() if value is not None}
    (dump / "run.json").write_text(json.dumps(kept))


def step_line(result: Result) -> str:
    """Return what is said of the step check."""
    (line,) = [check.sentence for check in result.checks if check.check == "step"]
    return line


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 15},
        {"dtype": "float32", "momentum_form": "buffer", "activation": "tanh"},
        {"momentum": 0.0, "reduction": "sum", "learning_rate": 1e-4},
    ],
    ids=["full batch", "mini-batches", "buffer in float32", "sum without momentum"],
)
def test_what_a_run_records_agrees(tmp_path: Path, options: dict[str, Any]) -> None:
    result = check_dump(recorded(tmp_path / "dump", **options))
    assert result.exit_code is ExitCode.AGREES, result.sentence
    assert max(one.ratio for one in result.worst.values()) <= 0.5
    assert not step_line(result).startswith("not done")


def test_every_update_is_replayed(dump: Path) -> None:
    result = check_dump(dump)
    assert [(check.check, check.made) for check in result.checks] == [
        ("same_point", 4),
        ("step", 3),
    ]


@pytest.mark.usefixtures("undiagnosed")
def test_a_wrong_gradient_is_found_at_its_step(dump: Path) -> None:
    rewrite(dump, 2, dw1=array_of(dump, 2, "dw1") * (1 + 1e-9))
    result = check_dump(dump)
    assert result.exit_code is ExitCode.DISAGREES
    assert (result.findings[0].update, result.findings[0].parameter) == (2, "w1")
    assert result.findings[0].message.endswith("at step 2")
    assert result.referee is None


def test_a_mistake_is_named_from_recorded_numbers_alone(dump: Path) -> None:
    for number in range(4):
        gradients = {f"d{k}": array_of(dump, number, f"d{k}") for k in ("w1", "b1", "w2", "b2")}
        rewrite(dump, number, **{k: v * ROWS for k, v in gradients.items()})
    (dump / "run.json").unlink()
    result = check_dump(dump)
    assert result.diagnosis[0].mistake == "gradient-summed"


@pytest.mark.slow
def test_a_wrong_update_is_found_by_the_step_check(dump: Path) -> None:
    rewrite(dump, 2, v_w1=array_of(dump, 2, "v_w1") * 1.001)
    result = check_dump(dump)
    assert result.exit_code is ExitCode.DISAGREES
    assert (result.findings[0].check, result.findings[0].stage) == ("step", "velocity")


@pytest.mark.usefixtures("undiagnosed")
def test_a_gradient_that_is_nan_disagrees(dump: Path) -> None:
    rewrite(dump, 1, db2=np.full(10, np.nan))
    assert check_dump(dump).exit_code is ExitCode.DISAGREES


def test_an_intermediate_that_is_wrong_is_named_before_what_follows(dump: Path) -> None:
    x, w, b = np.load(dump / "x.npy"), array_of(dump, 0, "w1"), array_of(dump, 0, "b1")
    rewrite(dump, 0, z1=(x @ w + b) * 1.01)
    result = check_dump(dump)
    assert result.verdict is Verdict.DISAGREES and result.findings[0].stage == "z1"


def test_without_run_json_the_step_check_is_reported_as_not_done(dump: Path) -> None:
    forget_velocities(dump)
    (dump / "run.json").unlink()
    result = check_dump(dump)
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert "no update was checked: there is no run.json" in result.sentence
    assert step_line(result) == "not done: there is no run.json"
    assert "run.json does not say the activation; relu was assumed" in result.notes


def forget_velocities(dump: Path) -> None:
    """Take the velocities out of every step."""
    for number in range(4):
        rewrite(dump, number, v_w1=None, v_b1=None, v_w2=None, v_b2=None)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: describe(d, learning_rate=None), "run.json does not say learning_rate"),
        (lambda d: (d / "step_00001.npz").rename(d / "step_00007.npz"), ""),
    ],
)
def test_a_step_that_cannot_be_replayed_says_why(
    dump: Path, change: Callable[[Path], Any], why: str
) -> None:
    change(dump)
    if why:
        assert step_line(check_dump(dump)) == f"not done: {why}"
    else:  # steps 0, 2, 3, 7: one update lies between consecutive ones
        assert step_line(check_dump(dump)).startswith("1 step checks")


def test_updates_are_replayed_without_their_velocities(dump: Path) -> None:
    forget_velocities(dump)
    result = check_dump(dump)
    assert result.exit_code is ExitCode.AGREES
    assert step_line(result).startswith("3 step checks")


def test_steps_may_be_folders_of_plain_arrays(dump: Path) -> None:
    for number in range(4):
        path = dump / f"step_{number:05d}.npz"
        folder = path.with_suffix("")
        folder.mkdir()
        with np.load(path) as archive:
            for name in archive.files:
                np.save(folder / f"{name}.npy", np.asfortranarray(archive[name].astype(">f8")))
        path.unlink()
    assert check_dump(dump).exit_code is ExitCode.AGREES


def test_class_numbers_and_biases_of_one_row_are_understood(dump: Path) -> None:
    np.save(dump / "targets.npy", np.load(dump / "targets.npy").argmax(axis=1))
    for number in range(4):
        rewrite(dump, number, b1=array_of(dump, number, "b1")[None, :], epoch=number)
    result = check_dump(dump)
    assert result.exit_code is ExitCode.AGREES
    assert "keys without a meaning here were passed over: epoch" in result.notes


def without_steps(dump: Path) -> None:
    """Remove all steps."""
    for path in dump.glob("step*"):
        path.unlink()


def nameless(dump: Path, **changes: Any) -> None:
    """Change the first step, in a dump that does not name its parameters."""
    rewrite(dump, 0, **changes)
    describe(dump, names=None, dtype=None)


def truncate(path: Path) -> None:
    """Cut a file short."""
    path.write_bytes(path.read_bytes()[:-2000])


def doubled(path: Path) -> None:
    """Put a second, different member of the same name into an archive."""
    with ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("loss.npy", archive.read("w1.npy"))


DAMAGE: dict[str, tuple[Change, str]] = {
    "no folder": (shutil.rmtree, "is not a folder; a dump is a folder with step_00000.npz"),
    "no steps": (without_steps, "holds no steps"),
    "twice": (lambda d: (d / "step_00001").mkdir(), "holds step 1 twice"),
    "cut short": (lambda d: truncate(d / "step_00000.npz"), "is damaged or cut short"),
    "empty": (lambda d: (d / "step_00000.npz").write_bytes(b""), "is an empty file"),
    "x cut short": (lambda d: truncate(d / "x.npy"), "x.npy is damaged or cut short"),
    "objects": (lambda d: rewrite(d, 0, loss=np.array([None])), "is an array of Python objects"),
    "words": (lambda d: rewrite(d, 0, w1=np.array(["a"])), "holds values of type <U1: store"),
    "no loss": (lambda d: rewrite(d, 1, loss=None), "step_00001.npz holds no loss; it holds b1"),
    "no gradient": (lambda d: rewrite(d, 1, dw2=None), "step_00001.npz holds no dw2"),
    "spelt otherwise": (
        lambda d: rewrite(d, 1, dw2=None, dW2=np.ones((3, 3))),
        "w1, w2, x; is dW2 meant? its name is dw2",
    ),
    "no bias": (lambda d: rewrite(d, 0, b2=None), "step_00000.npz holds no b2"),
    "no x": (lambda d: (d / "x.npy").unlink(), "step_00000.npz holds no x; it holds"),
    "no parameters": (
        lambda d: nameless(d, w1=None, w2=None, b1=None, b2=None),
        "holds parameters of type nothing",
    ),
    "half a velocity": (lambda d: rewrite(d, 0, v_b2=None), "holds no v_b2"),
    "losses": (lambda d: rewrite(d, 0, loss=np.ones(3)), "loss has shape (3,); one number is due"),
    "transposed": (
        lambda d: rewrite(d, 0, dw2=array_of(d, 0, "dw2").T),
        "dw2 has shape (10, 12); (12, 10) is due",
    ),
    "weights as torch has them": (
        lambda d: rewrite(d, 0, **{w: array_of(d, 0, w).T for w in ("w1", "w2")}),
        "every weight is (out, in), as torch.nn.Linear has it; (in, out) is due",
    ),
    "one weight as torch has it": (
        lambda d: rewrite(d, 0, w1=array_of(d, 0, "w1").T),
        "w1 has shape (12, 64): w1, as it stands, is (out, in), as torch.nn.Linear has it",
    ),
    "layers apart": (
        lambda d: rewrite(d, 0, w2=np.ones((11, 10))),
        "w2 has shape (11, 10); (12, fan_out) is due",
    ),
    "flat": (lambda d: rewrite(d, 0, w1=np.ones(3)), "w1 has shape (3,)"),
    "other x": (lambda d: np.save(d / "x.npy", np.ones((ROWS, 3))), "x has shape (40, 3)"),
    "other rows": (lambda d: np.save(d / "targets.npy", np.eye(10)), "(10, 64) is due"),
    "no rows": (lambda d: np.save(d / "targets.npy", np.ones((0, 10))), "targets is empty"),
    "no such class": (
        lambda d: np.save(d / "targets.npy", np.full(ROWS, 10)),
        "a class in targets is not among 0 to 9",
    ),
    "another width": (
        lambda d: rewrite(
            d, 3, w1=np.ones((64, 5)), dw1=np.ones((64, 5)), v_w1=np.ones((64, 5)),
            b1=np.ones(5), db1=np.ones(5), v_b1=np.ones(5),
            w2=np.ones((5, 10)), dw2=np.ones((5, 10)), v_w2=np.ones((5, 10)),
        ),
        "step 3 is a network of (64, 5, 10), the first one of (64, 12, 10)",
    ),
    "mixed dtypes": (
        lambda d: nameless(d, w1=np.ones((64, 12), np.float32)),
        "holds parameters of type float32, float64: store all",
    ),
    "another format": (
        lambda d: in_float32(d, 3),
        "step 3 was stored as float32, the first one as float64: put the steps",
    ),
    "a count below 0": (lambda d: rewrite(d, 0, t=-5), "step_00000.npz: t is -5; it counts the up"),
    "half a count": (lambda d: rewrite(d, 0, t=2.5), "t is 2.5; it counts"),
    "no count": (lambda d: rewrite(d, 0, t=np.nan), "t is nan; it counts"),
    "too fine": (lambda d: describe(d, dtype="float32"), "w1 is float64 and does not fit into f"),
    "a stray parameter": (
        lambda d: nameless(d, w4=np.ones((2, 2)), b4=np.ones(2)),
        "has a parameter b4, but not all before it",
    ),
    "no JSON": (lambda d: (d / "run.json").write_text("{"), "run.json is not JSON"),
    "no format": (lambda d: describe(d, format=2), 'run.json has to say "format": 1'),
    "unknown key": (lambda d: describe(d, optimizer="adam"), "has the unknown key 'optimizer'"),
    "unknown activation": (lambda d: describe(d, activation="rellu"), "activation: must be one of"),
    "rate in words": (lambda d: describe(d, learning_rate="0.1"), "learning_rate: must be a"),
    "no rate": (lambda d: describe(d, learning_rate=0), "learning_rate: must be a finite number"),
    "huge rate": (lambda d: describe(d, learning_rate=10**400), "learning_rate: must be a finite"),
    "no names": (lambda d: describe(d, names=[]), "names has to be the list of the parameters'"),
    "names as a number": (lambda d: describe(d, names=5), "names has to be the list of the para"),
    "nested": (lambda d: (d / "run.json").write_text("[" * 100_000), "is nested too deep"),
    "key twice": (
        lambda d: (d / "run.json").write_text('{"format": 1, "format": 1}'),
        "the key 'format' stands twice",
    ),
    "array twice": (lambda d: doubled(d / "step_00000.npz"), "holds 'loss' twice"),
    "dangling": (
        lambda d: (d / "step_00009.npz").symlink_to(d / "nowhere"),
        "step_00009.npz cannot be read (No such file or directory)",
    ),
    "loop": (
        lambda d: (d / "step_00009.npz").symlink_to(d / "step_00009.npz"),
        "step_00009.npz cannot be read (Too many levels of symbolic links)",
    ),
    "names in numbers": (lambda d: describe(d, names=[1]), "names has to be the list of the para"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "words"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_no_dump_is_said_in_one_sentence(
    dump: Path, damage: Callable[[Path], Any], words: str
) -> None:
    damage(dump)
    with pytest.raises(BadInput) as caught:
        check_dump(dump)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_dump_is_never_written_over_anything(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="the folder is not empty; name a new one"):
        Recorder(tmp_path, Experiment())
    with pytest.raises(BadInput, match=r"mine.txt: File exists"):
        Recorder(tmp_path / "mine.txt", Experiment())


def shapeless(dump: Path) -> None:
    """Record a wrong z1 that is transposed."""
    x, w, b = np.load(dump / "x.npy"), array_of(dump, 1, "w1"), array_of(dump, 1, "b1")
    rewrite(dump, 1, z1=5 * (x @ w + b).T)


def one_step_alone(dump: Path, kept: int = 0) -> None:
    """Take all steps away but one."""
    for number, step in enumerate(sorted(dump.glob("step_*"))):
        if number != kept:
            shutil.rmtree(step) if step.is_dir() else step.unlink()


NAMES = ("w1", "b1", "w2", "b2")


def buffers_without_run(dump: Path) -> None:
    """Record buffers as RMSprop has them, and do not say what they are of."""
    for number in range(4):
        s = {f"s_{name}": np.ones_like(array_of(dump, number, name)) for name in NAMES}
        rewrite(dump, number, **dict.fromkeys((f"v_{name}" for name in NAMES), None), **s)
    (dump / "run.json").unlink()


def test_zero_velocities_before_the_first_update_are_right_by_themselves(dump: Path) -> None:
    one_step_alone(dump)
    result = check_dump(dump)
    assert result.exit_code is ExitCode.AGREES
    assert step_line(result) == "not done: no two steps have consecutive numbers"


def half_of_the_velocities(dump: Path) -> None:
    """Take the velocities out of all steps but the first."""
    for number in range(1, 4):
        rewrite(dump, number, v_w1=None, v_b1=None, v_w2=None, v_b2=None)


def run_as_a_folder(dump: Path) -> None:
    """Put a folder in the place of run.json."""
    (dump / "run.json").unlink()
    (dump / "run.json").mkdir()


def run_as_a_pipe(dump: Path) -> None:
    """Put a pipe in the place of run.json, which nobody writes to."""
    (dump / "run.json").unlink()
    os.mkfifo(dump / "run.json")


LACKING: dict[str, tuple[Change, str]] = {
    "another shape": (shapeless, "z1 has shape (12, 40), where (40, 12) is due (step 1)"),
    "no such stage": (lambda d: rewrite(d, 0, dz2=np.ones(3)), "dz2 is no stage of this network"),
    "capitals": (lambda d: rewrite(d, 2, dZ1=np.ones(3)), "the array 'dZ1' has no such name here"),
    "step in capitals": (
        lambda d: (d / "step_00003.npz").rename(d / "step_00003.NPZ"),
        "'step_00003.NPZ' is not spelt as a part of a dump",
    ),
    "Step": (lambda d: (d / "step_00003.npz").rename(d / "Step_00003.npz"), "'Step_00003.npz' is"),
    "folder with an ending": (lambda d: (d / "step_00008.npz").mkdir(), "'step_00008.npz' is not"),
    "Run": (lambda d: (d / "run.json").rename(d / "Run.json"), "'Run.json' is not spelt as a part"),
    "run as a folder": (run_as_a_folder, "run.json is no file, so nothing it should say was used"),
    "run as a pipe": (run_as_a_pipe, "run.json is no file, so nothing it should say was used"),
    "velocities of one step": (
        lambda d: one_step_alone(d, 2),
        "velocities are recorded and were not compared",
    ),
    "velocities without run.json": (
        lambda d: (d / "run.json").unlink(),
        "velocities are recorded and were not compared: there is no run.json",
    ),
    "buffers without run.json": (
        buffers_without_run,
        "buffers are recorded and were not compared: there is no run.json",
    ),
    "half of the velocities": (half_of_the_velocities, "velocities are recorded at 1 of 4 steps"),
}


@pytest.mark.parametrize(("change", "words"), LACKING.values(), ids=LACKING)
def test_what_was_recorded_and_cannot_be_compared_is_named_and_nothing_is_green(
    dump: Path, change: Change, words: str
) -> None:
    change(dump)
    result = check_dump(dump)
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert words in result.sentence


def test_a_member_without_a_meaning_is_not_read(dump: Path) -> None:
    with ZipFile(dump / "step_00000.npz", "a") as archive:
        archive.writestr("history.npy", b"no array at all")
    result = check_dump(dump)
    assert result.exit_code is ExitCode.AGREES
    assert "keys without a meaning here were passed over: history" in result.notes


def test_a_plain_array_of_version_3_is_read(dump: Path) -> None:
    path = dump / "x.npy"
    array = np.load(path)
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version=(3, 0))
    assert check_dump(dump).exit_code is ExitCode.AGREES


def test_a_count_of_updates_beside_velocities_is_read_past(dump: Path) -> None:
    for number in range(4):
        rewrite(dump, number, t=7 + number)
    assert check_dump(dump).verdict is Verdict.AGREES
    rewrite(dump, 2, t=3)
    result = check_dump(dump)
    assert result.verdict is Verdict.UNDECIDABLE
    assert "t is not one more than in the step before (step 2)" in result.sentence
