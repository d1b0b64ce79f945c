"""Mutated inputs: a right one is written once, then bytes, numbers, names or structure change.

A change of a number of a dump by a half and more, or of any sign, is wrong, and green would be
false. Of changed bytes nobody knows whether they mean anything; green is then asked of NumPy: if
the archive still holds the numbers it held, the change was none.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.fuzz.kept import Attempt, Clock, Tally, Workplace, command, run
from compare.contracts.errors import BadInput
from compare.data import load
from compare.examine.dump.dump import check_dump
from compare.examine.environment import environment
from compare.judge.naming import Named
from compare.report.baseline.numbers import load as load_baseline

COMMON = ["--no-plots", "--quiet", "--out", "o"]
SHAPES = {"w1": (4, 5), "b1": (5,), "w2": (5, 3), "b2": (3,)}
Change = Callable[[random.Random, Path], bool]


def write_dump(folder: Path, steps: int = 3) -> Path:
    """Write a right dump of a small network, in plain NumPy."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(7, 4)), np.eye(3)[np.arange(7) % 3]
    w = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    v = {name: np.zeros_like(array) for name, array in w.items()}
    for number in range(steps):
        z = x @ w["w1"] + w["b1"]
        h = np.maximum(z, 0)
        e = np.exp(h @ w["w2"] + w["b2"])
        p = e / e.sum(1, keepdims=True)
        d = (p - targets) / 7
        dz = d @ w["w2"].T * (z > 0)
        g = {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ d, "b2": d.sum(0)}
        step: dict[str, Any] = {
            "loss": -(targets * np.log(p)).sum() / 7,
            "x": x,
            "targets": targets,
            **w,
        }
        step |= {"z1": z, "h1": h, "p": p}
        step |= {f"d{k}": a for k, a in g.items()} | {f"v_{k}": a for k, a in v.items()}
        save: Any = np.savez  # its stub takes the names of arrays for its own options
        save(folder / f"step_{number:05d}.npz", **step)
        v = {name: 0.9 * v[name] + 0.1 * g[name] for name in w}
        w = {name: w[name] - v[name] for name in w}
    run_file = {"format": 1, "activation": "relu", "learning_rate": 0.1, "momentum": 0.9}
    (folder / "run.json").write_text(json.dumps(run_file | {"reduction": "mean"}))
    return folder


def bytes_changed(rng: random.Random, path: Path) -> None:
    """Flip, cut, double or insert bytes of a file."""
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(data) or 1)
        match rng.randrange(4):
            case 0 if data:
                data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
            case 1:
                del data[at : at + rng.choice((1, 4, 100))]
            case 2:
                data[at:at] = data[at : at + 20]
            case _:
                data[at:at] = rng.randbytes(rng.choice((1, 4)))
    path.write_bytes(data)


def numbers_changed(rng: random.Random, folder: Path) -> bool:
    """Change one recorded array of one step beyond all rounding; green would be false."""
    path = rng.choice(sorted(folder.glob("step_*.npz")))
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    name = rng.choice([name for name in sorted(arrays) if name not in ("x", "targets")])
    array = np.array(arrays[name])
    if not np.any(array):
        array = array + 1.0
    else:
        array = array * rng.choice((-1.0, 2.0, 0.5, 1.5, 1e30))
    match rng.randrange(6):
        case 0:
            array = array.T.copy() if array.ndim == 2 else array[None]
        case 1:
            array = array + np.nan
        case 2 if array.ndim:
            array = array[:0]
        case _:
            pass
    arrays[name] = array
    np.savez(path, **arrays)
    return True


def names_changed(rng: random.Random, folder: Path) -> bool:
    """Spoil a step and spell its name, or that of an array, otherwise."""
    path = rng.choice(sorted(folder.glob("step_*.npz"))[1:])
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["dw1"] = -3 * arrays["dw1"] - 1
    path.unlink()
    stem = path.stem
    name = rng.choice((f"{stem}.NPZ", f"{stem.title()}.npz", f"{stem}.npz.npz", stem.upper()))
    with (folder / name).open("wb") as file:
        np.savez(file, **arrays)
    return True


def run_changed(rng: random.Random, folder: Path) -> bool:
    """Put a strange value or key into run.json; whether it is wrong is not known."""
    path = folder / "run.json"
    content = json.loads(path.read_text())
    strange: list[Any] = [
        None,
        True,
        5,
        -1,
        0,
        1e400,
        float("nan"),
        10**400,
        "relu",
        "x" * 9,
        [],
        [1],
        {},
    ]
    key = rng.choice([*content, "names", "form", "dtype", "Activation", "\udcff"])
    content[key] = rng.choice(strange)
    path.write_text(json.dumps(content), encoding="utf-8", errors="surrogatepass")
    return False


