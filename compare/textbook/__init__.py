"""The textbook: the network's derivation once more, on pairs (value, allowance).

`pair` is the arithmetic, `functions` what is not arithmetic, `network` one evaluation as named
stages, `step` one update of the optimiser. A mistake overrides a stage, and the allowance of the
*mistaken* computation falls out of the same rules.
"""

from compare.textbook.network import RIGHT, Override, Pass, Window
from compare.textbook.pair import Pair, exact
from compare.textbook.point import Point

__all__ = ["RIGHT", "Override", "Pair", "Pass", "Point", "Window", "exact"]
