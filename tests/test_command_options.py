"""The options: defaults are those of Experiment, presets give way, bad values get one sentence."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from compare.command.options import parse
from compare.command.parser import parser
from compare.command.presets import REPORT_PRESET
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment


def experiment(*arguments: str) -> Experiment:
    """Return the experiment that `arguments` ask for."""
    found = parse(arguments).experiment
    assert isinstance(found, Experiment)
    return found


def complaint(*arguments: str) -> str:
    """Return what is said about `arguments`."""
    with pytest.raises(BadInput) as caught:
        parse(arguments)
    return str(caught.value)


def test_no_option_at_all_is_the_default_experiment() -> None:
    assert experiment() == Experiment()


def test_every_setting_of_the_experiment_has_its_option() -> None:
    flags = {flag for action in parser()._actions for flag in action.option_strings}
    assert {f"--{field.name.replace('_', '-')}" for field in fields(Experiment)} <= flags


def test_every_option_reaches_its_setting() -> None:
    line = (
        "--data x.npz --hidden 7 --activation tanh --epochs 3 --batch-size 32 --learning-rate 0.5 "
        "--momentum 0.5 --momentum-form buffer --init he --initial-velocity 1e-5 --dtype float32 "
        "--seed 4 --reduction sum --device cuda:1 --threads 2"
    )
    assert experiment(*line.split()) == Experiment(
        data="x.npz",
        hidden=(7,),
        activation="tanh",
        epochs=3,
        batch_size=32,
        learning_rate=0.5,
        momentum=0.5,
        momentum_form="buffer",
        init="he",
        initial_velocity=1e-5,
        dtype="float32",
        seed=4,
        reduction="sum",
        device="cuda:1",
        threads=2,
    )


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("48", (48,)),
        ("512,256", (512, 256)),
        ("512-256", (512, 256)),
        (" 5, 6 ", (5, 6)),
        ("none", ()),
        ("", ()),
    ],
)
def test_hidden_widths_are_read(text: str, hidden: tuple[int, ...]) -> None:
    assert experiment("--hidden", text).hidden == hidden


def test_the_preset_is_the_run_of_the_report() -> None:
    assert experiment("--preset", "report") == Experiment(**REPORT_PRESET)


@pytest.mark.parametrize(
    "line", ["--preset report --epochs 5", "--epochs 5 --preset report"], ids=["after", "before"]
)
def test_an_explicit_option_wins_over_the_preset(line: str) -> None:
    assert experiment(*line.split()) == Experiment(**{**REPORT_PRESET, "epochs": 5})


def test_an_option_explicitly_at_its_default_wins_over_the_preset() -> None:
    assert experiment("--preset", "report", "--hidden", "48").hidden == (48,)


def test_no_epoch_at_all_is_a_legal_run() -> None:
    assert experiment("--epochs", "0").epochs == 0


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--epochs -1", "--epochs: must be a whole number from 0 to"),
        ("--epochs 1.5", "--epochs: must be a whole number"),
        ("--epochs 99999999999999999999", "--epochs: must be a whole number"),
        ("--batch-size 0", "--batch-size: must be a whole number from 1"),
        ("--seed -3", "--seed: must be a whole number from 0"),
        ("--threads 0", "--threads: must be a whole number from 1"),
        ("--learning-rate 0", "--learning-rate: must be a finite number above 0, not '0'"),
        ("--learning-rate -0.1", "--learning-rate: must be a finite number above 0"),
        ("--learning-rate nan", "--learning-rate: must be a finite number above 0, not 'nan'"),
        ("--learning-rate inf", "--learning-rate: must be a finite number above 0, not 'inf'"),
        ("--learning-rate fast", "--learning-rate: must be a finite number above 0, not 'fast'"),
        ("--momentum 1", "--momentum: must be a number from 0 up to, but not including, 1"),
        ("--momentum -0.1", "--momentum: must be a number from 0"),
        ("--momentum nan", "--momentum: must be a number from 0"),
        ("--initial-velocity inf", "--initial-velocity: must be a finite number"),
        ("--hidden 0", "--hidden: must be whole numbers above 0"),
        ("--hidden -5", "--hidden: must be whole numbers above 0"),
        ("--hidden 48,,10", "--hidden: must be whole numbers above 0"),
        ("--hidden 4.5", "--hidden: must be whole numbers above 0"),
        ("--hidden wide", "--hidden: must be whole numbers above 0"),
        ("--activation swish", "--activation: must be one of relu, leaky_relu, elu"),
        ("--dtype float16", "--dtype: must be one of float64, float32, not 'float16'"),
        ("--preset big", "--preset: must be one of report, not 'big'"),
        ("--plots gif", "--plots: must be among png, svg, pdf"),
        ("--plots png,", "--plots: must be among png, svg, pdf"),
        ("--plots svg --no-plots", "--no-plots: not allowed with argument --plots"),
        ("--quiet --verbose", "--verbose: not allowed with argument --quiet"),
        ("--epoch 3", "unrecognized arguments: --epoch"),
        ("stray", "stray: there is no such file or folder"),
        ("--epochs", "--epochs: expected one argument"),
    ],
)
def test_a_bad_value_gets_one_sentence_that_names_the_option(line: str, sentence: str) -> None:
    said = complaint(*line.split())
    assert said.startswith(sentence)
    assert "\n" not in said


@pytest.mark.parametrize(
    "line", ["--hidden 20 10", "--hidden=20 10", "--hidden 20, 10", "--seed 1 --hidden 20 , 10 -q"]
)
def test_widths_with_spaces_between_them_are_said_with_commas(line: str) -> None:
    said = complaint(*line.split())
    assert said == "--hidden: write commas and no spaces between the widths: --hidden 20,10"


def test_a_number_that_does_not_follow_the_widths_is_none_of_them() -> None:
    assert complaint("--hidden", "20", "--seed", "1", "10").startswith("10: there is no such file")


def test_report_options_have_their_defaults() -> None:
    options = parse([])
    assert (options.out, options.plots) == (Path("compare-report"), ("png",))
    assert (options.quiet, options.verbose) == (False, False)


@pytest.mark.parametrize(
    ("line", "formats"),
    [("--plots svg,PDF,svg", ("svg", "pdf")), ("--no-plots", ()), ("", ("png",))],
)
def test_plot_formats_are_read_once_each(line: str, formats: tuple[str, ...]) -> None:
    assert parse(line.split()).plots == formats


def test_the_help_shows_every_option_with_its_default() -> None:
    text = " ".join(parser().format_help().split())
    for field in fields(Experiment):
        flag = f"--{field.name.replace('_', '-')}"
        (described,) = re.findall(rf" {flag} [A-Z{{](.*?)\(default: (.*?)\)", text)
        default = field.default
        default = ",".join(map(str, default)) if isinstance(default, tuple) else default
        assert default is None or described[1] == str(default)


def test_the_help_fits_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, parser().format_help().splitlines())) <= 80


def test_the_help_of_check_begins_with_what_check_is(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, begins in (["check", "--help"], "Check what"), (["--help"], "Train one"):
        with pytest.raises(SystemExit):
            parse(arguments)
        assert capsys.readouterr().out.split("\n\n")[1].startswith(begins)
