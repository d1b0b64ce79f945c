"""A loop of a program with our calls in it: where its body begins, and behind each of its lines.

for x in xs:               for x in xs:
    body                       _own_mark(0, locals())
                               if 'w' in _own_named: w = _own_named.pop('w')
                               body
                               _own_mark(1, locals())
                               ...

The second line puts a number that we have moved into a name of theirs.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.own.of_batch import last_of, of_batch, parts_of
from compare.examine.starter.source import Source
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.supply import data_role
from compare.examine.starter.training.watch import TURN
from compare.examine.starter.update_words import is_weight

ERROR = re.compile(r".*(error|err|diff|residual)s?\d*", re.IGNORECASE)
MOST_ERRORS = 4
GATHERED = re.compile(r"(grad(ient)?_?)?(accum\w*|micro_?batches|n_?micro)", re.IGNORECASE)
MARK, NAMED = "_own_mark", "_own_named"
SHOWS = frozenset({"print", "append"})
MOVES = frozenset({"step", "update", "zero_grad", "backward", "apply"})


@dataclass(frozen=True)
class Loop:
    """A program one of whose loops is marked; `lines` are those of its body, `last` the number of
    the mark at its end."""

    program: Program
    number: int
    body: tuple[ast.stmt, ...]
    target: ast.expr | None = None

    @property
    def last(self) -> int:
        """The mark at the end of a turn."""
        return len(self.body)

    @cached_property
    def shown(self) -> tuple[tuple[int, str], ...]:
        """The losses that are shown of other rows, of those of a turn."""
        return of_batch(self.program, self.target, self.body)

    @cached_property
    def returned(self) -> dict[str, str]:
        """What the one value that a function returns is called in it, by the function's name."""
        return dict(returns(self.program.source))

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The parts of arrays that its lines hand on, whose places are at its end what they were:
        `X[rows]` in `step(X[rows], y[rows])`."""
        found = []
        for number, line in enumerate(self.body):
            later = {name for one in self.body[number:] for name in stored(one)}
            found += [ast.unparse(part) for _, part in parts_of(line) if not loaded(part) & later
                      and not any(isinstance(one, ast.Call) for one in ast.walk(part))]  # fmt: skip
        return tuple(dict.fromkeys(found))

    @property
    def errors(self) -> tuple[str, ...]:
        """What the lines of the body subtract from their targets, or call an error."""
        texts = []
        for part in (part for one in self.body for part in ast.walk(one)):
            if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub):
                sides = [one.id for one in (part.left, part.right) if isinstance(one, ast.Name)]
                if len(sides) == 2 and any(data_role(one) == "y" for one in sides):
                    texts.append(ast.unparse(part))
            elif isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
                texts += [part.targets[0].id] if ERROR.fullmatch(part.targets[0].id) else []
        return tuple(dict.fromkeys(texts))[:MOST_ERRORS]


def returns(source: Source) -> Iterator[tuple[str, str]]:
    """Yield functions and methods whose every return gives back the same name, and that name."""
    for name, one in source.definitions.items():
        inside = one.node.body if isinstance(one.node, ast.ClassDef) else ()
        methods = [(f"{name}.{part.name}", part) for part in inside
                   if isinstance(part, ast.FunctionDef)]  # fmt: skip
        for called, function in [(name, one.node), *methods]:
            values = [part.value for part in ast.walk(function) if isinstance(part, ast.Return)]
            words = {each.id if isinstance(each, ast.Name) else "" for each in values}
            if isinstance(function, ast.FunctionDef) and len(words) == 1 and any(words):
                yield called, f" {words.pop()}"


def marked(program: Program, number: int) -> Loop | None:
    """Return a program with one loop marked; None where it has no such loop."""
    marks = Marks(number)
    every = program.source.statements
    statements = tuple(replace(one, node=shown(marks, one.node)) for one in every)
    main = tuple(shown(marks, one) for one in program.main)
    if not marks.body:
        return None
    source = replace(program.source, statements=statements, compiled={})
    made = replace(program, source=source, main=main, idle={}, compiled={})
    return Loop(made, number, tuple(marks.body), marks.target)


def shown(marks: Marks, node: ast.stmt) -> ast.stmt:
    """Return a statement marked, whose losses are shown at every turn."""
    found = marks.visit(Sooner().visit(Often().visit(copy.deepcopy(node))))
    assert isinstance(found, ast.stmt)
    return ast.fix_missing_locations(found)


class Often(ast.NodeTransformer):
    """Takes the condition off what is shown now and then: `if epoch % 100 == 0: print(...)`."""

    def visit_If(self, node: ast.If) -> ast.stmt:
        """A condition on a remainder, around lines that show something and move nothing."""
        self.generic_visit(node)
        rest = any(isinstance(one, ast.Mod) for one in ast.walk(node.test))
        called = {last_of(one.func) for part in node.body for one in ast.walk(part)
                  if isinstance(one, ast.Call)}  # fmt: skip
        shows = called & SHOWS and not called & MOVES
        if rest and not node.orelse and shows and not any(map(changes, ast.walk(node))):
            node.test = ast.copy_location(ast.Constant(True), node.test)
        return node


def changes(node: ast.AST) -> bool:
    """Whether a line changes something in part, or what is called a weight."""
    if isinstance(node, ast.AugAssign):
        return True
    targets = node.targets if isinstance(node, ast.Assign) else ()
    return any(not isinstance(one, ast.Name) or is_weight(one.id) for one in targets)


class Sooner(ast.NodeTransformer):
    """Lets gradients be gathered over two batches, where it is over more."""

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        """`accumulation_steps = 4`, alone or among others."""
        to, value = node.targets[0], node.value
        if isinstance(to, ast.Tuple) and isinstance(value, ast.Tuple):
            value.elts = [self.fewer(ast.unparse(name), one) for name, one in
                          zip(to.elts, value.elts, strict=False)]  # fmt: skip
        else:
            node.value = self.fewer(ast.unparse(to), value)
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.keyword:
        """`accumulation_steps=4`, handed over."""
        node.value = self.fewer(node.arg or "", node.value)
        return node

    def fewer(self, name: str, value: ast.expr) -> ast.expr:
        """Return the number that a name gets."""
        many = isinstance(value, ast.Constant) and type(value.value) is int and value.value > 2
        if many and GATHERED.fullmatch(name.rpartition(".")[2]):
            return ast.copy_location(ast.Constant(2), value)
        return value


class Marks(ast.NodeTransformer):
    """Puts the calls into the loop that has this number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.body: list[ast.stmt] = []
        self.target: ast.expr | None = None

    def visit_For(self, node: ast.For) -> ast.stmt:
        """A loop."""
        return self.with_marks(node)

    def visit_While(self, node: ast.While) -> ast.stmt:
        """A loop."""
        return self.with_marks(node)

    def with_marks(self, node: ast.For | ast.While) -> ast.stmt:
        """The loop with its marks, if it is the one."""
        self.generic_visit(node)
        if number_of(node) != self.number or self.body:
            return node
        own = node.body[1:]
        names = sorted({name for one in own for name in stored(one)})
        self.body, self.target = own, getattr(node, "target", None)
        node.body = [*node.body[:1], *mark(0, names)]
        for place, one in enumerate(own, 1):
            node.body += [one, *mark(place, names)]
        return node


def number_of(node: ast.For | ast.While) -> int | None:
    """Return the number by which a loop says that its turn begins."""
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(call := first.value, ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id == TURN:
            number = call.args[0]
            known = number.value if isinstance(number, ast.Constant) else None
            return known if isinstance(known, int) else None
    return None


def mark(place: int, names: Sequence[str]) -> list[ast.stmt]:
    """Return the lines of a mark."""
    text = f"{MARK}({place}, locals())\n"
    for name in names:
        text += f"if {name!r} in {NAMED}: {name} = {NAMED}.pop({name!r})\n"
    return ast.parse(text).body
