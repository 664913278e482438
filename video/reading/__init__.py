"""Video files in: any container, rate, rotation and pixel format to RGB frames. The only package that opens video.

OpenCV decodes the containers whose times it tells truly and whose length it knows (MP4, Matroska and WebM, FLV,
ASF, MPEG-TS, GIF); PyAV (libav) decodes the others, and goes on where OpenCV stops before the announced end.
Both give the same pixels. What a file is, is told from its content, not its name. Frames are decoded one after
another from the first, never sought. Times count from the file's start, as players show them: where the pictures
begin later than the sound, the first frame's time says so, and no frames are made up for the time before.

A file that is shorter than its container says, or whose frames stop decoding long before their announced end, is
an `EarsightError`. MPEG streams, GIF and Ogg do not state their length and give no means to notice that their end
is missing. A count of frames in the header is never believed alone.

Cameras are OpenCV's, streams of network cameras libav's (`sample_live`).
"""

from .sampling import VIDEO_SUFFIXES, Frame, Moment, VideoInfo, is_live, probe, read_frames, sample, sample_live

__all__ = ["VIDEO_SUFFIXES", "Frame", "Moment", "VideoInfo", "is_live", "probe", "read_frames", "sample",
           "sample_live"]
