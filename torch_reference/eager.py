"""torch's optimisers, without what `torch.compile` puts around their methods.

Whoever builds the first optimiser imports the whole compiler with it: a second and 70 MB (torch
2.13). Nothing is compiled here. The methods below are torch's own, as they are before `wraps`.
"""

from functools import cache
from inspect import unwrap
from typing import Any, TypeVar, cast

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=Optimizer)
WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def eager(kind: type[Kind]) -> type[Kind]:
    """The same optimiser under the same name, that never asks for the compiler."""
    return cast("type[Kind]", without_the_compiler(cast("Any", kind)))


@cache
def without_the_compiler(kind: Any) -> type[Optimizer]:
    """Made once for each class."""
    methods: dict[str, Any] = {name: unwrap(getattr(kind, name)) for name in WRAPPED}
    methods["step"] = torch.no_grad()(unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)
