"""Losses against torch and values known beforehand."""

import pytest
import torch

from earsight.common.nn.heads import ClassificationHead, CTCHead, StreamHeads, limited_loss


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


def test_the_limited_loss_is_that_of_the_alignments_left():
    rng = torch.Generator().manual_seed(1)
    log_probs = torch.randn(1, 4, 3, generator=rng).log_softmax(dim=-1).requires_grad_()
    barred = torch.zeros(1, 4, 3, dtype=torch.bool)
    barred[0, 0, 1:] = barred[0, 3, 1:] = True  # at the ends stands the blank
    target, length = torch.tensor([[1, 2]]), torch.tensor([2])
    loss = limited_loss(log_probs, barred, torch.tensor([4]), target, length)
    p = log_probs.detach().exp()[0]
    only = p[0, 0] * p[1, 1] * p[2, 2] * p[3, 0]  # the labels have one place each
    assert loss.item() == pytest.approx(-only.log().item() / 2, rel=1e-5)
    loss.backward()
    assert log_probs.grad.isfinite().all() and log_probs.grad[0, 0, 0] < 0
    nothing = limited_loss(log_probs, barred, torch.tensor([4]), torch.tensor([[1, 2, 1]]), torch.tensor([3]))
    assert nothing.item() == 0  # no alignment is left for it
    free = limited_loss(log_probs, barred & False, torch.tensor([4]), target, length)
    assert free.item() == pytest.approx(CTCHead.loss(log_probs, torch.tensor([4]), target, length).item())
