"""The gradient in an update: what it takes off its weight, without its rate and its velocity.

A part of `cut`. Other names in the step are written in full, down to what is called a gradient.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from compare.examine.starter.binding import WEIGHTS, is_gradient_name
from compare.examine.starter.slots import RATE
from compare.examine.starter.update_lines import Line, keys_in, word
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_rules import Rules, sign_turned
from compare.examine.starter.update_words import number_in, of_gradient


def gradient_of(update: Update, signed: bool) -> str:
    """Return what an update takes off its weight at a rate of 1 and from a velocity of 0.

    If `signed`, it is the negative of what an update adds; if not, that it goes up is said of the
    update. Empty where there is no text for it.
    """
    text = array_of(update)
    if not signed or not ascends(update):
        return text
    return f"-({text})" if text and text != root_of(update) else ""


def root_of(update: Update) -> str:
    """Return the dictionary that a gradient is an entry of, by a name for its key; else empty."""
    found = re.match(r"([A-Za-z_]\w*)\[[A-Za-z_]\w*\]$", update.gradient)
    return found[1] if found else ""


def array_of(update: Update) -> str:
    """Return the gradient: beside a velocity the array called one, of entries all of them."""
    if root := root_of(update):
        return root
    if kept := kept_in(update):
        named = {key for one in kept if one.value for key in keys_in(one.value) if is_gradient(key)}
        return named.pop() if len(named) == 1 else update.gradient
    step = step_of(update)
    if step is None:
        return update.gradient
    return ast.unparse(positive(Step(update, len(update.lines) - 1).visit(step)))


def kept_in(update: Update) -> list[Line]:
    """Return the lines of velocities."""
    return [one for one in update.lines[:-1] if one.value and one.key in keys_in(one.value)]


def step_of(update: Update) -> ast.expr | None:
    """Return what is added to a weight or taken off it, as it is written."""
    value = update.lines[-1].value
    if not isinstance(value, ast.BinOp):
        return None
    left, right = value.left, value.right
    if isinstance(value.op, ast.Add) and ast.unparse(right) == update.weight:
        left, right = right, left
    return copied(right) if ast.unparse(left) == update.weight else None


def factors_left_out(updates: Sequence[Update]) -> set[float]:
    """Return the products of the numbers that the steps are written with, and that are left out as
    rates: of one training there is one."""
    found = set()
    for update in updates:
        step = None if root_of(update) or kept_in(update) else step_of(update)
        if step is not None:
            reader = Step(update, len(update.lines) - 1)
            reader.visit(step)
            found.add(reader.factor)
    return found


def ascends(update: Update) -> bool:
    """Return whether an update goes up what it takes for the gradient."""
    if Rules(update).fits:
        return False
    turned = sign_turned(update)
    return turned is not None and Rules(turned).fits


def is_gradient(key: str) -> bool:
    """Return whether a name is that of a gradient."""
    name = word(key)
    return name not in WEIGHTS and (is_gradient_name(name) or of_gradient(name))


def positive(step: ast.expr) -> ast.expr:
    """Return a step without the minus in front of it."""
    if isinstance(step, ast.UnaryOp) and isinstance(step.op, ast.USub):
        return step.operand
    if isinstance(step, ast.BinOp) and isinstance(step.op, ast.Mult | ast.Div | ast.MatMult):
        return ast.BinOp(positive(step.left), step.op, step.right)
    return step


OTHER_RATES = frozenset({"epsilon", "eps", "step", "gamma", "mu", "nu", "learn", "speed"})
"""What people call a rate, and other things too."""


class Step(ast.NodeTransformer):
    """Writes a step without its rate, and in full what other names of it stand for."""

    def __init__(self, update: Update, place: int) -> None:
        self.update, self.place = update, place
        self.factor = 1.0

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """A factor that is a rate, or a number in its place, is left out."""
        if isinstance(node.op, ast.Mult) and scales(node.left, node.right):
            right = self.visit(node.right)
            turned = isinstance(node.left, ast.UnaryOp)
            return ast.UnaryOp(ast.USub(), right) if turned else right
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.Mult):
            if is_number(left) and not is_number(right):
                self.leave_out(left)
                return ast.UnaryOp(ast.USub(), right) if is_negative(left) else right
            if is_number(right):
                self.leave_out(right)
                return left  # type: ignore[no-any-return]  # what a NodeTransformer returns
        return ast.BinOp(left, node.op, right)

    def leave_out(self, number: ast.expr) -> None:
        """Keep what is left out: it is a rate only if all weights have the same."""
        self.factor *= abs(number_in(number) or 0.0)

    def key(self, node: ast.expr) -> ast.expr:
        """Return what stands for a name: 1 for the rate, what it was given, or itself."""
        text = ast.unparse(node)
        if text in self.update.schedules:
            return ast.Constant(-1 if self.update.schedules[text] < 0 else 1)
        if RATE.fullmatch(word(text)):
            return ast.Constant(1)
        lines = self.update.lines[: self.place]
        given = [i for i, line in enumerate(lines) if line.key == text != self.update.weight]
        if not given or is_gradient(text):
            return node
        inner = Step(self.update, given[-1])
        full: ast.expr = inner.visit(copied(lines[given[-1]].value))
        self.factor *= inner.factor
        return full

    visit_Name = visit_Attribute = visit_Subscript = key


def scales(factor: ast.expr, other: ast.expr) -> bool:
    """Return whether a factor beside a gradient can only be its rate: the epsilon of `-epsilon *
    dW`."""
    named = factor.operand if isinstance(factor, ast.UnaryOp) else factor
    if not isinstance(named, ast.Name | ast.Attribute):
        return False
    called = word(ast.unparse(named)) in OTHER_RATES
    return called and isinstance(other, ast.Name) and is_gradient(other.id)


def is_number(node: ast.expr) -> bool:
    """Return whether a number is written there."""
    return number_in(node) is not None


def is_negative(node: ast.expr) -> bool:
    """Return whether a negative number is written there."""
    return (number_in(node) or 0.0) < 0


def copied(value: ast.expr | None) -> ast.expr:
    """Return an expression that can be changed."""
    return ast.parse(ast.unparse(value) if value is not None else "0", mode="eval").body
