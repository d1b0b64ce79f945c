"""`python -m compare.run` as a process of its own, started in another folder.

Each of these loads torch anew, so there are few of them; what needs no process is tested in
test_command_run.py.
"""

import os
import re
import signal
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import compare
from tests.test_command_run import report

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "compare.run"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
WITHOUT_HEAVY_IMPORTS = """
import sys
import tomllib
from compare.run import main
code = main(["--momentum", "2"])
print(code, {"torch", "matplotlib"} & set(sys.modules))
"""

WITH_A_LAST_WORD = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_threshold()[0] > 10_000, gc.get_freeze_count() > 1_000))
sys.argv = ["manual-mlp", "--version"]
from compare.command.process import door
sys.exit(door())
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start every process in a folder of its own, and as if on nobody's build server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(ENVIRONMENT, "GITHUB_STEP_SUMMARY", raising=False)


def finished(*command: str) -> subprocess.CompletedProcess[str]:
    """Run `command` to its end."""
    return subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, encoding="utf-8", check=False
    )


def interrupted(*arguments: str, when: bytes) -> int:
    """Press Ctrl-C as soon as `when` stands on the terminal; return the exit code."""
    terminal, screen = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=screen
    )
    os.close(screen)
    seen = b""
    while when not in seen:
        seen += os.read(terminal, 1024)
    process.send_signal(signal.SIGINT)
    drain(terminal)
    os.close(terminal)
    return process.wait()


def drain(terminal: int) -> None:
    """Read on until the other side is closed, so that it never waits for a reader."""
    try:
        while os.read(terminal, 1024):
            pass
    except OSError:  # what Linux says when nobody holds the other side any more
        pass


def test_a_run_from_another_folder_leaves_a_complete_report() -> None:
    done = finished(*COMMAND, "--epochs", "3", "--batch-size", "400", "--plots", "svg")
    assert (done.returncode, done.stderr) == (0, "")
    document = report()
    assert document["settings"]["updates"] == 12
    assert document["checks"][0]["made"] == 13
    assert {path.name for path in Path("compare-report").iterdir()} == {
        "report.json",
        *document["files"],
    }
    assert {"loss.svg", "report.html"} <= set(document["files"])


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")
def test_ctrl_c_in_the_middle_of_a_run_leaves_the_report_of_the_updates_done() -> None:
    assert interrupted("--epochs", "100000", "--no-plots", when=b"epoch") == 130
    document = report()
    assert (document["verdict"], document["interrupted"]) == ("agrees", True)
    assert 1 <= len(document["epochs"]) < 100000


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")
def test_ctrl_c_before_the_first_update_leaves_a_report_of_nothing() -> None:
    assert interrupted("--no-plots", when=b"preparing") == 130
    document = report()
    assert (document["verdict"], document["interrupted"]) == ("undecidable", True)
    assert document["epochs"] == []


def test_a_usage_error_loads_nothing_heavy() -> None:
    done = finished(sys.executable, "-c", WITHOUT_HEAVY_IMPORTS)
    assert done.stdout == "2 set()\n"
    assert done.stderr.startswith("error: --momentum: must be a number from 0")


SCRIPT = "import sys\nfrom compare.command.process import door\nsys.exit(door())\n"
"""What an installer writes for the entry point."""


def test_the_console_command_works_beside_a_compare_of_somebody_else(tmp_path: Path) -> None:
    Path("compare.py").write_text("raise SystemExit('theirs')\n")
    script = tmp_path / "bin" / "manual-mlp"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    done = finished(sys.executable, str(script), "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"manual-mlp \S+\n", done.stdout)
    assert "usage: manual-mlp [OPTIONS]" in finished(sys.executable, str(script), "--help").stdout


def test_the_console_command_is_declared() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    assert scripts == {"manual-mlp": "compare.command.process:door"}


def test_the_package_is_a_command_too() -> None:
    done = finished(sys.executable, "-m", "compare", "--version")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_lists_its_public_names_and_its_version() -> None:
    assert dir(compare) == sorted([*compare.__all__, "__version__"])
    assert compare.__version__ == version("manual-mlp")


def test_a_command_does_not_walk_over_its_modules_once_more_when_it_ends() -> None:
    process = finished(sys.executable, "-c", WITH_A_LAST_WORD)
    assert process.returncode == 0 and process.stdout.endswith("True True\n")
