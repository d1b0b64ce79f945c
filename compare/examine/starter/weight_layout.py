"""How the weights of a file lie, as its own forward pass says: `x @ w1 + b1` has (fan_in, fan_out).

One file keeps them in one way: a gradient that is right with weights that lie otherwise was derived
for another file, and raises in this one or, where layers are as wide as each other, is wrong.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from compare.contracts.arrays import Array, Arrays
from compare.contracts.result import Diagnosis, Verdict
from compare.diagnosis.prediction import BY_NAME
from compare.examine.starter.binding import MOST_LAYERS, plain, weight_called, weights_of
from compare.examine.starter.bundles import Bundle
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.meanings import Layout, Meaning
from compare.examine.starter.missed import is_transpose
from compare.examine.starter.recipe import STEP, Recipe
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Statement
from compare.examine.starter.turned_uses import uses_of
from compare.examine.starter.update_lines import word
from compare.guard.blame import Place

PRODUCTS = frozenset({"dot", "matmul"})
ANY = frozenset({"w", "weight", "weights", "b", "bias", "biases"})
"""Names of the weights and biases of whatever layer."""
TURNED = "weight-gradient-transposed"


Said = tuple[bool, Place]
"""Whether weights are (fan_out, fan_in), and a line that says so."""


def said_by(source: Source) -> Said | None:
    """Return whether weights are (fan_out, fan_in) and the first line that says so; None where
    none does, or lines say both.

    Only a forward pass of several numbered layers says so: a perceptron has a vector of weights,
    and a regression is another network.
    """
    if any(quantity(inner)[:1] == "w" for inner in turned_alone(source)):
        return None  # a function may be handed the transpose
    found = []
    for statements in passes(source):
        sums = [(lies, Place(one.file, node.lineno + one.line - one.node.lineno))
                for one, node in statements if (lies := of_layer(node))]  # fmt: skip
        if len({layer for (layer, _), _ in sums}) > 1:
            found += [(lies, place) for (_, lies), place in sums]
    return found[0] if found and len({lies for lies, _ in found}) == 1 else None


def passes(source: Source) -> Iterator[list[tuple[Statement, ast.BinOp]]]:
    """Yield the sums in each function, and those that stand in none."""
    loose: list[tuple[Statement, ast.BinOp]] = []
    for one in source.statements:
        functions = [part for part in ast.walk(one.node) if isinstance(part, ast.FunctionDef)]
        for function in functions:
            yield [(one, part) for part in ast.walk(function) if isinstance(part, ast.BinOp)]
        if not functions:
            loose += [(one, part) for part in ast.walk(one.node) if isinstance(part, ast.BinOp)]
    yield loose


def against(said: Said, meaning: Meaning, layers: int) -> bool:
    """Return whether a function is right with weights that do not lie as the file has them."""
    names = set(weights_of(layers)[::2])
    given = [one.quantities if isinstance(one, Bundle) else (one,)
             for one in meaning.bound.values()]  # fmt: skip
    used = names & {quantity for quantities in given for quantity in quantities}
    return bool(used) and meaning.layout.transposed is not said[0]


def refuted(verdict: FunctionVerdict, said: Said, named: tuple[Diagnosis, ...]) -> FunctionVerdict:
    """Return the verdict on a function that is right with weights that lie otherwise."""
    lies, place = said
    has, due = ("(fan_in, fan_out)", "(fan_out, fan_in)")[:: 1 if lies else -1]
    sentence = (
        f"it is right only with weights of shape {has}; {place.quoted()} has them as {due}: a"
        " transpose is missing, or is one too many"
    )
    wrong = replace(verdict.wrong("value", sentence), diagnosis=named)
    kept = [one for one in verdict.conventions if not one.startswith("weights are ")]
    return replace(wrong, conventions=tuple(kept))


def of_layer(node: ast.BinOp) -> tuple[str, bool] | None:
    """Return the weights in `w1 @ x + b1` and whether they are (fan_out, fan_in); None where it is
    no such sum."""
    if not isinstance(node.op, ast.Add):
        return None
    for product, bias in ((node.left, node.right), (node.right, node.left)):
        factors = factors_of(product)
        layer = quantity(bias)
        if factors and layer[:1] == "b" and layer[1:]:
            for place, factor in enumerate(factors):
                inner, turned = untransposed(factor)
                if quantity(inner) == f"w{layer[1:]}":
                    return layer[1:], (place == 0) != turned
    return None


def factors_of(node: ast.expr) -> list[ast.expr]:
    """Return the two factors of a matrix product, nothing of another expression."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return [node.left, node.right]
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return []
    if node.func.attr not in PRODUCTS:
        return []
    factors = node.args if len(node.args) > 1 else [node.func.value, *node.args]
    return factors if len(factors) == 2 else []


