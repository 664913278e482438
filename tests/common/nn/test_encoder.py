"""The encoder against torch's own packed layers, and clips against their batch neighbours."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from earsight.common.errors import EarsightError
from earsight.common.nn.encoder import (
    Encoder,
    EncoderSettings,
    RecurrentLayers,
    build_encoder,
    convolved,
    initialise,
    reversal_index,
    reverse,
)

LENGTHS = torch.tensor([17, 40, 1, 33])


def packed(stack: nn.Module, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    sequence = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(stack(sequence)[0], batch_first=True)[0]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_recurrent_layers_equal_torch_with_packed_sequences(cell, layers, bidirectional):
    torch.manual_seed(1)
    ours = RecurrentLayers(cell, 6, 8, layers, bidirectional, dropout=0.0, norm=False)
    make = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
    theirs = make(6, 8, layers, batch_first=True, bidirectional=bidirectional)
    theirs.load_state_dict(
        {name.replace("_l0", f"_l{depth}") + suffix: value
         for suffix, stack in (("", ours.forwards), ("_reverse", ours.backwards))
         for depth, layer in enumerate(stack) for name, value in layer.state_dict().items()})
    x = torch.randn(4, 40, 6)
    x1, x2 = x.clone().requires_grad_(), x.clone().requires_grad_()
    y1, y2 = ours(x1, LENGTHS)[-1], packed(theirs, x2, LENGTHS)
    weight = torch.randn_like(y2)
    (y1 * weight).sum().backward()
    (y2 * weight).sum().backward()

    torch.testing.assert_close(y1, y2, atol=1e-5, rtol=0)
    torch.testing.assert_close(x1.grad, x2.grad, atol=1e-5, rtol=0)
    theirs_grads = dict(theirs.named_parameters())
    for suffix, stacked in (("", ours.forwards), ("_reverse", ours.backwards)):
        for depth, layer in enumerate(stacked):
            for name, value in layer.named_parameters():
                other = theirs_grads[name.replace("_l0", f"_l{depth}") + suffix].grad
                torch.testing.assert_close(value.grad, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_residual_layers_add_what_torchs_layers_give_to_what_they_read(cell):
    torch.manual_seed(1)
    ours = RecurrentLayers(cell, 6, 8, 3, True, dropout=0.0, norm=False, residual=True)
    x = torch.randn(4, 40, 6)
    read, expected = x, []
    for forward, backward in zip(ours.forwards, ours.backwards):
        layer = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](forward.input_size, 8, batch_first=True, bidirectional=True)
        layer.load_state_dict({**forward.state_dict(),
                               **{f"{name}_reverse": value for name, value in backward.state_dict().items()}})
        read = packed(layer, read, LENGTHS) + (read if expected else 0)
        expected.append(read)
    for given, wanted in zip(ours(x, LENGTHS), expected):
        torch.testing.assert_close(given, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cell", ["lstm", "gru", "transformer"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_clip_alone_equals_the_clip_in_a_batch(cell, stride):
    torch.manual_seed(2)
    encoder = Encoder(5, EncoderSettings(cell=cell, hidden=8, layers=2, stride=stride, channels=12)).eval()
    x = torch.randn(4, 40, 5)  # what stands in the padding is noise on purpose
    x[0, 17:] = float("nan") if stride == 2 and cell == "lstm" else 9.0
    x = torch.nan_to_num(x, nan=7.0)
    together, lengths = encoder(mask(x), LENGTHS)
    assert lengths.tolist() == [-(-n // stride) for n in LENGTHS.tolist()]
    assert encoder.output_lengths(LENGTHS).tolist() == lengths.tolist()
    for i, n in enumerate(LENGTHS.tolist()):
        alone, _ = encoder(x[i:i + 1, :n], torch.tensor([n]))
        for a, b in zip(alone, together):
            torch.testing.assert_close(a[0], b[i, :a.shape[1]], atol=1e-5, rtol=1e-5)
            assert b[i, a.shape[1]:].abs().sum() == 0


def mask(x: torch.Tensor) -> torch.Tensor:
    """Padding at 0, as the normaliser leaves it."""
    return x * (torch.arange(x.shape[1]) < LENGTHS[:, None])[..., None]


def test_an_empty_clip_gives_no_nan():
    for cell in ("lstm", "transformer"):
        encoder = Encoder(5, EncoderSettings(cell=cell, hidden=4, layers=1, channels=4)).eval()
        outputs, lengths = encoder(torch.zeros(2, 6, 5), torch.tensor([0, 6]))
        assert lengths.tolist() == [0, 3] and outputs[-1].isfinite().all()


def test_reversal_is_its_own_inverse_and_stays_in_the_clip():
    x = torch.arange(4 * 40).float().view(4, 40, 1)
    index = reversal_index(LENGTHS, 40)
    once = reverse(x, index)
    assert once[0, :17, 0].tolist() == x[0, :17, 0].flip(0).tolist()
    assert torch.equal(once[0, 17:], x[0, 17:])
    assert torch.equal(reverse(once, index), x)


@pytest.mark.parametrize("time", [1, 4, 5, 33])
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5, 7])
def test_a_convolution_is_the_same_as_a_product(stride, time, monkeypatch):
    convolution, x = nn.Conv1d(3, 8, kernel_size=5, padding=2, stride=stride), torch.randn(2, 3, time)
    expected = convolved(convolution, x)
    assert torch.equal(expected, convolution(x).transpose(1, 2))
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    torch.testing.assert_close(convolved(convolution, x), expected)


def test_initialisation():
    lstm = nn.LSTM(7, 16)
    initialise(lstm)
    for gate in lstm.weight_hh_l0.split(16):
        torch.testing.assert_close(gate @ gate.T, torch.eye(16), atol=1e-5, rtol=0)
    bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0).view(4, 16)
    assert bias[1].tolist() == [1.0] * 16 and bias[[0, 2, 3]].abs().sum() == 0
    assert lstm.weight_ih_l0.abs().max() <= (6 / (7 + 16)) ** 0.5


def test_sizes_agree_between_cells():
    sizes = {Encoder(5, EncoderSettings(cell=cell, hidden=8, layers=1, channels=4)).n_output
             for cell in ("lstm", "gru", "transformer")}
    assert sizes == {16}


def test_unknown_cell_and_impossible_stride():
    with pytest.raises(EarsightError, match="lstm, gru or transformer"):
        Encoder(5, EncoderSettings(cell="rnn"))
    with pytest.raises(EarsightError, match="encoder.channels"):
        Encoder(5, EncoderSettings(channels=0, stride=2))


def test_streams_are_read_apart():
    settings = EncoderSettings(hidden=4, layers=2, stride=2, channels=6, streams=(7, 3))
    both = build_encoder(10, settings).eval()
    torch.manual_seed(2)
    frames, lengths = torch.randn(2, 9, 10), torch.tensor([9, 5])
    with torch.no_grad():
        hidden, shorter = both(frames, lengths)
        alone = [encoder(part, lengths)[0] for encoder, part in zip(both.encoders, frames.split([7, 3], dim=-1))]
    assert shorter.tolist() == [5, 3] and both.n_output == 16
    for layer, parts in zip(hidden, zip(*alone)):
        assert torch.equal(layer, torch.cat(parts, dim=-1))
    with pytest.raises(EarsightError, match="10 features"):
        build_encoder(10, EncoderSettings(streams=(3, 3)))


@pytest.mark.parametrize("streams, widths", [((), [10, 10, 10]), ((7, 3), [7, 7, 7, 3, 3, 3])])
def test_members_read_the_same_from_starts_of_their_own(streams, widths):
    settings = EncoderSettings(hidden=4, layers=2, stride=2, channels=6, streams=streams, members=3)
    several = build_encoder(10, settings).eval()
    torch.manual_seed(2)
    frames, lengths = torch.randn(2, 9, 10), torch.tensor([9, 5])
    parts = several.parts(frames)
    assert [part.shape[-1] for part in parts] == widths and torch.equal(parts[0], parts[1])
    with torch.no_grad():
        hidden, shorter = several(frames, lengths)
        alone = [encoder(part, lengths)[0][-1] for encoder, part in zip(several.encoders, parts)]
    assert shorter.tolist() == [5, 3] and several.n_output == 8 * len(widths)
    assert torch.equal(hidden[-1], torch.cat(alone, dim=-1))
    assert not torch.allclose(alone[0], alone[1])


def test_an_encoder_has_a_member():
    with pytest.raises(EarsightError, match="members 0: give 1 or more"):
        build_encoder(10, EncoderSettings(members=0))


def test_input_dropout_is_for_training():
    encoder = Encoder(4, EncoderSettings(hidden=3, layers=1, stride=1, channels=0, input_dropout=0.5))
    frames, lengths = torch.ones(1, 6, 4), torch.tensor([6])
    with torch.no_grad():
        torch.manual_seed(1)
        assert not torch.equal(encoder.train()(frames, lengths)[0][0], encoder(frames, lengths)[0][0])
        assert torch.equal(encoder.eval()(frames, lengths)[0][0], encoder(frames, lengths)[0][0])
