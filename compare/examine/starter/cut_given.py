"""What loose code sets before it computes: data, read from a file or scaled, and first weights.

    X = data[:, :64] / 16          of what a file gave
    W1 = rng.normal(size=(D, H))   drawn
    b1 = np.zeros(H)               of numbers alone
    Y[np.arange(N), labels] = 1    in part

A part of `cut`, where these become parameters, so that our rows and weights can be handed over.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Set
from dataclasses import dataclass

from compare.examine.starter.binding import GIVEN, MOST_LAYERS, certain
from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.cut_piece import Piece
from compare.examine.starter.update_words import number_in

DRAWN = re.compile(
    r"rand|shuffl|permut|choice|load|open|read|sample|fetch|default_rng|\.(standard_)?normal$"
    r"|\.uniform$"
)
"""In a call that draws numbers or reads files."""
FROM_FILE = re.compile(r"load|open|read|fetch|genfromtxt|fromfile")
"""In a call that reads files."""
COUNTED = re.compile(r"\w+\.shape(\[[01]\])?|len\(\w+\)")
"""How many rows or columns there are."""
ANYTHING = re.compile("")
MODULES = frozenset({"np", "numpy"})


@dataclass(frozen=True)
class Given:
    """The names of numbers, those that first weights may be made of, and what was read from files
    and is made of nothing else.
    """

    numbers: frozenset[str]
    first: frozenset[str]
    read: frozenset[str]

    @classmethod
    def of(cls, piece: Piece, known: Set[str]) -> Given:
        """Look through the statements of a piece in their order; `known` are functions and modules.

        Zeros of `n` rows inside a loop are made anew in each turn: these are no first weights.
        """
        numbers, read = MODULES | known, set[str]()
        for one in (*piece.before, *piece.body):
            if not isinstance(one, ast.Assign) or not gives_whole(one):
                continue
            values = loaded(one.value)
            if is_count(one.value) or (values <= numbers and not calls(one.value)):
                numbers |= set(stored(one))
            elif calls(one.value, FROM_FILE) or (values & read and values <= read | numbers):
                read |= set(stored(one))
        first = MODULES if piece.before else frozenset(numbers)
        return cls(frozenset(numbers), first, frozenset(read))

    def gives(self, one: ast.stmt) -> bool:
        """Whether a statement gets data or first weights, or scales data: `X = X / 255`."""
        meant = {name: certain(name) or certain(name, MOST_LAYERS) for name in stored(one)}
        names = {name for name, quantity in meant.items() if quantity in GIVEN}
        data = {name for name in names if meant[name] in ("x", "y")}
        if not names or not isinstance(one, ast.Assign):
            return False
        values = loaded(one.value)
        if not gives_whole(one):  # Y[np.arange(n), labels] = 1
            return data == names and loaded(one) <= data | self.read | self.first
        of_files = bool(values & self.read) and values <= self.read | self.numbers
        scaled = bool(data & values)
        return calls(one.value, DRAWN) or scaled or values <= self.first or of_files


def is_count(value: ast.expr) -> bool:
    """Whether a value is a number that is written there, or how many rows there are."""
    return number_in(value) is not None or COUNTED.fullmatch(ast.unparse(value)) is not None


def calls(value: ast.expr, what: re.Pattern[str] = ANYTHING) -> bool:
    """Whether something is called that has such a word in its name."""
    return any(
        what.search(ast.unparse(part.func))
        for part in ast.walk(value)
        if isinstance(part, ast.Call)
    )


def gives_whole(one: ast.stmt) -> bool:
    """Return whether a statement gives its names values, whatever they were before."""
    targets = one.targets if isinstance(one, ast.Assign) else []
    parts = [p for t in targets for p in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return bool(parts) and all(isinstance(part, ast.Name) for part in parts)
