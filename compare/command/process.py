"""Code under test runs in a process of its own, whose parent alone tells the shell an exit code.

`os._exit(0)` in a function, or in something it left to be done at the end, would be exit code 0
without a verdict. So the child says its code through a pipe once its report is written, and a child
that ends without a word is an error. Where the system cannot fork, everything runs in one process.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

FOREIGN = ("--manual", "--starter", "--layer", "check")
"""The options, and the word, that bring code of others."""
PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP")
CRASHES = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT")
"""What compiled code under test ends a process with; any other signal came from outside."""


def door() -> int:
    """Run the command with the arguments of the process, apart if it runs code of others."""
    spare_the_collector()
    from compare.command.main import main

    arguments = sys.argv[1:]
    foreign = any(
        word.partition("=")[0] in FOREIGN or word.endswith((".py", ".ipynb")) or os.path.isdir(word)
        for word in arguments
    )
    return apart(main, arguments) if foreign and hasattr(os, "fork") else main(arguments)


def spare_the_collector() -> None:
    """Let the collector of cycles come round less often, and not once more at the very end.

    Most of what a command makes are the modules it imports, which live to its end; walking over
    them again and again, and a last time when everything goes anyway, took a quarter of the time.
    """
    gc.set_threshold(50_000, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)


def apart(run: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run in a child; return the code it said, or what its silence means."""
    heard, said = os.pipe()
    signals = {getattr(signal, name) for name in (*PASSED_ON, "SIGCHLD")}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(heard)
        end_with(parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        return said_by(run, arguments, said)
    os.close(said)
    status = wait_for(child, signals)
    os.set_blocking(heard, False)  # a process that theirs left behind may hold the other end
    try:
        word = os.read(heard, 16).decode()
    except BlockingIOError:
        word = ""
    return int(word) if word.isdecimal() else ended(status, arguments)


def said_by(run: Callable[[Sequence[str]], int], arguments: Sequence[str], said: int) -> int:
    """Run in the child and say the exit code to the parent."""
    try:
        code = int(run(arguments))
    except SystemExit as leaving:  # --help and --version
        code = int(leaving.code or 0)
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError):  # closed by the code under test
        os.write(said, str(code).encode())
    return code


def wait_for(child: int, signals: set[signal.Signals]) -> int:
    """Wait for the child's end and return its status; pass on signals meant for this process.

    What the terminal sends goes to both processes already.
    """
    while True:
        if hasattr(signal, "sigwaitinfo"):
            found = signal.sigwaitinfo(signals)
            number, from_terminal = found.si_signo, found.si_code > 0
        else:
            number, from_terminal = signal.sigwait(signals), False
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
        elif not from_terminal:
            with suppress(ProcessLookupError):
                os.kill(child, number)


def end_with(parent: int) -> None:
    """Ask the system, where it is Linux, to stop this process when its parent is killed."""
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def ended(status: int, arguments: Sequence[str]) -> int:
    """Say that the code under test ended everything; leave a report of that."""
    from compare.command.main import leave_report_of

    if os.WIFSIGNALED(status):
        number = signal.Signals(os.WTERMSIG(status))
        if number.name not in CRASHES:
            return 128 + number
        how = f"crashed ({number.name})"
    else:
        how = f"ended the process itself, with exit status {os.waitstatus_to_exitcode(status)}"
    return leave_report_of(f"the code under test {how}, so there is no verdict", arguments)
