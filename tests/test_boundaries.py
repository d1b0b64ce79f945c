"""The seams between the packages: who may import whom, and what is not loaded before it is needed.

Half of the facts are read off the syntax tree, where an import inside a function shows as well;
the other half is seen from a fresh interpreter in which torch and matplotlib cannot be imported.
"""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("manual_mlp", "torch_reference", "compare")
SOURCES = sorted(path for name in (*PACKAGES, "tests") for path in (ROOT / name).rglob("*.py"))

BLOCK = """
import importlib.abc, sys
HEAVY = {"torch", "matplotlib"}
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Block())
"""
IMPORT_ALL = """
import importlib, pkgutil
import manual_mlp
for module in pkgutil.walk_packages(manual_mlp.__path__, "manual_mlp."):
    importlib.import_module(module.name)
"""
HELP = """
import runpy
sys.argv = ["compare.run", "--help"]
runpy.run_module("compare.run", run_name="__main__", alter_sys=True)
"""


def imported(source: str) -> Iterator[str]:
    """Yield the top-level package of every absolute import, wherever in the source it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def imported_by(package: str) -> set[str]:
    """Return the top-level packages that any module of the package imports."""
    paths = (ROOT / package).rglob("*.py")
    return {name for path in paths for name in imported(path.read_text(encoding="utf-8"))}


def fresh(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter that finds the checkout and cannot import torch."""
    command = [sys.executable, "-c", BLOCK + code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "source", ["import torch.nn", "from torch import nn", "def f():\n    import torch"]
)
def test_the_scan_sees_an_import_wherever_it_stands(source: str) -> None:
    assert list(imported(source)) == ["torch"]


def test_the_fresh_interpreter_cannot_import_torch() -> None:
    done = fresh("import torch")
    assert done.returncode == 1
    assert "ImportError: torch is blocked" in done.stderr


def test_manual_mlp_imports_where_torch_is_not_installed() -> None:
    done = fresh(IMPORT_ALL)
    assert (done.returncode, done.stderr) == (0, "")


def test_manual_mlp_imports_numpy_and_the_standard_library_only() -> None:
    assert imported_by("manual_mlp") <= {"manual_mlp", "numpy", *sys.stdlib_module_names}


def test_torch_reference_never_imports_the_side_it_is_compared_with_or_the_judge() -> None:
    assert imported_by("torch_reference").isdisjoint({"manual_mlp", "compare"})


def test_importing_compare_needs_neither_torch_nor_matplotlib() -> None:
    done = fresh("import compare")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_help_of_the_command_needs_neither_torch_nor_matplotlib() -> None:
    done = fresh(HELP)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--data" in done.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_package_declares_its_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_every_data_file_of_a_package_is_declared_as_package_data() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["tool"]["setuptools"]["package-data"]
    travels = {
        path for name in PACKAGES for glob in declared[name] for path in ROOT.glob(f"{name}/{glob}")
    }
    there = {path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()}
    data = {path for path in there if path.suffix not in {".py", ".pyc"}}
    assert data - travels == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_opens_with_its_place_in_the_story(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
