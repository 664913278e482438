"""What sits on the encoder: a CTC head (a label or blank a frame) or a classification head (a label a clip)."""

import torch
from torch import Tensor, nn

from common.frames import length_mask
from common.labels import BLANK


class CTCHead(nn.Module):
    """Log-probabilities of labels and blank at each frame, and the CTC loss (Graves et al., 2006)."""

    def __init__(self, n_features: int, n_labels: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(n_features, n_labels)

    def forward(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """(batch, time, feature), (batch,) -> log-probabilities (batch, time, n_labels)."""
        return self.output(self.dropout(hidden)).float().log_softmax(dim=-1)

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

    @staticmethod
    def loss(logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Cross-entropy, with a little smoothing so that small sets are not learnt by heart."""
        return nn.functional.cross_entropy(logits, targets, label_smoothing=0.1)
