"""`python -m compare.run`: from options to an exit code.

A thin face over `compare.run_training`: it reads the options, shows the progress, prints and
saves the Result. Up here stands the standard library only; the rest is imported when it is
needed, so that --help answers at once and Ctrl-C is heard while torch is still loading.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from compare.command.idle_threads import let_idle_threads_sleep
from compare.command.interruption import Interruption
from compare.contracts.errors import BadInput
from compare.contracts.visible import visible
from compare.guard.patience import one_check

if TYPE_CHECKING:
    from compare.command.outcome import Outcome
    from compare.contracts.experiment import Experiment
    from compare.contracts.result import Result
    from compare.examine.training import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default those of the process; return the exit code."""
    speak_plainly()
    let_idle_threads_sleep()
    given = sys.argv[1:] if arguments is None else list(arguments)
    with Interruption() as interruption:
        return answered(lambda: started(given, interruption), given)


def answered(run: Callable[[], int], given: Sequence[str] = ()) -> int:
    """Return the exit code of `run`; whatever ends it early becomes one sentence and its code.

    `given` are the words of the command, among which an annotation looks for the file to blame.
    """
    from compare.contracts.result import ExitCode

    home = os.getcwd()
    try:
        return run()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BadInput as problem:
        sentence = str(problem)
    except MemoryError as problem:
        sentence = (
            f"there is not enough memory for this network and data: {problem}; a smaller "
            "--batch-size needs less"
        )
    except Exception:
        traceback.print_exc()
        print("internal error: the code given was not judged", file=sys.stderr)
        return ExitCode.CONTROL_FAILED
    print(f"error: {which_rank()}{visible(sentence)}", file=sys.stderr)
    leave_word_of(sentence, given, home)
    return ExitCode.BAD_INPUT


def leave_word_of(sentence: str, given: Sequence[str], home: str) -> None:
    """Tell a build server what ended the command: an annotation, and the file of --junit.

    `home` is the folder in which the command began: code under test may have left it.
    """
    from compare.command.files import junit_of
    from compare.report import annotations, junit

    if given and annotations.wanted():
        print(annotations.of_sentence(sentence, given))
    path = junit_of(given, home)
    if path is not None and reports():
        with suppress(OSError):
            junit.write_failure(visible(sentence), path)


def which_rank() -> str:
    """Name this process where it is one of several."""
    from compare.examine.ranks import launched

    ranks = launched()
    return "" if ranks is None else f"rank {ranks.rank}: "


def started(arguments: Sequence[str], interruption: Interruption) -> int:
    """Read the options and check what they name: one thing, or many one by one."""
    from compare.command.options import parse

    options = parse(arguments)
    if len(options.tasks) > 1:
        from compare.command.many import check_many
        from compare.report.folder import check_folder

        check_folder(options.out, "--out")
        one = partial(command, interruption=interruption)
        return check_many(options, lambda mine: answered(lambda: one(mine)), interruption.meet)
    if options.paths and not options.quiet:
        print(options.tasks[0].words())
    return command(options, interruption)


