"""What the command line tells of itself holds: the overview, the examples of each command, the version, completion."""

import importlib.metadata
import re
import shlex
import subprocess

import pytest

from earsight.app.command_line import COMMANDS, parser
from earsight.app.examples import EXAMPLES
from earsight.app.main import main

KNOWN = parser()


def commands_in(text: str) -> list[list[str]]:
    """The command lines of Earsight in a text, as the shell would split them; what follows a pipe or `>` left out."""
    lines = re.findall(r"^\s*(?:eval \"\$\()?(earsight .*?)(?:\)\"|\s{2,}.*| [|>] .*)?$", text, re.MULTILINE)
    return [shlex.split(line)[1:] for line in lines if "COMMAND" not in line]


def test_the_name_alone_gives_an_overview(capsys):
    assert main([]) == 0
    told = capsys.readouterr().out
    assert f"Earsight {importlib.metadata.version('earsight')}:" in told
    assert len(commands_in(told)) >= 8
    for words in commands_in(told):
        KNOWN.parse_args(words)


def test_every_command_has_two_examples_that_parse(capsys):
    assert set(EXAMPLES) == set(COMMANDS)
    for command, examples in EXAMPLES.items():
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        told = capsys.readouterr().out
        assert stop.value.code == 0 and len(examples) == 2
        assert all(example in told for example in examples)
        for words in commands_in("\n".join(examples)):
            assert KNOWN.parse_known_args(words)[0].command == command


@pytest.mark.parametrize("words", [["export", "a\0b", "out"], ["transcribe", "x.wav", "--output=a\0b"], ["\0"]])
def test_no_argument_holds_a_nul(words, capsys):
    assert main(words) == 1
    assert "holds a NUL, as no file's name does; leave it out" in capsys.readouterr().err


def test_the_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"earsight {importlib.metadata.version('earsight')}\n"


@pytest.mark.parametrize("typed, offered", [
    (["tr"], ["train", "transcribe"]),
    (["transcribe", "--form"], ["--format"]),
    (["transcribe", "--format", "s"], ["srt", "stm"]),
    (["transcribe", "some"], ["some.wav"]),
])
def test_bash_completes(typed, offered, capsys, tmp_path):
    assert main(["completion", "bash"]) == 0
    (tmp_path / "completion").write_text(capsys.readouterr().out)
    (tmp_path / "some.wav").touch()
    script = (f"source completion; COMP_WORDS=(earsight {shlex.join(typed)}); COMP_CWORD={len(typed)}; "
              "_shtab_earsight; printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_completion_of_all_commands(shell, capsys):
    assert main(["completion", shell]) == 0
    told = capsys.readouterr().out
    assert all(command in told for command in COMMANDS)


@pytest.mark.parametrize("words, reason", [
    (["transcribe", "x", "--jobs", "two"], "two is not a whole number from 1"),
    (["transcribe", "x", "--jobs", "0"], "0 is not a whole number from 1"),
    (["transcribe", "x", "--min-confidence", "high"], "high is not a number between 0 and 1"),
])
def test_a_wrong_value_is_told_in_words(words, reason, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2 and reason in capsys.readouterr().err
