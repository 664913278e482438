"""What fuzz.py makes its first inputs of, and what they name: clips, tables and models, made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any


def make_material(folder: Path) -> Path:
    """Clips, tables and models, which seeds are made of and which inputs name."""
    if (folder / "whole").exists():
        return folder
    import numpy as np
    import series_models
    from films import sliding, write_film
    from ngram_models import sentences
    from small_models import exported
    from sounds import speechlike
    from sounds import write as write_sound

    from earsight.common.decoding.ngrams.making import make_model

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    shutil.copy(write_sound(folder, "clip.wav", speechlike(8000, 0.3), 8000), folder / "other.wav")
    write_film(folder / "film.mkv", sliding(6, (48, 64)), 8)
    np.save(folder / "frames.npy", rng.standard_normal((40, 6)).astype(np.float32))
    exported(folder / "ctc")
    exported(folder / "classes", streams=(3, 3))
    series_models.trained(folder, epochs=1)
    series_models.export_checkpoint(folder / "run" / "model.ckpt", folder / "series")
    texts = [" ".join(words) for words in sentences(60, 12)]
    texts += ["a b c ab ba cab"] * 3
    for name in ("words.arpa", "words.bin"):
        make_model(texts, 3, folder / name)
    make_model(["abc cab", "bca a"], 3, folder / "letters.arpa", characters=True)
    (folder / "table.csv").write_text("path,text,speaker\nclip.wav,a b,x\nother.wav,b,y\n")
    (folder / "labels.csv").write_text("path,label\nclip.wav,a\nother.wav,b\n")
    (folder / "words.txt").write_text("ab a b\nba b a\nc\n")
    write_manifests(folder)
    (folder / "whole").touch()
    return folder


def write_manifests(folder: Path) -> None:
    """Manifests of the material, in each of the ways in which a cut is described."""
    from earsight.app.media import openers
    from earsight.common.data.manifest import read_manifest, write_manifest

    (folder / "all.csv").write_text("path,text,label,start,duration,frame_shift\nclip.wav,a b,,0,0.2,\n"
                                    "frames.npy,ab,x,,,0.01\nfilm.mkv,,x,,,\n")
    for name in ("table", "labels", "all"):
        write_manifest(read_manifest(folder / f"{name}.csv", openers()), folder / f"{name}.jsonl")
    write_manifest(read_manifest(folder / "table.csv", openers()), folder / "table.jsonl.gz")


def placed(folder: Path, name: str, content: bytes) -> Path:
    """A file of an input."""
    path = folder / name
    path.write_bytes(content)
    return path


@lru_cache(1)
def np_frames(material: Path) -> Any:
    import numpy as np

    return np.load(material / "frames.npy")


def tried(call: Callable, *given: Any) -> Any:
    """What a call gives; None where it refuses: another one may take the input yet."""
    from earsight.common.errors import EarsightError

    try:
        return call(*given)
    except EarsightError as error:
        str(error)
        return None
