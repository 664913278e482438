"""The comparison people ask for: LSTM, BiLSTM, GRU, BiGRU and Transformer encoders of equal parameter counts.

    python scripts/compare_encoders.py DIR [--corpora an4 actions] [--seeds 1 2 3] [options of `earsight train fit`]

On AN4 (`configs/an4.yaml`) and on the ten actions (`configs/actions-10.yaml`), whose data lie where the recipes say.
Each encoder is as wide as it can be with no more parameters than the BiLSTM has. On the actions each learns at two
rates with the first seed; the development part chooses the rate, and the other seeds train at that one. On AN4, where
a run takes longer, all learn at one rate.

Runs are kept in DIR and not done again. DIR/table.md and DIR/results.json hold the table: error or accuracy of each
seed, parameters, CPU minutes of the training (all processes), and how fast the exported model (float32, ONNX Runtime,
one thread) reads stored frames: the models take turns over the same clips.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter

from earsight.common.errors import EarsightError
from earsight.common.files import write_whole

REPOSITORY = Path(__file__).resolve().parent.parent
N_MFCC, CNN_FEATURES = 13, 1280  # of the recipes
STEP = 4  # units; twice as many divide by a Transformer's heads
TURNS = 3  # of each model over the clips whose speed is measured
CLIPS = 40


@dataclass(frozen=True)
class Kind:
    """An encoder of the table."""

    name: str
    cell: str
    bidirectional: bool


KINDS = (Kind("LSTM", "lstm", False), Kind("BiLSTM", "lstm", True), Kind("GRU", "gru", False),
         Kind("BiGRU", "gru", True), Kind("Transformer", "transformer", True))
REFERENCE = KINDS[1]


@dataclass(frozen=True)
class Corpus:
    """What is trained on, and how.

    Attributes:
        recipe: of configs/.
        figure: "WER" (less is better) or "accuracy".
        hidden: units a direction of the reference's layers.
        encoder: the settings that all encoders share.
        rates: learning rates that are tried.
        overrides: of the recipe, so that some forty runs are done in hours.
    """

    recipe: str
    figure: str
    hidden: int
    encoder: dict
    rates: tuple[float, ...]
    overrides: tuple[str, ...]

    @property
    def data(self) -> dict:
        """Where the recipe's manifests are."""
        return _recipe(self)["data"]["init_args"]

    @property
    def widths(self) -> tuple[int, ...]:
        """Features of a frame of each stream that has an encoder of its own."""
        from earsight.video.frontends.pictures import PictureSettings

        pictures = _recipe(self)["model"]["init_args"].get("pictures")
        return tuple(PictureSettings.from_dict(pictures).widths(CNN_FEATURES)) if pictures else (N_MFCC,)

    def settings(self, kind: Kind, hidden: int) -> dict:
        """Those of an encoder."""
        return {**self.encoder, "cell": kind.cell, "bidirectional": kind.bidirectional, "hidden": hidden}


