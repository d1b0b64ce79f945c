"""The strengths of penalties that a file writes down once: `reg = 1e-3`, or in a class of settings.

They are 0 while the meaning of a file is searched for, and have their own value again where what
they add is compared (`strengths`).
"""

from __future__ import annotations

import inspect
from collections.abc import Container, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from compare.examine.starter.slots import is_strength


@dataclass(frozen=True)
class Constant:
    """A number of that name in a module or a class, with the value that the file gives it."""

    holder: Any
    name: str
    value: float

    def put(self, value: float) -> None:
        """Let it be another number."""
        setattr(self.holder, self.name, value)

    def read_by(self, names: Container[str]) -> bool:
        """Whether code that looks up these names in the module may read it."""
        return (self.holder.__name__ if inspect.isclass(self.holder) else self.name) in names


def constants_in(module: ModuleType) -> tuple[Constant, ...]:
    """The strengths in a module that are not 0, and in its classes."""
    own = [one for one in vars(module).values()
           if inspect.isclass(one) and one.__module__ == module.__name__]  # fmt: skip
    return tuple(found for holder in (module, *own) for found in strengths(holder))


def strengths(holder: Any) -> Iterator[Constant]:
    """Those of one holder."""
    for name, value in vars(holder).items():
        if is_strength(name, value) and value:
            yield Constant(holder, name, value)
