"""A JSON file as somebody else may have written it: read whole, or refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from compare.contracts.errors import BadInput
from compare.contracts.limits import shown


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; a key that stands twice would say two things.

    Raises `BadInput`, with what to do left to the caller's sentence.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=each_once)
    except OSError as problem:
        raise BadInput(f"{path} cannot be read ({problem.strerror})") from None
    except RecursionError:
        raise BadInput(f"{path} is not JSON that could be read: it is nested too deep") from None
    except ValueError as problem:
        raise BadInput(f"{path} is not JSON: {problem}") from None


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)} stands twice in one object")
    return made
