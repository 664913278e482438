"""What sits on the encoder: a CTC head (a label or blank a frame) or a classification head (a label a clip)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..labels import BLANK
from .frames import length_mask


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
        # Targets fit their clips (`SequenceModel.on_fit_start`); one that augmentation made too fast counts 0.
        losses = nn.functional.ctc_loss(log_probs.transpose(0, 1), targets, lengths, target_lengths, blank=BLANK,
                                        reduction="none", zero_infinity=True)
        return (losses / torch.where(target_lengths > 0, target_lengths, lengths.clamp(min=1))).mean()


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
        others: the head's arguments, `n_features` of all encoders together.
    """

    def __init__(self, head: type[CTCHead] | type[ClassificationHead], widths: Sequence[int], n_features: int,
                 n_labels: int, dropout: float = 0.0):
        super().__init__()
        assert sum(widths) == n_features
        self._loss, self._widths = head.loss, list(widths)
        self.heads = nn.ModuleList(head(width, n_labels, dropout) for width in widths)

    def forward(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        return self._fused(self._each(hidden, lengths))

    def learn(self, hidden: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs as `forward` gives them, and the mean of the heads' losses."""
        each = self._each(hidden, lengths)
        losses = [self._loss(outputs, lengths, targets, target_lengths) for outputs in each]
        return self._fused(each), torch.stack(losses).mean()

    def loss(self, outputs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Of what the heads say together."""
        return self._loss(outputs, lengths, targets, target_lengths)

    def _each(self, hidden: Tensor, lengths: Tensor) -> list[Tensor]:
        return [head(part, lengths) for head, part in zip(self.heads, hidden.split(self._widths, dim=-1))]

    @staticmethod
    def _fused(each: list[Tensor]) -> Tensor:
        return torch.stack([outputs.log_softmax(dim=-1) for outputs in each]).mean(dim=0).log_softmax(dim=-1)
