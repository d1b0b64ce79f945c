"""What only shows at the edges of what ordinary points reach is seen there, and named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import check
from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.experiment import ACTIVATION_NAMES
from compare.contracts.result import Result, Verdict
from compare.points.edges import ALIKE, LARGE, LOUD, NEAR, SATURATED, SURE, edge_probes, reach_of

pytestmark = pytest.mark.slow

Array = NDArray[Any]
Slope = Callable[[Array], Array]


def sigmoid(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-z)))


def softmax_network(value: Slope, slope: Slope, clip: float = np.inf) -> Callable[..., Any]:
    """Return softmax cross-entropy over one hidden layer of this activation, dw1 cut at `clip`."""

    def loss_and_gradients(parameters: dict[str, Array], x: Array, targets: Array) -> Any:
        z1 = x @ parameters["w1"] + parameters["b1"]  # (N, H)
        h1 = value(z1)
        z2 = h1 @ parameters["w2"] + parameters["b2"]  # (N, K)
        z2 = z2 - z2.max(axis=1, keepdims=True)
        p = np.exp(z2) / np.exp(z2).sum(axis=1, keepdims=True)
        loss = -(targets * (z2 - np.log(np.exp(z2).sum(axis=1, keepdims=True)))).sum() / len(x)
        dz2 = (p - targets) / len(x)
        dz1 = dz2 @ parameters["w2"].T * slope(z1)
        return loss, {
            "w1": np.clip(x.T @ dz1, -clip, clip),
            "b1": dz1.sum(axis=0),
            "w2": h1.T @ dz2,
            "b2": dz2.sum(axis=0),
        }

    return loss_and_gradients


def bounded(z: Array) -> Array:
    return np.minimum(np.maximum(z, 0), 6)


def inside(z: Array) -> Array:
    return ((z > 0) & (z < 6)) * 1.0


def checked(function: Callable[..., Any], activation: str, seed: int = 0) -> Result:
    return check(function, inputs=7, hidden=(9,), classes=4, activation=activation, seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_relu6_agrees_and_without_its_bound_in_the_mask_is_named(seed: int) -> None:
    assert checked(softmax_network(bounded, inside), "relu6", seed).verdict is Verdict.AGREES
    wrong = checked(softmax_network(bounded, lambda z: (z > 0) * 1.0), "relu6", seed)
    assert wrong.verdict is Verdict.DISAGREES
    assert wrong.diagnosis[0].mistake == "relu6-without-upper-bound"


@pytest.mark.parametrize("seed", range(3))
def test_a_relu_in_place_of_a_declared_relu6_is_told(seed: int) -> None:
    relu = softmax_network(lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0)
    found = checked(relu, "relu6", seed)
    assert found.verdict is Verdict.DISAGREES
    assert not any("one-hot only" in note for note in found.notes)


def test_a_hardtanh_without_a_bound_in_the_mask_is_named() -> None:
    def value(z: Array) -> Array:
        return np.clip(z, -1, 1)

    right = softmax_network(value, lambda z: (np.abs(z) < 1) * 1.0)
    assert checked(right, "hardtanh").verdict is Verdict.AGREES
    for slope, name in ((lambda z: (z < 1) * 1.0, "lower"), (lambda z: (z > -1) * 1.0, "upper")):
        wrong = checked(softmax_network(value, slope), "hardtanh")
        assert wrong.diagnosis[0].mistake == f"hardtanh-without-{name}-bound"


def test_a_sigmoid_of_what_is_clipped_at_10_is_another_function() -> None:
    def clipped(z: Array) -> Array:
        return sigmoid(np.clip(z, -10, 10))

    def far(z: Array) -> Array:
        return sigmoid(np.clip(z, -500, 500))

    def slope_of(value: Slope) -> Slope:
        return lambda z: value(z) * (1 - value(z))

    for value, verdict in ((far, Verdict.AGREES), (clipped, Verdict.DISAGREES)):
        assert checked(softmax_network(value, slope_of(value)), "sigmoid").verdict is verdict


def tanh_by_exp(z: Array) -> Array:
    return np.asarray((np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)))


def cubic(z: Array) -> Array:
    return np.asarray(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_honest_formulas_of_curves_agree_at_their_edges(dtype: str) -> None:
    def gelu(z: Array) -> Array:
        return np.asarray(0.5 * z * (1 + tanh_by_exp(cubic(z)))).astype(z.dtype)

    def gelu_slope(z: Array) -> Array:
        t, inner = tanh_by_exp(cubic(z)), np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)
        return np.asarray(0.5 * (1 + t) + 0.5 * z * (1 - t * t) * inner).astype(z.dtype)

    def softplus(z: Array) -> Array:
        return np.where(z > 20, z, np.log1p(np.exp(np.minimum(z, 20)))).astype(z.dtype)

    def clipped(z: Array) -> Array:
        return sigmoid(np.clip(z, -20, 20)).astype(z.dtype)

    for activation, network in (
        ("gelu_tanh", softmax_network(gelu, gelu_slope)),
        ("softplus", softmax_network(softplus, sigmoid)),
        ("sigmoid", softmax_network(clipped, lambda z: clipped(z) * (1 - clipped(z)))),
        ("tanh", softmax_network(tanh_by_exp, lambda z: 1 - tanh_by_exp(z) ** 2)),
    ):
        found = check(network, inputs=7, hidden=(9,), classes=4, activation=activation, dtype=dtype)
        assert found.verdict is Verdict.AGREES, found.sentence


def test_gradients_of_one_weight_that_are_clipped_are_named() -> None:
    relu = softmax_network(lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0, clip=5.0)
    found = checked(relu, "relu")
    assert found.verdict is Verdict.DISAGREES
    assert "clipped at 5" in found.diagnosis[0].title
    assert f"point (an edge: {LOUD})" in found.sentence


@pytest.mark.parametrize("activation", [*ACTIVATION_NAMES, "leaky_relu:0.2"])
def test_the_edges_are_reached_and_no_exponential_overflows_there(activation: str) -> None:
    probes = edge_probes((7, 9, 6, 4), activation=activation, dtype="float32", seed=0)
    largest = {
        one.note: float(np.abs(one.x @ one.parameters["w1"] + one.parameters["b1"]).max())
        for one in probes
    }
    reach = reach_of(ACTIVATION_RULES[activation])
    assert 0.85 * reach < largest[LARGE] < 1.15 * reach
    assert (reach > SATURATED) == (activation.partition(":")[0] in STRAIGHT)
    assert np.isfinite(np.exp(np.float32(2 * SATURATED)))
    assert largest[LOUD] < 20.0 < max(float(np.abs(one.x).max()) for one in probes)
    assert (NEAR in largest) == (activation.partition(":")[0] in AT_ZERO)


STRAIGHT = {"relu", "leaky_relu", "relu6", "hardtanh", "identity"}
AT_ZERO = {"relu", "leaky_relu", "relu6", "selu"}


def test_a_network_of_one_layer_has_no_edges() -> None:
    assert edge_probes((7, 4), activation="relu", dtype="float64", seed=0) == []


def classifier(
    *, clip: float = np.inf, left_out: float = 1.0, shift: bool = True
) -> Callable[..., Any]:
    """Return softmax cross-entropy over one ReLU layer, logits cut at `clip`; rows with a
    probability above `left_out` have no gradient."""

    def loss_and_gradients(parameters: dict[str, Array], x: Array, targets: Array) -> Any:
        z1 = x @ parameters["w1"] + parameters["b1"]  # (N, H)
        h1 = np.maximum(z1, 0)
        z2 = np.clip(h1 @ parameters["w2"] + parameters["b2"], -clip, clip)  # (N, K)
        e = np.exp(z2 - z2.max(axis=1, keepdims=True) if shift else z2)
        p = e / e.sum(axis=1, keepdims=True)
        loss = -(targets * np.log(p)).sum() / len(x)
        dz2 = (p - targets) / len(x) * (p.max(axis=1, keepdims=True) <= left_out)
        dz1 = (dz2 @ parameters["w2"].T) * (z1 > 0)
        gradients = {"w1": x.T @ dz1, "b1": dz1.sum(axis=0)}
        return loss, gradients | {"w2": h1.T @ dz2, "b2": dz2.sum(axis=0)}

    return loss_and_gradients


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shift", [True, False])
def test_logits_that_are_large_and_rows_that_are_all_but_right_accuse_nobody(
    dtype: str, shift: bool
) -> None:
    for hidden in ((9,), (30,)):
        found = check(classifier(shift=shift), hidden=hidden, dtype=dtype)
        assert found.verdict is Verdict.AGREES, found.sentence
        assert not any("within bounds" in note for note in found.notes)


def test_logits_that_are_clipped_at_15_are_another_function() -> None:
    found = check(classifier(clip=15.0))
    assert found.verdict is Verdict.DISAGREES and f"(an edge: {ALIKE})" in found.sentence


@pytest.mark.parametrize(("clip", "beyond", "within"), [(50.0, 51, 28), (500.0, 568, 311)])
def test_a_bound_beyond_that_is_a_note_with_its_size(clip: float, beyond: int, within: int) -> None:
    found = check(classifier(clip=clip))
    assert found.verdict is Verdict.AGREES
    (note,) = (note for note in found.notes if "within bounds" in note)
    assert f"logits of about {beyond}," in note and f"about {within} not" in note


def test_rows_that_are_left_out_once_they_are_right_are_seen() -> None:
    found = check(classifier(left_out=0.999), hidden=(9,), seed=1)
    assert found.verdict is Verdict.DISAGREES and f"(an edge: {SURE})" in found.sentence


def test_a_gradient_that_is_another_one_once_exp_overflows_is_said_beside_the_loss() -> None:
    def by_log(parameters: dict[str, Array], x: Array, targets: Array) -> Any:
        h = np.maximum(x @ parameters["w1"] + parameters["b1"], 0)
        z2 = h @ parameters["w2"] + parameters["b2"]
        log_p = z2 - np.log(np.exp(z2).sum(axis=1, keepdims=True))
        dz2 = (np.exp(log_p) - targets) / len(x)
        dz1 = (dz2 @ parameters["w2"].T) * (h > 0)
        gradients = {"w1": x.T @ dz1, "b1": dz1.sum(axis=0)}
        loss = -(targets * log_p).sum() / len(x)
        return loss, gradients | {"w2": h.T @ dz2, "b2": dz2.sum(axis=0)}

    found = check(by_log)
    assert found.verdict is Verdict.AGREES
    (note,) = (note for note in found.notes if "not finite" in note)
    assert "the gradient is another one" in note and "exp overflows" in note


PIECES: dict[str, tuple[Slope, Slope, Slope]] = {
    "relu6": (bounded, lambda z: ((z > 0) & (z <= 6)) * 1.0,
              lambda z: ((z > 0) & (z < 6.0005)) * 1.0),
    "hardtanh": (lambda z: np.clip(z, -1, 1), lambda z: (np.abs(z) <= 1) * 1.0,
                 lambda z: (np.abs(z) < 0.9998) * 1.0),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", PIECES)
def test_a_slope_that_ends_a_little_off_its_kink_is_seen(activation: str, dtype: str) -> None:
    value, right, wrong = PIECES[activation]
    for slope, verdict in ((right, Verdict.AGREES), (wrong, Verdict.DISAGREES)):
        network = softmax_network(value, partial(in_its_format, slope))
        found = check(network, inputs=7, hidden=(9,), classes=4, activation=activation, dtype=dtype)
        assert found.verdict is verdict, found.sentence
    assert "an edge: units just beside" in found.sentence


def in_its_format(slope: Slope, z: Array) -> Array:
    return slope(z).astype(z.dtype)


def own_class(o: Array, y: Array) -> tuple[Array, Array]:
    """The row and the class of each sample."""
    return np.arange(len(o)), y.argmax(axis=1)


def hinge_slope(o: Array, y: Array, above: float) -> Array:
    rows, t = own_class(o, y)
    margins = o - o[rows, t][:, None] + 1
    within = (margins > above) * 1.0
    within[rows, t] = 0
    within[rows, t] = -within.sum(axis=1)
    return np.asarray(within)


def hinge_terms(o: Array, y: Array) -> Array:
    rows, t = own_class(o, y)
    margins = np.maximum(o - o[rows, t][:, None] + 1, 0)
    margins[rows, t] = 0
    return np.asarray(margins)


Of = Callable[[Array, Array], Array]
LOSSES: dict[str, tuple[Of, Of, Of]] = {
    "l1": (lambda o, y: np.abs(o - y), lambda o, y: np.where(o >= y, 1.0, -1.0),
           lambda o, y: np.sign(o - y) * (np.abs(o - y) > 1e-4)),
    "huber": (lambda o, y: np.where(np.abs(o - y) < 1, (o - y) ** 2 / 2, np.abs(o - y) - 0.5),
              lambda o, y: np.where(np.abs(o - y) < 1, o - y, np.sign(o - y)),
              lambda o, y: np.where(np.abs(o - y) < 1.002, o - y, np.sign(o - y))),
    "hinge": (hinge_terms, lambda o, y: hinge_slope(o, y, 0.0),
              lambda o, y: hinge_slope(o, y, 1e-4)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", LOSSES)
def test_pieces_of_a_loss_that_meet_a_little_off_their_joint_are_seen(
    loss: str, dtype: str
) -> None:
    terms, right, wrong = LOSSES[loss]
    for slope, verdict in ((right, Verdict.AGREES), (wrong, Verdict.DISAGREES)):
        found = check(network_of(terms, slope), inputs=7, hidden=(9,), classes=4, loss=loss,
                      activation="tanh", reduction="batch_mean", dtype=dtype)  # fmt: skip
        assert found.verdict is verdict, found.sentence
    assert "an edge: errors just beside a joint" in found.sentence


def network_of(terms: Of, slope: Of) -> Callable[..., Any]:
    """Return a loss of one tanh layer, divided by the rows, and its gradients."""

    def loss_and_gradients(parameters: dict[str, Array], x: Array, targets: Array) -> Any:
        h1 = np.tanh(x @ parameters["w1"] + parameters["b1"])  # (N, H)
        o = h1 @ parameters["w2"] + parameters["b2"]  # (N, K)
        do = (slope(o, targets) / len(x)).astype(o.dtype)
        dz1 = do @ parameters["w2"].T * (1 - h1 * h1)
        return terms(o, targets).sum() / len(x), {
            "w1": x.T @ dz1, "b1": dz1.sum(axis=0), "w2": h1.T @ do, "b2": do.sum(axis=0)
        }  # fmt: skip

    return loss_and_gradients
