"""From the arrays of one step in a dump to a record: every shape and name checked, and said.

Biases become (H,), integer targets one-hot rows; parameters, x and targets share one dtype.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import manual_mlp
from compare.contracts.arrays import Array, Arrays
from compare.contracts.between import ordered, running
from compare.contracts.errors import BadInput
from compare.contracts.experiment import DTYPES
from compare.contracts.records import PARAMETER
from compare.contracts.targets import require_classes, require_probabilities
from compare.examine.dump.dump_format import RawStep, RunFile, is_nearly_known

STAGE = re.compile(r"(d?[zhna]|s)[1-9]\d*|logits|p|dlogits")
BUFFERS = ("v_", "m_", "s_", "r_", "a_")
SUMMING = ("cross_entropy", "hinge")
"""Losses whose targets are rows that sum to 1."""
NAME = re.compile(PARAMETER)


@dataclass(frozen=True, slots=True)
class Step:
    """One recorded step in the project's own form. `record.state` is empty if none was recorded;
    `shown` are intermediates, `context` the masks and the running statistics before the batch,
    which the state holds as well. `ignored` are the keys that mean nothing here, `misspelt` those
    that nearly mean something; `rows`: which rows of the data these are, None where it is not said.
    """

    number: int
    record: manual_mlp.Record
    x: Array
    targets: Array
    shown: Arrays
    context: Arrays
    ignored: tuple[str, ...]
    misspelt: tuple[str, ...]
    rows: Array | None = None


def step_of(raw: RawStep, top: Mapping[str, Array], run: RunFile) -> Step:
    """Return the step; raises `BadInput` that names the step, the array and what is due."""
    reader = Reader(raw.where, {**top, **raw.arrays}, run, raw.unread)
    parameters = reader.parameters()
    x, targets = reader.batch(parameters)
    context = reader.context(parameters, len(x))
    record = manual_mlp.Record(
        update=raw.number,
        epoch=0,
        batch=np.arange(len(x)),
        loss=reader.loss(),
        gradients=reader.like(parameters, "d"),
        parameters=parameters,
        state=reader.state(parameters) | running(context),
        evaluation=None,
        learning_rate=reader.number("learning_rate") if "learning_rate" in reader.arrays else None,
    )
    shown = {name: array for name, array in reader.arrays.items() if STAGE.fullmatch(name)}
    foreign = (*reader.ignored(parameters), *raw.unread)
    # How many rows there are, say: nothing that could have been compared.
    misspelt = tuple(key for key in foreign if is_nearly_known(key) and key != "rows")
    ignored = tuple(key for key in foreign if key not in misspelt)
    rows = reader.rows(len(x))
    return Step(raw.number, record, x, targets, shown, context, ignored, misspelt, rows)


class Reader:
    """Reads the arrays of one step."""

    def __init__(
        self, where: str, arrays: Arrays, run: RunFile, unread: Sequence[str] = ()
    ) -> None:
        self.where, self.run, self.unread = where, run, unread
        self.arrays = arrays
        self.names = run.names or tuple(name for name in arrays if NAME.fullmatch(name))
        self.dtype = self.common_dtype(run.dtype)

    def common_dtype(self, declared: str | None) -> np.dtype[Any]:
        """Return the format it was computed in: the declared one, or that of the parameters."""
        found = {str(self.arrays[name].dtype) for name in self.names if name in self.arrays}
        if declared is None and (len(found) != 1 or not found <= set(DTYPES)):
            raise BadInput(
                f"{self.where} holds parameters of type {', '.join(sorted(found)) or 'nothing'}:"
                " store all of them as float64, or all as float32"
            )
        return np.dtype(declared or found.pop())

    def get(self, name: str) -> Array:
        """Return an array that has to be there."""
        if name not in self.arrays:
            there = ", ".join(sorted({*self.arrays, *self.unread})) or "nothing"
            meant = next((key for key in self.unread if key.casefold() == name.casefold()), None)
            hint = f"; is {meant} meant? its name is {name}" if meant else ""
            raise BadInput(f"{self.where} holds no {name}; it holds {there}{hint}")
        return self.arrays[name]

    def exact(self, name: str) -> Array:
        """Return an array in the common dtype, refusing to round what the checks start from."""
        array = self.get(name)
        cast = array.astype(self.dtype)
        if not np.array_equal(cast, array, equal_nan=True):
            raise BadInput(
                f"{self.where}: {name} is {array.dtype} and does not fit into {self.dtype}, the"
                " dtype of the others: store what was computed with"
            )
        return cast

    def parameters(self) -> Arrays:
        """Return w1, b1, ..., wL, bL, biases as (H,); each layer fits the one before."""
        depth = max(1, sum(name[0] == "w" for name in self.names))
        kinds = "wb" if any(name[0] == "b" for name in self.names) else "w"
        due = [f"{kind}{layer}" for layer in range(1, depth + 1) for kind in kinds]
        if any(name.startswith("gamma") for name in self.names):
            due += [f"{kind}{layer}" for layer in range(1, depth) for kind in ("gamma", "beta")]
        if strange := sorted(set(self.names) - set(due)):
            raise BadInput(f"{self.where} has a parameter {strange[0]}, but not all before it")
        parameters = {name: self.exact(name) for name in due}
        if "b" in kinds:
            self.laid_out(parameters, depth)
        width = None
        for layer in range(1, depth + 1):
            w = parameters[f"w{layer}"]
            if w.ndim != 2 or width not in (None, w.shape[0]):
                wanted = f"({width or 'fan_in'}, fan_out)"
                raise BadInput(f"{self.where}: w{layer} has shape {w.shape}; {wanted} is due")
            width = w.shape[1]
            for name in (f"{kind}{layer}" for kind in ("b", "gamma", "beta")):
                if name in parameters:
                    parameters[name] = self.shaped(name, parameters[name], (width,))
        return ordered(parameters)

    def context(self, parameters: Arrays, rows: int) -> Arrays:
        """Return the masks mask1, ... that a declared dropout needs, and what running statistics
        there are; a mask is an array of 0 and 1."""
        widths = [w.shape[1] for name, w in parameters.items() if name[0] == "w"][:-1]
        found: Arrays = {}
        for layer, width in enumerate(widths, start=1):
            if self.run.declared.get("dropout"):
                mask = self.shaped(f"mask{layer}", self.get(f"mask{layer}"), (rows, width))
                if not np.isin(mask, (0, 1)).all():
                    raise BadInput(f"{self.where}: mask{layer} must hold 0 and 1")
                found[f"mask{layer}"] = mask.astype(bool)
            for name in (f"running_mean{layer}", f"running_var{layer}"):
                if name in self.arrays and self.run.declared.get("normalisation") == "batch":
                    found[name] = self.shaped(name, self.exact(name), (width,))
        return found

    def laid_out(self, parameters: Arrays, depth: int) -> None:
        """Refuse weights that are (out, in), as `nn.Linear` has them: only their transposes fit x,
        the biases and each other."""
        layers = range(1, depth + 1)
        shapes = [parameters[f"w{layer}"].shape for layer in layers]
        outs = [parameters[f"b{layer}"].size for layer in layers]
        ins = [*self.get("x").shape[1:], *outs[:-1]]
        if len(ins) != depth:
            return
        straight = [s == pair for s, pair in zip(shapes, zip(ins, outs, strict=True), strict=True)]
        turned = [s == pair for s, pair in zip(shapes, zip(outs, ins, strict=True), strict=True)]
        names = [f"w{layer}" for layer in layers if not straight[layer - 1]]
        if not names or not all(one or other for one, other in zip(straight, turned, strict=True)):
            return
        which = "every weight is" if all(turned) else f"{' and '.join(names)}, as it stands, is"
        shape = parameters[names[0]].shape
        raise BadInput(
            f"{self.where}: {names[0]} has shape {shape}: {which} (out, in), as torch.nn.Linear"
            " has it; (in, out) is due: record the transposes of weights, their"
            " gradients and velocities"
        )

    def count(self) -> int:
        """Return the count of updates before this one."""
        t = self.number("t")
        if t < 0 or not t.is_integer():
            raise BadInput(
                f"{self.where}: t is {t:g}; it counts the updates done before this one: 0, 1, ..."
            )
        return int(t)

    def shaped(self, name: str, array: Array, due: tuple[int, ...]) -> Array:
        """Return an array of the shape that is due; a bias may be (1, H)."""
        if array.shape == due or (len(due) == 1 and array.shape == (1, *due)):
            return array.reshape(due)
        raise BadInput(f"{self.where}: {name} has shape {array.shape}; {due} is due")

    def batch(self, parameters: Arrays) -> tuple[Array, Array]:
        """Return x (N, F) and targets (N, K); class numbers become one-hot rows."""
        inputs, classes = parameters["w1"].shape[0], list(parameters.values())[-1].shape[-1]
        targets = self.get("targets")
        rows = len(targets) if targets.ndim else 0
        if targets.dtype.kind in "iu" and targets.ndim == 1 and classes > 1:
            require_classes(f"{self.where}: ", targets, classes)
            targets = np.eye(classes)[targets]
        else:
            targets = self.exact("targets")
        if rows == 0:
            raise BadInput(f"{self.where}: targets is empty; one row for each sample is due")
        x = self.shaped("x", self.exact("x"), (rows, inputs))
        targets = self.shaped("targets", targets, (rows, classes))
        if self.run.declared.get("loss", "cross_entropy") in SUMMING:
            require_probabilities(f"{self.where}: ", targets)
        return x, targets.astype(self.dtype)

    def rows(self, count: int) -> Array | None:
        """Return the numbers of the rows in the data, (N,), if that is what was recorded."""
        found = self.arrays.get("rows")
        if found is None or found.dtype.kind not in "iu" or found.shape != (count,):
            return None
        return found

    def loss(self) -> float:
        """Return the loss, one number."""
        return self.number("loss")

    def like(self, parameters: Arrays, prefix: str) -> Arrays:
        """Return what belongs to each parameter (gradient, velocity), of the same shape."""
        return {
            name: self.shaped(prefix + name, self.get(prefix + name), array.shape).astype(
                self.dtype
            )
            for name, array in parameters.items()
        }

    def state(self, parameters: Arrays) -> Arrays:
        """Return v_w1, m_w1, ... of all buffers of which any was recorded, and t."""
        found: Arrays = {}
        for prefix in BUFFERS:
            if any(prefix + name in self.arrays for name in parameters):
                kept = self.like(parameters, prefix)
                found |= {prefix + name: array for name, array in kept.items()}
        if "t" in self.arrays:
            found["t"] = np.asarray(self.count())
        return found

    def number(self, key: str) -> float:
        """Return an array that is one number."""
        array = self.get(key)
        if array.size != 1:
            raise BadInput(f"{self.where}: {key} has shape {array.shape}; one number is due")
        return float(array.reshape(()))

    def ignored(self, parameters: Sequence[str] | Arrays) -> tuple[str, ...]:
        """Return the keys that are none of the format's."""
        known = {"x", "targets", "loss", "t", "learning_rate", *parameters}
        known |= set() if self.rows(len(self.get("targets"))) is None else {"rows"}
        known |= {prefix + name for name in parameters for prefix in ("d", *BUFFERS)}
        if self.run.declared.get("dropout"):
            known |= {name for name in self.arrays if name.startswith("mask")}
        if self.run.declared.get("normalisation") == "batch":
            known |= set(running(self.arrays))
        return tuple(k for k in self.arrays if k not in known and not STAGE.fullmatch(k))
