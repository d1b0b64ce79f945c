"""Values of the tape in the words of the field: the mean, the row sum of the softmax, `weight`."""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property
from typing import Any

import torch

from compare.layers.names.called import (
    CLASS_WEIGHTS,
    FUNCTIONS,
    class_weights,
    function_values,
    outputs_read,
    readers,
    roles,
)
from compare.layers.names.recognised import COPIES, MATRIX_PRODUCTS, Recognised, is_scaling
from compare.layers.names.tape import Ref, Step

NOUNS = {
    "mean": "the mean", "var": "the variance", "rsqrt": "1/√(…)", "sqrt": "the root",
    "amax": "the maximum", "exp": "the exponential", "tanh": "tanh", "sigmoid": "the sigmoid",
    "erf": "erf", "log": "the logarithm", "relu": "ReLU", "embedding": "the embedding",
    "convolution": "the convolution", "pow": "the power",
    "max_pool2d_with_indices": "the pooling", "where": "the selection by the condition",
    "leaky_relu": "leaky ReLU", "gelu": "GELU", "silu": "SiLU", "softplus": "softplus",
    "avg_pool2d": "the pooling", "cumsum": "the running sum", "ones_like": "1",
    "index": "the selection by index", "gather": "the selection by index", "reciprocal": "1/(…)",
    "mm": "the matrix product", "bmm": "the matrix product",
    "mv": "the matrix product", "dot": "the inner product",
    "constant_pad_nd": "the padded values", "sum": "a sum", "add": "a sum",
    "sub": "a difference", "rsub": "a difference", "mul": "a product", "div": "a quotient",
    "log1p": "the logarithm", "_softmax": "the softmax", "softmax": "the softmax",
    "maximum": "the maximum", "minimum": "the minimum", "abs": "|…|",
    "linalg_vector_norm": "the norm", "cat": "the joined parts", "cumprod": "the running product",
    "index_add": "the sum by index", "scatter_add": "the sum by index",
    "flip": "the reversed values", "expm1": "exp(…) - 1", "prelu": "PReLU",
    "bilinear": "the bilinear form", "topk": "the largest values", "sort": "the sorted values",
    "prod": "the product of the entries", "matmul": "the matrix product",
    "unsafe_split": "the parts", "split": "the parts", "clamp": "the clamped value",
    "clamp_min": "the clamped value", "clamp_max": "the clamped value", "neg": "the negative",
    "log_sigmoid": "log σ", "max": "the maximum", "min": "the minimum",
}  # fmt: skip
ROOTS = {
    ("sqrt", "the variance"): "the standard deviation",
    ("rsqrt", "the variance"): "the inverse standard deviation",
    ("sqrt", "the mean square"): "the root mean square",
    ("rsqrt", "the mean square"): "the inverse root mean square",
}
MASKS = ("where", "masked_fill")
SCALES = ("the inverse standard deviation", "the inverse root mean square")
SYMBOLS = {"add": "+", "sub": "-", "mul": "·", "div": "/", "true_divide": "/", "rsub": "-"}
COMPARED = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}
COUNT = "the number of entries that count"
DEEP = 2
EPSILON = 1e-3


