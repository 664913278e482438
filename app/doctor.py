"""`earsight doctor`: what this installation can do, what it lacks, and the command that mends it."""

import importlib
import importlib.metadata
import os
import platform
import shutil
import site
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from ..common.batch_run import default_jobs
from ..common.errors import EarsightError, first_line

PROJECT = "earsight"
# In a clone; the constraints are the versions that were tested together.
INSTALL = {"": "pip install -c scripts/constraints.txt .", "train": "pip install -c scripts/constraints.txt '.[train]'",
           "serve": "pip install -c scripts/constraints.txt '.[serve]'",
           "live": "pip install -c scripts/constraints.txt '.[live]'",
           "ray": "pip install -c scripts/constraints.txt '.[ray]'"}
TORCH_FAMILY = ("torch", "torchvision", "torchaudio")  # compiled against one another
# What version 0.1 put beside other packages, each with a file that tells it from a package of the user's.
OLD_NAMES = {"earsight.py": "earsight.py", "audio": "audio/corpus_an4.py", "video": "video/corpus_ucf101.py",
             "common": "common/corpus_parts.py"}


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, what was found, and what mends it where it is not well."""

    name: str
    found: str
    mend: str = ""


def examine() -> list[Finding]:
    """Everything that `earsight doctor` looks at."""
    findings = [Finding("Python", platform.python_version()), Finding("system", platform.platform()), _threads()]
    findings += [_package(requirement, "") for requirement in _required("")]
    training = [_package(requirement, "train") for requirement in _required("train")]
    if all(finding.found == "missing" for finding in training):  # meant so: recognising needs none of it
        findings.append(Finding("training", f"not installed; for it: {INSTALL['train']}"))
    else:
        together = _together()
        # Where it does not load, it is not tried in this process: it could take this process with it.
        findings += [*training, together, *([] if together.mend else _attempt("devices", _devices))]
    for name, extra in (("service", "serve"), ("microphone", "live"), ("many machines", "ray")):
        packages = [_package(requirement, extra) for requirement in _required(extra)]
        if any(finding.found == "missing" for finding in packages):
            findings.append(Finding(name, f"not installed; for it: {INSTALL[extra]}"))
        else:
            findings += [*packages, *(_attempt(name, _microphone) if extra == "live" else [])]
    return [*findings, *_attempt("codecs", _codecs), *_left_behind(), _disk()]


def report(findings: list[Finding]) -> str:
    """The findings as aligned lines, those to mend marked, with the commands at the end."""
    width = max(len(finding.name) for finding in findings)
    lines = [f"{'!' if finding.mend else ' '} {finding.name:<{width}}  {finding.found}" for finding in findings]
    mend = list(dict.fromkeys(finding.mend for finding in findings if finding.mend))
    return "\n".join([*lines, "", *(["To mend:", *(f"  {each}" for each in mend)] if mend else ["All is well."])])


def _microphone() -> list[Finding]:
    from ..audio.live.sources import devices

    try:
        return [Finding("microphones", str(len(devices())))]
    except EarsightError as error:  # a machine without one is well, too
        return [Finding("microphones", str(error))]


def _required(extra: str) -> list[Requirement]:
    """The packages that the project, or an extra of it, asks for on this machine."""
    every = [Requirement(line) for line in importlib.metadata.requires(PROJECT) or []]
    of_project = [r for r in every if not r.marker or r.marker.evaluate({"extra": ""})]
    if not extra:
        return of_project
    return [r for r in every if r not in of_project and r.marker and r.marker.evaluate({"extra": extra})]


def _package(requirement: Requirement, extra: str) -> Finding:
    name = f"{requirement.name} ({extra})" if extra else requirement.name
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "missing", INSTALL[extra])
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(name, f"{version}, and {requirement.specifier} is needed", INSTALL[extra])
    return Finding(name, version)


def _together() -> Finding:
    """Whether torch and its family can be loaded together, tried in a process of their own: it may crash."""
    try:
        done = subprocess.run([sys.executable, "-c", f"import {', '.join(TORCH_FAMILY)}"], capture_output=True,
                              text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return Finding("torch family", "does not load within five minutes", INSTALL["train"])
    if done.returncode == 0:
        return Finding("torch family", "loads together")
    reason = (done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1]
    return Finding("torch family", f"cannot be loaded together: {reason}", INSTALL["train"])


def _left_behind() -> list[Finding]:
    """What an earlier version left in site-packages, where it stands in the way of a user's own packages."""
    findings = []
    for folder in dict.fromkeys(Path(place) for place in (*site.getsitepackages(), site.getusersitepackages())):
        old = [folder / name for name, sign in OLD_NAMES.items() if (folder / sign).is_file()]
        if old:
            listed = " ".join(map(str, old))
            findings.append(Finding("left behind", f"by version 0.1 of {PROJECT}: {listed}", f"rm -r {listed}"))
        records = sorted(record.name for record in folder.glob(f"{PROJECT}-*.dist-info"))
        if len(records) > 1:
            findings.append(Finding("versions", f"{len(records)} over one another in {folder}: {', '.join(records)}",
                                    f"rm -r {folder / PROJECT}-*.dist-info && {INSTALL['']}"))
    return findings


def _threads() -> Finding:
    given = os.environ.get("OMP_NUM_THREADS")
    return Finding("cores", f"{default_jobs()} for this process of {os.cpu_count()}"
                   + (f", OMP_NUM_THREADS={given}" if given else ""))


def _attempt(name: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return look()
    except (ImportError, OSError) as error:  # OSError: a library that torch's own files lack
        extra = "train" if name == "devices" else ""
        return [Finding(name, f"cannot be looked at ({first_line(error)})", INSTALL[extra])]


def _devices() -> list[Finding]:
    torch = importlib.import_module("torch")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    backends = [name for name in ("gloo", "nccl") if getattr(torch.distributed, f"is_{name}_available")()]
    return [Finding("GPUs", ", ".join(names) or "none: training runs on the CPU"),
            Finding("several processes", ", ".join(backends) or "none")]


def _codecs() -> list[Finding]:
    av = importlib.import_module("av")
    soundfile = importlib.import_module("soundfile")
    wanted = {"sound": ("mp3", "aac", "vorbis", "opus", "flac"), "picture": ("h264", "hevc", "vp9", "av1", "mpeg4")}
    findings = [Finding("libsndfile", soundfile.__libsndfile_version__)]
    for medium, codecs in wanted.items():
        lacking = [codec for codec in codecs if codec not in av.codecs_available]
        findings.append(Finding(f"{medium} codecs", ", ".join(c for c in codecs if c not in lacking)
                                + (f"; without {', '.join(lacking)}" if lacking else ""),
                                "pip install --force-reinstall av" if lacking else ""))
    return findings


def _disk() -> Finding:
    return Finding("free disk here", f"{shutil.disk_usage('.').free / 1e9:.0f} GB")
