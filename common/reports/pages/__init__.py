"""The web page of `evaluate --report`."""
