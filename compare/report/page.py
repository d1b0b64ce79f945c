"""report.html: one run on one page that needs nothing else, neither network nor script.

The pictures are inside it, everything written by a user or a file is escaped, and one style sheet
serves light and dark, screen, phone and paper.
"""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from compare.contracts.measured import EpochRow
from compare.contracts.result import Result, Verdict
from compare.contracts.version import version_of
from compare.report import plots, words
from compare.report.explained import explained
from compare.report.plots.style import style
from compare.report.report_json import encode, plain, write_atomically

PAGE: Final = "report.html"
DPI: Final = 150
LONGEST: Final = 100
"""A list longer than this ends in a sentence that counts the rest; report.json has them all."""
MARKS: Final = {Verdict.AGREES: "✓", Verdict.DISAGREES: "✗", Verdict.UNDECIDABLE: "?"}
CURVES: Final = {
    "train_loss": "training loss",
    "validation_loss": "validation loss",
    "train_accuracy": "training accuracy",
    "validation_accuracy": "validation accuracy",
}
# In a dark page the pictures are turned light for dark, so no caption says which is which.
CAPTIONS: Final = {
    "loss": "Wide line: reference; thin line with markers: manual. Below, how far apart "
    "they are, over the band of what rounding explains at equal weights and what the reference "
    "answers to the drift of the weights.",
    "accuracy": "Wide line: reference; thin line with markers: manual.",
    "gradients": "Both sides evaluated at the manual side's weights, so that only rounding can "
    "differ. Above 1 they disagree; two correct sides stay below 0.5, the dotted line. A "
    "triangle at the edge is a ratio beyond the axis. Over some hundreds of epochs a line is the "
    "largest error so far, the errors of the epochs lie faint behind it.",
    "point": "Both sides evaluated at the same point. Above 1 they disagree; two correct sides "
    "stay below 0.5, the dotted line. A triangle or cross at the edge is a ratio beyond the axis, "
    "its number beside it.",
    "drift": "How far the two free runs have come apart.",
    "heatmap": "Where the first wrong tensor differs: the pattern is the finding; 0 has the colour "
    "of the page. Where there is a ring, it marks the same entry everywhere.",
    "referee": "The third witness: the manual loss against the manual gradient.",
}
LOGGED: Final = (
    "Wide line: the declared training; thin line with markers: what was logged. Below, "
    "how far apart they are, over the band of what the logged digits leave open."
)


class Picture(NamedTuple):
    """One figure inside the page."""

    name: str
    source: str
    alt: str
    caption: str


class CurvePoint(NamedTuple):
    """One curve at one epoch."""

    curve: str
    epoch: int
    manual: float
    reference: float
    band: float | None


def write(result: Result, folder: Path, drawn: Sequence[Path] = (), command: str = "") -> Path:
    """Write `folder/report.html` and return its path; see `render`."""
    path = folder / PAGE
    write_atomically(path, render(result, drawn, command))
    return path


def render(result: Result, drawn: Sequence[Path] = (), command: str = "") -> str:
    """Return the page as HTML, with the pictures among the files `drawn`.

    `command` is what was typed, if it was a command that made the result.
    """
    return filled(
        "page.html.j2",
        result,
        subject=words.subject(result.settings),
        version=version_of("manual-mlp"),
        command=command,
        pictures=pictures(result, drawn),
        points=points(result),
        mistakes=explained(result),
        settings=flat(result.settings),
        machine=machine(result),
        longest=LONGEST,
    )


def filled(template: str, result: Result, **more: object) -> str:
    """Return a template of this folder filled with a result, its headline and mark, and more."""
    headline, mark = words.verdict_line(result), MARKS[result.verdict]
    page = pages().get_template(template)
    return page.render(result=result, headline=headline, mark=mark, words=words, **more)


