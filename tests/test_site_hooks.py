"""The site needs nothing from elsewhere: browsers draw its formulas, its scripts lie beside it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FORMULAS = re.compile(r"^```math\n(.*?)^```|\$`([^`]+)`\$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def hooks() -> Any:
    """The hooks of the site."""
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "scripts" / "site_hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_formula_becomes_mathml_with_nothing_left_of_its_tex(hooks: Any) -> None:
    pytest.importorskip("latex2mathml", reason="the extra `docs` is not installed")
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")]
    found = [one[1] or one[2] for text in texts for one in FORMULAS.finditer(text)]
    assert len(found) > 40
    for tex in found:
        escaped = tex.replace("&", "&amp;").replace("<", "&lt;")
        drawn = hooks.FORMULA.sub(hooks.as_mathml, rf'<div class="arithmatex">\[{escaped}\]</div>')
        assert drawn.startswith("<math ") and drawn.endswith("</math>")
        assert "\\" not in drawn and ">&<" not in drawn and "newline" not in drawn


def test_the_site_names_no_script_of_elsewhere() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "http" not in settings
    assert (ROOT / "docs" / "javascripts" / "iframe-worker.js").is_file()
    assert "polyfills: [javascripts/iframe-worker.js]" in settings
