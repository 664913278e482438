"""Losses against torch and values known beforehand."""

import pytest
import torch

from earsight.common.nn.heads import ClassificationHead, CTCHead, StreamHeads


def test_ctc_loss_is_a_clips_likelihood_a_label():
    torch.manual_seed(1)
    log_probs = torch.randn(3, 12, 5).log_softmax(-1)
    lengths, target_lengths = torch.tensor([12, 9, 7]), torch.tensor([4, 2, 0])
    targets = torch.tensor([1, 2, 2, 3, 4, 1])
    expected = []
    for i, (start, count) in enumerate(((0, 4), (4, 2), (6, 0))):
        part = log_probs[i:i + 1, :lengths[i]].transpose(0, 1)
        loss = torch.nn.functional.ctc_loss(part, targets[start:start + count][None], lengths[i:i + 1],
                                            target_lengths[i:i + 1], reduction="sum")
        expected.append(loss / (count or lengths[i]))
    # Of nothing to recognise the likelihood is that of blanks alone.
    torch.testing.assert_close(expected[2], -log_probs[2, :7, 0].mean())
    loss = CTCHead.loss(log_probs, lengths, targets, target_lengths)
    torch.testing.assert_close(loss, torch.stack(expected).mean())


def test_ctc_gives_no_infinity_where_augmentation_left_too_few_frames():
    log_probs = torch.randn(1, 3, 5).log_softmax(-1).requires_grad_()
    loss = CTCHead.loss(log_probs, torch.tensor([3]), torch.tensor([1, 1, 1]), torch.tensor([3]))
    loss.backward()
    assert loss == 0 and log_probs.grad.abs().sum() == 0


def test_classification_pools_a_clips_own_frames_only():
    torch.manual_seed(2)
    head = ClassificationHead(6, 3).eval()
    hidden, lengths = torch.randn(2, 9, 6), torch.tensor([4, 9])
    together = head(hidden, lengths)
    torch.testing.assert_close(together[:1], head(hidden[:1, :4], lengths[:1]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("head", [CTCHead, ClassificationHead])
def test_heads_of_streams_learn_alone_and_speak_together(head):
    torch.manual_seed(3)
    heads = StreamHeads(head, [3, 3], 6, 4).eval()
    hidden, lengths = torch.randn(3, 9, 6), torch.tensor([4, 9, 7])
    targets, ones = torch.tensor([1, 3, 2]), torch.tensor([1, 1, 1])
    each = [one(part, lengths) for one, part in zip(heads.heads, hidden.chunk(2, dim=-1))]
    outputs, loss = heads.learn(hidden, lengths, targets, ones)
    torch.testing.assert_close(loss, sum(head.loss(one, lengths, targets, ones) for one in each) / 2)
    assert torch.equal(outputs, heads(hidden, lengths))
    product = each[0].softmax(-1).sqrt() * each[1].softmax(-1).sqrt()
    torch.testing.assert_close(outputs.exp(), product / product.sum(-1, keepdim=True))
