"""What a user's function has to hand back, and the sentence for each way not to.

Contract 1 is `(loss, gradients)` or `(loss, gradients, intermediates)`, contract 2 `(parameters,
state)`. Only form is judged here: which values are right is for the checks, and a NaN is a value.
Everything that passes is copied, so that a buffer they use again cannot change what we hold.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import Raised, UserCodeError, WrongCall
from compare.guard.blame import name_of, return_of
from compare.guard.effects import Notes

FEW, MANY = 20, 10_000
"""So many unknown keys, and so many intermediates, are looked at."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads what `function` returned for a batch of `rows` samples; all sentences name its line."""

    function: Callable[..., Any]
    parameters: Mapping[str, Array]
    rows: int
    notes: Notes
    lenient: bool = False
    kept: bool = False
    """Whether a lenient reader keeps a wrong shape that tells the mistake, see `telling_shape`."""

    def refuse(self, what: str, error: type[UserCodeError] = UserCodeError) -> NoReturn:
        """Raise the one sentence: where, who, what."""
        place = return_of(self.function)
        where = f"{place.quoted()}: " if place else ""
        raise error(f"{where}{name_of(self.function)} {what}")

    def evaluation(self, value: Any) -> tuple[float, Arrays, Arrays]:
        """Return loss, gradients and intermediates of contract 1."""
        if inspect.iscoroutine(value):
            value.close()  # else Python warns that nobody waited for it
            self.refuse("is an async function; a plain one is due")
        if not isinstance(value, tuple | list) or len(value) not in (2, 3):
            self.refuse(f"returned {kind(value)}; it must return (loss, gradients)")
        if isinstance(value[0], Mapping) and not isinstance(value[1], Mapping):
            self.refuse("returned (gradients, loss); the loss comes first")
        gradients = self.arrays(value[1], "gradient", self.parameters)
        shown = self.intermediates(value[2]) if len(value) == 3 else {}
        return self.loss(value[0]), gradients, shown

    def loss(self, value: Any) -> float:
        """Return the loss, a real number or an array without axes."""
        array = value if isinstance(value, np.ndarray | np.generic) else None
        if array is not None and array.shape:
            if self.lenient:
                return float(array.mean())
            hint = " (one for each sample; average them)" if array.shape == (self.rows,) else ""
            what = f"returned a loss of shape {array.shape}{hint}; it must be one number"
            self.refuse(what, WrongCall)
        real = array.dtype.kind in "fiu" if array is not None else type(value) in (float, int)
        if not real:
            self.refuse(f"returned {kind(value)} as its loss; it must be a real number")
        try:
            return float(value)
        except OverflowError:
            self.refuse("returned a whole number as its loss that no float can hold")

    def intermediates(self, value: Any) -> Arrays:
        """Return the named intermediates; which of them exist is for the checks to know."""
        if not isinstance(value, Mapping):
            self.refuse(f"returned {kind(value)} as intermediates; a dictionary of arrays is due")
        items = list(islice(value.items(), MANY))
        for name, array in items:
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
                self.refuse(f"returned {kind(array)} as intermediate {name!r}; give a float array")
        return {str(name): np.array(array) for name, array in items}

    def arrays(self, value: Any, noun: str, like: Mapping[str, Array]) -> Arrays:
        """Return copies of named arrays that have the names, shapes and dtypes of `like`."""
        if not isinstance(value, Mapping):
            self.refuse(
                f"returned {kind(value)} as its {noun}s;"
                f" a dictionary with the keys {', '.join(like)} is due"
            )
        missing = [name for name in like if name not in value]
        found = list(islice(value, len(like) + FEW))  # an iterator of theirs may never end
        extra = [str(name) for name in found if name not in like]
        if missing or extra:
            parts = [f"without {', '.join(missing)}"] if missing else []
            parts += [f"with unknown {', '.join(extra)}"] if extra else []
            biases = noun == "gradient" and missing == [name for name in like if name[0] == "b"]
            hint = (
                " (a network without biases is declared by --bias false, in Python bias=False)"
                if biases
                else ""
            )
            keys = f"the keys are {', '.join(like)}{hint}"
            self.refuse(f"returned {noun}s {' and '.join(parts)}; {keys}")
        read = ((name, self.array(value[name], f"{noun} {name}", like[name])) for name in like)
        return {name: array for name, array in read if array is not None}

    def array(self, value: Any, what: str, like: Array) -> Array | None:
        """Return a copy of one array of the shape and dtype of `like`; a lenient reader mends a
        wrong shape, and returns None where that cannot be done. A number has the shape ()."""
        value = np.asarray(value) if isinstance(value, float | np.floating) else value
        if not isinstance(value, np.ndarray):
            self.refuse(f"returned {kind(value)} as {what}; it must be a NumPy array")
        if value.dtype != like.dtype:
            self.refuse(f"returned {what} as {value.dtype}; its arguments are {like.dtype}")
        single = like.ndim == 1 and value.size == like.size == 1 and value.shape != like.shape
        if single or (like.ndim == 1 and value.shape == (1, *like.shape)):
            who = name_of(self.function)
            self.notes.add(f"{who} returns {what} of shape {value.shape}; read as {like.shape}")
        elif value.shape != like.shape:
            if self.lenient:
                kept = self.kept and self.telling_shape(value.shape, like.shape)
                told = value.reshape(self.rows) if value.size == self.rows else value
                return np.array(told) if kept else self.mended(value, like.shape)
            hint = self.shape_hint(value.shape, like.shape)
            sentence = f"returned {what} of shape {value.shape}; {like.shape} is due{hint}"
            self.refuse(sentence, WrongCall)
        return np.array(value).reshape(like.shape)

    def shape_hint(self, shape: tuple[int, ...], due: tuple[int, ...]) -> str:
        """Name the slip behind a wrong shape, if there is a usual one."""
        if len(due) == 2 and shape == due[::-1]:
            return ": it is transposed"
        if len(due) == 1 and shape == (self.rows, *due):
            return ": it is not summed over the batch"
        if len(due) == 1 and shape in {(self.rows,), (1, self.rows), (self.rows, 1)}:
            return ": it is summed over the wrong axis"
        return ": it is collapsed to one number" if is_number(shape, due) else ""

    def telling_shape(self, shape: tuple[int, ...], due: tuple[int, ...]) -> bool:
        """Return whether a known mistake gives a bias gradient this shape: its numbers may be
        reproduced as they are."""
        alone = {(self.rows,), (self.rows, 1), (1, self.rows)}
        return len(due) == 1 and shape in {(self.rows, *due), *alone}

    def mended(self, value: Array, due: tuple[int, ...]) -> Array | None:
        """Return an array of a wrong shape in the one that is due, None if that is lost."""
        if len(due) == 2 and value.shape == due[::-1]:
            return value.T.copy()
        if len(due) == 1 and value.shape == (self.rows, *due):
            return np.asarray(value.sum(axis=0))
        if is_number(value.shape, due):
            return np.full(due, value.item())
        return np.array(value).reshape(due) if value.size == np.prod(due) else None

    def update(self, value: Any, state: Mapping[str, Array]) -> tuple[Arrays, Arrays]:
        """Return parameters and state of contract 2; an absent state entry means zeros."""
        if not isinstance(value, tuple | list) or len(value) != 2:
            self.refuse(f"returned {kind(value)}; it must return (parameters, state)")
        parameters = self.arrays(value[0], "parameter", self.parameters)
        given = value[1] if isinstance(value[1], Mapping) else None
        zeros = {} if given is None else {k: np.zeros_like(v) for k, v in state.items()}
        whole = value[1] if given is None else zeros | dict(given)
        return parameters, self.arrays(whole, "state value", state)

    def first_update(self, value: Any) -> tuple[Arrays, Any]:
        """Return parameters and state after the update from {}: velocities of all parameters, or
        the state as it is where it is kept in another way.

        Raises `Raised` where nothing is done: a step that goes over its state does not take {}.
        """
        parameters, state = self.any_update(value)
        if isinstance(state, Mapping) and not state and same(parameters, self.parameters):
            self.refuse("does nothing with the state {}", Raised)
        zeros = {f"v_{name}": np.zeros_like(w) for name, w in self.parameters.items()}
        if state is None or (isinstance(state, Mapping) and not own_keys(state, zeros)):
            return self.update(value, zeros)
        return parameters, state

    def any_update(self, value: Any) -> tuple[Arrays, Any]:
        """Return parameters and state of contract 10; the state may be anything."""
        if not isinstance(value, tuple | list) or len(value) != 2:
            self.refuse(f"returned {kind(value)}; it must return (parameters, state)")
        return self.arrays(value[0], "parameter", self.parameters), value[1]


