"""The modules that learn: frames, encoders, heads, and the model around them."""
