"""Log-probabilities to words: greedy and beam search, lexicons, language models, hotwords."""
