"""Whether a gradient is made for a batch, as its lines say.

A softmax divided by the sum over everything is right for one sample and wrong for several. Code
that adds a bias gradient up over the samples, or divides by their number, means several: that it
agrees when it is handed one sample after another is no excuse, unless its file hands it just those.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from compare.examine.starter.binding import MOST_LAYERS, gradient_named
from compare.examine.starter.uncompared import named_values

SINGLE = re.compile(r"\[(:, )?(\w+):\2 \+ 1\]|for \w+, \w+ in zip\(|\[(:, )?\[\w+\]\]")
"""How a file, as Python writes it, hands over samples one by one: `X[i:i + 1]`, `zip(X, Y)`."""
ADDING = frozenset({"sum", "mean", "average"})


def hands_single_samples(text: str) -> bool:
    """Whether a file hands its functions one sample after another."""
    return bool(SINGLE.search(text))


def made_for_batches(node: ast.AST) -> bool:
    """Whether a function adds up over the samples, or divides by how many there are."""
    return any(map(adds_up, bias_gradients(node))) or divides_by_rows(node)


def bias_gradients(node: ast.AST) -> Iterator[ast.expr]:
    """What a function calls the gradient of a bias."""
    for name, value in named_values(node):
        if (gradient_named(name, MOST_LAYERS) or gradient_named(name) or "").startswith("b"):
            yield value


def adds_up(value: ast.expr) -> bool:
    """Whether an expression has a sum along an axis."""
    return any(along_axis(one) for one in ast.walk(value) if isinstance(one, ast.Call))


def along_axis(call: ast.Call) -> bool:
    """Whether a call is `z.sum(0)`, `np.sum(z, axis=0)` or one like them."""
    named = call.func
    if not isinstance(named, ast.Attribute) or named.attr not in ADDING:
        return False
    of_module = isinstance(named.value, ast.Name) and named.value.id in ("np", "numpy")
    return len(call.args) > of_module or any(one.arg == "axis" for one in call.keywords)


def divides_by_rows(node: ast.AST) -> bool:
    """Whether a function divides by `len(x)` or `x.shape[...]`, under whatever name."""
    counts = {name for name, value in named_values(node) if is_count(value)}
    divisors = [one.right for one in ast.walk(node)
                if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Div)]  # fmt: skip
    divisors += [one.value for one in ast.walk(node)
                 if isinstance(one, ast.AugAssign) and isinstance(one.op, ast.Div)]  # fmt: skip
    return any(is_count(one) or (isinstance(one, ast.Name) and one.id in counts)
               for one in divisors)  # fmt: skip


def is_count(value: ast.expr) -> bool:
    """Whether an expression is `len(x)` or `x.shape[...]`."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "len"
    shape = value.value if isinstance(value, ast.Subscript) else None
    return isinstance(shape, ast.Attribute) and shape.attr == "shape"
