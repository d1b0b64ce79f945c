"""A student's file is opened without being run, whatever it looks like.

Everything dangerous in these files writes into a list that the test reads: it must stay empty.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.contracts.errors import BadInput, UserCodeError
from compare.examine.starter.blocks import blocks_of
from compare.examine.starter.cells import Cell, read_cells
from compare.examine.starter.source import Opened, Source, open_source
from compare.guard.effects import Notes
from compare.guard.guard import Guard

RELU = "import numpy as np\ndef relu(x):\n    return np.maximum(x, 0)\n"


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return what was run; files do it with `import bomb; bomb.go("what")`."""
    happened: list[str] = []
    bomb = types.ModuleType("bomb")
    bomb.go = happened.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bomb", bomb)
    yield happened
    assert happened == []


def opened(folder: Path, text: str, *names: str, file: str = "starter.py") -> tuple[Source, Opened]:
    """Write a file, open it, and load the named functions."""
    path = folder / file
    path.write_text(text, encoding="utf-8")
    source = open_source(path, guard=Guard(timeout=20.0))
    return source, source.load(names)


def notes(source: Source) -> str:
    """Return all notes as one text."""
    return "\n".join(source.guard.notes.sentences())


@pytest.mark.parametrize("reader", ["load", "loadtxt", "genfromtxt", "fromfile", "memmap"])
def test_no_constant_is_read_from_a_file(
    tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    monkeypatch.setattr(np, reader, lambda *_, **__: ran.append(reader))
    text = f"import numpy as np\ndata = np.{reader}('weights.npy')\n"
    opened(tmp_path, text + "def relu(x):\n    return np.maximum(x, 0) + 0 * len(data)\n", "relu")


def test_training_plotting_and_loading_never_run(tmp_path: Path, ran: list[str]) -> None:
    text = (
        RELU
        + """
import bomb
bomb.go("loading")
data = bomb.go("assignment")
for epoch in range(3):
    bomb.go("training")
while bomb.go("loop"):
    pass
with bomb.go("with"):
    pass
if True:
    bomb.go("if")
try:
    bomb.go("try")
except Exception:
    pass
def load(data=bomb.go("default")):
    return data
@bomb.go("decorator")
def decorated(x):
    return x
class Net:
    bomb.go("class")
    rate = 0.1
    weights = bomb.go("attribute")
    def __init__(self, w=bomb.go("method default")):
        self.w = w
bomb.go("end") if __name__ == "__main__" else None
assert bomb.go("assert")
"""
    )
    source, got = opened(tmp_path, text, "relu", "load", "decorated", "Net")
    assert got.failed == {}
    assert got.get("load")() is None and got.get("decorated")(3) == 3
    assert got.get("Net")().rate == 0.1
    assert len(source.left_out) == 9
    assert "a decorator of decorated was left out" in notes(source)
    assert "a default of load was read as None: it is a call" in notes(source)


def test_imports_that_nobody_needs_are_not_made(tmp_path: Path) -> None:
    text = "import no_such_module\nfrom no_such import *\n" + RELU
    source, got = opened(tmp_path, text, "relu")
    assert got.get("relu")(-1) == 0 and notes(source) == ""


def test_a_missing_module_stops_only_what_uses_it(tmp_path: Path) -> None:
    text = (
        "import tensorflew as tf\nfrom tensorflew.keras import layers\n"
        + RELU
        + "def softmax(x):\n    return tf.nn.softmax(x)\n"
        + "class Model(tf.keras.Model):\n    pass\n"
        + "def build():\n    return layers.Dense(3)\n"
    )
    source, got = opened(tmp_path, text, "relu", "softmax", "Model", "build")
    assert got.get("relu")(2) == 2 and got.get("Model")() is not None
    assert "tensorflew cannot be imported (ModuleNotFoundError: No module named" in notes(source)
    with pytest.raises(UserCodeError, match=r"line 7 .*: softmax raised ModuleNotFoundError: ten"):
        source.guard.call(got.get("softmax"), 1)
    with pytest.raises(UserCodeError, match=r"layers.Dense is not there"):
        source.guard.call(got.get("build"))


@pytest.mark.parametrize(
    ("old", "new"),
    [("float", 1.5), ("int", 1), ("float_", 1.5), ("bool", True), ("Inf", np.inf), ("NaN", np.nan)],
)
def test_an_old_numpy_name_means_what_it_meant(tmp_path: Path, old: str, new: Any) -> None:
    value = f"np.{old}" if old in ("Inf", "NaN") else f"np.{old}(1.5)"
    source, got = opened(tmp_path, f"import numpy as np\ndef f():\n    return {value}\n", "f")
    np.testing.assert_equal(got.get("f")(), new)
    assert (f"np.{old} is gone from NumPy" in notes(source)) == (old not in dir(np))


def test_old_names_count_under_the_name_numpy_was_given(tmp_path: Path) -> None:
    text = (
        "import numpy\nimport numpy as N\ndef f():\n    return numpy.float(1), N.product([2, 3])\n"
    )
    source, got = opened(tmp_path, text, "f")
    assert got.get("f")() == (1.0, 6)
    assert "np.product is gone from NumPy; it was read as np.prod" in notes(source)


def test_mixed_tabs_are_read_as_eight_columns(tmp_path: Path) -> None:
    source, got = opened(tmp_path, "def f(x):\n\ty = x + 1\n        return y\n", "f")
    assert got.get("f")(1) == 2
    assert notes(source).startswith("tabs mixed with spaces were read as 8 columns wide")


def test_tabs_alone_need_no_note(tmp_path: Path) -> None:
    source, got = opened(tmp_path, "def f(x):\n\tif x:\n\t\treturn 1\n\treturn 2\n", "f")
    assert got.get("f")(0) == 2 and notes(source) == ""


def test_prints_of_python_2_stop_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = 'print "start"\n' + RELU + 'def f(x):\n    print "x =", x\n    return xrange(x)\n'
    source, got = opened(tmp_path, text, "relu", "f")
    assert list(source.guard.call(got.get("f"), 2)) == [0, 1]
    assert "print statements of Python 2 were read as calls (first at line 1)" in notes(source)
    assert capsys.readouterr().out == ""


BROKEN = {
    "no colon": "def broken(x)\n    return x\n",
    "open bracket": "def broken(x:\n    return x\n",
    "open call": "def broken(x):\n    return np.max(x\n",
    "open string": "def broken(x):\n    return 'x\n",
    "open docstring": 'def broken(x):\n    """Never closed.\n    return x\n',
    "bad indent": "def broken(x):\nreturn x\n",
    "assignment": "def broken(x):\n    3 = x\n",
    "python 2": "def broken(x):\n    raise ValueError, 'x'\n",
    "smart quotes": "def broken(x):\n    return \u201cx\u201d\n",
    "merge mark": "<<<<<<< HEAD\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_one_broken_function_stops_no_other(tmp_path: Path, text: str) -> None:
    after = 'RATE = 0.5\ndef good(x):\n    """Fine."""\n    return RATE * x\n'
    source, got = opened(tmp_path, RELU + text + after, "relu", "good")
    assert got.get("relu")(-3) == 0 and got.get("good")(4) == 2
    assert source.broken and source.broken[0].line >= 4
    assert source.broken[0].name == ("broken" if "broken" in text else None)


def test_a_commented_out_block_stays_a_comment(tmp_path: Path) -> None:
    text = "'''\ndef relu(x):\n    return 1\n'''\n" + RELU
    source, got = opened(tmp_path, text, "relu")
    assert got.get("relu")(5) == 5 and source.broken == ()


def test_the_last_definition_of_a_name_counts(tmp_path: Path) -> None:
    _, got = opened(tmp_path, RELU + "def relu(x):\n    return 7\n", "relu")
    assert got.get("relu")(5) == 7


def test_constants_and_helpers_that_are_needed_come_along(tmp_path: Path) -> None:
    text = (
        "import numpy as np\nEPS = 1e-5\nSCALE, (A, B) = 2, (3, 4)\nEYE = np.eye(2)\n"
        "square = lambda x: x * x\nsign = np.vectorize(lambda x: -1.0 if x < 0 else 1.0)\n"
        "LIMIT = np.finfo(float).eps * SCALE\n"
        "def helper(x):\n    return x + EPS + LIMIT\n"
        "def f(x):\n    return square(helper(x)) * sign(A) * EYE[0, 0]\n"
    )
    _, got = opened(tmp_path, text, "f")
    assert got.get("f")(2.0) == pytest.approx(4, abs=1e-3)
    assert "B" in vars(got.module)  # set by the same statement as A


def test_a_constant_that_was_left_out_is_named(tmp_path: Path, ran: list[str]) -> None:
    text = "import bomb\nN = bomb.go('load')\ndef f(x):\n    return x / N\n"
    source, got = opened(tmp_path, text, "f")
    with pytest.raises(UserCodeError) as caught:
        source.guard.call(got.get("f"), 1)
    assert str(caught.value) == (
        "starter.py, line 4 (`return x / N`): f raised NameError: "
        "N is set at starter.py, line 2 (`N = bomb.go('load')`), which was left out"
    )


def test_a_file_beside_it_is_opened_as_carefully(tmp_path: Path, ran: list[str]) -> None:
    beside = "import bomb\nbomb.go('beside')\nfrom starter import relu\nTWO = 2\n"
    (tmp_path / "helper.py").write_text(beside + "def double(x):\n    return TWO * x\n")
    text = RELU + "from helper import *\ndef f(x):\n    return double(relu(x))\n"
    source, got = opened(tmp_path, text, "f")
    assert got.get("f")(3) == 6
    assert "helper.py beside it was opened for what is imported from it" in notes(source)


def notebook(*sources: str | list[str], **metadata: Any) -> str:
    """Return a notebook of code cells after one of text."""
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "source": "relu(x): bad = 1"}]
    cells += [{"cell_type": "code", "source": source} for source in sources]
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4})


