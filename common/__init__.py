"""What speech and video share: encoder, heads, training, metrics, model folder, runtime."""
