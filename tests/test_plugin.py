"""The pytest plugin, run as its users run it: in a pytest of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]
ROOT = Path(__file__).resolve().parent.parent
HEAD = """
from functools import partial
from manual_mlp import loss_and_gradients

def wrong(parameters, x, targets):
    loss, gradients = loss_and_gradients(parameters, x, targets)
    return loss, {name: len(x) * gradient for name, gradient in gradients.items()}

def raising(parameters, x, targets):
    return x @ parameters["w2"]
"""


def run(
    pytester: pytest.Pytester, tests: str, *arguments: str, head: str = HEAD
) -> pytest.RunResult:
    """Run tests in a fresh interpreter, which has to find the plugin by itself."""
    pytester.makepyfile(test_mine=head + tests)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


Together = tuple[Path, pytest.LineMatcher]
TOGETHER = (
    HEAD
    + """
import pytest
from manual_mlp import Criterion, Penalty
from manual_mlp.optimisers import Adam, stepping

squared = partial(
    loss_and_gradients, activation="gelu", criterion=Criterion("mse", "sigmoid"),
    penalty=Penalty(1e-2),
)
DECLARED = {"loss": "mse", "output": "sigmoid", "activation": "gelu", "l2": 1e-2}
adam = stepping(Adam(0.01))

def test_defaults(crosscheck):
    assert crosscheck(loss_and_gradients).verdict == "agrees"

def test_options(crosscheck):
    tanh = partial(loss_and_gradients, activation="tanh", reduction="sum")
    result = crosscheck(
        tanh, hidden=(7, 3), activation="tanh", dtype="float32", seed=5, reduction="sum")
    assert result.settings["sizes"] == [13, 7, 3, 5] and result.settings["seed"] == 5

def test_declared(crosscheck):
    result = crosscheck(squared, step=adam, optimiser="adam", learning_rate=0.01, **DECLARED)
    assert "m_w1" in result.worst

def test_undeclared(crosscheck):
    with pytest.raises(AssertionError, match="--loss mse"):
        crosscheck(squared, activation="gelu")

def test_another_optimiser(crosscheck):
    with pytest.raises(AssertionError, match="--optimiser adam"):
        crosscheck(
            squared, step=adam, optimiser="rmsprop", momentum=0, learning_rate=0.01, **DECLARED)

def test_raising(crosscheck):
    crosscheck(raising)

def test_near_keyword(crosscheck):
    crosscheck(wrong, activations="tanh")

def test_wrong_is_kept(crosscheck):
    crosscheck(wrong, baseline="wrong")

def test_path(crosscheck):
    crosscheck(loss_and_gradients, baseline="../mine")
"""
)
PASSING = ("defaults", "options", "declared", "undeclared", "another_optimiser")
FAILING = ("raising", "near_keyword", "wrong_is_kept", "path")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Together:
    """Run many tests in one fresh interpreter; return its folder and what it printed."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "test_mine.py").write_text(TOGETHER.lstrip())
    line = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "--crosscheck-update"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    return folder, pytest.LineMatcher(done.stdout.splitlines())


@pytest.mark.parametrize("name", PASSING)
def test_right_functions_pass_with_their_options(together: Together, name: str) -> None:
    together[1].fnmatch_lines([f"PASSED test_mine.py::test_{name}"])


@pytest.mark.parametrize("name", FAILING)
def test_what_is_wrong_fails_and_shows_none_of_our_frames(together: Together, name: str) -> None:
    together[1].fnmatch_lines([f"FAILED test_mine.py::test_{name} - *"])
    together[1].no_fnmatch_line("*manual_mlp_pytest.py*")
    together[1].no_fnmatch_line("*guard.py*")


def test_code_that_raises_is_told_its_line(together: Together) -> None:
    together[1].fnmatch_lines(
        ["E *Disagreement: disagrees (structure): test_mine.py, line 9 *: raising raised*"]
    )


def test_a_near_keyword_is_named(together: Together) -> None:
    together[1].fnmatch_lines(["E *check() has no keyword activations; did you mean activation?*"])


def test_a_wrong_gradient_is_never_kept(together: Together) -> None:
    assert not (together[0] / "crosscheck_baselines").exists()


def test_a_baseline_is_a_name_and_no_path(together: Together) -> None:
    together[1].fnmatch_lines(["E *baseline='../mine': must be a name of letters*"])


