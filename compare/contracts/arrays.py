"""The array types that `compare` speaks of, one name each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""In the format of the run, or of whoever hands it in."""
Arrays = dict[str, Array]
"""Parameters, gradients, states: arrays by name."""
Real = NDArray[np.floating]
"""In a floating format."""
Float = NDArray[np.float64]
"""In float64, in which allowances are computed."""
Mask = NDArray[np.bool_]
Values = Mapping[str, Real]
"""What a pass computed, by name, to be read."""
