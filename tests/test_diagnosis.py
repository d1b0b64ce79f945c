"""The diagnosis: mistakes are named with the right words, and nothing is named without proof."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import count, permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import manual_mlp
from compare import check
from compare.contracts.result import Diagnosis
from compare.diagnosis.asking import observations
from compare.diagnosis.calls import diagnose_calls
from compare.diagnosis.explanation import Part
from compare.diagnosis.facts import facts
from compare.diagnosis.gradients import diagnose, diagnose_gradients, diagnosed, probes
from compare.diagnosis.match import Case, ratios
from compare.diagnosis.observation import Observation, observe
from compare.diagnosis.pairing import different
from compare.diagnosis.prediction import prediction
from compare.handbook.planting import bare, plant
from compare.mistakes.catalogue import NETWORK, named
from compare.mistakes.cross_entropy import GUARDS
from compare.mistakes.derivative import LEAKS
from compare.mistakes.fits import rounded
from compare.points.diagnostic import ORDINARY, on_a_kink, probe, reduced
from compare.report.report_json import to_json
from compare.textbook import Pair, Pass, plain

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shared_passes")]
Array = NDArray[Any]
Arrays = dict[str, Array]
SIZES = (12, 9, 5)


def faulty(*names: str, **options: Any) -> Callable[..., tuple[Any, ...]]:
    """Return the plain program with these mistakes, showing loss and gradients only."""
    return bare(plant(*map(named, names), **options))


def only(found: tuple[Diagnosis, ...]) -> Diagnosis:
    """Return the one finding there is."""
    (one,) = found
    return one


def recorded(implementation: Callable[..., tuple[Any, ...]], seed: int = 0) -> Observation:
    """Return what the implementation gives at one random point."""
    points = probes(SIZES, activation="relu", reduction="mean", dtype=np.float64, seed=seed)
    return observations(implementation, points[:1])[0]


def changed(change: Callable[[float, Arrays], tuple[Any, Arrays]]) -> Callable[..., Any]:
    """Return the right program with its result changed."""
    right = bare(plant())
    return lambda *arguments: change(*right(*arguments))


SIGNATURES = {
    "gradient-summed": "every gradient is N times too large for a batch of N",
    "loss-averaged-over-classes": "K times too small",
    "diagonal-jacobian": "just the diagonal p (1 - p)",
    "mask-missing": "The derivative of the activation is missing",
    "mask-missing-in-bias": "summed before the activation's derivative",
    "derivative-overwrites-activation": "then reads the derivative",
    "bias-not-summed": "one row per sample",
    "target-minus-prediction": "y - p for p - y",
    "missing-max-shift": "becomes NaN",
    "global-maximum": "rows far below it become 0/0",
    "epsilon-in-log": "A constant 1e-05 is added inside the logarithm",
    "l2-in-gradient-only": "contain 0.01 · w",
    "weights-stepped-too-early": "by 0.1 times their gradient",
    "sample-left-out-of-gradient": "Sample 3 (counted from 0)",
    "targets-hardened": "assumes one-hot targets",
    "summed-not-averaged": "Declare it with `--reduction sum`",
    "float16-gradients": "The finished gradients pass through float16",
    "float16-results": "The finished loss and gradients pass through float16",
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", SIGNATURES)
def test_is_named_in_the_right_words(name: str, dtype: str) -> None:
    found = only(diagnose(faulty(name), sizes=SIZES, dtype=dtype))
    assert found.mistake == name
    assert SIGNATURES[name] in found.sentence
    assert found.ratio_before > 1 >= found.ratio_after


def test_the_sizes_of_the_probes_are_not_told_as_those_of_the_data() -> None:
    for name in ("gradient-summed", "gradient-divided-by-features", "loss-averaged-over-classes"):
        said = only(diagnose(faulty(name), sizes=(30, 20, 40))).sentence
        assert not re.search(r"[NFHK] = \d", said), said


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity"])
def test_nothing_is_named_in_a_right_implementation(activation: str, dtype: str) -> None:
    def right(*arguments: Any) -> Any:
        return manual_mlp.loss_and_gradients(*arguments, activation=activation, intermediates=True)

    assert diagnose(right, sizes=(12, 9, 7, 5), activation=activation, dtype=dtype) == ()


OUTSIDE: dict[str, Callable[[float, Arrays], tuple[Any, Arrays]]] = {
    "an odd loss": lambda loss, g: (loss * 0.637, g),
    "a number added to the loss": lambda loss, g: (loss + 0.0911, g),
    "units exchanged": lambda loss, g: (loss, g | {"w1": g["w1"][:, [1, 0, *range(2, 9)]]}),
}


@pytest.mark.parametrize("corruption", OUTSIDE)
def test_nothing_is_named_outside_the_catalogue(corruption: str) -> None:
    assert diagnose(changed(OUTSIDE[corruption]), sizes=SIZES) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gradient-summed", "mask-missing"),
        ("loss-averaged-over-classes", "diagonal-jacobian"),
        ("l2-in-gradient-only", "bias-averaged"),
        ("weights-stepped-too-early", "l2-factor-2-too-many"),
        ("weights-stepped-too-early", "pre-activation-in-weight-gradient"),
    ],
)
def test_two_mistakes_of_different_stages_are_both_named(one: str, other: str) -> None:
    found = only(diagnose(faulty(one, other), sizes=SIZES))
    assert {one, other} in [set(name.split(" + ")) for name in (found.mistake, *found.also)]
    assert found.sentence.startswith("Two mistakes together. ")


def test_a_guard_in_the_loss_stands_behind_a_mistake_in_the_gradient() -> None:
    mistake, guard = diagnose(faulty("epsilon-in-log", "diagonal-jacobian"), sizes=SIZES)
    assert (mistake.mistake, guard.mistake) == ("diagonal-jacobian", "epsilon-in-log")
    assert guard.constant == 1e-5 and "together" not in mistake.sentence + guard.sentence


@pytest.mark.parametrize("slope", LEAKS)
@pytest.mark.parametrize("name", ["activation-is-leaky", "leaky-in-forward-only"])
def test_a_leak_of_any_usual_slope_is_named_with_its_slope(name: str, slope: float) -> None:
    leaky = replace(named(name), example=slope)
    sizes = (24, 5, 5, 5)  # in narrow layers the loss bends much with the slope
    found = only(diagnose(bare(plant(leaky)), sizes=sizes, seed=3))
    assert (found.mistake, found.constant) == (name, slope)


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_of_any_usual_size_in_a_quotient_is_named_with_its_size(guard: float) -> None:
    guarded = replace(named("gradient-at-probabilities-with-guard"), example=guard)
    found = only(diagnose(bare(plant(guarded)), sizes=SIZES))
    assert (found.mistake, found.constant) == (guarded.name, guard)


def test_the_constant_of_a_second_mistake_is_fitted_where_the_loss_is_wrong() -> None:
    names = "clip-in-log", "weight-gradient-divided-by-n-twice"
    for seed in (3, 9):  # in all ordinary batches, or in some, no probability is clipped
        found = diagnose(faulty(*names), sizes=(14, 9, 13, 15, 5), seed=seed)
        assert sorted(one.mistake for one in found) == sorted(names), seed


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_habit_that_shows_on_two_domains_has_one_name(dtype: str) -> None:
    names = "global-maximum", "softmax-derivative-on-top"
    options: dict[str, Any] = {"activation": "relu", "reduction": "mean", "seed": 0}
    found = diagnosed(faulty(*names), sizes=SIZES, dtype=np.dtype(dtype), **options)
    assert only(found.diagnosis).mistake == "softmax-derivative-on-top"
    assert {habit.mistake for habit in found.habits} == {"global-maximum"} and not found.notes


def test_two_mistakes_of_which_one_needs_the_other_are_both_named() -> None:
    names = "bias-from-weight-gradient", "target-over-log"
    found = only(diagnose(faulty(*names), sizes=SIZES))
    assert sorted(found.mistake.split(" + ")) == sorted(names)


def test_two_mistakes_are_never_tried_together_if_each_needs_the_other() -> None:
    (_, point), *_ = probes(SIZES, activation="tanh", reduction="mean", dtype=np.float64, seed=0)
    reading = [Part(mistake, 1.0) for mistake in NETWORK if mistake.reads]
    tried = [(a, b) for a, b in permutations(reading, 2) if different(a, b)]
    assert 0 < len(tried) < len(reading) * (len(reading) - 1)
    for one, other in tried:
        net = Pass(point, one.overrides | other.overrides)
        assert {name for name in point.names if net.named(name) is not None} == set(point.names)


def test_slips_in_gradients_derived_separately_are_named_tensor_by_tensor() -> None:
    def wrong(parameters: Arrays, x: Array, y: Array) -> Any:
        loss, gradients = bare(plant())(parameters, x, y)
        h = np.maximum(x @ parameters["w1"] + parameters["b1"], 0)
        first, second = plant(named("mask-missing")), plant(named("mask-inverted"))
        gradients["w2"] = h.T @ (1 - y) / len(x)
        gradients["w1"] = first(parameters, x, y)[1]["w1"]
        gradients["b1"] = second(parameters, x, y)[1]["b1"]
        return loss, gradients

    found = diagnose(wrong, sizes=SIZES)
    assert [diagnosis.mistake for diagnosis in found] == [
        "one-minus-target", "mask-inverted", "mask-missing",
    ]  # fmt: skip
    assert "(In dw2 alone.)" in found[0].sentence


def decayed(first: float, second: float) -> Callable[..., Any]:
    """Return the right program with a share of the weights added to each of its two gradients."""

    def wrong(parameters: Arrays, x: Array, y: Array) -> Any:
        loss, g = bare(plant())(parameters, x, y)
        w1, w2 = parameters["w1"], parameters["w2"]
        return loss, g | {"w1": g["w1"] + first * w1, "w2": g["w2"] + second * w2}

    return wrong


def test_a_mistake_made_with_two_constants_is_told_with_each_and_proved_with_each() -> None:
    found = diagnose(decayed(0.01, 0.02), sizes=SIZES)
    assert [one.mistake for one in found] == ["l2-in-gradient-only"] * 2
    assert [one.constant for one in found] == [0.02, 0.01]
    assert ["alone" in one.sentence for one in found] == [True, True]
    assert [one.also for one in found] == [(), ()], "loss and biases are right"
    assert all(one.ratio_before > 1 >= one.ratio_after for one in found)


def test_tensors_are_told_together_only_if_one_explanation_reproduces_them_all() -> None:
    def wrong(parameters: Arrays, x: Array, y: Array) -> Any:
        loss, gradients = decayed(0.01, 0.01)(parameters, x, y)
        return loss, gradients | {"b1": len(x) * gradients["b1"], "b2": -gradients["b2"]}

    found = diagnose(wrong, sizes=SIZES)
    weights = only(tuple(one for one in found if one.mistake == "l2-in-gradient-only"))
    assert "(In dw2 and dw1 alone.)" in weights.sentence and weights.constant == 0.01
    assert len(found) == 3 and all(one.ratio_after <= 1 for one in found)


def test_explanations_with_equal_numbers_are_all_listed_with_what_would_tell_them_apart() -> None:
    found = only(diagnose(faulty("mask-always-true"), sizes=SIZES))
    assert (found.mistake, found.also) == ("mask-missing", ("mask-always-true",))
    assert "they give the same numbers everywhere: look at the code" in found.sentence
    found = only(diagnose(faulty("gradient-divided-by-features"), sizes=(9, 9, 5)))
    assert "gradient-divided-by-hidden-units" in found.also
    assert "layers of other widths would tell them apart" in found.sentence


def leaving_out(rows: slice) -> Callable[..., Any]:
    """Return the right program with the errors of some rows left out of the gradient."""

    def wrong(parameters: Arrays, x: Array, y: Array) -> Any:
        right, kept = bare(plant()), np.ones(len(x), dtype=bool)
        kept[rows] = False
        gradients = right(parameters, x[kept], y[kept])[1]
        share = kept.sum() / len(x)
        return right(parameters, x, y)[0], {name: g * share for name, g in gradients.items()}

    return wrong


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (slice(-1, None), "The last sample is left out of the gradient"),
        (slice(0, 1), "The first sample is left out of the gradient"),
        (slice(2, 3), "Sample 2 (counted from 0) is left out of the gradient"),
        (slice(-2, None), "The last 2 samples are left out of the gradient"),
        (slice(3, None), "The samples from 3 on (counted from 0) are left out of the gradient"),
        (slice(0, -2), "Only the last 2 samples arrive, as when"),
        (slice(0, -1), "Only the last sample arrives, as when"),
    ],
)
def test_a_row_is_told_as_what_it_is_in_batches_of_every_size(rows: slice, words: str) -> None:
    assert words in only(diagnose(leaving_out(rows), sizes=SIZES)).sentence


def test_another_batch_size_is_no_advice_after_batches_of_several_sizes() -> None:
    found = only(diagnose(leaving_out(slice(-1, None)), sizes=SIZES))
    assert "last-chunk-left-out-of-gradient" in found.also
    assert "they give the same numbers everywhere: look at the code" in found.sentence


def test_a_row_of_the_only_batch_is_told_with_its_size_and_another_size_is_advised() -> None:
    found = only(diagnose_gradients(recorded(leaving_out(slice(3, 4)))))
    assert "Sample 3 of 6 (counted from 0) is left out" in found.sentence
    found = only(diagnose_gradients(recorded(leaving_out(slice(-1, None)))))
    assert "The last sample is left out" in found.sentence
    assert "a batch of another size would tell them apart" in found.sentence


@pytest.mark.parametrize("shift", [1, -1])
def test_a_shift_is_told_with_its_direction(shift: int) -> None:
    def wrong(parameters: Arrays, x: Array, y: Array) -> Any:
        return bare(plant())(parameters, x, np.roll(y, shift, axis=0))

    assert f"shifted by {shift:+d} " in only(diagnose(wrong, sizes=SIZES)).sentence


def test_a_declared_sum_that_is_averaged_has_no_explanation_that_needs_a_mean() -> None:
    averaged = faulty("gradient-averaged", reduction="sum")
    found = only(diagnose(averaged, sizes=SIZES, reduction="sum"))
    assert (found.mistake, found.also) == ("gradient-averaged", ())
    averaged = faulty("weight-gradient-averaged", reduction="sum")
    found = only(diagnose(averaged, sizes=SIZES, reduction="sum"))
    assert found.mistake == "weight-gradient-averaged"
    assert not {"weight-gradient-divided-by-n-twice", "bias-gradient-summed"} & {*found.also}


def test_a_mistake_in_one_layer_only_is_told_so() -> None:
    def wrong(parameters: Arrays, x: Array, y: Array) -> Any:
        loss, gradients = bare(plant())(parameters, x, y)
        return loss, gradients | {"b2": gradients["b2"] / len(x)}

    found = only(diagnose(wrong, sizes=(12, 9, 7, 5)))
    assert found.mistake == "bias-averaged"
    assert found.sentence.endswith("(In layer 2 only.)")


def test_intermediates_are_compared_too() -> None:
    def late(*arguments: Any) -> Any:
        loss, gradients, shown = plant()(*arguments)
        return loss, {name: 6 * gradient for name, gradient in gradients.items()}, shown

    point = recorded(bare(plant())).point
    loss, gradients, shown = late(point.parameters, point.x, point.targets)
    assert only(diagnose_gradients(observe(point, loss, gradients))).mistake == "gradient-summed"
    with_them = diagnose_gradients(observe(point, loss, gradients, shown))
    assert all("dlogits" not in one.sentence for one in with_them)
    named = {name for one in with_them for name in one.mistake.split(" + ")}
    assert named == {"weight-gradient-summed", "bias-gradient-summed"}


def test_code_that_insists_on_its_own_wide_layers_is_diagnosed_there() -> None:
    def fixed(parameters: Arrays, *data: Any) -> Any:
        if parameters["w1"].shape != (300, 450):
            raise ValueError("300-450-10 only")
        return faulty("mask-missing-in-weights")(parameters, *data)

    found = only(diagnose(fixed, sizes=(300, 450, 10)))
    assert found.mistake == "mask-missing-in-weights"


def test_code_that_cannot_take_soft_targets_is_diagnosed_on_the_others() -> None:
    def hard_only(parameters: Arrays, x: Array, y: Array) -> Any:
        if ((y != 0) & (y != 1)).any():
            raise ValueError("one-hot targets only")
        return faulty("one-minus-target")(parameters, x, y)

    assert only(diagnose(hard_only, sizes=SIZES)).mistake == "one-minus-target"


def test_wide_layers_are_probed_at_small_widths_that_keep_equal_widths_equal() -> None:
    assert reduced((784, 1000, 1000, 10)) == (13, 14, 14, 10)
    assert reduced((5, 7, 3)) == (5, 7, 3)


def test_a_probe_has_power() -> None:
    generator = np.random.default_rng(0)
    for dtype in ("float64", "float32"):
        point = probe(
            (12, 9, 5), 6, ORDINARY, activation="relu", reduction="mean", dtype=dtype,
            generator=generator,
        )  # fmt: skip
        assert all(np.abs(point.parameters[name]).min() > 0 for name in ("b1", "b2"))
        assert len(point.x) > 1 and len(point.x) not in (12, 9, 5)
        assert len(set(point.targets.argmax(axis=1))) > 1
        assert not on_a_kink(point)


def test_a_constant_fitted_to_one_number_needs_to_be_one_that_people_type() -> None:
    typed = recorded(faulty("epsilon-in-log", constant=1e-4))
    assert only(diagnose_gradients(typed)).constant == 1e-4
    odd = recorded(changed(lambda loss, g: (loss * 0.9173, g)))
    assert diagnose_gradients(odd) == ()


def test_a_typed_constant_that_fits_a_loss_by_chance_is_not_believed() -> None:
    # In float32 some constant of two digits reproduces any loss that is off by so little.
    points = probes((6, 5, 3), activation="relu", reduction="mean", dtype=np.float32, seed=0)
    wrong = changed(lambda loss, g: (loss * 1.001, g))
    (observed,) = observations(wrong, points[:1])
    assert Case(observed).wrong["loss"]
    assert diagnose_gradients(observed) == ()


def test_an_odd_constant_is_believed_where_many_numbers_confirm_it() -> None:
    found = only(diagnose_gradients(recorded(faulty("l2-in-gradient-only", constant=0.01234567))))
    assert found.mistake == "l2-in-gradient-only"
    assert found.constant == pytest.approx(0.01234567, rel=1e-9)


def test_a_computation_in_float32_handed_back_as_float64_is_named() -> None:
    found = only(diagnose(faulty("float32-throughout"), sizes=SIZES))
    assert (found.mistake, found.also) == ("float32-throughout", ())
    assert found.ratio_before > 1 >= found.ratio_after


def in_float32(gradients: Arrays) -> Arrays:
    """Return the gradients rounded to float32, as float64."""
    return {name: g.astype(np.float32).astype(np.float64) for name, g in gradients.items()}


def test_finished_gradients_cast_to_float32_are_no_computation_in_float32() -> None:
    found = only(diagnose(changed(lambda loss, g: (loss, in_float32(g))), sizes=SIZES))
    assert (found.mistake, found.also) == ("float32-gradients", ())
    assert found.ratio_before > 1 >= found.ratio_after


def test_a_loss_that_is_cast_as_well_is_no_computation_in_float32_either() -> None:
    cast = changed(lambda loss, g: (float(np.float32(loss)), in_float32(g)))
    found = only(diagnose(cast, sizes=SIZES))
    assert (found.mistake, found.also) == ("float32-results", ())


def test_gradients_computed_in_float32_beside_a_right_loss_are_no_cast() -> None:
    def half(*arguments: Any) -> Any:
        return bare(plant())(*arguments)[0], faulty("float32-throughout")(*arguments)[1]

    assert diagnose(half, sizes=SIZES) == ()
    assert "right: loss." in facts(recorded(half))[0]


def test_a_cast_of_wrong_gradients_is_named_beside_what_is_wrong_with_them() -> None:
    found = only(diagnose(faulty("gradient-summed", "float32-gradients"), sizes=SIZES))
    assert found.mistake == "gradient-summed + float32-gradients"


def test_results_cast_after_a_cast_before_are_two_mistakes_and_no_computation_in_float32() -> None:
    found = only(diagnose(faulty("float32-inputs", "float32-results"), sizes=SIZES))
    assert (found.mistake, found.also) == ("float32-inputs + float32-results", ())


def test_one_gradient_cast_alone_is_told_as_that_one() -> None:
    cast = changed(lambda loss, g: (loss, g | {"b2": in_float32(g)["b2"]}))
    found = only(diagnose(cast, sizes=SIZES))
    assert found.mistake == "float32-gradients" and "(In db2 alone.)" in found.sentence


def test_a_loss_seen_alone_is_no_proof_of_float32() -> None:
    observation = recorded(changed(lambda loss, g: (loss * (1 + 1e-8), g)))
    alone = replace(observation, seen={"loss": observation.seen["loss"]})
    assert "float32-throughout" not in [one.mistake for one in diagnose_gradients(alone)]
    assert not named("float32-throughout").proof(alone.seen)  # type: ignore[attr-defined]


def test_an_allowance_that_would_excuse_anything_explains_nothing() -> None:
    observation = recorded(bare(plant()))
    seen = dict(observation.seen)
    seen["dw2"] = seen["dw2"] * (1 + 1e-9)
    case = Case(replace(observation, seen=seen))
    wide = named("float32-throughout")
    overrides = wide.overrides(None)  # type: ignore[attr-defined]
    assert case.reproduced(overrides) and case.explained(overrides) == 0


def test_nan_matches_nan_and_nothing_else() -> None:
    pair = Pair(np.array([np.nan, np.inf, 1.0, 1.0]), np.array([0.0, 0, np.inf, 0]), np.dtype("f8"))
    seen = np.array([np.nan, np.inf, np.nan, np.nan])
    assert ratios(seen, pair).tolist() == [0, 0, 0, np.inf]
    assert ratios(np.zeros(4), pair).tolist() == [np.inf, np.inf, 0, np.inf]


CALLS = ("gradients-accumulate", "cached-values-of-call-before", "hidden-values-of-call-before",
         "outputs-of-call-before", "forward-pass-of-call-before", "targets-overwritten",
         "parameters-updated-in-place", "returned-arrays-reused")  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_what_a_call_leaves_behind_is_named(name: str) -> None:
    found = only(diagnose(faulty(name), sizes=SIZES))
    assert (found.mistake, found.also) == (name, ())


@pytest.mark.parametrize("activation", ["tanh", "identity"])
@pytest.mark.parametrize("name", [name for name in CALLS if name.endswith("call-before")])
def test_what_was_kept_is_told_apart_in_deep_networks_too(name: str, activation: str) -> None:
    found = diagnose(faulty(name, activation=activation), sizes=(9, 9, 9, 5), activation=activation)
    assert (only(found).mistake, only(found).also) == (name, ())


def test_calls_of_a_pure_function_leave_nothing_behind() -> None:
    point = recorded(bare(plant())).point
    other = replace(point, x=point.x[::-1].copy())
    assert diagnose_calls(faulty("mask-missing"), (point, other, point)) == ()


def keeping() -> Callable[..., Any]:
    """Return a program that goes back through the layers it kept, whatever batch they are of."""
    kept: list[tuple[Array, Array]] = []

    def loss_and_gradients(parameters: Arrays, x: Array, y: Array) -> Any:
        loss, gradients, shown = plant()(parameters, x, y)
        kept.append((x.copy(), shown["h1"]))
        x, h = kept[-2:][0]
        dz = (shown["dlogits"] @ parameters["w2"].T) * (h > 0)
        w2, w1, b1 = h.T @ shown["dlogits"], x.T @ dz, dz.sum(axis=0)
        return loss, gradients | {"w1": w1, "b1": b1, "w2": w2}

    return loss_and_gradients


def test_values_kept_from_a_batch_of_another_size_raise_and_are_named_all_the_same() -> None:
    assert only(diagnose(keeping(), sizes=SIZES)).mistake == "cached-values-of-call-before"


def test_values_kept_from_a_batch_of_another_size_do_not_end_a_check() -> None:
    point = recorded(bare(plant())).point
    implementation = keeping()
    implementation(point.parameters, point.x[::-1], point.targets[::-1])
    result = check(
        implementation, parameters=dict(point.parameters), x=point.x, targets=point.targets
    )
    assert result.verdict == "disagrees"
    assert only(result.diagnosis).mistake == "cached-values-of-call-before"


class Net:
    """A network whose backward pass reads the hidden values and probabilities it has kept."""

    h: Array
    p: Array

    def forward(self, parameters: Arrays, x: Array) -> Array:
        """Keep the hidden values; return the probabilities."""
        self.h = np.maximum(x @ parameters["w1"] + parameters["b1"], 0)
        self.p = plain.softmax(self.h @ parameters["w2"] + parameters["b2"])
        return self.p

    def backward(self, parameters: Arrays, x: Array, error: Array) -> Arrays:
        """Return the gradients of the values kept."""
        dlogits = error / len(x)
        dz = (dlogits @ parameters["w2"].T) * (self.h > 0)
        w = {"w1": x.T @ dz, "w2": self.h.T @ dlogits}
        return w | {"b1": dz.sum(axis=0), "b2": dlogits.sum(axis=0)}


def after_another_batch() -> Callable[..., Any]:
    """Return a program that goes back through the hidden values of its last call but one."""
    net, other = Net(), Net()

    def loss_and_gradients(parameters: Arrays, x: Array, y: Array) -> Any:
        net.h = getattr(other, "h", x @ parameters["w1"])
        error = other.forward(parameters, x) - y
        return bare(plant())(parameters, x, y)[0], net.backward(parameters, x, error)

    return loss_and_gradients


def backward_first(net: Net) -> Callable[..., Any]:
    """Return a program whose forward pass comes too late, and never again once it has raised."""

    def loss_and_gradients(parameters: Arrays, x: Array, y: Array) -> Any:
        gradients = net.backward(parameters, x, net.p - y)
        net.forward(parameters, x)
        return bare(plant())(parameters, x, y)[0], gradients

    return loss_and_gradients


def test_hidden_values_of_another_batch_beside_its_own_inputs_are_named() -> None:
    found = only(diagnose(after_another_batch(), sizes=SIZES))
    assert (found.mistake, found.also) == ("hidden-values-of-call-before", ())


@pytest.mark.parametrize("rows", [6, 20], ids=["a size of the probes", "another size"])
def test_a_backward_pass_before_the_forward_pass_is_named_at_the_size_it_takes(rows: int) -> None:
    generator, net = np.random.default_rng(0), Net()
    x, y = generator.normal(size=(rows, 12)), np.eye(5)[generator.integers(5, size=rows)]
    parameters = manual_mlp.initial_parameters(SIZES, generator)
    net.forward(parameters, x[::-1])
    result = check(backward_first(net), parameters=parameters, x=x, targets=y)
    assert only(result.diagnosis).mistake == "outputs-of-call-before"


def test_code_that_cannot_be_called_again_is_diagnosed_from_the_calls_it_took() -> None:
    calls = count()

    def tired(*arguments: Any) -> Any:
        if next(calls) >= 5:
            raise RuntimeError("no more")
        return faulty("mask-missing")(*arguments)

    assert only(diagnose(tired, sizes=SIZES)).mistake == "mask-missing"


def test_not_a_number_left_in_the_parameters_is_no_step_and_no_error() -> None:
    def spoiling(parameters: Arrays, x: Array, y: Array) -> Any:
        result = faulty("mask-missing")(parameters, x, y)
        parameters["w1"][0, 0] = np.nan
        return result

    assert only(diagnose(spoiling, sizes=SIZES)).mistake == "mask-missing"
    assert list(rounded(np.nan)) == list(rounded(-np.inf)) == []


def test_gradients_that_are_lists_are_diagnosed_like_arrays() -> None:
    def listed(*arguments: Any) -> Any:
        loss, gradients = faulty("mask-missing")(*arguments)
        return loss, {name: gradient.tolist() for name, gradient in gradients.items()}

    assert only(diagnose(listed, sizes=SIZES)).mistake == "mask-missing"


def test_facts_say_which_tensors_rows_and_ratio() -> None:
    def wrong(loss: float, g: Arrays) -> Any:
        b1 = g["b1"].copy()
        b1[3] += 1
        return loss, g | {"b1": b1, "w2": 0.75 * g["w2"]}

    told = " ".join(facts(recorded(changed(wrong))))
    assert "wrong: dw2, db1; right: loss, db2, dw1." in told
    assert "dw2 is 0.75 times the right one." in told
    assert "db1 is wrong in 1 of 9 entries: 3." in told


def test_facts_tell_a_factor_from_one_with_as_many_digits_as_that_takes() -> None:
    def wrong(loss: float, g: Arrays) -> Any:
        return loss, {name: (1 + 1.2e-7) * gradient for name, gradient in g.items()}

    told = facts(recorded(changed(wrong)))
    assert told[1:] == ("Every wrong gradient is 1.00000012 times the right one.",)


def test_factors_that_look_alike_in_four_digits_are_not_one_factor() -> None:
    def wrong(loss: float, g: Arrays) -> Any:
        return loss, g | {"w1": 1.00001 * g["w1"], "w2": 1.00002 * g["w2"]}

    told = " ".join(facts(recorded(changed(wrong))))
    assert "dw1 is 1.00001 times" in told and "dw2 is 1.00002 times" in told


def test_facts_about_right_numbers_are_none() -> None:
    assert facts(recorded(bare(plant()))) == ()


@pytest.mark.parametrize("names", [("diagonal-jacobian",), ("gradient-summed", "epsilon-in-log")])
def test_the_prediction_is_what_the_mistake_computes(names: tuple[str, ...]) -> None:
    seen = recorded(faulty(*names))
    found, *_ = diagnose(faulty(*names), sizes=SIZES)
    for name in ("dw1", "db1", "dw2", "db2"):
        assert prediction(found, seen, name) == pytest.approx(seen.seen[name])


def test_the_prediction_keeps_layer_tensor_and_constant() -> None:
    seen = recorded(decayed(0.01, 0.02))
    second, first = diagnose_gradients(seen)
    assert prediction(first, seen, "dw1") == pytest.approx(seen.seen["dw1"], rel=1e-12)
    assert prediction(second, seen, "dw2") == pytest.approx(seen.seen["dw2"], rel=1e-12)
    assert prediction(first, seen, "dw2") is None is prediction(second, seen, "dw1")


def test_the_prediction_is_of_a_mistake_in_one_layer_only() -> None:
    points = probes((12, 9, 7, 5), activation="relu", reduction="mean", dtype=np.float64, seed=0)
    point = points[0][1]
    net = Pass(point, named("mask-missing").overrides(None, 2))  # type: ignore[attr-defined]
    seen = Observation(point, {name: net.named(name).value for name in point.names})
    found = only(diagnose_gradients(seen))
    assert "(In layer 2 only.)" in found.sentence
    assert prediction(found, seen, "dw1") == pytest.approx(seen.seen["dw1"], rel=1e-12)


def test_the_prediction_is_made_for_the_row_that_fits_and_not_made_where_none_does() -> None:
    found = only(diagnose(faulty("sample-left-out-of-gradient", constant=3), sizes=SIZES))
    other = recorded(faulty("sample-left-out-of-gradient", constant=1))
    assert prediction(found, other, "dw1") == pytest.approx(other.seen["dw1"])
    assert prediction(found, recorded(faulty("gradient-summed")), "dw1") is None


def test_the_heat_map_shows_no_mistake_that_does_not_reproduce_the_tensor() -> None:
    result = check(decayed(0.01, 0.02), inputs=12, hidden=(9,), classes=5)
    assert result.heatmap is not None and result.prediction is not None
    name, (mistake, predicted) = result.heatmap[0], result.prediction
    assert (name, mistake) in [("w1", "l2-in-gradient-only"), ("w2", "l2-in-gradient-only")]
    assert predicted == pytest.approx(result.heatmap[1], rel=1e-12)


def test_what_it_takes_to_compute_a_mistake_again_stays_out_of_the_report() -> None:
    result = check(decayed(0.01, 0.02), inputs=12, hidden=(9,), classes=5)
    (one, *_), keys = to_json(result)["diagnosis"], {"mistake", "sentence", "also", "constant"}
    assert one.keys() == keys | {"ratio_before", "ratio_after", "title"}
