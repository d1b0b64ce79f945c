"""The updates of one training, held against each other: all follow one rule, or one is named.

A step is so much of its own gradient and so much of those before it; what `b1` takes of them, `W2`
takes too. Where one weight has no momentum, or another one, than those beside it, its update was
not compared; where a velocity is kept for it and read by nothing, that is a mistake. A decay may be
for some weights alone, and rates may differ.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.update_adaptive import divides_by_root
from compare.examine.starter.update_lines import Line, keys_in, word
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_running import NAME, Array, run
from compare.examine.starter.update_verdicts import Judged, about_update

OF_LAYER = re.compile(r"(w|b|weights?|bias(es)?)(\d+|[a-z]{0,2})")
"""The word of a weight of one layer: two trainings in one loop call theirs otherwise."""
CLOSE, LITTLE, NOTHING = 1e-6, 0.1, 1e-9
"""How far the shares of gradients may differ, and what is none beside a decay."""
KEPT = "gradient-without-velocity"
TITLE = "a velocity that is kept and not used"
OnWay = tuple[Mapping[str, FunctionVerdict], Set[str]]
"""What is said of the odd ones on a way, and the weights that it moves."""


@dataclass(frozen=True)
class Rule:
    """How an update goes on: the shares of the gradients before in a step, relative to that of its
    own; none of one that divides by a root."""

    shares: tuple[float, ...]
    decays: bool = False

    @property
    def remembers(self) -> bool:
        """Return whether gradients before go into a step."""
        return not self.shares or max(map(abs, self.shares)) > LITTLE

    def like(self, other: Rule) -> bool:
        """Return whether two updates go on alike."""
        if len(self.shares) != len(other.shares):
            return False
        if self.decays or other.decays:
            return self.remembers == other.remembers
        return all(abs(a - b) <= CLOSE for a, b in zip(self.shares, other.shares, strict=True))


def rule_of(update: Update) -> Rule | None:
    """Return how an update goes on, None where its steps are no sums of gradients."""
    if divides_by_root(update):
        return Rule(())
    records = run(update)
    w = [one.parameters[NAME].ravel() for one in records]
    g = [one.gradients[NAME].ravel() for one in records[:-1]]
    seen = w[-2] - w[-1]
    if fitted(seen, [g[-1], w[-2]]) is not None:
        return Rule((0.0,) * (len(g) - 1))
    found = fitted(seen, [*g, w[0]])
    if found is None or not found[-2]:
        return None
    shares = tuple(float(one / found[-2]) for one in found[:-2])
    return Rule(shares, bool(abs(found[-1]) > NOTHING))


def fitted(seen: Array, columns: Sequence[Array]) -> Array | None:
    """Return how much of each column an array is, None where it is no sum of them."""
    found: Array = np.linalg.lstsq(np.stack(columns, axis=1), seen)[0]
    off = np.abs(np.stack(columns, axis=1) @ found - seen).max()
    return found if off <= NOTHING * np.abs(seen).max() else None


def odd_ones(found: Sequence[Judged], where: str) -> dict[str, FunctionVerdict]:
    """Return what is said of the right updates on one way that go on otherwise than most others, by
    their weights."""
    rules = {one.target.key: rule for one in found if one.verdict is None and one.update
             and OF_LAYER.fullmatch(word(one.target.key))
             and (rule := rule_of(one.update)) is not None}  # fmt: skip
    groups: list[list[str]] = []
    for key, rule in rules.items():
        group = next((each for each in groups if rules[each[0]].like(rule)), None)
        if group is None:
            groups.append([key])
        else:
            group.append(key)
    kinds = [{word(key)[0] for key in group} for group in groups]
    if len(groups) < 2 or (len(groups) == 2 and not kinds[0] & kinds[1]):
        return {}  # all weights by one rule and all biases by another: a choice
    most = max(groups, key=lambda each: (len(each), rules[each[0]].remembers))
    lines = {one.target.key: one.target for one in found}
    return {
        key: about_update(lines[key], where).undecided(said(key, rules[key], most, rules[most[0]]))
        for key in rules
        if key not in most
    }


def said(key: str, own: Rule, others: Sequence[str], theirs: Rule) -> str:
    """Return what sets an update apart from those of other weights."""
    named = ", ".join(others)
    if theirs.remembers and not own.remembers:
        return f"was not compared: {key} is updated without the momentum that {named} have"
    if own.remembers and not theirs.remembers:
        return f"was not compared: {key} is updated with a momentum that {named} do not have"
    return f"was not compared: {key} is updated by another rule than {named}"


def idle_velocities(
    found: Sequence[Judged], statements: Sequence[tuple[str, ast.stmt]], where: str
) -> Iterator[tuple[str, FunctionVerdict]]:
    """Yield the weights for which a velocity is kept that nothing reads, as those of others are
    read: named like theirs, of a weight that is there."""
    nodes = [part for _, one in statements for part in ast.walk(one)]
    places = [one for one in nodes if isinstance(one, ast.Name | ast.Attribute | ast.Subscript)]
    read = {ast.unparse(one) for one in places if isinstance(one.ctx, ast.Load)}
    states = [(one.target.key, state) for one in found if one.update for state in one.update.states]
    for name, line in dict(keepers(statements)).items():
        for key, state in states:
            weight = in_its_place(name, state, key)
            if weight in read and weight != key and not reads_elsewhere(name, nodes):
                at = next((one.target for one in found if one.target.key == weight), line)
                does = "does not move" if at is line else "moves without it"
                about = about_update(replace(at, key=weight), where)
                sentence = (
                    f"the velocity {name} is kept, and nothing reads it: {weight} {does}, {key}"
                    f" moves by {state}"
                )
                yield weight, about.slip(KEPT, sentence, TITLE)


def keepers(statements: Sequence[tuple[str, ast.stmt]]) -> Iterator[tuple[str, Line]]:
    """Yield what is given a value that is made of what it had, by name, with its line."""
    for file, one in statements:
        for node in ast.walk(one):
            made = isinstance(node, ast.Assign) and len(node.targets) == 1
            target = node.targets[0] if isinstance(node, ast.Assign) and made else None
            target = node.target if isinstance(node, ast.AugAssign) else target
            if not isinstance(target, ast.Name | ast.Attribute | ast.Subscript):
                continue
            name = ast.unparse(target)
            if isinstance(node, ast.AugAssign) or name in keys_of(node):
                yield name, Line(name, None, target.lineno, file)


def keys_of(node: ast.AST) -> list[str]:
    """Return what an assignment reads."""
    return keys_in(node.value) if isinstance(node, ast.Assign) else []


def in_its_place(name: str, state: str, key: str) -> str:
    """Return the weight W2 whose velocity is called `vW2` as `vW1` is that of W1; else nothing."""
    last = re.findall(r"[A-Za-z_]\w*", key)[-1]
    if state.count(last) != 1:
        return ""
    before, after = state.split(last)
    inner = name[len(before) : len(name) - len(after)]
    alike = name.startswith(before) and name.endswith(after)
    return key.replace(last, inner) if alike and OF_LAYER.fullmatch(plain(inner)) else ""


def reads_elsewhere(name: str, nodes: Sequence[ast.AST]) -> bool:
    """Return whether something reads a name but the line that gives it its next value."""
    own: set[int] = set()
    for one in nodes:
        if isinstance(one, ast.Assign) and [ast.unparse(to) for to in one.targets] == [name]:
            own |= {id(part) for part in ast.walk(one.value)}
    return any(
        isinstance(one, ast.Name | ast.Attribute | ast.Subscript)
        and isinstance(one.ctx, ast.Load) and id(one) not in own and ast.unparse(one) == name
        for one in nodes
    )  # fmt: skip


def on_every_way(ways: Sequence[OnWay], key: str) -> FunctionVerdict | None:
    """Return what is said of a weight on every way that moves it; None where some say nothing: one
    condition for each weight leads to ways that nobody goes."""
    through = [odd for odd, moved in ways if key in moved]
    return through[0][key] if through and all(key in odd for odd in through) else None
