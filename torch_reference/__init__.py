"""The reference: the network in torch.nn, differentiated by autograd, updated by torch.optim.SGD.

Read `layout.py` (NumPy in, NumPy out), `network.py`, `criterion.py` (losses and penalties),
`reference.py` (loss and gradients at a point), `optimiser.py` (one step), `trainer.py` (a whole
run) and `parallel.py` (the same on several ranks), in this order; `optimisers.py` holds the other
classes of torch.optim. Nothing here knows the manual side.
"""

from torch_reference.criterion import Criterion, Penalty
from torch_reference.optimiser import FORMS, step
from torch_reference.optimisers import Recipe, optimiser_step
from torch_reference.parallel import train_in_parallel
from torch_reference.records import Evaluation, Record
from torch_reference.reference import Reference
from torch_reference.trainer import train

__all__ = [
    "FORMS",
    "Criterion",
    "Evaluation",
    "Penalty",
    "Recipe",
    "Record",
    "Reference",
    "optimiser_step",
    "step",
    "train",
    "train_in_parallel",
]
