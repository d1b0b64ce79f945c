"""Whole torch modules and losses: torch's own float32 run as the judged side.

Nobody wrote these by hand, and nobody here chose how they compute: fused kernels, their own order
of sums, their own formulas.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.layers.honest import ratio
from compare.layers.analysed import Analysed, analyse
from compare.layers.child import Crashed, in_child
from compare.layers.program import Program, Reference, flat_outputs

Case = tuple[Callable[..., Any], tuple[Tensor, ...]]
SEED = 0


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def r(*shape: int, scale: float = 1.0) -> Tensor:
    """Return normal numbers, the same ones for the same shape."""
    return torch.randn(*shape, generator=generator()) * scale


Alone = dict[str, tuple[Any, Tensor]]
"""Modules of one input."""


def linear() -> Alone:
    """Return affine maps and normalisations."""
    return {
        "Linear": (nn.Linear(20, 7), r(30, 20)),
        "LayerNorm": (nn.LayerNorm(64), r(8, 64)),
        "BatchNorm2d": (nn.BatchNorm2d(5), r(8, 5, 6, 6)),
        "GroupNorm": (nn.GroupNorm(2, 6), r(4, 6, 5, 5)),
        "InstanceNorm2d": (nn.InstanceNorm2d(5, affine=True), r(4, 5, 6, 6)),
        "RMSNorm": (nn.RMSNorm(32), r(8, 32)),
    }  # fmt: skip


def convolutions() -> Alone:
    """Return convolutions."""
    return {
        "Conv1d": (nn.Conv1d(3, 4, 5, padding=2), r(6, 3, 20)),
        "Conv2d": (nn.Conv2d(3, 8, 3, stride=2), r(4, 3, 15, 15)),
        "ConvTranspose2d": (nn.ConvTranspose2d(4, 3, 3, stride=2), r(4, 4, 6, 6)),
        "Conv3d": (nn.Conv3d(2, 3, 3), r(2, 2, 6, 6, 6)),
    }  # fmt: skip


def activations() -> Alone:
    """Return functions of single numbers, and softmax."""
    return {
        "GELU": (nn.GELU(), r(100, 10, scale=3)),
        "SiLU": (nn.SiLU(), r(100, 10, scale=3)),
        "Mish": (nn.Mish(), r(100, 10, scale=3)),
        "Softplus": (nn.Softplus(), r(100, 10, scale=3)),
        "ELU": (nn.ELU(), r(100, 10)),
        "SELU": (nn.SELU(), r(100, 10)),
        "LeakyReLU": (nn.LeakyReLU(), r(100, 10)),
        "Hardswish": (nn.Hardswish(), r(100, 10, scale=3)),
        "PReLU": (nn.PReLU(), r(100, 10)),
        "GLU": (nn.GLU(), r(40, 10)),
        "Tanhshrink": (nn.Tanhshrink(), r(40, 10)),
        "Softmax": (nn.Softmax(-1), r(40, 10, scale=5)),
        "LogSoftmax": (nn.LogSoftmax(-1), r(40, 10, scale=5)),
    }  # fmt: skip


def pools() -> Alone:
    """Return pooling, and what moves pixels."""
    return {
        "MaxPool2d": (nn.MaxPool2d(3, 2), r(4, 3, 13, 13)),
        "AvgPool2d": (nn.AvgPool2d(3, 2), r(4, 3, 13, 13)),
        "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d(2), r(4, 3, 7, 7)),
        "Upsample bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), r(2, 3, 5, 5)),
        "PixelShuffle": (nn.PixelShuffle(2), r(2, 8, 3, 3)),
    }  # fmt: skip


def recurrent() -> Alone:
    """Return networks of whole sequences."""
    return {
        "RNN": (nn.RNN(6, 8), r(7, 4, 6)),
        "LSTM": (nn.LSTM(6, 8, num_layers=2), r(7, 4, 6)),
        "GRU": (nn.GRU(6, 8), r(7, 4, 6)),
        "LSTMCell": (nn.LSTMCell(6, 8), r(4, 6)),
        "GRUCell": (nn.GRUCell(6, 8), r(4, 6)),
        "TransformerEncoderLayer": (
            nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True), r(3, 7, 16),
        ),
    }  # fmt: skip


def composed() -> Alone:
    """Return modules of several, and those that fit nowhere else."""
    return {
        "residual block": (
            nn.Sequential(
                nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4),
            ),
            r(6, 4, 8, 8),
        ),
        "LocalResponseNorm": (nn.LocalResponseNorm(3), r(2, 6, 4, 4)),
        "EmbeddingBag": (
            nn.EmbeddingBag(12, 5, mode="sum"),
            torch.randint(0, 12, (6, 4), generator=generator()),
        ),
        "Fold": (nn.Fold((5, 5), 2), r(2, 12, 16)),
        "Unfold": (nn.Unfold(2), r(2, 3, 5, 5)),
    }  # fmt: skip


def modules() -> dict[str, Case]:
    """Return the modules, each with its inputs; their weights depend on the order."""
    torch.manual_seed(SEED)
    families = (linear, convolutions, activations, pools, recurrent, composed)
    cases: dict[str, Case] = {
        name: (module, (x,)) for family in families for name, (module, x) in family().items()
    }
    x = r(3, 7, 16)
    cases["Bilinear"] = nn.Bilinear(5, 5, 3), (r(9, 5), r(9, 5).flip(0))
    cases["CosineSimilarity"] = nn.CosineSimilarity(), (r(20, 8), r(20, 8).roll(1, 0))
    cases["MultiheadAttention"] = nn.MultiheadAttention(16, 4, batch_first=True), (x, x, x)
    decoder = nn.TransformerDecoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
    return cases | {"TransformerDecoderLayer": (decoder, (x, x))}


def losses() -> dict[str, Case]:
    """Return losses and other functions of (20, 6) numbers."""
    labels = torch.arange(20) % 6
    hot = (torch.arange(120).view(20, 6) % 2).to(torch.float64)
    sign = (torch.arange(20) % 2 * 2 - 1).to(torch.float64)
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "CrossEntropy": lambda x: F.cross_entropy(x, labels, label_smoothing=0.1),
        "NLL": lambda x: F.nll_loss(F.log_softmax(x, -1), labels),
        "MSE": lambda x: F.mse_loss(x, torch.ones_like(x)),
        "L1": lambda x: F.l1_loss(x, torch.ones_like(x)),
        "Huber": lambda x: F.huber_loss(x, torch.ones_like(x)),
        "SmoothL1": lambda x: F.smooth_l1_loss(x, torch.ones_like(x)),
        "KLDiv": lambda x: F.kl_div(
            F.log_softmax(x, -1), torch.softmax(x.detach() * 0.5, -1), reduction="batchmean"
        ),
        "BCE": lambda x: F.binary_cross_entropy(torch.sigmoid(x), hot.to(x.dtype)),
        "Hinge": lambda x: F.hinge_embedding_loss(x, hot.to(x.dtype) * 2 - 1),
        "Triplet": lambda x: F.triplet_margin_loss(x, x.roll(1, 0), x.roll(2, 0)),
        "CosineEmbedding": lambda x: F.cosine_embedding_loss(x, x.roll(1, 0), sign.to(x.dtype)),
        "PoissonNLL": lambda x: F.poisson_nll_loss(x, torch.ones_like(x)),
        "GaussianNLL": lambda x: F.gaussian_nll_loss(x, torch.ones_like(x), torch.exp(x)),
        "logsumexp": lambda x: torch.logsumexp(x, -1).sum(),
        "norm": lambda x: x.norm(dim=-1).sum(),
        "std": lambda x: x.std(0).sum(),
        "prod": lambda x: x.prod(-1).sum(),
        "cumsum": lambda x: (x.cumsum(0) ** 2).sum(),
        "einsum": lambda x: torch.einsum("ni,nj->ij", x, x).tanh().sum(),
        "svdvals": lambda x: torch.linalg.svdvals(x).sum(),
        "inverse": lambda x: torch.linalg.inv(x.T @ x + torch.eye(6, dtype=x.dtype)).sum(),
        "ctc": lambda x: F.ctc_loss(
            F.log_softmax(x.view(20, 1, 6), -1), torch.tensor([[1, 2, 3]]), torch.tensor([20]),
            torch.tensor([3]),
        ),
    }  # fmt: skip
    return {name: (function, (r(20, 6),)) for name, function in functions.items()}


@dataclass(frozen=True)
class Outcome:
    """How a module came out: judged, its worst ratio, operations without a rule, what failed."""

    name: str
    worst: float
    unruled: tuple[str, ...]
    failed: str | None

    @property
    def accused(self) -> bool:
        """Whether right numbers were called wrong: only where every operation has a rule."""
        return self.failed is None and not self.unruled and self.worst > 1


def outcomes(timeout: float = 60.0) -> Iterator[Outcome]:
    """Judge all of them."""
    for name, case in (modules() | losses()).items():
        try:
            yield in_child(lambda name=name, case=case: outcome(name, case), timeout)  # type: ignore[misc]  # defaults of a lambda
        except Crashed as crash:
            yield Outcome(name, 0.0, (), str(crash))


def outcome(name: str, case: Case) -> Outcome:
    """Run a module in float32 and hold it against its own analysis."""
    warnings.simplefilter("ignore")
    what, inputs = case
    reference = Reference.of(what)
    named = {f"input{n}": x for n, x in enumerate(inputs)}
    wide = {n: x.to(torch.float64) if x.is_floating_point() else x for n, x in named.items()}
    wrt = [*reference.parameters, *(n for n, x in named.items() if x.is_floating_point())]
    program = Program(positional(reference), wrt)
    whole = wide | reference.parameters
    with torch.no_grad():
        shapes = {n: y.shape for n, y in flat_outputs(program.forward(whole)).items()}
    weights = {n: torch.cos(torch.arange(s.numel(), dtype=torch.float32)).view(s)
               for n, s in shapes.items()}  # fmt: skip
    found = analyse(program, whole, {n: w.to(torch.float64) for n, w in weights.items()}, "float32")
    manual = in_float32(what, named, wrt, weights)
    return Outcome(name, worst_of(found, manual), found.unruled, found.doubt)


def positional(reference: Reference) -> Callable[[dict[str, Tensor]], Any]:
    """Return the reference as a function of named tensors, inputs by their order."""
    if not reference.is_module:
        return lambda tensors: reference.what(*tensors.values())

    def forward(tensors: dict[str, Tensor]) -> Any:
        own = {n: tensors[n] for n in reference.parameters}
        own |= {n: b.clone() for n, b in reference.buffers.items()}
        inputs = tuple(t for n, t in tensors.items() if n.startswith("input"))
        return torch.func.functional_call(reference.what, own, inputs)

    return forward


def in_float32(
    what: Any, inputs: dict[str, Tensor], wrt: list[str], weights: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Return what torch itself computes in float32, with its fastest kernels."""
    module = copy.deepcopy(what)
    given = {n: x.clone().requires_grad_() if x.is_floating_point() else x
             for n, x in inputs.items()}  # fmt: skip
    leaves = dict(module.named_parameters()) if isinstance(module, nn.Module) else {}
    outputs = flat_outputs(module(*given.values()))
    found = torch.autograd.grad(
        list(outputs.values()), [(leaves | given)[n] for n in wrt],
        [weights[n] for n in outputs], allow_unused=True,
    )  # fmt: skip
    gradients = {f"d{n}": g for n, g in zip(wrt, found, strict=True) if g is not None}
    return {n: y.detach() for n, y in outputs.items()} | gradients


def worst_of(found: Analysed, manual: dict[str, Tensor]) -> float:
    """Return the largest ratio of all tensors."""
    return max(ratio(t.numpy(), found.reference[n], found.allowances[n]) for n, t in manual.items())
