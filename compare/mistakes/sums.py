"""Family: over what is summed, and when."""

from __future__ import annotations

from compare.mistakes.conditions import averaged
from compare.mistakes.lines import DB_LINE, DLOGITS_LINE, dlogits_slip
from compare.mistakes.mistake import NetworkMistake
from compare.textbook.functions import repeated

FAMILY = "reduction"

SUMS = (
    NetworkMistake(
        name="bias-not-summed",
        family=FAMILY,
        sentence="The bias gradient is not summed over the batch: it keeps one row per sample.",
        right="db = sum_n dz",
        wrong="db = dz        (N, fan_out)",
        line=DB_LINE,
        slip="db[i] = dz[i]",
        stages={"db": lambda net, i: net.dz(i)},
        seen=4,
    ),
    NetworkMistake(
        name="bias-averaged",
        family=FAMILY,
        sentence="The bias gradient is the mean of dz over the batch, not its sum: N times too "
        "small for a batch of N.",
        right="db = sum_n dz",
        wrong="db = mean_n dz",
        line=DB_LINE,
        slip="db[i] = dz[i].mean(axis=0)",
        stages={"db": lambda net, i: net.dz(i).mean(0)},
    ),
    NetworkMistake(
        name="bias-gradient-summed",
        family=FAMILY,
        sentence="The bias gradient is not divided by N: it is a sum where the weight "
        "gradient is an average.",
        right="db = sum_n dz with dz = (p - y) / N",
        wrong="db = N sum_n dz",
        line=DB_LINE,
        slip="db[i] = (dz[i] * N).sum(axis=0)",
        stages={"db": lambda net, i: (net.dz(i) * net.rows).sum(0)},
        applies=averaged,
    ),
    NetworkMistake(
        name="bias-summed-over-wrong-axis",
        family=FAMILY,
        sentence="The bias gradient is summed over the units, not over the samples: it has one "
        "entry per sample.",
        right="db_j = sum_n dz_nj",
        wrong="db_n = sum_j dz_nj        (N,)",
        line=DB_LINE,
        slip="db[i] = dz[i].sum(axis=1)",
        stages={"db": lambda net, i: net.dz(i).sum(1)},
    ),
    NetworkMistake(
        name="bias-summed-to-a-number",
        family=FAMILY,
        sentence="The bias gradient is summed over samples and units: one number for all units.",
        right="db_j = sum_n dz_nj",
        wrong="db_j = sum_n sum_k dz_nk",
        line=DB_LINE,
        slip="db[i] = np.full_like(b[i], dz[i].sum())",
        stages={"db": lambda net, i: repeated(net.dz(i).sum(), net.dz(i).shape[1])},
        trigger="beyond the last layer: there the errors of a row add up to 0 of themselves",
    ),
    NetworkMistake(
        name="gradient-collapsed-over-batch",
        family=FAMILY,
        sentence="The error at the logits is averaged over the batch before it is multiplied with "
        "the inputs of the layers: every sample's input meets the same average error.",
        right="dw = sum_n h_n dz_n",
        wrong="dw = (sum_n h_n) (mean_n dz_n)",
        line=DLOGITS_LINE,
        slip=dlogits_slip("np.ones_like(error) * error.mean(axis=0) / M"),
        stages={"dlogits": lambda net, _: repeated(net.error.mean(0), net.rows) / net.divisor},
        seen=4,
    ),
)
