"""The pass: every rule of errors against what errors do, and the whole against honest layers."""

import importlib
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks.layers.catalogue import LAYERS
from benchmarks.layers.honest import drawn, ratios
from compare.contracts.errors import BadInput
from compare.contracts.result import Verdict
from compare.layers.analysed import Analysed, analyse, as_tensors
from compare.layers.analysis import Analysis
from compare.layers.check import check_layer
from compare.layers.child import Crashed, in_child
from compare.layers.crowds import Crowds
from compare.layers.formats import FORMATS, LAMBDA
from compare.layers.program import Program, Reference
from compare.layers.rules import COSTLY, aten, packets
from compare.layers.slopes import SLOPES
from compare.layers.sums import rounding_of_sum

ROOT = Path(__file__).resolve().parent.parent
UNARY = sorted(
    (packet for packet in SLOPES if len(packet.overloads()) and str(packet).split(".")[1] in (
        "exp exp2 expm1 log log2 log10 log1p tanh sigmoid sqrt rsqrt reciprocal erf erfc erfinv "
        "sin cos tan sinh cosh asin acos atan asinh acosh atanh lgamma digamma abs neg").split()),
    key=str,
)  # fmt: skip


def analysed(function: Any, inputs: dict[str, Any], form: str = "float32", **more: Any) -> Analysed:
    """Analyse a function at a point, with dy = 1 of its own format."""
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    wrt = tuple(name for name, a in arrays.items() if a.dtype.kind == "f")
    reference = Reference.of(function)
    with torch.no_grad():
        y = reference(as_tensors(arrays))
    dy = None if y.dim() == 0 else {"y": torch.ones_like(y)}
    return analyse(Program(reference, wrt), as_tensors(arrays), dy, form)


@pytest.mark.parametrize("packet", UNARY, ids=str)
def test_the_slope_of_every_function_is_its_central_difference(packet: Any) -> None:
    at = {"acosh": 1.7, "atanh": 0.3, "erfinv": 0.3, "asin": 0.3, "acos": 0.3}
    x = torch.tensor([at.get(str(packet).split(".")[1], 0.8)], dtype=torch.float64)
    h = 1e-6
    (slope,) = SLOPES[packet]((x,), packet(x))
    measured = (packet(x + h) - packet(x - h)) / (2 * h)
    assert abs(float(torch.as_tensor(slope).abs().sum()) - abs(float(measured))) < 1e-8


@pytest.mark.parametrize(
    "packet", [aten.div, aten.mul, aten.pow, aten.atan2, aten.hypot, aten.logaddexp], ids=str
)
def test_both_slopes_of_every_function_of_two_are_central_differences(packet: Any) -> None:
    a, b = (torch.tensor([v], dtype=torch.float64) for v in (0.8, 1.7))
    h = 1e-6
    slopes = SLOPES[packet]((a, b), packet(a, b))
    measured = (
        (packet(a + h, b) - packet(a - h, b)) / (2 * h),
        (packet(a, b + h) - packet(a, b - h)) / (2 * h),
    )
    for slope, due in zip(slopes, measured, strict=True):
        assert abs(abs(float(torch.as_tensor(slope))) - abs(float(due))) < 1e-8


def test_every_costly_function_has_a_slope() -> None:
    assert COSTLY - SLOPES.keys() == set()


def test_a_crowd_of_equal_terms_is_as_large_as_it_is() -> None:
    x = torch.linspace(0.1, 0.9, 64, dtype=torch.float64)
    assert Crowds().size(torch.sum, (x,), {}) == 1
    same = torch.linspace(0.1, 0.9, 50, dtype=torch.float64).expand(64, 50)
    alike = Crowds().size(aten.sum.dim_IntList, (same, [0]), {})
    assert 64 / 2 < alike < 64 * 2


