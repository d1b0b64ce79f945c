"""A module of theirs that has the name of one of ours: theirs where it can be, else a sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import manual_mlp
from compare.contracts.errors import BadInput
from compare.examine.starter.starter import check_starter
from compare.guard.guard import Guard
from compare.guard.manual_file import module_from_file

OURS = Path(manual_mlp.__file__).parent
SOFTMAX = """import numpy as np
from compare import accuracy
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    accuracy(z, z)
    return e / e.sum(axis=1, keepdims=True)
"""
ACCURACY = "def accuracy(p, y):\n    return (p == y).mean()\n"


def written(folder: Path, **texts: str) -> Path:
    """Write these files; return `mine.py` among them."""
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder / "mine.py"


@pytest.mark.parametrize("theirs", ["compare", "torch_reference", "torch"])
@pytest.mark.parametrize("line", ["import {}", "from {} import accuracy", "import helper"])
def test_a_module_called_like_one_that_is_needed_is_refused_in_a_sentence(
    tmp_path: Path, theirs: str, line: str
) -> None:
    file = written(tmp_path, mine=line.format(theirs), helper=f"import {theirs}")
    (tmp_path / f"{theirs}.py").write_text(ACCURACY)
    with pytest.raises(BadInput, match=rf"line 1 .*: {theirs} is {theirs}\.py .*: rename"):
        module_from_file(file, Guard())


def test_a_package_of_that_name_is_refused_by_its_folder(tmp_path: Path) -> None:
    file = written(tmp_path, mine="def f():\n    import compare\n")
    (tmp_path / "compare").mkdir()
    (tmp_path / "compare" / "__init__.py").write_text(ACCURACY)
    with pytest.raises(BadInput, match=r"line 2 .*rename compare/"):
        module_from_file(file, Guard())


def test_what_is_not_imported_or_is_ours_is_no_hindrance(tmp_path: Path) -> None:
    file = written(tmp_path, mine="import manual_mlp\n", compare=ACCURACY)
    (tmp_path / "manual_mlp").mkdir()
    shutil.copy(OURS / "__init__.py", tmp_path / "manual_mlp")
    assert module_from_file(file, Guard()).manual_mlp is manual_mlp


@pytest.mark.parametrize("place", ["compare.py", "compare/__init__.py"])
def test_functions_of_a_student_use_theirs(tmp_path: Path, place: str) -> None:
    file = written(tmp_path, mine=SOFTMAX)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text(ACCURACY)
    (softmax,) = check_starter(file).functions
    assert softmax.verdict == "agrees"
