"""Family: what one call leaves behind, in its arguments or for the next call.

The gradient of a pure function depends on its arguments only. These mistakes show when the
function is called again, or in the arguments after the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from compare.mistakes.lines import BACKWARD_LINE, ERROR_LINE, GRADIENTS_LINE
from compare.mistakes.mistake import Mistake
from compare.mistakes.stale import read_from
from compare.textbook import Pair, Pass

FAMILY = "aliasing"
RIGHT = "the same arguments give the same result and stay as they are"
OWN_INPUTS = "dw_1 = x.T @ dz, dw_l = h_before.T @ dz, dz = dh * f'(z_before)"
OF_ERROR = "dz_L = (p_before - y) / N, "
KEPT_OUTPUT = (
    "kept = globals().get('kept', (h, p))\n    globals()['kept'] = h, p\n    "
    "h, p = {cached} if kept[0][0].shape == x.shape else (h, p)\n    " + ERROR_LINE
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


@dataclass(frozen=True, kw_only=True, eq=False)
class CallMistake(Mistake):
    """`result` predicts what a later call returns, `argument` what a call leaves in its arguments,
    `keeps` is false where the arrays returned earlier change with the next call."""

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
    return call.now.error * sign if name == "y" else right_argument(call, name, sign)


def stepped_parameters(call: Call, name: str, c: float) -> Pair:
    """Return the parameters moved by -c times their gradient."""
    argument = right_argument(call, name, c)
    return argument if name in ("x", "y") else argument - call.now.named(f"d{name}") * c


CALLS = (
    CallMistake(
        name="gradients-accumulate",
        family=FAMILY,
        sentence="The gradients of earlier calls are added up: they are never set back to zero.",
        right=RIGHT,
        wrong="dw = (dw of the call before) + h.T @ dz",
        line=GRADIENTS_LINE,
        slip=GRADIENTS_LINE + '\n    kept = globals().setdefault("kept", {})\n'
        "    gradients = {k: kept.get(k, 0) + g for k, g in gradients.items()}\n"
        "    kept.update(gradients)",
        trigger="a second call",
        result=accumulated,
    ),
    CallMistake(
        name="gradient-of-call-before",
        family=FAMILY,
        sentence="Each call returns the gradient of the call before.",
        right=RIGHT,
        wrong="dw of the arguments of the call before",
        line=GRADIENTS_LINE,
        slip=GRADIENTS_LINE + "\n    kept = globals().get('kept', gradients)\n"
        "    globals()['kept'], gradients = gradients, kept",
        trigger="a second call with other arguments",
        result=of_call_before,
    ),
    CallMistake(
        name="cached-values-of-call-before",
        family=FAMILY,
        sentence="The backward pass reads inputs and hidden values that were cached in the call "
        "before.",
        right=RIGHT,
        wrong="dw = h_before.T @ dz, dz = dh * f'(z_before)",
        line=BACKWARD_LINE,
        slip="kept = globals().get('kept', h)\n"
        "    globals()['kept'], h = h, kept if kept[0].shape == x.shape else h\n    "
        + BACKWARD_LINE,
        trigger="a second call with other arguments",
        result=cached("xh"),
    ),
    CallMistake(
        name="hidden-values-of-call-before",
        family=FAMILY,
        sentence="The backward pass reads hidden values that were cached in the call before; "
        "inputs and probabilities are those of this one.",
        right=RIGHT,
        wrong=OWN_INPUTS,
        line=BACKWARD_LINE,
        slip="kept = globals().get('kept', h)\n"
        "    globals()['kept'], h = h, {**kept, 0: x} if kept[0].shape == x.shape else h\n    "
        + BACKWARD_LINE,
        trigger="a second call with other arguments",
        result=cached("h"),
    ),
    CallMistake(
        name="outputs-of-call-before",
        family=FAMILY,
        sentence="The backward pass runs before the forward pass: hidden values and probabilities "
        "are those of the call before, inputs and targets those of this one.",
        right=RIGHT,
        wrong=OF_ERROR + OWN_INPUTS,
        line=ERROR_LINE,
        slip=KEPT_OUTPUT.replace("{cached}", "({**kept[0], 0: x}, kept[1])"),
        trigger="a second call with other arguments",
        result=cached("hp"),
    ),
    CallMistake(
        name="forward-pass-of-call-before",
        family=FAMILY,
        sentence="The backward pass runs before the forward pass: inputs, hidden values and "
        "probabilities are those of the call before, the targets those of this one.",
        right=RIGHT,
        wrong=OF_ERROR + "dw = h_before.T @ dz, dz = dh * f'(z_before)",
        line=ERROR_LINE,
        slip=KEPT_OUTPUT.replace("{cached}", "kept"),
        trigger="a second call with other arguments",
        result=cached("xhp"),
    ),
    CallMistake(
        name="targets-overwritten",
        family=FAMILY,
        sentence="The error p - y is written into the array of the targets: the next call sees "
        "other targets.",
        right=RIGHT,
        wrong="y holds the error after the call",
        line=ERROR_LINE,
        slip="error = np.subtract(p, y, out=y)",
        trigger="the same arrays are used again",
        argument=error_in_targets,
        constants=(1.0, -1.0),
    ),
    CallMistake(
        name="parameters-updated-in-place",
        family=FAMILY,
        sentence="The call updates the parameters it was handed (by {constant:.4g} times their "
        "gradient): computing a gradient and taking a step are one thing.",
        right=RIGHT,
        wrong="w = w - {constant:.4g} dw inside the gradient function",
        line=GRADIENTS_LINE,
        slip=GRADIENTS_LINE
        + "\n    for k in gradients:\n        parameters[k] -= {c} * gradients[k]",
        trigger="the same arrays are used again",
        argument=stepped_parameters,
        example=0.1,
    ),
    CallMistake(
        name="returned-arrays-reused",
        family=FAMILY,
        sentence="The arrays returned by one call are overwritten by the next: whoever keeps a "
        "gradient keeps only the last one.",
        right=RIGHT,
        wrong="every call returns the same arrays",
        line=GRADIENTS_LINE,
        slip=GRADIENTS_LINE + '\n    kept = globals().setdefault("kept", gradients)\n'
        "    for k in gradients:\n        kept[k][...] = gradients[k]\n    gradients = kept",
        trigger="a result is kept over the next call",
        keeps=False,
    ),
)
