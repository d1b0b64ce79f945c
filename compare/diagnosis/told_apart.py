"""A number as a sentence says it beside the declared one: with the digits that tell them apart."""

from __future__ import annotations


class Told(float):
    """A number that is formatted with more digits where these would make it a declared one.

    `{constant:.4g}` of 0.9000001 is 0.9; beside a declared 0.9 it reads 0.9000001.
    """

    declared: tuple[float, ...]

    @classmethod
    def beside(cls, number: float, *declared: float) -> Told:
        """Return the number, to be told from these."""
        made = cls(number)
        made.declared = declared
        return made

    def __format__(self, spec: str) -> str:
        if not (spec.startswith(".") and spec.endswith("g")):
            return format(float(self), spec)
        others = [one for one in self.declared if one != float(self)]
        for digits in range(int(spec[1:-1]), 17):
            said = format(float(self), f".{digits}g")
            if all(said != format(one, f".{digits}g") for one in others):
                return said
        return repr(float(self))
