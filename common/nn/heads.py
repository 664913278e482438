"""What sits on the encoder: a CTC head (a label or blank a frame) or a classification head (a label a clip)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import EarsightError
from ..labels import BLANK
from .frames import length_mask

FORBIDDEN = -1e5  # a log-probability below that of any alignment; with -inf gradients are NaN


class CTCHead(nn.Module):
    """Log-probabilities of labels and blank at each frame, and the CTC loss (Graves et al., 2006)."""

    def __init__(self, n_features: int, n_labels: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(n_features, n_labels)

    def forward(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """(batch, time, feature), (batch,) -> log-probabilities (batch, time, n_labels)."""
        return self.output(self.dropout(hidden)).float().log_softmax(dim=-1)

    def learn(self, hidden: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs as `forward` gives them, and their loss."""
        outputs = self(hidden, lengths)
        return outputs, self.loss(outputs, lengths, targets, target_lengths)

    @staticmethod
    def loss(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Mean over clips of the negative log-likelihood of each clip's target, a label of it.

        A clip with nothing to recognise counts a frame of it, else its many blanks would drown all other clips.
        """
        losses = _losses(log_probs, lengths, targets, target_lengths)
        return (losses / torch.where(target_lengths > 0, target_lengths, lengths.clamp(min=1))).mean()


def limited_loss(log_probs: Tensor, barred: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """`CTCHead.loss` of the alignments that go through no (frame, label) which is barred, (batch, time, n_labels).

    Clips that have no such alignment do not count.
    """
    losses = _losses(log_probs.masked_fill(barred, FORBIDDEN), lengths, targets, target_lengths)
    possible = losses < -FORBIDDEN / 2
    return (losses * possible / torch.where(target_lengths > 0, target_lengths, lengths.clamp(min=1))).mean()


def _losses(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """The negative log-likelihood of each clip's target, (batch,)."""
    # Targets fit their clips (`SequenceModel.on_fit_start`); one that augmentation made too fast counts 0.
    return nn.functional.ctc_loss(log_probs.transpose(0, 1), targets, lengths, target_lengths, blank=BLANK,
                                  reduction="none", zero_infinity=True)


class ClassificationHead(nn.Module):
    """Attention pooling over a clip's frames, then logits of the classes."""

    def __init__(self, n_features: int, n_labels: int, dropout: float = 0.0):
        super().__init__()
        self.score = nn.Linear(n_features, 1)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(n_features, n_labels)

    def forward(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """(batch, time, feature), (batch,) -> logits (batch, n_labels)."""
        scores = self.score(hidden).float() + (length_mask(lengths, hidden.shape[1]) - 1) * 1e4
        pooled = (scores.softmax(dim=1) * hidden).sum(dim=1)
        return self.output(self.dropout(pooled)).float()

    learn = CTCHead.learn

    @staticmethod
    def loss(logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Cross-entropy, with a little smoothing so that small sets are not learnt by heart."""
        return nn.functional.cross_entropy(logits, targets, label_smoothing=0.1)


class StreamHeads(nn.Module):
    """A head for each encoder of a `StreamEncoder`, and the mean of their log-probabilities (late fusion).

    Each head learns alone: one that is trained on what they say together leans on the stream that is learnt by heart
    first, and members of an ensemble would err alike.

    Args:
        head: `CTCHead` or `ClassificationHead`.
        widths: of each encoder's states.
        weighted: the mean is weighted at each frame, by a softmax over the encoders of a score that each one's states
            give; what they say together is then learnt too, for it is what the scores are learnt of. CTC only.
        others: the head's arguments, `n_features` of all encoders together.
    """

    def __init__(self, head: type[CTCHead] | type[ClassificationHead], widths: Sequence[int], n_features: int,
                 n_labels: int, dropout: float = 0.0, weighted: bool = False):
        super().__init__()
        assert sum(widths) == n_features
        if weighted and head is not CTCHead:
            raise EarsightError("encoder.weighted weighs what streams say at each frame, under a CTC head; leave it "
                                "out")
        self._loss, self._widths = head.loss, list(widths)
        self.heads = nn.ModuleList(head(width, n_labels, dropout) for width in widths)
        self.scores = nn.ModuleList(nn.Linear(width, 1) for width in widths) if weighted else None

    def forward(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        return self._fused(self._each(hidden, lengths), self.weights(hidden))

    def learn(self, hidden: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs as `forward` gives them, and the mean of the heads' losses (and that of what they say together)."""
        each = self._each(hidden, lengths)
        fused = self._fused(each, self.weights(hidden))
        learners = each if self.scores is None else [*each, fused]
        losses = [self._loss(outputs, lengths, targets, target_lengths) for outputs in learners]
        return fused, torch.stack(losses).mean()

    def loss(self, outputs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Of what the heads say together."""
        return self._loss(outputs, lengths, targets, target_lengths)

    def _each(self, hidden: Tensor, lengths: Tensor) -> list[Tensor]:
        return [head(part, lengths) for head, part in zip(self.heads, hidden.split(self._widths, dim=-1))]

    def weights(self, hidden: Tensor) -> Tensor | None:
        """How much each encoder counts: states (batch, time, n_features) -> (batch, time, encoder), adding up to 1.

        None where all count alike.
        """
        if self.scores is None:
            return None
        parts = hidden.split(self._widths, dim=-1)
        return torch.cat([score(part) for score, part in zip(self.scores, parts)], dim=-1).float().softmax(dim=-1)

    @staticmethod
    def _fused(each: list[Tensor], weights: Tensor | None) -> Tensor:
        stacked = torch.stack([outputs.log_softmax(dim=-1) for outputs in each], dim=-1)
        mean = stacked.mean(dim=-1) if weights is None else (stacked * weights.unsqueeze(-2)).sum(dim=-1)
        return mean.log_softmax(dim=-1)