def same(one: Arrays, other: Mapping[str, Array]) -> bool:
    """Return whether two sets of arrays have the same numbers."""
    return all(np.array_equal(array, other[name]) for name, array in one.items())


def own_keys(state: Mapping[Any, Any], due: Mapping[str, Any]) -> bool:
    """Return whether a state has other keys than those that are due."""
    return any(key not in due for key in islice(state, len(due) + FEW))


def documents(state: Any, parameters: Mapping[str, Array]) -> bool:
    """Return whether a state is the velocities of all parameters, under their documented keys."""
    due = dict.fromkeys(f"v_{name}" for name in parameters)
    return isinstance(state, Mapping) and not own_keys(state, due) and len(state) == len(due)


def is_number(shape: tuple[int, ...], due: tuple[int, ...]) -> bool:
    """Return whether an array is one number, with whatever axes, where a bias gradient of several
    is due; one without axes is a number anywhere."""
    return not shape or (len(due) == 1 and all(size == 1 for size in shape))


def kind(value: Any) -> str:
    """Say what a value is: `None`, `a tuple of 4`, `an array of shape (3, 2)`."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} and shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    module = type(value).__module__.partition(".")[0]
    prefix = "" if module == "builtins" else f"{module}."
    return f"a {prefix}{type(value).__name__}"
