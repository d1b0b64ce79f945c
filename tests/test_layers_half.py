"""Half precision: float16 and bfloat16 are judged as they are; what leaves their range is said."""

from typing import Any

import numpy as np
import pytest
import torch

from compare.contracts.result import Verdict
from compare.layers.check import check_layer

pytestmark = pytest.mark.slow

FORMATS = (torch.float16, torch.bfloat16)
every_format = pytest.mark.parametrize("form", FORMATS, ids=str)


def draw(*shape: int, form: torch.dtype, scale: float = 1.0, mean: float = 0.0) -> Any:
    g = torch.Generator().manual_seed(sum(shape))
    return (torch.randn(*shape, generator=g) * scale + mean).to(form)


def layer_norm(inputs: Any, dy: Any, *, centred: bool = True) -> Any:
    x, w, b = inputs["x"], inputs["weight"], inputs["bias"]
    c = x - x.mean(1, keepdim=True)
    s = torch.sqrt((c * c).mean(1, keepdim=True) + 1e-5)
    h, d = c / s, dy * w
    m = d.mean(1, keepdim=True) if centred else 0
    dx = (d - m - h * (d * h).mean(1, keepdim=True)) / s
    return h * w + b, {"x": dx, "weight": (dy * h).sum(0), "bias": dy.sum(0)}


def normalised(inputs: Any, dy: Any, *, wide: bool) -> Any:
    x, d = inputs["x"], dy
    form = x.dtype
    x, d = (x.float(), d.float()) if wide else (x, d)
    n = torch.sqrt((x * x).sum(1, keepdim=True))
    y = x / n
    dx = (d - y * (y * d).sum(1, keepdim=True)) / n
    return y.to(form), {"x": dx.to(form)}


def unit(x: Any) -> Any:
    return x / (x * x).sum(1, keepdim=True).sqrt()


def norm_inputs(form: torch.dtype) -> Any:
    return {
        "x": draw(6, 32, form=form), "weight": draw(32, form=form), "bias": draw(32, form=form)
    }  # fmt: skip


@every_format
def test_a_layer_norm_in_half_precision_throughout_agrees(form: torch.dtype) -> None:
    result = check_layer(layer_norm, torch.nn.LayerNorm(32), norm_inputs(form))
    assert result.verdict is Verdict.AGREES
    assert result.settings["dtype"] == str(form).removeprefix("torch.")
    assert max(w.ratio for w in result.worst.values()) < 0.5


@every_format
def test_a_missing_term_is_seen_and_never_called_something_else(form: torch.dtype) -> None:
    def wrong(inputs: Any, dy: Any) -> Any:
        return layer_norm(inputs, dy, centred=False)

    result = check_layer(wrong, torch.nn.LayerNorm(32), norm_inputs(form))
    assert result.verdict is Verdict.DISAGREES
    names = [said for d in result.diagnosis for said in (d.sentence, *d.also)]
    assert names == [] or "the mean" in names[0]


def test_sums_kept_wide_agree_where_half_precision_would_overflow() -> None:
    inputs = {"x": draw(4, 8, form=torch.float16, scale=200.0)}
    result = check_layer(lambda i, dy: normalised(i, dy, wide=True), unit, inputs)
    assert result.verdict is Verdict.AGREES and result.kind is None


def test_a_square_that_overflows_float16_is_said_to_leave_its_range() -> None:
    inputs = {"x": draw(4, 8, form=torch.float16, scale=200.0)}
    result = check_layer(lambda i, dy: normalised(i, dy, wide=False), unit, inputs)
    assert result.verdict is Verdict.AGREES and result.kind == "digits"
    assert result.sentence.startswith("right, but loses")
    assert "exceed its range" in result.sentence


def test_the_same_numbers_do_not_overflow_bfloat16() -> None:
    inputs = {"x": draw(4, 8, form=torch.bfloat16, scale=200.0)}
    result = check_layer(lambda i, dy: normalised(i, dy, wide=False), unit, inputs)
    assert result.verdict is Verdict.AGREES and result.kind is None


