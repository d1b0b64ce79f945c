"""What a class is made with by default: `MLP(sizes, activation="relu", keep_prob=1.0)`.

What is right for one word may be wrong for another. So a right class is made with each of the other
words that name an activation, and compared again; and with each other class of the file that has
the methods of one that it is made with, as `cost=CrossEntropyCost`. A dropout that drops nothing
was not compared.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.chain import DROPPED, KEPT
from compare.examine.starter.chosen_slopes import choice_in, compared_in, named_by, words_in
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.numbers_named import setting_named
from compare.examine.starter.one_function import Declared
from compare.examine.starter.source import Source
from compare.examine.starter.statements import last_name
from compare.examine.starter.whole_check import class_together


def as_made(
    source: Source, name: str, declared: Declared, verdict: FunctionVerdict, parts: set[str]
) -> FunctionVerdict:
    """The verdict on a class, or the first that is not right of those made with another word or
    class, which are added to its `parts`; one that could drop units and did not is undecided."""
    if verdict.verdict is not Verdict.AGREES:
        return verdict
    for given in drops_nothing(source.definitions[name].node):
        return verdict.undecided(f"its dropout was not compared: it was made with {given}")
    settings = {key: value for key, value in declared.settings.items() if key != "activation"}
    right: list[str] = []
    classes = list(classes_of(source, name))
    for parameter, word in (*words_of(source, name), *classes):
        made = {parameter: word}
        whole = class_together(source, name, replace(declared, settings=settings), made=made)
        given = f"{parameter} = {word}" if (parameter, word) in classes else (
            f"{parameter} = {word!r}"
        )  # fmt: skip
        parts |= {word} & set(source.definitions)
        if whole is None or whole.verdict.verdict is Verdict.UNDECIDABLE:
            return verdict.undecided(f"agrees, but with {given} it was not compared")
        if not whole.right:
            sentence = f"with {given}: {whole.verdict.sentence}"
            return replace(whole.verdict, name=name, place=verdict.place, sentence=sentence)
        right.append(given)
    said = (f"right with {', '.join(right)} too",) if right else ()
    return replace(verdict, conventions=(*verdict.conventions, *said))


def words_of(source: Source, name: str) -> Iterator[tuple[str, str]]:
    """The parameters of a constructor that are a word by default, with the other words that the
    class knows for them and that name an activation."""
    node = source.definitions[name].node
    for parameter, default in defaults_of(node, str):
        words = [word for part in ast.walk(node) if asks_for(part, parameter)
                 for word in words_in(compared_in(part))]  # fmt: skip
        words += words_elsewhere(source, node, parameter)
        meant = named_by(default, ACTIVATION_RULES)
        for word in dict.fromkeys(words):
            other = named_by(word, ACTIVATION_RULES)
            if meant and other and other != meant and "identity" not in other:
                yield parameter, word


def classes_of(source: Source, name: str) -> Iterator[tuple[str, str]]:
    """The parameters of a constructor that are a class of the file by default, with the other ones
    that have its methods."""
    methods = {key: methods_in(one.node) for key, one in source.definitions.items()
               if isinstance(one.node, ast.ClassDef)}  # fmt: skip
    for parameter, default in named_defaults(source.definitions[name].node):
        for other in methods if default in methods else ():
            if other not in (default, name) and methods[default] <= methods[other]:
                yield parameter, other


def methods_in(node: ast.ClassDef) -> frozenset[str]:
    """The names of the methods of a class."""
    return frozenset(one.name for one in node.body if isinstance(one, ast.FunctionDef))


def named_defaults(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The parameters of a constructor whose default is a name."""
    for init in ast.walk(node):
        if isinstance(init, ast.FunctionDef) and init.name == "__init__":
            pairs = zip(init.args.args[::-1], init.args.defaults[::-1], strict=False)
            yield from ((one.arg, given.id) for one, given in pairs if isinstance(given, ast.Name))


def words_elsewhere(source: Source, node: ast.AST, parameter: str) -> Iterator[str]:
    """The words of a table of the file that a parameter is looked up in, and those of a function
    that it is handed to."""
    tables = {name: one.node.value for one in source.statements
              if isinstance(one.node, ast.Assign) for name in one.binds}  # fmt: skip
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript) and is_called(part.slice, parameter):
            table = tables.get(part.value.id) if isinstance(part.value, ast.Name) else None
            yield from words_in(filter(None, table.keys)) if isinstance(table, ast.Dict) else ()
        elif isinstance(part, ast.Call) and any(is_called(one, parameter) for one in part.args):
            known = source.definitions.get(last_name(part) or "")
            if known is not None and isinstance(known.node, ast.FunctionDef):
                yield from choice_in(known.node)[1]


def is_called(node: ast.AST, parameter: str) -> bool:
    """Whether a node is a parameter, or the attribute called like it."""
    if isinstance(node, ast.Attribute):
        return node.attr.lstrip("_") == parameter
    return isinstance(node, ast.Name) and node.id == parameter


def defaults_of(node: ast.AST, *kinds: type) -> Iterator[tuple[str, Any]]:
    """The parameters of a constructor that are of some kind by default, and what they are."""
    for init in ast.walk(node):
        if isinstance(init, ast.FunctionDef) and init.name == "__init__":
            given = init.args
            pairs = zip(given.args[::-1], given.defaults[::-1], strict=False)
            named = zip(given.kwonlyargs, given.kw_defaults, strict=True)
            for one, default in (*pairs, *named):
                if isinstance(default, ast.Constant) and type(default.value) in kinds:
                    yield one.arg, default.value


def drops_nothing(node: ast.AST) -> Iterator[str]:
    """The shares of units kept or dropped with which a class drops none, if it reads them."""
    read = {one.attr.lstrip("_") for one in ast.walk(node)
            if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Load)}  # fmt: skip
    for name, value in defaults_of(node, int, float):
        neutral = {KEPT: 1.0, DROPPED: 0.0}.get(setting_named(plain(name)))
        if value == neutral and name.lstrip("_") in read:
            yield f"{name} = {value:g}"


def may_drop(node: ast.AST) -> bool:
    """Whether a class is made with a share of units to keep or to drop, and reads it."""
    read = {one.attr.lstrip("_") for one in ast.walk(node)
            if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Load)}  # fmt: skip
    return any(
        setting_named(plain(one.arg)) in (KEPT, DROPPED) and one.arg.lstrip("_") in read
        for init in ast.walk(node) if isinstance(init, ast.FunctionDef) and init.name == "__init__"
        for one in (*init.args.args, *init.args.kwonlyargs)
    )  # fmt: skip


def asks_for(node: ast.AST, parameter: str) -> bool:
    """Whether something is compared with a parameter, or with the attribute called like it."""
    names = {one.id for part in compared_in(node) for one in ast.walk(part)
             if isinstance(one, ast.Name)}  # fmt: skip
    names |= {one.attr for part in compared_in(node) for one in ast.walk(part)
              if isinstance(one, ast.Attribute)}  # fmt: skip
    return parameter in {one.lstrip("_") for one in names}
