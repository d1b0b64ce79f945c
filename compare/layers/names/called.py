"""What values are called in a module's own terms: scores, queries, keys and values; GELU, softplus.

A product whose result goes to a softmax, scaled and masked on the way, is that of queries and keys
if the softmax is the first operand of a further one; what that multiplies it by are the values. A
function of torch that is taken apart keeps its name for what it returns.
"""

from __future__ import annotations

from collections.abc import Iterator

from compare.layers.names.recognised import COPIES
from compare.layers.names.tape import Ref, Step, Tape

FUNCTIONS = {
    "gelu": "GELU", "silu": "SiLU", "mish": "Mish", "softplus": "softplus", "elu": "ELU",
    "selu": "SELU", "celu": "CELU", "hardswish": "hardswish", "hardsigmoid": "hardsigmoid",
    "_log_softmax": "the log-softmax", "log_sigmoid_forward": "log σ", "glu": "GLU",
    "smooth_l1_loss": "the smooth L1 loss", "huber_loss": "the Huber loss",
    "leaky_relu": "leaky ReLU",
}  # fmt: skip
WEIGHTED = ("nll_loss_forward", "nll_loss_backward")
PRODUCTS = ("mm", "bmm")
CLASS_WEIGHTS = "the class weights"
PASSED = COPIES | frozenset("sub add mul div masked_fill where".split())
"""Steps between the scores and the exponential of a softmax."""
WEIGHED = COPIES | frozenset("mul div masked_fill where".split())
"""Steps between a softmax and the product with the values."""
ACTIVATIONS = frozenset(
    "relu leaky_relu prelu tanh sigmoid exp clamp clamp_min clamp_max maximum where".split()
)
"""Make no queries, keys or values: what they return has a name of its own."""
FARTHEST = 14


def function_values(tape: Tape) -> dict[int, str]:
    """Return, by value, the name of the function of torch that returned it."""
    found: dict[int, str] = {}
    outside = set(tape.results.values())
    for step in reversed(tape.steps[: tape.boundary]):
        name = FUNCTIONS.get(step.origin[0]) if step.origin else None
        if name is not None and len(step.outs) == 1 and step.outs[0] in outside:
            found[step.outs[0]] = name
            if step.name in ("to", "_to_copy"):
                outside.update(ref.number for ref in step.refs())
        for ref in step.refs():
            made = tape.maker.get(ref.number)
            if made is not None and tape.steps[made].origin != step.origin:
                outside.add(ref.number)
    return found


def outputs_read(tape: Tape) -> dict[int, str]:
    """Return the outputs of which further ones are made: the state of a cell."""
    gradients = {f"d{name}" for name in tape.inputs}
    found = {number: f"the output {name}" for name, number in tape.results.items()
             if name not in gradients}  # fmt: skip
    read = (number for number in found if any(True for _ in readers(tape, number)))
    return {number: found[number] for number in read if len(found) > 1}


def class_weights(tape: Tape) -> dict[int, str]:
    """Return the constants by which a loss weighs its classes."""
    return {
        ref.number: CLASS_WEIGHTS
        for step in tape.steps if step.origin is not None and step.origin[0] in WEIGHTED
        for ref in step.refs()
        if is_constant(tape, ref.number)
        and tape.values[ref.number].is_floating_point() and tape.values[ref.number].numel() > 1
    }  # fmt: skip


def is_constant(tape: Tape, number: int) -> bool:
    """Return whether a value was there before the program, and is no input."""
    made = made_by(tape, number)
    return number not in tape.inputs.values() and (made is None or made.name == "lift_fresh")


def roles(tape: Tape, softmaxes: list[Step]) -> dict[int, str]:
    """Return what takes part in an attention, by value; inputs keep their own names.

    A softmax that weighs nothing is that of a classifier, and what is multiplied before it has no
    part in an attention.
    """
    found: dict[int, str] = {}
    functions = function_values(tape) if softmaxes else {}
    for softmax in softmaxes:
        product, weighing = scores_of(tape, softmax), weighed_by(tape, softmax)
        if product is None or not weighing:
            continue
        found[product.outs[0]] = "the scores"
        parts = [*zip(product.args[:2], ("the queries", "the keys"), strict=True)]
        for argument, role in (*parts, *((step.args[1], "the values") for step in weighing)):
            chain = list(seen_through(tape, argument.number))
            if chain and chain[-1] not in functions and not is_activated(tape, chain[-1]):
                found |= dict.fromkeys(chain, role)
    given = set(tape.inputs.values())
    return {number: role for number, role in found.items() if number not in given}


def weighed_by(tape: Tape, softmax: Step) -> list[Step]:
    """Return the products of matrices that have a softmax for their first operand.

    On the way it may be masked and scaled, as dropout does.
    """
    passed, found = {softmax.outs[0]}, []
    for step in tape.steps[: tape.boundary]:
        read = passed & {ref.number for ref in step.refs()}
        if read and (step.name in WEIGHED or step.func.is_view):
            passed.update(step.outs)
        first, second = step.args[:2] if step.name in PRODUCTS else (None, None)
        if isinstance(first, Ref) and first.number in passed and isinstance(second, Ref):
            found.append(step)
    return found


def is_activated(tape: Tape, number: int) -> bool:
    """Return whether a value is the output of an activation function, or x times one of x."""
    made = made_by(tape, number)
    if made is None or made.name != "mul" or len(made.refs()) < 2:
        return made is not None and made.name in ACTIVATIONS
    one, other = (ref.number for ref in made.refs()[:2])
    return is_made_of(tape, one, other) or is_made_of(tape, other, one)


def is_made_of(tape: Tape, number: int, of: int) -> bool:
    """Return whether a value is computed of another one, in a few steps: x > 0 of x."""
    layer = {number}
    for _ in range(FARTHEST):
        makers = [step for each in layer if (step := made_by(tape, each)) is not None]
        layer = {ref.number for step in makers for ref in step.refs()}
        if of in layer:
            return True
    return False


def scores_of(tape: Tape, softmax: Step) -> Step | None:
    """Return the product of matrices that a softmax is taken of, through scale and mask."""
    exponential = made_by(tape, softmax.refs()[0].number)
    layer = [] if exponential is None else [exponential.refs()[0].number]
    for _ in range(FARTHEST):
        makers = [step for number in layer if (step := made_by(tape, number)) is not None]
        products = [step for step in makers if step.name in PRODUCTS]
        if products:
            return products[0] if len(products) == 1 else None
        passed = [step for step in makers if step.name in PASSED or step.func.is_view]
        layer = [ref.number for step in passed for ref in step.refs()]
    return None


def made_by(tape: Tape, number: int) -> Step | None:
    """Return the step that made a value."""
    at = tape.maker.get(number)
    return None if at is None else tape.steps[at]


def seen_through(tape: Tape, number: int) -> Iterator[int]:
    """Yield a value and all that it is a view or a copy of, as far as nothing is computed.

    Of an input that is seen so, none: it has a name.
    """
    chain = [number]
    step = made_by(tape, number)
    while step is not None and not step.several and (step.func.is_view or step.name in COPIES):
        chain.append(step.refs()[0].number)
        step = made_by(tape, chain[-1])
    if chain[-1] not in tape.inputs.values():
        yield from chain


def readers(tape: Tape, number: int) -> Iterator[Step]:
    """Yield the steps of the forward pass that read a value, through views and copies."""
    copies = {number}
    for step in tape.steps[: tape.boundary]:
        if not any(ref.number in copies for ref in step.refs()):
            continue
        if step.func.is_view or step.name in COPIES:
            copies.update(step.outs)
        else:
            yield step
