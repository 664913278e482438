"""Streams that are read apart and then together, and heads that are weighed by how sure they are."""

import pytest
import torch

from earsight.common.errors import EarsightError
from earsight.common.nn.encoder import EncoderSettings, JointEncoder, build_encoder
from earsight.common.nn.gates import encoder_gates
from earsight.common.nn.heads import ClassificationHead, CTCHead, StreamHeads

SETTINGS = EncoderSettings(hidden=4, layers=3, stride=1, channels=0, dropout=0, streams=(2, 3), joint=2)


def frames(time: int = 9) -> torch.Tensor:
    return torch.randn(2, time, 5, generator=torch.Generator().manual_seed(time))


@torch.no_grad()
def test_lower_layers_read_one_stream_and_upper_ones_both():
    encoder = build_encoder(5, SETTINGS).eval()
    assert isinstance(encoder, JointEncoder) and encoder.n_output == 8
    x, lengths = frames(), torch.tensor([9, 6])
    hidden, _ = encoder(x, lengths)
    assert [layer.shape[-1] for layer in hidden] == [16, 8, 8]
    other = x.clone()
    other[..., 2:] = other[..., 2:].flip(-1)
    changed, _ = encoder(other, lengths)
    assert torch.equal(hidden[0][..., :8], changed[0][..., :8])  # of the first stream
    assert not torch.allclose(hidden[0][..., 8:], changed[0][..., 8:])
    assert not torch.allclose(hidden[1], changed[1])
    alone, _ = encoder(x[1:, :6], torch.tensor([6]))
    assert torch.allclose(hidden[-1][1, :6], alone[-1][0], atol=1e-6) and (hidden[-1][1, 6:] == 0).all()


def test_gates_of_all_layers_are_told():
    encoder = build_encoder(5, SETTINGS).eval()
    names = [cell.name for cell in encoder_gates(encoder, frames(), torch.tensor([9, 6]))]
    assert names == ["stream1_layer1_forward", "stream1_layer1_backward", "stream2_layer1_forward",
                     "stream2_layer1_backward", "joint_layer1_forward", "joint_layer1_backward", "joint_layer2_forward",
                     "joint_layer2_backward"]


@pytest.mark.parametrize("change", [{"streams": ()}, {"joint": 3}, {"members": 2}, {"cell": "transformer"}])
def test_what_cannot_be_joined_is_told(change):
    with pytest.raises(EarsightError, match="encoder.joint"):
        build_encoder(5, EncoderSettings(**{**vars(SETTINGS), **change}))


@torch.no_grad()
def test_weights_are_a_softmax_of_scores_and_weigh_log_probabilities():
    torch.manual_seed(1)
    heads = StreamHeads(CTCHead, [2, 3], 5, 4, weighted=True).eval()
    hidden, lengths = frames(), torch.tensor([9, 6])
    weights = heads.weights(hidden)
    scores = [score(part) for score, part in zip(heads.scores, hidden.split([2, 3], dim=-1))]
    expected = torch.cat([one.exp() for one in scores], dim=-1)
    assert torch.allclose(weights, expected / expected.sum(dim=-1, keepdim=True), atol=1e-6)
    each = [head(part, lengths) for head, part in zip(heads.heads, hidden.split([2, 3], dim=-1))]
    mixed = sum(weights[..., k, None] * each[k] for k in range(2))
    assert torch.allclose(heads(hidden, lengths), mixed - mixed.logsumexp(dim=-1, keepdim=True), atol=1e-5)


def test_scores_are_learnt_of_what_is_said_together():
    heads = StreamHeads(CTCHead, [2, 3], 5, 4, weighted=True)
    _, loss = heads.learn(frames(), torch.tensor([9, 6]), torch.tensor([1, 2, 3]), torch.tensor([2, 1]))
    loss.backward()
    assert all(score.weight.grad.abs().sum() > 0 for score in heads.scores)
    with pytest.raises(EarsightError, match="CTC"):
        StreamHeads(ClassificationHead, [2, 3], 5, 4, weighted=True)
