"""What a study found: report.md, report.json, and pictures of its course and of what mattered."""

from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..files import whole_file, write_whole
from ..reports.layout import json_text
from .trial import BEST

ERROR = "error"  # a failed trial's attribute
ENDS = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "ended early", TrialState.FAIL: "failed",
        TrialState.RUNNING: "running"}


def write_report(study: optuna.Study, folder: Path) -> None:
    """Write the report of the trials so far into `folder`; the pictures from two complete trials on."""
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    importance = _importance(study) if len(complete) > 1 else {}
    if complete:
        _plot_history(study, complete, folder / "history.png")
    if importance:
        _plot_importance(importance, study.user_attrs["metric"], folder / "importance.png")
    best = study.best_trial if complete else None
    write_whole(folder / "report.md", _markdown(study, trials, best, importance))
    write_whole(folder / "report.json", json_text({
        "metric": study.user_attrs["metric"], "space": study.user_attrs["space"],
        "best": {"number": best.number, "value": best.value, "settings": best.params} if best else None,
        "importance": importance, "trials": [_entry(trial) for trial in trials]}))


def _entry(trial: FrozenTrial) -> dict:
    return {"number": trial.number, "state": ENDS[trial.state], "score": trial.user_attrs.get(BEST),
            "validations": list(trial.intermediate_values.values()), "settings": trial.params,
            "seconds": trial.duration.total_seconds() if trial.duration else None,
            "error": trial.user_attrs.get(ERROR)}


def _importance(study: optuna.Study) -> dict[str, float]:
    """Share of the scores' variance that each setting explains (fANOVA; Hutter et al., 2014); {} where it is 0."""
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    try:
        return optuna.importance.get_param_importances(study, evaluator=evaluator)
    except (RuntimeError, ValueError):  # scores, or settings, that do not vary
        return {}


def _markdown(study: optuna.Study, trials: list[FrozenTrial], best: FrozenTrial | None,
              importance: dict[str, float]) -> str:
    metric = study.user_attrs["metric"]
    names = list(study.user_attrs["space"])
    counts = {end: sum(trial.state == state for trial in trials) for state, end in ENDS.items()}
    lines = ["# " + f"{len(trials)} trials by {metric}", "",
             ", ".join(f"{count} {end}" for end, count in counts.items() if count) + ".", ""]
    if best:
        lines += [f"Best: trial {best.number}, {metric} {best.value:.4f} (`best.yaml`). One run a setting: "
                  "differences of the size of a change of seed say nothing.", "",
                  "| setting | best | searched | importance |", "|---|---|---|---|"]
        lines += [f"| {name} | {_short(best.params[name])} | {study.user_attrs['space'][name]} | "
                  f"{f'{importance[name]:.2f}' if name in importance else ''} |" for name in names]
        lines += ["", "![history](history.png)", *(["![importance](importance.png)"] if importance else []), ""]
    lines += [f"| trial | {metric} | end | seconds | {' | '.join(names)} |", "|---" * (4 + len(names)) + "|"]
    sign = -1 if metric == "val_accuracy" else 1

    def order(trial: FrozenTrial) -> tuple:
        score = trial.user_attrs.get(BEST)
        return list(ENDS).index(trial.state), sign * score if score is not None else 0, trial.number

    for trial in sorted(trials, key=order):
        entry = _entry(trial)
        score = "" if entry["score"] is None else f"{entry['score']:.4f}"
        end = entry["state"] + (f": {entry['error']}" if entry["error"] else "")
        seconds = f"{entry['seconds']:.0f}" if entry["seconds"] else ""
        values = (_short(trial.params.get(name, "")) for name in names)
        lines.append(f"| {trial.number} | {score} | {end.replace('|', '/')} | {seconds} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plot_history(study: optuna.Study, complete: list[FrozenTrial], path: Path) -> None:
    axes, figure = _axes(4)
    better = min if study.direction == optuna.study.StudyDirection.MINIMIZE else max
    scores = {trial.number: trial.value for trial in complete if trial.value is not None}
    numbers, values = list(scores), list(scores.values())
    axes.plot(numbers, values, "o", color="0.6", label="trial")
    axes.step(numbers, [better(values[:i + 1]) for i in range(len(values))], where="post", label="best so far")
    axes.locator_params("x", integer=True)
    axes.set_xlabel("trial")
    axes.set_ylabel(study.user_attrs["metric"])
    axes.legend()
    _save(figure, path)


def _plot_importance(importance: dict[str, float], metric: str, path: Path) -> None:
    axes, figure = _axes(1.2 + 0.4 * len(importance))
    names = list(importance)[::-1]
    bars = axes.barh(names, [importance[name] for name in names])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.margins(x=0.12)
    axes.set_xlabel(f"share of the variance of {metric} that the setting explains")
    _save(figure, path)


def _axes(height: float):
    from matplotlib.figure import Figure  # slow to import, and no display is needed

    figure = Figure(figsize=(7, height), layout="constrained")
    return figure.add_subplot(), figure


def _save(figure, path: Path) -> None:
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
