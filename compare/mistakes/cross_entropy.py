"""Family: cross-entropy and its gradient at the logits."""

from __future__ import annotations

from compare.mistakes.conditions import averaged
from compare.mistakes.fits import Among, in_the_loss, linear, typed
from compare.mistakes.mistake import NetworkMistake

GUARDS = (1e-5, 1e-4, 1e-3, 1e-2)
"""What people add to a divisor, as far as it shows at ordinary probabilities."""
CLIPS = tuple(10.0**k for k in range(-10, -1))
"""Where people clip probabilities."""

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
        "targets-hardened",
        "soft targets that are replaced by one-hot ones",
        "Soft targets are replaced by the one-hot row of their largest entry: the code "
        "assumes one-hot targets.",
        "y = np.eye(K, dtype=y.dtype)[y.argmax(axis=1)]\nterms = -y * log_p",
        trigger="soft targets",
        convention=True,
    ),
)

LOSS = (
    NetworkMistake(
        "epsilon-in-log",
        "a constant {constant:.3g} inside the logarithm",
        "A constant {constant:.3g} is added inside the logarithm: the loss is that of another "
        "function and the gradient does not belong to it.",
        "log_p = np.log(p + c)",
        fit=in_the_loss(1e-30, 10.0),
        example=1e-5,
        trigger="probabilities of true classes not far above the constant",
        seen=11,
        guard=True,
    ),
    NetworkMistake(
        "epsilon-in-log-and-its-derivative",
        "a constant {constant:.3g} inside the logarithm and in its derivative",
        "A constant {constant:.3g} is added inside the logarithm, and the gradient is that of this "
        "loss: -y / (p + {constant:.3g}) goes through the softmax.",
        "log_p = np.log(p + c)\nq = y * p / (p + c)\nerror = p * q.sum(axis=1, keepdims=True) - q",
        fit=in_the_loss(1e-30, 10.0),
        example=1e-5,
        trigger="probabilities of true classes not far above the constant",
        guard=True,
    ),
    NetworkMistake(
        "floor-in-log",
        "a loss whose probabilities are at least {constant:.3g}",
        "Probabilities below {constant:.3g} are raised to it before the logarithm; the "
        "gradient is not.",
        "log_p = np.log(np.maximum(p, c))",
        fit=in_the_loss(1e-30, 0.5),
        example=1e-2,
        trigger="a true class with a probability below the constant",
        guard=True,
    ),
    NetworkMistake(
        "clip-in-log",
        "a loss whose probabilities are clipped at {constant:.3g}",
        "Probabilities are clipped to [{constant:.3g}, 1 - {constant:.3g}] before the "
        "logarithm; the gradient is not.",
        "log_p = np.log(np.clip(p, c, 1 - c))",
        fit=in_the_loss(1e-30, 0.5),
        example=1e-2,
        trigger="a true class whose probability is within the constant of 0 or 1",
        guard=True,
    ),
    NetworkMistake(
        "clip-in-both",
        "probabilities clipped at {constant:g} in loss and gradient",
        "Probabilities are clipped to [{constant:g}, 1 - {constant:g}], and the clipped ones stand "
        "in the gradient p - y too, which is not the gradient of that loss.",
        "p = np.clip(softmax(logits), c, 1 - c)",
        fit=Among(lambda point: CLIPS, beyond_loss=True),
        example=1e-2,
        trigger="a probability within the constant of 0 or 1",
        paired=False,
    ),
    NetworkMistake(
        "floor-in-both",
        "probabilities of at least {constant:g} in loss and gradient",
        "Probabilities below {constant:g} are raised to it, in the loss and in the gradient p - y.",
        "p = np.maximum(softmax(logits), c)",
        fit=Among(lambda point: CLIPS, beyond_loss=True),
        example=1e-2,
        trigger="a probability below the constant",
        paired=False,
    ),
    NetworkMistake(
        "log-sum-exp-missing",
        "a loss without the log-sum-exp",
        "The loss takes the logits for log-probabilities: log sum exp(z) is never taken off.",
        "log_p = logits",
        paired=False,
    ),
    NetworkMistake(
        "shift-not-put-back",
        "a log-sum-exp without the maximum that was taken off",
        "The maximum is taken off in the log-sum-exp and not in front of it: log p = z - log sum "
        "exp(z - max z).",
        "total = np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)\n"
        "log_p = logits - np.log(total)",
        paired=False,
    ),
    NetworkMistake(
        "loss-without-log",
        "a loss without the logarithm",
        "The loss adds up y p: the logarithm is missing.",
        "log_p = p",
        paired=False,
    ),
    NetworkMistake(
        "loss-over-all-pairs",
        "a loss over all N x N pairs of samples",
        "The probabilities are picked by labels of shape (N, 1), which NumPy broadcasts against "
        "the rows: the loss is the mean over every sample with the label of every other.",
        "terms = -log_p[:, y.argmax(axis=1)] / N",
        trigger="labels that differ",
        paired=False,
    ),
    NetworkMistake(
        "loss-of-one-row",
        "the loss of a single sample",
        "The loss is that of one sample ({constant:+.0f}: 0 the first, -1 the last): each is "
        "assigned (=) where it should be added (+=).",
        "loss = terms[c].sum()",
        fit=Among(lambda point: (-1, 0)),
        example=-1,
        paired=False,
    ),
    NetworkMistake(
        "loss-of-one-row-averaged",
        "the loss of a single sample, divided by N",
        "The loss is that of one sample ({constant:+.0f}: 0 the first, -1 the last) over N: each "
        "is assigned (=) where it should be added (+=).",
        "loss = terms[c].sum() / N",
        fit=Among(lambda point: (-1, 0)),
        example=-1,
        applies=averaged,
        paired=False,
    ),
    NetworkMistake(
        "loss-plus-a-constant",
        "a constant {constant:g} added to the loss",
        "{constant:g} is added to the loss, the same at every point; the gradient is right.",
        "loss = terms.sum() / M + c",
        fit=typed(linear),
        example=0.05,
        paired=False,
    ),
    NetworkMistake(
        "minus-missing-in-loss",
        "a missing minus in the loss",
        "The minus of the cross-entropy is missing: the loss is negative.",
        "terms = y * log_p",
    ),
    NetworkMistake(
        "loss-arguments-swapped",
        "p log y where y log p belongs",
        "The arguments of the cross-entropy are swapped: p log y for y log p.",
        "terms = -p * np.log(y)",
    ),
    NetworkMistake(
        "loss-arguments-swapped-with-epsilon",
        "p log(y + {constant:.3g}) where y log p belongs",
        "The arguments of the cross-entropy are swapped: p log(y + {constant:.3g}) for y log "
        "p. The constant hides that log y is infinite.",
        "terms = -p * np.log(y + c)",
        fit=in_the_loss(1e-30, 0.5),
        example=1e-5,
        seen=1,
    ),
    NetworkMistake(
        "matrix-product-in-loss",
        "a matrix product over the classes in the loss",
        "The loss multiplies targets and logarithms as matrices: every sample is compared "
        "with the targets of every other.",
        "terms = -y @ log_p.T",
        seen=1,
    ),
    NetworkMistake(
        "class-product-in-loss",
        "a matrix product over the samples in the loss",
        "The loss multiplies targets and logarithms as matrices over the samples: every class "
        "is paired with every other.",
        "terms = -y.T @ log_p",
    ),
    NetworkMistake(
        "trace-in-loss",
        "a loss that adds up only the diagonal",
        "The loss adds up only the diagonal of y log p: sample 1 with class 1, sample 2 with "
        "class 2, and so on.",
        "loss = np.trace(terms) / M",
        seen=1,
    ),
    NetworkMistake(
        "binary-cross-entropy",
        "a binary cross-entropy for the categorical one",
        "The loss is the binary cross-entropy of every class, not the categorical one: it "
        "also counts (1 - y) log(1 - p).",
        "terms = -(y * log_p + (1 - y) * np.log(1 - p))",
        seen=1,
    ),
    NetworkMistake(
        "log-base-2",
        "a loss in bits: log2 for log",
        "The loss is in bits: log2 for log; its gradient would be 1/ln 2 times as large.",
        "terms = -y * log_p / np.log(2).astype(x.dtype)",
    ),
    NetworkMistake(
        "log-base-10",
        "a loss with log10 for log",
        "The loss takes the decimal logarithm: log10 for log.",
        "terms = -y * log_p / np.log(10).astype(x.dtype)",
    ),
)

CROSS_ENTROPY = GRADIENT + LOSS
