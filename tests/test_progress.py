"""The progress line: on a terminal epoch, both losses and worst ratio; elsewhere nothing."""

import io
import math

import pytest
from rich.console import Console

from compare.examine.training import Progress
from compare.report import progress
from compare.report.progress import progress_line


def shown(*updates: Progress, terminal: bool = True) -> str:
    """Return what is written while `updates` come in."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80, color_system=None)
    with progress_line(console) as on_update:
        for update in updates:
            on_update(update)
    return file.getvalue()


def at(update: int, *, loss: float = 0.5) -> Progress:
    """Return the state after `update` of 200 updates."""
    return Progress(update // 2, 100, update, 200, loss, loss, 0.1234)


def test_epoch_losses_and_worst_ratio_are_shown() -> None:
    text = shown(at(8))
    assert "epoch   4/100" in text
    assert "manual 0.5000 | reference 0.5000" in text
    assert "0.123 × allowance" in text


def test_a_loss_that_is_not_finite_is_shown() -> None:
    assert "manual nan | reference nan" in shown(at(8, loss=math.nan))


def test_the_line_fits_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    text = shown(at(198, loss=-1.234e-100), at(200, loss=-1.234e-100))
    lines = text.replace("\x1b[2K", "").replace("\r", "\n").splitlines()
    assert max(len(line) for line in lines if "epoch" in line) <= 80
    assert "allowance" in text


def test_redraws_are_rare_but_the_end_is_always_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PAUSE", math.inf)
    text = shown(at(50), at(100), at(200))
    assert "epoch  50/100" not in text
    assert "epoch 100/100" in text


def test_something_is_shown_before_the_first_update() -> None:
    assert "preparing" in shown()


def test_without_a_terminal_there_is_nothing() -> None:
    assert shown(at(8), at(200), terminal=False) == ""
