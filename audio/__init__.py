"""Sound in: decoding, MFCC frames, augmentation, transcripts, speech corpora."""
