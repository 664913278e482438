"""Picture in: decoding, frame embeddings, augmentation, action labels, video corpora."""
