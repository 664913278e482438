"""Whisper's weights as others store them: CTranslate2's model.bin, OpenAI's .pt, Hugging Face's .safetensors, .bin."""

import json
import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...common.errors import EarsightError
from .whisper import POSITIONS, WhisperShape

# Their names for a block's parts -> ours; queries, keys and values are joined below.
CTRANSLATE2 = {
    "self_attention/layer_norm/gamma": "attention_norm.weight",
    "self_attention/layer_norm/beta": "attention_norm.bias",
    "self_attention/linear_0/weight": "query_key_value.weight", "self_attention/linear_0/bias": "query_key_value.bias",
    "self_attention/linear_1/weight": "attention_output.weight",
    "self_attention/linear_1/bias": "attention_output.bias",
    "ffn/layer_norm/gamma": "feed_norm.weight", "ffn/layer_norm/beta": "feed_norm.bias",
    "ffn/linear_0/weight": "feed_in.weight", "ffn/linear_0/bias": "feed_in.bias",
    "ffn/linear_1/weight": "feed_out.weight", "ffn/linear_1/bias": "feed_out.bias",
}  # fmt: skip
HUGGING_FACE = {"self_attn_layer_norm": "attention_norm", "self_attn.q_proj": "query", "self_attn.k_proj": "key",
                "self_attn.v_proj": "value", "self_attn.out_proj": "attention_output", "final_layer_norm": "feed_norm",
                "fc1": "feed_in", "fc2": "feed_out"}  # fmt: skip
OPENAI = {"attn_ln": "attention_norm", "attn.query": "query", "attn.key": "key", "attn.value": "value",
          "attn.out": "attention_output", "mlp_ln": "feed_norm", "mlp.0": "feed_in", "mlp.2": "feed_out"}  # fmt: skip
SAFETENSORS_TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
CTRANSLATE2_TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


def read_whisper(path: Path, shape: WhisperShape) -> dict[str, Tensor]:
    """The state of a `WhisperEncoder`, from a file of one of the three kinds, which its content tells.

    Raises:
        EarsightError: the file is missing, damaged, none of these, or of an encoder of another shape.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(64)
        if b"WhisperSpec" in head:
            state = _of_ctranslate2(_read_ctranslate2(path.read_bytes()))
        else:
            state = _of_torch(_read_torch(path, head))
    except FileNotFoundError as error:
        raise EarsightError(f"{path}: no such file of weights; scripts/pretrained_weights.py fetches them") from error
    except OSError as error:
        raise EarsightError(f"{path}: the weights cannot be read ({error.strerror or error})") from error
    except Exception as error:  # torch asserts, its unpickler raises what it meets, and three formats are parsed
        raise EarsightError(f"{path}: no weights of Whisper that can be read ({type(error).__name__}): damaged, or of "
                            "another kind than CTranslate2's model.bin, OpenAI's .pt, Hugging Face's .safetensors or "
                            ".bin; fetch them again") from error
    width = state["norm.weight"].shape[0] if "norm.weight" in state else 0
    layers = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    if (width, layers) != (shape.width, shape.layers):
        raise EarsightError(f"{path}: an encoder {width} wide with {layers} layers, and one {shape.width} wide with "
                            f"{shape.layers} is wanted; choose the encoder that the weights are of")
    return {name: value.float() for name, value in state.items()}


def _read_ctranslate2(data: bytes) -> dict[str, np.ndarray]:
    """CTranslate2's file: a version, the kind's name, a revision; of each variable name, rank, sides, type, bytes."""
    place = 0

    def take(form: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from("<" + form, data, place)
        place += struct.calcsize(form)
        return value

    def take_name() -> str:
        nonlocal place
        length = take("H")
        place += length
        return data[place - length:place].rstrip(b"\0").decode()

    version = take("I")
    take_name()
    take("I")
    if version < 4:
        raise ValueError(version)
    arrays = {}
    for _ in range(take("I")):
        name = take_name()
        dimensions = [take("I") for _ in range(take("B"))]
        kind, size = take("B"), take("I")
        if place + size > len(data):
            raise ValueError("cut short")
        if name.startswith("encoder/"):
            of = np.dtype(CTRANSLATE2_TYPES[kind])
            arrays[name] = np.frombuffer(data, of, size // of.itemsize, place).reshape(dimensions)
        place += size
    return arrays


def _of_ctranslate2(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    if any(array.dtype == np.int8 for name, array in arrays.items() if name.endswith("weight")):
        raise ValueError("quantised")
    named = {"encoder/conv1/": "first.", "encoder/conv2/": "second."}
    state = {ours + part: arrays[theirs + part] for theirs, ours in named.items() for part in ("weight", "bias")}
    state["positions"] = arrays["encoder/position_encodings/encodings"]
    state |= {"norm.weight": arrays["encoder/layer_norm/gamma"], "norm.bias": arrays["encoder/layer_norm/beta"]}
    for name, array in arrays.items():
        if name.startswith("encoder/layer_") and not name.startswith("encoder/layer_norm"):
            number, part = name.removeprefix("encoder/layer_").split("/", 1)
            state[f"blocks.{number}.{CTRANSLATE2[part]}"] = array
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in state.items()}


def _read_torch(path: Path, head: bytes) -> dict[str, Tensor]:
    if head[8:9] == b"{":  # the length of a JSON header, and the header
        return _read_safetensors(path)
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise ValueError(type(state).__name__)
    return state.get("model_state_dict", state)


def _of_torch(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's and Hugging Face's names alike; a whole Whisper has its decoder beside."""
    hugging_face = any("encoder.layers." in name for name in theirs)
    parts = HUGGING_FACE if hugging_face else OPENAI
    top = {"conv1": "first", "conv2": "second", "layer_norm" if hugging_face else "ln_post": "norm"}
    state: dict[str, Tensor] = {}
    blocks: dict[str, dict[str, Tensor]] = {}
    for name, value in theirs.items():
        if "encoder." not in name:
            continue
        name = name.split("encoder.", 1)[1]
        if name in ("embed_positions.weight", "positional_embedding"):
            state["positions"] = value[:POSITIONS]
        elif name.startswith(("layers.", "blocks.")):
            _, number, rest = name.split(".", 2)
            part, kind = rest.rsplit(".", 1)
            blocks.setdefault(number, {})[f"{parts[part]}.{kind}"] = value
        else:
            part, kind = name.rsplit(".", 1)
            state[f"{top[part]}.{kind}"] = value
    for number, block in blocks.items():
        weights = [block.pop(f"{which}.weight") for which in ("query", "key", "value")]
        query, value = block.pop("query.bias"), block.pop("value.bias")
        block["query_key_value.weight"] = torch.cat(weights)
        block["query_key_value.bias"] = torch.cat([query, block.pop("key.bias", torch.zeros_like(query)), value])
        state |= {f"blocks.{number}.{part}": tensor for part, tensor in block.items()}
    if not state:
        raise ValueError("no encoder")
    return state


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """As the format is described: 8 bytes of length, a JSON header with each tensor's type, shape and place, data."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    state = {}
    for name, entry in header.items():
        if name != "__metadata__" and "encoder." in name:
            first, end = (8 + length + place for place in entry["data_offsets"])
            if end > len(data):
                raise ValueError("cut short")
            flat = torch.frombuffer(bytearray(data[first:end]), dtype=SAFETENSORS_TYPES[entry["dtype"]])
            state[name] = flat.reshape(entry["shape"])
    return state
