"""Mistakes in what is declared beside the network of the plain program.

Another loss, an output, smoothing, weights of classes, a penalty, another activation. The plain
program has none of these, so a slip here is shown and not planted: `functions` are its stages in
the textbook pass.
"""

from __future__ import annotations

from compare.mistakes.declared_activations import ACTIVATIONS
from compare.mistakes.declared_head import HEAD
from compare.mistakes.declared_losses import LOSSES
from compare.mistakes.declared_penalties import BESIDE

DECLARED = HEAD + LOSSES + BESIDE + ACTIVATIONS
