"""What the parameters of somebody's gradient function stand for, read off their names.

Some names leave no doubt (`w_o`, `target`). Some can be one of several quantities (`x_h`: the
input of the hidden layer, or its output?) and are bound only when all but one of these are taken
by other parameters. Whatever is still in doubt is not bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence


def spelt(table: Mapping[str, str]) -> dict[str, str]:
    """Turn `{quantity: "spelling spelling"}` round."""
    return {name: quantity for quantity, names in table.items() for name in names.split()}


WEIGHTS = spelt(
    {
        "w1": "w1 wh whid whidden hiddenw hiddenweight hiddenweights weighthidden weightshidden",
        "b1": "b1 bh bhid bhidden hiddenb hiddenbias hiddenbiases biashidden biaseshidden",
        "w2": "w2 wo wout woutput outputw outputweight outputweights outerweight outerweights "
        "weightoutput weightsoutput weightout weightsout outweight outweights",
        "b2": "b2 bo bout boutput outputb outputbias outputbiases outerbias outerbiases "
        "biasoutput biasesoutput biasout biasesout outbias outbiases",
    }
)
CERTAIN = WEIGHTS | spelt(
    {
        "x": "x xi xin input inputs data traindata xtrain trainx images image x0 h0 features",
        "y": "y t target targets label labels ytrue onehot traintarget traintargets trainlabels "
        "ytrain trainy truth groundtruth newtrain expected desired",
        "z1": "z1 zh zhid zhidden preactivation hiddenpreactivation",
        "h1": "h h1 hidden hiddenout hiddenoutput houtput hout hiddenlayer hiddenactivation",
        "logits": "z2 zo zout zoutput logit logits scores",
        "p": "p p2 po prob probs probability probabilities yhat prediction predictions pred preds "
        "softmax softmaxoutput softmaxout predicted",
        "dlogits": "dlogits dz2 dzo dlogit delta2 deltao",
    }
)
"""Spellings without doubt, in lower case and without underscores."""

POSSIBLE: dict[str, tuple[str, ...]] = {
    "xh": ("x", "h1"),
    "xo": ("h1", "logits", "p"),
    "a1": ("z1", "h1"),
    "s1": ("z1", "h1"),
    "ah": ("z1", "h1"),
    "sh": ("z1", "h1"),
    "z": ("z1", "logits"),
    "a2": ("logits", "p"),
    "s2": ("logits", "p"),
    "ao": ("logits", "p"),
    "so": ("logits", "p"),
    "o": ("logits", "p"),
    "out": ("logits", "p"),
    "output": ("logits", "p"),
    "outputs": ("logits", "p"),
    "a": ("h1", "p"),
    "w": ("w1", "w2"),
    "b": ("b1", "b2"),
}
"""Spellings that can be several quantities of a network with one hidden layer."""

AROUND = re.compile(
    r"^(?:dloss|dl|dj|de|dc)?d?(?:gradients?|grads?|backprop|bp|delta)?(?:of|for|wrt)?"
    r"(?P<inner>.+?)(?:gradients?|grads?)?$"
)
"""What stands around the name of a weight in the name of its gradient."""


def plain(name: str) -> str:
    """Return a name in lower case, without underscores."""
    return name.replace("_", "").lower()


def bind(parameters: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return `{parameter: quantity}` for those without doubt, and the others.

    Two parameters never stand for the same quantity: then neither is bound.
    """
    names = {name: plain(name) for name in parameters}
    candidates = {
        name: {CERTAIN[key]} if key in CERTAIN else set(POSSIBLE.get(key, ()))
        for name, key in names.items()
    }
    bound: dict[str, str] = {}
    while True:
        fresh = {
            name: next(iter(left))
            for name, possible in candidates.items()
            if name not in bound and len(left := possible - set(bound.values())) == 1
        }
        if not fresh:
            break
        bound |= fresh
    taken = list(bound.values())
    sure = {name: quantity for name, quantity in bound.items() if taken.count(quantity) == 1}
    return sure, tuple(name for name in names if name not in sure)


def gradient_named(name: str) -> str | None:
    """Return the parameter a name like `d_wo`, `grad_W_o` or `dL_dWo` is the gradient of."""
    found = AROUND.match(plain(name))
    return WEIGHTS.get(found["inner"]) if found else None


def gradients_named(returned: Sequence[str], function: str) -> tuple[str, ...] | None:
    """Return which gradients a function returns, by the names it returns or by its own name."""
    named = [gradient_named(name) for name in returned]
    if named and all(named) and len(set(named)) == len(named):
        return tuple(name for name in named if name)
    own = gradient_named(function)
    return (own,) if own and len(returned) <= 1 else None
