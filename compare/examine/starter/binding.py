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
        "x": "x xi xin input inputs inputslist inputlist xbatch xb batchx data traindata "
        "xtrain trainx images image x0 h0 features",
        "y": "y t target targets targetslist targetlist ybatch yb batchy label labels ytrue onehot "
        "traintarget traintargets trainlabels "
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

NUMBERED = re.compile(
    r"(?P<kind>w|weights?|theta|b|bias(?:es)?)(?:h|hid|hidden|fc|l|layer)?(?P<layer>[1-9])"
)
"""The name of a weight or bias with the number of its layer."""
VALUE = re.compile(r"(?P<kind>[zhas])(?P<layer>[1-9])")
"""The name of a value on the way with the number of its layer."""
LAYERS = 2
MOST_LAYERS = 4
"""How many layers are looked for."""

AROUND = re.compile(
    r"^(?:dloss|dl|dj|de|dc)?d?(?:gradients?|grads?|backprop|bp|delta)?(?:of|for|wrt)?"
    r"(?P<inner>.+?)(?:gradients?|grads?)?$"
)
"""What stands around the name of a weight in the name of its gradient."""


def plain(name: str) -> str:
    """Return a name in lower case, without underscores."""
    return name.replace("_", "").lower()


def weights_of(layers: int) -> tuple[str, ...]:
    """Return the names of the weights and biases of so many layers: w1, b1, w2, ..."""
    return tuple(f"{kind}{layer}" for layer in range(1, layers + 1) for kind in "wb")


GIVEN = frozenset({"x", "y", *weights_of(MOST_LAYERS)})
"""What no function has to make."""


def weight_called(name: str, layers: int = LAYERS) -> str:
    """Return the weight or bias of a network that has this name; empty where that is in doubt.

    Of more than two layers the number says which one it is; what is named like the output's is that
    of the last.
    """
    key = plain(name)
    if layers == LAYERS:
        return WEIGHTS.get(key, "")
    if found := NUMBERED.fullmatch(key):
        called = found["kind"][0].replace("t", "w") + found["layer"]
        return called if called in weights_of(layers) else ""
    last = WEIGHTS.get(key, "")
    return f"{last[0]}{layers}" if last.endswith("2") else ""


def certain(name: str, layers: int = LAYERS) -> str:
    """Return what a name stands for without doubt; empty where there is one."""
    key = plain(name)
    meant = CERTAIN.get(key, "")
    if layers == LAYERS or meant in ("x", "y"):
        return meant
    if weight := weight_called(key, layers):
        return weight
    if found := VALUE.fullmatch(key):
        kind, layer = found["kind"], int(found["layer"])
        if kind == "z" and layer == layers:
            return "logits"
        return f"{kind}{layer}" if kind in "zh" and layer < layers else ""
    return meant if meant in ("p", "logits") and not key[-1].isdigit() else ""


def possible(name: str, layers: int = LAYERS) -> tuple[str, ...]:
    """Return what a name in doubt may stand for; nothing where it says nothing."""
    key = plain(name)
    if layers == LAYERS:
        return POSSIBLE.get(key, ())
    found = VALUE.fullmatch(key)
    if found is None:
        return tuple(one for one in POSSIBLE.get(key, ()) if one in ("logits", "p"))
    layer = int(found["layer"])
    return ("logits", "p") if layer == layers else (f"z{layer}", f"h{layer}")


def bind(parameters: Iterable[str], layers: int = LAYERS) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return `{parameter: quantity}` for those without doubt, and the others.

    Two parameters never stand for the same quantity: then neither is bound.
    """
    names = list(dict.fromkeys(parameters))
    candidates = {
        name: {meant} if (meant := certain(name, layers)) else set(possible(name, layers))
        for name in names
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


def gradient_named(name: str, layers: int = LAYERS) -> str | None:
    """Return the parameter a name like `d_wo`, `grad_W_o` or `dL_dWo` is the gradient of."""
    found = AROUND.match(plain(name))
    return (weight_called(found["inner"], layers) or None) if found else None


def is_gradient_name(name: str) -> bool:
    """Return whether a name is that of a gradient of some layer."""
    return any(gradient_named(name, layers) for layers in (LAYERS, MOST_LAYERS))


def layers_named(names: Iterable[str]) -> int:
    """Return how many layers there are by the names of weights: w3, or w_h2 beside w_o.

    Not more than `MOST_LAYERS`, and `LAYERS` where none says another number.
    """
    inner = {found["inner"] for name in names if (found := AROUND.match(plain(name)))}
    numbers = [int(found["layer"]) for one in inner if (found := NUMBERED.fullmatch(one))]
    last = any(WEIGHTS.get(one, "").endswith("2") and not one[-1].isdigit() for one in inner)
    return min(max([LAYERS, *(number + last for number in numbers)]), MOST_LAYERS)


def layers_shown(text: str) -> int:
    """Return how many layers there are by the names in a text."""
    return layers_named(re.findall(r"[A-Za-z_]\w*", text))


def gradients_named(
    returned: Sequence[str], function: str, layers: int = LAYERS
) -> tuple[str, ...] | None:
    """Return which gradients a function returns, by the names it returns or by its own name."""
    named = [gradient_named(name, layers) for name in returned]
    if named and all(named) and len(set(named)) == len(named):
        return tuple(name for name in named if name)
    own = gradient_named(function, layers)
    return (own,) if own and len(returned) <= 1 else None
