"""Family: dropout.

Slips stand in place of lines of `textbook/plain_between.py`. Seen in hand-written code: the mask
missing in the backward pass (numpy-ml#94), the mask unscaled there (mytorch).
"""

from __future__ import annotations

from compare.mistakes.conditions import dropping, in_evaluation
from compare.mistakes.inside import InsideMistake

DROPOUT = (
    InsideMistake(
        "dropout-mask-missing-backward",
        "no dropout mask in the backward pass",
        "The gradient passes through units that dropout left out: da = dh * mask / (1 - P) is due.",
        "da[i - 1] = dh[i - 1]",
        applies=dropping,
        trigger="in training",
    ),
    InsideMistake(
        "dropout-mask-missing-but-scaled",
        "a scaled gradient without the dropout mask",
        "The gradient is divided by 1 - P, but passes through units that dropout left out.",
        "da[i - 1] = dh[i - 1] / (1 - P) if drops else dh[i - 1]",
        applies=dropping,
        trigger="in training",
    ),
    InsideMistake(
        "dropout-unscaled-backward",
        "dropout not scaled in the backward pass",
        "The forward pass divides by 1 - P, the backward pass only applies the mask.",
        "da[i - 1] = dh[i - 1] * mask[i - 1] if drops else dh[i - 1]",
        applies=dropping,
        trigger="in training",
    ),
    InsideMistake(
        "dropout-scaled-backward-only",
        "dropout scaled in the backward pass only",
        "The backward pass divides by 1 - P, the forward pass only applies the mask.",
        "h[i] = a[i] * mask[i] if drops and i < L else a[i]",
        applies=dropping,
        trigger="in training",
    ),
    InsideMistake(
        "dropout-unscaled",
        "dropout without division by 1 - P",
        "Both passes apply the mask without dividing by 1 - P; then evaluation has to multiply.",
        "h[i] = a[i] * mask[i] if drops and i < L else a[i]\n"
        "da[i - 1] = dh[i - 1] * mask[i - 1] if drops else dh[i - 1]",
        applies=dropping,
        convention=True,
        trigger="in training",
    ),
    InsideMistake(
        "dropout-scaled-by-p",
        "dropout divided by P in place of 1 - P",
        "Both passes divide by the share that is left out; 1 - P is what stays.",
        "h[i] = a[i] * mask[i] / P if drops and i < L else a[i]\n"
        "da[i - 1] = dh[i - 1] * mask[i - 1] / P if drops else dh[i - 1]",
        applies=dropping,
        convention=True,
        trigger="in training",
    ),
    InsideMistake(
        "dropout-mask-inverted",
        "the dropout mask inverted",
        "The units that stay are left out: mask is True for those that stay.",
        "h[i] = a[i] * (1 - mask[i]) / (1 - P) if drops and i < L else a[i]\n"
        "da[i - 1] = dh[i - 1] * (1 - mask[i - 1]) / (1 - P) if drops else dh[i - 1]",
        applies=dropping,
        convention=True,
        trigger="in training",
    ),
    InsideMistake(
        "dropout-ignored",
        "no dropout at all",
        "No unit is left out in either pass.",
        "drops = False",
        applies=dropping,
        convention=True,
        trigger="in training",
    ),
    InsideMistake(
        "dropout-in-evaluation",
        "dropout in evaluation",
        "Units are left out in evaluation too: context['training'] is False there.",
        "drops = P > 0",
        applies=in_evaluation(dropping),
        convention=True,
        trigger="in evaluation",
    ),
)
