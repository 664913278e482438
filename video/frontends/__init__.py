"""Pictures to frames: CNN embeddings, motion."""