def test_equal_terms_err_alike_and_exact_ones_not_at_all() -> None:
    rest = torch.linspace(0.3, 0.9, 64, dtype=torch.float64)
    x = torch.cat([torch.ones(64, dtype=torch.float64), rest])
    assert Crowds().size(torch.sum, (x,), {}) > 10
    assert Crowds().size(torch.sum, (x,), {}, sized=lambda t: (t != 1).double()) == 1
    analysis = Analysis(FORMATS["float32"])
    equal = analysis.leaf(torch.full((64,), 0.7, dtype=torch.float64))
    with analysis:
        total = equal.sum()
    assert float(analysis.sigma(total)) > 0.7 * 64 * 0.7 * FORMATS["float32"].unit


def test_a_sum_never_rounds_more_than_all_its_terms() -> None:
    x = torch.tensor([1.0, -1.0, 2.0**-30], dtype=torch.float64)
    (own,) = rounding_of_sum(aten.sum.default, (x,), {}, x.sum(), 1.0)
    assert own is not None
    assert 0 < float(own) <= 2 * 2.0**2 + 1


@pytest.mark.parametrize("form", FORMATS)
def test_an_input_is_known_to_half_a_last_digit_unless_it_is_a_small_binary_fraction(
    form: str,
) -> None:
    analysis = Analysis(FORMATS[form])
    x = analysis.leaf(torch.tensor([1.0, -0.5, 0.3, 1000.3, 0.0], dtype=torch.float64))
    known = (analysis.known(x) == 0).tolist()
    assert known == [True, True, False, False, True]


def test_an_exact_program_has_no_allowance_to_speak_of() -> None:
    found = analysed(lambda x: torch.relu(x).flip(0), {"x": np.array([0.3, -0.7, 2.0])})
    assert found.doubt is None
    assert found.allowances["dx"].max() <= LAMBDA * FORMATS["float32"].floor
    assert found.allowances["y"].max() <= LAMBDA * 2.0**-24 * 0.31


def test_a_reference_that_draws_is_said_to() -> None:
    found = analysed(lambda x: F.dropout(x, 0.5), {"x": np.full(8, 0.3)})
    assert found.doubt is not None and "give the mask as an input" in found.doubt


def test_a_reference_that_is_not_finite_is_said_to_be() -> None:
    found = analysed(torch.log, {"x": np.array([0.0, 1.0])})
    assert found.doubt is not None and "not finite" in found.doubt


def test_an_analysis_of_another_program_is_not_believed() -> None:
    calls = iter(range(100))
    found = analysed(lambda x: x * (1.0 + next(calls)), {"x": np.full(3, 0.3)})
    assert found.doubt is not None and "does not reproduce" in found.doubt


def test_an_operation_without_a_rule_is_named() -> None:
    found = analysed(lambda x: torch.linalg.svdvals(x), {"x": np.eye(3) * 0.3 + 0.1})
    assert found.unruled


def test_numbers_that_the_format_cannot_hold_are_noticed() -> None:
    assert "exp" in analysed(torch.exp, {"x": np.array([11.5])}, "float16").overflowing
    assert analysed(torch.exp, {"x": np.array([11.5])}, "float32").overflowing == ()


def test_a_conversion_to_a_short_format_inside_the_reference_changes_nothing() -> None:
    plain = analysed(lambda x: x * x, {"x": np.array([0.3, 0.7])})
    short = analysed(lambda x: (x.float() * x.float()).to(x.dtype), {"x": np.array([0.3, 0.7])})
    assert short.doubt is None
    np.testing.assert_array_equal(short.reference["dx"], plain.reference["dx"])


def test_fused_attention_is_run_by_its_mathematical_kernel() -> None:
    g = np.random.default_rng(0)
    q = {name: g.normal(size=(2, 3, 5, 4)) for name in "qkv"}
    found = analysed(lambda q, k, v: F.scaled_dot_product_attention(q, k, v), q)
    assert found.doubt is None and found.unruled == ()


def test_a_crash_of_the_child_is_a_sentence(forked: None) -> None:
    import ctypes

    with pytest.raises(Crashed, match="signal 11"):
        in_child(lambda: ctypes.string_at(0), 30.0)


