"""The body of the person in a video: found, followed, and described frame by frame."""
