"""Videos to classes and timelines by a model folder."""
