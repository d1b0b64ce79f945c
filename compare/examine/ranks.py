"""The ranks of a data-parallel run: processes that each hold some of the rows.

`torchrun` starts them and tells each its number. Whatever they have to know of each other goes
through here: sums over all ranks (`torch.distributed`, gloo), and whether all still stand at the
same numbers. What goes wrong between ranks is one sentence, a `LostRank`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Any, TypeVar, cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput, Raised, UserCodeError, WrongCall
from compare.guard.blame import places_of_traceback

Answer = TypeVar("Answer")


LONGEST = 1000
"""Bytes of what one rank tells all others."""
THEIR_PART = 0.5
"""Of the time limit that sums of the code under test wait for; ours then still hear of it."""
ALONE = (
    "rank 0 also calls it alone, to examine it, so it must not wait for other ranks: add up in a "
    "function reduced(loss, gradients, rows)"
)


class LostRank(UserCodeError):
    """A rank died, hung, or stands at other numbers than the others."""


class OtherNumbers(LostRank):
    """A rank stands at other numbers than rank 0."""


@dataclass(slots=True)
class Ranks:
    """This process among `size` others, as number `rank`; `asked_to_end` once SIGTERM arrived.

    Our sums have a `group` of their own: sums of the code under test, which may be made on one rank
    and not on another, cannot be taken for them.
    """

    rank: int
    size: int
    asked_to_end: bool = False
    group: Any = None

    def rows(self, count: int) -> slice:
        """The rows of `count` that this rank holds; shares differ by at most one row."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def summed(self, arrays: Mapping[str, NDArray[np.floating]]) -> Arrays:
        """The sum over all ranks of arrays that have the same names and shapes on each.

        Every rank gets the same sum, to the last bit: all continue from the same numbers.
        """
        import torch
        from torch import distributed

        tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        with between_ranks():
            for tensor in tensors.values():
                distributed.all_reduce(tensor, group=self.group)
        return {name: tensor.numpy() for name, tensor in tensors.items()}

    def totals(self, *numbers: float) -> list[float]:
        """The sums over all ranks of a few numbers, in float64."""
        found: list[float] = self.summed({"": np.array(numbers, np.float64)})[""].tolist()
        return found

    def require_same(self, what: str, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Raise `LostRank` unless all ranks hold the same bytes."""
        seen = 0
        for array in arrays.values():
            seen = crc32(np.ascontiguousarray(array).tobytes(), seen)
        mine = np.zeros(self.size)
        mine[self.rank] = seen
        everybody = self.summed({"": mine})[""]
        if (others := np.flatnonzero(everybody != everybody[0])).size:
            raise OtherNumbers(f"rank {others[0]} has other {what} than rank 0")

    def asked(self, question: Callable[[], Answer], *, alone: bool = True) -> Answer:
        """Ask this rank's code under test; every rank has to, and all fail where one does.

        `alone`: it is code that may not wait for other ranks.
        """
        problem, answer = None, None
        try:
            answer = question()
        except WrongCall as failed:
            problem = type(failed)(f"{failed}; {ALONE}") if alone and waits(failed) else failed
        if any(self.totals(problem is not None)):
            raise self.failure(problem)
        return cast("Answer", answer)

    def failure(self, problem: WrongCall | None) -> WrongCall:
        """What the first rank has to say that failed, on every rank."""
        said = np.zeros((self.size, LONGEST))
        if problem is not None:
            kind = "1" if isinstance(problem, Raised) else "0"
            told = np.frombuffer(f"{kind}{problem}".encode()[:LONGEST], np.uint8)
            said[self.rank, : len(told)] = told
        everybody = self.summed({"": said})[""].astype(np.uint8)
        first = int(np.flatnonzero(everybody[:, 0])[0])
        text = bytes(everybody[first]).rstrip(b"\0").decode(errors="ignore")
        kind_of: type[WrongCall] = Raised if text[0] == "1" else WrongCall
        return kind_of(f"on rank {first}: {text[1:]}")


def launched() -> Ranks | None:
    """This process's place among several that `torchrun` started, None if it runs alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return Ranks(int(os.environ["RANK"]), size) if size > 1 and "RANK" in os.environ else None


@contextmanager
def together(ranks: Ranks, timeout: float) -> Iterator[None]:
    """Connect this rank with the others; one that does not answer for `timeout` seconds is lost.

    When one rank dies, `torchrun` asks all others to end. They note it and go on to the next sum,
    where the lost rank is noticed, so that the report can still be written.
    """
    from torch import distributed

    def note(number: int, frame: FrameType | None) -> None:
        ranks.asked_to_end = True

    before = signal.signal(signal.SIGTERM, note)
    try:
        with between_ranks():
            theirs = timedelta(seconds=THEIR_PART * timeout)
            distributed.init_process_group("gloo", timeout=theirs)
            ranks.group = distributed.new_group(timeout=timedelta(seconds=timeout))
        yield
        distributed.destroy_process_group()
    finally:
        signal.signal(signal.SIGTERM, before)


def waits(problem: BaseException) -> bool:
    """Whether code under test failed inside `torch.distributed`."""
    cause = problem.__cause__
    places = places_of_traceback(cause.__traceback__ if cause else None)
    return any("torch/distributed/" in place.file.replace("\\", "/") for place in places)


@contextmanager
def between_ranks() -> Iterator[None]:
    """Turn what `torch.distributed` raises into a `LostRank`."""
    try:
        yield
    except BadInput:
        raise
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0].partition("]: ")
        raise LostRank(
            "another rank ended or did not answer in time "
            f"(torch.distributed: {(reason[2] or reason[0])[:120].rstrip('. ')}); "
            "what it said, if anything, stands above"
        ) from error
