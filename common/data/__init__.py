"""Which clips there are, and batches of them."""
