"""What rounding may explain: the allowance of every number that two correct sides compute.

`arithmetic` states the one constant; `rules` holds one rule per operation; `spread` holds a whole
matrix of squared allowances, dense or as low-rank factors; `network` walks the forward and backward
pass with them; `step` does the same for one update of the optimiser.
"""

from compare.allowance.arithmetic import LAMBDA, Arithmetic
from compare.allowance.network import (
    Allowances,
    ForwardAllowances,
    forward_allowances,
    network_allowances,
)

__all__ = [
    "LAMBDA",
    "Allowances",
    "Arithmetic",
    "ForwardAllowances",
    "forward_allowances",
    "network_allowances",
]
