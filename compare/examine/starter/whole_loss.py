"""The loss in a line of the training that calls a file's functions, compared with their gradients.

    A1, A2 = forward(X, W1, b1, W2, b2)
    loss = -np.mean(np.sum(Y * np.log(A2), axis=1))
    dW1, db1, dW2, db2 = backward(X, Y, A1, A2, W2)

What the functions return has the names that the file gives it; what is computed of that in the same
body is computed again, at every point (`loss_beside`).
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.binding import CERTAIN, plain
from compare.examine.starter.cut import DECAY
from compare.examine.starter.cut_given import gives_whole
from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.expected import expected, parameters_in
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.loss_beside import UNSHOWN, Beside, Shown, Value, divides_its_rate
from compare.examine.starter.loss_lines import LossLine, Unguarded, in_order, loss_lines, negated
from compare.examine.starter.readings import Sizes
from compare.examine.starter.source import Opened, Source
from compare.examine.starter.statements import Kind, last_name
from compare.examine.starter.subject import Subject
from compare.examine.starter.unshown import names_for
from compare.examine.starter.whole import Whole
from compare.guard.guard import Guard


@dataclass(frozen=True)
class TrainingLines:
    """Holds the lines around the calls of a file's gradient against what it computes."""

    whole: Whole
    subject: Subject
    source: Source
    opened: Opened
    sizes: Sizes
    reduction: str
    seed: int

    def __call__(self, verdict: FunctionVerdict) -> FunctionVerdict:
        """The verdict in the light of the loss beside the calls; as it was where there is none."""
        network = self.whole.told.network
        summed = [one.mistake for one in verdict.diagnosis] == ["gradient-summed"]
        if self.whole.loss or network.loss != "cross_entropy" or network.output != "identity":
            return verdict
        if verdict.verdict is not Verdict.AGREES and not summed:
            return verdict
        bodies = list(self.bodies())
        lines = [line for _, found in bodies for line in found]
        shown = [one for body, found in bodies for line in found for one in self.shown(body, line)]
        if not shown:
            return verdict
        found = replace(
            verdict, reduction="sum" if summed else self.reduction,
            conventions=tuple(one for one in verdict.conventions if one != UNSHOWN),
        )  # fmt: skip
        timeout = self.source.guard.timeout
        beside = Beside(
            self.sizes, self.reduction, self.seed, network.activation, timeout,
            divides_its_rate(self.source.text),
        )  # fmt: skip
        return replace(beside(shown, found, lines[-1].number), reduction="")

    def bodies(self) -> Iterator[tuple[list[ast.stmt], list[LossLine]]]:
        """The bodies in which the gradient is called, with the statements before them, and the
        lines of losses in them."""
        loose = [one.node for one in self.source.statements if one.kind is Kind.LEFT_OUT]
        functions = [one.node.body for one in self.source.statements
                     if isinstance(one.node, ast.FunctionDef)
                     and one.node.name != self.whole.final]  # fmt: skip
        for body in (*functions, loose):
            if inner := innermost_with_call(body, self.whole.final):
                yield inner, loss_lines(inner)

    def shown(self, body: Sequence[ast.stmt], line: LossLine) -> Iterator[Shown]:
        """One line, if what it needs is known."""
        unguarded = Unguarded()
        names = self.called_so
        kept, needed = computed(body, line, names)
        known = {one for one in needed if plain(one) in names or DECAY.fullmatch(plain(one))}
        if not any(CERTAIN.get(plain(one)) == "y" for one in needed):
            return
        if needed - known - set(vars(self.opened.module)) - set(dir(builtins)) - {line.own}:
            return
        own = ast.parse(f"{line.own} = 0.0").body if line.own else []
        taken = ast.parse(f"taken = {line.text}").body
        code = ast.Module(
            [unguarded.visit(copy.deepcopy(one)) for one in (*own, *kept, *taken)], []
        )
        value = self.value(ast.fix_missing_locations(code))
        yield Shown(line, value, tuple(unguarded.guards), negated(line, body))

    def value(self, code: ast.Module) -> Value:
        """What lines give, as a function of what is known at a point."""
        compiled = compile(code, "<lines of a loss>", "exec")
        guard = Guard(timeout=self.source.guard.timeout)
        reads = loaded(code)

        def value(quantities: Mapping[str, Array]) -> float:
            named = self.named(quantities)
            known = {one: named[plain(one)] for one in reads if plain(one) in named}
            known |= {one: 0.0 for one in reads if DECAY.fullmatch(plain(one))}
            scope = {**vars(self.opened.module), **copy.deepcopy(known)}
            guard.run(lambda: exec(compiled, scope), "", None)
            array = np.asarray(scope["taken"])
            number = array.size == 1 and array.dtype.kind == "f"
            return float(array.item()) if number else np.nan

        return value

    def named(self, quantities: Mapping[str, Array]) -> dict[str, Any]:
        """The arrays of a point, by what the file calls them."""
        parameters = parameters_in(quantities, self.sizes.layers)
        x, y, p = (quantities[name] for name in "xyp")
        named = names_for(self.whole, self.subject, parameters, x, y, p)
        if any(value == "labels" for call in self.whole.chain.calls for _, value in call.passed):
            labels = self.whole.chain.mode.rows(x, y)[0]["labels"]
            named |= {name: labels for name, quantity in CERTAIN.items() if quantity == "y"}
        return named

    @cached_property
    def called_so(self) -> frozenset[str]:
        """The names that are known, written in lower case and without underscores."""
        due = expected(self.sizes, self.reduction, self.seed)
        guard = Guard(timeout=self.source.guard.timeout)
        try:
            return frozenset(guard.run(lambda: self.named(due.quantities), "", None))
        except UserCodeError:
            return frozenset()


def innermost_with_call(body: Sequence[ast.stmt], name: str) -> list[ast.stmt]:
    """The innermost body in which a function is called, its branches unfolded, behind what is
    assigned before it in the bodies around; nothing where it is not called."""
    for place, one in enumerate(body):
        if name not in called_in(one):
            continue
        inner = getattr(one, "body", None)
        if not isinstance(inner, list):
            return [part for each in body for part in (
                each.body if isinstance(each, ast.If) else [each])]  # fmt: skip
        ahead = [each for each in body[:place] if isinstance(each, ast.Assign)]
        return [*ahead, *innermost_with_call(inner, name)]
    return []


def called_in(node: ast.AST) -> set[str]:
    """The names of what is called in a statement."""
    return {last_name(one) for one in ast.walk(node) if isinstance(one, ast.Call)}


def computed(
    body: Sequence[ast.stmt], line: LossLine, names: Set[str]
) -> tuple[list[ast.stmt], set[str]]:
    """The statements of a body that a line needs and that compute none of these names, and what
    they read."""
    ends = [place for place, one in enumerate(body) if line.statement in in_order([one])]
    if not ends:
        return [], {"nothing"}
    end = ends[0] + (line.text == line.name)
    needed = loaded(ast.parse(line.text, mode="eval").body)
    kept: list[ast.stmt] = []
    for one in reversed(body[:end]):
        given = {name for name in stored(one) if name in needed and plain(name) not in names}
        if given:
            if gives_whole(one):
                needed -= given
            needed |= loaded(one)
            kept.insert(0, one)
    return kept, needed
