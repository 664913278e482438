"""A model folder applied to clips. No torch here."""
