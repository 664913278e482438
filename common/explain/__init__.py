"""Pictures of what happens inside a model."""
