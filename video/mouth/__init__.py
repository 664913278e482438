"""The mouth of the person in a video: the face found and followed, turned upright, and cut out as small pictures."""
