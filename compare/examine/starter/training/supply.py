"""The data that a training program is handed in place of the files it would load.

The form that a program wants is not known: inputs in rows or columns, targets as class numbers, as
one-hot rows or as a column of zeros and ones. Each is tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.binding import CERTAIN, plain
from compare.examine.starter.construct import ALL, HIDDEN, INPUTS, OUTPUTS
from compare.examine.starter.recipe import COUNTS
from compare.examine.starter.short_batch import NOMINAL
from compare.examine.starter.slots import RATE

ROWS = 150
"""No multiple of a usual batch size."""
F, HIDDEN_UNITS, MORE_UNITS = 13, 11, 11
"""Two hidden layers of one width: what is mixed up between them has the right shape."""
FORMS = ("labels", "rows", "column")
AFFIXES = (
    re.compile(r"^(train(ing)?|val(id(ation)?)?|test(ing)?|dev|all|full|raw|my)_?"),
    re.compile(
        r"_?(train(ing)?|tr|val(id(ation)?)?|va|test(ing)?|te|ts|dev|all|full|set|orig|raw|shuffled)$"
    ),
    re.compile(r"(?<=^[xyt])v$"),
)
ASIDE = re.compile(
    r"^(val|test|dev)|(_?(val(id(ation)?)?|test(ing)?|dev)|(_|^[xy])(va|te|ts))(_?set)?$|_t(est)?_"
    r"|^[xyt]v$"
)
"""Of the name of a set that is not trained on."""
NUMBER = re.compile(r"\b\d{1,4}\b")
LESS_ONE = re.compile(r"\b(y|t|lab\w*|targ\w*|class\w*)(_\w+)?(\[[^\]]*\])? ?- ?1\b", re.IGNORECASE)
"""1 taken off class numbers."""
SOME_RATE, SOME_BATCH = 0.1, 32


@dataclass(frozen=True)
class Supply:
    """Rows of ours: how many inputs and classes, in which form, samples in rows or `columns`."""

    inputs: int = F
    classes: int = 10
    form: str = "labels"
    columns: bool = False
    aside: bool = False
    """Whether the rows are those that nobody trains on."""
    first: int = 0
    """What class numbers count from."""

    @cached_property
    def labels(self) -> Array:
        """A class number for each row."""
        seed = 3 if self.aside else 1
        return np.random.default_rng(seed).permutation(np.arange(ROWS) % self.classes) + self.first

    @cached_property
    def x(self) -> Array:
        """Inputs, of which no two rows are alike."""
        seed = 2 if self.aside else 0
        x: Array = np.random.default_rng(seed).normal(size=(ROWS, self.inputs))
        return np.ascontiguousarray(x.T) if self.columns else x

    @cached_property
    def y(self) -> Array:
        """Targets in their form."""
        if self.form == "labels":
            return self.labels
        wide = np.zeros((ROWS, self.classes))  # no `np.eye`: sizes that are tried may be large
        wide[np.arange(ROWS), self.labels - self.first] = 1.0
        if self.form == "column":
            wide = (self.labels % 2).astype(float)[:, None]
        return np.ascontiguousarray(wide.T) if self.columns else wide

    @property
    def sizes(self) -> tuple[int, ...]:
        """The widths of a network of three layers."""
        outputs = 1 if self.form == "column" else self.classes
        return self.inputs, HIDDEN_UNITS, MORE_UNITS, outputs

    @property
    def sizes_of_two(self) -> tuple[int, ...]:
        """Those of two layers."""
        return self.inputs, HIDDEN_UNITS, self.sizes[-1]

    def named(self, name: str) -> Array | None:
        """What a name of data stands for; None for a name of something else."""
        what = data_role(name)
        if what and is_aside(name) and not self.aside:
            return replace(self, aside=True).named(name)
        return {"x": self.x, "y": self.y}[what].copy() if what else None

    def argument(self, name: str) -> Any:
        """What is passed for a parameter of a training; None where its name does not say."""
        key = plain(name)
        found = self.named(name)
        if found is not None:
            return found
        if key in COUNTS:
            return 3
        if RATE.fullmatch(key):
            return SOME_RATE
        if NOMINAL.fullmatch(key):
            return SOME_BATCH
        if HIDDEN.fullmatch(key):
            return HIDDEN_UNITS
        if ALL.fullmatch(key):
            return list(self.sizes)
        if OUTPUTS.fullmatch(key):
            return self.sizes[-1]
        return self.inputs if INPUTS.fullmatch(key) else None


def is_aside(name: str) -> bool:
    """Return whether a name is that of data that nobody trains on."""
    trained = plain(name) in CERTAIN or "train" in name.lower()
    return not trained and bool(ASIDE.search(name.lower()))


def data_role(name: str) -> str:
    """Return `x` or `y` for a name of data, of a training or another set; else nothing."""
    meant = CERTAIN.get(plain(name), "")
    if meant in ("x", "y"):
        return meant
    shorter = (one.sub("", name.lower()) for one in AFFIXES)
    return next(
        filter(None, (data_role(one) for one in shorter if one not in (name.lower(), ""))), ""
    )


def supplies(text: str) -> Iterator[Supply]:
    """Yield the data that a program may want."""
    shown = {int(one) for one in NUMBER.findall(text)}
    wide = [784, F] if 784 in shown else [F]
    classes = next((one for one in (10, 5, 3) if one in shown), 5)
    if LESS_ONE.search(text):
        yield Supply(wide[-1], classes, first=1)
    for columns in (False, True):
        for form in FORMS:
            yield from (Supply(one, classes, form, columns) for one in wide)
