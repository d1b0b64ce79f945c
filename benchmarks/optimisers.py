"""How wide the allowances of an update are: honest steps in five ways, slips, and named mistakes.

`python -m benchmarks.optimisers [--networks N]` prints one line for every optimiser and format. The
ways of writing share nothing with the code under test: in place, with running means moved by a
share of their distance, with the rate corrected in place of the means, on one flat vector, and in
the next precision rounded once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from compare import Experiment
from compare.checks.optimiser_replay import OptimiserReplay
from compare.checks.optimiser_step import OptimiserStep
from compare.checks.step_power import StepPower
from compare.checks.weak import PROMISED
from compare.diagnosis.optimiser import identify
from compare.mistakes.catalogue import OTHER_STEP
from compare.mistakes.optimiser_mistake import OptimiserMistake
from manual_mlp import Record

Array = Any
Kept = dict[str, Array]
Way = Callable[[Experiment, Array, Array, Kept, int], tuple[Array, Kept]]
WIDE = {"float64": np.longdouble, "float32": np.float64}
UPDATES = 10
MOST_DRAWN = 4
"""So many times as many networks are drawn at most, for those in which a mistake shows."""
DECLARED: dict[str, dict[str, Any]] = {
    "sgd": {"nesterov": True, "weight_decay": 0.1},
    "sgd, dampened": {"dampening": 0.3},
    "adam": {"optimiser": "adam", "weight_decay": 0.01},
    "adamw": {"optimiser": "adamw", "weight_decay": 0.01},
    "amsgrad": {"optimiser": "amsgrad"},
    "rmsprop": {"optimiser": "rmsprop", "centred": True, "alpha": 0.9, "momentum": 0.9},
    "adagrad": {"optimiser": "adagrad"},
}


def textbook(of: Experiment, w: Array, g: Array, kept: Kept, t: int) -> tuple[Array, Kept]:
    """As in the papers, an equation a line."""
    lr, eps = of.learning_rate, of.optimiser_settings["eps"]
    if of.optimiser == "adamw":
        w = w - lr * of.weight_decay * w
    elif of.weight_decay:
        g = g + of.weight_decay * w
    if of.optimiser == "sgd":
        v = g if not kept else of.momentum * kept["v"] + (1 - of.dampening) * g
        return w - lr * ((g + of.momentum * v) if of.nesterov else v), {"v": v}
    if of.optimiser == "adagrad":
        s = kept.get("s", 0 * w) + g**2
        return w - lr * g / (np.sqrt(s) + eps), {"s": s}
    if of.optimiser == "rmsprop":
        s = of.alpha * kept.get("s", 0 * w) + (1 - of.alpha) * g**2
        a = of.alpha * kept.get("a", 0 * w) + (1 - of.alpha) * g
        v = of.momentum * kept.get("v", 0 * w) + g / (np.sqrt(s - a**2) + eps)
        return w - lr * v, {"s": s, "a": a, "v": v}
    b1, b2 = of.betas
    m = b1 * kept.get("m", 0 * w) + (1 - b1) * g
    s = b2 * kept.get("s", 0 * w) + (1 - b2) * g**2
    after = {"m": m, "s": s}
    if of.optimiser == "amsgrad":
        after["r"] = s = np.maximum(kept.get("r", 0 * w), s)
    return w - lr * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps), after


def moved(of: Experiment, w: Array, g: Array, kept: Kept, t: int) -> tuple[Array, Kept]:
    """Means moved by a share of their distance, and the rate corrected, not the means."""
    lr, eps = of.learning_rate, of.optimiser_settings["eps"]
    if of.optimiser in ("sgd", "adagrad"):
        return textbook(of, w, g, kept, t)
    if of.optimiser == "rmsprop":
        s, a = kept.get("s", 0 * w), kept.get("a", 0 * w)
        s, a = s + (1 - of.alpha) * (g * g - s), a + (1 - of.alpha) * (g - a)
        v = of.momentum * kept.get("v", 0 * w) + g / (np.sqrt(s - a * a) + eps)
        return w - lr * v, {"s": s, "a": a, "v": v}
    if of.optimiser == "adamw":
        w = (1 - lr * of.weight_decay) * w
    elif of.weight_decay:
        g = of.weight_decay * w + g
    b1, b2 = of.betas
    m, s = kept.get("m", 0 * w), kept.get("s", 0 * w)
    m, s = m + (1 - b1) * (g - m), s + (1 - b2) * (g * g - s)
    after = {"m": m, "s": s}
    if of.optimiser == "amsgrad":
        after["r"] = s = np.where(s > kept.get("r", 0 * w), s, kept.get("r", 0 * w))
    correction = np.sqrt(1 - b2**t)
    rate = lr * correction / (1 - b1**t)
    return w - rate * m / (np.sqrt(s) + eps * correction), after


def in_place(of: Experiment, w: Array, g: Array, kept: Kept, t: int) -> tuple[Array, Kept]:
    """The buffers overwritten, as most code does."""
    after, state = textbook(of, w, g, {k: a.copy() for k, a in kept.items()}, t)
    step = after - w
    step += w
    return step, state


def flat(of: Experiment, w: Array, g: Array, kept: Kept, t: int) -> tuple[Array, Kept]:
    """Everything on one column-major vector."""
    order = "F"
    state = {k: a.ravel(order) for k, a in kept.items()}
    after, state = textbook(of, w.ravel(order), g.ravel(order), state, t)
    shaped = {k: a.reshape(w.shape, order="F") for k, a in state.items()}
    return after.reshape(w.shape, order="F"), shaped


def wide(of: Experiment, w: Array, g: Array, kept: Kept, t: int) -> tuple[Array, Kept]:
    """In the next precision, rounded once."""
    to = WIDE[str(w.dtype)]
    state = {k: a.astype(to) for k, a in kept.items()}
    after, state = textbook(of, w.astype(to), g.astype(to), state, t)
    return after, state


WAYS: tuple[Way, ...] = (textbook, moved, in_place, flat, wide)


def walked(of: Experiment, way: Way, seed: int, updates: int = UPDATES) -> Iterator[Record]:
    """Yield the records of a training of two tensors with random gradients."""
    draw, dtype = np.random.default_rng(seed), np.dtype(of.dtype)
    shapes = {"w1": tuple(draw.integers(2, 40, 2)), "b1": (int(draw.integers(2, 40)),)}
    size = {name: 10.0 ** draw.uniform(-3, 1) for name in shapes}
    now = {name: draw.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    kept: dict[str, Kept] = {name: {} for name in now}
    for t in range(updates + 1):
        g = {k: (size[k] * draw.normal(size=w.shape)).astype(dtype) for k, w in now.items()}
        state = {f"{p}_{k}": a for k, old in kept.items() for p, a in old.items()}
        yield Record(t, 0, np.arange(1), 0.0, g, now, state, None, of.learning_rate)
        both = {k: way(of, w, g[k], kept[k], t + 1) for k, w in now.items()}
        now = {k: w.astype(dtype) for k, (w, _) in both.items()}
        kept = {k: {p: a.astype(dtype) for p, a in old.items()} for k, (_, old) in both.items()}


def asked(name: str, dtype: str, seed: int) -> Experiment:
    """The settings of a network: any usual rate."""
    rate = float(10.0 ** np.random.default_rng((seed, 1)).uniform(-4, -1))
    more = {"momentum_form": "buffer", "learning_rate": rate, "dtype": dtype, **DECLARED[name]}
    return Experiment(**more)


def honest(name: str, dtype: str, networks: int) -> tuple[int, float]:
    """How many honest updates there were, and the worst ratio of all."""
    made, worst = 0, 0.0
    for seed in range(networks):
        of = asked(name, dtype, seed)
        for way in WAYS:
            check, records = OptimiserReplay(OptimiserStep.of(of)), list(walked(of, way, seed))
            for before, after in pairwise(records):
                found = check(before, after)
                worst = max(worst, *(one.ratio for one in found.values()))
                made += 1
    return made, worst


def slips(name: str, dtype: str, networks: int) -> tuple[int, int, int]:
    """Scale errors of the promised size: seen, made on updates that are not weak, all."""
    seen = strong = made = 0
    for seed in range(networks):
        of = asked(name, dtype, seed)
        *_, before, after = walked(of, textbook, seed, 4)
        power = StepPower(dtype)
        OptimiserReplay(OptimiserStep.of(of))(before, after, power)
        weak = {(what.removeprefix("no ").split()[-1], name) for what, name in power.short}
        for key in (*after.parameters, *after.state):
            prefix, _, tensor = key.rpartition("_")
            made += 1
            if (prefix or "change", tensor) in weak:
                continue
            strong += 1
            found = OptimiserReplay(OptimiserStep.of(of))(
                before, slipped(before, after, key, dtype)
            )
            seen += not all(one.agrees for one in found.values())
    return seen, strong, made


def slipped(before: Record, after: Record, key: str, dtype: str) -> Record:
    """The record with one change or buffer scaled by the promised error, rounded once."""
    to: Any = WIDE[dtype]
    share = to(1) + to(PROMISED[dtype])
    if key in after.parameters:
        w = before.parameters[key].astype(to)
        scaled = w + (after.parameters[key].astype(to) - w) * share
        return replace(after, parameters=after.parameters | {key: scaled.astype(dtype)})
    scaled = after.state[key].astype(to) * share
    return replace(after, state=after.state | {key: scaled.astype(dtype)})


def named(dtype: str, networks: int) -> Iterator[tuple[str, int, int]]:
    """Yield every mistake in every optimiser it is of: how often it was named, and planted.

    Where it changes no number beyond rounding (an epsilon of 1e-10 inside the root of large
    gradients, in float32) there is nothing to name: another network is drawn in its place.
    """
    for mistake in OTHER_STEP:
        for name in mistake.of:
            hits = made = 0
            for seed in range(MOST_DRAWN * networks):
                needs = {"learning_rate": 0.01, "dtype": dtype, **dict(mistake.needs)}
                of = Experiment(optimiser=name, **needs)
                records = list(walked(of, written(mistake, of), seed, 6))
                found = identify(records, of)
                if found is None and unseen(of, records):
                    continue
                made, hits = made + 1, hits + (found is not None and found.mistake is mistake)
                if made == networks:
                    break
            if made:  # a count for every layer is right where there is one
                yield f"{mistake.name}, {name}", hits, made


def written(mistake: OptimiserMistake, of: Experiment) -> Way:
    """Return the update with the mistake in it."""
    rule, step = mistake.rule(of.optimiser), OptimiserStep.of(of)

    def way(_: Experiment, w: Array, g: Array, kept: Kept, t: int) -> tuple[Array, Kept]:
        settings = step.settings_of("w1" if w.ndim == 2 else "b1", ("w1", "b1"))
        with np.errstate(invalid="ignore"):
            after: tuple[Array, Kept] = rule(w, g, kept, t, settings)
        return after

    return way


def unseen(of: Experiment, records: list[Record]) -> bool:
    """Return whether these updates are right within rounding."""
    check = OptimiserReplay(OptimiserStep.of(of))
    steps = (check(before, after) for before, after in pairwise(records))
    return all(one.agrees for found in steps for one in found.values())


def main() -> None:
    """Print the tables."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.optimisers", description=__doc__)
    made.add_argument("--networks", type=int, default=10)
    networks = made.parse_args().networks
    print(
        f"{'optimiser':16} {'format':8} {'honest':>7} {'worst':>6} {'seen / not weak / made':>24}"
    )
    for name in DECLARED:
        for dtype in WIDE:
            count, worst = honest(name, dtype, networks)
            seen, strong, all_of_them = slips(name, dtype, networks)
            told = f"{seen} / {strong} / {all_of_them}"
            print(f"{name:16} {dtype:8} {count:7} {worst:6.3f} {told:>24}", flush=True)
    for dtype in WIDE:
        missed = [
            (name, hits, made)
            for name, hits, made in named(dtype, 3 * networks)
            if hits < made or made < 3 * networks
        ]
        print(
            f"named in all of {3 * networks} networks, {dtype}, but {missed or 'none'}", flush=True
        )


if __name__ == "__main__":
    main()
