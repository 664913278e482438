"""`earsight doctor`: what this installation can do, what it lacks, and the command that mends it."""

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from ..common.batch_run import default_jobs

PROJECT = "earsight"
INSTALL = {"": "pip install .", "train": "pip install '.[train]'"}
TOGETHER = {"torchaudio": "torch", "torchvision": "torch"}  # built against one another
VISION_BEHIND = 15  # torchvision 0.N belongs to torch 2.(N - 15)


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, what was found, and what mends it where it is not well."""

    name: str
    found: str
    mend: str = ""


def examine() -> list[Finding]:
    """Everything that `earsight doctor` looks at."""
    findings = [Finding("Python", platform.python_version()), Finding("system", platform.platform()), _threads()]
    findings += [_package(name, "") for name in _required("")]
    training = [_package(name, "train") for name in _required("train")]
    if all(finding.mend for finding in training):  # meant so: recognising needs none of it
        findings.append(Finding("training", f"not installed; for it: {INSTALL['train']}"))
    else:
        findings += [*training, _together(), *_attempt("devices", _devices)]
    return [*findings, *_attempt("codecs", _codecs), _disk()]


def report(findings: list[Finding]) -> str:
    """The findings as aligned lines, those to mend marked, with the commands at the end."""
    width = max(len(finding.name) for finding in findings)
    lines = [f"{'!' if finding.mend else ' '} {finding.name:<{width}}  {finding.found}" for finding in findings]
    mend = list(dict.fromkeys(finding.mend for finding in findings if finding.mend))
    return "\n".join([*lines, "", *(["To mend:", *(f"  {each}" for each in mend)] if mend else ["All is well."])])


def _required(extra: str) -> list[str]:
    """The packages that the project, or an extra of it, asks for."""
    found = []
    for line in importlib.metadata.requires(PROJECT) or []:
        requirement, _, marker = line.partition(";")
        wanted = re.search(r"extra\s*==\s*['\"](\w+)['\"]", marker)
        if (wanted[1] if wanted else "") == extra:
            found.append(re.match(r"[\w.-]+", requirement)[0])
    return found


def _package(name: str, extra: str) -> Finding:
    what = f"{name} ({extra})" if extra else name
    try:
        return Finding(what, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(what, "missing", INSTALL[extra])


def _together() -> Finding:
    versions = {}
    for name in ("torch", *TOGETHER):
        try:
            versions[name] = tuple(int(part) for part in importlib.metadata.version(name).split("+")[0].split(".")[:2])
        except importlib.metadata.PackageNotFoundError:
            return Finding("torch family", f"{name} is missing", INSTALL["train"])
    torch = versions["torch"]
    fits = versions["torchaudio"] == torch and versions["torchvision"] == (0, torch[1] + VISION_BEHIND)
    told = ", ".join(f"{name} {major}.{minor}" for name, (major, minor) in versions.items())
    return Finding("torch family", told if fits else f"{told} do not belong together", "" if fits else INSTALL["train"])


def _threads() -> Finding:
    given = os.environ.get("OMP_NUM_THREADS")
    return Finding("cores", f"{default_jobs()} for this process of {os.cpu_count()}"
                   + (f", OMP_NUM_THREADS={given}" if given else ""))


def _attempt(name: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return look()
    except ImportError as error:
        return [Finding(name, f"cannot be looked at ({error})", INSTALL["train" if error.name == "torch" else ""])]


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
