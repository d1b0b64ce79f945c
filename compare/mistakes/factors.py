"""Family: a factor too many in one place, as a size of the network or as a number.

What is left of a scale that was put in and not taken out: 1/sqrt(d) of an attention, 1/keep of a
dropout, 1/255 of an image. A form in the sizes is tried before a number is.
"""

from __future__ import annotations

from compare.mistakes.conditions import averaged, hidden, square_behind
from compare.mistakes.fits import Among, number
from compare.mistakes.mistake import NetworkMistake

WAY_BACK = (
    NetworkMistake(
        "error-divided-by-root-of-width",
        "an error divided by the root of the layer's width on its way back",
        "The error that goes back into a hidden layer is divided by the square root of its width; "
        "nothing in the forward pass is.",
        "dh[i - 1] = dz[i] @ w[i].T / np.sqrt(w[i].shape[0])",
        applies=hidden,
        paired=False,
    ),
    NetworkMistake(
        "error-divided-by-width",
        "an error divided by the layer's width on its way back",
        "The error that goes back into a hidden layer is divided by its width.",
        "dh[i - 1] = dz[i] @ w[i].T / w[i].shape[0]",
        applies=hidden,
        paired=False,
    ),
    NetworkMistake(
        "error-divided-by-width-above",
        "an error divided by the width of the layer above on its way back",
        "The error that goes back into a hidden layer is divided by the width of the layer it "
        "comes from, as if it were a mean over those units.",
        "dh[i - 1] = dz[i] @ w[i].T / w[i].shape[1]",
        applies=hidden,
        paired=False,
    ),
    NetworkMistake(
        "error-divided-by-n-on-the-way",
        "an error divided by N once more on its way back",
        "The error that goes back into a hidden layer is divided by the batch N once more.",
        "dh[i - 1] = dz[i] @ w[i].T / N",
        applies=hidden,
        paired=False,
    ),
    NetworkMistake(
        "error-multiplied-by-n-on-the-way",
        "an error multiplied by N on its way back",
        "The error that goes back into a hidden layer is multiplied by the batch N: the 1/N of the "
        "loss is in the gradients of the last layer only.",
        "dh[i - 1] = dz[i] @ w[i].T * N",
        applies=lambda point: hidden(point) and averaged(point),
        paired=False,
    ),
    NetworkMistake(
        "error-times-a-number",
        "an error times {constant:.4g} on its way back",
        "The error that goes back into a hidden layer is {constant:.4g} times as large as it "
        "should be: a scale that the forward pass does not have?",
        "dh[i - 1] = c * (dz[i] @ w[i].T)",
        applies=hidden,
        fit=number,
        example=1.25,
        paired=False,
    ),
)

OWN = (
    NetworkMistake(
        "weight-gradient-divided-by-inputs",
        "a weight gradient divided by the inputs of its layer",
        "The weight gradient is divided by the number of inputs of its layer.",
        "dw[i] = h[i - 1].T @ dz[i] / w[i].shape[0]",
        paired=False,
    ),
    NetworkMistake(
        "weight-gradient-times-a-number",
        "{constant:.4g} times the weight gradient",
        "Every weight gradient is {constant:.4g} times as large as it should be: an input that was "
        "scaled in one of the two passes only?",
        "dw[i] = c * (h[i - 1].T @ dz[i])",
        fit=number,
        example=255,
        paired=False,
    ),
    NetworkMistake(
        "bias-gradient-times-a-number",
        "{constant:.4g} times the bias gradient",
        "Every bias gradient is {constant:.4g} times as large as it should be.",
        "db[i] = c * dz[i].sum(axis=0)",
        fit=number,
        example=2,
        paired=False,
    ),
)

SCALES = (255, 256, 127.5, 128, 100, 10, 1000)
"""What inputs are divided by, the largest grey of a picture first."""

INPUTS = (
    NetworkMistake(
        "inputs-divided-in-forward-only",
        "inputs that only the forward pass divides by {constant:g}",
        "The forward pass divides the inputs by {constant:g}; the gradient of the first weights is "
        "formed with the inputs as they are.",
        "z[i] = (x / c if i == 1 else h[i - 1]) @ w[i] + b[i]",
        fit=Among(lambda point: SCALES),
        example=255,
        layers=False,
        paired=False,
    ),
    NetworkMistake(
        "inputs-divided",
        "inputs that are divided by {constant:g}",
        "The network divides its inputs by {constant:g}, forwards and in the gradient of the first "
        "weights: a right network, of other inputs than it was handed.",
        "z[i] = (x / c if i == 1 else h[i - 1]) @ w[i] + b[i]\n"
        "dw[i] = (x / c if i == 1 else h[i - 1]).T @ dz[i]",
        fit=Among(lambda point: SCALES),
        example=255,
        convention=True,
        layers=False,
        paired=False,
    ),
    NetworkMistake(
        "inputs-centred-in-forward-only",
        "inputs that only the forward pass centres",
        "The forward pass takes the mean over the batch off the inputs; the gradient of the first "
        "weights is formed with the inputs as they are.",
        "z[i] = (x - x.mean(axis=0) if i == 1 else h[i - 1]) @ w[i] + b[i]",
        layers=False,
        paired=False,
    ),
)

ANOTHER = (
    NetworkMistake(
        "centred-inputs-in-weight-gradient",
        "a weight gradient with centred inputs",
        "The weight gradient is formed with inputs of which the mean over the batch was taken off; "
        "the forward pass works on the inputs as they are.",
        "dw[i] = (h[i - 1] - h[i - 1].mean(axis=0)).T @ dz[i]",
        paired=False,
    ),
    NetworkMistake(
        "weights-left-out-on-the-way-back",
        "an error that goes back without the weights",
        "The error goes back into the layer below as it is: it is not multiplied with the weights "
        "in between; equal widths hide it.",
        "dh[i - 1] = dz[i] if w[i].shape[0] == w[i].shape[1] else dz[i] @ w[i].T",
        applies=square_behind,
        trigger="a layer as wide as the one below",
        paired=False,
    ),
)

FACTORS = OWN + WAY_BACK + INPUTS + ANOTHER
