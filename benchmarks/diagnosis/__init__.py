"""How well the diagnosis names mistakes: `python -m benchmarks.diagnosis`.

Every mistake is planted in plain NumPy programs that share no code with the textbook pass which
has to recognise it; the diagnosis sees what they return and nothing else.
"""
