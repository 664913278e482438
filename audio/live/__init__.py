"""Sound that is still coming: from a microphone, a pipe, a file or a websocket, read while it grows."""
