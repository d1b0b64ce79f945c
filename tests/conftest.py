"""Every test starts from the same random state, and hypothesis draws the same examples each time.

A failure seen once is then seen again. Nothing here imports torch: the tests of the manual side
must not depend on it.
"""

import gc
import os
import random
import sys
from zlib import crc32

from compare.command.idle_threads import let_idle_threads_sleep

let_idle_threads_sleep()  # before NumPy is loaded
if "PYTEST_XDIST_WORKER" in os.environ:  # a process a core: more threads would only wait
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ten thousand collected tests live to the end: walking over them again and again is for nothing.
gc.set_threshold(50_000, *gc.get_threshold()[1:])

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

# Neither a slow example nor slow drawing is a failure: no test asserts a time.
settings.register_profile(
    "reproducible",
    derandomize=True,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("reproducible")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where SLOW_QUARTER is 0 to 3 leave out the slow tests of the others, told by their names."""
    quarter = os.environ.get("SLOW_QUARTER")
    if quarter is None:
        return
    out = [one for one in items if one.get_closest_marker("slow")
           and crc32(one.nodeid.encode()) % 4 != int(quarter)]  # fmt: skip
    left_out = set(out)
    config.hook.pytest_deselected(items=out)
    items[:] = [one for one in items if one not in left_out]


@pytest.fixture(autouse=True)
def reseed() -> None:
    """Reset the two global generators, for code that reaches for them unasked."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  the legacy generator is the one to be reset


@pytest.fixture
def forked() -> None:
    """Ask for the child process in which layers are analysed."""


@pytest.fixture(autouse=True)
def analysed_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Analyse layers in this process, as where none can be forked: a fork of one with ten thousand
    tests in it takes longer than most of what is asked of it."""
    child = sys.modules.get("compare.layers.child")
    if child is not None and "forked" not in request.fixturenames:
        monkeypatch.setattr(child, "FORKS", False)


@pytest.fixture
def shared_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let diagnoses of one process share their probes and the mistakes computed at them."""
    from tests.shared import share

    share(monkeypatch)
