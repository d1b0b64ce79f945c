"""The numbers of a program that are made other ones before it is run: strengths, rates, momenta
and how many rows there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Set

from compare.examine.starter.binding import plain
from compare.examine.starter.cut import DECAY, MOMENTUM
from compare.examine.starter.short_batch import NOMINAL
from compare.examine.starter.slots import RATE
from compare.examine.starter.training.supply import ROWS, SOME_BATCH
from compare.examine.starter.update_words import number_in

ROWS_AT = {"permutation": 0, "choice": 0, "arange": 0, "range": 1, "randint": 1}
"""Which argument of a call is the number of rows."""
COUNT = re.compile(r"n|m|(n|num|number)(of)?(train\w*|samples?|examples?|rows|data\w*)|trainsize")
"""Names of the number of rows."""
DRAWN = r"(normal|randn?|uniform|random(_sample)?|randint|integers|linspace)\([^\n]*\b{}\b"
"""A number of rows that the file draws itself, and may cut into parts of sizes that it says too."""
MOST_DRAWN = 1000

CALLED_RATE = re.compile(r"learning_?rate|\blr\b|\beta\b", re.IGNORECASE)
"""Beside it a small alpha that multiplies weights or their squares is the strength of a penalty, as
scikit-learn calls it; one that multiplies units is a slope."""
OF_WEIGHTS = re.compile(
    r"\balpha\b[^=\n*]*\*\s*\(?\s*(self\.)?_?(w\d*|w_?\w{1,2}|coefs?_?|weights?|theta\d*|np\.sum|sum)\b",
    re.IGNORECASE,
)
MOST_ALPHA = 0.01


class Numbers(ast.NodeTransformer):
    """Makes the numbers `strength` that are named like that of a penalty, those `rate` that are
    named like a learning rate, as many rows as there are of more, and batches small enough that
    there are several."""

    def __init__(
        self, rate: float | None, strength: float | None, text: str, sizes: Set[str] = frozenset(),
        momentum: float | None = None,
    ) -> None:  # fmt: skip
        self.sizes, self.momentum, self.momenta = sizes, momentum, 0
        self.rate, self.strength, self.penalised = rate, strength, False
        self.text = text
        self.decays = bool(CALLED_RATE.search(text) and OF_WEIGHTS.search(text))
        self.rates: list[float] = []

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        """`reg = 1e-3`, and `lr, reg = 0.1, 1e-3`."""
        self.generic_visit(node)
        to, value = node.targets[0], node.value
        if isinstance(to, ast.Tuple) and isinstance(value, ast.Tuple):
            several = list(zip(to.elts, value.elts, strict=False))
            if len(several) == len(value.elts):
                value.elts = [self.chosen(ast.unparse(name).rpartition(".")[2], one)
                              for name, one in several]  # fmt: skip
            return node
        names = {ast.unparse(one).rpartition(".")[2] for one in node.targets}
        if len(names) == 1:
            node.value = self.chosen(names.pop(), node.value)
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.keyword:
        """`reg=1e-3`, handed over."""
        self.generic_visit(node)
        node.value = self.chosen(node.arg or "", node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """`parser.add_argument("--lr", default=0.1)`."""
        self.generic_visit(node)
        named = [one.value for one in node.args if isinstance(one, ast.Constant)
                 and isinstance(one.value, str)]  # fmt: skip
        for one in node.keywords if named and "add_argument" in ast.unparse(node.func) else []:
            if one.arg == "default":
                one.value = self.chosen(str(named[-1]).lstrip("-"), one.value)
        node.args = [self.of_rows(node, place, one) for place, one in enumerate(node.args)]
        return node

    def of_rows(self, node: ast.Call, place: int, value: ast.expr) -> ast.expr:
        """The number of rows in `np.random.permutation(60000)` or `range(0, 60000, 64)`."""
        last = ast.unparse(node.func).rpartition(".")[2]
        there = place == ROWS_AT.get(last) and (last != "range" or len(node.args) > place + 1)
        many = there and (number_in(value) or 0) > ROWS
        return ast.copy_location(ast.Constant(ROWS), value) if many else value

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        """`reg=1e-3`, as a default."""
        last = [*node.posonlyargs, *node.args][-len(node.defaults) :] if node.defaults else []
        node.defaults = [self.chosen(one.arg, default)
                         for one, default in zip(last, node.defaults, strict=True)]  # fmt: skip
        return node

    def chosen(self, name: str, value: ast.expr) -> ast.expr:
        """Return the number that a name gets."""
        number, key = number_in(value), plain(name)
        if number is None or isinstance(getattr(value, "value", None), bool):
            return value
        small = key == "alpha" and self.decays and 0 < number <= MOST_ALPHA
        if DECAY.fullmatch(key) or small:
            self.penalised = True
            kept = self.strength is None
            return value if kept else ast.copy_location(ast.Constant(self.strength), value)
        if (NOMINAL.fullmatch(key) or name in self.sizes) and number > SOME_BATCH:
            return ast.copy_location(ast.Constant(SOME_BATCH), value)
        if COUNT.fullmatch(key) and number > ROWS and not self.draws(name, number):
            return ast.copy_location(ast.Constant(ROWS), value)
        if number and (RATE.fullmatch(key) or key == "learningrateinit"):
            self.rates.append(number)
        if number and self.rate is not None and RATE.fullmatch(key):
            return ast.copy_location(ast.Constant(self.rate), value)
        if number and self.momentum is not None and MOMENTUM.fullmatch(key):
            self.momenta += 1
            return ast.copy_location(ast.Constant(self.momentum), value)
        return value

    def draws(self, name: str, number: float) -> bool:
        """Whether so many rows are drawn by the file itself."""
        drawn = re.search(DRAWN.format(re.escape(name)), self.text)
        return number <= MOST_DRAWN and drawn is not None
