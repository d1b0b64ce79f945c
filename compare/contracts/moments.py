"""What a moment is called: an epoch and update of a training, a point of a check, a dump's step.

Records and findings number them all alike, by epoch and update, for programs to read. But only a
training has epochs: of anything else "epoch 0, update 1" would tell of a run that never was.
"""

from __future__ import annotations

ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
)  # fmt: skip
"""A check has at most as many points, and fewer updates."""


def moment(mode: str | None, check: str, epoch: int | None, update: int | None) -> str:
    """Return `epoch 3, update 21`, as far as both are known; `the second point`; `step 21`.

    The points of a layer are numbered: `point 2`.

    `mode` is that of the settings, None for a training.
    """
    if mode == "dump" and update is not None:
        return f"step {update}"
    if mode == "check" and update is not None:
        return f"the {ORDINALS[update]} {'update' if check == 'step' else 'point'}"
    if mode == "curves":
        return "" if epoch is None else f"epoch {epoch}"
    if mode == "layer":
        return "" if update is None else f"point {update + 1}"
    said = {"epoch": epoch, "update": update}
    return ", ".join(f"{name} {number}" for name, number in said.items() if number is not None)
