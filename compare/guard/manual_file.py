"""`--manual FILE.py[:NAME]` or `package.module:NAME`: from the command line to a function.

The module is executed as `import` would execute it, its `if __name__ == "__main__":` therefore not;
an optional `step` beside the function is taken along as the optimiser to check.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.experiment import Experiment
from compare.guard.blame import Place, first_line
from compare.guard.derivatives import PER_SAMPLE, GuardedProduct, GuardedSamples, is_product
from compare.guard.effects import Notes
from compare.guard.guard import TIMEOUT, Guard
from compare.guard.implementation import (
    GuardedImplementation,
    GuardedStep,
    GuardedUpdate,
    is_update,
)
from compare.guard.optimiser import GuardedOptimiser, takes_momentum
from compare.guard.overlooked import overlooked
from compare.guard.shadowed import refuse_shadows

UPDATE = "update"
DEFAULT_NAME = "loss_and_gradients"
FILE = re.compile(r"(?P<path>.+\.py)(:(?P<name>\w+))?")
MODULE = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>\w+)")
OF_A_PACKAGE = (
    "put an __init__.py into its folder, or give --manual PACKAGE.{}:NAME from the folder above"
)
NAMED = 8
"""How many functions of a file a message lists."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the user handed over: contract 1, contract 2 if there was a `step`, and one record of
    notes that both write into; `reduction`: how several ranks are to add up, if it says so.
    """

    name: str
    implementation: GuardedImplementation | GuardedUpdate
    step: GuardedStep | GuardedOptimiser | None
    record: Notes
    overlooked: tuple[str, ...] = ()
    reduction: Callable[..., Any] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What their code did so far besides returning, and what of it never ran."""
        functions = filter(None, (self.implementation, self.step))
        return self.record.sentences() + tuple(said for one in functions for said in one.unrun)


@dataclass(frozen=True, slots=True)
class Found:
    """A function in its module, read under guard; `chosen`: its name was given."""

    module: ModuleType
    name: str
    function: Callable[..., Any]
    guard: Guard
    chosen: bool

    def step(self) -> Callable[..., Any] | None:
        """The optimiser beside the function, if there is one."""
        found: Callable[..., Any] | None
        found = self.guard.run(lambda: getattr(self.module, "step", None), "reading step", None)
        return found

    @property
    def derivative(self) -> GuardedProduct | GuardedSamples | None:
        """The function under guard if it returns derivatives and no loss.

        An argument `direction` makes it a Hessian-vector product, the name `per_sample_gradients`
        what it says.
        """
        timeout, notes = self.guard.timeout, self.guard.notes
        if is_product(self.function):
            return GuardedProduct(self.function, timeout=timeout, notes=notes)
        if self.name == PER_SAMPLE:
            return GuardedSamples(self.function, timeout=timeout, notes=notes)
        return None


def as_implementation(
    function: Callable[..., Any], timeout: float | None, notes: Notes
) -> GuardedImplementation | GuardedUpdate:
    """Return the function under guard; one that updates the weights itself has no loss yet."""
    if is_update(function):
        return GuardedUpdate(function, lambda *point: math.nan, timeout=timeout)
    return GuardedImplementation(function, timeout=timeout, notes=notes)


def load(
    spec: str, *, timeout: float | None = TIMEOUT, experiment: Experiment | None = None
) -> Loaded:
    """Load `FILE.py`, `FILE.py:NAME` or `package.module:NAME`; NAME is by default
    `loss_and_gradients`. `experiment` declares the optimiser, by default momentum.

    Raises `BadInput` if there is no such file or name, `UserCodeError` if the module cannot be
    executed or what it holds cannot be called as contract 1 says.
    """
    return as_loaded(find(spec, timeout), experiment)


def find(spec: str, timeout: float | None) -> Found:
    """Execute the module and return the function that was named."""
    guard = Guard(timeout=timeout, notes=Notes())
    if match := FILE.fullmatch(spec):
        module = module_from_file(Path(match["path"]), guard)
    elif match := MODULE.fullmatch(spec):
        module = module_by_name(match["module"], guard)
    else:
        raise BadInput(f"--manual {spec}: give FILE.py, FILE.py:NAME or package.module:NAME")
    name = match["name"] or default_name(module)
    function = guard.run(lambda: attribute(module, name, spec), f"reading {name}", None)
    return Found(module, name, function, guard, bool(match["name"]))


def default_name(module: ModuleType) -> str:
    """Return what is checked in a module where no name was given."""
    update = vars(module).get(UPDATE)
    if DEFAULT_NAME in vars(module) or update is None or inspect.isclass(update):
        return DEFAULT_NAME
    return UPDATE if is_update(update) else DEFAULT_NAME


