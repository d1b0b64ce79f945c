"""The same random numbers in every run of a program: what is concluded of it must not change from
run to run, and where two runs differ only what was moved in one of them may tell them apart."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from itertools import count

import numpy as np


@contextlib.contextmanager
def same_numbers() -> Iterator[None]:
    """Let random numbers be the same in every run."""
    made, unseeded = np.random.default_rng, count()
    states = np.random.get_state(), random.getstate()  # noqa: NPY002 - theirs
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    np.random.default_rng = lambda seed=None: made(next(unseeded) if seed is None else seed)
    try:
        yield
    finally:
        np.random.default_rng = made
        np.random.set_state(states[0])  # noqa: NPY002
        random.setstate(states[1])
