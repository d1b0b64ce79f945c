"""Values that stand elsewhere than they must, in both passes, are named by what was exchanged.

The wrong numbers are torch's own, of another function, but where only a backward pass is wrong.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from compare.layers.names.case import Case
from compare.layers.names.explore import in_forward
from compare.layers.names.match import Match
from compare.layers.names.roles import in_roles
from compare.layers.names.scalars import repeated_numbers
from compare.layers.names.trial import Found
from compare.layers.program import Program

G = torch.Generator().manual_seed(0)
Function = Callable[..., Tensor]


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=G, dtype=torch.float64)


def case_of(right: Function, wrong: Function, *shapes: tuple[int, ...], given: Any = None) -> Case:
    """The case of a layer whose numbers are those of another one."""
    inputs = given or {f"x{at}": draw(*shape) for at, shape in enumerate(shapes)}
    dy = {"y": draw(*right(*inputs.values()).shape)} if right(*inputs.values()).dim() else None
    wrt = [name for name, x in inputs.items() if x.is_floating_point()]
    due, manual = (program_of(f, wrt).run(inputs, dy) for f in (right, wrong))
    allowances = {name: 1e-14 + 1e-14 * x.abs() for name, x in due.items()}
    match = Match(due, manual, allowances, 1e-16, {k: tuple(x.shape) for k, x in inputs.items()},
                  inputs, outputs=("y",))  # fmt: skip
    return Case(program_of(right, wrt), match, inputs, dy)


def program_of(f: Function, wrt: list[str]) -> Program:
    return Program(lambda tensors: f(*tensors.values()), wrt)


def said(found: Iterator[Found]) -> list[str]:
    """What the search says of the least rank, as the search for a name takes it."""
    every = list(found)
    least = min((one.rank for one in every), default=0)
    return [one.sentence for one in every if one.rank == least]


def mixture(exchanged: bool) -> Function:
    def cell(x: Tensor, h: Tensor) -> Tensor:
        z = torch.sigmoid(x)
        a, b = (z, 1 - z) if exchanged else (1 - z, z)
        return a * torch.tanh(x * h) + b * h

    return cell


def causal(diagonal: int) -> Function:
    def attention(s: Tensor, v: Tensor) -> Tensor:
        mask = torch.ones(s.shape[-2:], dtype=torch.bool).tril(diagonal)
        return torch.softmax(s.masked_fill(~mask, -1e9), -1) @ v

    return attention


def added(diagonal: int) -> Function:
    def attention(s: Tensor, v: Tensor) -> Tensor:
        excluded = torch.ones(s.shape[-2:], dtype=s.dtype).triu(1 + diagonal) * -1e9
        return torch.softmax(s + excluded, -1) @ v

    return attention


def channels_last(x: Tensor) -> Tensor:
    n, _, h, w = x.shape
    y = x.view(n, 2, 2, 3, h, w).permute(0, 3, 4, 1, 5, 2)
    return y.reshape(n, 3, 2 * h, 2 * w)


def columns_first(x: Tensor) -> Tensor:
    n, _, h, w = x.shape
    y = x.view(n, 3, 2, 2, h, w).permute(0, 1, 4, 3, 5, 2)
    return y.reshape(n, 3, 2 * h, 2 * w)


def heads(inner: bool) -> Function:
    def split(x: Tensor) -> Tensor:
        n, d = x.shape
        parts = x.view(n, d // 2, 2).permute(2, 0, 1) if inner else x.view(n, 2, -1).transpose(0, 1)
        return torch.tanh(parts)

    return split


def unshuffled(x: Tensor) -> Tensor:
    return x.view(2, 3, 2, 2, 1).transpose(1, 2).reshape(x.shape)


def smoothed(over: int) -> Function:
    def loss(z: Tensor, t: Tensor) -> Tensor:
        k, e = z.shape[1], 0.1
        y = F.one_hot(t, k).to(z.dtype)
        y = y * (1 - e) + e / k if over == k else y * (1 - e) + (1 - y) * e / over
        return -(y * torch.log_softmax(z, 1)).sum(1).mean()

    return loss


def distributions() -> dict[str, Tensor]:
    return {"log_p": torch.log_softmax(draw(4, 3), 1), "q": torch.softmax(draw(4, 3), 1)}


def flipped(x: Tensor, w: Tensor) -> Tensor:
    return F.conv_transpose2d(x, w.flip(-1, -2), stride=2)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    return F.kl_div(p, q, reduction="sum")


def reversed_divergence(p: Tensor, q: Tensor) -> Tensor:
    return F.kl_div(torch.log(q), torch.exp(p), reduction="sum")


CASES: dict[str, tuple[Callable[[], Case], str]] = {
    "the two weights of a mixture": (
        lambda: case_of(mixture(False), mixture(True), (3, 4), (3, 4)), "are exchanged in",
    ),
    "causal mask, one too many": (
        lambda: case_of(causal(0), causal(1), (5, 5), (5, 3)), "off by one, to the right",
    ),
    "causal mask, one too few": (
        lambda: case_of(causal(0), causal(-1), (5, 5), (5, 3)), "off by one, to the left",
    ),
    "causal mask that is added": (
        lambda: case_of(added(0), added(1), (5, 5), (5, 3)), "off by one, to the right",
    ),
    "pixels, channels last": (
        lambda: case_of(lambda x: F.pixel_shuffle(x, 2), channels_last, (2, 12, 2, 3)),
        "taken apart as 2×2'×3 in place of 3×2×2'",
    ),
    "pixels, columns first": (
        lambda: case_of(lambda x: F.pixel_shuffle(x, 2), columns_first, (2, 12, 2, 3)),
        "axes 3 and 5 of the permuted",
    ),
    "heads inside": (
        lambda: case_of(heads(False), heads(True), (3, 6)), "taken apart as 3×2 in place of 2×3",
    ),
    "groups for their size": (
        lambda: case_of(lambda x: F.channel_shuffle(x, 2), unshuffled, (2, 6, 2, 1)),
        "the lengths 2×3, into which axis 1 of `x0` is taken apart, are exchanged",
    ),
    "smoothing over the others": (
        lambda: case_of(
            smoothed(5), smoothed(4), given={"z": draw(4, 5), "t": torch.tensor([0, 3, 1, 4])}
        ),
        "spread over 5 - 1 entries in place of 5",
    ),
    "divergence reversed": (
        lambda: case_of(divergence, reversed_divergence, given=distributions()),
        "stands in place of",
    ),
    "kernel flipped": (
        lambda: case_of(
            lambda x, w: F.conv_transpose2d(x, w, stride=2), flipped, (2, 3, 3, 4), (3, 2, 3, 2)
        ),
        "is flipped in the convolution",
    ),
}  # fmt: skip


SEARCHES: dict[str, Callable[[Case], Iterator[Found]]] = {
    "smoothing over the others": repeated_numbers, "divergence reversed": in_roles,
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_stands_elsewhere_is_named(name: str) -> None:
    made, words = CASES[name]
    assert words in "".join(said(SEARCHES.get(name, in_forward)(made())))


class Norm(torch.autograd.Function):
    """An instance norm of a group norm's shape, with a slip in its backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, slip: str) -> Tensor:
        axes = (2, 3)
        inverse = torch.rsqrt(x.var(axes, correction=0, keepdim=True) + 1e-5)
        h = (x - x.mean(axes, keepdim=True)) * inverse
        ctx.save_for_backward(h, inverse, w)
        ctx.slip = slip
        return h * w[:, None, None]

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        h, inverse, w = ctx.saved_tensors
        dh = dy if ctx.slip == "gamma" else dy * w[:, None, None]
        axes = (0, 2, 3) if ctx.slip == "axes" else (2, 3)
        along = h * (dh * h).mean(axes, keepdim=True)
        dx = inverse * (dh - dh.mean(axes, keepdim=True) - along)
        return dx, (dy * h).sum((0, 2, 3)), None