def test_a_child_that_does_not_end_is_ended(forked: None) -> None:
    import time

    with pytest.raises(Crashed, match="did not finish within"):
        in_child(lambda: time.sleep(60), 0.2)


def test_a_layer_that_is_too_large_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("compare.layers.analysis.half_of_memory", lambda: 1000.0)
    x = np.random.default_rng(0).normal(size=(40, 30))
    result = check_layer(lambda i, dy: (np.tanh(i["x"]), {"x": dy}), torch.tanh, {"x": x})
    assert result.verdict == "undecidable"
    assert "half of the machine's memory" in result.sentence


def test_what_the_child_computes_comes_back(forked: None) -> None:
    assert in_child(lambda: {"a": np.arange(3)}, 30.0)["a"].tolist() == [0, 1, 2]


def test_what_the_child_loads_of_torch_is_loaded_here_too(forked: None) -> None:
    name = "torch.utils.show_pickle"
    assert name not in sys.modules
    try:
        in_child(lambda: importlib.import_module(name).__name__, 30.0)
        assert name in sys.modules
    finally:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("error", [BadInput("x is wrong"), RuntimeError("x is wrong")])
def test_an_error_is_the_same_in_a_child_and_here(
    error: Exception, forked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> None:
        raise error

    said = []
    for forks in (True, False):
        monkeypatch.setattr("compare.layers.child.FORKS", forks)
        with pytest.raises(Exception, match="x is wrong") as raised:
            in_child(work, 30.0)
        said.append((raised.type, str(raised.value)))
    assert said[0] == said[1]
    assert said[0][0] is (BadInput if isinstance(error, BadInput) else Crashed)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("form", ["float32", "float64"])
def test_honest_ways_of_writing_stay_below_half_an_allowance(layer: Any, form: str) -> None:
    g = np.random.default_rng(5)
    for batch, scale in ((1, 1.0), (7, 30.0), (64, 0.01)):
        point = drawn(layer, g, batch, scale, form)
        found = ratios(layer, point)
        assert found and max(found.values()) <= 0.5


def test_packets_that_this_torch_does_not_have_are_left_out() -> None:
    assert packets("mm no_such_operation") == {aten.mm}
    assert math.isfinite(LAMBDA)


@pytest.mark.parametrize("form", ["float32", "float64"])
def test_a_variance_of_exactly_zero_has_the_error_of_a_square(form: str) -> None:
    layer = next(layer for layer in LAYERS if layer.name == "batch norm")
    g = np.random.default_rng(2)
    for batch in (33, 128, 512):
        point = drawn(layer, g, batch, 700.0, form, repeated=True)
        assert max(ratios(layer, point).values()) <= 0.5


@pytest.mark.slow
def test_no_decomposition_loads_the_compiler_of_torch() -> None:
    code = """
import sys, torch
from torch.nn import functional as F
from compare.layers.analysed import analyse
from compare.layers.program import Program
for function in (F.gelu, F.leaky_relu, F.silu, F.elu, F.hardswish, F.layer_norm):
    more = ((5,),) if function is F.layer_norm else ()
    x = torch.linspace(-2, 2, 20, dtype=torch.float64).view(4, 5)
    program = Program(lambda t: function(t["x"], *more), ("x",))
    assert analyse(program, {"x": x}, {"y": x + 0.1}, "float64").doubt is None
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", ["linear", "silu", "attention", "cross entropy", "lstm cell"])
def test_honest_layers_agree_in_half_precision_too(name: str) -> None:
    layer = next(layer for layer in LAYERS if layer.name == name)
    point = drawn(layer, np.random.default_rng(4), 8, 1.0, "float16")
    assert point.analysed.overflowing == ()
    assert max(ratios(layer, point).values()) <= 0.6


@pytest.mark.parametrize("shape", [(), (4,), (3, 4)], ids=str)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_the_margin_loss_is_taken_apart_in_every_shape(
    shape: tuple[int, ...], reduction: str
) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    target = np.zeros(shape[:-1], dtype=np.int64)
    found = analysed(
        lambda x, target: F.multi_margin_loss(x, target, p=2, reduction=reduction),
        {"x": x, "target": target},
    )
    assert found.doubt is None and found.unruled == ()


def running_log_sum(factor: float) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        y = np.logaddexp.accumulate(x, axis=1)
        p = np.exp(x[:, :, None] - y[:, None, :]) * np.tri(x.shape[1], dtype=x.dtype).T
        return y, {"x": (p * dy[:, None, :]).sum(2) * x.dtype.type(factor)}

    return manual


@pytest.mark.slow
@pytest.mark.parametrize(("form", "off"), [("float32", 1e-4), ("float64", 1e-11)])
def test_a_running_log_of_a_sum_has_a_rule_in_both_directions(form: str, off: float) -> None:
    x = {"x": (5 * np.random.default_rng(0).normal(size=(3, 6))).astype(form)}
    result = check_layer(running_log_sum(1.0), lambda x: torch.logcumsumexp(x, 1), x)
    assert result and not result.weak
    wrong = check_layer(running_log_sum(1 + off), lambda x: torch.logcumsumexp(x, 1), x)
    assert wrong.verdict is Verdict.DISAGREES


@pytest.mark.slow
@pytest.mark.parametrize("slip, verdict", [(False, "agrees"), (True, "disagrees")])
def test_a_cumulative_product_is_analysed(slip: bool, verdict: str) -> None:
    """Its gradient counts zeros by a rectifier of whole numbers."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        y = np.cumprod(x, 1)
        dx = np.zeros_like(x)
        for k in range(x.shape[1]):
            rest = x.copy()
            rest[:, k] = 1
            dx[:, k] = (dy * np.cumprod(rest, 1))[:, 0 if slip else k :].sum(1)
        return y, {"x": dx}

    assert check_layer(manual, lambda x: torch.cumprod(x, 1), {"x": (3, 4)}).verdict == verdict


@pytest.mark.parametrize("factor, verdict", [(1.0, "agrees"), (1.0001, "disagrees")])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_a_product_has_a_rule(axis: int | None, factor: float, verdict: str) -> None:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        others = np.stack([np.delete(x, k, axis).prod(axis) for k in range(x.size if axis is None
                           else x.shape[axis])], 0 if axis is None else axis)  # fmt: skip
        seed = 1 if dy is None else np.expand_dims(dy, 0 if axis is None else axis)
        return x.prod(axis), {"x": seed * others.reshape(x.shape) * x.dtype.type(factor)}

    reference = torch.prod if axis is None else lambda x: torch.prod(x, axis)
    assert check_layer(manual, reference, {"x": (3, 4)}).verdict == verdict


def interpolated(x: Any, dy: Any, *, exchanged: bool = False) -> Any:
    """The quantile of 0.3 along axis 1 by hand: between two neighbours of the sorted row."""
    rows, at = np.arange(len(x)), 0.3 * (x.shape[1] - 1)
    low, order = int(at), np.argsort(x, axis=1, kind="stable")
    f = x.dtype.type(at - low)
    below, above = order[:, low], order[:, low + 1]
    y = x[rows, below] * (1 - f) + x[rows, above] * f
    dx = np.zeros_like(x)
    dx[rows, below], dx[rows, above] = dy * (1 - f), dy * f
    if exchanged:
        dx[rows, below], dx[rows, above] = dy * f, dy * (1 - f)
    return y, {"x": dx}


@pytest.mark.slow
@pytest.mark.parametrize("quantile", [torch.quantile, torch.nanquantile])
@pytest.mark.parametrize("exchanged", [False, True])
def test_a_quantile_which_turns_axes_in_place_is_judged(quantile: Any, exchanged: bool) -> None:
    result = check_layer(
        lambda i, dy: interpolated(i["x"], dy, exchanged=exchanged),
        lambda x: quantile(x, 0.3, dim=1),
        {"x": (6, 7)},
    )
    assert result.verdict is (Verdict.DISAGREES if exchanged else Verdict.AGREES), result.sentence
    assert not result.weak
