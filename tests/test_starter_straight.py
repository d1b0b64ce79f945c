"""A right class tells a function whole only where nothing in it chooses what is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.single import as_called
from compare.examine.starter.source import open_source
from compare.guard.guard import Guard

TANH = "1 - np.tanh(z) ** 2"
BRANCHES = {
    "a branch": f"def slope(z, kind):\n    if kind == 's':\n        return z\n    return {TANH}\n",
    "a comparison": f"def slope(z, k):\n    return (k == 's') * z + (k > 's') * ({TANH})\n",
    "a table": "SLOPES = {}\ndef slope(z, kind):\n    return SLOPES[kind](z)\n",
    "a choice": f"def slope(z, at):\n    return np.where(at, z, {TANH})\n",
    "a default": f"def slope(z, k=0):\n    return {TANH} + k\n",
    "a branch below": f"def of(z, k):\n    return z if k else {TANH}\ndef slope(z, k):\n"
    "    return of(z, k)\n",
    "two values": f"def slope(z):\n    return {TANH}, z\n",
}
STRAIGHT = {
    "one line": f"def slope(z):\n    return {TANH}\n",
    "below": f"def of(z):\n    return {TANH}\ndef slope(d, z):\n    s = of(z)\n    return d * s\n",
    "of relu": "def slope(z):\n    return 1.0 * (z > 0)\n",
}


def said(text: str, folder: Path, role: str = "gradient") -> Verdict:
    """The verdict on `slope`, which could not be compared, beside a right class that uses it."""
    path = folder / "net.py"
    path.write_text("import numpy as np\n" + text, encoding="utf-8")
    source = open_source(path, guard=Guard(timeout=None))
    unread = FunctionVerdict("slope", role, None, Verdict.UNDECIDABLE, "was not compared")
    right = FunctionVerdict("Net", "gradient", None, Verdict.AGREES, "agrees")
    (found,) = as_called(source, [unread], [right], {"Net": {"slope"}})
    return found.verdict


@pytest.mark.parametrize("text", BRANCHES.values(), ids=BRANCHES)
def test_a_branch_that_a_right_class_does_not_take_is_not_excused(
    text: str, tmp_path: Path
) -> None:
    assert said(text, tmp_path) is Verdict.UNDECIDABLE


@pytest.mark.parametrize("text", STRAIGHT.values(), ids=STRAIGHT)
def test_what_has_no_branch_is_right_as_a_right_class_uses_it(text: str, tmp_path: Path) -> None:
    assert said(text, tmp_path) is Verdict.AGREES


def test_a_part_of_a_forward_pass_is_right_as_a_right_class_uses_it(tmp_path: Path) -> None:
    assert said(BRANCHES["a branch"], tmp_path, "softmax") is Verdict.AGREES
