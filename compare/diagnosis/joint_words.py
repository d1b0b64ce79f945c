"""Words for two mistakes that are one thing: the same term, of one strength in the loss and of
another in the gradient. Told apart, each would deny that the other side has the term at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from compare.diagnosis.explanation import Part

TERMS = {
    frozenset({"l2-in-loss-only", "l2-in-gradient-only"}): "an L2 term",
    frozenset({"l1-in-loss-only", "l1-in-gradient-only"}): "an L1 term",
    frozenset({"smoothing-in-loss-only", "smoothing-in-gradient-only"}): "label smoothing",
}
"""What the two are, by their names."""


def joint_words(parts: Sequence[Part]) -> tuple[str, str] | None:
    """Return title and sentence of two parts that are one term with two strengths, or None."""
    term = TERMS.get(frozenset(part.mistake.name for part in parts))
    if term is None or any(part.layer is not None for part in parts):
        return None
    strengths = {part.mistake.name.split("-")[-2]: part.constant or 0.0 for part in parts}
    loss, gradient = strengths["loss"], strengths["gradient"]
    title = f"{term} of one strength in the loss and another in the gradient"
    sentence = (
        f"Loss and gradient have {term} each, of strength {loss:.3g} in the loss and "
        f"{gradient:.3g} in the gradient."
    )
    return title, sentence
