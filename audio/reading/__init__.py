"""Sound files in: any format, rate and channel count to mono float32. The only package that opens sound files.

soundfile reads wav, flac, ogg, opus, aiff and their kind; PyAV (libav) reads mp3, m4a, the sound of videos,
and whatever soundfile cannot open. What a file is, is told from its content, not its name. A file is read
whole or refused: cut short, damaged, empty or with NaN in it, it is an `EarsightError`, never a shorter clip;
`ReadingOptions` may have what is damaged skipped, which a warning tells.

Times count from the file's start, as players show them: a track that starts late, or lacks packets on the way, has
silence for that long. Files that were joined are read to the end of the last. Sizes in headers that are 0 or not known
mean to the end; tags, zeros and the like behind the end are passed over.

Formats that do not state their length (ogg, raw aac, MPEG streams, mp3 without a Xing header, wav written to
a pipe) give no means to notice that their end is missing, unless their last piece is itself broken.
"""

from .frames import FRAME_SUFFIXES, read_frames
from .options import WHOLE, ReadingOptions
from .pieces import NoSound
from .sound import (
    SOUND_SUFFIXES,
    SoundInfo,
    Waveform,
    announced_duration,
    each_channel,
    info,
    load_readers,
    open_blocks,
    read,
    resample,
)

__all__ = ["FRAME_SUFFIXES", "SOUND_SUFFIXES", "WHOLE", "NoSound", "ReadingOptions", "SoundInfo", "Waveform",
           "announced_duration", "each_channel", "info", "load_readers", "open_blocks", "read", "read_frames",
           "resample"]
