"""The benchmark on code by others: headers are read as they are meant, and cases are judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.outside.__main__ import main
from benchmarks.outside.header import Header

WRONG = """# truth: wrong: the gradient is summed, the loss is a mean
# expected verdict: disagrees (1)
# expected cause: summed. Run: --manual FILE --hidden 7
import numpy as np


def loss_and_gradients(p, x, t):
    h = np.maximum(x @ p["w1"] + p["b1"], 0)
    s = h @ p["w2"] + p["b2"]
    s = s - s.max(1, keepdims=True)
    log_p = s - np.log(np.exp(s).sum(1, keepdims=True))
    d = np.exp(log_p) - t
    dz = (d @ p["w2"].T) * (h > 0)
    loss = -(t * log_p).sum() / len(x)
    return float(loss), {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ d, "b2": d.sum(0)}
"""


@pytest.mark.parametrize(
    "verdict, codes",
    [
        ("disagrees (1); dw1 wrong", {1}),
        ("agrees (0), or undecidable (3); never disagrees (1)", {0, 3}),
        ("exit 2, with the line", {2}),
        ("s21 1, 2 or 3", {3}),
        ("never agrees; disagrees (1)", {1}),
    ],
)
def test_the_expected_exit_codes_are_those_the_header_names(verdict: str, codes: set[int]) -> None:
    assert Header("", verdict, "", "").codes == codes


def test_every_command_line_of_a_header_is_run() -> None:
    header = Header("", "", "", "--manual FILE --epochs 1 --batch-size 32; and plain --manual FILE")
    assert header.commands == ("--manual FILE --epochs 1 --batch-size 32", "--manual FILE")


def test_the_options_of_a_call_are_read() -> None:
    header = Header("", "", "", "compare.check(module.loss_and_gradients, hidden=(11,))")
    assert header.call == {"hidden": (11,)}


def test_a_script_whose_input_is_refused_is_right_where_its_header_allows_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = "import compare\n\ncompare.check(lambda p, x, t: None, hidden=(-1,))\n"
    for verdict, code in (("all three exit 2", 0), ("agrees (0)", 1)):
        head = f"# truth: refused\n# expected verdict: {verdict}\n# expected cause: none. Run: "
        (tmp_path / "api").mkdir(exist_ok=True)
        (tmp_path / "api" / "refused.py").write_text(f"{head}python FILE\n{script}", "utf-8")
        assert main(["--cases", str(tmp_path), "--handins", "0"]) == code
        capsys.readouterr()


def test_a_missing_folder_is_said_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cases", "nowhere", "--handins", "0"]) == 0
    assert "skipped" in capsys.readouterr().out


def test_a_case_that_is_judged_right_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "manual"
    folder.mkdir()
    (folder / "summed.py").write_text(WRONG)
    assert main(["--cases", str(tmp_path), "--handins", "0"]) == 0
    assert "gradient-summed" in capsys.readouterr().out


def test_a_case_with_another_verdict_fails(tmp_path: Path) -> None:
    folder = tmp_path / "manual"
    folder.mkdir()
    (folder / "summed.py").write_text(WRONG.replace("disagrees (1)", "agrees (0)"))
    assert main(["--cases", str(tmp_path), "--handins", "0"]) == 1