def pages() -> Environment:
    """Return the templates of this folder; whatever they insert is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"exact": exact, "labelled": labelled, "short": short}
    environment.filters["breakable"] = breakable
    return environment


def pictures(result: Result, drawn: Iterable[Path] = ()) -> list[Picture]:
    """Return every figure of the result as an inline PNG with its alternative text.

    To lay out and draw a figure takes nearly all of the time, so the PNG files among `drawn` are
    shown; without any, the figures are drawn.
    """
    texts = plots.alt_texts(result)
    captions = CAPTIONS
    if result.settings.get("mode") == "curves":
        captions = CAPTIONS | {"loss": LOGGED, "accuracy": LOGGED}
    found = [(path.stem, opened(path)) for path in drawn if path.suffix == ".png"]
    return [
        Picture(name, inline(pixels), texts[name], captions[name])
        for name, pixels in found or rasters(result)
    ]


def opened(path: Path) -> Image.Image:
    """Return the picture in a file, which is closed again."""
    with Image.open(path) as image:
        return image.convert("RGB")


def rasters(result: Result) -> Iterator[tuple[str, Image.Image]]:
    """Draw every figure of the result, by name."""
    yield from drawn(plots.figures(result))


def drawn(figures: Mapping[str, Figure]) -> Iterator[tuple[str, Image.Image]]:
    """Draw figures, by name."""
    with style():
        for name, figure in figures.items():
            canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
            figure.set_dpi(DPI)
            canvas.draw()  # savefig would lay the figure out twice
            yield name, Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def inline(pixels: Image.Image) -> str:
    """Return a picture as a data URL: a PNG of 128 colours, a third of the size of a full one.

    The median cut and an optimised file take six times as long, and save no byte.
    """
    small = io.BytesIO()
    pixels.quantize(128, Image.Quantize.FASTOCTREE).save(small, "png")
    return f"data:image/png;base64,{b64encode(small.getvalue()).decode()}"


def points(result: Result) -> list[CurvePoint]:
    """Return every curve at the first and at the last epoch there is."""
    ends = result.epochs[:1] + result.epochs[1:][-1:]
    return [point(row, name) for name in CURVES for row in ends]


def point(row: EpochRow, name: str) -> CurvePoint:
    """Return one curve at one epoch, with the band of its difference if it has one."""
    manual, reference = getattr(row.manual, name), getattr(row.reference, name)
    return CurvePoint(CURVES[name], row.epoch, manual, reference, getattr(row.band, name, None))


def machine(result: Result) -> dict[str, str]:
    """Return the environment as one table, thread pools in words.

    A student's file was not computed with threads of note, and a page handed back has none.
    """
    told = dict(result.environment)
    pools = told.pop("thread_pools", None)
    rows = flat(told)
    if pools and result.settings.get("mode") != "starter":
        rows["thread pools"] = "; ".join(map(words.thread_pool, pools))
    return rows


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested settings as one table: `versions numpy` -> `2.1.0`."""
    rows: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            rows |= flat(value, f"{name} ")
        else:
            rows[name] = "none" if value is None else encode(plain(value)).strip('"')
    return rows


def labelled(rows: str, head: Sequence[str]) -> Markup:
    """Return the rows of a table in which every cell says its column: a phone shows cards."""
    cells = re.compile(r"<(tr|th|td)\b")
    column = -1

    def with_label(found: re.Match[str]) -> str:
        nonlocal column
        column = -1 if found[1] == "tr" else column + 1
        label = escape(head[column]) if found[1] == "td" else ""
        return f'{found[0]} data-label="{label}"' if label else found[0]

    return Markup(cells.sub(with_label, rows))


def breakable(name: str) -> Markup:
    """Return the name of a file that a line may be broken in behind `/`, `_` and `-` only."""
    return Markup(re.sub(r"(?<=[/_-])", "<wbr>", str(escape(name))))


def exact(number: float | None) -> str:
    """Return a number with as many digits as it takes to read the same number back."""
    return "–" if number is None else repr(float(number))


def short(number: float | None) -> str:
    """Return a number to three digits."""
    return "–" if number is None else f"{number:.3g}"
