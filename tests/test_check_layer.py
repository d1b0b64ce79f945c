"""`check_layer`: every accepted form of its arguments, and every verdict."""

import functools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import compare
from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.result import Disagreement, ExitCode, Verdict
from compare.layers.check import assert_layer_matches, check_layer
from compare.layers.points import Point
from compare.layers.program import Reference
from compare.layers.survey import Clock, in_order
from compare.report.message import one_screen
from compare.report.page import render
from compare.report.report_json import SCHEMA, to_json

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("forked")]

G = np.random.default_rng(3)
X, W, B = G.normal(size=(6, 4)), G.normal(size=(4, 3)), G.normal(size=3)
INPUTS = {"x": X, "w": W, "b": B}
DY = G.normal(size=(6, 3))
SHAPES = {"x": (6, 4), "w": (4, 3), "b": (3,)}


def reference(x: Any, w: Any, b: Any) -> Any:
    return torch.tanh(x @ w + b)


def forward(x: Any, w: Any, b: Any) -> Any:
    y = np.tanh(x @ w + b)
    return y, (x, w, y)


def backward(dy: Any, cache: Any) -> Any:
    x, w, y = cache
    dz = dy * (1 - y * y)
    return dz @ w.T, x.T @ dz, dz.sum(0)


def function(inputs: Any, dy: Any) -> Any:
    y, cache = forward(**inputs)
    dx, dw, db = backward(dy, cache)
    return y, {"x": dx, "w": dw, "b": db}


def recomputing(dy: Any, x: Any, w: Any, b: Any) -> Any:
    return backward(dy, forward(x, w, b)[1])


class Layer:
    """Parameters and gradients as attributes, as people write it."""

    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = W, b

    def forward(self, x: Any) -> Any:
        self.cache = forward(x, self.W, self.b)[1]
        return self.cache[2]

    def backward(self, dy: Any) -> Any:
        dx, self.dW, self.db = backward(dy, self.cache)
        return dx


class Called:
    """Called itself, with parameters and gradients in dictionaries."""

    def __init__(self, W: Any, b: Any) -> None:
        self.params = {"W": W, "b": b}

    def __call__(self, x: Any) -> Any:
        self.cache = forward(x, self.params["W"], self.params["b"])[1]
        return self.cache[2]

    def backward(self, dy: Any) -> Any:
        dx, dW, db = backward(dy, self.cache)
        self.grads = {"dW": dW, "db": db}
        return dx


class Whole:
    """Everything through forward, everything back as a dictionary."""

    def forward(self, x: Any, w: Any, b: Any) -> Any:
        y, self.cache = forward(x, w, b)
        return y

    def backward(self, dout: Any) -> Any:
        dx, dw, db = backward(dout, self.cache)
        return {"dx": dx, "dw": dw, "db": db}


class Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, w: Any, b: Any) -> Any:
        y = torch.tanh(x @ w + b)
        ctx.save_for_backward(x, w, y)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Any) -> Any:
        x, w, y = ctx.saved_tensors
        dz = dy * (1 - y * y)
        return dz @ w.T, x.T @ dz, dz.sum(0)


FORMS = {
    "function": function,
    "partial": functools.partial(function),
    "pair with cache": (forward, backward),
    "list of two": [forward, backward],
    "pair, dictionary": (forward, lambda dy, c: dict(zip("xwb", backward(dy, c), strict=True))),
    "pair without cache": (lambda x, w, b: np.tanh(x @ w + b), recomputing),
    "pair, inputs as cache": (
        lambda x, w, b: np.tanh(x @ w + b),
        lambda dy, cache: recomputing(dy, *cache),
    ),
    "object": Layer(W, B),
    "object with dictionaries": Called(W, B),
    "object of everything": Whole(),
    "class": Layer,
    "autograd function": Tanh,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "inputs", [INPUTS, {"x": (6, 4), "w": (4, 3), "b": (3,)}], ids=["arrays", "shapes"]
)
def test_every_form_of_a_right_layer_agrees(form: str, inputs: Any) -> None:
    result = check_layer(FORMS[form], reference, inputs)
    assert result.verdict is Verdict.AGREES, result.sentence
    assert set(result.worst) == {"y", "dx", "dw", "db"}
    assert result.exit_code == 0 and max(w.ratio for w in result.worst.values()) <= 0.5


