"""The optimisers beside plain momentum, each as the recursion of one parameter w.

    step(w, g, state, t) -> (w, state)        t = 1, 2, ...: the number of this update

Conventions in which libraries differ are torch's here, and are stated: where epsilon stands,
whether the averages are corrected for their start at zero, what the first update is, and whether
decay of the weights is part of the gradient (coupled) or of the weight (decoupled).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from manual_mlp.arrays import Array, Arrays
from manual_mlp.optimise import Step


class Rule(Protocol):
    """One update of one parameter; absent state means that this is the first."""

    def __call__(self, w: Array, g: Array, state: Arrays, t: int, /) -> tuple[Array, Arrays]: ...


@dataclass(frozen=True, slots=True)
class SGD:
    """Gradient descent with momentum, in all the forms people write it.

        g = g + weight_decay w                                 coupled decay, or, decoupled,
        w = w - learning_rate weight_decay w                   before the step
        v = momentum v + (1 - dampening) g                     the first v is g itself, undamped
        w = w - learning_rate v                                form "buffer"
        w = w - learning_rate (g + momentum v)                 nesterov

    form "velocity": v = momentum v + (1 - dampening) learning_rate g, w = w - v;
    "negative_velocity": the same v with the other sign, w = w + v. Without momentum there is no v.

    Sources: torch.optim.SGD; Sutskever, Martens, Dahl & Hinton 2013, ICML, equations 1 to 4.
    """

    learning_rate: float
    momentum: float = 0.0
    form: str = "buffer"
    nesterov: bool = False
    dampening: float = 0.0
    weight_decay: float = 0.0
    decoupled: bool = False

    def __call__(self, w: Array, g: Array, state: Arrays, t: int, /) -> tuple[Array, Arrays]:
        w, g = decayed(w, g, self.learning_rate, self.weight_decay, self.decoupled)
        if not self.momentum:
            return w - self.learning_rate * g, {}
        sign = -1 if self.form == "negative_velocity" else 1
        inside = 1.0 if self.form == "buffer" else sign * self.learning_rate
        outside = self.learning_rate if self.form == "buffer" else sign
        share = 1 - self.dampening if "v" in state else 1.0
        v = self.momentum * state.get("v", np.zeros_like(w)) + share * (inside * g)
        direction = inside * g + self.momentum * v if self.nesterov else v
        return w - outside * direction, {"v": v}


@dataclass(frozen=True, slots=True)
class Adam:
    """Steps divided by the root of the mean square, both means corrected for their start at zero.

        g = g + weight_decay w              adam;  adamw (decoupled): w = (1 - rate weight_decay) w
        m = beta1 m + (1 - beta1) g
        s = beta2 s + (1 - beta2) g^2
        r = s, amsgrad: the largest s so far
        w = w - rate m / (1 - beta1^t) / (sqrt(r) / sqrt(1 - beta2^t) + epsilon)

    Epsilon stands outside of the root and after the correction; amsgrad takes the largest of the
    uncorrected s; adamw's decay is multiplied by the rate.

    Sources: Kingma & Ba 2015, ICLR, algorithm 1; Loshchilov & Hutter 2019, ICLR, algorithm 2;
    Reddi, Kale & Kumar 2018, ICLR, algorithm 2; torch.optim.Adam.
    """

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False
    amsgrad: bool = False

    def __call__(self, w: Array, g: Array, state: Arrays, t: int, /) -> tuple[Array, Arrays]:
        w, g = decayed(w, g, self.learning_rate, self.weight_decay, self.decoupled)
        zero = np.zeros_like(w)
        m = self.beta1 * state.get("m", zero) + (1 - self.beta1) * g
        s = self.beta2 * state.get("s", zero) + (1 - self.beta2) * (g * g)
        after = {"m": m, "s": s}
        if self.amsgrad:
            after["r"] = s = np.maximum(state.get("r", zero), s)
        root = np.sqrt(s) / (1 - self.beta2**t) ** 0.5 + self.epsilon
        return w - self.learning_rate / (1 - self.beta1**t) * (m / root), after


@dataclass(frozen=True, slots=True)
class RMSprop:
    """Steps divided by the root of a running mean square, without correction for its start.

        s = alpha s + (1 - alpha) g^2
        a = alpha a + (1 - alpha) g                      centred: s - a^2 in place of s
        v = momentum v + g / (sqrt(s) + epsilon)         epsilon outside of the root
        w = w - rate v

    Sources: Tieleman & Hinton 2012, Coursera lecture 6.5; Graves 2013 (centred), equations 38 to
    45, where epsilon is inside; torch.optim.RMSprop.
    """

    learning_rate: float
    alpha: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    centred: bool = False
    weight_decay: float = 0.0
    decoupled: bool = False

    def __call__(self, w: Array, g: Array, state: Arrays, t: int, /) -> tuple[Array, Arrays]:
        w, g = decayed(w, g, self.learning_rate, self.weight_decay, self.decoupled)
        zero = np.zeros_like(w)
        s = self.alpha * state.get("s", zero) + (1 - self.alpha) * (g * g)
        after, spread = {"s": s}, s
        if self.centred:
            a = self.alpha * state.get("a", zero) + (1 - self.alpha) * g
            after["a"], spread = a, s - a * a
        v = g / (np.sqrt(spread) + self.epsilon)
        if self.momentum:
            v = after["v"] = self.momentum * state.get("v", zero) + v
        return w - self.learning_rate * v, after


@dataclass(frozen=True, slots=True)
class Adagrad:
    """Steps divided by the root of the sum of all squares so far.

        s = s + g^2
        w = w - rate / (1 + (t - 1) rate_decay) g / (sqrt(s) + epsilon)

    Sources: Duchi, Hazan & Singer 2011, JMLR 12, figure 1; torch.optim.Adagrad.
    """

    learning_rate: float
    rate_decay: float = 0.0
    epsilon: float = 1e-10
    weight_decay: float = 0.0
    decoupled: bool = False

    def __call__(self, w: Array, g: Array, state: Arrays, t: int, /) -> tuple[Array, Arrays]:
        w, g = decayed(w, g, self.learning_rate, self.weight_decay, self.decoupled)
        s = state.get("s", np.zeros_like(w)) + g * g
        rate = self.learning_rate / (1 + (t - 1) * self.rate_decay)
        return w - rate * (g / (np.sqrt(s) + self.epsilon)), {"s": s}


def decayed(
    w: Array, g: Array, learning_rate: float, decay: float, decoupled: bool
) -> tuple[Array, Array]:
    """w and g with the weight decay: part of the gradient, or taken off the weight beforehand.

        coupled:    g + decay w
        decoupled:  w - learning_rate decay w

    Source: Loshchilov & Hutter 2019, ICLR.
    """
    if decoupled and decay:
        return w * (1 - learning_rate * decay), g
    return w, g + decay * w if decay else g


AnyRule = SGD | Adam | RMSprop | Adagrad
Clip = Callable[[Mapping[str, Array]], Arrays]


def update(
    rule: Rule, parameters: Mapping[str, Array], gradients: Mapping[str, Array], state: Arrays
) -> tuple[Arrays, Arrays]:
    """One update of every parameter by `rule`, pure.

    `state` holds `t`, the number of updates done, and for every parameter what its rule keeps:
    `v_w1`, `m_w1`, `s_w1`, ... Empty, or with names left out, it is the state before the first.
    """
    t = int(state.get("t", np.int64(0))) + 1
    stepped: Arrays = {}
    kept: Arrays = {"t": np.asarray(t)}
    for name, w in parameters.items():
        mine = {key[: -len(name) - 1]: a for key, a in state.items() if key.endswith(f"_{name}")}
        stepped[name], after = rule(w, gradients[name], mine, t)
        kept |= {f"{key}_{name}": array for key, array in after.items()}
    return stepped, kept


def stepping(rule: AnyRule, *, biases_decay: bool = True, clip: Clip | None = None) -> Step:
    """The update by `rule` as the learning loop calls it: at the rate of this update.

    The momentum is the rule's own. Without `biases_decay` only weights do, which is usual: a bias
    fits no noise. `clip` changes the gradients first.
    """

    @np.errstate(over="ignore", invalid="ignore")  # a run that diverges says so in its numbers
    def step(
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        state: Arrays,
        *,
        learning_rate: float,
        momentum: float,
    ) -> tuple[Arrays, Arrays]:
        now = replace(rule, learning_rate=learning_rate)
        gradients = clip(gradients) if clip else gradients
        if biases_decay:
            return update(now, parameters, gradients, state)
        weights = {name: w for name, w in parameters.items() if name[0] == "w"}
        biases = {name: b for name, b in parameters.items() if name not in weights}
        one, kept = update(now, weights, gradients, state)
        other, more = update(replace(now, weight_decay=0.0), biases, gradients, state)
        stepped = one | other
        return {name: stepped[name] for name in parameters}, kept | more

    return step