def test_a_failure_is_one_screen_without_our_frames_and_is_kept(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    tests = """
def test_wrong(crosscheck):
    crosscheck(wrong)

def test_twice(crosscheck):
    for _ in range(2):
        try:
            crosscheck(wrong)
        except AssertionError:
            pass
"""
    done = run(pytester, tests, "--crosscheck-artifacts", "kept")
    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines(
        [
            "*crosscheck(wrong)",
            "E *Disagreement: disagrees (derivative): *",
            "E *manual *",
            "E *reference *",
            "E *× allowance",
            "E *mistake *gradient-summed*",
            "test_mine.py:*: Disagreement",
            "report and plots are in kept*test_mine.py-test_wrong",
            "::error file=test_mine.py,line=4,title=wrong gradient::disagrees (derivative): *",
        ]
    )
    done.stdout.no_fnmatch_line("*manual_mlp_pytest.py*")
    done.stdout.no_fnmatch_line("*single_point.py*")
    kept = pytester.path / "kept"
    assert sorted(path.name for path in kept.iterdir()) == [
        "test_mine.py-test_twice",
        "test_mine.py-test_twice-2",
        "test_mine.py-test_wrong",
    ]
    report = json.loads((kept / "test_mine.py-test_wrong" / "report.json").read_text())
    assert report["verdict"] == "disagrees" and "report.html" in report["files"]


def test_loading_the_plugin_loads_nothing_heavy(pytester: pytest.Pytester) -> None:
    tests = """
import sys

def test_loaded(request):
    assert request.config.getoption("--crosscheck-artifacts") is None
    assert not {"torch", "matplotlib", "numpy", "compare"} & set(sys.modules)
"""
    run(pytester, tests, head="").assert_outcomes(passed=1)


def test_pytest_finds_the_plugin_without_configuration() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert project["entry-points"]["pytest11"] == {"crosscheck": "manual_mlp_pytest"}


def test_a_project_with_a_compare_of_its_own_is_not_harmed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        compare="def same(a, b):\n    return a == b\n",
        test_mine="from compare import same\n\ndef test_it():\n    assert same(1, 1)\n",
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_fixture_that_cannot_reach_the_package_says_whose_module_is_in_the_way(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        compare="", test_mine="import compare\n\ndef test_it(crosscheck):\n    crosscheck(len)\n"
    )
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*crosscheck needs the package `compare`*compare.py is imported*"])


BASELINE = """
import os

def mine(parameters, x, targets):
    loss, gradients = loss_and_gradients(parameters, x, targets)
    return loss, {name: gradient for name, gradient in gradients.items()}

def test_kept(crosscheck):
    crosscheck(mine, baseline="mine", hidden=(7,), seed=int(os.environ.get("SEED", "0")))
"""


def test_a_baseline_is_kept_on_request_and_agrees_with_itself(pytester: pytest.Pytester) -> None:
    missing = run(pytester, BASELINE)
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(
        ["E *BadInput: baseline='mine': there is no *mine.json; keep one*"]
    )
    run(pytester, BASELINE, "--crosscheck-update").assert_outcomes(passed=1)
    kept = json.loads((pytester.path / "crosscheck_baselines" / "mine.json").read_text())
    assert [sorted(row["norms"]) for row in kept["points"]] == [["b1", "b2", "w1", "w2"]] * 3
    run(pytester, BASELINE).assert_outcomes(passed=1)


def test_what_moved_against_the_baseline_fails_the_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(pytester, BASELINE, "--crosscheck-update").assert_outcomes(passed=1)
    monkeypatch.setenv("SEED", "1")
    done = run(pytester, BASELINE)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "E *Disagreement: setting changed: seed was 0, is 1",
            "E *machine changed: points was *",
            "E *manual loss moved first at point 0, *",
            "E *baseline *mine.json: * numbers moved beyond allowance, first at point 0 *",
        ]
    )
    done.stdout.no_fnmatch_line("*manual_mlp_pytest.py*")


def test_another_order_of_summation_moves_nothing(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = """
import os

def turned(parameters, x, targets):
    step = int(os.environ.get("STEP", "1"))
    return loss_and_gradients(parameters, x[::step], targets[::step])

def test_kept(crosscheck):
    crosscheck(turned, baseline="turned", dtype="float32")
"""
    run(pytester, tests, "--crosscheck-update").assert_outcomes(passed=1)
    monkeypatch.setenv("STEP", "-1")
    run(pytester, tests).assert_outcomes(passed=1)


def test_a_name_that_two_cases_keep_is_an_error_at_the_update(pytester: pytest.Pytester) -> None:
    tests = """
import pytest

@pytest.mark.parametrize("width", [7, 8])
def test_kept(crosscheck, width):
    crosscheck(loss_and_gradients, baseline="NAME", hidden=(width,))
"""
    done = run(pytester, tests.replace("NAME", "one"), "--crosscheck-update")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["E *BadInput: baseline='one': test_mine.py::test_kept?7? has just*"])
    apart = tests.replace('"NAME"', 'f"of-{width}"')
    run(pytester, apart, "--crosscheck-update").assert_outcomes(passed=2)
