"""The command line of `ringside`: help, examples, and errors in one line."""

import shlex
from argparse import ArgumentParser, _HelpAction, _SubParsersAction
from collections.abc import Iterator

import pytest

from packager.cli.main import COMMANDS, command_parser, main


def exits(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int | str | None, str, str]:
    """The exit code, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as error:
        main(arguments)
    out, err = capsys.readouterr()
    return error.value.code, out, err


def subparsers(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            return dict(action.choices)
    return {}


def command_and_orders(name: str) -> Iterator[ArgumentParser]:
    """The parser of a command, and those of its subcommands."""
    parser = subparsers(command_parser(name))[name]
    yield parser
    yield from subparsers(parser).values()


def test_no_command_prints_the_help_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = exits(capsys)
    assert (code, out) == (2, "")
    assert err.startswith("usage: ringside ")
    assert err.endswith("ringside: no command given\n")
    for name in COMMANDS:
        assert f"\n    {name} " in err


@pytest.mark.parametrize(
    ("arguments", "program", "message"),
    [
        ("--loud", "ringside", "unrecognized arguments: --loud"),
        ("check", "ringside check", "the following arguments are required: -c/--config"),
        ("event", "ringside event", "the following arguments are required: ORDER"),
        (
            "probe feed.ts --seconds 0",
            "ringside probe",
            "argument --seconds: 0 is not between 1 and 3600",
        ),
        (
            "probe feed.ts --program x",
            "ringside probe",
            "argument --program: 'x' is not a whole number",
        ),
    ],
)
def test_a_wrong_option_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: str, program: str, message: str
) -> None:
    line = f"{program}: {message} (options: {program} --help)\n"
    assert exits(capsys, *arguments.split()) == (2, "", line)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("chek", "; did you mean check?"),  # codespell:ignore chek
        ("xyzzy", " (commands: ringside --help)"),
    ],
)
def test_an_unknown_command_is_one_line(
    capsys: pytest.CaptureFixture[str], name: str, hint: str
) -> None:
    assert exits(capsys, name) == (2, "", f"ringside: no command '{name}'{hint}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name: str) -> None:
    for parser in command_and_orders(name):
        for action in parser._actions:
            if not isinstance(action, (_HelpAction, _SubParsersAction)):
                assert action.help, f"{parser.prog}: {action.dest}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_examples_that_are_right(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    code, out, err = exits(capsys, name, "--help")
    assert (code, err) == (0, "")
    examples = [line.strip() for line in out.splitlines() if line.startswith("  ringside ")]
    assert examples
    parser = command_parser(name)
    for example in examples:
        program, *arguments = shlex.split(example)
        assert program == "ringside"
        parsed = parser.parse_args(arguments)
        assert callable(parsed.run)


def test_the_help_of_all_commands_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = exits(capsys, "--help")
    assert (code, err) == (0, "")
    for name, entry in COMMANDS.items():
        assert f"    {name} " in out
        assert entry.summary.split()[0] in out
