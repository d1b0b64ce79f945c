"""What a parameter that is no array stands for, by its name: a count, a strength, a width."""

from __future__ import annotations

import re

from compare.examine.starter.chain import DROPPED, KEPT, RATE, STRENGTH
from compare.examine.starter.slots import PENALTY
from compare.examine.starter.slots import RATE as LEARNING

COUNT = re.compile(r"n|m|num\w*(samples|examples)|batch\w*|nsamples|samples")
SETTINGS = (
    (PENALTY, STRENGTH), (COUNT, "N"), (LEARNING, RATE),
    (re.compile(r"k|c|num\w*class\w*|nclass\w*|classes"), "K"),
    (re.compile(r"keep(?!\w*mask)\w*"), KEPT), (re.compile(r"drop(?!\w*mask)\w*"), DROPPED),
)  # fmt: skip
NUMBERS = frozenset({"N", "F", "H", "K", STRENGTH, RATE, KEPT, DROPPED})
"""What several parameters may mean at once."""
SIZES = {
    "F": frozenset("d f nin ninput ninputs inputsize inputlayersize inputdim nx nfeatures "
                   "numfeatures inputunits inputlayer".split()),
    "H": frozenset("h nh nhid nhidden hiddensize hiddenlayersize hiddendim numhidden hidden "
                   "hiddenunits hiddenlayer nhiddenunits".split()),
    "K": frozenset("k c nout noutput noutputs outputsize outputlayersize outputdim ny nlabels "
                   "numlabels nclasses numclasses classes outputunits outputlayer".split()),
}  # fmt: skip
"""What people call the widths of the layers, without underscores."""


def setting_named(key: str) -> str:
    """Which number a name, without underscores, stands for; empty for none."""
    return next((value for form, value in SETTINGS if form.fullmatch(key)), "")


def size_named(key: str) -> str:
    """Which width a name, without underscores, stands for; empty for none."""
    return next((size for size, names in SIZES.items() if key in names), "")
