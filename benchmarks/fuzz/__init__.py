"""Attempts to break the product: mutated inputs, command lines, hostile code, signals.

python -m benchmarks.fuzz            everything: hours on two cores, `--part` for one of the four
python -m benchmarks.fuzz --quick    a few of each in at most 20 seconds, for CI

    kept.py        what a process under attack may do, and the tally of what it did
    inputs.py      files and folders with bytes, numbers, names and structure changed
    lines.py       command lines
    hostile.py     code under test that misbehaves
    signals.py     interruptions at random moments
    __main__.py    the figures

Counted are false greens (exit code 0 although something was changed that the reader knows to be
wrong), tracebacks, hangs above ten seconds of CPU, and lost reports.
"""
