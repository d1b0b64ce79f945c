"""Family: from logits to probabilities."""

from __future__ import annotations

from compare.mistakes.conditions import averaged
from compare.mistakes.fits import Among, in_loss_or_gradient
from compare.mistakes.mistake import NetworkMistake

TEMPERATURES = (2, 0.5, 3, 4, 5, 10, 20, 0.1, 0.2, 1.5, 100)
"""Temperatures that people divide logits by."""

JACOBIAN = (
    NetworkMistake(
        "softmax-jacobian-sign",
        "a Jacobian of the softmax with + for -",
        "The Jacobian of the softmax is diag(p) - p p'; with + in place of - it makes -(p + y) of "
        "p - y.",
        "error = -y - p",
        paired=False,
    ),
    NetworkMistake(
        "softmax-jacobian-transposed",
        "a Jacobian of the log-softmax that is not transposed",
        "The Jacobian of the log-softmax, I - 1 p', is not symmetric and stands there as its "
        "transpose: sum(p y) - y for p - y.",
        "error = (p * y).sum(axis=1, keepdims=True) - y",
        paired=False,
    ),
    NetworkMistake(
        "softmax-jacobian-without-diagonal",
        "a Jacobian of the softmax without its diagonal",
        "Of the Jacobian diag(p) - p p' only -p p' is used: p is left of p - y, less p y.",
        "error = p - p * y",
        paired=False,
    ),
    NetworkMistake(
        "log-of-the-mean",
        "the logarithm of the mean probability",
        "The loss is the logarithm of the mean probability of the true classes; it is the mean of "
        "their logarithms.",
        "loss = -np.log((p * y).sum() / N)",
        applies=averaged,
        paired=False,
    ),
    NetworkMistake(
        "shift-taken-off-twice",
        "a log-sum-exp of logits that were not shifted, with the shift taken off",
        "The maximum is taken off the logits and not off those in the log-sum-exp: log p = z - "
        "max z - log sum exp(z).",
        "total = np.exp(logits).sum(axis=1, keepdims=True)\n"
        "log_p = logits - logits.max(axis=1, keepdims=True) - np.log(total)",
        paired=False,
    ),
    NetworkMistake(
        "temperature-without-chain",
        "a temperature {constant:g} whose 1/{constant:g} is missing in the gradient",
        "The logits are divided by {constant:g} before the softmax; the gradient p - y lacks the "
        "factor 1/{constant:g} of it.",
        "p = softmax(logits / c)",
        fit=Among(lambda point: TEMPERATURES),
        example=2,
        paired=False,
    ),
    NetworkMistake(
        "temperature",
        "a temperature {constant:g} that was not declared",
        "The logits are divided by {constant:g} before the softmax, and the gradient with them.",
        "p = softmax(logits / c)\nerror = (p - y) / c",
        fit=Among(lambda point: TEMPERATURES),
        example=2,
        convention=True,
        paired=False,
    ),
    NetworkMistake(
        "temperature-in-loss-only",
        "a softmax at temperature {constant:g} in the loss only",
        "The loss takes the softmax of logits divided by {constant:g}, the gradient does not.",
        "log_p = log_softmax(logits / c)",
        fit=Among(lambda point: TEMPERATURES),
        example=2,
        paired=False,
    ),
    NetworkMistake(
        "temperature-in-gradient-only",
        "a softmax at temperature {constant:g} in the gradient only",
        "The gradient takes the softmax of logits divided by {constant:g}, the loss does not.",
        "error = softmax(logits / c) - y",
        fit=Among(lambda point: TEMPERATURES, beyond_loss=True),
        example=2,
        paired=False,
    ),
)

