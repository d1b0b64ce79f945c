"""Code and numbers that somebody else wrote: called with care, opened with care, compared.

    blame.py           which line of their file a failure belongs to
    deadline.py        a call that may hang
    effects.py         what a call does besides returning
    guard.py           the three together: one sentence for whatever goes wrong
    contract.py        what a returned value must look like
    implementation.py  a user's function in our place: the checked contracts 1 and 2

Nothing here is a sandbox. The code under test runs with the rights of whoever starts the program.
"""
