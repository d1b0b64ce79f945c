"""The pytest plugin: `def test_it(crosscheck): crosscheck(my_loss_and_gradients)`.

Found by pytest through its entry point, so it needs no configuration. Every project in the
environment loads it, also one with a `compare.py` of its own: its name is ours alone, and nothing
of `compare` is imported before a test asks for the fixture's work.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pytest

if TYPE_CHECKING:
    from compare.contracts.records import Implementation
    from compare.contracts.result import Result
    from compare.examine.point import CheckOptions

OPTION = "--crosscheck-artifacts"
UPDATE = "--crosscheck-update"
BASELINES = "crosscheck_baselines"
"""The folder of baselines beside a test file."""
ANNOTATION = "crosscheck annotation"
"""The property of a failing test that a GitHub workflow shows beside the code."""
KEPT = pytest.StashKey[dict[Path, str]]()
"""The baselines kept in this session, each with the test that kept it."""
OURS = Path(__file__).resolve().parent / "compare"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what keeps what failing tests saw, and what keeps baselines anew."""
    group = parser.getgroup("crosscheck")
    group.addoption(
        UPDATE,
        action="store_true",
        default=False,
        help=f"keep today's numbers as the baselines of crosscheck tests, in {BASELINES}/",
    )
    group.addoption(
        OPTION,
        metavar="DIR",
        type=Path,
        default=None,
        help="keep report.json, plots and report.html of failing crosscheck tests in DIR",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what a GitHub workflow shows at the functions that failing tests judged."""
    for report in terminalreporter.stats.get("failed", []):
        for name, line in getattr(report, "user_properties", ()):
            if name == ANNOTATION:
                terminalreporter.write_line(line)


def require_ours() -> None:
    """Fail the test, in one sentence, where the project's own `compare` hides the package."""
    found = importlib.import_module("compare").__file__
    if found is None or Path(found).resolve().parent != OURS:
        pytest.fail(
            f"crosscheck needs the package `compare` of manual-mlp, and {found} is imported by "
            "that name: rename it, or run these tests from a folder of their own",
            pytrace=False,
        )


@pytest.fixture
def crosscheck(request: pytest.FixtureRequest) -> CrossCheck:
    """Check a gradient against torch; see `CrossCheck.__call__`."""
    getoption = request.config.getoption
    return CrossCheck(request.node, getoption(OPTION), update=getoption(UPDATE))


class CrossCheck:
    """The fixture's value: called with a function, it passes or fails the test."""

    def __init__(self, node: pytest.Item, artifacts: Path | None, *, update: bool = False) -> None:
        self.node = node
        self.artifacts = artifacts
        self.update = update
        self.kept = 0
        self.claimed: set[Path] = set()

    def __call__(
        self,
        implementation: Implementation,
        *,
        baseline: str | None = None,
        **options: Unpack[CheckOptions],
    ) -> Result:
        """Check `implementation(parameters, x, targets) -> (loss, gradients)`.

        `options` are those of `compare.check`. Returns the `Result` if it agrees; otherwise fails
        with one screen: the first wrong stage, both values, who is wrong, the named mistake.

        With `baseline`, losses and norms of gradients are held against those kept under that name
        beside the test file; `pytest --crosscheck-update` keeps today's.

        Raises `Disagreement`, an `AssertionError`; `BadInput` for code that raises, hangs or
        returns something else, and for options that do not fit.
        """
        __tracebackhide__ = True
        require_ours()
        from compare.examine.point import check

        result = self.judged(lambda: check(implementation, **options), implementation)
        if baseline is not None:
            self.hold(result, baseline, implementation)
        return result

    def hold(self, result: Result, name: str, code: Any) -> None:
        """Hold a result against the baseline called `name`, or keep it as that."""
        __tracebackhide__ = True
        from compare.contracts.errors import BadInput
        from compare.contracts.result import Disagreement, ExitCode
        from compare.report import annotations, baseline

        if not re.fullmatch(r"\w[\w.-]*", name):
            raise BadInput(
                f"baseline={name!r}: must be a name of letters, digits, dots and dashes, which "
                f"becomes the file {BASELINES}/NAME.json beside the test"
            )
        path = self.node.path.parent / BASELINES / f"{name}.json"
        if not (self.update or path.exists()):
            raise BadInput(
                f"baseline={name!r}: there is no {path}; keep one with pytest {UPDATE}, and "
                "commit it"
            )
        try:
            if self.update:
                self.claim(path, name)
                baseline.save(result, path, baseline.TEST)
                return
            report = baseline.compare(result, path, baseline.TEST)
        except BadInput as problem:
            raise BadInput(str(problem)) from None
        if report.exit_code is not ExitCode.AGREES:
            self.annotate(annotations.at_code(report.sentence(), code, annotations.BASELINE))
            raise Disagreement(report.text())

    def claim(self, path: Path, name: str) -> None:
        """Raise BadInput where another test, or this one before, has just kept that baseline."""
        from compare.contracts.errors import BadInput

        taken = self.node.config.stash.setdefault(KEPT, {})
        before = taken.get(path)
        if before is not None and (before != self.node.nodeid or path in self.claimed):
            raise BadInput(
                f"baseline={name!r}: {before} has just kept one of that name: give every test, and "
                "every case of a parametrized one, a name of its own"
            )
        taken[path] = self.node.nodeid
        self.claimed.add(path)

    def layer(
        self, manual: Any, reference: Any, inputs: Mapping[str, Any], **options: Any
    ) -> Result:
        """Check a layer, forward and backward, against a torch module or function.

        `options` are those of `compare.check_layer`. Returns the `Result` if it agrees; otherwise
        fails with one screen. Raises what calling the fixture itself raises.
        """
        __tracebackhide__ = True
        require_ours()
        from compare.layers.check import check_layer

        return self.judged(lambda: check_layer(manual, reference, inputs, **options), manual)

    def judged(self, check: Callable[[], Result], code: Any) -> Result:
        """Return what a check finds if it agrees; else fail, and keep what was seen."""
        __tracebackhide__ = True
        from compare.contracts.errors import BadInput
        from compare.contracts.result import Disagreement
        from compare.report import annotations

        try:
            result = check()
        except BadInput as problem:  # raised anew: the frames between are none of the reader's
            self.annotate(annotations.at_code(str(problem), code, annotations.UNCHECKED))
            raise type(problem)(str(problem)) from None
        try:
            result.raise_for_disagreement()
        except Disagreement as disagreement:
            self.annotate(annotations.of_code(result, code))
            self.keep(result)
            raise Disagreement(str(disagreement)) from None
        return result

    def annotate(self, line: str) -> None:
        """Leave a workflow command for the end of the session, where a workflow is running."""
        from compare.report import annotations

        if annotations.wanted():
            self.node.user_properties.append((ANNOTATION, line))

    def keep(self, result: Result) -> None:
        """Save report and plots under the test's name, and say where."""
        if self.artifacts is None:
            return
        name = re.sub(r"[^\w.-]+", "-", self.node.nodeid).strip("-")
        folder = self.artifacts / (f"{name}-{self.kept + 1}" if self.kept else name)
        self.kept += 1
        result.save(folder)
        self.node.add_report_section("call", "crosscheck", f"report and plots are in {folder}")
