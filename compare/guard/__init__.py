"""A call of somebody else's code that cannot hurt the caller.

    blame.py           which line of their file a failure belongs to
    deadline.py        a call that may hang
    effects.py         what a call does besides returning
    copies.py          a call on copies of its arguments
    guard.py           all of these around one call
    contract.py        what a returned value must look like
    implementation.py  a user's function in our place: the checked contracts 1 and 2
    manual_file.py     the file such a function stands in

Nothing here is a sandbox. The code under test runs with the rights of whoever starts the program.
"""
