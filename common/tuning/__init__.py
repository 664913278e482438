"""`tune`: trials of settings, the learning rate, the batches' duration."""
