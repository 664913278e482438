"""Sound to words and classes by a model folder."""