CORPORA = {
    "an4": Corpus("configs/an4.yaml", "WER", 128, {"layers": 3, "stride": 3, "channels": 128, "dropout": 0.2},
                  (2e-3,), ("--trainer.max_epochs", "7", "--data.batch_duration", "48")),
    "actions": Corpus("configs/actions-10.yaml", "accuracy", 96,
                      {"layers": 1, "stride": 1, "channels": 96, "dropout": 0.0, "input_dropout": 0.2}, (1e-3, 2e-3),
                      ("--trainer.max_epochs", "8")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    args, others = parser.parse_known_args()
    folder = args.folder.absolute()
    rows = [row for name in args.corpora for row in compare(name, folder / name, args.seeds, others)]
    write_whole(folder / "results.json", json.dumps(rows, indent=1) + "\n")
    write_whole(folder / "table.md", table(rows))
    print(table(rows))


def compare(name: str, folder: Path, seeds: list[int], others: list[str]) -> list[dict]:
    """Train and measure every encoder on a corpus; a dictionary an encoder, as `results.json` has it."""
    corpus, rows, folders = CORPORA[name], [], []
    for kind in KINDS:
        hidden = width(corpus, kind)

        def run(rate: float, seed: int) -> dict:
            return train(corpus, kind, hidden, rate, seed, folder / f"{kind.name}-{rate:g}-{seed}", others)

        tried = {rate: run(rate, seeds[0]) for rate in corpus.rates}
        best = (min if corpus.figure == "WER" else max)(tried, key=lambda rate: tried[rate]["development"])
        runs = [tried[best], *(run(best, seed) for seed in seeds[1:])]
        folders.append(folder / f"{kind.name}-{best:g}-{seeds[0]}")
        rows.append({"corpus": name, "encoder": kind.name, "hidden": hidden, "rate": best, "figure": corpus.figure,
                     "seeds": seeds, "parameters": parameters(corpus, kind, hidden),
                     "development": [run["development"] for run in runs], "test": [run["test"] for run in runs],
                     "cpu_minutes": mean(run["cpu_seconds"] for run in runs) / 60})
    for row, speed in zip(rows, reading_speeds(corpus, folders), strict=True):
        row["times_real_time"] = speed
    return rows


def width(corpus: Corpus, kind: Kind) -> int:
    """The most units with which an encoder has no more parameters than the reference, to within 1 %."""
    most = 1.01 * parameters(corpus, REFERENCE, corpus.hidden)
    hidden = STEP
    while parameters(corpus, kind, hidden + STEP) <= most:
        hidden += STEP
    return hidden


def parameters(corpus: Corpus, kind: Kind, hidden: int) -> int:
    """How many an encoder has, without its head."""
    from earsight.common.nn.encoder import EncoderSettings, build_encoder

    streams = corpus.widths if len(corpus.widths) > 1 else ()
    encoder = build_encoder(sum(corpus.widths), EncoderSettings(**corpus.settings(kind, hidden), streams=streams))
    return sum(p.numel() for p in encoder.parameters())


def train(corpus: Corpus, kind: Kind, hidden: int, rate: float, seed: int, folder: Path, others: list[str]) -> dict:
    """One run and its figures, unless they are there already.

    The test part is measured of each run, also where a rate is not chosen: nothing is chosen by it.
    """
    result = folder / "figures.json"
    if result.exists():
        return json.loads(result.read_text())
    print(folder, flush=True)
    encoder = [f"--model.encoder.{name}={value}" for name, value in corpus.settings(kind, hidden).items()]
    before = _cpu_seconds()
    _earsight(folder, "train", "fit", "--config", corpus.recipe, "--run", folder, "--seed_everything", seed,
              "--data.seed", seed, "--model.optimiser.learning_rate", rate, "--threads", 1,
              "--trainer.enable_progress_bar", "false", *encoder, *corpus.overrides, *others)
    spent = _cpu_seconds() - before
    figures = {part: evaluated(corpus, folder, manifest) for part, manifest in
               (("development", corpus.data["validation"]), ("test", corpus.data["test"]))}
    write_whole(result, json.dumps({**figures, "cpu_seconds": spent}))
    return {**figures, "cpu_seconds": spent}


def evaluated(corpus: Corpus, folder: Path, manifest: str) -> float:
    """A run's WER or accuracy, as a fraction."""
    _earsight(folder, "evaluate", folder / "model.ckpt", manifest, "--json", folder / "report.json")
    report = json.loads((folder / "report.json").read_text())
    return report["words"]["rate"] if corpus.figure == "WER" else report["accuracy"]


def reading_speeds(corpus: Corpus, folders: list[Path]) -> list[float]:
    """How many seconds of clips each run's exported model reads in a second, from stored frames, on one thread."""
    from earsight.common.data.datamodule import read_frames_cut
    from earsight.common.data.manifest import read_manifest
    from earsight.common.inference.runtime import Runtime

    models = []
    for folder in folders:
        if not (folder / "model" / "config.json").exists():
            _earsight(folder, "export", folder / "model.ckpt", folder / "model")
        models.append(Runtime(folder / "model"))
    cuts = list(read_manifest(corpus.data["test"]))[:CLIPS]
    clips = [read_frames_cut(cut) for cut in cuts]
    spent: list[list[float]] = [[] for _ in models]
    for _ in range(TURNS):
        for model, seconds in zip(models, spent):
            began = perf_counter()
            for clip in clips:
                model.graph_outputs(clip)
            seconds.append(perf_counter() - began)
    return [sum(cut.duration for cut in cuts) / min(seconds) for seconds in spent]


def table(rows: list[dict]) -> str:
    """The table in Markdown."""
    lines = ["| corpus | encoder | units | parameters | rate | test, mean of seeds | each | development | CPU min | "
             "x real time |", "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        spread = f" ± {100 * stdev(row['test']):.1f}" if len(row["test"]) > 1 else ""
        each = " / ".join(f"{100 * value:.1f}" for value in row["test"])
        lines.append(f"| {row['corpus']} | {row['encoder']} | {row['hidden']} | {row['parameters'] / 1e6:.2f} M | "
                     f"{row['rate']:g} | {row['figure']} {100 * mean(row['test']):.1f}{spread} % | {each} | "
                     f"{100 * mean(row['development']):.1f} % | {row['cpu_minutes']:.1f} | "
                     f"{row['times_real_time']:.0f} |")
    return "\n".join(lines) + "\n"


def _recipe(corpus: Corpus) -> dict:
    import yaml

    return yaml.safe_load((REPOSITORY / corpus.recipe).read_text())


def _earsight(folder: Path, *arguments: object) -> None:
    """Run a command in the repository's folder; what it says is kept in the run's."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output.txt").open("a") as output:
        done = subprocess.run([sys.executable, "-m", "earsight", *map(str, arguments)], cwd=REPOSITORY, stdout=output,
                              stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise EarsightError(f"`earsight {arguments[0]}` failed; {folder}/output.txt says why")


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    try:
        main()
    except EarsightError as error:
        sys.exit(f"error: {error}")
