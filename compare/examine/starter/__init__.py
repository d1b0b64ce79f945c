"""A student's file: read without being run as a whole, then compared function by function.

    cells.py, blocks.py, statements.py    a file taken apart without being run
    aliases.py, absent.py, bare.py        what makes old and incomplete files readable
    source.py                             the functions, and what they need
    roles.py, readings.py, ..._readings.py, function_check.py    the five of the assignment
    binding.py, gradient_functions.py     gradients without fixed names
    adapter.py                            the whole file as one function

Nothing here is a sandbox. The code under test runs with the rights of whoever starts the program.
"""
