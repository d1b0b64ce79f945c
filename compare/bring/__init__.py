"""Code and numbers that somebody else wrote: called with care, opened with care, compared.

A call that cannot hurt (guard.py):
    blame.py           which line of their file a failure belongs to
    deadline.py        a call that may hang
    effects.py         what a call does besides returning
    copies.py          a call on copies of its arguments
    contract.py        what a returned value must look like
    implementation.py  a user's function in our place: the checked contracts 1 and 2

A function (manual_file.py), a student's file (starter.py):
    cells.py, blocks.py, statements.py    a file taken apart without being run
    aliases.py, absent.py, bare.py        what makes old and incomplete files readable
    source.py                             the functions, and what they need
    roles.py, readings.py, ..._readings.py, function_check.py    the five of the assignment
    binding.py, gradient_functions.py     gradients without fixed names
    adapter.py                            the whole file as one function

A dump (dump.py):
    npy.py, dump_format.py, dump_step.py  files, and what they must hold
    recorder.py                           a dump of ours

Nothing here is a sandbox. The code under test runs with the rights of whoever starts the program.
"""
