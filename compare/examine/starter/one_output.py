"""What agreeing with one output unit is worth, of code that may have several.

Of one output the mean over N and the mean over N times K are the same number, and a sum over the
outputs is no sum. So a gradient may be right of one output and K times too large of K. Only a file
whose outputs are one by construction is right by agreeing there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from compare.examine.starter.chain import Mode
from compare.examine.starter.whole import Whole

OUTPUTS = re.compile(
    r"n_?y|n_?o|(n|num|dim)_?out\w*|out\w*_?(size|dim|units|nodes|features|neurons|n)|"
    r"(n|num)_?class\w*",
    re.IGNORECASE,
)
"""What people call the number of outputs."""
TARGETS = re.compile(r"y\w*|t|targets?\w*|labels?\w*|outputs?", re.IGNORECASE)
DRAWN = re.compile(r"randn?|random|normal|uniform|standard_normal|zeros|ones")
ONE_COLUMN = ([-1, 1], [1, -1])
SEVERAL_UNTOLD = (
    "it agrees with one output unit only: with several its gradients are not those of the loss, and"
    " nothing in the file says that its output is one"
)


def wrong_for_several(one: Whole, text: str) -> bool:
    """Whether code that agrees with one output, and fails with several, may have several.

    A binary cross-entropy is of one output unless the file takes its number from elsewhere.
    """
    if says_one(text, one.chain.mode):
        return False
    return one.told.network.loss != "bce" or takes_several(text, one.chain.mode)


def accused_of_several(several: Whole, text: str, declared: bool) -> bool:
    """Whether it is known what is due of several outputs: the file has as many as its targets have,
    and its own loss, or the one that is `declared`, is the squared error of all of them."""
    network = several.told.network
    shown = several.trusted and (several.told.fit.loss or declared)
    return shown and network.loss == "mse" and has_width(text, several.chain.mode)


def has_width(text: str, mode: Mode) -> bool:
    """Whether the file reads how many outputs its targets have."""
    axis = 0 if mode.samples == "columns" else 1
    return any(
        isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute)
        and node.value.attr == "shape" and TARGETS.fullmatch(ast.unparse(node.value.value))
        and number(node.slice) == axis
        for node in ast.walk(ast.parse(text))
    )  # fmt: skip


def takes_several(text: str, mode: Mode) -> bool:
    """Whether the number of outputs is a number that the file is handed."""
    named = any(
        isinstance(node, ast.arg) and OUTPUTS.fullmatch(node.arg)
        for node in ast.walk(ast.parse(text))
    )
    return named or has_width(text, mode) or draws_as_many(text, mode)


def draws_as_many(text: str, mode: Mode) -> bool:
    """Whether the last weights are drawn for a number of outputs that a function is handed: they
    begin with the width that others end with, and no others begin with theirs."""
    nodes = list(ast.walk(ast.parse(text)))
    handed = {node.arg for node in nodes if isinstance(node, ast.arg)}
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    drawn = [
        [ast.unparse(one) for one in form]
        for node in calls if DRAWN.fullmatch(ast.unparse(node.func).rpartition(".")[2])
        for form in forms(node) if len(form) == 2
    ]  # fmt: skip
    across = mode.biases == "column" or mode.transposed
    pairs = [(form[1], form[0]) if across else (form[0], form[1]) for form in drawn]
    ins, outs = {one for one, _ in pairs}, {other for _, other in pairs}
    return any(one in outs and other in handed - ins for one, other in pairs)


def says_one(text: str, mode: Mode) -> bool:
    """Whether the file makes an output of one unit: a weight, a list of sizes or a column of
    targets that is one wide, a number of outputs that is 1, or an assertion that it is."""
    nodes = list(ast.walk(ast.parse(text)))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    asserted = any(asserts_one(function, mode) for function in functions)
    return asserted or any(one_wide(node, mode) for node in nodes)


def one_wide(node: ast.AST, mode: Mode) -> bool:
    """Whether one expression or statement says so."""
    if isinstance(node, ast.Call):
        return called_with_one(node, mode)
    if isinstance(node, ast.Subscript):  # y[:, None]
        width = ast.unparse(node.slice)
        of_targets = TARGETS.fullmatch(ast.unparse(node.value))
        return bool(of_targets) and bool(re.search(r",\s*(None|np\.newaxis)\)?$", width))
    if isinstance(node, ast.List):
        return one_in_list(node)
    return any(number(value) == 1 and OUTPUTS.fullmatch(name) for name, value in given(node))


def asserts_one(function: ast.FunctionDef, mode: Mode) -> bool:
    """Whether a function asserts that what it returns first is one wide: `a.shape == (1, m)` where
    samples are columns, `(m, 1)` where they are rows."""
    if mode.one_by_one:
        return False
    returned = [one.value for one in ast.walk(function) if isinstance(one, ast.Return)]
    first = {ast.unparse(getattr(one, "elts", [one])[0]) for one in returned if one is not None}
    tests = [one.test for one in ast.walk(function) if isinstance(one, ast.Assert)]
    return any(asserted_to_be_one(test, first, mode) for test in tests)


def asserted_to_be_one(test: ast.expr, arrays: set[str], mode: Mode) -> bool:
    """Whether this says so of one of these arrays."""
    if not (isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq)):
        return False
    array, _, asked = ast.unparse(test.left).rpartition(".")
    form = [number(one) for one in getattr(test.comparators[0], "elts", ())]
    wide = form if mode.samples == "columns" else form[::-1]
    return asked == "shape" and array in arrays and len(form) == 2 and wide[0] == 1


def called_with_one(node: ast.Call, mode: Mode) -> bool:
    """Whether a call draws the last weights for one output, reshapes targets to a column, or is
    handed three sizes or more of which the last is 1."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    if name == "reshape":
        about = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        about = about.split(".")[0].split("[")[0]
        return bool(TARGETS.fullmatch(about)) and [number(one) for one in node.args] in ONE_COLUMN
    if DRAWN.fullmatch(name):
        return any(one_in_form(form, name, mode) for form in forms(node))
    makes = name[:1].isupper() or "init" in name
    return makes and sizes_to_one(node.args)