def test_an_output_that_float16_cannot_hold_is_undecidable() -> None:
    inputs = {"x": draw(64, form=torch.float16, scale=100.0)}
    result = check_layer(
        lambda i, dy: ((i["x"] * i["x"]).sum(), {"x": 2 * i["x"]}), lambda x: (x * x).sum(), inputs
    )
    assert result.verdict is Verdict.UNDECIDABLE
    assert "exceed the range of float16" in result.sentence


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("mean", [8.0, 30.0])
def test_a_one_pass_variance_loses_digits_or_proves_nothing_but_is_not_wrong(
    mean: float, doubled: bool
) -> None:
    def one_pass(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        v = (x * x).mean() - x.mean() ** 2
        return v, {"x": dy * 2 * (x - x.mean()) / x.dtype.type(x.size) * (1 + doubled)}

    x = draw(32, form=torch.float16, mean=mean).numpy()
    result = check_layer(one_pass, lambda x: x.var(correction=0), {"x": x}, dy=np.float16(1))
    if doubled:
        assert result.verdict is Verdict.DISAGREES and result.findings[-1].stage == "dx"
    else:
        assert result.verdict is not Verdict.DISAGREES
        assert result.kind == "digits" or result.weak


def test_an_accumulator_that_stops_growing_never_agrees_unnoticed() -> None:
    """A sum of 4,000 ones stops growing at 2,048 in float16."""

    def accumulated(inputs: Any, dy: Any) -> Any:
        total = np.float16(0)
        for value in inputs["x"]:
            total = np.float16(total + value)
        return total, {"x": np.ones_like(inputs["x"]) * dy}

    x = np.ones(4000, dtype=np.float16)
    result = check_layer(accumulated, lambda x: x.sum(), {"x": x}, dy=np.float16(1))
    assert result.verdict is Verdict.DISAGREES or result.weak


AGREES, DISAGREES, UNDECIDABLE = Verdict
OFF = [
    (False, None, AGREES), (True, None, DISAGREES), (False, "judged", AGREES),
    (True, "judged", UNDECIDABLE),
]  # fmt: skip
TOO_LARGE = {torch.float16: 1.003, torch.bfloat16: 1.03}
"""By so much no entry is beyond its allowance, and all of them together are."""


@every_format
@pytest.mark.parametrize("wrong, inside, due", OFF)
def test_a_gradient_that_is_too_large_as_a_whole_is_seen_in_few_digits(
    form: torch.dtype, wrong: bool, inside: Any, due: Verdict
) -> None:
    """A kernel that returns few digits whatever it is given cannot be asked for more."""
    factor = TOO_LARGE[form] if wrong else 1.0

    def swish(inputs: Any, dy: Any) -> Any:
        x, d = inputs["x"].float(), dy.float()
        s = torch.sigmoid(x)
        given = form if inside else dy.dtype
        return (x * s).to(given), {"x": (d * s * (1 + x * (1 - s)) * factor).to(given)}

    inputs = {"x": draw(6, 32, form=form)}
    result = check_layer(swish, torch.nn.functional.silu, inputs)
    assert result.verdict is due, result.sentence
    assert any("all of dx" in said for said in (result.sentence, *result.notes)) is wrong


@every_format
@pytest.mark.parametrize("wrong", [False, True])
def test_a_gradient_that_is_exact_in_few_digits_does_not_keep_others_from_being_asked(
    form: torch.dtype, wrong: bool
) -> None:
    """Of one row the bias's gradient is dy."""
    factor = TOO_LARGE[form] if wrong else 1.0

    def linear(i: Any, dy: Any) -> Any:
        dw = (i["x"].T @ dy).float() * factor
        return i["x"] @ i["w"] + i["b"], {"x": dy @ i["w"].T, "w": dw.to(dy.dtype), "b": dy.sum(0)}

    inputs = {"x": draw(1, 16, form=form), "w": draw(16, 24, form=form), "b": draw(24, form=form)}
    result = check_layer(linear, lambda x, w, b: x @ w + b, inputs)
    assert result.verdict is (DISAGREES if wrong else AGREES), result.sentence
    assert any("all of dw" in note for note in result.notes) is wrong


def swish_off(form: torch.dtype, roundings: float, *, converts: bool = False) -> Any:
    """A swish whose gradient is off by so many roundings of a format, all of it."""
    unit = float(torch.finfo(form).eps) / 2

    def swish(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        s = torch.sigmoid(x)
        s = s.to(form).to(x.dtype) if converts else s
        return x * s, {"x": dy * s * (1 + x * (1 - s)) * (1 + roundings * unit)}

    return swish


@every_format
@pytest.mark.parametrize(
    ("roundings", "converts", "due"),
    [(0.5, False, AGREES), (4, False, UNDECIDABLE), (0, True, AGREES), (0.5, True, AGREES)],
)
def test_what_few_digits_hide_is_told_by_its_size_in_float32(
    form: torch.dtype, roundings: float, converts: bool, due: Verdict
) -> None:
    inputs = {"x": draw(6, 32, form=form)}
    layer = swish_off(form, roundings, converts=converts)
    result = check_layer(layer, torch.nn.functional.silu, inputs)
    assert result.verdict is due, result.sentence
    said = (result.sentence, *result.notes)
    assert any("in float32 the same code disagrees" in each for each in said)


@every_format
@pytest.mark.parametrize("wrong", [False, True])
def test_a_few_entries_that_are_wrong_in_float32_are_wrong(form: torch.dtype, wrong: bool) -> None:
    """A tenth of one row: less than the allowance of a product of 200 terms."""
    times = 1.1 if form is torch.bfloat16 else 1.01

    def linear(inputs: Any, dy: Any) -> Any:
        x, w, d = (a.float() for a in (inputs["x"], inputs["w"], dy))
        dx = d @ w.T
        dx[1] *= times if wrong else 1.0
        given = dy.dtype
        return (x @ w).to(given), {"x": dx.to(given), "w": (x.T @ d).to(given)}

    inputs = {"x": draw(16, 40, form=form), "w": draw(40, 200, form=form)}
    result = check_layer(linear, lambda x, w: x @ w, inputs)
    assert result.verdict is (DISAGREES if wrong else AGREES), result.sentence


def test_a_function_that_is_good_to_the_digits_of_the_format_agrees() -> None:
    """The cubic formula of GELU is off by 1e-3, a rounding of bfloat16 is 4e-3."""

    def gelu(inputs: Any, dy: Any) -> Any:
        x = inputs["x"].detach().requires_grad_()
        y = torch.nn.functional.gelu(x, approximate="tanh")
        (dx,) = torch.autograd.grad(y, x, dy)
        return y.detach(), {"x": dx}

    inputs = {"x": draw(6, 32, form=torch.bfloat16)}
    result = check_layer(gelu, torch.nn.functional.gelu, inputs)
    assert result.verdict is Verdict.AGREES, result.sentence


@pytest.mark.parametrize("seed", range(3))
def test_a_sum_of_dy_that_is_kept_in_few_digits_is_no_mistake(seed: int) -> None:
    """Its error depends on dy alone; the third of it is no number of the short format."""

    def shifted(i: Any, dy: Any) -> Any:
        total = torch.zeros(dy.shape[1], dtype=torch.bfloat16)
        for row in dy.to(torch.bfloat16):
            total = total + row
        return (i["x"] + i["b"]) / 3, {"x": dy / 3, "b": total.to(dy.dtype) / 3}

    g = torch.Generator().manual_seed(seed)
    shapes = {"x": (512, 6), "b": (6,)}
    inputs = {n: torch.randn(*shape, generator=g).to(torch.bfloat16) for n, shape in shapes.items()}
    result = check_layer(shifted, lambda x, b: (x + b) / 3, inputs, seed=seed)
    assert result.verdict is Verdict.AGREES, result.sentence
