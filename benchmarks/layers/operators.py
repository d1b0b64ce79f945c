"""How general the pass is: torch's own database of operators, forward and backward.

Every differentiable entry with a small sample is analysed in a child process; it is covered where
the pass finishes, returns the operator's own numbers, and meets no operation without a rule.
"""

from __future__ import annotations

import importlib.util
import sys
import types
import unittest
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from compare.layers.analysis import Analysis
from compare.layers.child import Crashed, in_child
from compare.layers.formats import FORMATS
from compare.layers.program import as_written

ENTRIES = 2000
"""A sample has fewer numbers than this."""


@dataclass(frozen=True)
class Entry:
    """One operator: whether the pass finished, what had no rule, and what failed."""

    name: str
    finished: bool
    unruled: tuple[str, ...] = ()
    failed: str | None = None
    crashed: bool = False

    @property
    def covered(self) -> bool:
        """Whether every operation had a rule."""
        return self.finished and not self.unruled


def entries(*, functional: bool = True, timeout: float = 25.0) -> Iterator[Entry]:
    """Judge the database, or only `torch.nn.functional` of it."""
    stand_in_for_expecttest()
    from torch.testing._internal.common_methods_invocations import op_db

    for operator in op_db:
        if not operator.supports_autograd or torch.float64 not in operator.dtypes:
            continue
        if functional and not operator.name.startswith("nn."):
            continue
        try:
            found = in_child(lambda operator=operator: entry(operator), timeout)  # type: ignore[misc]  # defaults of a lambda
        except Crashed as crash:
            found = Entry(
                name_of(operator), False, failed=str(crash), crashed="signal" in str(crash)
            )
        if found is not None:
            yield found


def stand_in_for_expecttest() -> None:
    """Torch's tests import a package of their own that is not needed for their samples."""
    if "expecttest" not in sys.modules and importlib.util.find_spec("expecttest") is None:
        stand_in = types.ModuleType("expecttest")
        stand_in.TestCase = unittest.TestCase  # type: ignore[attr-defined]  # all that is looked up
        sys.modules["expecttest"] = stand_in


def name_of(operator: Any) -> str:
    """Return the name of an entry, with its variant."""
    variant = operator.variant_test_name
    return f"{operator.name}.{variant}" if variant else str(operator.name)


def entry(operator: Any) -> Entry | None:
    """Run the samples of one operator; None if none of them can be run at all."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    samples = list(operator.sample_inputs("cpu", torch.float64, requires_grad=True))
    small = [s for s in samples if size_of(s) < ENTRIES]
    unruled: set[str] = set()
    runs = 0
    for sample in (small[:14:13] or samples[:1])[:2]:
        try:
            plain = run(operator, sample)
        except Exception:  # a sample that torch itself does not run
            continue
        if plain is None:
            continue
        analysis = Analysis(FORMATS["float64"])
        try:
            with as_written(), analysis:
                found = run(operator, sample)
        except Exception as error:
            return Entry(name_of(operator), False, failed=f"{type(error).__name__}: {error}"[:90])
        if found is None or not all(map(same, found, plain)):
            return Entry(name_of(operator), False, failed="other numbers than the operator's own")
        unruled |= analysis.unruled
        runs += 1
    return Entry(name_of(operator), True, tuple(sorted(unruled))) if runs else None


def same(one: Tensor, other: Tensor) -> bool:
    """Return whether two results are equal up to float64's rounding."""
    return torch.allclose(one, other, rtol=1e-9, atol=1e-11, equal_nan=True)


def size_of(sample: Any) -> int:
    """Return how many numbers a sample has."""
    leaves = tree_flatten((sample.input, sample.args, sample.kwargs))[0]
    return sum(leaf.numel() for leaf in leaves if isinstance(leaf, Tensor))


def run(operator: Any, sample: Any) -> list[Tensor] | None:
    """Return outputs and gradients of one sample; None if it has none."""

    def lead(leaf: Any) -> Any:
        floating = isinstance(leaf, Tensor) and leaf.dtype is torch.float64
        return leaf.detach().clone().requires_grad_() if floating else leaf

    given, args, kwargs = tree_map(lead, (sample.input, sample.args, sample.kwargs))
    leaves = [t for t in tree_flatten((given, args, kwargs))[0]
              if isinstance(t, Tensor) and t.requires_grad]  # fmt: skip
    torch.manual_seed(0)
    out = operator.op(given, *args, **kwargs)
    if sample.output_process_fn_grad:
        out = sample.output_process_fn_grad(out)
    outs = [t for t in tree_flatten(out)[0]
            if isinstance(t, Tensor) and t.requires_grad and t.dtype is torch.float64]  # fmt: skip
    if not outs or not leaves:
        return None
    seeds = [torch.linspace(0.3, 1.7, o.numel(), dtype=o.dtype).view(o.shape) for o in outs]
    found = torch.autograd.grad(outs, leaves, seeds, allow_unused=True)
    return [o.detach() for o in outs] + [g for g in found if g is not None]