def forms(node: ast.Call) -> Iterator[list[ast.expr]]:
    """The shapes that a call may be given: its arguments, or one of them that is a tuple."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("randn", "rand"):
        yield node.args
    for one in (*node.args, *(word.value for word in node.keywords)):
        if isinstance(one, ast.Tuple | ast.List):
            yield one.elts


def one_in_form(form: list[ast.expr], name: str, mode: Mode) -> bool:
    """Whether a shape is that of weights to one output, as this code keeps them; what is filled
    with a constant is a bias, whose other axis is 1 as well."""
    shape = [number(one) for one in form]
    if len(shape) != 2 or name in ("zeros", "ones"):
        return shape == [1, 1]
    if mode.biases == "column" or mode.transposed:
        return shape[0] == 1
    return shape[1] == 1


def one_in_list(node: ast.List) -> bool:
    """Whether a list is of sizes that end in 1, or of targets that are one wide."""
    if sizes_to_one(node.elts):
        return True
    columns = [one for one in node.elts if isinstance(one, ast.List) and len(one.elts) == 1]
    return len(columns) > 1 and len(columns) == len(node.elts)


def sizes_to_one(written: list[ast.expr]) -> bool:
    """Whether numbers are the sizes of layers, the last of which has one unit."""
    sizes = [number(one) for one in written]
    return (
        len(sizes) > 2 and sizes[-1] == 1 and all(one is not None and one > 1 for one in sizes[:-1])
    )


def given(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names to which a node gives values, also keywords and defaults."""
    if isinstance(node, ast.Assign):
        yield from ((ast.unparse(one).removeprefix("self."), node.value) for one in node.targets)
    elif isinstance(node, ast.keyword):
        yield node.arg or "", node.value
    elif isinstance(node, ast.arguments):
        last = node.args[len(node.args) - len(node.defaults) :]
        yield from ((one.arg, value) for one, value in zip(last, node.defaults, strict=True))


def number(node: ast.expr) -> int | None:
    """An integer that is written out."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, int) else None
