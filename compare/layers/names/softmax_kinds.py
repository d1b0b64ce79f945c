"""What people take the derivative of a softmax for: its diagonal, its own value, no p, no sum."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from compare.layers.names.change import Change, Here


def diagonal(change: Change, here: Here) -> Any:
    """`p = e / total` with the derivative p (1 - p) with respect to the logarithm of e."""
    e, total = here.args[:2]
    p, known = (e / total).detach(), e.detach()
    return p + torch.where(known > 0, p * (1 - p) / known, 0.0) * (e - known)


def unweighted(change: Change, here: Here) -> Any:
    """`p = e / total` whose derivative is p (dy - Σ dy): dy is summed without p."""
    e, total = here.args[:2]
    known, over = e.detach(), total.detach()
    return known / over + (e - known) / over - (total - over) / over


def unscaled(change: Change, here: Here) -> Any:
    """`p = e / total` whose derivative by the logarithm of e is dy - Σ dy p, without p before."""
    e, total = here.args[:2]
    known = e.detach()
    p = known / total.detach()
    log = torch.where(known > 0, (e - known) / known, 0.0)
    axes = [a for a in range(e.dim()) if total.shape[a] != e.shape[a]]
    return p + log - p * log.sum(axes, keepdim=True)


def softmax(change: Change, here: Here) -> Any:
    """A softmax that passes its gradient on unchanged."""
    return of_logarithm(here.args[0], here.run())


def row_sum(change: Change, here: Here) -> Any:
    """A softmax whose derivative is its own value."""
    out = here.run()
    return of_logarithm(here.args[0], out, out.detach())


def log_row_sum(change: Change, here: Here) -> Any:
    """The exponential of a log-softmax whose derivative is its own value, by the logits."""
    assert isinstance(change.other, int)
    out, z = here.run().detach(), here.live[change.other]
    return out + out * (z - z.detach())


def of_logarithm(e: Tensor, out: Tensor, slope: Tensor | float = 1.0) -> Tensor:
    """Return a softmax with another derivative with respect to the logarithm of e."""
    here = e.detach()
    return out.detach() + torch.where(here > 0, slope / here, 0.0) * (e - here)
