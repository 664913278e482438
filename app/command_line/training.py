"""Arguments of the commands that make models and measure them."""

import argparse
from pathlib import Path

from .shared import add_decoding
from .values import positive, share, whole


def learn(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="clips with their labels or texts")
    sub.add_argument("--output", type=Path, required=True, metavar="DIR",
                     help="the model folder; reports, recipes and frames go to DIR-learning. The same command goes on "
                     "where it was stopped")
    sub.add_argument("--minutes", type=float, default=15.0, metavar="M", help="the time to take (default: 15)")
    sub.add_argument("--add", action="store_true", help="teach the model in DIR further classes or clips, beside those "
                     "that it knows")
    sub.add_argument("--task", choices=("auto", "classes", "text"), default="auto",
                     help="what to learn (default: classes where each clip has a label, else texts)")


def train(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("arguments", nargs=argparse.REMAINDER, metavar="fit --config RECIPE.yaml ...",
                     help="LightningCLI's; `earsight train fit --help` lists them")


def tune(sub: argparse.ArgumentParser) -> None:
    sub.allow_abbrev = False  # other options are passed on
    what = sub.add_mutually_exclusive_group(required=True)
    what.add_argument("--trials", type=positive, metavar="N", help="of the study in all; the same command goes on "
                      "with a study that was stopped, and several at a time share it")
    what.add_argument("--find", choices=("lr", "batch"), help="test learning rates, or batches' durations, and suggest")
    sub.add_argument("--space", nargs="+", default=[], metavar="SETTING=RANGE", help="what to search: log(1e-4,1e-2), "
                     "uniform(0,0.5), int(64,256,64), choice(lstm,gru); or a YAML file of SETTING: RANGE")
    sub.add_argument("--study", type=Path, default=Path("runs/study"), metavar="DIR",
                     help="folder of the trials and the report, which all processes see (default: runs/study)")
    sub.add_argument("--storage", metavar="URL", help="database of the study, e.g. sqlite:///study.db (default: a file "
                     "in DIR)")
    sub.add_argument("--seed", type=int, default=1, help="of the choice of settings (default: 1)")
    sub.add_argument("--no-prune", dest="prune", action="store_false", help="end no trial that looks worse than others")
    sub.add_argument("--memory", type=float, metavar="GB", help="for --find batch on a CPU: what the process may take")


def evaluate(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help="checkpoint, model folder or installed model")
    sub.add_argument("manifest", metavar="MANIFEST")
    sub.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    sub.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the confusion matrix (classification), "
                     "or with --noise the errors at each ratio")
    sub.add_argument("--report", type=Path, metavar="DIR", help="write DIR/index.html: figures, and the worst clips to "
                     "hear and see")
    sub.add_argument("--others", dest="other_clips", nargs="+", default=[], metavar="MANIFEST",
                     help="clips that are none of a calibrated classifier's classes: how many of them get a name")
    sub.add_argument("--worst", type=positive, default=10, help="how many of the worst clips to show (default: 10)")
    sub.add_argument("--noise", choices=("babble", "white", "music"), help="add noise to the clips' sound, babble of "
                     "the other clips, and count errors at each of --snr; of films for sound, lips and both")
    sub.add_argument("--snr", nargs="+", metavar="DB", default=["-10", "-5", "0", "5", "10", "20", "clean"],
                     help="signal-to-noise ratios of --noise, and clean (default: -10 -5 0 5 10 20 clean)")
    add_decoding(sub)


def predict(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--model", required=True, metavar="CHECKPOINT")
    sub.add_argument("manifest", metavar="MANIFEST")
    sub.add_argument("--output", type=Path, required=True, metavar="FILE.jsonl",
                     help="what is there of it is not done again")
    sub.add_argument("--workers", type=whole, default=1, metavar="N",
                     help="processes that read clips, a device (default: 1)")


def export(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    sub.add_argument("destination", type=Path, metavar="DIR")
    sub.add_argument("--int8", action="store_true", help="8-bit weights: a quarter of the size, faster")
    sub.add_argument("--card", type=Path, metavar="FILE.json",
                     help="what `earsight models` tells: description, trained_on, licence, figures")
    sub.add_argument("--frontend", metavar="MODEL", help="of a model of stored frames: the model folder or installed "
                     "model whose frontend made them (`prepare embeddings ... model=MODEL`); it comes along")


def tune_decoder(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help="model folder; its settings are replaced, unless --output is given")
    sub.add_argument("manifests", nargs="+", type=Path, metavar="DEV_MANIFEST")
    sub.add_argument("--output", type=Path, metavar="DIR", help="write a tuned copy, and leave the model as it is; "
                     "installed models need it")
    sub.add_argument("--lm", type=Path, metavar="FILE", help="n-gram model to search with; copied into the folder")
    sub.add_argument("--lexicon", type=Path, metavar="FILE", help="words to search over; copied into the folder")


def calibrate(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help="model folder, which is changed unless --output is given")
    sub.add_argument("manifests", nargs="*", type=Path, metavar="DEV_MANIFEST", help="held-out clips of the classes")
    sub.add_argument("--others", dest="other_clips", nargs="+", type=Path, default=[], metavar="MANIFEST",
                     help="clips of anything else, labelled or not, the more various the better")
    sub.add_argument("--keep", type=share, default=0.95, metavar="X",
                     help="share of the classes' clips that shall get a name (default: 0.95)")
    sub.add_argument("--score", choices=("auto", "energy", "states", "frames"), default="auto",
                     help="what tells how familiar a clip is (default: auto, what lets fewest other clips pass); "
                     "frames: clips of the training serve as DEV_MANIFEST too, and probabilities stay as they are")
    sub.add_argument("--like", type=Path, metavar="MODEL", help="instead of manifests: take over the calibration of a "
                     "model that was trained alike on a part of the clips, and calibrated on the others")
    sub.add_argument("--output", type=Path, metavar="DIR",
                     help="write a calibrated copy, and leave the model as it is; installed models need it")
