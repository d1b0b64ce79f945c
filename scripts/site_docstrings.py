"""Docstrings as the API page reads them: examples as code, the settings with their help.

The docstrings say `Example:` for one example; the page knows a section `Examples:` with doctests.
The fields of `Experiment` declare their meaning beside their default; here they become parameters.
"""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import import_module
from typing import Any

Extension: Any = import_module("griffe").Extension

EXAMPLE = re.compile(r"^([ ]*)Example:$", re.MULTILINE)
SETTINGS = "Experiment"
EVERY_FIELD = re.compile(r"^Parameters:\n(?:[ ]+.*\n)+", re.MULTILINE)
"""What the docstring of the settings says in place of a list."""


class Docstrings(Extension):  # type: ignore[misc]
    """Changes docstrings before they are parsed."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        """Change the docstring of one object, and what a setting shows as its default."""
        if obj.is_attribute and obj.parent.name == SETTINGS:
            obj.value = defaults().get(obj.name, obj.value)
        if not obj.is_alias and obj.docstring is not None:
            value = EXAMPLE.sub(r"\1Examples:", obj.docstring.value)
            if obj.name == SETTINGS and obj.is_class:
                value = EVERY_FIELD.sub(lambda said: listed(said.group()), value)
            obj.docstring.value = value


def defaults() -> dict[str, str]:
    """Return the default of every field as it is written."""
    experiment = import_module("compare.contracts.experiment").Experiment
    return {one.name: repr(one.default) for one in fields(experiment)}


def listed(said: str) -> str:
    """Return the paragraph about the fields, and each of them with its help."""
    experiment = import_module("compare.contracts.experiment").Experiment
    setting_of = import_module("compare.contracts.setting").setting_of
    default_of = import_module("compare.command.parser").default_of
    kinds = {one.name: one.type for one in fields(experiment)}
    lines = [
        f"    {one.name} ({kinds[one.name]}): {setting_of(one).help}; by default {default_of(one)}"
        for one in fields(experiment)
    ]
    head, *text = said.splitlines()
    plain = "\n".join(line.strip() for line in text)
    return "\n".join([plain, "", head, *lines, ""])
