"""Work in a child process: whatever it does to the interpreter, the verdict is still ours to give.

Some aten operation crashes on some argument, whoever calls it; a process that has ended cannot say
so. The child is a fork, so that any function can be handed over. Where a process cannot be forked
safely (anywhere but Linux), or torch's own engine refuses to work in one, the work is done here.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import pickle
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import torch
import torch.fx.experimental.symbolic_shapes  # torch does at its first gradient: not in every fork

from compare.contracts.errors import BadInput

Value = TypeVar("Value")
FORKS = sys.platform == "linux"
"""Whether a process that has threads can be forked here."""
REFUSED = "fork"
"""A word in the sentence by which torch's engine refuses to run after a fork."""


class Crashed(Exception):
    """The child ended, or was ended, without an answer; the message says how."""


class TooLong(Crashed):
    """The child was ended because its time was up."""


def in_child(work: Callable[[], Value], timeout: float | None) -> Value:
    """Return `work()`, computed in a child process on one thread.

    Errors: what `work` raised as `BadInput`; `Crashed` if there is no answer.
    """
    if not FORKS:
        return here(work)
    kind, content = answer_of(work, timeout)
    if kind == "value":
        value, loaded = pickle.loads(content)
        load(loaded)
        return value  # type: ignore[no-any-return]  # what `work` returned
    text = content.decode()
    if kind == "bad input":
        raise BadInput(text)
    if REFUSED in text and "autograd" in text:
        return here(work)
    raise Crashed(text)


def load(modules: list[str]) -> None:
    """Load the parts of torch that a child had to load, so that the next one has them.

    A rule for a rare operation may take a second to load, and is asked for in ten children.
    """
    for name in modules:
        with suppress(Exception):  # then every child loads it for itself
            importlib.import_module(name)


def here(work: Callable[[], Value]) -> Value:
    """Work in this process, on one thread, with the errors of a child."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return work()
    except BadInput:
        raise
    except (Exception, SystemExit) as error:
        raise Crashed(f"{type(error).__name__}: {error}") from error
    finally:
        torch.set_num_threads(threads)


def answer_of(work: Callable[[], Any], timeout: float | None) -> tuple[str, bytes]:
    """Fork, let the child work, and return its answer: a kind and its content."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
        pid = os.fork()
    if pid == 0:
        os.close(reading)
        answer_and_end(work, writing)
    os.close(writing)
    try:
        message = read_all(reading, timeout)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        os.close(reading)
    _, status = os.waitpid(pid, 0)
    kind, _, content = message.partition(b"\n")
    if not content:
        return "crashed", ended(status).encode()
    return kind.decode(), content


def answer_and_end(work: Callable[[], Any], writing: int) -> None:
    """Be the child: work, answer, and end without any of the parent's goodbyes."""
    try:
        faulthandler.disable()  # a crash is told by us, in one sentence
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        torch.set_num_threads(1)
        kind, content = b"value", b""
        before = set(sys.modules)
        try:
            value = work()
            loaded = [one for one in sys.modules if one not in before and one.startswith("torch.")]
            content = pickle.dumps((value, loaded))
        except BadInput as problem:
            kind, content = b"bad input", str(problem).encode()
        except BaseException as error:
            kind, content = b"failed", f"{type(error).__name__}: {error}".encode()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(kind + b"\n" + content)
    finally:
        os._exit(0)


def read_all(reading: int, timeout: float | None) -> bytes:
    """Return everything the child writes; `Crashed` when the time is up."""
    end = None if timeout is None else time.monotonic() + timeout
    parts: list[bytes] = []
    while True:
        left = None if end is None else max(0.0, end - time.monotonic())
        if not select.select([reading], [], [], left)[0]:
            raise TooLong(f"it did not finish within {timeout:g} s")
        part = os.read(reading, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)


def ended(status: int) -> str:
    """Say how a child ended that gave no answer."""
    if os.WIFSIGNALED(status):
        return f"the process was ended by signal {os.WTERMSIG(status)}"
    return f"the process ended with status {os.waitstatus_to_exitcode(status)}"
