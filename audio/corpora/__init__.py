"""Speech corpora as their makers lay them out."""
