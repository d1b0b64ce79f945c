"""A validation curve that is made of the rows that train.

    history["val_loss"].append(average_ce(y, p))      where p comes from x, and xv, yv lie beside

Nothing is run. What a function adds to a curve of held-out rows has to come from such rows, where
it has any; made of the training rows alone it shows how well they are fitted, and no more.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from compare.contracts.result import Verdict
from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.source import Source
from compare.guard.blame import Place

MISTAKE = "validation-curve-of-training-rows"
MEASURES = frozenset({"loss", "losses", "acc", "accs", "accuracy", "accuracies", "error",
                      "errors", "cost", "costs", "ce", "curve", "curves", "history", "score",
                      "scores"})  # fmt: skip
"""Words of a curve: `std_dev` is none."""
HELD_OUT = frozenset({"val", "valid", "validation", "dev", "test", "holdout"})
DATA = frozenset({"x", "y", "t", "data", "target", "targets", "label", "labels", "images", "inputs",
                  "features"})  # fmt: skip
TRAINING = frozenset({"train", "training", "tr"})
SHORT = re.compile(r"[xyt]v")
"""`xv`, `Yv`."""
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")


def tokens(name: str) -> frozenset[str]:
    """The words of a name: `validTarget`, `x_val`."""
    return frozenset(one.lower() for one in WORDS.findall(name))


def is_held_out(name: str) -> bool:
    """Whether a name is one of held-out rows, or of what is made of them."""
    return bool(SHORT.fullmatch(name.lower())) or bool(tokens(name) & HELD_OUT)


def is_curve(text: str) -> bool:
    """Whether a list is of a curve of held-out rows, as it is written."""
    words = tokens(text)
    return bool(words & HELD_OUT) and (bool(words & MEASURES) or "[" in text)


def holds_rows(name: str) -> bool:
    """Whether a name is one of rows: inputs or targets."""
    return bool(SHORT.fullmatch(name.lower())) or tokens(name) <= DATA | TRAINING | HELD_OUT


@dataclass
class Rows:
    """The names of a function by the rows that they come from, told line by line."""

    held_out: set[str] = field(default_factory=set)
    of: dict[str, list[ast.expr]] = field(default_factory=dict)

    def learn(self, names: Sequence[str], value: ast.expr) -> None:
        """Take over what a value gives to names; once of held-out rows, always."""
        for name in names:
            self.of.setdefault(name, []).append(value)
        if self.is_held_out(value):
            self.held_out.update(names)

    def is_held_out(self, value: ast.expr) -> bool:
        """Whether held-out rows may have a part in a value: by a name, or by a word for them."""
        words = [one.value for one in ast.walk(value)
                 if isinstance(one, ast.Constant) and isinstance(one.value, str)]  # fmt: skip
        fields = [one.attr for one in ast.walk(value) if isinstance(one, ast.Attribute)]
        foreign = [one for one in loaded(value) if one not in self.of]
        return bool(loaded(value) & self.held_out) or any(
            map(is_held_out, (*words, *fields, *foreign))
        )

    def of_training(self, value: ast.expr) -> list[str]:
        """The rows of the training in a value, whole: a part of them may be what is held out."""
        values = [value]
        if isinstance(value, ast.Name):
            values = self.of.get(value.id, [])
        if any(map(asks_nothing, (part for one in values for part in ast.walk(one)))):
            return []
        # What was given another value may be other rows.
        named = [name for one in values for name in loaded(one)
                 if holds_rows(name) and not is_held_out(name)
                 and self.of.get(name) == []]  # fmt: skip
        parts = {one.value.id for each in values for one in ast.walk(each)
                 if isinstance(one, ast.Subscript) and isinstance(one.value, ast.Name)}  # fmt: skip
        return [] if parts & set(named) else sorted(set(named))


def asks_nothing(node: ast.AST) -> bool:
    """Whether a function is called without arguments: it may read held-out rows by itself."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    return not (node.args or node.keywords)


def curves_of_training_rows(source: Source) -> Iterator[FunctionVerdict]:
    """Say which curves of held-out rows are made of training rows."""
    for one in source.statements:
        functions = [part for part in ast.walk(one.node) if isinstance(part, ast.FunctionDef)]
        for function in functions:
            for line, curve, rows in wrong_curves(function):
                sentence = (
                    f"what it adds to {curve} is made of {' and '.join(rows)}, which train, and of"
                    " none of the rows held out"
                )
                about = FunctionVerdict(
                    function.name, "gradient", Place(one.file, line),
                    Verdict.UNDECIDABLE, "",
                )  # fmt: skip
                yield about.slip(MISTAKE, sentence, "a validation curve of the rows that train")


def wrong_curves(function: ast.FunctionDef) -> Iterator[tuple[int, str, list[str]]]:
    """The lines of a function in which a curve of held-out rows is given training rows."""
    arguments = [one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)]
    rows = Rows({name for name in arguments if is_held_out(name)}, {name: [] for name in arguments})
    if not any(is_held_out(name) and holds_rows(name) for name in arguments):
        return
    # `if x_val is None:` chooses what is measured where there are no such rows.
    without = {part for one in ast.walk(function) if isinstance(one, ast.If)
               and any(map(is_held_out, loaded(one.test))) for part in ast.walk(one)}  # fmt: skip
    for node in in_order(function):
        if isinstance(node, ast.Assign):
            for names, value in given(node):
                rows.learn(names, value)
        elif isinstance(node, ast.AugAssign):
            rows.learn(stored(node.target), node.value)
        elif isinstance(node, ast.For):
            rows.learn(stored(node.target), node.iter)
        elif (curve := added_to(node)) and node not in without:
            where, value = curve
            named = rows.of_training(value)
            if is_curve(where) and named and not rows.is_held_out(value):
                yield node.lineno, where, named


def in_order(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """The statements of a function as they stand in it, but those of functions inside."""
    queue: list[ast.AST] = list(function.body)
    while queue:
        node = queue.pop(0)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        if isinstance(node, ast.stmt):
            yield node
        queue = [*ast.iter_child_nodes(node), *queue]


def given(node: ast.Assign) -> Iterator[tuple[list[str], ast.expr]]:
    """The names that an assignment gives values to, one by one where both sides are written out."""
    for target in node.targets:
        names, values = (getattr(one, "elts", []) for one in (target, node.value))
        if isinstance(target, ast.Tuple) and len(names) == len(values):
            yield from ((stored(one), value) for one, value in zip(names, values, strict=True))
        else:
            yield stored(target), node.value


def added_to(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """The list that a statement appends to, as it is written, and what it appends."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
        return None
    if call.func.attr != "append" or len(call.args) != 1:
        return None
    return ast.unparse(call.func.value), call.args[0]