def spoilt(form: str) -> Any:
    """The same form with one gradient off by a part in a million."""
    off = 1 + 1e-6

    def wrong(dy: Any, cache: Any) -> Any:
        dx, dw, db = backward(dy, cache)
        return dx, dw * off, db

    if form == "function":
        return lambda i, dy: (
            forward(**i)[0],
            dict(zip("xwb", wrong(dy, forward(**i)[1]), strict=True)),
        )
    if form == "pair":
        return forward, wrong

    class Wrong(Layer):
        def backward(self, dy: Any) -> Any:
            dx = super().backward(dy)
            self.dW = self.dW * off
            return dx

    return Wrong(W, B)


@pytest.mark.parametrize("form", ["function", "pair", "object"])
def test_one_part_in_a_million_is_seen_in_every_form(form: str) -> None:
    result = check_layer(spoilt(form), reference, INPUTS, dy=DY)
    assert result.verdict is Verdict.DISAGREES
    assert [finding.stage for finding in result.findings] == ["dw"]
    assert result.kind == "derivative" and result.exit_code == 1
    with pytest.raises(Disagreement, match="dw"):
        assert_layer_matches(spoilt(form), reference, INPUTS, dy=DY)


def norm(inputs: Any, dy: Any) -> Any:
    x, w, b = inputs["x"], inputs["weight"], inputs["bias"]
    c = x - x.mean(-1, keepdims=True)
    s = np.sqrt((c * c).mean(-1, keepdims=True) + x.dtype.type(1e-5))
    h, d = c / s, dy * w
    dx = (d - d.mean(-1, keepdims=True) - h * (d * h).mean(-1, keepdims=True)) / s
    return h * w + b, {"x": dx, "weight": (dy * h).sum(0), "bias": dy.sum(0)}


@pytest.mark.parametrize("given", [{"x": (8, 16)}, {"x": G.normal(size=(8, 16)).astype("float32")},
                                   {"x": (8, 16), "weight": (16,), "bias": (16,)}])  # fmt: skip
def test_the_parameters_of_a_module_are_inputs_by_their_names(given: Any) -> None:
    result = check_layer(norm, nn.LayerNorm(16), given)
    assert result.verdict is Verdict.AGREES, result.sentence
    assert set(result.worst) == {"y", "dx", "dweight", "dbias"}


def test_a_module_is_also_tried_at_drawn_parameters() -> None:
    def without_gamma(inputs: Any, dy: Any) -> Any:
        y, gradients = norm(inputs, dy)
        return y, gradients | {"x": norm(inputs | {"weight": np.ones(16)}, dy)[1]["x"]}

    result = check_layer(without_gamma, nn.LayerNorm(16), {"x": G.normal(size=(8, 16))})
    assert result.verdict is Verdict.DISAGREES
    assert "drawn parameters" in result.findings[0].message


def test_a_module_keeps_its_numbers() -> None:
    module = nn.BatchNorm1d(4)
    before = {name: t.clone() for name, t in module.state_dict().items()}

    def batch_norm(i: Any, dy: Any) -> Any:
        x, w = i["x"], i["weight"]
        h = (x - x.mean(0)) / np.sqrt(x.var(0) + x.dtype.type(1e-5))
        d = dy * w
        dx = (d - d.mean(0) - h * (d * h).mean(0)) / np.sqrt(x.var(0) + x.dtype.type(1e-5))
        return h * w + i["bias"], {"x": dx, "weight": (dy * h).sum(0), "bias": dy.sum(0)}

    assert check_layer(batch_norm, module, {"x": (9, 4)}).verdict is Verdict.AGREES
    assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())


def entropy(inputs: Any, dy: Any) -> Any:
    assert dy is None
    z, t = inputs["z"], inputs["t"]
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    d = p.copy()
    d[np.arange(len(z)), t] -= 1
    return -np.log(p[np.arange(len(z)), t]).mean(), {"z": d / len(z)}


