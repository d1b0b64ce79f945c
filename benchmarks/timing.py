"""Time several contenders fairly: in turns, each warmed up, on a machine that may be busy.

Rounds are interleaved, so a slow minute hits all contenders alike. Before its turn each one waits
until the threads of the one before have gone to sleep (both BLAS libraries keep idle threads
spinning for some milliseconds, and on two cores these would take the next one's cores), and its
first call of a turn is not counted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles
from time import perf_counter, process_time, sleep

Call = Callable[[], object]
Turn = Callable[[], list[float]]
"""What one contender does in its turn; returns the seconds of everything it counts."""

CLOCKS = {"wall": perf_counter, "processor": process_time}
"""On a machine that others use too, what a process's own processor is busy for moves least. It
counts every thread: with more than one it is no longer the time that anybody waits."""
_clock = ["wall"]

LONG = 5.0  # seconds, beyond which a call needs no warming up
PAUSE = 0.05  # seconds; OpenBLAS lets its threads spin for about 2**26 cycles, 25 ms


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds per call: the median, the fastest, and the quartiles around the median."""

    median: float
    fastest: float
    lower: float
    upper: float
    calls: int


def interleave(contenders: Mapping[str, Call], *, rounds: int, turn: float) -> dict[str, Timing]:
    """Time every contender in `rounds` rounds of turns of about `turn` seconds each."""
    return in_turns(
        {name: partial(one_turn, call, turn) for name, call in contenders.items()}, rounds=rounds
    )


def in_turns(turns: Mapping[str, Turn], *, rounds: int) -> dict[str, Timing]:
    """Let everybody have `rounds` turns, each time another one first."""
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    names = list(turns)
    for start in range(rounds):
        for name in names[start % len(names) :] + names[: start % len(names)]:
            sleep(PAUSE)
            seconds[name] += turns[name]()
    return {name: summary(values) for name, values in seconds.items()}


def one_turn(call: Call, turn: float) -> list[float]:
    """Seconds of each counted call: two to fifty, or one if that takes seconds by itself."""
    warm_up = stopwatch(call)
    if warm_up > LONG:
        return [warm_up]
    seconds: list[float] = []
    while len(seconds) < 2 or (len(seconds) < 50 and sum(seconds) < turn):
        seconds.append(stopwatch(call))
    return seconds


def count_by(clock: str) -> None:
    """Count seconds by this clock from now on."""
    _clock[:] = [clock]


def now() -> float:
    """Return seconds of the clock that counts; only differences mean anything."""
    return CLOCKS[_clock[0]]()


def stopwatch(call: Call) -> float:
    """Seconds of one call."""
    start = now()
    call()
    return now() - start


def summary(seconds: list[float]) -> Timing:
    """Median, minimum and quartiles of the counted calls."""
    lower, _, upper = quantiles(seconds, n=4)
    return Timing(median(seconds), min(seconds), lower, upper, len(seconds))
