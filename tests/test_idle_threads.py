"""The command asks for short waits in time, and only where nobody else has asked."""

import os
import subprocess
import sys

import pytest

from compare.command.idle_threads import SHORT_WAITS, let_idle_threads_sleep


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SHORT_WAITS, "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that monkeypatch takes back what the test sets
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("unset")
def test_both_libraries_are_asked_to_wait_briefly() -> None:
    let_idle_threads_sleep()
    assert {name: os.environ[name] for name in SHORT_WAITS} == SHORT_WAITS


@pytest.mark.usefixtures("unset")
@pytest.mark.parametrize("name", SHORT_WAITS)
def test_a_wait_that_the_user_chose_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "20")
    let_idle_threads_sleep()
    assert os.environ[name] == "20"


@pytest.mark.usefixtures("unset")
def test_a_wait_policy_that_the_user_chose_stays_the_only_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    let_idle_threads_sleep()
    assert not any(name in os.environ for name in SHORT_WAITS)


def test_the_command_asks_before_either_library_is_loaded() -> None:
    program = """
import sys
import compare.command.idle_threads
def asked():
    raise SystemExit(0 if not {"numpy", "torch"} & set(sys.modules) else 1)
compare.command.idle_threads.let_idle_threads_sleep = asked
import compare.run
compare.run.main([])
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