@pytest.mark.parametrize(
    "z", [(7, 5), G.normal(size=(7, 5)).astype("float32")], ids=["shape", "array"]
)
def test_a_scalar_loss_needs_no_dy_and_whole_numbers_no_gradient(z: Any) -> None:
    labels = np.array([0, 1, 2, 3, 4, 0, 1])
    result = check_layer(entropy, lambda z, t: F.cross_entropy(z, t), {"z": z, "t": labels})
    assert result.verdict is Verdict.AGREES, result.sentence
    assert set(result.worst) == {"y", "dz"}


def test_a_loss_as_a_pair_gets_one_for_dy() -> None:
    def loss(p: Any, t: Any) -> Any:
        return ((p - t) ** 2).mean(), p - t

    def gradient(dy: Any, d: Any) -> Any:
        return dy * 2 * d / d.size

    inputs = {"p": (5, 3), "t": (5, 3)}
    result = check_layer((loss, gradient), lambda p, t: F.mse_loss(p, t), inputs, wrt=("p",))
    assert result.verdict is Verdict.AGREES, result.sentence


def test_several_outputs_take_several_dys() -> None:
    def two(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        return (x * x, np.sin(x)), {"x": 2 * x * dy[0] + np.cos(x) * dy[1]}

    def named(inputs: Any, dy: Any) -> Any:
        (a, b), gradients = two(inputs, (dy["square"], dy["sine"]))
        return {"square": a, "sine": b}, gradients

    x = G.normal(size=(4, 3))
    dys = (G.normal(size=(4, 3)), G.normal(size=(4, 3)))
    for inputs, dy in (({"x": x}, dys), ({"x": (4, 3)}, None)):
        result = check_layer(two, lambda x: (x * x, torch.sin(x)), inputs, dy=dy)
        assert result.verdict is Verdict.AGREES and set(result.worst) == {"y1", "y2", "dx"}
    result = check_layer(named, lambda x: {"square": x * x, "sine": torch.sin(x)}, {"x": (4, 3)})
    assert result.verdict is Verdict.AGREES and set(result.worst) == {"square", "sine", "dx"}


def test_only_what_wrt_names_is_compared() -> None:
    result = check_layer(lambda i, dy: (forward(**i)[0], {"b": function(i, dy)[1]["b"]}), reference,
                         INPUTS, wrt=["b"])  # fmt: skip
    assert result.verdict is Verdict.AGREES and set(result.worst) == {"y", "db"}


def test_a_gradient_that_is_not_returned_is_a_disagreement() -> None:
    def without(i: Any, dy: Any) -> Any:
        y, gradients = function(i, dy)
        return y, {name: g for name, g in gradients.items() if name != "b"}

    result = check_layer(without, reference, INPUTS)
    assert result.verdict is Verdict.DISAGREES and "db is missing" in result.sentence


def test_tensors_are_handed_over_where_tensors_were_given() -> None:
    def kernel(inputs: Any, dy: Any) -> Any:
        assert isinstance(inputs["x"], torch.Tensor) and inputs["x"].dtype is torch.bfloat16
        x = inputs["x"].float()
        return (x * x).to(torch.bfloat16), {"x": (2 * x * dy.float()).to(torch.bfloat16)}

    x = torch.randn(16, 8, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    result = check_layer(kernel, lambda x: x * x, {"x": x})
    assert result.verdict is Verdict.AGREES and result.settings["dtype"] == "bfloat16"


@pytest.mark.parametrize("form", ["float16", "float32"])
def test_an_array_is_judged_in_its_own_format(form: str) -> None:
    result = check_layer(function, reference, {k: v.astype(form) for k, v in INPUTS.items()})
    assert result.verdict is Verdict.AGREES and result.settings["dtype"] == form


@pytest.mark.parametrize(
    "slope, ways", [(0.0, "agrees: "), (1.0, "agrees up to 2 kinks"), (0.5, "agrees up to 2 kinks")]
)
def test_every_slope_of_relu_at_zero_is_right(slope: float, ways: str) -> None:
    x = np.array([[0.0, 1.0, -2.0], [3.0, 0.0, 0.5]])

    def relu(inputs: Any, dy: Any) -> Any:
        z = inputs["x"]
        return np.maximum(z, 0), {"x": dy * np.where(z == 0, slope, z > 0)}

    result = check_layer(relu, torch.relu, {"x": x}, dy=np.full((2, 3), 0.7))
    assert result.verdict is Verdict.AGREES and result.sentence.startswith(ways)
    assert all(kink.slope == slope and kink.operation == "relu" for kink in result.kinks)


def test_a_slope_beyond_both_sides_of_a_kink_is_wrong() -> None:
    def relu(inputs: Any, dy: Any) -> Any:
        z = inputs["x"]
        return np.maximum(z, 0), {"x": dy * np.where(z == 0, 2.0, z > 0)}

    result = check_layer(relu, torch.relu, {"x": np.array([0.0, 1.0, -1.0])})
    assert result.verdict is Verdict.DISAGREES


@pytest.mark.parametrize("take", ["first", "last", "shared", "each"])
def test_a_tie_in_max_pooling_may_go_to_any_of_the_tied_but_not_to_each(take: str) -> None:
    x = np.array([[[[1.0, 2.0], [2.0, 0.5]]]])

    def pool(inputs: Any, dy: Any) -> Any:
        mask = (inputs["x"] == inputs["x"].max()).astype(float)
        shares = {"first": [1, 0], "last": [0, 1], "shared": [0.5, 0.5], "each": [1, 1]}[take]
        mask[mask > 0] = shares
        return inputs["x"].max().reshape(1, 1, 1, 1), {"x": mask * dy}

    result = check_layer(pool, lambda x: F.max_pool2d(x, 2), {"x": x})
    assert (result.verdict is Verdict.AGREES) is (take != "each")


def test_the_sign_at_zero_may_be_anything_between() -> None:
    def l1(inputs: Any, dy: Any) -> Any:
        d = inputs["p"] - inputs["t"]
        return np.abs(d).mean(), {"p": np.where(d >= 0, 1.0, -1.0) / d.size}

    p = np.array([1.0, 2.0, 3.0, -1.0])
    result = check_layer(l1, F.l1_loss, {"p": p, "t": np.array([1.0, 0.5, 4.0, -1.0])}, wrt="p")
    assert result.verdict is Verdict.AGREES and len(result.kinks) == 2


def variance_in_one_pass(inputs: Any, dy: Any) -> Any:
    x = inputs["x"]
    var = (x * x).mean(1, keepdims=True) - x.mean(1, keepdims=True) ** 2
    h = (x - x.mean(1, keepdims=True)) / np.sqrt(var + x.dtype.type(1e-5))
    s = np.sqrt(var + x.dtype.type(1e-5))
    dx = (dy - dy.mean(1, keepdims=True) - h * (dy * h).mean(1, keepdims=True)) / s
    return h, {"x": dx}


def test_poorer_algebra_loses_digits_and_is_right() -> None:
    x = (G.normal(size=(5, 16)) + 100).astype("float32")
    result = check_layer(variance_in_one_pass, lambda x: F.layer_norm(x, (16,)), {"x": x})
    assert result.verdict is Verdict.AGREES and result.kind == "digits"
    assert "right, but loses" in result.sentence and "float32" in result.sentence


def test_a_clipped_tail_is_said_to_be_one() -> None:
    def sigmoid(inputs: Any, dy: Any) -> Any:
        s = 1 / (1 + np.exp(-np.clip(inputs["x"], -80, 80)))
        return s, {"x": dy * s * (1 - s)}

    result = check_layer(sigmoid, torch.sigmoid, {"x": np.array([-120.0, 0.3, 2.0])})
    assert result.kind == "clipped" and "clipped" in result.sentence


def sigmoid_from_tanh(inputs: Any, dy: Any, tail: float = 1.0) -> Any:
    y = 0.5 * (1 + np.tanh(0.5 * inputs["x"]))
    dx = dy * y * (1 - y)
    return y, {"x": np.where(inputs["x"] < -12, tail * dx, dx)}


def test_a_tail_that_rounds_like_1_loses_digits_and_is_right() -> None:
    result = check_layer(sigmoid_from_tanh, torch.sigmoid, {"x": (7, 6)})
    assert result.verdict is Verdict.AGREES
    assert result.sentence.startswith("right, but loses")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mistake_in_such_a_tail_is_none_of_its_rounding(dtype: Any) -> None:
    x = np.linspace(-14, 14, 57, dtype=dtype)
    wrong = partial(sigmoid_from_tanh, tail=2.0)
    assert check_layer(wrong, torch.sigmoid, {"x": x}).verdict is Verdict.DISAGREES


def tanh_from_sigmoid(inputs: Any, dy: Any, y: float = 1.0, dx: float = 1.0) -> Any:
    h = 2 / (1 + np.exp(-2 * inputs["x"])) - 1
    return h * h.dtype.type(y), {"x": dy * (1 - h * h) * h.dtype.type(dx)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 1e-6])
def test_a_tanh_all_of_which_rounds_like_1_loses_digits_and_is_right(
    scale: float, dtype: Any
) -> None:
    x = (scale * G.normal(size=(7, 6))).astype(dtype)
    result = check_layer(tanh_from_sigmoid, torch.tanh, {"x": x})
    assert result.verdict is Verdict.AGREES and result.kind == "digits", result.sentence


@pytest.mark.parametrize("off", [{"y": 1 + 1e-4}, {"dx": 1.001}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mistake_beside_such_rounding_is_seen_and_has_no_wrong_name(
    dtype: Any, off: dict[str, float]
) -> None:
    x = (1e-6 * G.normal(size=(7, 6))).astype(dtype)
    result = check_layer(partial(tanh_from_sigmoid, **off), torch.tanh, {"x": x})
    assert result.verdict is Verdict.DISAGREES and not result.diagnosis


def test_an_operation_without_a_rule_accuses_nobody() -> None:
    x = np.array([[2.0, 0.3], [0.1, 1.2]])
    result = check_layer(lambda i, dy: (np.linalg.svd(i["x"])[1] * 2, {"x": 0 * i["x"]}),
                         torch.linalg.svdvals, {"x": x})  # fmt: skip
    assert result.verdict is Verdict.UNDECIDABLE and result.exit_code is ExitCode.UNDECIDABLE


def test_a_reference_that_draws_makes_it_undecidable() -> None:
    result = check_layer(lambda i, dy: (i["x"], {"x": dy}), lambda x: F.dropout(x, 0.5), {"x": X})
    assert result.verdict is Verdict.UNDECIDABLE and "mask" in result.sentence


def test_a_backward_pass_that_keeps_something_between_calls_is_found() -> None:
    kept = np.zeros(3)

    def accumulating(inputs: Any, dy: Any) -> Any:
        y, gradients = function(inputs, dy)
        kept[:] += gradients["b"]
        return y, gradients | {"b": kept.copy()}

    result = check_layer(accumulating, reference, INPUTS)
    assert result.verdict is Verdict.DISAGREES and result.kind == "structure"


def test_a_backward_pass_that_is_not_linear_in_dy_is_found() -> None:
    def clipping(inputs: Any, dy: Any) -> Any:
        y, gradients = function(inputs, np.clip(dy, -1.5, 1.5))
        return y, gradients

    result = check_layer(clipping, reference, INPUTS, dy=np.full((6, 3), 0.9))
    assert result.verdict is Verdict.DISAGREES and "linear in dy" in result.sentence


def test_an_argument_that_is_written_to_is_noted() -> None:
    def scribbling(inputs: Any, dy: Any) -> Any:
        found = function(inputs, dy.copy())
        dy *= 0
        return found

    result = check_layer(scribbling, reference, INPUTS)
    assert result.verdict is Verdict.AGREES and any("modifies" in note for note in result.notes)


def test_numbers_written_down_are_judged(tmp_path: Path) -> None:
    y, gradients = function(INPUTS, DY)
    np.savez(tmp_path / "inputs.npz", x=X, w=W, b=B)
    np.savez(tmp_path / "dy.npz", y=DY)
    np.savez(tmp_path / "outputs.npz", y=y)
    (tmp_path / "gradients").mkdir()
    for name, g in gradients.items():
        np.save(tmp_path / "gradients" / f"{name}.npy", g)
    assert check_layer(tmp_path, reference).verdict is Verdict.AGREES
    np.save(tmp_path / "gradients" / "b.npy", -gradients["b"])
    result = check_layer(tmp_path, reference)
    assert result.verdict is Verdict.DISAGREES and result.findings[0].stage == "db"
    (tmp_path / "outputs.npz").unlink()
    with pytest.raises(BadInput, match="no outputs"):
        check_layer(tmp_path, reference)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"inputs": {}}, "inputs must be a dictionary"),
        ({"inputs": {"x": X, "w": W, "b": np.array(["a"])}}, "b is <U1"),
        ({"wrt": ("v",)}, "wrt names 'v'; the inputs are x, w, b"),
        ({"wrt": ()}, "wrt is empty"),
        ({"dy": np.ones((2, 2))}, r"dy has shape \(2, 2\), and output y is \(6, 3\)"),
        ({"reference": 3}, "reference is a int"),
        ({"manual": 3}, "manual is a int"),
        ({"manual": (forward, backward, 1)}, "manual is a tuple of 3"),
        ({"reference": lambda x, w, b: x @ b}, "reference raised RuntimeError"),
        ({"reference": lambda x, w, b: 1}, "returned no floating tensor"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_one_sentence(change: Any, sentence: str) -> None:
    given = {"manual": function, "reference": reference, "inputs": INPUTS} | change
    with pytest.raises(BadInput, match=sentence):
        check_layer(**given)


@pytest.mark.parametrize(
    "returned, sentence",
    [
        (lambda y, g: y, "it must return"),
        (lambda y, g: (g, y), "y comes first"),
        (lambda y, g: (y, (g["x"],)), "returned 1 gradients, and there are 3"),
        (lambda y, g: (y, {**g, "x": "no"}), "must be real numbers"),
        (lambda y, g: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_manual_side_of_the_wrong_form_is_one_sentence_with_its_line(
    returned: Any, sentence: str
) -> None:
    with pytest.raises(UserCodeError, match=sentence):
        check_layer(lambda i, dy: returned(*function(i, dy)), reference, INPUTS)


def test_the_control_is_rejected_and_the_reports_show_a_layer(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    import json

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    wrong = check_layer(spoilt("function"), reference, INPUTS)
    kinked = check_layer(lambda i, dy: (np.maximum(i["x"], 0), {"x": dy * (i["x"] >= 0)}),
                         torch.relu, {"x": np.array([[0.0, 1.0], [2.0, -1.0]])})  # fmt: skip
    for result in (wrong, kinked):
        assert not result.control_failed
        jsonschema.validate(to_json(result), schema)
        page = render(result)
        assert "manual against reference" in page
    assert "dw" in one_screen(wrong) and "relu" in render(kinked)
    assert {"point", "heatmap"} <= set(wrong.plot())
    assert (wrong.save(tmp_path) / "report.json").is_file()


def test_the_same_seed_gives_the_same_result() -> None:
    one, other = (check_layer(function, reference, {"x": (6, 4), "w": (4, 3), "b": (3,)}, seed=4)
                  for _ in range(2))  # fmt: skip
    assert one.worst == other.worst


def test_the_package_exports_both() -> None:
    assert compare.check_layer is check_layer
    assert compare.assert_layer_matches is assert_layer_matches


FILE = """
import numpy as np, torch
def forward(x):
    return np.tanh(x)
def backward(dy, x):
    return dy * {slope}
inputs = {{"x": (5, 3)}}
reference = torch.tanh
"""


@pytest.mark.parametrize("slope, code", [("(1 - np.tanh(x) ** 2)", 0), ("(1 - np.tanh(x))", 1)])
def test_the_command_checks_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], slope: str, code: int
) -> None:
    from compare.command.main import main

    (tmp_path / "mine.py").write_text(FILE.format(slope=slope))
    options = ["--layer", str(tmp_path / "mine.py"), "--out", str(tmp_path / "out"), "--no-plots"]
    assert main(options) == code
    assert ("agrees" if code == 0 else "dx") in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, spec, sentence",
    [
        ("manual = 1", "mine.py", "it defines no reference"),
        ("reference = 1", "mine.py", "neither manual nor forward and backward"),
        ("reference = 1", "mine.py:f", "it defines no f"),
        ("", "mine.txt", "give FILE.py or FILE.py:NAME"),
        ("", "other.py", "there is no such file"),
    ],
)
def test_a_file_that_says_too_little_is_one_sentence(
    tmp_path: Path, text: str, spec: str, sentence: str
) -> None:
    from compare.layers.layer_file import check_file

    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(BadInput, match=sentence):
        check_file(str(tmp_path / spec))


def test_the_fixture_checks_layers(crosscheck: Any) -> None:
    assert crosscheck.layer(function, reference, INPUTS).verdict is Verdict.AGREES
    with pytest.raises(Disagreement):
        crosscheck.layer(spoilt("function"), reference, INPUTS)


def test_a_layer_that_takes_long_is_judged_once_in_each_format() -> None:
    points = [Point({}, None, form, "") for form in ("float32", "float32", "float64", "float64")]
    assert in_order(points) == [0, 2, 1, 3]
    clock = Clock(10.0)
    clock.began = clock.last = clock.began - 6.0
    assert not clock.allows()  # one took six seconds, so that two do not fit


def test_what_cannot_be_finished_is_said_before_the_time_is_up() -> None:
    clock, large = Clock(1e-9), {"x": np.zeros(Clock.LARGE)}
    point = Point(large, None, "float32", "")
    said = clock.hopeless(Reference.of(torch.tanh), point, ("x",), None, 0)
    assert said is not None
    assert "smaller shapes" in said
    assert Clock(600.0).hopeless(Reference.of(torch.tanh), point, ("x",), None, 0) is None


@pytest.mark.parametrize("threshold, right", [(0.0, True), (-1e-3, False), (1e-6, False)])
def test_a_threshold_that_is_not_quite_zero_is_found(threshold: float, right: bool) -> None:
    def relu(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        z = x @ w
        dz = dy * (z > threshold)
        return np.maximum(z, 0), {"x": dz @ w.T, "w": x.T @ dz}

    result = check_layer(relu, lambda x, w: torch.relu(x @ w), {"x": (4, 3), "w": (3, 5)})
    assert (result.verdict is Verdict.AGREES) is right
    assert not result.diagnosis  # beside 0 alone it is no other than a mask that is left out


def test_poor_algebra_just_beside_zero_only_loses_digits() -> None:
    def tanh(inputs: Any, dy: Any) -> Any:
        a, b = np.exp(inputs["x"]), np.exp(-inputs["x"])
        y = (a - b) / (a + b)
        return y, {"x": dy * (1 - y * y)}

    result = check_layer(tanh, torch.tanh, {"x": (4, 3)})
    assert result.verdict is Verdict.AGREES and result.kind == "digits"
    assert not result.weak


@pytest.mark.parametrize("factor, verdict", [(1.0, "agrees"), (1.01, "disagrees")])
def test_a_guard_that_counts_just_beside_zero_alone_is_told_and_not_accused(
    factor: float, verdict: str
) -> None:
    def unguarded(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        n = np.sqrt((x * x).sum(1, keepdims=True))
        y = x / n
        dx = (dy - y * (dy * y).sum(1, keepdims=True)) / n
        return y, {"x": dx * x.dtype.type(factor)}

    result = check_layer(unguarded, lambda x: F.normalize(x, eps=1e-2), {"x": (4, 3)})
    assert result.verdict == verdict
    assert any("guards a division by 0" in weak.reason for weak in result.weak)


def test_a_wrong_function_of_float64_tensors_is_judged_though_torch_has_no_wider_format() -> None:
    class Swish(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return x * torch.sigmoid(x)

        @staticmethod
        def backward(ctx: Any, dy: torch.Tensor) -> Any:
            (x,) = ctx.saved_tensors
            s = torch.sigmoid(x)
            return dy * (s + x * s)

    x = torch.from_numpy(np.random.default_rng(0).normal(size=(8, 5)))
    found = check_layer(Swish, torch.nn.functional.silu, {"x": x})
    assert found.verdict is Verdict.DISAGREES and "dx" in found.sentence
