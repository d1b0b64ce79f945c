"""How much the judge sees, and what it never accuses: `python -m benchmarks.power`.

`population` draws points, `variants` computes them honestly in many ways, `planted` makes errors
of a known kind and size, `ours` and `peers` are the rules that decide. `measures` puts all of it
together at one point, `tables` over all points.
"""
