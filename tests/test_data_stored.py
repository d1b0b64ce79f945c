"""Data larger than memory stay in their file: the same rows, refusals and trainings."""

import re
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import Experiment, run_training
from compare.allowance.alike import row_identities
from compare.data import load, memory
from compare.data.npz import UNPACK
from compare.data.stored import StoredRows
from tests.data_files import classes, pixels, refusal, write_mnist, write_npz
from torch_reference.layout import to_tensor

pytestmark = pytest.mark.slow

N = 20
MIB = 2**20
LINUX = pytest.mark.skipif(not memory.STATUS.exists(), reason="the limit is set by Linux's numbers")


def no_room(monkeypatch: pytest.MonkeyPatch, left: int = 0) -> None:
    """Let no more than so many bytes be left."""
    for module in ("features", "npz", "idx"):
        monkeypatch.setattr(f"compare.data.{module}.fits", lambda size: 4 * size <= left)
    monkeypatch.setattr("compare.data.raw.left", lambda: left)


def files(folder: Path, kind: str) -> Path:
    """Write the same images and labels in a format."""
    images, labels = pixels(N), classes(N)
    if kind == "idx":
        return write_mnist(folder, "train", N)
    if kind == "columns":
        return write_npz(folder, images=np.asfortranarray(images), labels=labels)
    values = images.astype(kind) if kind != "uint8" else images
    return write_npz(folder, images=values, labels=np.eye(4)[labels] if kind == ">f4" else labels)


