"""Every option of `python -m compare.run`, with its help, in the groups of --help.

The settings are the fields of `Experiment`, which declare their limits and their help; what else
there is has one function per group.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import Field, fields
from pathlib import Path
from textwrap import wrap
from typing import Any, NoReturn

from compare.command.option_values import plot_formats, read_by
from compare.command.presets import PRESETS
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.limits import SECONDS, Choice, Flag, Limit, Maybe, Number, Whole
from compare.contracts.setting import LOSS, MACHINE, NETWORK, TRAINING, setting_of
from compare.contracts.spellings import words_of
from compare.contracts.version import version_of

PROGRAM = "python -m compare.run"
SCRIPT = "manual-mlp"
"""The same command as installed for the shell; it works also beside somebody's `compare.py`."""
EXPLAINED = "(--help explains every option)"
OUT = "compare-report"
TIMEOUT = 60.0
IN_A_STUDENTS_FILE = 15.0
"""Seconds that one call of code under test may take unless the user says otherwise."""

DESCRIPTION = """\
Train one network twice, side by side: once by a backward pass derived by hand
in NumPy (the manual side), once by torch's autograd (the reference). The loss
that is compared is softmax cross-entropy over ReLU units, unless --loss,
--output, --activation and their neighbours declare another one. Both start
from the same weights and see the same rows in the same order. At every update
loss, gradients, velocities and weights are compared with what rounding may
explain (the allowance). Without options this takes seconds and needs no file
and no network.
"""

CHECK = """\
Check what somebody wrote: a file with a gradient function, an assignment, a
notebook, a layer, a log of curves, a dump, or folders of these. What each path
is taken for is said first, then everything in it is compared with torch, and
a mistake that reproduces its numbers is named. `check FILE.py:NAME` checks one
function. The options below are those of every check and of a training run;
what is compared is softmax cross-entropy over ReLU units unless --loss,
--output, --activation and their neighbours declare another network.
"""

EPILOG = """\
exit codes:
  0    agrees: rounding explains every difference
  1    disagrees; the report says where first, and by how many × allowance
  2    bad usage or bad input, or code that cannot be read, raised, hung or
       returned no loss and gradient; in one sentence on stderr
  3    undecidable: some check could not have failed at any point of the run,
       something handed in was not compared, or the reference is not finite
  4    internal error: the self-test failed; do not believe the result
  130  interrupted by Ctrl-C; the report covers the updates done

examples:
  python -m compare.run
  python -m compare.run --hidden 30,20 --activation tanh --batch-size 32
  python -m compare.run --preset report --data notMNIST.npz --dtype float32
  python -m compare.run --manual mine.py
  python -m compare.run --starter assignment2.ipynb
  python -m compare.run --layer layer_norm.py
  python -m compare.run --curves log.csv --hidden 30 --learning-rate 0.5
  python -m compare.run check hand-ins/ --out feedback
"""


METAVARS: dict[type[Any], str] = {Whole: "N", Number: "X", Flag: "TRUE|FALSE"}


class Help(argparse.RawDescriptionHelpFormatter):
    """Help texts that do not break `compare-report` at its hyphen."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(text, width, break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are BadInput, one sentence like all the others."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message.removeprefix('argument ')} {EXPLAINED}")

    def flags(self) -> list[str]:
        """Return every option there is."""
        return [flag for action in self._actions for flag in action.option_strings]


def parser(check: bool = False) -> Parser:
    """Return the parser; settings of the experiment are absent from its result unless given.

    `check`: that word stood in front, so the help begins with what it does.
    """
    program = SCRIPT if Path(sys.argv[0]).stem == SCRIPT else PROGRAM
    made = Parser(
        prog=program,
        usage=f"{program} "
        + ("check PATH ... [OPTIONS]" if check else "[OPTIONS] [[check] PATH ...]"),
        description=CHECK if check else DESCRIPTION,
        epilog=EPILOG,
        formatter_class=Help,
        allow_abbrev=False,  # an abbreviation would change its meaning as options are added
    )
    made.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files and folders to check: students' files, notebooks, gradient functions, layers, "
        "dumps. What each is taken for is said; an option below takes it otherwise. Several are "
        f"checked one by one, each with a folder beside {OUT}/index.html and results.csv",
    )
    made.add_argument(
        "--version", action="version", version=f"manual-mlp {version_of('manual-mlp')}"
    )
    add_settings(made)
    add_preset(made)
    add_brought(made)
    add_report(made)
    return made


def add_settings(made: Parser) -> None:
    """Add the options of the experiment, absent from the result unless they are given."""
    groups = {title: made.add_argument_group(title) for title in (NETWORK, LOSS, TRAINING, MACHINE)}
    for field in fields(Experiment):
        declared = setting_of(field)
        groups[declared.group].add_argument(
            flag_of(field.name),
            default=argparse.SUPPRESS,
            type=read_by(declared.limit),
            metavar=declared.metavar or metavar_of(declared.limit),
            help=f"{declared.help} (default: {default_of(field)})",
        )


def flag_of(name: str) -> str:
    """Return the option of a setting: `--batch-size` of `batch_size`."""
    return f"--{name.replace('_', '-')}"


def metavar_of(limit: Limit) -> str | None:
    """Return what --help shows for the value: its words, or a letter for its kind of number."""
    if words := words_of(limit):
        return f"{{{','.join(words)}}}"
    inner = limit.limit if isinstance(limit, Maybe) else limit
    return METAVARS.get(type(inner))


def default_of(field: Field[Any]) -> str:
    """Return what --help says that a setting is where it is not given."""
    return setting_of(field).default_said or str(field.default)


def add_preset(made: Parser) -> None:
    """Add the option that sets several others."""
    group = made.add_argument_group("presets")
    group.add_argument(
        "--preset",
        type=read_by(Choice(tuple(PRESETS))),
        metavar=f"{{{','.join(PRESETS)}}}",
        help="set several options at once; explicit ones win. report: one hidden layer of 1000, "
        "200 full-batch epochs, learning rate 0.1, momentum 0.9, velocity of the weights starting "
        "at 1e-5 (default: none)",
    )


def add_brought(made: Parser) -> None:
    """Add what others wrote: a function, a student's file, a dump, a layer."""
    group = made.add_argument_group(
        "somebody else's work", "Code given here runs with your rights; nothing is a sandbox."
    )
    source = group.add_mutually_exclusive_group()
    for flag, metavar, text in WAYS_IN:
        source.add_argument(flag, action="extend", nargs="+", metavar=metavar, help=text)
        if flag == "--manual":
            add_manual(group)
    for flag, metavar, text in WRITTEN:
        group.add_argument(flag, type=Path, metavar=metavar, help=text)
    group.add_argument(
        "--timeout",
        type=read_by(SECONDS),
        metavar="SECONDS",
        help="how long one call of their code may take "
        f"(default: {TIMEOUT:g}; in a student's file {IN_A_STUDENTS_FILE:g}, and in a gradient "
        "function that is one of several files). Of several files each is stopped after four times "
        f"as long, without this option after {4 * TIMEOUT:g}",
    )


