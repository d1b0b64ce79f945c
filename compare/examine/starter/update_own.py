"""Each update takes the gradient of its own weight: none that another one takes, or is named after.

A part of judging updates (`loop_steps`). Of two that take one gradient the one is wrong whose name
it has not; where no name says whose it is, the later one. Gradients may be numbered from the output
layer: then the lines that make them tell whose they are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from compare.examine.starter.binding import AROUND, certain, is_gradient_name, plain, weight_called
from compare.examine.starter.missed import multiplies_by_transpose
from compare.examine.starter.update_lines import word
from compare.examine.starter.update_verdicts import Judged, about_update
from compare.examine.starter.update_words import of_gradient


def with_own_gradients(
    found: Sequence[Judged], where: str, everything: Sequence[ast.AST] = ()
) -> list[Judged]:
    """Return the updates of one way, those wrong that take another weight's gradient;
    `everything` is the file, in which the gradients may be made."""
    said = []
    trade = trades(found)
    turned = in_layers(trade)
    told = are_their_own(trade, everything) if turned else False
    for place, one in enumerate(found):
        twins = [other for other in found if other is not one and shares(other, one)]
        own = [other for other in twins if is_its_own(other)]
        first = not any(other in twins for other in found[:place])
        about, sentence = about_update(one.target, where), ""
        if twins and not is_its_own(one) and (own or not first):
            other = (own or twins)[0].target.key
            sentence = f"it takes {one.gradient}, as the update of {other} does"
            one = replace(one, verdict=about.wrong("value", sentence))
        elif one.verdict is None and one.target.key in trade and not told:
            other = trade[one.target.key][1]
            sentence = f"it takes {one.gradient}, which is named like the gradient of {other}"
            doubt = f"{sentence}; whose it is was not told"
            wrong = not turned or told is False
            one = replace(
                one, verdict=about.wrong("value", sentence) if wrong else about.undecided(doubt)
            )
        said.append(one)
    return said


def shares(one: Judged, other: Judged) -> bool:
    """Return whether two weights are moved by one gradient, on the same way: weights of one kind,
    as a weight and its bias may share an error, and by what is called a gradient."""
    same = bool(one.origin) and one.origin == other.origin
    keys = [word(each.target.key) for each in (one, other)]
    alike = keys[0][:1] == keys[1][:1] or any(map(is_its_own, (one, other)))
    gradient = is_gradient_name(word(one.gradient)) or of_gradient(word(one.gradient))
    apart = one.target.key != other.target.key and one.way == other.way
    if any(map(is_row, (one, other))):
        return False
    return same and apart and alike and gradient and not any(map(is_copy, keys))


def is_row(one: Judged) -> bool:
    """Return whether a row of a table is moved by what is no row of one, `w[i] -= lr * g`: an error
    of one sample goes to every row that took part in it."""
    return bool(re.search(r"\[[^'\"\d]", one.target.key)) and "[" not in one.gradient


def is_copy(key: str) -> bool:
    """Return whether a name is one of a weight with a word before it: slow weights, `old_W1`."""
    found = re.fullmatch(r"(slow|fast|old|prev|avg|mean|ema|copy|target|best|last|shadow)(.+)", key)
    return found is not None and bool(weight_called(found[2]) or found[2][:1] in "wb")


def is_its_own(one: Judged) -> bool:
    """Return whether a gradient has the name of the weight that it moves."""
    return inner(one.gradient) == word(one.target.key) != ""


def inner(gradient: str) -> str:
    """Return the weight that a gradient is named after: b2 of `db2`, `g_b2` and `grads["b2"]`."""
    found = AROUND.match(re.sub("^g(?=[wb])", "d", plain(word(gradient))))
    return found["inner"] if found else ""


Trade = Mapping[str, tuple[str, str]]
"""The gradient that a weight takes, and the other weight that has its name."""


def trades(found: Sequence[Judged]) -> Trade:
    """Return the weights that take a gradient named after another one, where every gradient there
    has the name of one of the weights: `W1 -= dW0` beside `W2 -= dW1` counts from 0."""
    keys = {word(other.target.key): other.target.key for other in found}
    names = [inner(other.gradient) for other in found]
    if len(set(names)) < len(names) or not set(names) <= set(keys):
        return {}
    return {one.target.key: (one.gradient, keys[inner(one.gradient)])
            for one in found if not is_its_own(one)}  # fmt: skip


def in_layers(trade: Trade) -> bool:
    """Return whether layers are exchanged, their weights and biases alike: then the gradients may
    be numbered the other way round."""
    pairs = {(word(key), word(other)) for key, (_, other) in trade.items()}
    layers = [{(one[1:], other[1:]) for one, other in pairs if one[:1] == kind} for kind in "wb"]
    return bool(layers[0]) and layers[0] == layers[1] and len(pairs) == sum(map(len, layers))


def are_their_own(trade: Trade, everything: Sequence[ast.AST]) -> bool | None:
    """Return whether gradients under other names are those of the weights that take them, by which
    one is multiplied by the inputs; None where no line tells."""
    first = {one for one in trade if weight_called(word(one)) == "w1"}
    from_x = {key for key, (gradient, _) in trade.items()
              if any(map(reads_inputs, values_of(gradient, everything)))}  # fmt: skip
    made = [key for key, (gradient, _) in trade.items()
            if word(key)[:1] == "w" and list(values_of(gradient, everything))]  # fmt: skip
    if len(first) != 1 or len(from_x) != 1 or len(made) < len(trade) // 2:
        return None
    return first == from_x


def values_of(name: str, everything: Sequence[ast.AST]) -> Iterator[ast.expr]:
    """Yield what a file assigns to a gradient of this name, where it multiplies by a transpose."""
    for one in everything:
        if isinstance(one, ast.Assign):
            for target in one.targets:
                for key, value in zip(parts_of(target), parts_of(one.value), strict=False):
                    same = word(ast.unparse(key)) == word(name)
                    if same and any(map(multiplies_by_transpose, ast.walk(value))):
                        yield value


def parts_of(node: ast.expr) -> list[ast.expr]:
    """Return what a tuple or list holds, or the one expression that is none."""
    return node.elts if isinstance(node, ast.Tuple | ast.List) else [node]


def reads_inputs(value: ast.expr) -> bool:
    """Return whether an expression reads the inputs of the network."""
    read = (part for part in ast.walk(value) if isinstance(part, ast.Name | ast.Attribute))
    return any(certain(word(ast.unparse(part))) == "x" for part in read)
