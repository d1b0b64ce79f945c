"""Values of the tape in the words of the field: the mean, the row sum of the softmax, `weight`."""

from __future__ import annotations

import math
from typing import Any

from compare.layers.names.tape import Ref, Step, Tape

NOUNS = {
    "mean": "the mean", "var": "the variance", "rsqrt": "1/√(…), the inverse of the root",
    "sqrt": "the root", "amax": "the maximum", "exp": "the exponential", "tanh": "tanh",
    "sigmoid": "the sigmoid", "erf": "erf", "log": "the logarithm", "relu": "ReLU",
    "embedding": "the embedding", "convolution": "the convolution", "pow": "the power",
    "max_pool2d_with_indices": "the pooling", "where": "the selection by the mask",
    "index": "the selection by index", "gather": "the selection by index", "reciprocal": "1/(…)",
    "mm": "the matrix product", "bmm": "the matrix product", "sum": "the sum", "neg": "the sign",
    "log1p": "the logarithm", "_softmax": "the softmax", "softmax": "the softmax",
    "maximum": "the maximum", "minimum": "the minimum", "abs": "|…|",
}  # fmt: skip
COPIES = frozenset(
    "clone _unsafe_view contiguous _to_copy expand detach conj_physical alias".split()
)
SYMBOLS = {"add": "+", "sub": "-", "mul": "·", "div": "/", "rsub": "-"}
DEEP = 2
EPSILON = 1e-3


class Names:
    """Says what a value of a tape is, as a noun, and which line of the reference it is from."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.maker = tape.made_by()
        self.inputs = {number: name for name, number in tape.inputs.items()}
        self.sizes = {n for number in self.inputs for n in tape.values[number].shape if n > 1}

    def step_of(self, number: int) -> Step | None:
        """Return the step that made a value; views and copies are looked through."""
        at = self.maker.get(number)
        return None if at is None else self.tape.steps[at]

    def noun(self, number: int, depth: int = DEEP) -> str:
        """Return a value as a noun."""
        if number in self.inputs:
            name = self.inputs[number]
            return name if name.startswith("dy of ") else f"`{name}`"
        step = self.step_of(number)
        if step is None:
            return "a constant"
        if step.func.is_view or step.name in COPIES:
            refs = step.refs()
            return self.noun(refs[0].number, depth) if refs else step.name
        if step.name == "add" and is_epsilon(step.args[1]):
            return self.noun(step.args[0].number, depth)
        if step.name == "var_mean":
            return "the variance" if step.outs[0] == number else "the mean"
        if self.is_softmax(step):
            return "the softmax"
        if step.name == "sum" and self.is_row_sum(step):
            return "the row sum of the softmax"
        if step.name in SYMBOLS and depth > 0:
            return self.formula(step, depth)
        return NOUNS.get(step.name, f"`{step.name}`")

    def formula(self, step: Step, depth: int) -> str:
        """Return a sum or product with its two parts."""
        parts = [self.part(argument, depth - 1) for argument in step.args[:2]]
        parts = parts[::-1] if step.name == "rsub" else parts
        return f"({f' {SYMBOLS[step.name]} '.join(parts)})"

    def part(self, argument: Any, depth: int) -> str:
        """Return an argument as a noun; a number as itself, √d or 1/√d where it is one."""
        if isinstance(argument, Ref):
            return self.noun(argument.number, depth)
        if isinstance(argument, float) and 0 < argument < 1:
            n = round(1 / argument**2)
            if n in self.sizes and math.isclose(argument, 1 / math.sqrt(n)):
                return f"1/√{n}"
        if isinstance(argument, float) and argument > 1:
            n = round(argument**2)
            if n in self.sizes and math.isclose(argument, math.sqrt(n)):
                return f"√{n}"
        return f"{argument:.6g}" if isinstance(argument, float) else str(argument)

    def is_softmax(self, step: Step) -> bool:
        """Return whether a step divides exponentials by their sum."""
        if step.name != "div" or len(step.refs()) < 2:
            return False
        above, below = (self.step_of(ref.number) for ref in step.refs()[:2])
        return (
            above is not None and below is not None and (above.name, below.name) == ("exp", "sum")
        )

    def is_row_sum(self, step: Step) -> bool:
        """Return whether a step sums exponentials."""
        refs = step.refs()
        made = self.step_of(refs[0].number) if refs else None
        return made is not None and made.name == "exp"

    def place(self, step: Step) -> str:
        """Return the line of the reference a step is from, in parentheses."""
        return f" ({step.line})" if step.line else ""


def is_epsilon(argument: Any) -> bool:
    """Return whether a summand only keeps a quotient finite."""
    return isinstance(argument, float) and 0 < argument <= EPSILON
