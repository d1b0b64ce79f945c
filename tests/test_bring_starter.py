"""A student's file as a whole: a verdict per function, one layout, gradients that fit the loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.result import ExitCode, Verdict
from compare.examine.starter.adapter import write_adapter
from compare.examine.starter.binding import bind, gradient_named
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.starter import StarterReport, check_starter
from compare.examine.starter.starter_result import starter_result
from compare.guard.manual_file import load
from manual_mlp import loss_and_gradients
from tests.test_bring_guard import point

pytestmark = pytest.mark.slow

HEAD = "import numpy as np\n"
RELU = "def relu(x):\n    return np.maximum(x, 0)\n"
SOFTMAX = """
def softmax(x):
    x = x - np.max(x, axis=1).reshape(x.shape[0], 1)
    return np.exp(x) / np.sum(np.exp(x), axis=1).reshape(x.shape[0], 1)
"""
LAYER = "def compute_layer(x, w, b):\n    return np.matmul(x, w) + b\n"
LOSS = """
def average_ce(target, prediction):
    return -np.sum(target * np.log(prediction)) / target.shape[0]
"""
SLOPE = "def grad_ce(target, logits):\n    return (softmax(logits) - target) / target.shape[0]\n"
RIGHT = HEAD + RELU + SOFTMAX + LAYER + LOSS + SLOPE
COLUMNS = """
def softmax(x):
    e = np.exp(x - x.max(axis=0))
    return e / e.sum(axis=0)
"""
BACK = """
def back_prop(x_h, x_o, x_i, w_o, z_o, target, z_h):
    d_o = (x_o - target){over}
    d_wo = x_h.T @ d_o
    d_bo = np.sum(d_o, axis=0, keepdims=True)
    d_h = (d_o @ w_o.T) * {mask}
    d_wh = x_i.T @ d_h
    d_bh = np.sum(d_h, axis=0, keepdims=True)
    return d_wo, d_bo, d_wh, d_bh
