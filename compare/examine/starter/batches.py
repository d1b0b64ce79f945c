"""Whether a gradient is made for a batch, as its lines say.

A softmax divided by the sum over everything is right for one sample and wrong for several. Code
that adds a bias gradient up over the samples, or divides by their number, means several: that it
agrees when it is handed one sample after another is no excuse, unless its file hands it just those.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from compare.examine.starter.binding import MOST_LAYERS, certain, gradient_named
from compare.examine.starter.uncompared import named_values

ADDING = frozenset({"sum", "mean", "average"})


def hands_single_samples(text: str) -> bool:
    """Whether a file hands its functions one sample after another: `X[i:i + 1]`, `zip(X, Y)`."""
    return any(is_slice_of_one(one) or is_walk(one) for one in ast.walk(ast.parse(text)))


def is_slice_of_one(node: ast.AST) -> bool:
    """Whether a part is `i:i + 1` or `[i]`, an index that keeps the axis."""
    if isinstance(node, ast.Slice) and node.lower is not None and node.upper is not None:
        return ast.unparse(node.upper) == f"{ast.unparse(node.lower)} + 1"
    places = node.slice.elts if isinstance(node, ast.Subscript) and isinstance(
        node.slice, ast.Tuple) else []  # fmt: skip
    return any(isinstance(one, ast.List) and len(one.elts) == 1 for one in places)


def is_walk(node: ast.AST) -> bool:
    """Whether a loop goes through inputs and targets together, sample by sample."""
    walked = node.iter if isinstance(node, ast.For) else None
    if not isinstance(walked, ast.Call) or ast.unparse(walked.func) != "zip":
        return False
    named = [certain(one.id) for one in walked.args if isinstance(one, ast.Name)]
    return named == ["x", "y"]


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
