"""What a user's function does besides returning: caught, said once, undone.

Printing would tear the progress bar, a reseeded generator would change what comes after, a
changed error state would silence the next overflow. None of it may reach us; all of it is noted,
because in a backward pass most of it is a surprise to its author too.
"""

from __future__ import annotations

import io
import os
import random
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import numpy as np

from compare.guard.blame import Place, last_place, places_of_frame
from compare.guard.generators import global_generators
from compare.guard.pictures import no_pictures

ELSEWHERE = 20771
"""Where random generators are started to see whether the code draws from them."""
MOVED = "global random state"
SHOWN = 60
"""Characters of printed text that a note quotes."""


class Notes:
    """Sentences in the order they first came up; one said again is only counted."""

    def __init__(self) -> None:
        self._sentences: dict[str, str] = {}
        self._times: dict[str, int] = {}

    def add(self, sentence: str, *, about: str = "") -> None:
        """Note a sentence; of several `about` the same thing the first one stays."""
        about = about or sentence
        self._sentences.setdefault(about, sentence)
        self._times[about] = self._times.get(about, 0) + 1

    def sentences(self) -> tuple[str, ...]:
        """Return the notes, each with how often it was made."""
        return tuple(
            sentence if self._times[about] == 1 else f"{sentence} ({self._times[about]:,} times)"
            for about, sentence in self._sentences.items()
        )


class Printed(io.TextIOBase):
    """A stream that keeps the first line written to it, where from, and how many there were."""

    def __init__(self, home: Place | None) -> None:
        super().__init__()
        self.home = home
        self.place: Place | None = None
        self.first = ""
        self.lines = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.lines == 0 and len(self.first) <= SHOWN:
            self.first += text[: SHOWN + 1]
            self.place = self.place or last_place(places_of_frame(sys._getframe(1)), self.home)
        self.lines += text.count("\n")
        return len(text)

    def note(self, who: str, notes: Notes) -> None:
        """Note what was printed, if anything."""
        line = self.first.partition("\n")[0].strip()[:SHOWN]
        if self.first:
            what = f"{who} prints, first {line!r} at {self.place}; it is kept off the screen"
            notes.add(what, about=f"{who} prints")


ONE_AT_A_TIME = threading.Lock()
"""Output, warnings and the current folder belong to the process, so one thread has them at once."""
INSIDE: ContextVar[bool] = ContextVar("INSIDE", default=False)
"""Whether this thread of work holds the lock already: code under test may call a check itself."""


@contextmanager
def alone() -> Iterator[None]:
    """Let no other thread's call change what belongs to the process meanwhile."""
    if INSIDE.get():
        yield
        return
    with ONE_AT_A_TIME:
        token = INSIDE.set(True)
        try:
            yield
        finally:
            INSIDE.reset(token)


@contextmanager
def contained(who: str, home: Place | None, notes: Notes) -> Iterator[None]:
    """Run a block of the user's code as if it did nothing but compute."""
    printed = Printed(home)
    with (
        alone(),
        generators_kept(who, home, notes),
        folder_kept(who, home, notes),
        gradients_kept(who, home, notes),
        no_pictures(who, home, notes.add),
        redirect_stdout(printed),
        redirect_stderr(printed),
        warnings.catch_warnings(record=True) as caught,
        np.errstate(all="warn", under="ignore"),
        interpreter_kept(who, home, notes),
    ):
        warnings.simplefilter("always")
        before = np.geterr()
        try:
            yield
        finally:
            if np.geterr() != before:
                notes.add(f"{who} changes NumPy's error state ({home}); it was put back")
    printed.note(who, notes)
    for warning in caught:
        place = Place(warning.filename, warning.lineno)
        kind, text = warning.category.__name__, str(warning.message).partition("\n")[0]
        what = f"{who} warns: {kind}: {text} at {place.quoted()}"
        notes.add(what, about=f"{who} warns {kind} {place}")


@contextmanager
def interpreter_kept(who: str, home: Place | None, notes: Notes) -> Iterator[None]:
    """Put the depth of recursion and the loaded modules back.

    Innermost of all: what is put back after this needs both.
    """
    depth, (state, loaded) = sys.getrecursionlimit(), modules_loaded()
    try:
        yield
    finally:
        if sys.getrecursionlimit() != depth:
            sys.setrecursionlimit(depth)
            notes.add(f"{who} changes the limit of recursion ({home}); it was put back")
        if state_of_modules() != state and not loaded.keys() <= sys.modules.keys():
            sys.modules.update(loaded)
            notes.add(f"{who} removes loaded modules ({home}); they were put back")


Modules = dict[str, ModuleType]
KEPT: dict[tuple[int, str], Modules] = {}
"""The modules as they were last copied: two thousand entries, and few calls load another."""


def modules_loaded() -> tuple[tuple[int, str], Modules]:
    """Return the loaded modules and the state they are in."""
    state = state_of_modules()
    if state not in KEPT:
        KEPT.clear()
        KEPT[state] = dict(sys.modules)
    return state, KEPT[state]


def state_of_modules() -> tuple[int, str]:
    """Return how many modules are loaded and which came last: whoever removes one and loads
    another changes one of the two."""
    return len(sys.modules), next(reversed(sys.modules), "")


@contextmanager
def folder_kept(who: str, home: Place | None, notes: Notes) -> Iterator[None]:
    """Come back to the current folder: relative paths of ours are meant from there."""
    before = where_now()
    try:
        yield
    finally:
        if before is not None and where_now() != before:
            os.chdir(before)
            notes.add(f"{who} changes the current folder ({home}); it was put back")


def where_now() -> str | None:
    """Return the current folder, None if it is no more."""
    try:
        return os.getcwd()
    except OSError:
        return None


@contextmanager
def gradients_kept(who: str, home: Place | None, notes: Notes) -> Iterator[None]:
    """Put torch's gradient mode back, without which the reference has no gradient."""
    torch: Any = sys.modules.get("torch")
    before = torch.is_grad_enabled() if hasattr(torch, "is_grad_enabled") else None
    try:
        yield
    finally:
        torch = sys.modules.get("torch")
        now = torch.is_grad_enabled() if hasattr(torch, "is_grad_enabled") else None
        wanted = True if before is None else before
        if now is not None and now != wanted:
            torch.set_grad_enabled(wanted)
            notes.add(f"{who} switches torch's gradients off ({home}); they were put back")


@contextmanager
def generators_kept(who: str, home: Place | None, notes: Notes) -> Iterator[None]:
    """Put every global random generator back to where it stood, and say which one had moved."""
    before = [(one, one.read()) for one in global_generators()]
    try:
        yield
    finally:
        for one, state in before:
            if not one.same(state, one.read()):
                one.write(state)
                notes.add(f"a call of {who} ({home}) moves {one.name}'s {MOVED}; it was put back")


@contextmanager
def another_random_state() -> Iterator[None]:
    """Let every global random generator begin elsewhere, and put it back afterwards."""
    with generators_kept("", None, Notes()):
        random.seed(ELSEWHERE)
        np.random.seed(ELSEWHERE)  # noqa: NPY002  the code under test draws from it
        torch: Any = sys.modules.get("torch")
        if hasattr(torch, "manual_seed"):
            torch.manual_seed(ELSEWHERE)
        yield