"""


def report_on(folder: Path, text: str, **options: str) -> StarterReport:
    """Write a starter file and check it."""
    path = folder / "starter.py"
    path.write_text(text, encoding="utf-8")
    return check_starter(path, timeout=20.0, **options)  # type: ignore[arg-type]


def by_name(report: StarterReport) -> dict[str, FunctionVerdict]:
    """Return the verdicts by function."""
    return {one.name: one for one in report.functions}


def test_a_right_file_agrees_and_exits_with_0(tmp_path: Path) -> None:
    result = starter_result(report_on(tmp_path, RIGHT))
    assert result.exit_code is ExitCode.AGREES and result.kind is None
    assert result.sentence == (
        "agrees: rounding explains every difference between 5 functions and torch"
    )
    assert [check.check for check in result.checks] == [
        "relu", "softmax", "compute_layer", "average_ce", "grad_ce",
    ]  # fmt: skip
    assert result.checks[1].sentence == "starter.py, line 5: agrees"


def test_the_reports_own_grad_ce_is_told_both_its_slips(tmp_path: Path) -> None:
    text = RIGHT.replace("(softmax(logits) - target) / target.shape[0]", "(logits - target)")
    found = by_name(report_on(tmp_path, text))["grad_ce"]
    assert (found.verdict, found.kind) == (Verdict.DISAGREES, "value")
    assert found.sentence == (
        "it sums over the batch, but the loss is the mean: N times too large; what it calls "
        "logits has to be probabilities: the softmax is left out"
    )


def test_a_sum_in_loss_and_gradient_is_a_convention_that_can_be_declared(tmp_path: Path) -> None:
    text = RIGHT.replace(" / target.shape[0]", "")
    result = starter_result(report_on(tmp_path, text))
    assert (result.exit_code, result.kind) == (ExitCode.DISAGREES, "convention")
    declared = starter_result(report_on(tmp_path, text, reduction="sum"))
    assert declared.exit_code is ExitCode.AGREES


def test_columns_throughout_are_a_convention(tmp_path: Path) -> None:
    text = (
        HEAD + "def softmax(x):\n    e = np.exp(x - x.max(axis=0))\n    return e / e.sum(axis=0)\n"
    )
    found = by_name(report_on(tmp_path, text + RELU))["softmax"]
    assert (found.verdict, found.layout) == (Verdict.AGREES, "columns")


def test_columns_in_one_function_of_a_file_of_rows_are_wrong(tmp_path: Path) -> None:
    text = (
        HEAD + "def softmax(x):\n    e = np.exp(x - x.max(axis=0))\n    return e / e.sum(axis=0)\n"
    )
    found = by_name(report_on(tmp_path, text + LAYER))["softmax"]
    assert found.kind == "value" and "works along the wrong axis" in found.sentence


def test_a_gradient_function_is_bound_by_its_names_and_says_how(tmp_path: Path) -> None:
    text = RIGHT + BACK.format(over=" / len(target)", mask="(z_h > 0)")
    found = by_name(report_on(tmp_path, text))["back_prop"]
    assert found.verdict is Verdict.AGREES
    assert found.conventions == (
        "read with x_h = h1, x_o = p, x_i = x, w_o = w2, z_o = logits, target = y, z_h = z1; "
        "d_wo = dw2, d_bo = db2, d_wh = dw1, d_bh = db1",
    )


def test_a_gradient_that_sums_under_an_averaged_loss_is_wrong(tmp_path: Path) -> None:
    text = RIGHT + BACK.format(over="", mask="(x_h > 0)")
    found = by_name(report_on(tmp_path, text))["back_prop"]
    assert found.kind == "value" and "N times too large" in found.sentence


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    text = RIGHT + BACK.format(over=" / len(target)", mask="1")
    found = by_name(report_on(tmp_path, text))["back_prop"]
    assert found.kind == "value" and "; w2, b2 right" in found.sentence.replace("d", "")
    assert "mask" in " ".join(one.mistake for one in found.diagnosis)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def grad_wo(h, p, y):\n    return h.T @ (p - y) / len(y)\n", "agrees"),
        ("def dL_dWo(h, p, y):\n    return {'w_o': h.T @ (p - y) / len(y)}\n", "agrees"),
        ("def backward(h, p, y):\n    g = (p - y) / len(y)\n    return h.T @ g, g.sum(0)\n", "agr"),
        ("def grad_bo(p, y):\n    return (p - y) / len(y)\n", "shape (17, 5) as db2; (5,) is due"),
        ("def grad_bo(p, y):\n    return 0.0\n", "returns a value of shape () as db2; (5,) is due"),
        (
            "def backward(h, p):\n    return h, p\n",
            "was not compared: what it returns is none of the gradients",
        ),
        ("def grad_wo(h, p, y):\n    return h @ p\n", "could not be called: starter.py, line 3"),
        (
            "def norm_forward(x, g):\n    return x * g, (x, g)\n"
            "def norm_backward(dy, cache):\n    x, g = cache\n    return dy * g, (dy * x).sum(0)\n",
            "norm_forward and norm_backward look like one layer: ",
        ),
        ("def gradients(a=undefined()):\n    return a.b\n", "was not compared: what a stands for"),
    ],
)
def test_what_comes_back_is_told_by_names_or_shapes(tmp_path: Path, code: str, words: str) -> None:
    report = report_on(tmp_path, HEAD + code)
    said = [*(one.sentence for one in report.functions), *report.notes]
    assert any(words in one for one in said), said


def test_a_parameter_without_a_name_that_tells_is_bound_by_calling(tmp_path: Path) -> None:
    text = RIGHT + (
        "def gradient(x, q, out, y, w_o):\n"
        "    d = ((out - y) / len(y)) @ w_o.T * (q > 0)\n"
        "    return x.T @ d, d.sum(axis=0)\n"
    )
    found = by_name(report_on(tmp_path, text))["gradient"]
    assert found.verdict is Verdict.AGREES
    assert found.conventions == (
        "read with x = x, q = z1, out = p, y = y, w_o = w2; gradient = dw1, gradient = db1",
    )


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("def grad_wo(prediction, y, h):\n    return h.T @ (softmax(prediction) - y) / len(y)", ""),
        ("def grad_wo(p, labels, h):\n    d = p.copy()\n    d[np.arange(len(p)), labels] -= 1\n"
         "    return h.T @ d / len(p)", ""),
        ("def grad_bh(s, e, w):\n    return ((e @ w.T) * (s > 0)).sum(0)", ""),
        ("def backward(x, y, p, h, w2):\n    d = p - y\n    dh = d @ w2.T * (h > 0)\n"
         "    return dh, x.T @ dh / len(x), dh.mean(0)", ""),
        ("def grad_wo(h, p, y):\n    return ((p - y) @ h.T) / y.shape[1]", "samples are columns"),
        ("def grad_wh(x, p, y, z, w):\n    d = (p - y) / len(y)\n"
         "    return x.T @ ((d @ w) * (z > 0))", "weights are (fan_out, fan_in)"),
    ],
)  # fmt: skip
def test_the_meaning_that_agrees_is_the_authors(tmp_path: Path, function: str, words: str) -> None:
    text = HEAD + (SOFTMAX if "softmax" in function else "") + function + "\n"
    (found,) = [one for one in report_on(tmp_path, text).functions if one.role == "gradient"]
    assert found.verdict is Verdict.AGREES, found.sentence
    assert words in "; ".join(found.conventions)


BUNDLES = {
    "dictionaries of columns": """
