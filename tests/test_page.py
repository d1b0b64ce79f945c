"""The page says everything, escapes everything, needs nothing, and fits a phone.

The last three are asked of a real browser where there is one.
"""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from compare.contracts.result import Diagnosis, Result, Verdict, Weak
from compare.contracts.version import version_of
from compare.report import page, plots
from compare.report.explained import explained
from tests import results

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert('1')</script>\x1b[31m&\"" + "x" * 300
VOID = {"meta", "link", "img", "br", "hr"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def hostile() -> Result:
    """Return a result in which every string a user or a file could choose tries to get out."""
    run = results.disagreeing()
    (finding,) = run.findings
    return replace(
        run,
        sentence=HOSTILE,
        settings={"data": HOSTILE, HOSTILE: [HOSTILE]},
        environment={HOSTILE: {HOSTILE: HOSTILE}},
        findings=(replace(finding, message=HOSTILE, stage=HOSTILE, parameter=HOSTILE),),
        notes=(HOSTILE,),
        weak=(Weak(HOSTILE, HOSTILE, HOSTILE),),
        worst={HOSTILE: run.worst["dw1"], **run.worst},
    )


def undrawn(result: Result) -> Result:
    """Return the result without epochs: its page has one picture and is there at once."""
    return replace(result, epochs=(), heatmap=None)


ENDINGS: dict[str, Callable[[], Result]] = {
    "agreeing": results.agreeing,
    "single point": lambda: undrawn(results.agreeing()),
    "twenty layers": lambda: results.agreeing(epochs=30, hidden=results.DEEP),
    "kinks": lambda: undrawn(results.with_kinks()),
    "weak": lambda: undrawn(results.with_weak_points()),
    "disagreeing": results.disagreeing,
    "not finite": lambda: undrawn(results.non_finite()),
    "undecidable": lambda: undrawn(results.undecidable()),
    "interrupted": lambda: undrawn(results.interrupted()),
    "control failed": lambda: undrawn(results.control_failed()),
    "hostile": lambda: undrawn(hostile()),
}


@cache
def rendered(ending: str) -> str:
    """Return the page of one ending."""
    return page.render(ENDINGS[ending]())


class Reader(HTMLParser):
    """Reads a page into its tags and its text, and holds every tag to be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def text(self) -> str:
        """Everything that is read, white space made single."""
        return " ".join(" ".join(self.said).split())


@pytest.mark.parametrize("ending", ENDINGS)
def test_page_is_whole_and_loads_nothing(ending: str) -> None:
    tags = Reader(rendered(ending)).tags
    sources = [attrs.get("src") or attrs.get("href") or "data:" for _, attrs in tags]
    assert all(source.startswith("data:") for source in sources)
    assert not {"script", "iframe", "object", "form"} & {tag for tag, _ in tags}


@pytest.mark.parametrize("ending", ENDINGS)
def test_verdict_comes_first(ending: str) -> None:
    reader = Reader(rendered(ending))
    said = reader.text.split("manual against reference", 2)[2]
    assert " ".join(ENDINGS[ending]().sentence.split()) in said[:600]


def test_every_picture_has_its_words() -> None:
    tags = Reader(rendered("disagreeing")).tags
    texts = [attrs["alt"] or "" for tag, attrs in tags if tag == "img"]
    assert len(texts) == 5
    assert all(len(text) > 30 for text in texts)


def test_finding_shows_index_and_both_values_with_all_their_digits() -> None:
    (finding,) = results.disagreeing().findings
    text = Reader(rendered("disagreeing")).text
    assert finding.index is not None
    assert f"w1{list(finding.index)}" in text
    assert f"manual {finding.manual!r} reference {finding.reference!r}" in text


def test_table_has_a_row_for_every_tensor() -> None:
    text = Reader(rendered("twenty layers")).text
    assert all(name in text for name in ENDINGS["twenty layers"]().worst)


def test_no_caption_tells_light_from_dark_where_a_dark_page_turns_them() -> None:
    assert "invert" in rendered("disagreeing")
    said = " ".join((*page.CAPTIONS.values(), page.LOGGED))
    assert not set(said.lower().split()) & {"pale", "dark", "light", "white", "black", "blue"}


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("disagreeing", "missing-batch-mean"),
        ("kinks", "3 kinks"),
        ("weak", "every entry of the gradient is zero"),
        ("interrupted", "The run was interrupted"),
        ("control failed", "the self-test failed"),
        ("disagreeing", "Referee: slope 1"),
        ("agreeing", "learning rate 0.1"),
        ("agreeing", "versions numpy 2.1.0"),
        ("agreeing", "thread pools openblas 0.3.27 (Haswell), 2 threads"),
    ],
)
def test_page_says(ending: str, words: str) -> None:
    assert words in Reader(rendered(ending)).text


def test_what_users_wrote_is_text_and_never_markup() -> None:
    reader = Reader(rendered("hostile"))
    assert "<script>alert('1')</script>" in reader.text
    assert "script" not in {tag for tag, _ in reader.tags}


def test_a_long_list_is_cut_and_counted() -> None:
    weak = tuple(Weak("step", f"reason {n}") for n in range(page.LONGEST + 7))
    point = replace(results.agreeing(), epochs=(), verdict=Verdict.AGREES, weak=weak)
    text = Reader(page.render(point)).text
    assert "reason 99" in text
    assert "reason 100" not in text
    assert "and 7 more, all in report.json" in text


@pytest.mark.parametrize("ending", ["agreeing", "disagreeing", "twenty layers"])
def test_page_weighs_less_than_a_megabyte(ending: str) -> None:
    assert len(rendered(ending).encode()) < 1_000_000


def test_page_is_written_into_the_folder(tmp_path: Path) -> None:
    result = replace(results.agreeing(), epochs=())
    path = page.write(result, tmp_path)
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8") == page.render(result)


def test_the_page_shows_the_pictures_that_were_written_and_draws_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = undrawn(results.disagreeing())
    written = plots.write(result, tmp_path, ["svg", "png"])

    def again(_: Result) -> Iterator[tuple[str, Image.Image]]:
        raise AssertionError("a figure was drawn a second time")

    monkeypatch.setattr(page, "rasters", again)
    tags = Reader(page.render(result, written)).tags
    (source,) = [attrs["src"] or "" for tag, attrs in tags if tag == "img"]
    with Image.open(tmp_path / "point.png") as file:
        size = file.size
    with Image.open(io.BytesIO(b64decode(source.partition(",")[2]))) as shown:
        assert shown.size == size
        assert np.asarray(shown.convert("L")).max() > 250  # white paper stays white


def test_the_page_draws_for_itself_where_no_png_was_written(tmp_path: Path) -> None:
    result = undrawn(results.disagreeing())
    written = plots.write(result, tmp_path, ["svg"])
    assert page.render(result, written) == page.render(result)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"mode": "starter", "data": "ada.py"}, "ada.py: "),
        ({"mode": "dump", "data": "recorded"}, "recorded: "),
        ({"mode": "point", "data": "digits", "manual": "mine.py"}, "mine.py: "),
        ({"data": "digits", "manual": "manual_mlp"}, ""),
    ],
)
def test_the_file_checked_is_in_the_title_and_in_the_header(
    settings: dict[str, str], named: str
) -> None:
    result = replace(undrawn(results.agreeing()), settings=settings)
    text = page.render(result)
    assert f"<title>{named}agrees, manual against reference</title>" in text
    assert f"<h1>{named}manual against reference</h1>" in text


def test_a_page_for_a_student_has_no_thread_pools() -> None:
    result = replace(undrawn(results.agreeing()), settings={"mode": "starter", "data": "ada.py"})
    assert "openblas" not in page.render(result)
    assert "versions numpy 2.1.0" in Reader(page.render(result)).text


def test_the_page_says_command_and_version() -> None:
    result = undrawn(results.agreeing())
    command = "manual-mlp --manual mine.py --seed 3"
    assert (
        f"manual-mlp {version_of('manual-mlp')}: {command}"
        in Reader(page.render(result, (), command)).text
    )


class Look(NamedTuple):
    """What a browser made of pages: how far each sticks out of its frame, and its console."""

    sticking_out: list[int]
    console: list[str]


WIDTHS = (390, 1200)
CONTROL = (
    '<!doctype html><div style="width: 5000px">a page that scrolls sideways and complains</div>'
    "<script>console.error('heard')</script>"
)


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Open every page at every width, and last the control, in one browser without a window.

    Skipped where there is no browser. What it says goes through files, because a helper process
    may outlive the browser and hold a pipe open.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium here, so nothing was looked at in a browser")
    folder = tmp_path_factory.mktemp("browser")
    pages = [(rendered(ending), width) for width in WIDTHS for ending in ENDINGS]
    (folder / "pages.html").write_text(framed([*pages, (CONTROL, 390)]), encoding="utf-8")
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-breakpad",
        "--no-first-run",
        "--disable-background-networking",
        "--enable-logging=stderr",
        f"--user-data-dir={folder / 'profile'}",
        "--dump-dom",
        (folder / "pages.html").as_uri(),
    ]
    with (folder / "document").open("wb") as output, (folder / "console").open("wb") as errors:
        subprocess.run(command, stdout=output, stderr=errors, timeout=240, check=True)
    document = (folder / "document").read_text(encoding="utf-8")
    title = document.partition("<title>")[2].partition("</title>")[0]
    said = (folder / "console").read_text(encoding="utf-8").splitlines()
    return Look([int(n) for n in title.split(",")], [line for line in said if "CONSOLE" in line])


def framed(pages: Sequence[tuple[str, int]]) -> str:
    """Return a page that shows others in frames, and whose title becomes what sticks out of them.

    A frame of 390 px is a phone to the style sheet inside it.
    """
    frames = "".join(
        f'<iframe srcdoc="{html.escape(text)}" style="width:{width}px;height:800px;border:0">'
        "</iframe>"
        for text, width in pages
    )
    script = (
        "onload = () => { document.title = [...document.querySelectorAll('iframe')]"
        ".map(frame => frame.contentDocument.documentElement)"
        ".map(page => page.scrollWidth - page.clientWidth).join() }"
    )
    return f"<!doctype html><body>{frames}<script>{script}</script></body>"


def test_the_browser_has_nothing_to_complain_about_but_the_control(look: Look) -> None:
    assert len(look.console) == 1
    assert "heard" in look.console[0]


def test_no_page_scrolls_sideways_but_the_control(look: Look) -> None:
    *pages, control = look.sticking_out
    names = [(width, ending) for width in WIDTHS for ending in ENDINGS]
    assert control > 3000
    assert dict(zip(names, pages, strict=True)) == dict.fromkeys(names, 0)


def test_every_cell_of_a_table_says_its_column_where_a_phone_shows_cards() -> None:
    text = page.render(results.disagreeing())
    rows = re.findall(r"<tr.*?</tr>", text.replace("\n", ""))
    cells = [cell for row in rows for cell in re.findall(r"<td[^>]*>", row)]
    assert cells and all('data-label="' in cell for cell in cells)
    assert 'data-label="× allowance"' in text


def test_a_label_is_that_of_the_cell_s_own_column() -> None:
    rows = '<tr><th scope="row">w1</th><td class="number">1</td><td>2</td></tr><tr><td>3</td></tr>'
    assert page.labelled(rows, ["a", "b", "<c>"]) == (
        '<tr><th scope="row">w1</th><td data-label="b" class="number">1</td>'
        '<td data-label="&lt;c&gt;">2</td></tr><tr><td data-label="a">3</td></tr>'
    )


def shown_lines(mistake: str, constant: float | None = None) -> list[list[str]]:
    named = Diagnosis(mistake, "", 2.0, 0.0, constant=constant)
    result = replace(results.disagreeing(), diagnosis=(named, named))
    return [one.lines for one in explained(result)]


def test_a_named_mistake_is_shown_in_lines_on_the_page_itself() -> None:
    both = shown_lines("mask-without-bias + bias-averaged")
    assert [{line[0] for line in lines} for lines in both] == [{"-", "+"}] * 2
    assert shown_lines("not-declared") == []
    assert any("0.125" in line for line in shown_lines("leaky-in-gradient-only", 0.125)[0])
    named = Diagnosis("mask-missing", "", 2.0, 0.0)
    text = page.render(replace(results.disagreeing(), diagnosis=(named,)))
    assert '<span class="wrong">- dz[i - 1] = dh[i - 1]</span>' in text
    assert "docs/mistakes" not in text
