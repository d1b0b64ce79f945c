"""Lines of the plain programs, and what is written in their place, as code that runs on pairs.

A slip is Python: assignments to names of the program, each in place of the line that assigns this
name there; other assignments are auxiliary and go before the next one. `Slip.changes` are these
lines for the reader and for `planted`; `Slip.stages` is the same text run in the textbook pass.

    slip                                line it replaces            stages it overrides
    dlogits = error                     dlogits = error / M         dlogits
    M = 1                               M = N if ... else 1         loss, dlogits: what reads M
    y = y[::-1]; terms = -y * log_p     terms = -y * log_p          y
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from textwrap import dedent, indent
from typing import Any

from compare.contracts.errors import BadInput
from compare.textbook import plain, plain_between
from compare.textbook.pair import Pair, exact
from compare.textbook.scope import INPUTS, LAYERED, SINGLE, Net, Scope, whole

Stage = partial[Pair]
"""`stage(pass, layer[, constant])`: `computed` with a `Code`."""

LOG_OF_P = "log_p = np.log(p)"
"""What code has that forms p in another way than `softmax`: then `log_softmax` is not at hand."""


@dataclass(frozen=True)
class Line:
    """A line of a program: what it assigns, and from which layer i on it runs."""

    text: str
    statement: ast.Assign
    first: int = 1


def target(statement: ast.Assign) -> str:
    """Return what a statement assigns as it is written: `M`, `z[i]`, `f, slope`."""
    return ast.unparse(statement.targets[0]).strip("()")


def assigned(statement: ast.Assign) -> tuple[str, ...]:
    """Return the names a statement binds; none where an entry of a dictionary is assigned."""
    names = (node for node in ast.walk(statement.targets[0]) if isinstance(node, ast.Name))
    return tuple(name.id for name in names if isinstance(name.ctx, ast.Store))


def stage_of(statement: ast.Assign) -> str:
    """Return the stage a statement computes, or "" for a setting or an auxiliary name."""
    name = target(statement).partition("[")[0]
    layered = isinstance(statement.targets[0], ast.Subscript)
    return name if name in (LAYERED if layered else (*SINGLE, *INPUTS)) else ""


def offset_of(statement: ast.Assign) -> int:
    """Return how far below i the layer is that a statement computes: 1 for `dz[i - 1]`."""
    return int(target(statement).endswith("[i - 1]"))


@cache
def lines_of(*functions: Callable[..., Any]) -> dict[str, Line]:
    """Return every line of these functions that assigns something, by what it assigns."""
    found: dict[str, Line] = {}
    for source in map(inspect.getsource, functions):
        lines = source.splitlines(keepends=True)  # once: `ast.get_source_segment` does it each time
        for statement, first in nested(ast.parse(source).body[0], 1):
            text = segment(lines, statement)
            found.setdefault(target(statement), Line(text, statement, first))
    return found


def segment(lines: Sequence[str], statement: ast.stmt) -> str:
    """Return the text of a statement; columns count bytes."""
    end = statement.end_lineno or statement.lineno
    part = [line.encode() for line in lines[statement.lineno - 1 : end]]
    part[-1] = part[-1][: statement.end_col_offset]
    part[0] = part[0][statement.col_offset :]
    return b"".join(part).decode()


def nested(node: ast.AST, first: int) -> Iterator[tuple[ast.Assign, int]]:
    """Yield the assignments in a block, with the first layer they run for."""
    for child in getattr(node, "body", ()):
        if isinstance(child, ast.Assign):
            yield child, first
        yield from nested(child, 2 if isinstance(child, ast.If) else first)


NETWORK = lines_of(plain.loss_and_gradients)
INSIDE = lines_of(plain_between.loss_and_gradients)
"""The lines of the network, and of the one with normalisation and dropout."""


def by_stage(program: Mapping[str, Line]) -> dict[str, Line]:
    """Return the line of every stage."""
    found = {stage_of(line.statement): line for line in program.values()}
    return {stage: line for stage, line in found.items() if stage}


RIGHT_LINES, INSIDE_LINES = by_stage(NETWORK), by_stage(INSIDE)


@dataclass(frozen=True)
class Change:
    """What stands in place of one line: auxiliary assignments, then the line's own names."""

    line: Line
    statements: tuple[ast.Assign, ...]
    text: str