SOFTMAX = (
    NetworkMistake(
        "missing-max-shift",
        "a softmax without the shift by the maximum",
        "The softmax does not subtract the maximum of the row: exp overflows and the row "
        "becomes NaN.",
        "p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)",
        trigger="logits above 88 in float32, above 709 in float64",
        seen=24,
    ),
    NetworkMistake(
        "global-maximum",
        "a softmax shifted by the maximum of the whole batch",
        "The softmax subtracts one maximum of the whole batch: rows far below it become 0/0.",
        "e = np.exp(logits - logits.max())\np = e / e.sum(axis=1, keepdims=True)",
        trigger="a row more than 103 (float32) or 745 (float64) below the largest logit",
        seen=9,
    ),
    NetworkMistake(
        "maximum-of-columns",
        "a softmax shifted by the maximum of each class",
        "The softmax subtracts the maximum of each class over the batch, not of each row: the "
        "shift does not cancel.",
        "e = np.exp(logits - logits.max(axis=0))\np = e / e.sum(axis=1, keepdims=True)",
    ),
    NetworkMistake(
        "softmax-twice",
        "a softmax that is applied twice",
        "The softmax is applied twice, in loss and gradient: the probabilities are squeezed "
        "together.",
        "p = softmax(softmax(logits))",
        seen=1,
    ),
    NetworkMistake(
        "softmax-twice-in-loss",
        "a loss that takes the softmax of probabilities",
        "The loss takes the softmax of probabilities, as a cross-entropy of logits does when "
        "it is handed p; the gradient does not.",
        "log_p = log_softmax(p)",
    ),
    NetworkMistake(
        "softmax-twice-in-gradient",
        "a gradient that takes the softmax of probabilities",
        "The gradient takes the softmax of probabilities: `grad_ce` expects logits and was "
        "handed p.",
        "error = softmax(p) - y",
    ),
    NetworkMistake(
        "softmax-left-out-of-gradient",
        "a gradient that uses the logits without their softmax",
        "The gradient uses the logits where it needs their softmax: `grad_ce` expects "
        "probabilities and was handed logits.",
        "error = logits - y",
    ),
    NetworkMistake(
        "softmax-over-batch",
        "a softmax over the samples, not the classes",
        "The softmax runs over the samples (axis 0), not over the classes (axis 1).",
        "p = softmax(logits.T).T",
        seen=3,
    ),
    NetworkMistake(
        "softmax-over-everything",
        "a softmax over the whole batch",
        "The softmax is normalised over the whole batch: all N·K probabilities together add "
        "up to 1.",
        "p = softmax(logits.reshape(1, -1)).reshape(N, K)",
    ),
    NetworkMistake(
        "softmax-sum-over-batch",
        "a softmax whose sum runs over the samples",
        "The maximum is that of each row, but the sum of the exponentials runs over the samples "
        "(axis 0), not over the classes (axis 1).",
        "e = np.exp(logits - logits.max(axis=1, keepdims=True))\np = e / e.sum(axis=0)",
    ),
    NetworkMistake(
        "softmax-sum-over-everything",
        "a softmax whose sum runs over the whole batch",
        "The maximum is that of each row, but the sum of the exponentials runs over the whole "
        "batch: all N·K probabilities together add up to 1.",
        "e = np.exp(logits - logits.max(axis=1, keepdims=True))\np = e / e.sum()",
    ),
    NetworkMistake(
        "softmax-of-single-entries",
        "a softmax over an axis of length 1",
        "The softmax runs over an axis of length 1: every probability is 1 and the loss is 0.",
        "p = softmax(logits.reshape(-1, 1)).reshape(N, K)",
    ),
    NetworkMistake(
        "softmax-by-l2-norm",
        "a softmax that divides by the Euclidean norm",
        "The exponentials are divided by their Euclidean norm, not by their sum.",
        "e = np.exp(logits - logits.max(axis=1, keepdims=True))\n"
        "p = e / np.linalg.norm(e, axis=1, keepdims=True)",
    ),
    NetworkMistake(
        "softmax-not-normalised",
        "a softmax that does not divide by the sum",
        "The exponentials are not divided by their sum at all.",
        "p = np.exp(logits - logits.max(axis=1, keepdims=True))",
    ),
    NetworkMistake(
        "epsilon-in-softmax",
        "a constant {constant:.3g} in the sum of the softmax",
        "A constant {constant:.3g} is added to the sum of the exponentials: the probabilities "
        "do not add up to 1.",
        "total = np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)\n"
        "p = softmax(logits) * total / (total + c)",
        fit=in_loss_or_gradient(1e-30, 10.0, small=1e-3),
        example=1e-5,
        trigger="the constant is above the rounding of the dtype",
        guard=True,
    ),
    NetworkMistake(
        "sigmoid-for-softmax",
        "a sigmoid where the softmax belongs",
        "The output is a sigmoid of each logit, not a softmax over the classes.",
        "p = 1 / (1 + np.exp(-logits))",
    ),
    NetworkMistake(
        "log-of-zero",
        "the logarithm of a probability that is 0",
        "The loss takes the logarithm of a probability that has underflowed to 0: it is "
        "infinite (or NaN, where 0 meets log 0) and the right one is not.",
        "log_p = np.log(p)",
        trigger="logits of one row more than 103 (float32) or 745 (float64) apart",
    ),
    *JACOBIAN,
)
