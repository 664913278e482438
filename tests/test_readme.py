"""What the READMEs show works: each command line of README.md is run, on small data; those of the others are parsed."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from small_corpora import labelled_tones
from sounds import encode

from conftest import REPOSITORY, tone
from earsight.app.command_line import parser
from earsight.app.main import PASSED_ON, main

EXAMPLES, FILMS = REPOSITORY / "scripts" / "examples", REPOSITORY / "scripts" / "films"
READMES = [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("[a-z]*/README.md"))]
# A model that trains in seconds, in the place of a recipe's.
SMALL = ["--trainer.accelerator", "cpu", "--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false",
         "--model.encoder.hidden", "16", "--model.encoder.layers", "1", "--model.encoder.channels", "16",
         "--threads", "1"]


def blocks(readme: Path, language: str = "") -> list[str]:
    text = readme.read_text(encoding="utf-8")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for kind, block in fenced if kind == language]


def command_lines(readme: Path) -> list[list[str]]:
    """The commands of Earsight in a README's blocks, as the shell would split them; comments left out."""
    lines = "\n".join(blocks(readme)).replace("\\\n", " ").splitlines()
    commands = [part.strip() for line in lines for part in line.split(" && ")]
    return [shlex.split(command, comments=True)[1:] for command in commands if command.startswith("earsight ")]


@pytest.fixture
def place(tmp_path, tone_corpus, monkeypatch) -> Path:
    """A folder with everything that README's commands name."""
    for name in ("talk.m4a", "interviews/one.ogg", "clips/a.ogg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(EXAMPLES / "phone-number.ogg", tmp_path / name)
    encode(tmp_path / "meeting.mp4", tone(440, 1.0), 16000, "aac", video="mpeg4")
    shutil.copy(EXAMPLES / "grid-sentence.wav", tmp_path / "clip.wav")
    shutil.copy(EXAMPLES / "grid-sentence.wav", tmp_path / "digit.wav")
    (tmp_path / "films").mkdir()
    shutil.copy(FILMS / "push-ups.mp4", tmp_path / "push-ups.mp4")
    shutil.copy(FILMS / "three-exercises.mp4", tmp_path / "training.mp4")
    for film in ("push-ups.mp4", "training.mp4"):  # films without sound, which `transcribe '*.mp4'` would refuse
        (tmp_path / film).rename(tmp_path / "films" / film)
    labelled_tones(tmp_path / "taught", ("lo", "mi"))
    labelled_tones(tmp_path / "more", ("hi",))
    shutil.copy(EXAMPLES / "grid-sentence.wav", tmp_path / "new.wav")
    shutil.copytree(tone_corpus / "text", tmp_path / "text")
    shutil.copy(tone_corpus / "tones.csv", tmp_path / "clips.csv")
    shutil.copytree(REPOSITORY / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EARSIGHT_MODELS", str(tmp_path / "installed"))
    return tmp_path


def test_every_command_of_the_readme_runs(place, capsys):
    commands = command_lines(READMES[0])
    assert len(commands) >= 14
    for words in commands:
        if words[0] == "learn":
            words = ["taught/" if word == "clips/" else word for word in words] + ["--minutes", "0.9"]
        if words[0] == "classify":
            words = [f"films/{word}" if word.endswith(".mp4") else word for word in words]
        if words in (["listen"], ["watch", "0"]):  # neither microphone nor camera is here
            words = [words[0], {"listen": "clip.wav", "watch": "films/push-ups.mp4"}[words[0]]]
        if words[:2] == ["train", "fit"]:
            words = [*words, *SMALL]
        assert main(words) == 0, (words, capsys.readouterr().err)
    for made in ("out/a.srt", "clip.png", "data/mine/train.jsonl.gz", "runs/mine/model.ckpt", "report/index.html",
                 "models/mine/encoder.onnx", "installed/mine/encoder.onnx"):
        assert (place / made).is_file(), made


def test_the_python_of_the_readme_runs(place):
    (code,) = blocks(READMES[0], "python")
    shutil.move(place / "films" / "push-ups.mp4", place / "push-ups.mp4")
    names: dict = {}
    first, *others = code.splitlines()
    exec(first, names)
    text, probabilities = (eval(line, names) for line in others)
    assert text.endswith("seven again")  # `en` hears other words for GRID's first ones
    assert max(probabilities, key=probabilities.get) == "PushUps"


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_commands_parse_and_links_lead_somewhere(readme):
    known = parser()
    for words in command_lines(readme):
        args, others = known.parse_known_args(words)
        assert not others or args.command in PASSED_ON, words
    text = readme.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (readme.parent / link).exists(), link
    assert not re.search(r"\w+://(?!bucket)", re.sub("sqlite:///|http://127.0.0.1", "", text))  # nothing that may move


def test_the_readme_is_short():
    assert len(READMES[0].read_text(encoding="utf-8").splitlines()) < 150
