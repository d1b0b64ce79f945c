"""Any hand-written forward and backward, held against any differentiable torch module or function.

`formats` says what one rounding is, `rules`, `slopes` and `decompositions` what an aten operation
does with errors, `crowds` and `sums` what a sum of many terms rounds. `walk` meets every operation
of a torch program; `analysis` walks it once with an allowance beside every tensor, `replay` once
more with some decision turned over. On top of that stand the check of a layer (`check`), its kinks
and the names of its mistakes (`names`).
"""
