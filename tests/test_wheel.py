"""What a wheel of this repository installs, and that it stands beside a user's own packages of any name."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from conftest import REPOSITORY
from earsight.app.command_line import COMMANDS

CLIP = REPOSITORY / "scripts" / "examples" / "phone-number.ogg"
LARGEST = 90e6  # bytes


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True,
                          env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built of the tracked files as they are now, elsewhere."""
    try:
        files = run("git", "ls-files", "-z", cwd=REPOSITORY).split("\0")
    except (AssertionError, FileNotFoundError):
        pytest.skip("needs a clone, to know which files are the project's")
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in filter(None, files):
        if (REPOSITORY / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, source / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ".", cwd=source)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """An environment that has this one's packages but for Earsight, and the wheel; its `bin`."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    # Not what an editable install adds to this environment: only folders, no hooks.
    (packages / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")) + "\n")
    before = {path.name for path in packages.iterdir()}
    run(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps",
        "--no-index", wheel, cwd=folder)
    gained = {path.name for path in packages.iterdir()} - before
    version = wheel.name.split("-")[1]
    assert gained == {"earsight", f"earsight-{version}.dist-info"}
    return folder / "bin"


def test_the_wheel_holds_what_the_package_needs_and_no_more(wheel):
    assert wheel.stat().st_size < LARGEST
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    inside = {name.removeprefix("earsight/") for name in names if name.startswith("earsight/")}
    wanted = {"py.typed", "common/reports/pages/page.css", "common/reports/pages/page.js",
              *(path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "app" / "page").rglob("*.*")),
              "audio/models/en/lm.bin", "audio/models/en-small/config.json", "video/models/actions-10/encoder.onnx"}
    assert wanted <= inside and any(name.endswith("licenses/LICENSE") for name in names)
    modules = {path.relative_to(REPOSITORY).as_posix() for folder in ("app", "audio", "audiovisual", "common", "video")
               for path in (REPOSITORY / folder).rglob("*.py")}
    assert {name for name in inside if name.endswith(".py")} == modules | {"__init__.py", "__main__.py"}
    tops = sorted({name.split("/")[0] for name in names})
    assert len(tops) == 2 and tops[0] == "earsight" and tops[1].endswith(".dist-info")


def test_both_ways_to_start_it_work(installed, tmp_path):
    for command in ([installed / "earsight"], [installed / "python", "-m", "earsight"]):
        assert run(*command, "--version", cwd=tmp_path).startswith("earsight ")
    assert all(name in run(installed / "earsight", "--help", cwd=tmp_path) for name in COMMANDS)


def test_a_user_may_have_packages_of_the_same_names(installed, tmp_path):
    for name in ("common", "audio", "audiovisual", "video", "app", "configs", "scripts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"OWN = '{name}'\n")
    (tmp_path / "job.py").write_text(
        "import app, audio, common, configs, scripts, video\nimport earsight\n"
        "print(app.OWN, audio.OWN, common.OWN, configs.OWN, scripts.OWN, video.OWN, earsight.__file__)\n"
        f"print(earsight.transcribe({str(CLIP)!r}, model='en-small').text)\n")
    told = run(installed / "python", "job.py", cwd=tmp_path).splitlines()
    assert told[0].startswith("app audio common configs scripts video") and str(REPOSITORY) not in told[0]
    assert told[1] == "four one five two oh nine seven three six eight"
    assert run(installed / "earsight", "transcribe", "--model", "en-small", CLIP, cwd=tmp_path).strip() == told[1]
