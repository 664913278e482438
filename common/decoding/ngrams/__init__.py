"""N-gram language models: counted, smoothed, pruned, and written as files that KenLM reads."""
