"""A file for `--layer`: it defines the manual side, `reference` and `inputs`, and may say more.

The manual side is `manual`, or `forward` and `backward`, or whatever NAME says after the colon;
`dy` and `wrt` are taken where they are defined.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

from compare.contracts.errors import BadInput
from compare.contracts.result import Result
from compare.guard.effects import Notes
from compare.guard.guard import Guard
from compare.guard.manual_file import module_from_file
from compare.layers.check import check_layer

SPEC = re.compile(r"(?P<path>.+?\.py)(?::(?P<name>\w+))?")


def check_file(spec: str, *, seed: int = 0, timeout: float | None = 60.0) -> Result:
    """Check the layer that `FILE.py` or `FILE.py:NAME` defines.

    Errors: `BadInput` for a file that is not there or does not define what it must.
    """
    match = SPEC.fullmatch(spec)
    if match is None:
        raise BadInput(f"--layer {spec}: give FILE.py or FILE.py:NAME")
    path = Path(match["path"])
    if not path.is_file():
        raise BadInput(f"--layer {path}: there is no such file")
    notes = Notes()
    module = module_from_file(path, Guard(timeout=timeout, notes=notes))
    manual = manual_of(module, match["name"], spec)
    needed = {name: needed_of(module, name, spec) for name in ("reference", "inputs")}
    further = {name: getattr(module, name) for name in ("dy", "wrt") if hasattr(module, name)}
    return check_layer(manual, **needed, **further, seed=seed, timeout=timeout)


def manual_of(module: ModuleType, name: str | None, spec: str) -> Any:
    """Return the manual side: by its name, as `manual`, or as `forward` and `backward`."""
    if name is not None:
        if not hasattr(module, name):
            raise BadInput(f"--layer {spec}: it defines no {name}")
        return getattr(module, name)
    if hasattr(module, "manual"):
        return module.manual
    if hasattr(module, "forward") and hasattr(module, "backward"):
        return module.forward, module.backward
    raise BadInput(
        f"--layer {spec}: it defines neither manual nor forward and backward; "
        "name the function or class: FILE.py:NAME"
    )


def needed_of(module: ModuleType, name: str, spec: str) -> Any:
    """Return what the file has to define besides."""
    if not hasattr(module, name):
        means = {
            "reference": "a torch module or a function of tensors",
            "inputs": "a dictionary: an array or a shape by the name of each input",
        }
        raise BadInput(f"--layer {spec}: it defines no {name}, {means[name]}")
    return getattr(module, name)
