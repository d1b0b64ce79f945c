"""Dropout: units that are left out of one update, and what flows back through the others.

The mask is drawn once, outside, and handed to the pass; forward and backward use the same one.
"""

from manual_mlp.arrays import Array


def dropped(a: Array, keep: Array, rate: float) -> Array:
    """h = a * keep / (1 - rate), all (N, H); `keep` is True for the units that stay.

    Divided by the share that stays ("inverted"), h has the expected value a, and evaluation needs
    no factor. Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, JMLR 15,
    section 10, where evaluation multiplies instead.
    """
    h: Array = a * keep * a.dtype.type(1 / (1 - rate))
    return h


def dropped_backward(dh: Array, keep: Array, rate: float) -> Array:
    """da = dh * keep / (1 - rate): the function is linear, so its gradient is the function."""
    return dropped(dh, keep, rate)