def speak_plainly() -> None:
    """Let an output that cannot show × or – replace it, instead of ending in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@one_check()
def command(options: argparse.Namespace, interruption: Interruption) -> int:
    """Train and compare, save, print; return the exit code.

    The report is written before anything is printed: what prints may be closed or full.
    """
    from compare.command.files import check_files
    from compare.command.outcome import outcome
    from compare.command.typed import command_line

    if not reports():
        options.quiet = True
        train(options, interruption)
        return 0
    check_files(options)
    result = called(train(options, interruption), options.called)
    found = outcome(result, options.baseline, options.save_baseline, options.trouble)
    found = replace(found, command=command_line(options))
    try:
        save(found, options)
    except OSError as problem:
        reason = f"the report could not be written: {problem}"
        found = replace(found, trouble="; ".join(filter(None, [found.trouble, reason])))
        tell(found, options)
        return found.exit_code
    tell(found, options)
    try:
        found = draw(found, options, interruption)
        append_summary(found)
    except OSError as problem:
        raise BadInput(f"the report could not be written: {problem}") from problem
    return found.exit_code


def called(result: Result, name: str) -> Result:
    """Return a result under the name that its file has among many, `ana/main.py`."""
    if not name:
        return result
    key = "data" if result.settings.get("mode") in ("starter", "dump") else "manual"
    return replace(result, settings={**result.settings, key: name})


def reports() -> bool:
    """Whether this process writes the report: of several ranks only the first does."""
    from compare.examine.ranks import launched

    ranks = launched()
    return ranks is None or ranks.rank == 0


def tell(found: Outcome, options: argparse.Namespace) -> None:
    """Print everything, as far as there is still somewhere to print to."""
    with suppress(OSError, ValueError):  # closed by the code under test
        show(found.result, options)
        show_baseline(found, options)
        annotate(found, options)


def leave_report_of(end: str, arguments: Sequence[str]) -> int:
    """Write and print the report of a run that was ended from within; return the exit code."""
    from compare.command.files import check_files
    from compare.command.options import parse
    from compare.command.outcome import Outcome
    from compare.contracts.result import ExitCode
    from compare.report import annotations

    print(f"error: {which_rank()}{visible(end)}", file=sys.stderr)
    if not reports():  # the first rank hears that this one ended, and writes what it has compared
        return ExitCode.BAD_INPUT
    if annotations.wanted():
        print(annotations.of_sentence(end, arguments))
    try:
        options = parse(arguments)
        check_files(options)
        result = replace(nothing_compared(options.experiment), interrupted=False, failure=end)
        if len(options.tasks) <= 1:  # of many, each has its report
            save(Outcome(result), options)
    except (BadInput, OSError):  # said by the child already
        pass
    return ExitCode.BAD_INPUT


def train(options: argparse.Namespace, interruption: Interruption) -> Result:
    """Return what the run found, if Ctrl-C was pressed of the updates done until then."""
    from rich.console import Console

    from compare.report.progress import progress_line

    with progress_line(Console(stderr=True, quiet=options.quiet)) as show_progress:
        from compare.command.jobs import judge_it  # torch takes its time

        def on_update(now: Progress) -> None:
            show_progress(now)
            interruption.meet()

        try:
            with interruption.raised_at(2):
                interruption.meet()
                result = judge_it(options, on_update)
        except KeyboardInterrupt:
            result = nothing_compared(options.experiment)
    return replace(result, interrupted=result.interrupted or interruption.requested)


def nothing_compared(experiment: Experiment) -> Result:
    """Return the result of a run that was stopped before its first update."""
    from compare.contracts.result import Result, Verdict
    from compare.examine.environment import environment

    return Result(
        verdict=Verdict.UNDECIDABLE,
        kind=None,
        settings=experiment.as_settings(),
        environment=environment(experiment.device),
        sentence="undecidable: nothing was compared",
        interrupted=True,
    )


def show(result: Result, options: argparse.Namespace) -> None:
    """Print `result` as fully as it is wanted, and what ended it early."""
    from compare.report import terminal

    if options.quiet:
        terminal.show_verdict(result, terminal.Terminal())
    else:
        terminal.show(result, terminal.Terminal(), verbose=options.verbose)
    if result.failure is not None:
        print(f"error: {visible(result.failure)}", file=sys.stderr)


def show_baseline(found: Outcome, options: argparse.Namespace) -> None:
    """Print how the run stands against the baseline, and what was wrong with the baseline."""
    from compare.report import terminal

    if found.against is not None:
        terminal.show_baseline(found.against, terminal.Terminal(), quiet=options.quiet)
    if found.trouble is not None:
        print(f"error: {visible(found.trouble)}", file=sys.stderr)


def annotate(found: Outcome, options: argparse.Namespace) -> None:
    """Print what a GitHub workflow shows beside the code, where one is running."""
    from compare.command.given import WAYS
    from compare.report import annotations

    if not annotations.wanted():
        return
    file = next((str(path) for way in WAYS if (path := getattr(options, way))), "")
    moved = found.against.sentence() if found.against and found.against.exit_code else None
    for line in annotations.lines(found.result, file, filter(None, (moved, found.trouble))):
        print(line)


def save(found: Outcome, options: argparse.Namespace) -> None:
    """Write everything that a program reads."""
    from compare.report import folder

    folder.write_report(found.result, options.out, **found.extra)
    if options.junit:
        from compare.report import junit

        junit.write(found.result, options.junit)


def append_summary(found: Outcome) -> None:
    """Append the summary for a build server's page, where one is wanted."""
    from compare.report import summary

    summary.append(found.result)


def draw(found: Outcome, options: argparse.Namespace, interruption: Interruption) -> Outcome:
    """Draw the plots and the page, and say where everything is.

    Whoever stops this has the whole report.json; it and the returned outcome then say so.
    """
    from compare.report import folder
    from compare.report.terminal import Terminal, show_files

    files = [options.out / folder.REPORT]
    try:
        with interruption.raised_at(1):
            if interruption.requested and not found.result.interrupted:
                raise KeyboardInterrupt
            if options.plots:
                files += folder.draw(found.result, options.out, options.plots, **found.extra)
    except KeyboardInterrupt:
        found = found.interrupted()
        save(found, options)
    if not options.quiet:
        with suppress(OSError, ValueError):
            show_files(files, options.said_out, Terminal())
    return found