def instance(x: Tensor, w: Tensor) -> Tensor:
    return F.instance_norm(x, weight=w)


def groups(x: Tensor, w: Tensor) -> Tensor:
    return F.group_norm(x, 4, w)


@pytest.mark.parametrize(
    ("right", "slip", "words"),
    [
        (instance, "axes", "the means are over axis 0, 2, 3"),
        (instance, "gamma", "the factor `x1` is missing in the"),
        (groups, "gamma", "the factor `x1` is missing in the"),
    ],
)
def test_slips_in_the_backward_pass_of_a_norm_are_named(
    right: Function, slip: str, words: str
) -> None:
    wrong = lambda x, w: Norm.apply(x, w, slip)  # type: ignore[no-untyped-call]  # noqa: E731
    assert words in "".join(said(in_forward(case_of(right, wrong, (3, 4, 2, 3), (4,)))))


class Cosine(torch.autograd.Function):
    """A cosine similarity whose backward pass has |a| in the place of |a|²."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        m, n = (torch.linalg.vector_norm(x, dim=1, keepdim=True) for x in (a, b))
        y = (a * b).sum(1, keepdim=True) / (m * n)
        ctx.save_for_backward(a, b, m, n, y)
        out: Tensor = y[:, 0]
        return out

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        a, b, m, n, y = ctx.saved_tensors
        da, db = b / (m * n) - y * a / m, a / (m * n) - y * b / n**2
        return dy[:, None] * da, dy[:, None] * db


@pytest.mark.slow
def test_a_norm_in_the_place_of_its_square_is_said_first() -> None:
    right = lambda a, b: F.cosine_similarity(a, b)  # noqa: E731
    wrong = lambda a, b: Cosine.apply(a, b)  # type: ignore[no-untyped-call]  # noqa: E731
    found = said(in_forward(case_of(right, wrong, (4, 3), (4, 3))))
    assert (
        all("the norm is multiplied by the norm itself once too often" in one for one in found)
        and found
    )