def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    dZ2 = cache["A2"] - Y
    dZ1 = np.dot(parameters["W2"].T, dZ2) * (cache["A1"] > 0)
    return {"dW1": np.dot(dZ1, X.T) / m, "db1": dZ1.sum(axis=1, keepdims=True) / m,
            "dW2": np.dot(dZ2, cache["A1"].T) / m, "db2": dZ2.sum(axis=1, keepdims=True) / m}
def forward(X, parameters):
    return {"Z1": parameters["W1"] @ X, "A1": 0, "Z2": 0, "A2": 0}
""",
    "a loss and gradients from a dictionary": """
def loss_and_grads(params, X, y):
    h = np.maximum(X @ params["W1"] + params["b1"], 0)
    p = softmax(h @ params["W2"] + params["b2"])
    d = (p - y) / len(X)
    dh = d @ params["W2"].T * (h > 0)
    loss = -np.mean(np.sum(y * np.log(p), axis=1))
    return loss, {"W1": X.T @ dh, "b1": dh.sum(0), "W2": h.T @ d, "b2": d.sum(0)}
""",
    "a dictionary that is only handed on": """
def hidden(net, x):
    return np.maximum(x @ net["W1"] + net["b1"], 0)
def grad_w2(params, x, y, p):
    return hidden(params, x).T @ (p - y) / len(x)
""",
    "lists": """
def backprop(x, t, weights, biases):
    h = np.maximum(x @ weights[0] + biases[0], 0)
    d = (softmax(h @ weights[1] + biases[1]) - t) / len(x)
    dh = d @ weights[1].T * (h > 0)
    return [x.T @ dh, h.T @ d], [dh.sum(0), d.sum(0)]
""",
    "a tuple that is unpacked": """
def backprop(net, x, labels):
    W1, b1, W2, b2 = net
    h = np.maximum(x @ W1 + b1, 0)
    d = softmax(h @ W2 + b2)
    d[np.arange(len(x)), labels] -= 1
    d /= len(x)
    dh = d @ W2.T * (h > 0)
    return x.T @ dh, dh.sum(0), h.T @ d, d.sum(0)
