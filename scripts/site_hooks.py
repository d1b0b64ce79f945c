"""What the site needs beside the Markdown: the README as a page, the files documents link to, and
formulas that a browser shows by itself, without a script from elsewhere.

In the repository a document links to `../examples/x.py` and to `../README.md`. The site holds only
`docs/`, so linked files are added to it, and links out of it lead to them.
"""

from __future__ import annotations

import re
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = re.compile(r"\]\(\.\./([^)#]+)(#[^)]*)?\)")
"""A link that leads out of docs/."""
OVERVIEW = "overview.md"
OUTPUT = re.compile(r"^```text output$", re.MULTILINE)
"""How the documents mark what a program prints; for mkdocs two words are no language."""
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\$`([^`]+)`\$")
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[\[(](.*?)\\[\])]</\1>', re.DOTALL)
"""A formula in the page, in a line or a paragraph of its own, in TeX."""


def on_files(files: Any, config: Any) -> Any:
    """Add the README and every file outside that a document links to."""
    made = import_module("mkdocs.structure.files").File
    files.append(made.generated(config, OVERVIEW, content=overview()))
    for name in sorted(linked(Path(config["docs_dir"]))):
        files.append(made.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def overview() -> str:
    """Return the README with its links as they are from within docs/."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    inside = re.sub(r"\]\(docs/", "](", text)
    return re.sub(r"\]\((LICENSE|[A-Z]+\.md|examples/[^)]*)\)", r"](../\1)", inside)


def linked(docs: Path) -> set[str]:
    """Return the files outside docs/ that documents link to, without the README."""
    texts = [overview(), *(path.read_text(encoding="utf-8") for path in docs.glob("*.md"))]
    found = {match[1] for text in texts for match in OUT.finditer(text)}
    return {name for name in found if (ROOT / name).is_file()} - {"README.md"}


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links out of docs/ to the files added, and mark formulas as arithmatex reads them."""
    if "/" in page.file.src_path:
        return markdown

    def inside(match: re.Match[str]) -> str:
        name = OVERVIEW if match[1] == "README.md" else match[1]
        return f"]({name}{match[2] or ''})"

    return OUTPUT.sub("```text", INLINE.sub(r"\\(\1\\)", OUT.sub(inside, markdown)))


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Write formulas as MathML; warn, and so fail, where a heading was swallowed by a block of
    code."""
    written = len(re.findall(r"^## ", FENCED.sub("", page.markdown), re.MULTILINE))
    shown = html.count("<h2 ")
    if written != shown:
        log = import_module("logging").getLogger("mkdocs.hooks")
        log.warning("%s has %d headings, its page %d", page.file.src_path, written, shown)
    return FORMULA.sub(as_mathml, html)


def as_mathml(formula: re.Match[str]) -> str:
    """Return a formula as browsers have drawn it since 2023, sums in rows as large as alone."""
    convert = import_module("latex2mathml.converter").convert
    display = "inline" if formula[1] == "span" else "block"
    text = unescape(formula[2]).strip().replace("{aligned}", "{align*}")
    drawn = str(convert(text, display=display))
    return re.sub(r"<mtable(?! displaystyle)", '<mtable displaystyle="true"', drawn)
