"""The command in a report checks the same again, and tells nobody's folders."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from compare.command.main import main
from compare.command.options import parse
from compare.command.typed import command_line


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "--hidden 12,9 --activation leaky_relu:0.2 --seed 5 --epochs 3",
        "--hidden none --batch-size 32 --bias false --class-weights 1,2,0.5",
        "--preset report --learning-rate 0.2 --timeout 3",
        "--manual mine.py:gradient --inputs 7 --classes 3 --per-sample",
        "--dump recorded --reduction sum",
    ],
)
def test_the_command_reads_as_the_same_options(typed: str) -> None:
    options = parse(typed.split())
    program, *again = shlex.split(command_line(options))
    found = parse(again)
    assert program == "manual-mlp"
    assert found.experiment == options.experiment
    kept = ("manual", "dump", "inputs", "classes", "per_sample", "timeout", "given")
    assert {name: getattr(found, name) for name in kept} == {
        name: getattr(options, name) for name in kept
    }


def test_no_folder_stands_in_the_command(tmp_path: Path) -> None:
    out = ["--out", str(tmp_path), "--data", f"{tmp_path}/mine.npz"]
    typed = command_line(parse(["--manual", f"{tmp_path}/a file.py", *out]))
    assert typed == "manual-mlp --manual 'a file.py' --data mine.npz"


def test_a_report_of_many_names_its_own_file_only(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        (tmp_path / f"{name}.py").write_text(
            "import numpy as np\n\ndef relu(z):\n    return np.maximum(z, 0)\n"
        )
    out = tmp_path / "out"
    arguments = ["--starter", str(tmp_path), "--no-plots", "--quiet", "--out", str(out)]
    main(arguments)
    report = json.loads((out / "bob" / "report.json").read_text(encoding="utf-8"))
    assert report["command"] == "manual-mlp --starter bob.py"
