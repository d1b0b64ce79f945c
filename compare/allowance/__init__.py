"""What rounding may explain: the allowance of every number that two correct sides compute.

`arithmetic` states the one constant; `sums` says what a sum rounds, `partial` how its partial sums
are looked at, `softmax` and `rules` what stands between two sums; `batch` holds what follows from
the data alone, `operands` what is read of the factors of a product, `spread` a whole matrix of
squared allowances, `dense` or as factors of low rank; `walk` goes forward and back through the
network with them, `swept` block by block of rows where a batch is long.
"""

from compare.allowance.arithmetic import LAMBDA, Arithmetic
from compare.allowance.batch import Batch
from compare.allowance.found import Allowances, ForwardAllowances
from compare.allowance.network import forward_allowances, network_allowances

__all__ = [
    "LAMBDA",
    "Allowances",
    "Arithmetic",
    "Batch",
    "ForwardAllowances",
    "forward_allowances",
    "network_allowances",
]