def test_a_notebook_is_read_cell_by_cell(tmp_path: Path, ran: list[str]) -> None:
    text = notebook(
        "%matplotlib inline\nimport numpy as np\n!pip install numpy\n",
        ["    def relu(x):\n", "        return np.maximum(x, 0)\n"],
        "%%time\nimport bomb\nbomb.go('cell')\n",
        "%%bash\nrm -rf everything\n",
        "def broken(:\n",
        "def half(x):\n    return x / undefined\nhalf?\n",
    )
    source, got = opened(tmp_path, text, "relu", "half", file="work.ipynb")
    assert got.get("relu")(-1) == 0
    assert "a cell for %%bash was left out" in notes(source)
    assert "the IPython command `%matplotlib inline` was left out" in notes(source)
    with pytest.raises(UserCodeError, match=r"^work.ipynb, cell 6, line 2 \(`return x / undefined"):
        source.guard.call(got.get("half"), 1)
    assert [(one.name, Path(one.file).name) for one in source.broken] == [
        ("broken", "work.ipynb, cell 5")
    ]


def test_notebooks_of_format_3_are_read_too(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "input": RELU}
    text = json.dumps({"worksheets": [{"cells": [cell]}], "nbformat": 3})
    _, got = opened(tmp_path, text, "relu", file="old.ipynb")
    assert got.get("relu")(1) == 1


