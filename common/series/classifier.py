"""A classifier of series in the shape of scikit-learn's: `fit`, `predict`, `predict_proba`, `score`."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import EarsightError, require
from ..texts import tidy
from .reading.arrays import label_text
from .reading.series import finite

if TYPE_CHECKING:
    from sklearn.utils import Tags

    from ..inference.runtime import Runtime

Clips = Sequence[np.ndarray] | np.ndarray
# Times that a stride leaves of a usual series, so that long ones take no longer to train on than they must.
LONG = 64
LARGEST = 1e9


class SeriesClassifier:
    """Bidirectional LSTMs over series of channels, trained under Lightning, run by ONNX Runtime.

    It fits where scikit-learn's tools take a classifier (`clone`, `cross_val_score`, `GridSearchCV`, pickles); they are
    not needed for it. Series are a list of arrays (time, channel) of any lengths, or one array (series, time, channel),
    or (series, time) of one channel; NaN are gaps. What it learnt is a model folder (`save`), which
    `earsight classify --model` takes.

    Args:
        hidden: units a direction of a layer.
        layers: recurrent layers.
        members: models that are trained side by side, whose mean decides.
        residual: see `common.nn.encoder.EncoderSettings`.
        stride: frames that the layers read as one; 0: as many as leave some LONG of a usual series.
        steps: of training.
        batch_size: series in a batch, of the mean length.
        learning_rate: the peak.
        augment: whether training varies the series: their speed, size, noise and gaps.
        frame_shift: seconds between two times.
        seed: of all that is drawn.
        threads: of the CPU; 0: torch's own choice.

    Attributes:
        classes_: (class,) what `y` held, sorted.
        n_channels_: of the series that it learnt.
    """

    def __init__(self, hidden: int = 64, layers: int = 2, members: int = 1, residual: bool = False, stride: int = 0,
                 steps: int = 400, batch_size: int = 16, learning_rate: float = 3e-3, augment: bool = True,
                 frame_shift: float = 1.0, seed: int = 1, threads: int = 0):
        self.hidden = hidden
        self.layers = layers
        self.members = members
        self.residual = residual
        self.stride = stride
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.augment = augment
        self.frame_shift = frame_shift
        self.seed = seed
        self.threads = threads

    def fit(self, X: Clips, y: Sequence[Any] | np.ndarray) -> SeriesClassifier:
        """Learn the classes `y` (series,) of series.

        Raises:
            EarsightError: the series and classes do not fit each other, or there is one class only.
        """
        require("pytorch_lightning", "train")
        self._demand_numbers()
        series = arrays_of(X)
        values = classes_of(y, len(series))
        try:
            classes = np.unique(values)
        except TypeError as error:
            raise EarsightError(f"y holds classes that have no order ({error}); give texts, or numbers") from error
        names = [tidy(label_text(value)) for value in classes]
        if len(set(names)) < max(2, len(names)):
            raise EarsightError(f"y holds the classes {', '.join(names[:10])}; give two or more that differ as text")
        named = dict(zip(classes.tolist(), names))
        with tempfile.TemporaryDirectory(prefix="earsight-") as folder:
            files = self._train(series, [named[value] for value in values.tolist()], Path(folder))
        # With their names, the model is all that is kept: it travels in a pickle, and needs no folder.
        self.classes_, self._names, self._files = classes, names, files
        self.n_channels_ = series[0].shape[1]
        self._open()
        return self

    def predict(self, X: Clips) -> np.ndarray:
        """(series,) the likeliest class of each."""
        return self._known().classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Clips) -> np.ndarray:
        """(series, class) float64, in the order of `classes_`."""
        self._known()
        series, runtime = arrays_of(X), self._runtime
        if (found := series[0].shape[1]) != self.n_channels_:
            raise EarsightError(f"X has {found} channels, and the classifier learnt {self.n_channels_}")
        logits = np.stack([runtime.outputs(each) for each in series]).astype(np.float64)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        order = [runtime.labels.symbols.index(name) for name in self._names]
        return (powers / powers.sum(axis=1, keepdims=True))[:, order]

    def score(self, X: Clips, y: Sequence[Any] | np.ndarray) -> float:
        """Accuracy."""
        found = self.predict(X)
        return float(np.mean(found == classes_of(y, len(found))))

    def save(self, folder: str | Path) -> Path:
        """Write what was learnt as a model folder; an older one there is replaced."""
        from ..files import whole_folder
        from ..model_folder import CONFIG
        from ..paths import demand_paths

        demand_paths(path=folder)
        folder = Path(folder)
        if folder.is_dir() and not (folder / CONFIG).is_file() and any(folder.iterdir()):
            raise EarsightError(f"{folder}: exists and is no model folder; choose another")
        self._known()
        with whole_folder(folder) as made:
            for name, content in self._files.items():
                (made / name).write_bytes(content)
        return folder

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments that it was made with."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> SeriesClassifier:
        """Change some of the arguments that it was made with."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise EarsightError(f"SeriesClassifier has no parameter {name!r}; it has {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Tags:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(estimator_type="classifier", target_tags=TargetTags(required=True),
                    classifier_tags=ClassifierTags(), input_tags=InputTags(three_d_array=True, allow_nan=True))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_")

    def __repr__(self) -> str:
        defaults = {each.name: each.default for each in inspect.signature(type(self)).parameters.values()}
        told = (f"{name}={value!r}" for name, value in self.get_params().items() if value != defaults[name])
        return f"SeriesClassifier({', '.join(told)})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_runtime"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if "classes_" in state:
            self._open()

    def _known(self) -> SeriesClassifier:
        if not self.__sklearn_is_fitted__():
            raise EarsightError("this SeriesClassifier has learnt nothing yet; call fit first")
        return self

    def _open(self) -> None:
        from ..inference.runtime import Runtime

        with tempfile.TemporaryDirectory(prefix="earsight-") as folder:
            for name, content in self._files.items():
                Path(folder, name).write_bytes(content)
            self._runtime: Runtime = Runtime(folder, max(1, self.threads))

    def _demand_numbers(self) -> None:
        """Raise EarsightError for what the training's own parser would take, or call by another name."""
        for name in ("steps", "batch_size", "learning_rate", "frame_shift"):
            value = getattr(self, name)
            if not _is_a(Real, value) or not 0 < value < LARGEST:
                raise EarsightError(f"{name}: {value!r:.40} is not a number above 0")
        for name in ("steps", "seed", "threads"):
            value = getattr(self, name)
            if not _is_a(Integral, value) or not 0 <= value < LARGEST:
                raise EarsightError(f"{name}: {value!r:.40} is not a whole number from {int(name == 'steps')}")

    def _train(self, series: list[np.ndarray], labels: list[str], folder: Path) -> dict[str, bytes]:
        """Train in `folder`; the files of the exported model, by name."""
        from ..data.cuts import frames_cut
        from ..data.manifest import write_manifest
        from ..training.running import run_training
        from .corpora import stored
        from .model import export_checkpoint

        cuts = [frames_cut(str(number), stored(frames, folder / "series"), shape=frames.shape,
                           frame_shift=self.frame_shift, label=label)
                for number, (frames, label) in enumerate(zip(series, labels), 1)]
        manifest = str(write_manifest(cuts, folder / "train.jsonl.gz"))
        run_training(["fit", "--run", str(folder / "run"), *self._arguments(manifest, series)])
        model = export_checkpoint(folder / "run" / "last.ckpt", folder / "model")
        return {path.name: path.read_bytes() for path in sorted(model.iterdir())}

    def _arguments(self, manifest: str, series: list[np.ndarray]) -> list[str]:
        """Those of `earsight train fit`."""
        lengths = [len(each) for each in series]
        settings: dict[str, Any] = {
            "seed_everything": self.seed, "threads": self.threads or "null", "average": 1,
            "data": "earsight.common.series.data.SeriesData", "data.train": manifest, "data.validation": manifest,
            "data.batch_duration": self.batch_size * self.frame_shift * float(np.mean(lengths)), "data.seed": self.seed,
            "model": "earsight.common.series.model.SeriesModel", "model.encoder.hidden": self.hidden,
            "model.encoder.channels": self.hidden, "model.encoder.layers": self.layers,
            "model.encoder.members": self.members, "model.encoder.residual": str(self.residual).lower(),
            "model.encoder.stride": self.stride or max(1, round(float(np.median(lengths)) / LONG)),
            "model.optimiser.learning_rate": self.learning_rate,
            "trainer.max_steps": self.steps, "trainer.accelerator": "cpu", "trainer.devices": 1,
            "trainer.limit_val_batches": 0, "trainer.num_sanity_val_steps": 0,
            "trainer.enable_progress_bar": "false", "trainer.enable_model_summary": "false",
        }
        if self.augment:
            settings |= {"data.augmentation.tempo": 0.1, "data.augmentation.part": 0.8,
                         **{f"model.augmentation.{name}": 0.1 for name in ("noise", "scale", "shift", "gaps")}}
        return [f"--{name}={value}" for name, value in settings.items()]


def _is_a(kind: type, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def classes_of(y: Sequence[Any] | np.ndarray, count: int) -> np.ndarray:
    """The classes (series,) of so many series.

    Raises:
        EarsightError: they are more or fewer, or one is none.
    """
    try:
        values = np.asarray(y)
    except ValueError as error:
        raise EarsightError(f"y is no list of classes ({error}); give each series a text or a number") from error
    if values.ndim != 1 or len(values) != count:
        raise EarsightError(f"y has the shape {values.shape}, and X holds {count} series; give each a class")
    if np.any(values != values):  # NaN
        raise EarsightError("y holds NaN, which is no class; leave these series out")
    return values


def arrays_of(X: Clips) -> list[np.ndarray]:
    """Series as (time, channel) float32 each, NaN in gaps.

    Raises:
        EarsightError: a series has another shape, or another number of channels than the first.
    """
    series = []
    try:
        given = list(X)
    except TypeError as error:
        raise EarsightError(f"X is a {type(X).__name__}; give a list of arrays (time, channel)") from error
    for number, values in enumerate(given, 1):
        try:
            values = finite(values)
        except (TypeError, ValueError, OverflowError) as error:
            raise EarsightError(f"series {number} of X holds no numbers ({error})") from error
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or 0 in values.shape:
            raise EarsightError(f"series {number} of X has the shape {values.shape}, not (time, channel)")
        if series and values.shape[1] != series[0].shape[1]:
            raise EarsightError(f"series {number} of X has {values.shape[1]} channels, and the first "
                                f"{series[0].shape[1]}")
        series.append(values)
    if not series:
        raise EarsightError("X holds no series")
    return series
