"""The docstring of every public name says what goes in, what comes out, and shows it at work."""

from __future__ import annotations

import doctest
import inspect
import re
import sys
from typing import Any

import pytest

import compare
import manual_mlp
import torch_reference
from compare import Experiment, Verdict

PUBLIC = [
    pytest.param(getattr(package, name), id=f"{package.__name__}.{name}")
    for package in (compare, manual_mlp, torch_reference)
    for name in package.__all__
    if callable(getattr(package, name))
]
every_public_name = pytest.mark.parametrize("public", PUBLIC)


def section(public: Any, title: str) -> str:
    """Return the lines of a section of the docstring, or nothing."""
    text = inspect.getdoc(public) or ""
    found = re.search(rf"^{title}:\n((?:    .*\n|\n)+)", text + "\n", re.MULTILINE)
    return found.group(1) if found else ""


def arguments(public: Any) -> list[str]:
    """Return the names of what a public name is called with; an exception takes a sentence."""
    if public in (Experiment, Verdict) or (
        isinstance(public, type) and issubclass(public, Exception)
    ):
        return []  # the fields of Experiment declare their own meaning
    return [name for name in inspect.signature(public).parameters if name != "self"]


@every_public_name
def test_every_argument_is_explained(public: Any) -> None:
    explained = re.findall(r"^    (\w+):", section(public, "Parameters"), re.MULTILINE)
    assert explained == arguments(public)


@every_public_name
def test_what_comes_back_is_explained(public: Any) -> None:
    nothing = isinstance(public, type) or inspect.signature(public).return_annotation in (
        None,
        "None",
    )
    assert nothing or section(public, "Returns")


@every_public_name
def test_what_is_raised_is_explained(public: Any) -> None:
    if isinstance(public, type):  # its methods explain themselves
        return
    raises = re.search(r"^\s+raise \w", inspect.getsource(public), re.MULTILINE)
    assert not raises or section(public, "Raises")


@every_public_name
def test_the_example_is_true(public: Any) -> None:
    module = sys.modules[public.__module__]
    (found,) = doctest.DocTestFinder(recurse=False).find(
        public, public.__name__, globs=vars(module) | {public.__name__: public}
    )
    assert found.examples
    ran = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found)
    assert not ran.failed
