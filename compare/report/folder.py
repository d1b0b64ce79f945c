"""The folder a run leaves behind: report.json first, then the pictures and the page.

report.json lists what was written beside it, so that the next run into the same folder can take
away the pictures of this one: an old heat map beside a new verdict would be a lie.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compare.contracts.errors import BadInput
from compare.contracts.result import Result
from compare.report.report_json import write_json

REPORT, PAGE = "report.json", "report.html"
DRAWN = {".png", ".svg", ".pdf", ".html"}


def save(result: Result, folder: Path, *, plots: Sequence[str] = ("png",)) -> Path:
    """Write report.json, the plots in each of the formats `plots`, and report.html.

    Without formats report.json is all there is. Returns the folder.
    """
    write_report(result, folder)
    if plots:
        draw(result, folder, plots)
    return folder


def write_report(result: Result, folder: Path, **extra: Any) -> Path:
    """Write report.json, with `extra` as further keys, and remove what an earlier run left."""
    for name in listed(folder / REPORT):
        (folder / name).unlink(missing_ok=True)
    return write_json(result, folder / REPORT, files=[], **extra)


def draw(result: Result, folder: Path, formats: Sequence[str], **extra: Any) -> list[Path]:
    """Write the plots and the page, list them in report.json beside `extra`, return their paths.

    All that may be drawn is listed first: the next run then takes away what one that was killed
    while drawing left.
    """
    from compare.report import page, plots  # matplotlib takes its time
    from compare.report.plots.gallery import FIGURES

    possible = [f"{name}.{form}" for name in FIGURES for form in formats]
    write_json(result, folder / REPORT, files=[*possible, PAGE], **extra)
    drawn = plots.write(result, folder, formats)
    drawn.append(page.write(result, folder, drawn, extra.get("command", "")))
    write_json(result, folder / REPORT, files=[path.name for path in drawn], **extra)
    return drawn


def listed(report: Path) -> list[str]:
    """Return the names of the pictures and pages that a report says it came with.

    A name that leads out of the folder, or is none of ours by its ending, is not returned.
    """
    try:
        names = json.loads(report.read_text(encoding="utf-8")).get("files", [])
    except (OSError, ValueError, AttributeError):
        return []
    paths = [Path(name) for name in names if isinstance(name, str)]
    return [path.name for path in paths if path.name == str(path) and path.suffix in DRAWN]


def check_folder(folder: Path, option: str) -> None:
    """Raise BadInput unless `folder` can be written to, or can be made; makes nothing."""
    try:
        place = nearest(folder)
    except OSError as problem:
        raise BadInput(f"{option}: {folder} cannot be used ({problem.strerror})") from None
    if not place.is_dir():
        raise BadInput(f"{option}: {place} is not a folder: name another one")
    if not os.access(place, os.W_OK | os.X_OK):
        raise BadInput(f"{option}: {place} may not be written to: name another folder")


def check_file(path: Path, option: str) -> None:
    """Raise BadInput unless a file can be written at `path`; makes nothing."""
    if path.is_dir():
        raise BadInput(f"{option}: {path} is a folder: name a file")
    check_folder(path.parent, option)


def nearest(path: Path) -> Path:
    """Return `path` or the first of its parents that exists, be it a dangling link."""
    for place in (path, *path.parents):
        try:
            os.lstat(place)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return place
    return path