class Slip:
    """A slip, parsed. `line`: what the line assigns that all of it replaces, where the slip's own
    names do not tell."""

    def __init__(self, text: str, line: str = "", program: Mapping[str, Line] = NETWORK) -> None:
        self.text, self.line, self.program = text, line, program

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Return what is written in place of which line."""
        found: list[Change] = []
        waiting: list[ast.Assign] = []
        text = f"{self.text}\n{LOG_OF_P}" if self._forms_p else self.text
        for statement in ast.parse(text).body:
            assert isinstance(statement, ast.Assign), f"{text!r} is more than assignments"
            waiting.append(statement)
            line = None if self.line else self.program.get(target(statement))
            if line is not None:
                found.append(written(line, waiting, text))
                waiting = []
        if self.line:
            found.append(written(self.program[self.line], waiting, text))
            waiting = []
        assert found and not waiting, f"{text!r} assigns nothing that the program assigns"
        return tuple(found)

    def beside(self, other: Slip) -> bool:
        """Return whether both can be made at once: in other lines than the other one."""
        lines = ({change.line.text for change in slip.changes} for slip in (self, other))
        return not set.intersection(*lines)

    def planted(self, constant: float | None) -> tuple[tuple[str, str], ...]:
        """Return what stands in place of which line, with the constant filled in."""
        return tuple((one.line.text, filled(one.text, constant)) for one in self.changes)

    @property
    def _forms_p(self) -> bool:
        return re.search(r"^p = ", self.text, re.M) is not None and "log_p =" not in self.text

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """Return the stages that come out different, each as a function of a pass."""
        found: dict[str, Stage] = {}
        for change in self.changes:
            before: list[ast.Assign] = []
            for statement in change.statements:
                stage, line = stage_of(statement), self.program.get(target(statement))
                if not stage:
                    before.append(statement)
                if line is None or ast.unparse(statement) != ast.unparse(line.statement):
                    if stage:
                        found[stage] = stage_by(statement, before, change.line.first)
                    elif line is not None:
                        found |= dict(rewritten(statement, self.program))
        if "p" in found:
            found.pop("log_p", None)  # the pass takes the logarithm of a mistaken p by itself
        return found


def written(line: Line, statements: Sequence[ast.Assign], text: str) -> Change:
    """Return the change of a line, with its text as it stands in the slip."""
    segments = (ast.get_source_segment(text, statement) or "" for statement in statements)
    return Change(line, tuple(statements), "\n".join(segments))


def rewritten(setting: ast.Assign, program: Mapping[str, Line]) -> Iterator[tuple[str, Stage]]:
    """Yield the stages whose lines read a setting (M, f, slope), computed with another one."""
    for stage, line in by_stage(program).items():
        if set(assigned(setting)) & set(free([line.statement])):
            yield stage, stage_by(line.statement, [setting], line.first)


def stage_by(statement: ast.Assign, before: Sequence[ast.Assign] = (), first: int = 1) -> Stage:
    """Return the stage that a statement computes after auxiliary ones."""
    return partial(computed, code(statement, before, first))


def free(statements: Sequence[ast.Assign]) -> list[str]:
    """Return the names that statements read and do not bind themselves before."""
    bound: set[str] = set()
    found: dict[str, None] = {}
    for statement in statements:
        names = [node for node in ast.walk(statement.value) if isinstance(node, ast.Name)]
        bound |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        found |= {name.id: None for name in names if name.id not in bound}
        bound |= set(assigned(statement))
    return list(found)


@dataclass(frozen=True)
class Code:
    """The right-hand side of an assignment as a function of the names it reads."""

    stage: str
    function: Callable[..., Any]
    names: tuple[str, ...]
    offset: int
    first: int
    reads: tuple[tuple[str, int | None], ...]
    """Stages it reads, with the layer counted from i, None for an index that is computed."""


def code(statement: ast.Assign, before: Sequence[ast.Assign], first: int) -> Code:
    """Compile the value of `statement`, computed after the auxiliary statements before it."""
    stage = stage_of(statement)
    names = free([*before, statement])
    result = ast.Return(statement.value)
    arguments = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
    function = ast.FunctionDef(stage, arguments, [*before, result], [], None)
    module = ast.fix_missing_locations(ast.Module([function], []))
    namespace: dict[str, Any] = {}
    exec(compile(module, f"<{stage}>", "exec"), namespace)
    reads = tuple(reading([*before, statement], set(names)))
    return Code(stage, namespace[stage], tuple(names), offset_of(statement), first, reads)


def reading(statements: Sequence[ast.Assign], names: set[str]) -> Iterator[tuple[str, int | None]]:
    """Yield the stages read, with their layer relative to i where that is written as a number."""
    for node in (node for s in statements for node in ast.walk(s.value)):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            if node.value.id in LAYERED and node.value.id in names:
                yield node.value.id, {"i": 0, "i - 1": -1, "i + 1": 1}.get(ast.unparse(node.slice))
        elif isinstance(node, ast.Name) and node.id in (*SINGLE, *INPUTS) and node.id in names:
            yield node.id, 0


def computed(
    line: Code,
    net: Net,
    layer: int,
    c: float | None = None,
    *,
    sources: Mapping[str, Net] | None = None,
) -> Pair:
    """Run a line on the pairs of a pass; names in `sources` are read from another pass."""
    i = layer + line.offset
    if i < line.first and line.stage in LAYERED:
        there: Pair = net.right(line.stage, layer)  # this line of the program does not run there
        return there
    scope = Scope(net, sources or {}, line.stage, i, c)
    value = line.function(**{name: scope[name] for name in line.names})
    return value if isinstance(value, Pair) else exact(value, net.point.dtype)


@cache
def right_line(stage: str, inside: bool = False) -> Stage:
    """Return the right line of a stage, `inside` of the program with normalisation and dropout."""
    line = (INSIDE_LINES if inside else RIGHT_LINES)[stage]
    return stage_by(line.statement, (), line.first)


def rerun(stage: str, **sources: Net) -> Callable[[Net, int], Pair]:
    """Return the right line of a stage with some of the names read from other passes."""

    def again(net: Net, layer: int) -> Pair:
        return right_line(stage, net.inside)(net, layer, sources=sources)

    return again


def filled(text: str, constant: float | None) -> str:
    """Return code with the constant in place of `c`."""
    if constant is None:
        return text
    return re.sub(r"\bc\b", str(whole(constant)), text).replace("+ -", "- ")


def planted(source: str, changes: Iterable[tuple[str, str]]) -> str:
    """Return a program's source with lines, each of which stands there once, replaced."""
    for line, written in changes:
        if source.count(line) != 1:
            raise BadInput(f"The line {line!r} occurs {source.count(line)} times, not once.")
        start = source.rindex("\n", 0, source.index(line)) + 1
        margin = source[start : source.index(line)]
        source = source.replace(line, indent(dedent(written), margin).lstrip())
    return source
