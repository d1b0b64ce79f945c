"""Clipping and momentum forms that were not declared, or are wrong, named from recorded updates."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from compare.contracts.experiment import Experiment
from compare.diagnosis.optimiser import identify
from compare.diagnosis.shortened import Shortened, shortened
from compare.diagnosis.track import Settings
from compare.diagnosis.updates import diagnose_updates
from compare.judge.naming_run import momentum_of
from manual_mlp import Record

pytestmark = pytest.mark.rounding
C = 0.3
Arrays = dict[str, np.ndarray[Any, Any]]
Clip = Callable[[Arrays], Arrays]
LENGTHS = (2.0, 0.1, 0.7, 5.0, 0.2)
RATES = (0.1, 0.1, 0.05, 0.05, 0.02)
MOMENTUM = 0.9


def norm(g: Arrays) -> float:
    return float(np.sqrt(sum((a * a).sum() for a in g.values())))


def scaled(g: Arrays, share: float) -> Arrays:
    return {k: a * share for k, a in g.items()}


def together(g: Arrays) -> Arrays:
    return scaled(g, min(1.0, C / norm(g)))


def each(g: Arrays) -> Arrays:
    return {k: a * min(1.0, C / norm({k: a})) for k, a in g.items()}


def entries(g: Arrays) -> Arrays:
    return {k: np.clip(a, -C, C) for k, a in g.items()}


def whole(g: Arrays) -> Arrays:
    return g


def sgd(
    form: str, clip: Clip, *, rates: tuple[float, ...] = (0.1,) * 5, state: bool = True,
    momentum: float = MOMENTUM, lengths: tuple[float, ...] = LENGTHS, first: int = 0,
) -> list[Record]:  # fmt: skip
    """Records of momentum written by hand, with a learning rate for every update."""
    generator = np.random.default_rng(5)
    w: Arrays = {k: generator.normal(size=s) for k, s in (("w1", (6, 5)), ("b1", 5))}
    v: Arrays = {f"v_{k}": np.zeros_like(a) for k, a in w.items()}
    found = []
    for t, (length, rate) in enumerate(zip((*lengths, 1.0), (*rates, 0.1), strict=True)):
        g: Arrays = {k: np.asarray(generator.normal(size=a.shape)) for k, a in w.items()}
        g = scaled(g, length / norm(g))
        kept = v if state else {}
        found.append(Record(t, 0, np.arange(1), 0.0, g, w, kept, None, learning_rate=rate))
        inside, outside = (rate, 1.0) if form == "velocity" else (1.0, rate)
        taken = clip(g)
        v = {f"v_{k}": momentum * v[f"v_{k}"] + inside * taken[k] for k in w}
        w = {k: w[k] - outside * v[f"v_{k}"] for k in w}
    return found[first:]


def asked(form: str, **more: Any) -> Experiment:
    return Experiment(learning_rate=0.1, momentum_form=form, **more)


@pytest.mark.parametrize("state", [True, False], ids=["recorded", "not recorded"])
@pytest.mark.parametrize("form", ["velocity", "buffer"])
def test_clipping_that_was_not_declared_is_named_with_its_bound(form: str, state: bool) -> None:
    for clip, option in ((together, "--clip-norm 0.3"), (entries, "--clip-value 0.3")):
        found = shortened([sgd(form, clip, state=state)], asked(form))
        assert isinstance(found, Shortened) and f"`{option}` declares it" in found.mistake.sentence
        assert found.after <= 1 < found.before
        assert found.diagnosis.title.startswith("gradients clipped ")
    alone = shortened([sgd(form, each, state=state)], asked(form))
    assert alone is not None and alone.mistake.name == "gradients-clipped-each"
    assert not alone.mistake.convention


def test_clipping_is_named_without_momentum_and_in_the_middle_of_a_training() -> None:
    plain = sgd("buffer", together, momentum=0.0, state=False)
    found = shortened([plain], asked("buffer", momentum=0.0))
    assert found is not None and found.bound == C
    later = sgd("buffer", together, lengths=(2.0, 0.1, 0.7, 5.0, 0.2), first=2)
    found = shortened([later], asked("buffer"))
    assert found is not None and found.bound == C


def test_clipping_under_a_falling_rate_and_of_adam_is_named() -> None:
    found = shortened([sgd("velocity", together, rates=RATES)], asked("velocity"))
    assert found is not None and found.bound == C
    adam = Experiment(optimiser="adam", learning_rate=0.01)
    for state in (True, False):
        found = shortened([adam_records(together, state=state)], adam)
        assert found is not None and found.bound == C


def adam_records(clip: Clip, *, state: bool) -> list[Record]:
    generator = np.random.default_rng(6)
    w: Arrays = {k: generator.normal(size=s) for k, s in (("w1", (6, 5)), ("b1", 5))}
    m, s = ({k: np.zeros_like(a) for k, a in w.items()} for _ in range(2))
    found = []
    for t, length in enumerate((*LENGTHS, 1.0), start=1):
        g: Arrays = {k: np.asarray(generator.normal(size=a.shape)) for k, a in w.items()}
        g = scaled(g, length / norm(g))
        kept = {f"m_{k}": a for k, a in m.items()} | {f"s_{k}": a for k, a in s.items()}
        shown = kept | {"t": np.asarray(t - 1)} if state else {}
        found.append(Record(t - 1, 0, np.arange(1), 0.0, g, w, shown, None))
        taken = clip(g)
        m = {k: 0.9 * m[k] + 0.1 * taken[k] for k in w}
        s = {k: 0.999 * s[k] + 0.001 * taken[k] ** 2 for k in w}
        root = {k: np.sqrt(s[k] / (1 - 0.999**t)) + 1e-8 for k in w}
        w = {k: w[k] - 0.01 * m[k] / (1 - 0.9**t) / root[k] for k in w}
    return found


def test_no_clipping_is_made_of_what_is_right_or_wrong_otherwise() -> None:
    def tripled(g: Arrays) -> Arrays:
        return scaled(g, 3.0)

    def halved_once(g: Arrays) -> Arrays:
        return scaled(g, 0.4321987 if norm(g) > 4 else 1.0)  # once: any factor

    def cubic(g: Arrays) -> Arrays:
        return {k: np.cbrt(a) for k, a in g.items()}

    for clip in (whole, tripled, halved_once, cubic):
        for form in ("velocity", "buffer"):
            assert shortened([sgd(form, clip)], asked(form)) is None, clip.__name__
            assert shortened([sgd(form, clip, state=False)], asked(form)) is None, clip.__name__
    assert shortened([sgd("buffer", whole)], asked("buffer", clip_norm=C)) is None
    assert shortened([sgd("buffer", together)], asked("buffer", clip_norm=C)) is None
    assert shortened([sgd("buffer", together, state=False, first=2)], asked("buffer")) is None


def wrongly(how: str, g: Arrays) -> Arrays:
    length = {
        "clip-norm-without-root": norm(g) ** 2,
        "clip-norm-of-sums": sum(norm({k: a}) for k, a in g.items()),
        "clip-norm-of-weights": norm({"w1": g["w1"]}),
        "clip-norm-averaged": norm(g) / np.sqrt(35),
        "clip-norm-of-absolutes": sum(np.abs(a).sum() for a in g.values()),
        "clip-norm-of-largest": max(np.abs(a).max() for a in g.values()),
        "clip-norm-guard": norm(g) + 1e-3,
        "clip-norm-always": norm(g),
    }[how]
    return scaled(g, C / length if how == "clip-norm-always" else min(1.0, C / length))


WRONG = (
    "clip-norm-without-root", "clip-norm-of-sums", "clip-norm-of-weights", "clip-norm-averaged",
    "clip-norm-of-absolutes", "clip-norm-of-largest", "clip-norm-guard", "clip-norm-always",
)  # fmt: skip


@pytest.mark.parametrize("how", WRONG)
def test_a_declared_clipping_by_another_length_is_named(how: str) -> None:
    records = sgd("velocity", lambda g: wrongly(how, g), rates=RATES)
    found = identify(records, asked("velocity", clip_norm=C))
    assert found is not None and found.mistake is not None and found.mistake.name == how


def test_nothing_is_named_where_clipping_is_right_in_another_form() -> None:
    assert identify(sgd("buffer", together, rates=RATES), asked("buffer", clip_norm=C)) is None


@pytest.mark.parametrize("declared", ["velocity", "buffer"])
@pytest.mark.parametrize("state", [True, False], ids=["recorded", "not recorded"])
def test_the_other_momentum_form_is_named_where_the_learning_rate_changes(
    declared: str, state: bool
) -> None:
    written = "buffer" if declared == "velocity" else "velocity"
    records = sgd(written, whole, rates=RATES, state=state)
    found = identify(records, asked(declared))
    assert found is not None and found.options == {"momentum_form": written}
    assert found.diagnosis.mistake == "other-momentum-form"
    assert identify(sgd(declared, whole, rates=RATES, state=state), asked(declared)) is None
    if state:
        settings = Settings(0.1, MOMENTUM, declared, {})
        named, *_ = diagnose_updates(list(pairwise(records)), settings)
        assert named.mistake == "other-momentum-form"


@pytest.mark.parametrize("lengths", [(2.0, 0.1, 0.7), (2.0, 1.1, 0.7)], ids=["some", "all"])
def test_another_bound_is_told_from_another_rate_where_a_gradient_is_short(
    lengths: tuple[float, ...],
) -> None:
    records = sgd("velocity", together, lengths=lengths, rates=(0.1, 0.1, 0.1))
    found = shortened([records], asked("velocity", clip_norm=0.2))
    assert found is not None and found.bound == C
    assert ("1.5 times the declared one" in found.mistake.title) == (min(lengths) > C)


def test_a_mistake_of_the_momentum_is_named_beside_declared_decay_and_clipping() -> None:
    records = sgd("buffer", together, momentum=0.5)
    wanted = asked("buffer", clip_norm=C)
    found = [
        one.mistake
        for declared in momentum_of(wanted, {})
        for one in diagnose_updates(list(pairwise(records)), declared, pairs=False)
    ]
    assert found == ["another-momentum"]
    assert momentum_of(asked("buffer", nesterov=True), {}) == ()