def as_loaded(found: Found, experiment: Experiment | None, *, step: bool = True) -> Loaded:
    """Return what was found as contract 1, with its step as contract 2 unless that is left out."""
    guard, timeout, notes = found.guard, found.guard.timeout, found.guard.notes
    name, function = found.name, found.function
    own_step = found.step() if step else None
    reduction = guard.run(lambda: getattr(found.module, "reduced", None), "reading reduced", None)
    return Loaded(
        name,
        as_implementation(function, timeout, notes),
        None if own_step is None else guarded_step(own_step, experiment, timeout, notes),
        notes,
        overlooked(found.module, function, None if found.chosen else DEFAULT_NAME),
        reduction,
    )


def guarded_step(
    step: Callable[..., Any], experiment: Experiment | None, timeout: float | None, notes: Notes
) -> GuardedStep | GuardedOptimiser:
    """Return a step under guard: contract 2 for plain momentum, contract 10 for all others, and
    for one that takes no momentum where there is none."""
    bare = experiment is not None and not experiment.momentum and not takes_momentum(step)
    if experiment is None or (experiment.plain_momentum and not bare):
        return GuardedStep(step, timeout=timeout, notes=notes)
    settings = experiment.step_settings
    return GuardedOptimiser(step, experiment.optimiser, settings, timeout=timeout, notes=notes)


def module_from_file(path: Path, guard: Guard) -> ModuleType:
    """Execute a file as a module of its own; modules beside it can be imported by it."""
    if not path.is_file():
        raise BadInput(f"--manual {path}: there is no such file")
    root, package = package_of(path)
    refuse_shadows(path, (path.resolve().parent, root))
    with importable(root), importable(path.resolve().parent):
        inside = package if package and imports_relatively(path) else ""
        if inside:
            execute(lambda: importlib.import_module(inside), path, guard)
        name = f"{inside}.{path.stem}" if inside else f"manual_file_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        execute(lambda: spec.loader.exec_module(module), path, guard)  # type: ignore[union-attr]
    return module


def package_of(path: Path) -> tuple[Path, str]:
    """Return the folder above the topmost `__init__.py` over a file, and the package it is in."""
    folder = path.resolve().parent
    names: list[str] = []
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(names)


def imports_relatively(path: Path) -> bool:
    """Whether a file says `from .other import ...`: only its package knows what that is."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError):
        return False
    return any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))


def module_by_name(name: str, guard: Guard) -> ModuleType:
    """Import an installed module, or one below the current folder."""
    with importable(Path.cwd()):
        try:
            execute(lambda: importlib.import_module(name), Path(f"{name}.py"), guard)
        except UserCodeError as error:
            missing = error.__cause__
            if not isinstance(missing, ModuleNotFoundError) or missing.name is None:
                raise
            if not f"{name}.".startswith(f"{missing.name}."):  # one that they import, not they
                raise
            raise BadInput(
                f"--manual {name}: there is no module {missing.name}, neither installed nor here;"
                " a file is given as FILE.py"
            ) from error
    return sys.modules[name]


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Let modules in a folder be found first while theirs is executed, and last from then on.

    Last, because a file of theirs called `torch.py` must not become our torch.
    """
    entry = str(folder)
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
        if entry not in sys.path:
            sys.path.append(entry)


def execute(call: Callable[[], Any], path: Path, guard: Guard) -> None:
    """Run the module's own lines; a failure is a sentence that names the line."""
    try:
        guard.run(call, f"importing {path.name}", Place(str(path), 1))
    except UserCodeError as error:
        if isinstance(error.__cause__, SyntaxError):
            raise UserCodeError(syntax_sentence(error.__cause__, path)) from error
        if isinstance(error.__cause__, ImportError) and "relative import" in str(error.__cause__):
            raise UserCodeError(f"{error}; {OF_A_PACKAGE.format(path.stem)}") from error
        raise


def syntax_sentence(error: SyntaxError, path: Path) -> str:
    """Say where a file stops being Python."""
    place = Place(error.filename or str(path), error.lineno or 1)
    return f"{place.quoted()}: {first_line(error)}; Python cannot read the file"


def attribute(module: ModuleType, name: str, spec: str) -> Callable[..., Any]:
    """Return the function of that name; if there is none, say which there are."""
    function: Callable[..., Any] | None = getattr(module, name, None)
    if inspect.isclass(function):
        raise BadInput(
            f"--manual {spec}: {name} is a class; give a function"
            f" {DEFAULT_NAME}(parameters, x, targets) that uses it"
        )
    if callable(function):
        return function
    if function is not None:
        what = type(function).__name__
        raise BadInput(f"--manual {spec}: {name} is a value of type {what}; give a function")
    there = [key for key, value in vars(module).items() if is_own_function(value, module)]
    if not there:
        raise BadInput(f"--manual {spec}: it defines no {name}, and no other function")
    close = difflib.get_close_matches(name, there, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    listed = ", ".join(there[:NAMED]) + (", ..." if len(there) > NAMED else "")
    raise BadInput(f"--manual {spec}: it defines no {name}{hint} (it defines {listed})")


def is_own_function(value: Any, module: ModuleType) -> bool:
    """True for a function written in that module."""
    return inspect.isfunction(value) and value.__module__ == module.__name__
