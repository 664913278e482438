"""LSTM and GRU cells step by step, in numpy, with all that happens inside them."""

import numpy as np

Values = dict[str, np.ndarray]  # (..., time, hidden) by name

GATES = {"lstm": {"i": "input", "f": "forget", "o": "output"}, "gru": {"z": "update", "r": "reset"}}
MEMORY = {"lstm": "c", "gru": "h"}


def replay(kind: str, x: np.ndarray, weight_ih: np.ndarray, weight_hh: np.ndarray, bias_ih: np.ndarray,
           bias_hh: np.ndarray) -> Values:
    """Run one direction of an LSTM or GRU layer from a state of zeros.

    The equations, and the order of the gates in the weights, are those of torch.nn.LSTM and torch.nn.GRU.

    Args:
        kind: "lstm" or "gru".
        x: (..., time, input).
        weight_ih, weight_hh: (gates * hidden, input) and (gates * hidden, hidden).
        bias_ih, bias_hh: (gates * hidden,).

    Returns:
        Each (..., time, hidden). Of an LSTM: the gates `i`, `f` and `o` (input, forget, output), the candidate `g`, the
        memory `c` and the output `h`. Of a GRU: the gates `r` and `z` (reset, update), the candidate `n` and `h`.
    """
    step = _lstm_step if kind == "lstm" else _gru_step
    entering = x @ weight_ih.T + bias_ih
    state = {name: np.zeros((*x.shape[:-2], weight_hh.shape[1]), entering.dtype) for name in ("h", "c")}
    steps = []
    for k in range(x.shape[-2]):
        state = step(entering[..., k, :], state["h"] @ weight_hh.T + bias_hh, state)
        steps.append(state)
    return {name: np.stack([state[name] for state in steps], axis=-2) for name in steps[0]} if steps else {}


def _lstm_step(entering: np.ndarray, own: np.ndarray, before: Values) -> Values:
    i, f, g, o = np.split(entering + own, 4, axis=-1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    c = f * before["c"] + i * g
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": o * np.tanh(c)}


def _gru_step(entering: np.ndarray, own: np.ndarray, before: Values) -> Values:
    (r, z, n), (own_r, own_z, own_n) = np.split(entering, 3, axis=-1), np.split(own, 3, axis=-1)
    r, z = _sigmoid(r + own_r), _sigmoid(z + own_z)
    n = np.tanh(n + r * own_n)
    return {"r": r, "z": z, "n": n, "h": (1 - z) * n + z * before["h"]}


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))  # this form cannot overflow


def choose_units(outputs: np.ndarray, count: int) -> list[int]:
    """The units of a layer that show most of what it does, most telling first.

    The first is the one whose output varies most over the clip; each further one is that which varies most where the
    units before it, in linear combination, do not tell its output already (QR decomposition with column pivoting:
    Businger and Golub, 1965). So no two of them show the same.

    Args:
        outputs: (time, hidden).
    """
    rest = outputs - outputs.mean(axis=0)
    chosen: list[int] = []
    for _ in range(min(count, outputs.shape[1])):
        energy = (rest**2).sum(axis=0)
        energy[chosen] = -1
        unit = int(energy.argmax())
        chosen.append(unit)
        length = np.sqrt(max(energy[unit], 0))
        if length > 1e-6:
            direction = rest[:, unit] / length
            rest = rest - np.outer(direction, direction @ rest)
    return chosen
