"""Methods that set gradients to 0 before the next ones are added to them.

    def zero_grad(self):
        for p in self.parameters():
            p.grad[...] = 0

is no backward pass, however much of a gradient is in its name: it is called before one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from compare.contracts.arrays import Array
from compare.examine.starter.binding import plain

ZEROES = re.compile(
    r"((set)?(zero|reset|clear|clean|empty|flush|wipe)\w*|init(iali[sz]e)?)(grad|delta)\w*"
    r"|(grad|delta)\w*(zero|reset|clear)\w*"
)
"""Names, without underscores, that say so."""


def is_zeroing(name: str) -> bool:
    """Whether a function says by its name that it sets gradients to 0."""
    return bool(ZEROES.fullmatch(plain(name)))


def are_all_zero(gradients: Mapping[str, Array]) -> bool:
    """Whether there is nothing in any gradient: a method that is handed nothing and leaves that
    behind may be made to."""
    return not any(one.any() for one in gradients.values())
