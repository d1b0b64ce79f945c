"""Which stage to blame: the first whose inputs agree and whose output does not.

With intermediates the stages are compared in the order of the computation. From gradients alone
the order of the backward pass still tells something: if layers above l are right and both
gradients of layer l are wrong, `dz_l` is; if only one of them is, that product is.
"""

from __future__ import annotations

from collections.abc import Mapping

from compare.checks.comparison import Comparison, compare_entries
from compare.checks.examined import Examined
from compare.contracts.arrays import Array, Arrays, Values
from compare.contracts.between import RUNNING


def stage_of(gradients: Mapping[str, Comparison]) -> str | None:
    """Return `dlogits`, `dn1`, `dz1`, `dw2`, ...: the first wrong stage backwards, or None."""
    depth = sum(name[0] == "w" for name in gradients)
    for layer in range(depth, 0, -1):
        scales = [f"{kind}{layer}" for kind in ("gamma", "beta") if f"{kind}{layer}" in gradients]
        wrong = [name for name in scales if not gradients[name].agrees]
        if wrong:
            return f"dn{layer}" if len(wrong) == 2 else f"d{wrong[0]}"
        w_wrong = not gradients[f"w{layer}"].agrees
        bias = gradients.get(f"b{layer}")
        b_wrong = w_wrong if bias is None else not bias.agrees
        if w_wrong and b_wrong:
            return "dlogits" if layer == depth else f"dz{layer}"
        if w_wrong or b_wrong:
            return f"d{'w' if w_wrong else 'b'}{layer}"
    return None


def order_of_stages(depth: int) -> list[str]:
    """Return the names of all intermediates in the order of the computation."""
    forward = [f"{kind}{layer}" for layer in range(1, depth) for kind in "zsnah"]
    backward = [
        name
        for layer in range(depth - 1, 0, -1)
        for name in (
            f"dw{layer + 1}",
            f"db{layer + 1}",
            f"dh{layer}",
            f"da{layer}",
            f"dn{layer}",
            f"dgamma{layer}",
            f"dbeta{layer}",
            f"dz{layer}",
        )
    ]
    return [*forward, "logits", "p", "loss", "dlogits", *backward, "dw1", "db1"]


def first_wrong_stage(examined: Examined, shown: Arrays, depth: int) -> Comparison | None:
    """Compare what the manual side shows, in order; return the first that disagrees, or None.

    None also where that is a gradient whose own dz is not shown: `stage_of` then tells more.
    """
    if not shown:
        return None
    known, values = examined.comparisons, examined.reference_values
    for stage in order_of_stages(depth):
        compared = known.get(stage)
        if stage in shown and stage in values:
            allowance = examined.allowances.intermediate(stage)
            if allowance is not None and shown[stage].shape == values[stage].shape:
                compared = compare_entries(stage, shown[stage], values[stage], allowance)
        if compared is not None and not compared.agrees:
            return compared if stage in shown or upstream(stage, depth) in shown else None
    return None


def not_compared(examined: Examined, shown: Arrays, depth: int) -> list[str]:
    """Say of what the manual side shows which stages are none, or have another shape."""
    if not shown:
        return []
    values, stages = examined.reference_values, order_of_stages(depth)
    said = []
    for stage, array in shown.items():
        if stage in examined.comparisons or is_statistic(stage, array, values):
            continue  # running statistics are compared apart, as rows or as columns
        if stage not in stages or stage not in values:
            said.append(f"{stage} is no stage of this network")
        elif array.shape != values[stage].shape:
            said.append(f"{stage} has shape {array.shape}, where {values[stage].shape} is due")
        elif examined.allowances.intermediate(stage) is None:
            said.append(f"{stage} has no allowance here")
    return said


def is_statistic(stage: str, array: Array, values: Values) -> bool:
    """Return whether a stage is a running statistic of a right size."""
    return stage.startswith(RUNNING) and stage in values and array.size == values[stage].size


def upstream(gradient: str, depth: int) -> str:
    """Return the name of the dz that `dw1`, `db1`, ... is made from."""
    layer = int(gradient[2:] or 0) if gradient[:2] in ("dw", "db") else 0
    return "dlogits" if layer == depth else f"dz{layer}"