def binary(content: bytes) -> Callable[[Path], None]:
    """Return a function that writes these bytes to a path."""

    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


BAD: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "no file": ("none.py", lambda path: None, "cannot be read: No such file"),
    "another ending": (
        "a.txt",
        binary(b"x = 1"),
        "give a Python file (.py) or a notebook (.ipynb)",
    ),
    "empty": ("a.py", binary(b" \n\n"), "holds no source code"),
    "no notebook": ("a.ipynb", binary(b"{}"), "is not a Jupyter notebook"),
    "no JSON": ("a.ipynb", binary(b"def"), "is not a Jupyter notebook"),
    "a list": ("a.ipynb", binary(b"[1]"), "is not a Jupyter notebook"),
    "another language": (
        "a.ipynb",
        binary(notebook("x <- 1", kernelspec={"language": "R"}).encode()),
        "is a notebook in r, not in Python",
    ),
}


@pytest.mark.parametrize(("name", "write", "words"), BAD.values(), ids=BAD)
def test_what_is_no_source_is_said_in_one_sentence(
    tmp_path: Path, name: str, write: Callable[[Path], None], words: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(BadInput) as caught:
        open_source(tmp_path / name)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        ("# caf\u00e9\n" + RELU).encode("latin-1"),
        ("# caf\u00e9\n" + RELU).encode("utf-16"),
        ("\ufeff# caf\u00e9\n" + RELU).encode(),
        RELU.replace("\n", "\r\n").encode(),
        RELU.replace("def", "\f\ndef").encode(),
        b"# \0\n" + RELU.encode(),
    ],
    ids=["latin-1", "utf-16", "byte order mark", "windows", "form feed", "nul"],
)
def test_any_encoding_and_line_ending_is_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(content)
    assert open_source(path).load(["relu"]).get("relu")(1) == 1