def untransposed(node: ast.expr) -> tuple[ast.expr, bool]:
    """Return what is transposed, and whether it is."""
    if not is_transpose(node):
        return node, False
    if isinstance(node, ast.Call):
        of_method = isinstance(node.func, ast.Attribute) and not node.args
        inner = node.func.value if of_method else node.args[0]  # type: ignore[attr-defined]
        return inner, True
    return node.value, True  # type: ignore[attr-defined]


def quantity(node: ast.expr) -> str:
    """Return the weight or bias that an expression is called like; empty where it is none."""
    if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return ""
    name = plain(word(ast.unparse(node)))
    if name in ANY:
        return name[0]
    return weight_called(name) or weight_called(name, MOST_LAYERS)


def first_said(layouts: Sequence[Layout], said: Said | None) -> tuple[Layout, ...]:
    """Return layouts in their order, those first in which weights lie as the file has them."""
    return tuple(sorted(layouts, key=lambda one: said is not None and one.transposed != said[0]))


def turned_alone(source: Source) -> Iterator[ast.expr]:
    """Yield what is transposed where it is no factor of a matrix product."""
    for one in source.statements:
        for node in alone(one.node):
            if isinstance(node, ast.expr) and is_transpose(node):
                yield untransposed(node)[0]


def alone(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every part of a statement that is no factor of a matrix product."""
    yield node
    if isinstance(node, ast.expr) and (factors := factors_of(node)):
        for factor in factors:
            yield from alone(untransposed(factor)[0])
        return
    for part in ast.iter_child_nodes(node):
        yield from alone(part)


def turned_by(recipe: Recipe, parameters: Arrays, x: Array, targets: Array) -> list[str]:
    """Return the weights of an object whose gradients have the transpose of their shape in it."""
    thing, slots, values = recipe.prepared(parameters, x, targets, STEP)
    shapes = {name: slot.array.shape for name, slot in slots.items()}
    answers = [method.call(thing, values) for method in recipe.methods]
    found = recipe.gradients(thing, answers, slots, parameters, shapes)
    return [
        name
        for name, shape in shapes.items()
        if len(shape) == 2 and found[name].shape == shape[::-1] != shape
    ]


def in_its_shape(
    verdict: FunctionVerdict, turned: Sequence[str], source: Source
) -> FunctionVerdict:
    """Return the verdict, a disagreement where it agrees and gradients are `turned`: they have the
    transpose of the shape of their weights, and the file takes them as they are, each for itself as
    far as names tell whose they are. Where it may turn one back, that one is right; where all are
    turned and nothing shows who takes them, that is not decided."""
    if not turned or verdict.verdict is not Verdict.AGREES:
        return verdict
    uses = {name: [one for one in uses_of(source) if one.may_be(name)] for name in turned}
    left = [name for name in turned if not any(one.turns for one in uses[name])]
    if not left:
        return verdict
    named = " and ".join(f"d{name}" for name in left)
    said = f"{named} {'is' if len(left) == 1 else 'are'} transposed: not of the weights' shape"
    shown = [one for name in left for one in uses[name]]
    taken = all(one.plain for one in shown) if shown else len(turned) == 1
    if not taken:
        return verdict.undecided(f"{said}; whether they are turned back was not told")
    return verdict.slip(TURNED, said, BY_NAME[TURNED].title)
