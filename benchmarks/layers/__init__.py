"""How far the judge of layers can be believed: honest layers, planted errors, named mistakes.

`textbook` has layers as textbooks derive them, each in three honest ways of writing; `mistakes` has
wrong ones. None of it uses the judge's own derivation. `python -m benchmarks.layers`.
"""
