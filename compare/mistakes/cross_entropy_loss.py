"""Family: cross-entropy and its gradient at the logits; here the loss itself, and its guards."""

from __future__ import annotations

from compare.mistakes.conditions import averaged
from compare.mistakes.fits import Among, in_the_loss, linear, typed
from compare.mistakes.mistake import NetworkMistake

CLIPS = tuple(m * 10.0**k for k in range(-16, -1) for m in (1, 2, 5))
"""Where people clip probabilities: 1, 2 or 5 times a power of ten. Where no true class is below,
only the gradient shows it, and the loss tells no constant."""

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
        fit=in_the_loss(1e-30, 10.0, beyond_loss=True),
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
        "perplexity-for-loss",
        "a loss that is the perplexity",
        "The loss is exp of the mean cross-entropy, the perplexity, whose gradient would be that "
        "many times as large.",
        "loss = np.exp(terms.sum() / M)",
        applies=averaged,
        paired=False,
    ),
    NetworkMistake(
        "loss-of-prediction",
        "a loss of the predicted class, not of the true one",
        "The loss is -log of the largest probability of each row: the targets are not looked at.",
        "terms = -np.eye(K, dtype=y.dtype)[p.argmax(axis=1)] * log_p",
        trigger="rows that are classified wrongly",
        paired=False,
    ),
    NetworkMistake(
        "entropy-for-loss",
        "a loss that is the entropy of the prediction",
        "The loss adds up -p log p, the entropy of the prediction: the targets are not looked at.",
        "terms = -p * log_p",
        paired=False,
    ),
    NetworkMistake(
        "error-rate-for-loss",
        "a loss that is the share of wrong rows",
        "The loss is the share of rows that are classified wrongly, which has no gradient.",
        "one = np.eye(K, dtype=y.dtype)\n"
        "right = one[p.argmax(axis=1)] * one[y.argmax(axis=1)]\n"
        "loss = 1 - right.sum() / N",
        paired=False,
    ),
    NetworkMistake(
        "focal-in-loss-only",
        "a focal loss with the gradient of the cross-entropy",
        "The loss is the focal one, with the factor (1 - p)² before the logarithm; the gradient is "
        "that of the cross-entropy.",
        "terms = -y * (1 - p) ** 2 * log_p",
        paired=False,
    ),
    NetworkMistake(
        "focal-in-both",
        "a focal loss, which is not the declared one",
        "Loss and gradient are those of the focal loss, with the factor (1 - p)² before the "
        "logarithm; declared is the cross-entropy.",
        "terms = -y * (1 - p) ** 2 * log_p\n"
        "q = (y * p).sum(axis=1, keepdims=True)\n"
        "error = (p - y) * (1 - q) * (1 - q - 2 * q * np.log(q))",
        trigger="one-hot targets",
        convention=True,
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