@pytest.mark.parametrize("kind", ["uint8", "float32", ">f4", "float64", "int16", "columns", "idx"])
def test_rows_that_stay_in_their_file_are_the_rows_that_are_held(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(files(tmp_path, kind))
    held = load(path)
    no_room(monkeypatch)
    stored = load(path)
    assert isinstance(stored.train.x, StoredRows)
    assert isinstance(stored.train.x.values, np.memmap)
    for one, two in zip((held.train, held.test), (stored.train, stored.test), strict=True):
        np.testing.assert_array_equal(one.labels, two.labels)
        assert two.x.shape == one.x.shape
        for part in (slice(None), slice(1, 3), np.array([2, 0, 2])):
            np.testing.assert_array_equal(two.x[part], one.x[part])
        np.testing.assert_array_equal(np.array(two.x), one.x)
        narrow: Any = StoredRows(two.x.values, two.x.order).in_format(np.dtype(np.float32))
        rounded = one.x.astype(np.float32)
        np.testing.assert_array_equal(narrow[:], rounded)
        np.testing.assert_array_equal(narrow.astype(np.float64)[:], rounded.astype(np.float64))
        np.testing.assert_array_equal(to_tensor(two.x)[1:3].numpy(), one.x[1:3])


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_training_is_the_same_to_the_last_bit(
    batch_size: int | None, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000 rows of 800 values are four blocks; some rows are equal."""
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (2_000, 800), np.uint8)
    x[100:400] = x[0]
    path = str(write_npz(tmp_path, x=x, y=classes(2_000)))
    asked = Experiment(
        data=path, hidden=(40,), epochs=1, dtype=dtype, threads=1,
        batch_size=None if batch_size is None else 700,
    )  # fmt: skip
    held = run_training(asked)
    no_room(monkeypatch)
    stored = run_training(asked)
    assert held.verdict == stored.verdict != "disagrees"
    assert stored.epochs == held.epochs


@pytest.mark.skipif(which("zip") is None or which("unzip") is None, reason="no zip here")
def test_the_command_for_compressed_files_makes_one_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "data.npz", images=pixels(N), labels=classes(N))
    subprocess.run(UNPACK.format("data.npz"), shell=True, cwd=tmp_path, check=True)
    no_room(monkeypatch)
    assert isinstance(load(str(tmp_path / "stored.npz")).train.x, StoredRows)


def test_equal_rows_are_known_across_blocks() -> None:
    values = np.random.default_rng(0).normal(size=(400, 100))
    values[399] = values[3]
    rows: Any = StoredRows(values, np.arange(400))
    numbers = row_identities(rows)
    assert numbers[3] == numbers[399] and len(np.unique(numbers)) == 399


def test_what_is_not_finite_is_found_in_a_later_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.data.stored.BLOCK_BYTES", 8 * 3 * 4)
    x = np.ones((N, 3))
    x[17, 1], x[18, 0] = np.nan, np.inf
    said = refusal(write_npz(tmp_path, x=x, y=classes(N)))
    assert "holds nan at row 17, value 1, counted from 0 (2 such in all)" in said


def test_a_flipped_byte_is_noticed_in_an_array_that_stays_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_npz(tmp_path, images=pixels(N), labels=classes(N))
    content = path.read_bytes()
    where = content.index(pixels(N).tobytes())
    path.write_bytes(content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :])
    no_room(monkeypatch)
    assert refusal(path).startswith(f"array 'images' of {path} is damaged or cut short")


@pytest.mark.parametrize(("change", "words"), [(-1, "only 119 follow"), (1, "more follow")])
def test_an_idx_file_of_another_size_is_refused(
    change: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_mnist(tmp_path, "train", N)
    body = path.read_bytes()
    path.write_bytes(body[:change] if change < 0 else body + b"\0")
    no_room(monkeypatch)
    assert words in refusal(path) or "at most 119 can be there" in refusal(path)


def test_there_is_no_largest_array_for_what_stays_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.data.raw.LARGEST", 100)
    no_room(monkeypatch)
    assert load(str(write_npz(tmp_path, images=pixels(N), labels=classes(N)))).classes == 4


@pytest.mark.parametrize("kind", ["npz", "gz"])
def test_what_is_compressed_cannot_stay_and_the_command_that_unpacks_it_is_named(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "gz":
        path, command = write_mnist(tmp_path, "train", N, ".gz"), "gunzip --keep train-images"
    else:
        path, command = tmp_path / "data.npz", "zip -0 ../stored.npz *.npy"
        np.savez_compressed(path, images=pixels(N), labels=classes(N))
    no_room(monkeypatch, 200)
    said = refusal(path)
    assert "is compressed and needs 120 bytes of memory, more than half of what is left" in said
    assert command in said


def test_what_is_left_is_the_least_of_machine_group_and_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    before = memory.left()
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("3000\n")
    assert before > 2000 == memory.left()
    assert memory.fits(500) and not memory.fits(501)
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.left() > 2000


CHILD = """
import resource, sys
import torch
import compare.examine.training, compare.judge.naming
from compare.command.main import main
from compare.data.memory import STATUS, lines

def kibibytes(name):
    return next(int(line.split()[1]) for line in lines(STATUS) if line.startswith(name))

torch.set_num_threads(1)
before = kibibytes("RssAnon:")
most = kibibytes("VmData:") * 1024 + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
code = main(sys.argv[2:])
print("held", (kibibytes("RssAnon:") - before) // 1024, "MiB")
sys.exit(code)
"""
THEIRS = """
import manual_mlp
def loss_and_gradients(parameters, x, targets):
    loss, gradients = manual_mlp.loss_and_gradients(parameters, x, targets)
    return loss, gradients | {"b2": gradients["b2"] / len(x)}
"""
ROOM = 288 * MIB


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More bytes than the limit leaves: 64,000 rows of 1,200 float32, 53,334 of which train."""
    folder = tmp_path_factory.mktemp("large")
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 10, 64_000)
    x: NDArray[np.float32] = draw.random((64_000, 1_200), np.float32)
    x[:, :10] += np.eye(10, dtype=np.float32)[labels]
    path = folder / "large.npz"
    np.savez(path, x_train=x, y_train=labels, x_test=x[:9], y_test=labels[:9])
    assert path.stat().st_size > ROOM
    return path


@LINUX
@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 0, "agrees: at all 2 points"),
        (("--batch-size", "3000"), 0, "agrees: at all 19 points"),
        (("--manual",), 1, "a bias gradient that is a mean, not a sum in layer 2 only: db2"),
    ],
    ids=["full batch", "mini-batches", "a wrong file"],
)
def test_a_file_larger_than_the_memory_that_is_left_trains_and_is_checked(
    options: tuple[str, ...], code: int, words: str, large: Path, tmp_path: Path
) -> None:
    """The kernel refuses data beyond the limit; pages of the file are no data."""
    if "--manual" in options:
        (tmp_path / "theirs.py").write_text(THEIRS)
        options = (*options, str(tmp_path / "theirs.py"))
    done = subprocess.run(
        [
            *(sys.executable, "-c", CHILD, str(ROOM), "--data", str(large), "--hidden", "8"),
            *("--epochs", "1", "--threads", "1", "--no-plots", "--out", str(tmp_path / "out")),
            *options,
        ],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert words in re.sub(r"\s+", " ", done.stdout), done.stdout
    held = re.search(r"held (\d+) MiB", done.stdout)
    assert held is not None and int(held[1]) * MIB < ROOM