def run_bytes(rng: random.Random, folder: Path) -> bool:
    """Change bytes of run.json."""
    bytes_changed(rng, folder / "run.json")
    return False


def step_bytes(rng: random.Random, folder: Path) -> bool:
    """Change bytes of a step; a zip's checksums find those of its content."""
    bytes_changed(rng, rng.choice(sorted(folder.glob("step_*.npz"))))
    return False


DUMPS: tuple[Change, ...] = (
    numbers_changed, numbers_changed, names_changed, run_changed, run_bytes, step_bytes,
)  # fmt: skip


def dumps(count: int, seed: int, clock: Clock) -> Tally:
    """Attack the check of dumps in one process: it runs nothing of others.

    The mistakes are not named, which takes most of the time and changes no verdict.
    """
    tally, rng = Tally(), random.Random(seed)
    with Workplace() as place, unnamed():
        original = write_dump(place.top / "original")
        files = {path.name: path.read_bytes() for path in original.iterdir()}
        for _ in range(count):
            if clock.over():
                break
            folder = place.fresh() / "d"
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_bytes(content)
            change = rng.choice(DUMPS)
            wrong = change(rng, folder)
            attempt = read(lambda: int(check_dump(folder).exit_code))  # noqa: B023  # called at once
            tally.add(change.__name__, attempt, wrong=wrong)
    return tally


@contextmanager
def unnamed() -> Iterator[None]:
    """Name no mistake of a point or an update, and ask for the versions once."""
    named, now = "compare.judge.conclusion.name_", environment()
    with (
        patch(f"{named}mistake", lambda *_: Named()),
        patch(f"{named}update", lambda *_: Named()),
        patch("compare.examine.dump.dump.environment", lambda: now),
    ):
        yield


def data_files(count: int, seed: int, clock: Clock) -> Tally:
    """Attack the readers of data sets and baselines."""
    tally, rng = Tally(), random.Random(seed)
    with Workplace() as place:
        originals = write_files(place.top)
        for _ in range(count):
            if clock.over():
                break
            name = rng.choice(sorted(originals))
            path = place.fresh() / name
            path.write_bytes(originals[name])
            bytes_changed(rng, path)
            changed = path.read_bytes() != originals[name]
            wrong = (
                changed
                and name.endswith(".json")
                and meaning(path) != originals_meaning(originals[name])
            )
            reader: Callable[[Path], object] = load_baseline if name.endswith(".json") else data
            attempt = read(lambda: 0 * bool(reader(path)))  # noqa: B023  # called at once
            tally.add(name, attempt, wrong=wrong)
    return tally


def data(path: Path) -> object:
    """Read a data set."""
    return load(str(path))


def meaning(path: Path) -> Any:
    """Return what a JSON file says, or its bytes where it says nothing."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return path.read_bytes()


def originals_meaning(content: bytes) -> Any:
    """Return what the JSON said before."""
    return json.loads(content)


def write_files(top: Path) -> dict[str, bytes]:
    """Write a data set in each format, and a baseline; return their bytes by name."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 4, 4)).astype(np.uint8), np.arange(30) % 3
    np.savez(top / "d.npz", images=images, labels=labels)
    np.savez_compressed(top / "c.npz", images=images, labels=labels)
    quiet = ["--data", str(top / "d.npz"), "--hidden", "3", "--epochs", "2", *COMMON[:2]]
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        command([*quiet, "--out", str(top / "o"), "--save-baseline", str(top / "b.json")])
    return {name: (top / name).read_bytes() for name in ("d.npz", "c.npz", "b.json")}


def read(call: Callable[[], int]) -> Attempt:
    """Call a reader in this process: a BadInput is a sentence, anything else is a traceback."""
    try:
        return Attempt(call(), "", True, 0.0)
    except BadInput as problem:
        lines = str(problem).count("\n")
        return Attempt(2, "Traceback: two lines" if lines else "", True, 0.0)
    except Exception as problem:
        return Attempt(4, f"Traceback: {type(problem).__name__}: {problem}", True, 0.0)


def end_to_end(count: int, seed: int, clock: Clock) -> Tally:
    """Attack the whole command with dumps, each in a fork."""
    tally, rng = Tally(), random.Random(seed)
    with Workplace() as place:
        for _ in range(count):
            if clock.over():
                break
            folder = place.fresh()
            write_dump(folder / "d")
            change = rng.choice(DUMPS)
            wrong = change(rng, folder / "d")
            tally.add(change.__name__, run(["--dump", "d", *COMMON], folder), wrong=wrong)
    return tally