def test_blocks_keep_their_line_numbers() -> None:
    text = "import a\n\n@d\ndef f(\n    x,\n):\n    return x\n# end\n"
    text += "if a:\n    b\nelse:\n    c\nx = (1,\n2)\n"
    blocks = blocks_of(Cell("f.py", tuple(text.splitlines())))
    assert [(block.line, block.text.splitlines()[0]) for block in blocks] == [
        (1, "import a"),
        (3, "@d"),
        (9, "if a:"),
        (13, "x = (1,"),
    ]


def test_a_definition_that_hangs_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("LARGE = 9 ** 9 ** 9\ndef f(x):\n    return LARGE\n" + RELU)
    source = open_source(path, guard=Guard(timeout=20.0))
    assert source.load(["relu"]).get("relu")(1) == 1


FRAGMENTS = st.sampled_from(
    [
        "def f(x):", "    return x", "\treturn x", "class A:", "import numpy as np", "x = (1,",
        '"""', "'''", "# note", "@decorated", "if x:", "else:", "", "print 'x'", "%time", "!ls",
        "2)", "]", "\\", "    ", "lambda: 0", "f(", "'", "from a import *", "é = 1", "\x0c",
        "async def g():",
    ]
)  # fmt: skip


@given(st.lists(FRAGMENTS, min_size=1, max_size=30))
def test_no_text_can_break_the_opening_of_a_file(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.py"
        path.write_text("\n".join(lines), encoding="utf-8")
        with contextlib.suppress(BadInput):
            source = open_source(path, guard=Guard(timeout=20.0))
            source.load(source.definitions)


@given(st.lists(FRAGMENTS, max_size=30))
def test_no_line_is_lost_between_blocks(lines: list[str]) -> None:
    blocks = blocks_of(Cell("a.py", tuple(lines)))
    for block, following in itertools.pairwise(blocks):
        assert block.line + len(block.text.splitlines()) <= following.line
    assert all(lines[block.line - 1].rstrip() == block.text.splitlines()[0] for block in blocks)


@pytest.mark.parametrize("source", [5, None, [1], [None], {}])
def test_a_notebook_whose_source_is_no_text_is_none(tmp_path: Path, source: object) -> None:
    path = tmp_path / "book.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source}]}))
    with pytest.raises(BadInput, match=r"is not a Jupyter notebook|holds no source code"):
        read_cells(path, Notes())


def test_a_notebook_nested_without_end_is_none(tmp_path: Path) -> None:
    path = tmp_path / "book.ipynb"
    path.write_text("[" * 200_000)
    with pytest.raises(BadInput, match="is not a Jupyter notebook"):
        read_cells(path, Notes())


def test_more_source_than_anybody_writes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("x = 1\n" * 1_500_000)
    with pytest.raises(BadInput, match=r"holds 1,500,000 lines of source; at most 50,000"):
        read_cells(path, Notes())
