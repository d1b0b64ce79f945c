"""The exceptions for what a user handed over that cannot be used.

Everything that reads files, options or other people's code raises it; the
command prints its sentence on stderr and exits with code 2.
"""


class BadInput(Exception):
    """Input that cannot be used, said in one sentence.

    The sentence names what is wrong, where it is wrong and what to do about
    it. It is shown to the user as it stands, without a traceback.

    Example:
        >>> from compare import Experiment
        >>> Experiment(epochs=-1)
        Traceback (most recent call last):
        compare.contracts.errors.BadInput: epochs: ...
    """


class UserCodeError(BadInput):
    """The code under test raised, hung, or returned what the contract does not allow."""


class WrongCall(UserCodeError):
    """The function under test raised, or its loss or a gradient has another shape: it is wrong.

    A check says *disagrees* then, with this sentence, and tries the known mistakes.
    """


class Raised(WrongCall):
    """The function under test raised: the exit code is 2 then, as for all that ends a check."""