WAYS_IN = (
    (
        "--manual",
        "FILE.py[:NAME]",
        "check this function in place of the manual side, or package.module:NAME: "
        "NAME(parameters, x, targets) -> (loss, gradients), NAME by default loss_and_gradients; a "
        "`step` beside it is checked too. At probe points, in seconds; with --epochs it is "
        "trained (default: our own)",
    ),
    (
        "--starter",
        "FILE",
        "check the functions of an assignment, a .py or .ipynb file, one by one: relu, "
        "softmax, compute_layer, average_ce, grad_ce and gradients whose parameters have clear "
        "names. Of the rest only a training is run, for a few steps over rows of ours; it reads "
        "and writes no file (default: none)",
    ),
    (
        "--dump",
        "FOLDER",
        "check recorded numbers, of any language, step by step (default: none)",
    ),
    (
        "--layer",
        "FILE.py[:NAME]",
        "check one layer, forward and backward, against any torch module or function: the "
        "file defines `manual` (or `forward` and `backward`, or NAME), `reference` and `inputs` "
        "(default: none)",
    ),
    (
        "--curves",
        "FILE.csv",
        "check curves that a program logged, with columns epoch, train_loss, train_accuracy, "
        "validation_loss, ...: the network of the options is trained, and the curves must be its, "
        "epoch by epoch to the last digit; a known mistake of measuring is named (default: none)",
    ),
)
"""The options that say what the given paths are."""
WRITTEN = (
    (
        "--write-adapter",
        "ADAPTER.py",
        "with --starter, write a file for --manual that calls its functions, with the blanks "
        "to fill marked (default: not written)",
    ),
    (
        "--record",
        "FOLDER",
        "write the manual side of the training as a dump (default: not written)",
    ),
)
"""The options that leave a file for another run."""


def add_manual(group: argparse._ArgumentGroup) -> None:
    """Add what a function under test may need besides its name."""
    for name, what in (("inputs", "inputs F"), ("classes", "outputs K")):
        group.add_argument(
            f"--{name}",
            type=read_by(Whole(1)),
            metavar="N",
            help=f"with --manual, the number of {what} of the network; its points are then drawn "
            "and no data is read (default: that of the data)",
        )
    group.add_argument(
        "--per-sample",
        action="store_true",
        help="with --manual, the function takes one sample at a time, x (F,) and targets (K,); "
        "what it returns is added up, or averaged (default: it takes a batch)",
    )


def add_report(made: Parser) -> None:
    """Add what is left behind, and what is said."""
    group = made.add_argument_group("report")
    group.add_argument(
        "--out",
        type=Path,
        default=Path(OUT),
        metavar="FOLDER",
        help="folder for report.json, the plots and report.html, replacing those of an earlier "
        f"run (default: {OUT}, in the current folder)",
    )
    plots = group.add_mutually_exclusive_group()
    plots.add_argument(
        "--plots",
        type=plot_formats,
        default=("png",),
        metavar="FORMATS",
        help="formats of the plots, of png, svg and pdf, with commas between (default: png)",
    )
    plots.add_argument(
        "--no-plots",
        dest="plots",
        action="store_const",
        const=(),
        help="write report.json only, neither plots nor report.html",
    )
    for flag, text in KEPT:
        group.add_argument(flag, type=Path, metavar="FILE", help=text)
    loudness = group.add_mutually_exclusive_group()
    loudness.add_argument("--quiet", action="store_true", help="print the verdict only")
    loudness.add_argument(
        "--verbose", action="store_true", help="print every tensor, finding and weak point"
    )


KEPT = (
    (
        "--junit",
        "also write the checks as JUnit XML, for build servers (default: not written; a "
        "Markdown summary is appended to $GITHUB_STEP_SUMMARY where that is set)",
    ),
    (
        "--baseline",
        "also compare with an earlier run kept by --save-baseline: report settings that changed "
        "and numbers that moved by more than rounding; exit code 1 if there are any (default: "
        "none)",
    ),
    (
        "--save-baseline",
        "keep settings and curves of a run that agrees for --baseline (default: not kept)",
    ),
)
"""The options that keep what a server or a later run reads."""
