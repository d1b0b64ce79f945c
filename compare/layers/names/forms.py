"""The forms a plain factor can have: sizes of the inputs, their products, roots and inverses.

A number alone proves no form: 2 may be a constant, the batch or the width of a head. All forms that
fit are kept, simplest first; what other shapes rule out is crossed out, and the rest is said.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

MOST_DOUBT = 0.02
"""A factor is never believed to be another one that is further off than this, relatively."""
CHANCE = 0.02
"""A form is believed where so many forms as simple as it would meet a number this rarely."""
MOST_SAID = 3
RATIO = " over the "
"""Stands in the words of a quotient of two sizes."""
PLAIN = tuple(f"{way} by {n}" for way in ("multiplied", "divided") for n in (3, 4))
"""End a clause about a number that may be a constant of the layer, or a size of its windows."""
Shapes = Mapping[str, Sequence[int]]
Others = Iterable[tuple[float | None, Shapes]]


@dataclass(frozen=True)
class Form:
    """What a factor does, in words with and (`key`) without its size, and how simple that is.

    Forms of one `size` are the same, as far as one sees: those of lengths that go together.
    """

    said: str
    key: str
    value: float
    level: int
    size: str = ""


def factor_named(c: float, shapes: Shapes, doubt: float, others: Others = ()) -> str | None:
    """Return what a factor does: doubled, of the wrong sign, divided by the length of an axis.

    `others`: the same factor measured at other shapes, which cross out what it cannot be. Where
    several forms are left, all are said.
    """
    found = forms_of(c, shapes, doubt)
    tested = False
    for measured, elsewhere in others if len(found) > 1 else ():
        if measured is None:
            continue
        tested = True
        keys = {form.key for form in forms_of(measured, elsewhere, doubt, least=1)}
        found = [form for form in found if form.key in keys]
    return said_of(found, tested)


def said_of(found: Sequence[Form], tested: bool) -> str | None:
    """Return the simplest forms in words; lengths that are one size, as it seems, count once.

    Where other shapes were tested, those that are left go together.
    """
    if not found:
        return None
    least = max(2, min(form.level for form in found))  # a square is no less likely than a length
    texts: dict[str, str] = {}
    for form in found:
        if form.level <= least:
            together = f"{form.key.partition(' ')[0]} {form.value}" if tested else form.size
            texts.setdefault(together or form.key, form.said)
    first, *more = list(texts.values())[:MOST_SAID]
    return " or ".join([first, *more])


def forms_of(c: float, shapes: Shapes, doubt: float, least: int = 2) -> list[Form]:
    """Return every form that a factor fits, of either sign, simplest first; 1 is none.

    `least`: the shortest axis that has a part in one.
    """
    doubt = min(doubt, MOST_DOUBT)
    found: dict[str, Form] = {}
    for number, form in enumerate(all_forms(shapes, least), 1):
        if form.level > 2 and number * doubt > CHANCE:
            break
        if abs(abs(c) - form.value) > doubt * form.value or (c > 0 and form.level == 0):
            continue
        said = f"{form.said}, of the wrong sign".removeprefix("unchanged, ")
        found.setdefault(form.key, form if c > 0 else replace(form, said=said, value=-form.value))
        if form.level == 0:
            break
    return list(found.values())


def all_forms(shapes: Shapes, least: int) -> Iterator[Form]:
    """Yield the forms of positive factors, the simplest first."""
    yield Form("unchanged", "unchanged", 1.0, 0)
    named = [
        (n, f"the length of axis {axis} of {name}") for name, axis, n in lengths(shapes, least)
    ]
    sizes = {n: f"{n}" if tied(shapes, n) else "" for n, _ in named}
    for n, what in named:
        yield from powers(n, what, 1, sizes[n])
    yield Form("doubled", "doubled", 2.0, 1)
    yield Form("halved", "halved", 0.5, 1)
    for number in (3, 4):
        yield Form(f"multiplied by {number}", f"times {number}", float(number), 2)
        yield Form(f"divided by {number}", f"over {number}", 1 / number, 2)
    for n, what, size in products(shapes, least):
        yield from powers(n, what, 2, size)
    for n, what in named:
        yield from squares(n, what)
        yield from corrections(n, what, sizes[n]) if n > 1 else ()
    counts = {n: what for n, what, _ in products(shapes, least)} | dict(named[::-1])
    for (n, one), (m, other) in itertools.permutations(counts.items(), 2):
        if n % m and m % n:
            yield from ratios(n, m, f"{one}{RATIO}{other.removeprefix('the ')}")


def powers(n: int, what: str, level: int, size: str) -> Iterator[Form]:
    """Yield a number of entries as a factor and a divisor, and its root."""
    root = f"the root of {what}"
    for said, key, value, further in (
        (f"multiplied by {n}, {what}", "times", float(n), 0),
        (f"divided by {n}, {what}", "over", 1 / n, 0),
        (f"multiplied by √{n}, {root}", "times √", math.sqrt(n), 1),
        (f"divided by √{n}, {root}", "over √", 1 / math.sqrt(n), 1),
    ):
        yield Form(said, f"{key} {what}", value, level + further, size and f"{key} {size}")


def squares(n: int, what: str) -> Iterator[Form]:
    """Yield the square of a length as a factor and a divisor: of a kernel, say."""
    square = f"{n}², the square of {what}"
    yield Form(f"multiplied by {square}", f"times² {what}", float(n * n), 2, f"times {[n, n]}")
    yield Form(f"divided by {square}", f"over² {what}", 1 / (n * n), 2, f"over {[n, n]}")


def corrections(n: int, what: str, size: str) -> Iterator[Form]:
    """Yield what turns a mean over n into one over n - 1, and its root."""
    for said, key, value in (
        (f"({n} - 1)/{n}", "(n-1)/n", (n - 1) / n), (f"{n}/({n} - 1)", "n/(n-1)", n / (n - 1)),
    ):  # fmt: skip
        for text, name, factor in ((said, key, value), (f"√({said})", f"√{key}", math.sqrt(value))):
            same = size and f"{name} {size}"
            yield Form(
                f"multiplied by {text}, where {n} is {what}", f"{name} {what}", factor, 2, same
            )


def ratios(n: int, m: int, what: str) -> Iterator[Form]:
    """Yield one number of entries over another, and its root."""
    yield Form(f"multiplied by {n}/{m}, {what}", what, n / m, 3, f"{n}/{m}")
    root = f"multiplied by √({n}/{m}), the root of {what}"
    yield Form(root, f"√ {what}", math.sqrt(n / m), 3, f"√{n}/{m}")


def products(shapes: Shapes, least: int) -> Iterator[tuple[int, str, str]]:
    """Yield the numbers of entries along two axes or more: how many, of what, which lengths."""
    for name, shape in shapes.items():
        axes = [axis for axis, n in enumerate(shape) if n >= least]
        for count in range(2, len(axes) + 1):
            for taken in itertools.combinations(axes, count):
                sizes = sorted(shape[axis] for axis in taken)
                what = f"the number of entries of {name} along axes {taken}"
                yield math.prod(sizes), what, str(sizes)


def lengths(shapes: Shapes, least: int) -> Iterator[tuple[str, int, int]]:
    """Yield every axis that is so long: name, axis, length."""
    for name, shape in shapes.items():
        for axis, n in enumerate(shape):
            if n >= least:
                yield name, axis, n


def tied(shapes: Shapes, n: int) -> bool:
    """Return whether no tensor has a length twice: then it is one size, as it seems."""
    return all(list(shape).count(n) <= 1 for shape in shapes.values())


def squared(scalar: float, said: str) -> str:
    """Return the square of a number in words: what queries and keys are both multiplied by."""
    square = scalar**2
    n = round(square**-2)
    root = f", 1/√{n}," if n > 1 and abs(n * square**2 - 1) < 1e-12 else ""
    return f"{square:.6g}{root} the square of {said}"
