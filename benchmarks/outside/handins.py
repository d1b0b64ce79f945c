"""Hand-ins written as NumPy source text: the style is drawn by itself, the mistake by itself.

Nothing here knows the textbook pass or the slips of the catalogue: a hand-in is what somebody
types, and a mistake is what is typed in place of one of its pieces. Sixteen axes of style, each
drawn alone: how things are called, how the file is built, how labels, softmax, logarithm, mean,
products, bias, mask and loss are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import Any

import numpy as np

Style = dict[str, str]

AXES: dict[str, dict[str, str]] = {
    "names": {"short": "z h s d", "field": "pre act scores delta", "numbered": "z1 a1 z2 dz2"},
    "build": {"one function": "", "two functions": "", "class": ""},
    "labels": {
        "one-hot": "t = $T",
        "class numbers": "t = np.eye($T.shape[1], dtype=$X.dtype)[$T.argmax(axis=1)]",
    },
    "shift": {
        "by the row": "$s = $s - $s.max(axis=1, keepdims=True)",
        "none": "$s = $s * 1",
        "in a loop": "$s = np.array([row - row.max() for row in $s])",
    },
    "softmax": {
        "quotient": "p = np.exp($s) / np.exp($s).sum(axis=1, keepdims=True)",
        "in place": "p = np.exp($s)\np /= np.sum(p, axis=1, keepdims=True)",
        "columns": "p = (np.exp($s).T / np.exp($s).T.sum(axis=0)).T",
    },
    "log": {
        "plain": "logp = np.log(p)",
        "tiny": "logp = np.log(p + 1e-300)",
        "floor": "logp = np.log(np.maximum(p, 1e-200))",
        "clip": "logp = np.log(np.clip(p, 1e-100, 1))",
        "log-softmax": "logp = $s - np.log(np.exp($s).sum(axis=1, keepdims=True))",
    },
    "loss": {
        "sum over n": "loss = -np.sum(t * logp) / n",
        "mean of rows": "loss = np.mean(-np.sum(t * logp, axis=1))",
        "in a loop": "loss = 0.0\nfor row in range(n):\n    loss = loss - (t[row] @ logp[row]) / n",
        "einsum": "loss = -np.einsum('nk,nk->', t, logp) / n",
    },
    "mean": {"at the error": "/ n", "as a product": "* (1.0 / n)"},
    "product": {"@": "($a @ $b)", "dot": "np.dot($a, $b)", "matmul": "np.matmul($a, $b)"},
    "bias": {
        "method": "$d.sum(axis=0)",
        "np.sum, kept": "np.sum($d, axis=0, keepdims=True)",
        "ones": "(np.ones(n, dtype=$d.dtype) @ $d)",
        "mean times n": "$d.mean(axis=0) * n",
    },
    "layout": {"rows": "", "columns": ""},
    "transposed weights": {"no": "", "yes": ""},
    "bias added": {"plus": "", "np.add": ""},
    "activation": {"relu": "", "tanh": "", "sigmoid": ""},
    "value": {"first way": "", "second way": ""},
    "derivative": {"first way": "", "second way": ""},
}

VALUES = {
    "relu": ("np.maximum($z, 0)", "np.where($z > 0, $z, 0)"),
    "tanh": ("np.tanh($z)", "2 / (1 + np.exp(-2 * $z)) - 1"),
    "sigmoid": ("1 / (1 + np.exp(-$z))", "0.5 * (1 + np.tanh($z / 2))"),
}
SLOPES = {
    "relu": ("($z > 0)", "np.where($h > 0, 1, 0)"),
    "tanh": ("(1 - $h ** 2)", "(1 - np.tanh($z) ** 2)"),
    "sigmoid": ("$h * (1 - $h)", "($h - $h ** 2)"),
}


@dataclass(frozen=True)
class Planted:
    """A mistake as somebody types it: the piece it replaces, with what, and the names it has."""

    piece: str
    text: str
    names: tuple[str, ...]
    activations: tuple[str, ...] = ("relu", "tanh", "sigmoid")


MISTAKES: tuple[Planted, ...] = (
    Planted("error", "(p - t)", ("gradient-summed",)),
    Planted("error", "(t - p) $mean", ("target-minus-prediction",)),
    Planted("error", "-t * (1 - p) $mean", ("diagonal-jacobian",)),
    Planted("error", "(p - t) * p * (1 - p) $mean", ("softmax-derivative-on-top",)),
    Planted("back", "$dh", ("mask-missing",)),
    Planted("back", "$dh * $h", ("value-for-derivative",)),
    Planted("back", "$dh * (1 - np.tanh($h) ** 2)", ("derivative-at-the-value",), ("tanh",)),
    Planted("db1", "$bias1 / n", ("bias-averaged",)),
    Planted("db1", "np.full_like(b1, $dz.sum())", ("bias-summed-to-a-number",)),
    Planted("dw2", "$zd2", ("pre-activation-in-weight-gradient",)),
    Planted("loss", "$loss\nloss = loss / t.shape[1]", ("loss-averaged-over-classes",)),
    Planted("loss", "$loss\nloss = -loss", ("minus-missing-in-loss",)),
    Planted("log", "logp = np.log(p + 1e-5)", ("epsilon-in-log",)),
    Planted("loss", "$loss\nloss = loss + 0.01 * (np.sum(w1 ** 2) + np.sum(w2 ** 2)) / 2",
            ("l2-in-loss-only", "l2-in-both")),
    Planted("decay", "dw1 = dw1 + 0.01 * w1\ndw2 = dw2 + 0.01 * w2",
            ("l2-in-gradient-only", "l2-in-both")),
)  # fmt: skip

CORRUPTIONS = (
    "dw1 = dw1 * np.where(np.arange(dw1.shape[0]) % 3 == 1, 1.37, 1.0)[:, None]",
    "dw2 = np.sign(dw2) * np.abs(dw2) ** 1.1",
    "dw1 = dw1 * 1.37",
    "loss = loss * 1.37",
    "db1 = db1 + 0.37 * np.abs(db1).max()",
)


def drawn_style(generator: np.random.Generator) -> Style:
    """Return one way to write for every axis, each drawn by itself."""
    return {axis: str(generator.choice(list(ways))) for axis, ways in AXES.items()}


def way(style: Style, axis: str) -> str:
    """Return the text of an axis in a style."""
    return AXES[axis][style[axis]]


def filled(text: str, **words: str) -> str:
    """Return the text with its words filled in, from the outside to the inside."""
    for _ in range(4):
        text = Template(text).safe_substitute(words)
    return text


def product(style: Style, a: str, b: str) -> str:
    """Return a matrix product as this style writes it; in columns as (b.T a.T).T."""
    if style["layout"] == "columns":
        return filled(way(style, "product"), a=f"{b}.T", b=f"{a}.T") + ".T"
    return filled(way(style, "product"), a=a, b=b)


def pieces(style: Style) -> dict[str, str]:
    """Return the pieces of a right hand-in."""
    index = 0 if style["value"] == "first way" else 1
    slope = SLOPES[style["activation"]][0 if style["derivative"] == "first way" else 1]
    return {
        "value": VALUES[style["activation"]][index],
        "shift": way(style, "shift"),
        "softmax": way(style, "softmax"),
        "log": way(style, "log"),
        "loss": way(style, "loss"),
        "error": "(p - t) $mean",
        "back": f"$dh * {slope}",
        "dw2": product(style, "$h.T", "$d"),
        "db1": "$bias1",
        "decay": "pass",
    }


def added(style: Style, a: str, b: str) -> str:
    """Return the sum with a bias as this style writes it."""
    return f"np.add({a}, {b})" if style["bias added"] == "np.add" else f"{a} + {b}"


def source(style: Style, planted: tuple[Planted, ...] = (), corruption: str = "pass") -> str:
    """Return a hand-in as text that defines `loss_and_gradients`."""
    part = pieces(style)
    for one in planted:
        part[one.piece] = one.text.replace("$loss", part["loss"])
    z, h, s, d = way(style, "names").split()
    w2t = "w2t" if style["transposed weights"] == "yes" else "w2.T"
    words = {
        "z": z, "h": h, "s": s, "dh": "back", "dz": "dz", "X": "x", "T": "targets",
        "mean": way(style, "mean"), "bias1": way(style, "bias").replace("$d", "dz"),
        "zd2": product(style, z + ".T", d),
    }  # fmt: skip
    forward = [
        "n = len(x)",
        f"{z} = {added(style, product(style, 'x', 'w1'), 'b1')}",
        f"{h} = {part['value']}",
        f"{s} = {added(style, product(style, h, 'w2'), 'b2')}",
    ]
    rest = [
        way(style, "labels"), part["shift"], part["softmax"], part["log"], part["loss"],
        f"{d} = {part['error']}", "w2t = w2.T.copy()",
        f"dw2 = {part['dw2'].replace('$d', d)}",
        f"db2 = {way(style, 'bias').replace('$d', d)}",
        f"back = {product(style, d, w2t)}", f"dz = {part['back']}",
        f"dw1 = {product(style, 'x.T', 'dz')}", f"db1 = {part['db1']}", part["decay"], corruption,
    ]  # fmt: skip
    lines = [filled(line, **words) for line in (*forward, *rest)]
    ahead, behind = lines[: len(forward)], lines[len(forward) :]
    return built(style["build"], ahead, behind, f"n, {z}, {h}, {s}")


def indented(lines: list[str], by: int) -> str:
    """Return the lines as the body of a function."""
    return "\n".join(" " * by + row for line in lines for row in line.split("\n"))


def built(build: str, forward: list[str], backward: list[str], kept: str) -> str:
    """Return the file, built as one function, two functions or a class."""
    unpack = "w1, b1, w2, b2 = (parameters[name] for name in ('w1', 'b1', 'w2', 'b2'))"
    answer = "return loss, {'w1': dw1, 'b1': db1, 'w2': dw2, 'b2': db2}"
    head = "import numpy as np\n\n\n"
    if build == "one function":
        body = indented([unpack, *forward, *backward, answer], 4)
        return f"{head}def loss_and_gradients(parameters, x, targets):\n{body}\n"
    arguments = "w1, b1, w2, b2"
    if build == "two functions":
        return (
            f"{head}def forward(x, {arguments}):\n{indented([*forward, f'return {kept}'], 4)}\n\n\n"
            f"def loss_and_gradients(parameters, x, targets):\n"
            f"{indented([unpack, f'{kept} = forward(x, {arguments})', *backward, answer], 4)}\n"
        )
    again = f"{kept} = self.kept"
    own = "w1, b1, w2, b2 = self.weights"
    return (
        f"{head}class Net:\n"
        f"    def __init__(self, *weights):\n        self.weights = weights\n\n"
        f"    def forward(self, x):\n{indented([own, *forward, f'self.kept = {kept}'], 8)}\n\n"
        f"    def backward(self, x, targets):\n{indented([own, again, *backward, answer], 8)}\n\n\n"
        f"def loss_and_gradients(parameters, x, targets):\n"
        f"    net = Net(*(parameters[name] for name in ('w1', 'b1', 'w2', 'b2')))\n"
        f"    net.forward(x)\n    return net.backward(x, targets)\n"
    )


def loaded(text: str) -> Any:
    """Return the function of a hand-in."""
    namespace: dict[str, Any] = {}
    exec(compile(text, "<hand-in>", "exec"), namespace)
    return namespace["loss_and_gradients"]
