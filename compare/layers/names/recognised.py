"""What a value of the tape is, by what made it: a softmax, its row sum, a norm, a rotation."""

from __future__ import annotations

import itertools
import math
from functools import cached_property

from compare.layers.names.tape import Step, Tape

COPIES = frozenset(
    "clone _unsafe_view contiguous _to_copy to expand detach conj_physical alias".split()
)


MATRIX_PRODUCTS = frozenset("mm bmm mv dot".split())


def is_scaling(step: Step) -> bool:
    """Return whether a step multiplies or divides a value by a number."""
    return step.name in ("mul", "div") and len(step.refs()) == 1 and len(step.args) > 1


class Recognised:
    """Tells the steps of a tape apart by what they read."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.maker = tape.made_by()
        self.inputs = {number: name for name, number in tape.inputs.items()}
        self.sizes = {n for number in self.inputs for n in tape.values[number].shape if n > 1}

    @cached_property
    def put_together(self) -> dict[int, list[tuple[int, ...]]]:
        """By length: the axes of some value that such an axis may be put together of."""
        found: dict[int, dict[tuple[int, ...], None]] = {}
        for shape in {tuple(value.shape): None for value in self.tape.values}:
            for first, count in itertools.product(range(len(shape)), (2, 3)):
                axes = shape[first : first + count]
                if len(axes) == count and min(axes) > 1:
                    found.setdefault(math.prod(axes), {})[axes] = None
        return {n: list(shapes) for n, shapes in found.items()}

    def is_given(self, number: int) -> bool:
        """Return whether a value is an input, or a view of one."""
        step = self.step_of(number)
        if number in self.inputs or step is None:
            return number in self.inputs
        return (step.func.is_view or step.name in COPIES) and any(
            self.is_given(ref.number) for ref in step.refs()[:1]
        )

    def step_of(self, number: int) -> Step | None:
        """Return the step that made a value; views and copies are looked through."""
        at = self.maker.get(number)
        return None if at is None else self.tape.steps[at]

    def summed_over(self, step: Step) -> set[int]:
        """Return the lengths of the axes that products sum over which a number scales.

        For a step of the forward pass those of its own product; else those of all of them.
        """
        if self.maker.get(step.outs[0], 0) < self.tape.boundary:
            return self.summed_by(step)
        return self.scaled_widths

    @cached_property
    def scaled_widths(self) -> set[int]:
        """The lengths of the axes that scaled products of the forward pass sum over."""
        steps = self.tape.steps[: self.tape.boundary]
        return {n for s in steps if is_scaling(s) for n in self.summed_by(s)}

    def summed_by(self, step: Step) -> set[int]:
        """Return over how many entries the product sums that a step scales, or an operand of."""
        made = self.behind_copies(step.refs()[0].number)
        while made is not None and is_scaling(made):
            made = self.behind_copies(made.refs()[0].number)
        found = set()
        if made is not None and made.name in MATRIX_PRODUCTS:
            found.add(self.tape.values[made.refs()[0].number].shape[-1])
        copies = {step.outs[0]}
        for reader in self.tape.steps[self.maker[step.outs[0]] : self.tape.boundary]:
            if not copies.isdisjoint(reader.numbers):
                if reader.func.is_view or reader.name in COPIES:
                    copies.update(reader.outs)
                elif reader.name in MATRIX_PRODUCTS:
                    found.add(self.tape.values[reader.refs()[0].number].shape[-1])
        return found

    def behind_views(self, number: int) -> int:
        """Return the value that one is a view or a copy of."""
        step = self.step_of(number)
        while step is not None and (step.func.is_view or step.name in COPIES) and step.refs():
            number = step.refs()[0].number
            step = self.step_of(number)
        return number

    def behind_copies(self, number: int) -> Step | None:
        """Return the step that computed a value, of a view or copy that of what is copied."""
        step = self.step_of(number)
        while step is not None and (step.func.is_view or step.name in COPIES) and step.refs():
            step = self.step_of(step.refs()[0].number)
        return step

    def angle(self, number: int) -> str | None:
        """Return whether a value is a sine or a cosine, by its name or by what made it."""
        step = self.step_of(number)
        if step is not None and (step.func.is_view or step.name in COPIES) and step.refs():
            return self.angle(step.refs()[0].number)
        said = step.name if step is not None else self.inputs.get(number, "")
        return next((kind for kind in ("sin", "cos") if said.lower().startswith(kind)), None)

    def is_rotation(self, number: int, depth: int = 6) -> bool:
        """Return whether sines and cosines both went into a value, a few steps ago."""
        met: set[str | None] = set()
        layer = {number}
        for _ in range(depth):
            met.update(self.angle(each) for each in layer)
            makers = [step for each in layer if (step := self.step_of(each)) is not None]
            layer = {ref.number for step in makers for ref in step.refs()}
        return {"sin", "cos"} <= met

    def is_constant(self, number: int) -> bool:
        """Return whether nothing but a shape went into a value."""
        value = self.tape.values[number]
        return number not in self.inputs and (
            (value.numel() == 1 and self.step_of(number) is None) or not bool(value.any())
        )

    def is_square(self, number: int) -> bool:
        """Return whether a value is the square of another one."""
        step = self.step_of(number)
        if step is None:
            return False
        same = step.name == "mul" and len(step.refs()) == 2 and step.args[0] == step.args[1]
        return same or (step.name == "pow" and step.args[1] == 2)

    def is_norm(self, step: Step) -> bool:
        """Return whether a step takes the root of a sum of squares."""
        made = self.step_of(step.refs()[0].number) if step.name == "sqrt" else None
        return made is not None and made.name == "sum" and self.is_square(made.refs()[0].number)

    def is_softmax(self, step: Step) -> bool:
        """Return whether a step divides exponentials by their sum."""
        if step.name != "div" or len(step.refs()) < 2:
            return False
        above, below = (self.step_of(ref.number) for ref in step.refs()[:2])
        return (
            above is not None and below is not None and (above.name, below.name) == ("exp", "sum")
        )

    def logits_of(self, step: Step) -> int | None:
        """Return the logits whose log-softmax a step takes the exponential of, None if of none."""
        if step.name != "exp":
            return None
        taken = self.behind_copies(step.refs()[0].number)
        return taken.refs()[0].number if taken is not None and self.taken_off(taken) else None

    def taken_off(self, step: Step) -> tuple[int, ...]:
        """Return logarithm, row sum and exponential that a log-softmax subtracts; () if of none."""
        if step.name != "sub" or len(step.refs()) < 2:
            return ()
        logarithm = self.step_of(step.refs()[1].number)
        total = None if logarithm is None else self.step_of(logarithm.refs()[0].number)
        if logarithm is None or logarithm.name != "log" or total is None:
            return ()
        one, other = logarithm.refs()[0].number, total.refs()[0].number if total.refs() else -1
        return (step.refs()[1].number, one, other) if self.is_row_sum(total) else ()

    @cached_property
    def log_softmax(self) -> frozenset[int]:
        """What the log-softmaxes subtract, with what it is made of."""
        steps = self.tape.steps[: self.tape.boundary]
        return frozenset(number for step in steps for number in self.taken_off(step))

    def is_row_sum(self, step: Step) -> bool:
        """Return whether a step sums exponentials."""
        refs = step.refs()
        made = self.step_of(refs[0].number) if refs else None
        return made is not None and made.name == "exp"

    @cached_property
    def lengths(self) -> set[int]:
        """The lengths of the axes of all values."""
        return {n for value in self.tape.values for n in value.shape}
