"""`python -m compare.run`: from options to an exit code.

A thin face over `compare.run_training`: it reads the options, shows the progress, prints and
saves the Result. Up here stands the standard library only; the rest is imported when it is
needed, so that --help answers at once and Ctrl-C is heard while torch is still loading.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from compare.errors import BadInput
from compare.interruption import Interruption

if TYPE_CHECKING:
    from compare.experiment import Experiment
    from compare.result import Result
    from compare.side_by_side import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default those of the process; return the exit code."""
    speak_plainly()
    with Interruption() as interruption:
        from compare.options import parse
        from compare.result import ExitCode

        try:
            return command(parse(arguments), interruption)
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED
        except BadInput as problem:
            sentence = str(problem)
        except MemoryError as problem:
            sentence = f"there is not enough memory for this network and data: {problem}"
    print(f"error: {sentence}", file=sys.stderr)
    return ExitCode.BAD_INPUT


def speak_plainly() -> None:
    """Let an output that cannot show × or – replace it, instead of ending in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def command(options: argparse.Namespace, interruption: Interruption) -> int:
    """Train and compare, print, save; return the exit code."""
    from compare.report.folder import check_folder

    check_folder(options.out, "--out")
    result = train(options, interruption)
    try:
        show_and_save(result, options)
        result = draw(result, options, interruption)
    except OSError as problem:
        raise BadInput(f"the report could not be written: {problem}") from problem
    return result.exit_code


def train(options: argparse.Namespace, interruption: Interruption) -> Result:
    """Return what the run found, if Ctrl-C was pressed of the updates done until then."""
    from rich.console import Console

    from compare.report.progress import progress_line

    with progress_line(Console(stderr=True, quiet=options.quiet)) as show_progress:
        from compare.side_by_side import run_training  # torch takes its time

        def on_update(now: Progress) -> None:
            show_progress(now)
            interruption.meet()

        try:
            with interruption.raised_at(2):
                interruption.meet()
                result = run_training(options.experiment, on_update=on_update)
        except KeyboardInterrupt:
            result = nothing_compared(options.experiment)
    return replace(result, interrupted=result.interrupted or interruption.requested)


def nothing_compared(experiment: Experiment) -> Result:
    """Return the result of a run that was stopped before its first update."""
    from compare.environment import environment
    from compare.result import Result, Verdict

    return Result(
        verdict=Verdict.UNDECIDABLE,
        kind=None,
        settings=experiment.as_settings(),
        environment=environment(experiment.device),
        sentence="undecidable: nothing was compared",
        interrupted=True,
    )


def show_and_save(result: Result, options: argparse.Namespace) -> None:
    """Print `result` and write report.json."""
    from compare.report.folder import write_report
    from compare.report.terminal import Terminal, show, show_verdict

    if options.quiet:
        show_verdict(result, Terminal())
    else:
        show(result, Terminal(), verbose=options.verbose)
    write_report(result, options.out)


def draw(result: Result, options: argparse.Namespace, interruption: Interruption) -> Result:
    """Draw the plots and the page, and say where everything is.

    Whoever stops this has the whole report.json; it and the returned result then say so.
    """
    from compare.report import folder
    from compare.report.terminal import Terminal, show_files

    files = [options.out / folder.REPORT]
    try:
        with interruption.raised_at(1):
            if interruption.requested and not result.interrupted:
                raise KeyboardInterrupt
            if options.plots:
                files += folder.draw(result, options.out, options.plots)
    except KeyboardInterrupt:
        result = replace(result, interrupted=True)
        folder.write_report(result, options.out)
    if not options.quiet:
        show_files(files, Terminal())
    return result


if __name__ == "__main__":
    sys.exit(main())
