"""Family: cross-entropy and its gradient at the logits."""

from __future__ import annotations

from compare.mistakes.conditions import averaged
from compare.mistakes.cross_entropy_loss import CLIPS, LOSS
from compare.mistakes.fits import Among
from compare.mistakes.mistake import NetworkMistake

GUARDS = (1e-5, 1e-4, 1e-3, 1e-2)
"""What people add to a divisor, as far as it shows at ordinary probabilities."""

GRADIENT = (
    NetworkMistake(
        "diagonal-jacobian",
        "a softmax of whose Jacobian only the diagonal is used",
        "The softmax is differentiated as if every probability depended on its own logit "
        "only: of the Jacobian p_j ([j=k] - p_k) just the diagonal p (1 - p) is used.",
        "error = -y * (1 - p)",
        seen=4,
    ),
    NetworkMistake(
        "softmax-derivative-on-top",
        "a factor p (1 - p) too many",
        "The error p - y is multiplied with p (1 - p) once more, but it already contains the "
        "derivative of the softmax.",
        "error = (p - y) * p * (1 - p)",
    ),
    NetworkMistake(
        "one-minus-target",
        "1 - y where p - y belongs",
        "In place of p - y stands 1 - y: the probabilities are gone from the gradient.",
        "error = 1 - y",
    ),
    NetworkMistake(
        "target-minus-prediction",
        "y - p for p - y: a flipped sign",
        "The sign of the gradient is flipped: y - p for p - y.",
        "error = y - p",
        seen=3,
    ),
    NetworkMistake(
        "gradient-at-probabilities",
        "dL/dp where dL/dlogits belongs",
        "The gradient stops at the probabilities: dL/dp is used as if it were dL/dlogits.",
        "error = -y / p",
        seen=8,
    ),
    NetworkMistake(
        "target-over-log",
        "y / log p where the derivative of the loss belongs",
        "The loss was differentiated as -y / log p.",
        "error = -y / log_p",
    ),
    NetworkMistake(
        "softmax-minus-probabilities",
        "softmax(p) - p where p - y belongs",
        "The gradient is softmax(p) - p: the targets are gone.",
        "error = softmax(p) - p",
    ),
    NetworkMistake(
        "softmax-without-second-term",
        "a gradient -y where p - y belongs",
        "The derivative of the log-softmax lacks its second term: of p - y only -y is left.",
        "error = -y",
    ),
    NetworkMistake(
        "diagonal-jacobian-with-guard",
        "a softmax of whose Jacobian only the diagonal is used",
        "The softmax is differentiated as if every probability depended on its own logit only, and "
        "{constant:g} is added in the quotient y / p: -y / (p + {constant:g}) p (1 - p).",
        "error = -y / (p + c) * p * (1 - p)",
        fit=Among(lambda point: GUARDS),
        example=1e-3,
        trigger="probabilities of true classes not far above the constant",
        paired=False,
    ),
    NetworkMistake(
        "gradient-at-probabilities-with-guard",
        "dL/dp where dL/dlogits belongs",
        "The gradient stops at the probabilities: dL/dp = -y / (p + {constant:g}) is used as if it "
        "were dL/dlogits.",
        "error = -y / (p + c)",
        fit=Among(lambda point: GUARDS),
        example=1e-3,
        trigger="probabilities of true classes not far above the constant",
        paired=False,
    ),
    NetworkMistake(
        "target-over-probability",
        "y / p where p - y belongs",
        "The gradient stops at the probabilities and has the wrong sign: y / p.",
        "error = y / p",
        paired=False,
    ),
    NetworkMistake(
        "target-over-log-without-minus",
        "y / log p where p - y belongs",
        "The loss was differentiated as y / log p.",
        "error = y / log_p",
        paired=False,
    ),
    NetworkMistake(
        "softmax-jacobian-on-top",
        "the Jacobian of the softmax once too often",
        "The error p - y is sent through the derivative of the softmax once more, but it already "
        "contains it.",
        "g = p - y\nerror = p * (g - (g * p).sum(axis=1, keepdims=True))",
        paired=False,
    ),
    NetworkMistake(
        "targets-taken-off-twice",
        "p - 2 y where p - y belongs",
        "The targets are taken off twice: p - 2 y for p - y, as where the error was written into "
        "the array of the probabilities and is formed again.",
        "error = p - 2 * y",
        paired=False,
    ),
    NetworkMistake(
        "targets-not-divided",
        "p / N - y where (p - y) / N belongs",
        "The probabilities are divided by N before the targets are taken off: p / N - y.",
        "dlogits = p / M - y",
        applies=averaged,
        paired=False,
    ),
    NetworkMistake(
        "probabilities-not-divided",
        "p - y / N where (p - y) / N belongs",
        "Only the targets are divided by N: p - y / N.",
        "dlogits = p - y / M",
        applies=averaged,
        paired=False,
    ),
    NetworkMistake(
        "one-taken-off-everywhere",
        "p - 1 where p - y belongs",
        "One is taken off at every class, not at the true one: p - 1 for p - y.",
        "error = p - 1",
        paired=False,
    ),
    NetworkMistake(
        "one-taken-off-in-every-row",
        "1 taken off in all rows at every class that occurs",
        "1 is taken off in every row at each class that occurs in the batch: the rows are not "
        "picked with the classes, as in p[:, labels] -= 1.",
        "error = p - (y.sum(axis=0) > 0)",
        trigger="one-hot targets",
        paired=False,
    ),
    NetworkMistake(
        "prediction-without-target",
        "p where p - y belongs",
        "The targets are never taken off: the error is p.",
        "error = p",
    ),
    NetworkMistake(
        "squared-error-gradient",
        "the gradient of a squared error with a cross-entropy as loss",
        "The error is 2 (p - y) p (1 - p), the derivative of a squared error of a sigmoid; the "
        "loss is the cross-entropy.",
        "error = 2 * (p - y) * p * (1 - p)",
        paired=False,
    ),
    NetworkMistake(
        "squared-error-through-softmax",
        "the gradient of a squared error with a cross-entropy as loss",
        "The error is that of a squared error, 2 (p - y) sent through the softmax; the loss is the "
        "cross-entropy.",
        "g = 2 * (p - y)\nerror = p * (g - (g * p).sum(axis=1, keepdims=True))",
        paired=False,
    ),
    NetworkMistake(
        "target-added",
        "p + y where p - y belongs",
        "The targets are added where they are to be taken off: p + y for p - y.",
        "error = p + y",
        paired=False,
    ),
    NetworkMistake(
        "clip-in-gradient",
        "a gradient whose probabilities are clipped at {constant:g}",
        "Probabilities are clipped to [{constant:g}, 1 - {constant:g}] in the gradient p - y; the "
        "loss takes them as they are.",
        "error = np.clip(p, c, 1 - c) - y",
        fit=Among(lambda point: CLIPS),
        example=1e-2,
        trigger="a probability within the constant of 0 or 1",
        paired=False,
    ),
    NetworkMistake(
        "floor-in-gradient",
        "a gradient whose probabilities are at least {constant:g}",
        "Probabilities below {constant:g} are raised to it in the gradient p - y; the loss takes "
        "them as they are.",
        "error = np.maximum(p, c) - y",
        fit=Among(lambda point: CLIPS),
        example=1e-2,
        trigger="a probability below the constant",
        paired=False,
    ),
    NetworkMistake(
        "targets-hardened",
        "soft targets that are replaced by one-hot ones",
        "Soft targets are replaced by the one-hot row of their largest entry: the code "
        "assumes one-hot targets.",
        "y = np.eye(K, dtype=y.dtype)[y.argmax(axis=1)]\nterms = -y * log_p",
        trigger="soft targets",
        convention=True,
    ),
)

CROSS_ENTROPY = GRADIENT + LOSS
