"""Family: what one call leaves behind, in its arguments or for the next call.

The gradient of a pure function depends on its arguments only. These mistakes show when the
function is called again, or in the arguments after the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass

from compare.mistakes.mistake import Mistake
from compare.mistakes.stale import read_from
from compare.textbook import Pair, Pass
from compare.textbook.program import NETWORK

BACKWARD_LINE = "for i in range(L, 0, -1):"
ERROR_LINE = NETWORK["error"].text
GRADIENTS_LINE = NETWORK["gradients"].text
KEPT_OUTPUT = (
    "kept = globals().get('kept', (h, p))\nglobals()['kept'] = h, p\n"
    "h, p = {cached} if kept[0][0].shape == x.shape else (h, p)\n" + ERROR_LINE
)


@dataclass(frozen=True)
class Call:
    """One call in a row of calls: the right passes of this one and of the one before, and the
    gradients that one returned, taken as exact."""

    now: Pass
    before: Pass
    returned: Mapping[str, Pair]


def right_result(call: Call, name: str) -> Pair:
    """Return loss or gradient as it should be."""
    return call.now.named(name)


def right_argument(call: Call, name: str, constant: float) -> Pair:
    """Return an argument as it was handed over: `x`, `y`, `w1`, ..."""
    if name in ("x", "y"):
        return call.now.get(name)
    layer = int(name[1:])
    return call.now.w(layer) if name[0] == "w" else call.now.b(layer)


@dataclass(frozen=True, eq=False)
class CallMistake(Mistake):
    """`result` predicts what a later call returns, `argument` what a call leaves in its arguments,
    `keeps` is false where the arrays returned earlier change with the next call."""

    _: KW_ONLY
    result: Callable[[Call, str], Pair] = right_result
    argument: Callable[[Call, str, float], Pair] = right_argument
    keeps: bool = True
    constants: tuple[float, ...] = ()

    @property
    def observable(self) -> tuple[str, ...]:
        """Return that a second call shows it."""
        return ("repeated calls",)


def accumulated(call: Call, name: str) -> Pair:
    """Return this gradient added to the one returned before."""
    return call.now.named(name) if name == "loss" else call.returned[name] + call.now.named(name)


def of_call_before(call: Call, name: str) -> Pair:
    """Return the right gradient of the call before; the loss is this one's."""
    return call.now.named(name) if name == "loss" else call.before.named(name)


def cached(kept: str) -> Callable[[Call, str], Pair]:
    """Return what comes out if the backward pass reads `kept` from the call before.

    A batch of another size does not fit what was kept: such a call is right, or it raises.
    """

    def result(call: Call, name: str) -> Pair:
        fits = call.now.rows == call.before.rows
        net = call.now.having(read_from(call.before, kept)) if fits else call.now
        return net.named(name)

    return result


def error_in_targets(call: Call, name: str, sign: float) -> Pair:
    """Return the targets replaced by +-(p - y)."""
    return call.now.get("error") * sign if name == "y" else right_argument(call, name, sign)


def stepped_parameters(call: Call, name: str, c: float) -> Pair:
    """Return the parameters moved by -c times their gradient."""
    argument = right_argument(call, name, c)
    return argument if name in ("x", "y") else argument - call.now.named(f"d{name}") * c


CALLS = (
    CallMistake(
        "gradients-accumulate",
        "gradients that add up over calls",
        "The gradients of earlier calls are added up: they are never set back to zero.",
        GRADIENTS_LINE + '\nkept = globals().setdefault("kept", {})\n'
        "gradients = {k: kept.get(k, 0) + g for k, g in gradients.items()}\n"
        "kept.update(gradients)",
        line=GRADIENTS_LINE,
        trigger="a second call",
        result=accumulated,
    ),
    CallMistake(
        "gradient-of-call-before",
        "the gradient of the call before",
        "Each call returns the gradient of the call before.",
        GRADIENTS_LINE + "\nkept = globals().get('kept', gradients)\n"
        "globals()['kept'], gradients = gradients, kept",
        line=GRADIENTS_LINE,
        trigger="a second call with other arguments",
        result=of_call_before,
    ),
    CallMistake(
        "cached-values-of-call-before",
        "inputs and hidden values of the call before",
        "The backward pass reads inputs and hidden values that were cached in the call before.",
        "kept = globals().get('kept', h)\n"
        "globals()['kept'], h = h, kept if kept[0].shape == x.shape else h\n" + BACKWARD_LINE,
        line=BACKWARD_LINE,
        trigger="a second call with other arguments",
        result=cached("xh"),
    ),
    CallMistake(
        "hidden-values-of-call-before",
        "hidden values of the call before",
        "The backward pass reads hidden values that were cached in the call before; inputs "
        "and probabilities are those of this one.",
        "kept = globals().get('kept', h)\n"
        "globals()['kept'], h = h, {**kept, 0: x} if kept[0].shape == x.shape else h\n"
        + BACKWARD_LINE,
        line=BACKWARD_LINE,
        trigger="a second call with other arguments",
        result=cached("h"),
    ),
    CallMistake(
        "outputs-of-call-before",
        "hidden values and probabilities of the call before",
        "The backward pass runs before the forward pass: hidden values and probabilities are "
        "those of the call before, inputs and targets those of this one.",
        KEPT_OUTPUT.replace("{cached}", "({**kept[0], 0: x}, kept[1])"),
        line=ERROR_LINE,
        trigger="a second call with other arguments",
        result=cached("hp"),
    ),
    CallMistake(
        "forward-pass-of-call-before",
        "the forward pass of the call before",
        "The backward pass runs before the forward pass: inputs, hidden values and "
        "probabilities are those of the call before, the targets those of this one.",
        KEPT_OUTPUT.replace("{cached}", "kept"),
        line=ERROR_LINE,
        trigger="a second call with other arguments",
        result=cached("xhp"),
    ),
    CallMistake(
        "targets-overwritten",
        "targets that the call overwrites",
        "The error p - y is written into the array of the targets: the next call sees other "
        "targets.",
        "error = np.subtract(p, y, out=y)",
        line=ERROR_LINE,
        trigger="the same arrays are used again",
        argument=error_in_targets,
        constants=(1.0, -1.0),
    ),
    CallMistake(
        "parameters-updated-in-place",
        "parameters that the call updates",
        "The call updates the parameters it was handed (by {constant:.4g} times their "
        "gradient): computing a gradient and taking a step are one thing.",
        GRADIENTS_LINE + "\nfor k in gradients:\n    parameters[k] -= c * gradients[k]",
        line=GRADIENTS_LINE,
        trigger="the same arrays are used again",
        argument=stepped_parameters,
        example=0.1,
    ),
    CallMistake(
        "returned-arrays-reused",
        "returned arrays that the next call overwrites",
        "The arrays returned by one call are overwritten by the next: whoever keeps a "
        "gradient keeps only the last one.",
        GRADIENTS_LINE + '\nkept = globals().setdefault("kept", gradients)\n'
        "for k in gradients:\n    kept[k][...] = gradients[k]\ngradients = kept",
        line=GRADIENTS_LINE,
        trigger="a result is kept over the next call",
        keeps=False,
    ),
)
