"""Idle threads must sleep: two libraries take turns on the same cores.

OpenBLAS (NumPy) and OpenMP (torch) keep the threads of a finished operation spinning, in the hope
of more work. Here the next operation is the other library's, and on two cores a spinning thread
holds one of the two that it needs: the default run took four times as long.
"""

import os

# 2**10 cycles and 1,000 rounds: long enough for the next operation of the same library.
SHORT_WAITS = {"OPENBLAS_THREAD_TIMEOUT": "10", "GOMP_SPINCOUNT": "1000"}


def let_idle_threads_sleep() -> None:
    """Ask both libraries, before they are loaded, to wait only briefly.

    Whoever has set one of these variables, or OMP_WAIT_POLICY, knows better and is left alone.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in SHORT_WAITS.items():
            os.environ.setdefault(name, value)
