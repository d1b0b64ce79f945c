"""Family: what Adam and its kin keep from update to update: the count t, the means, the largest.

Slips stand in place of lines of `textbook/plain_optimisers.py`, as those of `optimisers.py` do.
"""

from __future__ import annotations

from compare.mistakes.optimiser_mistake import OptimiserMistake

ADAM = ("adam", "adamw", "amsgrad")
LATER = "from the second update on"
SQUARES = '(1 - beta2) * (dw * dw)'  # fmt: skip

COUNTED = (
    OptimiserMistake(
        "adam-t-per-weight",
        "a t of Adam that is advanced once for every weight",
        "The t of Adam is advanced once for every weight: it counts updates, the same for all of "
        "them.",
        "n = of.place + of.places * (t - 1)\nfirst, second = 1 - beta1**n, 1 - beta2**n",
        program="adaptive",
        of=ADAM,
        trigger="a second weight",
    ),
    OptimiserMistake(
        "adam-t-per-layer",
        "a t of Adam that is advanced once for every layer",
        "The t of Adam is advanced once for every layer, before its weight and its bias: it counts "
        "updates, the same for all of them.",
        "n = (of.place + 1) // 2 + of.places // 2 * (t - 1)\n"
        "first, second = 1 - beta1**n, 1 - beta2**n",
        program="adaptive",
        of=ADAM,
        trigger="a second layer",
    ),
)
MEANS = (
    OptimiserMistake(
        "adam-mean-begins-anew",
        "a mean of Adam's gradients that begins anew at every update",
        "The mean m of the gradients is not carried on: it is (1 - beta1) dw at every update.",
        "m = (1 - beta1) * dw",
        program="adaptive",
        of=ADAM,
        trigger=LATER,
    ),
    OptimiserMistake(
        "adam-squares-begin-anew",
        "a mean of Adam's squares that begins anew at every update",
        "The mean s of the squares is not carried on: it is (1 - beta2) dw**2 at every update.",
        f"s = {SQUARES}",
        program="adaptive",
        of=ADAM,
        trigger=LATER,
    ),
    OptimiserMistake(
        "adam-means-begin-anew",
        "means of Adam that begin anew at every update",
        "Both means of Adam begin at zero at every update, while t goes on.",
        f"m = (1 - beta1) * dw\ns = {SQUARES}",
        program="adaptive",
        of=ADAM,
        trigger=LATER,
    ),
    OptimiserMistake(
        "adam-begins-anew",
        "an Adam that begins anew at every update",
        "Means and t begin anew at every update, as where the optimiser is made inside of the "
        "loop: every step is the rate times the sign of the gradient.",
        f"m = (1 - beta1) * dw\ns = {SQUARES}\nfirst, second = 1 - beta1, 1 - beta2",
        program="adaptive",
        of=ADAM,
        trigger=LATER,
    ),
    OptimiserMistake(
        "adam-gradient-not-squared",
        "a mean of the gradients under Adam's root",
        "The second mean is one of dw, which is not squared: its root is not a number wherever it "
        "is negative.",
        's = beta2 * kept(old, "s", dw) + (1 - beta2) * dw',
        program="adaptive",
        of=("adam", "adamw"),
    ),
    OptimiserMistake(
        "rmsprop-gradient-not-squared",
        "a mean of the gradients under RMSprop's root",
        "The mean is one of dw, which is not squared: its root is not a number wherever it is "
        "negative.",
        's = of.alpha * kept(old, "s", dw) + (1 - of.alpha) * dw',
        program="rmsprop",
        of=("rmsprop",),
    ),
    OptimiserMistake(
        "adagrad-gradient-not-squared",
        "a sum of the gradients under Adagrad's root",
        "The sum is one of dw, which is not squared: its root is not a number wherever it is "
        "negative.",
        's = kept(old, "s", dw) + dw',
        program="adagrad",
        of=("adagrad",),
    ),
)
LARGEST = (
    OptimiserMistake(
        "amsgrad-largest-of-corrected",
        "the largest of the corrected means of the squares",
        "The largest mean of the squares is taken of those that are corrected by t, as optax has "
        "it; torch takes it before and corrects it afterwards.",
        'after["r"] = root = larger(kept(old, "r", dw), s / (1 - beta2**t))\n'
        "divisor = np.sqrt(root) + of.eps",
        program="adaptive",
        of=("amsgrad",),
        trigger="a mean that falls",
        convention=True,
    ),
    OptimiserMistake(
        "amsgrad-largest-fed-back",
        "a largest mean of the squares that goes into the next mean",
        "The largest mean of the squares is kept as the mean itself: the next mean is made of it.",
        f's = larger(kept(old, "s", dw), beta2 * kept(old, "s", dw) + {SQUARES})',
        program="adaptive",
        of=("amsgrad",),
        trigger="a mean that falls",
    ),
)

ADAM_STATE = COUNTED + MEANS + LARGEST
