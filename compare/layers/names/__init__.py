"""The names of mistakes: what, changed in the reference, reproduces the manual numbers.

There is no catalogue. The reference is written down step by step, changed in one place, and run
again; a change that gives all numbers of the manual side, where the reference does not, is named.
"""

from compare.layers.names.search import Named, clip_named, name_mistake

__all__ = ["Named", "clip_named", "name_mistake"]
