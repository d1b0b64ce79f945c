"""Code under test saves no picture while it is called on rows that are not its own."""

from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from compare.guard.guard import Guard


def test_a_picture_is_not_saved_and_that_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def curve() -> int:
        plt.plot([1, 2])
        plt.savefig("curve.png")
        plt.gcf().savefig("again.png")
        return 3

    guard = Guard()
    assert guard.call(curve) == 3
    assert not list(tmp_path.iterdir())
    (note,) = guard.notes.sentences()
    assert "curve saves 'curve.png'" in note and "left out" in note
    plt.savefig("ours.png")
    plt.close("all")
    assert [one.name for one in tmp_path.iterdir()] == ["ours.png"]
