"""A module that is not installed, in the hands of a file that imports it and hardly uses it.

Most files that import TensorFlow have five functions that never touch it. Whatever does touch the
stand-in gets the error it would have got from the import, at the line that uses it.
"""

from __future__ import annotations

from typing import Any, NoReturn


class Absent:
    """Stands for anything out of a missing module; it can be named and passed on, not used."""

    def __init__(self, name: str, reason: str) -> None:
        self._name, self._reason = name, reason

    def __getattr__(self, name: str) -> Absent:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._name}.{name}", self._reason)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise ModuleNotFoundError(f"{self._name} is not there: {self._reason}")

    def __mro_entries__(self, _: tuple[Any, ...]) -> tuple[()]:
        """A class that inherits from something missing is defined without it."""
        return ()