class Names(Recognised):
    """Says what a value of a tape is, as a noun, and which line of the reference it is from."""

    @cached_property
    def called(self) -> dict[int, str]:
        """Values that a module has a word for: scores, queries, GELU, class weights."""
        softmaxes = [s for s in self.tape.steps[: self.tape.boundary] if self.is_softmax(s)]
        return (
            outputs_read(self.tape)
            | function_values(self.tape)
            | class_weights(self.tape)
            | roles(self.tape, softmaxes)
        )

    def noun(self, number: int, depth: int = DEEP) -> str:
        """Return a value as a noun."""
        if number in self.inputs:
            name = self.inputs[number]
            return name if name.startswith("dy of ") else f"`{name}`"
        step = self.step_of(number)
        if number in self.called:
            return self.called[number]
        if step is None:
            return "a constant"
        if step.func.is_view or step.name in COPIES:
            refs = step.refs()
            return self.noun(refs[0].number, depth) if refs else step.name
        guard = step.name in ("add", "clamp_min", "clamp") and len(step.args) == 2
        if guard and is_epsilon(step.args[1]):
            return self.noun(step.args[0].number, depth)
        if step.name == "var_mean":
            return "the variance" if step.outs[0] == number else "the mean"
        if self.is_softmax(step) or self.logits_of(step) is not None:
            return "the softmax"
        if self.is_norm(step):
            return "the norm"
        special = self.special(step, depth)
        if special is not None:
            return special
        if is_scaling(step) and step.args[1] == 1:
            return self.noun(step.refs()[0].number, depth)
        if step.name in SYMBOLS and depth > 0:
            return self.formula(step, depth)
        if step.name.endswith("_backward"):
            stem = step.name.removesuffix("_backward")
            return f"what {NOUNS.get(stem, f'`{stem}`')} passes back"
        if step.name.startswith("upsample"):
            return "the upsampling"
        return NOUNS.get(step.name, f"`{step.name}`")

    def special(self, step: Step, depth: int) -> str | None:
        """Return what a step is called where its operands make it more than an operation."""
        refs = step.refs()
        if step.name in MASKS:
            softplus = any(self.noun(ref.number, 0) == "softplus" for ref in refs)
            return "softplus" if softplus else self.masked(step, depth)
        if step.name == "sum":
            return self.sum(step, depth)
        if step.name == "mean" and self.is_square(refs[0].number):
            return "the mean square"
        if step.name in ("sqrt", "rsqrt"):
            return ROOTS.get((step.name, self.noun(refs[0].number)))
        if step.name == "reciprocal" and (made := self.step_of(refs[0].number)) is not None:
            return NOUNS["rsqrt"] if made.name == "sqrt" else None
        if step.name in ("mul", "div") and len(refs) == 2 and (x := self.normalised(step)):
            return f"the normalised {x}"
        if step.name in COMPARED and len(step.args) > 1:
            a, b = (self.part(argument, depth - 1) for argument in step.args[:2])
            return f"({a} {COMPARED[step.name]} {b})" if depth > 0 else "a comparison"
        if self.taken_off(step):
            return "the log-softmax"
        if step.name in ("gather", "index") and self.noun(refs[0].number) == CLASS_WEIGHTS:
            return CLASS_WEIGHTS
        if step.name == "log1p" and (made := self.step_of(refs[0].number)) and made.name == "exp":
            return "softplus"
        if step.name in ("gather", "index") and self.is_given(refs[0].number):
            return f"the selected entries of {self.noun(refs[0].number)}"
        if step.name == "constant_pad_nd" and depth > 0:
            return f"the padded {self.noun(refs[0].number, depth - 1)}"
        product = depth > 0 and step.name in MATRIX_PRODUCTS
        if product and all(self.is_given(r.number) for r in refs):
            return f"the product of {' and '.join(self.noun(r.number) for r in refs)}"
        if depth > 0 and step.name == "neg":
            return f"-{self.noun(refs[0].number, depth - 1)}"
        if depth > 0 and step.name == "abs":
            inner = self.noun(refs[0].number, depth - 1)
            return f"|{inner[1:-1] if inner.startswith('(') else inner}|"
        if depth > 0 and step.name == "pow" and step.args[1] == 2:
            return f"{self.part(step.args[0], depth - 1)}²"
        return None

    def terms(self, number: int) -> str:
        """Return what a sum of the backward pass adds: of a value that was repeated, its copies."""
        shape = self.tape.values[number].shape
        for step in self.tape.steps[: self.tape.boundary]:
            if step.name == "expand" and self.tape.values[step.outs[0]].shape == shape:
                of = step.refs()[0].number
                if self.tape.values[of].dim() == len(shape) and shape.numel() > 1:
                    return f"the gradients of the copies of {self.noun(of, 1)}"
        return self.noun(number, 1)

    def masked(self, step: Step, depth: int) -> str | None:
        """Return a value under a mask as that value: what is masked out is a constant."""
        branches = step.args[1:] if step.name == "where" else step.args[:1]
        kept = [a for a in branches if isinstance(a, Ref) and not self.is_constant(a.number)]
        if len(kept) != 1:
            return None
        noun = self.noun(kept[0].number, depth - 1)
        whole = torch.equal(self.tape.values[kept[0].number], self.tape.values[step.outs[0]])
        return noun if noun == "the softmax" or whole else f"{noun} under the mask"

    def sum(self, step: Step, depth: int) -> str | None:
        """Return a sum as that of its terms; of a mask, it counts."""
        if self.is_row_sum(step):
            return "the row sum of the softmax"
        first = step.refs()[0].number
        if not self.tape.values[first].is_floating_point():
            return COUNT
        return f"the sum of {self.noun(first, depth - 1)}" if depth > 0 else None

    def normalised(self, step: Step) -> str | None:
        """Return what a product of a value and its inverse deviation normalises."""
        a, b = step.refs()
        if step.name == "mul" and self.noun(b.number, 0) in SCALES:
            centred = self.step_of(a.number)
            if centred is not None and centred.name == "sub" and centred.args[1] != b:
                a = centred.refs()[0]
            return self.noun(a.number, 0) if self.is_given(a.number) else None
        return None

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
            whole = round(1 / argument)
            if math.isclose(argument, 1 / whole):
                return f"1/{whole}"
            n = round(1 / argument**2)
            if n in self.sizes and math.isclose(argument, 1 / math.sqrt(n)):
                return f"1/√{n}"
        if isinstance(argument, float) and argument > 1 and not argument.is_integer():
            n = round(argument**2)
            if n in self.sizes and math.isclose(argument, math.sqrt(n)):
                return f"√{n}"
        return f"{argument:.6g}" if isinstance(argument, float) else str(argument)

    def given(self, step: Step, place: int) -> str:
        """Return the argument at a place as a noun."""
        argument = step.args[place] if place < len(step.args) else None
        return self.noun(argument.number) if isinstance(argument, Ref) else str(argument)

    def scalar(self, step: Step) -> str | None:
        """Return what a step multiplies by where that is a number: the scale 1/√d, a factor."""
        if step.name not in ("mul", "div") or len(step.refs()) != 1 or len(step.args) < 2:
            return None
        c = step.args[1]
        if isinstance(c, Ref) or not isinstance(c, float | int) or c <= 0:
            return None
        scale = self.scale(step, float(c))
        if scale is not None:
            return f"the scale {scale}"
        what = "the division by" if step.name == "div" else "the factor"
        return f"{what} {parameter_of(step, c) or self.part(c, 0)}"

    def scale(self, step: Step, c: float, doubt: float = 1e-9, taken: bool = False) -> str | None:
        """Return 1/√n if a step multiplies by that, for c; n may be the length of some value.

        A root that is whole is no root, unless so long an axis is summed over in the product that
        is scaled, or it is `taken` in place of another one.
        """
        square = c**2 if step.name == "div" else c**-2
        n = round(square)
        whole = n > 0 and math.isqrt(n) ** 2 == n
        known = n in self.sizes or (n in self.lengths and not whole)
        if whole and not taken and n not in self.summed_over(step):
            return None
        return f"1/√{n}" if known and math.isclose(n, square, rel_tol=doubt) else None

    def apart(self, one: int, other: int) -> tuple[str, str]:
        """Return two values as nouns, of what they are made where their nouns are the same."""
        nouns = self.noun(one), self.noun(other)
        return nouns if nouns[0] != nouns[1] else (self.detail(one), self.detail(other))

    def where(self, number: int) -> str:
        """Return what a value goes into, if another value of the forward pass is called as it.

        Or of which function of torch it is a part.
        """
        step = self.step_of(number)
        function = FUNCTIONS.get(step.origin[0]) if step is not None and step.origin else None
        if function is not None and number not in self.called:
            return f" in {function}"
        if self.nouns[self.noun(number)] < 2:
            return ""
        reader = next(readers(self.tape, number), None)
        return "" if reader is None else f" in {self.noun(reader.outs[0])}"

    @cached_property
    def nouns(self) -> Counter[str]:
        """How many values of the forward pass are called by a noun, views and copies left aside."""
        steps = self.tape.steps[: self.tape.boundary]
        return Counter(
            self.noun(s.outs[0]) for s in steps
            if len(s.outs) == 1 and s.outs[0] >= 0 and not s.func.is_view and s.name not in COPIES
        )  # fmt: skip

    def detail(self, number: int) -> str:
        """Return a value as a noun with what it was made of, down to the part of a split."""
        step = self.step_of(number)
        if number in self.inputs or step is None or not step.refs():
            return self.noun(number)
        if step.func.is_view or step.name in COPIES:
            return self.detail(step.refs()[0].number)
        of = step.refs()[0].number
        made = self.step_of(of)
        part = ""
        if made is not None and made.several:
            part = f"part {made.outs.index(of) + 1} of "
        elif made is not None and made.name == "slice" and len(made.args) > 3:
            part = f"entries {made.args[2]} to {made.args[3]} of "
        return f"{self.noun(number)} of {part}{self.noun(of, 1)}"

    def seen(self, number: int) -> str:
        """Return a value as a noun that says what it was made of, if that is not said by itself."""
        noun = self.noun(number)
        return noun if noun.startswith("(") else self.detail(number)

    def gradient(self, number: int) -> str:
        """Return a value of the backward pass by its name, `dx`, if it is what is returned."""
        return next((n for n, at in self.tape.results.items() if at == number), "a gradient")

    def place(self, step: Step) -> str:
        """Return the line of the reference a step is from, in parentheses."""
        return f" ({step.line})" if step.line else ""


PARAMETERS = {"huber_loss": "δ", "huber_loss_backward": "δ", "smooth_l1_loss": "β",
              "smooth_l1_loss_backward": "β"}  # fmt: skip
"""What torch's functions call the number that they are given."""


def parameter_of(step: Step, c: float) -> str | None:
    """Return the name of a number that torch's function was given: `δ = 0.7`."""
    if step.origin is None or step.origin[0] not in PARAMETERS or c not in step.origin[1]:
        return None
    return f"{PARAMETERS[step.origin[0]]} = {c:g}"


def is_epsilon(argument: Any) -> bool:
    """Return whether a summand only keeps a quotient finite."""
    return isinstance(argument, float) and 0 < argument <= EPSILON