""",
}


@pytest.mark.parametrize("style", BUNDLES)
def test_weights_in_one_argument_are_handed_over_as_the_code_asks(
    tmp_path: Path, style: str
) -> None:
    text = HEAD + (SOFTMAX if "softmax" in BUNDLES[style] else "") + BUNDLES[style]
    report = report_on(tmp_path, text)
    (found,) = [one for one in report.functions if one.role == "gradient"]
    assert found.verdict is Verdict.AGREES, found.sentence


def test_a_mistake_in_one_of_them_is_named(tmp_path: Path) -> None:
    text = HEAD + SOFTMAX + BUNDLES["lists"].replace(" * (h > 0)", "")
    (found,) = [one for one in report_on(tmp_path, text).functions if one.role == "gradient"]
    assert "mask-missing" in found.diagnosis[0].mistake


def test_a_loss_beside_the_gradients_is_compared_as_well(tmp_path: Path) -> None:
    text = (
        HEAD
        + SOFTMAX
        + BUNDLES["a loss and gradients from a dictionary"].replace(
            "np.mean(np.sum(y * np.log(p), axis=1))", "np.mean(y * np.log(p))"
        )
    )
    (found,) = [one for one in report_on(tmp_path, text).functions if one.role == "gradient"]
    assert found.verdict is Verdict.DISAGREES and ": loss = " in found.sentence
    assert found.diagnosis[0].mistake == "loss-averaged-over-classes"


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def compute_cost(A2, Y):\n    return -np.sum(Y * np.log(A2)) / len(Y)\n", Verdict.AGREES),
        ("def compute_cost(A2, Y):\n    return -np.mean(Y * np.log(A2))\n", Verdict.DISAGREES),
        ("def compute_cost(s, y):\n    return -np.mean(y * np.log(s))\n", Verdict.DISAGREES),
        (
            "def total_loss(x, y, w1, b1, w2, b2):\n    h = np.maximum(x @ w1 + b1, 0)\n"
            "    return -np.mean(y * np.log(softmax(h @ w2 + b2)))\n",
            Verdict.DISAGREES,
        ),
        ("def total_loss(q, r, s):\n    return q.sum() + r.sum() + s.sum()\n", Verdict.UNDECIDABLE),
    ],
)
def test_a_loss_of_other_arguments_is_compared_or_named(
    tmp_path: Path, code: str, verdict: Verdict
) -> None:
    (found,) = [
        one
        for one in report_on(tmp_path, HEAD + SOFTMAX + code).functions
        if one.name in ("compute_cost", "total_loss")
    ]
    assert found.verdict is verdict, found.sentence


def test_functions_that_nobody_looked_at_are_named(tmp_path: Path) -> None:
    text = RIGHT + "def predict(x, w):\n    return (x @ w).argmax(axis=0)\n"
    assert "not looked at: predict" in report_on(tmp_path, text).notes


def test_a_class_called_like_a_function_is_no_function(tmp_path: Path) -> None:
    layer = "class Relu:\n    def forward(self, x):\n        return x * (x > 0)\n"
    assert "Relu" not in by_name(report_on(tmp_path, RIGHT + layer))


def test_swapped_target_and_prediction_are_no_meaning_of_a_flipped_sign(tmp_path: Path) -> None:
    text = HEAD + "def grad_bo(target, q):\n    return (target - q).sum(0) / len(q)\n"
    (found,) = report_on(tmp_path, text).functions
    assert found.verdict is Verdict.DISAGREES
    assert "target-minus-prediction" in found.diagnosis[0].mistake


def test_a_gradient_of_no_meaning_leaves_the_file_undecidable_and_is_named(tmp_path: Path) -> None:
    text = RIGHT + "def gradient(x, out, y):\n    return x.T @ out\n"
    report = report_on(tmp_path, text)
    found = by_name(report)["gradient"]
    assert found.sentence == (
        "gradient(x, out, y) was not compared: what out stands for is not certain, and nothing it"
        " may stand for makes it agree or reproduces a known mistake; --write-adapter FILE writes"
        " a file in which you say so"
    )
    result = starter_result(report)
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert result.sentence.startswith("undecidable: gradient could not be compared, of 6 functions")
    assert any(one.startswith("gradient: ") for one in result.not_compared)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("for i in range(9):\n    w -= 0.1 * (x.T @ (p - y))\n", "computed outside of functions"),
        (
            "def fit(x, y, w, p, epochs):\n    for _ in range(epochs):\n"
            "        w = w - np.dot(np.transpose(x), p - y)\n    return w\n",
            "computed inside fit were not compared",
        ),
        ("class Net:\n    def forward(self, x) x\n", "Python cannot read it: "),
        ("fed rellu(x):\n    return x\n", "Python cannot read it: "),
        ("class Net:\n    def backward(self):\n        pass\n", "was not compared: "),
    ],
)
def test_what_looks_like_a_gradient_and_was_not_compared_is_said(
    tmp_path: Path, code: str, words: str
) -> None:
    result = starter_result(report_on(tmp_path, RIGHT + code))
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert any(words in one for one in result.not_compared)


LOOSE = """
for epoch in range(20):
    z = X @ W1 + b1
    h = relu(z)
    d = (softmax(h @ W2 + b2) - T) / len(X)
    dW2 = h.T @ d
    db2 = d.sum(0)
    e = (d @ W2.T) * (z > 0)
    dW1 = X.T @ e
    db1 = e.sum(0)
    W1 -= 0.1 * dW1
    b1 -= 0.1 * db1
    W2 -= 0.1 * dW2
    b2 -= 0.1 * db2
