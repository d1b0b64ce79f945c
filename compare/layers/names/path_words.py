"""The words for a path that is cut: all of a value, one use of it, one of its parts, most steps."""

from __future__ import annotations

from compare.layers.names.called import readers
from compare.layers.names.change import Change
from compare.layers.names.friendly import Names
from compare.layers.names.tape import Ref, Step

ONLY_DY = "of the derivative of the log-softmax, dy - p Σ dy, only dy is taken"
OVERWRITTEN = "(overwritten in place of added)"


def cut(names: Names, step: Step, change: Change) -> str:
    """A path that is cut behind a step."""
    if names.log_softmax & set(step.outs):
        return ONLY_DY
    nouns = " and ".join(dict.fromkeys(names.noun(out) for out in step.outs[::-1]))
    where = "" if change.also else names.where(step.outs[0])
    where = where or use(names, step, change)
    return f"the gradient does not flow through {nouns}{where}"


def use(names: Names, step: Step, change: Change) -> str:
    """Return in what a view is read, if what it is a view of is read elsewhere as well."""
    if not step.func.is_view or step.several:
        return ""
    source = names.behind_views(step.outs[0])
    outs = [names.tape.steps[at].outs[0] for at in (change.at, *change.also)]
    mine = [reader for out in outs for reader in readers(names.tape, out)]
    others = [r for r in readers(names.tape, source) if all(r is not one for one in mine)]
    return f" in {names.noun(mine[0].outs[0])}" if mine and others else ""


def part(names: Names, step: Step, change: Change) -> str:
    """A path that is cut behind one of several results."""
    assert isinstance(change.other, int)
    return f"the gradient does not flow through {names.noun(step.outs[change.other])}"


def edge(names: Names, step: Step, change: Change) -> str:
    """A path that is cut at one argument."""
    argument = step.args[change.argument]
    if not isinstance(argument, Ref):
        return f"the gradient does not flow through {argument} in {names.noun(step.outs[0])}"
    left = one_left(names, argument.number, change)
    noun, made = names.seen(argument.number), names.noun(step.outs[0])
    return left or f"the gradient does not flow through {noun} in {made}"


def one_left(names: Names, number: int, change: Change) -> str:
    """Say of which step of a loop the gradient of an input is, where no other adds to it."""
    source = names.behind_views(number)
    which = next((w for w in ("first", "last") if change.steps.endswith(f"but the {w}")), None)
    uses = len(list(readers(names.tape, source)))
    if source not in names.inputs or which is None or uses != len(change.also) + 2:
        return ""
    return (
        f"of the terms of d{names.inputs[source]} only that of the {which} step is left "
        f"{OVERWRITTEN}"
    )
