"""What every report says about its machine, and what it must never say."""

import getpass
import json
import platform
import sys
from pathlib import Path

import numpy as np
import pytest

from compare.examine import environment as module
from compare.examine.environment import environment
from compare.report.report_json import plain


def test_versions_of_what_computes_are_there() -> None:
    versions = environment()["versions"]
    assert versions["numpy"] == np.__version__
    assert versions["python"] == platform.python_version()
    assert versions.keys() == {"python", *module.PACKAGES}


def test_a_package_that_is_not_installed_is_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package-here",))
    assert module.versions()["no-such-package-here"] == "not installed"


def test_every_loaded_thread_pool_gives_its_thread_count() -> None:
    pools = environment()["thread_pools"]
    assert pools
    assert all(pool["threads"] >= 1 and pool["library"] for pool in pools)


def test_torch_is_asked_only_when_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert environment()["torch_threads"] is None
    assert environment("cuda:1")["device"] == "cuda:1"


def test_nothing_names_the_host_its_user_or_a_folder() -> None:
    text = json.dumps(plain(environment()))
    for secret in (platform.node(), getpass.getuser(), str(Path.home()), sys.prefix):
        assert secret not in text
    assert "/" not in text
