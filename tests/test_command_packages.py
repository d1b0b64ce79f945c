"""A module of a package as a path: its relative imports, its `__init__.py`, and FILE.py:NAME."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare import run
from compare.command.given import tasks
from compare.contracts.errors import UserCodeError
from compare.guard.manual_file import load

RELATIVE = (
    "from .mlp import right\n\n\ndef loss_and_gradients(parameters, x, targets):\n    return "
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a folder of a package whose modules import each other."""
    folder = tmp_path / "src" / "tinynet"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "mlp.py").write_text(
        "from manual_mlp import loss_and_gradients as right\n", encoding="utf-8"
    )
    (folder / "rel.py").write_text(f"{RELATIVE}right(parameters, x, targets)\n", encoding="utf-8")
    (folder / "wrong.py").write_text(
        f"{RELATIVE}2 * right(parameters, x, targets)[0], right(parameters, x, targets)[1]\n",
        encoding="utf-8",
    )
    return folder


@pytest.mark.parametrize(("name", "code"), [("rel.py", 0), ("wrong.py", 1)])
@pytest.mark.parametrize("behind", ["", ":loss_and_gradients"])
def test_a_module_of_a_package_is_imported_as_part_of_it(
    name: str, code: int, behind: str, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(package.parent)
    arguments = ["check", f"{package / name}{behind}", "--no-plots", "--quiet"]
    assert run.main(arguments) == code


def test_without_a_package_the_way_on_is_named(package: Path) -> None:
    (package / "__init__.py").unlink()
    with pytest.raises(
        UserCodeError, match=r"put an __init__\.py into its folder, or give --manual"
    ):
        load(str(package / "rel.py"))


def test_an_init_that_defines_nothing_is_passed_over_and_one_with_a_function_is_not(
    package: Path,
) -> None:
    def names() -> list[str]:
        return [Path(task.path).name for task in tasks({}, [str(package)])]

    assert names() == ["mlp.py", "rel.py", "wrong.py"]
    (package / "__init__.py").write_text("def relu(z):\n    return z * (z > 0)\n", encoding="utf-8")
    assert names() == ["__init__.py", "mlp.py", "rel.py", "wrong.py"]


def test_a_layer_with_a_name_behind_stays_a_layer(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("reference = inputs = manual = None\n", encoding="utf-8")
    (found,) = tasks({}, [f"{tmp_path / 'a.py'}:manual"])
    assert found.way == "layer"
    assert "--manual takes it otherwise" in found.words()