"""


CUBED = LOOSE.replace("relu(z)", "z ** 3").replace("(z > 0)", "3 * z ** 2")


def test_gradients_in_a_loop_are_compared(tmp_path: Path) -> None:
    result = starter_result(report_on(tmp_path, RIGHT + LOOSE))
    assert (
        result.exit_code is ExitCode.AGREES
        and "functions, 1 training loop and torch" in result.sentence
    )


def test_of_gradients_in_a_loop_that_are_not_compared_it_is_said_what_to_paste(
    tmp_path: Path,
) -> None:
    (said,) = starter_result(report_on(tmp_path, RIGHT + CUBED)).not_compared
    first = (RIGHT + LOOSE).splitlines().index("    z = X @ W1 + b1") + 1
    assert f"put lines {first} to {first + 7} into `def gradients(" in said
    taken = said.partition("def gradients(")[2].partition(")")[0].split(", ")
    assert set(taken) == {"X", "T", "W1", "b1", "W2", "b2"}
    assert "`return dW1, db1, dW2, db2`" in said and said.endswith("run the same command again")


def test_what_was_to_be_pasted_is_compared(tmp_path: Path) -> None:
    lines = [line for line in LOOSE.splitlines()[2:10]]
    body = "\n".join([*lines, "    return dW1, db1, dW2, db2"])
    text = f"{RIGHT}\ndef gradients(X, W1, b1, W2, b2, T):\n{body}\n"
    assert starter_result(report_on(tmp_path, text)).exit_code is ExitCode.AGREES


def test_an_adapter_hands_weights_over_in_the_dictionary_that_the_code_asks_for(
    tmp_path: Path,
) -> None:
    code = (
        "def backward(params, X, T):\n"
        "    h = relu(X @ params['W1'] + params['b1'])\n"
        "    d = (softmax(h @ params['W2'] + params['b2']) - T) / len(X)\n"
        "    e = (d @ params['W2'].T) * (h > 0)\n"
        "    return X.T @ e, e.sum(0), h.T @ d, d.sum(0)\n"
    )
    report = report_on(tmp_path, RIGHT + code)
    written = write_adapter(report, tmp_path / "adapter.py").read_text("utf-8")
    assert "theirs.backward({'W1': w1, 'W2': w2, 'b1': b1, 'b2': b2}, x, targets)" in written


def test_a_loop_that_only_calls_compared_functions_is_no_gradient(tmp_path: Path) -> None:
    loop = "for i in range(9):\n    w = w - 0.1 * grad_ce(y, x @ w.T)\n"
    calling = loop.replace("x @ w.T", "compute_layer(x, w, b)")
    assert starter_result(report_on(tmp_path, RIGHT + calling)).exit_code is ExitCode.AGREES


def test_names_are_bound_by_elimination_only_where_one_choice_is_left() -> None:
    assert bind(["X", "a1", "W2", "target", "out"]) == (
        {"X": "x", "W2": "w2", "target": "y"},
        ("a1", "out"),
    )
    assert bind(["z1", "a1"])[0] == {"z1": "z1", "a1": "h1"}
    assert bind(["x", "X"]) == ({}, ("x", "X"))


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("d_wo", "w2"),
        ("dL_dWo", "w2"),
        ("grad_outer_weight", "w2"),
        ("W_o_grad", "w2"),
        ("gradient_of_Wo", "w2"),
        ("dLoss_dWh", "w1"),
        ("db_h", "b1"),
        ("gradBo", "b2"),
        ("back_prop", None),
        ("weights", None),
    ],
)
def test_the_name_of_a_gradient_is_read(name: str, parameter: str | None) -> None:
    assert gradient_named(name) == parameter


def test_a_broken_function_leaves_the_others_checked(tmp_path: Path) -> None:
    report = report_on(tmp_path, HEAD + RELU + "def softmax(x:\n    return x\n" + LAYER)
    found = by_name(report)
    assert found["relu"].verdict is found["compute_layer"].verdict is Verdict.AGREES
    assert found["softmax"].sentence == (
        "Python cannot read it: '(' was never closed at starter.py, line 4 (`def softmax(x:`);"
        " mend it, and run the same command again"
    )
    result = starter_result(report)
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert result.sentence == (
        "undecidable: softmax could not be compared, of 3 functions; relu, compute_layer agree"
    )


def test_a_function_that_needs_what_was_left_out_says_so(tmp_path: Path) -> None:
    text = HEAD + "data = np.load('x.npy')\ndef relu(x):\n    return x + data\n"
    found = by_name(report_on(tmp_path, text))["relu"]
    assert found.verdict is Verdict.UNDECIDABLE
    assert "data is set at starter.py, line 2 (`data = np.load('x.npy')`)" in found.sentence


def test_what_was_not_run_is_said(tmp_path: Path) -> None:
    report = report_on(tmp_path, RIGHT + "for epoch in range(3):\n    train()\nprint(1)\n")
    assert report.notes[0].startswith("not run: 2 statements outside of functions, the first at s")


def test_a_file_that_cannot_be_read_says_where_and_why(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing that Python can read: expected ':' at"):
        report_on(tmp_path, "import numpy as np\ndef gradient(x)\n    return x\n")


def test_a_file_of_nothing_known_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"defines none of relu, .*; it defines loadData, main"):
        report_on(tmp_path, "def loadData():\n    pass\ndef main():\n    pass\n")


def test_an_adapter_of_a_clear_file_runs_as_it_is(tmp_path: Path) -> None:
    text = RIGHT + BACK.format(over=" / len(target)", mask="(z_h > 0)")
    adapter = write_adapter(report_on(tmp_path, text), tmp_path / "adapter.py")
    loss, gradients, _ = load(str(adapter)).implementation(*point())
    expected, slopes = loss_and_gradients(*point())
    assert loss == pytest.approx(expected, rel=1e-12)
    for name, slope in slopes.items():
        np.testing.assert_allclose(gradients[name], slope, atol=1e-12)


def test_an_adapter_names_its_blanks_and_runs_into_the_first(tmp_path: Path) -> None:
    text = RIGHT + "def gradient(x, out, y):\n    return x.T @ out\n"
    adapter = write_adapter(report_on(tmp_path, text), tmp_path / "adapter.py")
    written = adapter.read_text(encoding="utf-8")
    assert 'dw1 = FILL("the gradient of w1, shape (F, H)")' in written
    assert 'FILL("out of gradient: logits or p")' in written
    with pytest.raises(UserCodeError, match=r"^adapter.py, line \d+ .* Unfilled: replace this"):
        load(str(adapter)).implementation(*point())


def test_an_adapter_keeps_the_order_and_the_kind_of_their_arguments(tmp_path: Path) -> None:
    text = HEAD + SOFTMAX + "def ce(logits, target):\n"
    text += "    return -np.sum(target * np.log(softmax(logits))) / len(target)\n"
    text += "def compute(w, x, b):\n    return x @ w + b\n"
    adapter = write_adapter(report_on(tmp_path, text), tmp_path / "adapter.py")
    written = adapter.read_text(encoding="utf-8")
    assert "loss = theirs.ce(logits, targets)" in written
    assert "z1 = theirs.compute(w1, x, b1[None, :])" in written
    assert "h1 = relu(z1)" in written


def test_an_adapter_never_replaces_a_file(tmp_path: Path) -> None:
    report = report_on(tmp_path, RIGHT)
    write_adapter(report, tmp_path / "adapter.py")
    with pytest.raises(BadInput, match=r"adapter.py: the file exists; name another one"):
        write_adapter(report, tmp_path / "adapter.py")
    with pytest.raises(BadInput, match="No such file or directory"):
        write_adapter(report, tmp_path / "none" / "adapter.py")
