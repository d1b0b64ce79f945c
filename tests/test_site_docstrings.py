"""The API page: examples are code, and every setting of `Experiment` is listed with its help."""

from __future__ import annotations

import importlib.util
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from compare import Experiment

griffe = pytest.importorskip("griffe", reason="the extra `docs` is not installed")
SCRIPT = Path(__file__).parent.parent / "scripts" / "site_docstrings.py"


@pytest.fixture(scope="module")
def module() -> Any:
    """The module of `Experiment` as the page reads it."""
    spec = importlib.util.spec_from_file_location("site_docstrings", SCRIPT)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    extensions = griffe.load_extensions(script.Docstrings())
    return griffe.load("compare.contracts.experiment", extensions=extensions)


def section(module: Any, kind: str) -> Any:
    """The section of one kind in the docstring of the settings."""
    (found,) = [
        one for one in module["Experiment"].docstring.parse("google") if one.kind.value == kind
    ]
    return found.value


@pytest.mark.slow
def test_an_example_is_read_as_code(module: Any) -> None:
    ((_, text),) = section(module, "examples")
    assert text.startswith(">>> Experiment(hidden=20") and text.endswith("\n'float32'")


def test_every_setting_has_its_help_and_a_default_as_it_is_written(module: Any) -> None:
    listed = {one.name: one for one in section(module, "parameters")}
    assert set(listed) == {one.name for one in fields(Experiment)}
    assert "passes over the training data" in listed["epochs"].description
    assert module["Experiment"]["epochs"].value == "200"
    assert "setting(" not in str(module["Experiment"]["patience"].value)
