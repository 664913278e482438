"""Sound that libav reads: mp3, m4a, the sound tracks of videos, and what libsndfile does not know."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ...common.containers import cut_short, is_matroska, is_mp4, is_mpeg, tag_size
from ...common.errors import EarsightError
from ...common.parts import Part, container_start
from .options import ReadingOptions
from .pieces import BLOCK, NoSound, Piece, Silence
from .timing import JITTER, Clock, Timing

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

# The demuxers that libav may use: files of sound, or of sound and picture. Playlists would open other files.
DEMUXERS = (
    "mov,mp4,matroska,webm,avi,asf,flv,mpeg,mpegts,mxf,dv,rm,wav,w64,aiff,au,caf,"
    "mp3,aac,ac3,eac3,amr,amrnb,amrwb,ape,dts,flac,ogg,tak,tta,wv,xwma"
)
# Those whose packets have times of their own; of the others libav counts the packets, or the bytes.
TIMED = {"mov", "matroska", "asf", "flv", "mpeg", "mpegts", "mxf", "rm", "flac", "ogg"}
# MP4 and Matroska headers tell all that their decoders need, so libav need not decode pictures to find out:
# a GRID clip opens in 0.2 ms instead of 1.4.
TRUST_HEADER = {"codec_whitelist": "none", "probesize": "32", "analyzeduration": "1", "fpsprobesize": "0"}
# The frames of an mp3 tell all by themselves; without this libav decodes some to see how long the file is.
TRUST_FRAMES = {"analyzeduration": "1"}
DISCARD_ALL = 48  # AVDISCARD_ALL
AV_TIME_BASE = 1_000_000  # libav's own units of time a second
SAMPLE_TYPES = {  # libav's sample formats: dtype, zero, full scale
    "u8": (np.uint8, 128, 128),
    "s16": (np.int16, 0, 1 << 15),
    "s32": (np.int32, 0, 1 << 31),
    "s64": (np.int64, 0, 1 << 63),
    "flt": (np.float32, 0, 1),
    "dbl": (np.float64, 0, 1),
}
LEADING = 0.5  # seconds: so much may not decode at the start of a stream that was cut out of a longer one
HEARD = 1e-4  # of full scale: a track that never gets there is silent
FRAME_STARTS = (b"\xff", b"\x0b\x77", b"\x7f\xfe\x80\x01")  # of mp3 and aac, ac3, dts
MOST_TAGS = 16  # one behind another that are passed over
JUNK = 1 << 16, 0.05  # bytes behind the last frame, and their share of the file, that are no loss

_DECODING = Lock()


def in_turns(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The pieces, made while no other thread makes any.

    Decoding lets go of Python's lock and takes it again hundreds of times a second of sound; two threads that do so
    at once are slower than one, while a thread that decodes and one that recognises hardly meet.
    """
    while True:
        with _DECODING:
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def libav_pieces(path: Path, head: bytes, options: ReadingOptions, part: Part) -> Iterator[Piece]:
    with open_libav(path, head, part) as container:
        tracks = len(container.streams.audio)
        if not tracks:
            raise NoSound(f"{path}: a video without sound; name a file that has a sound track")
        if options.track and options.track > tracks:
            raise EarsightError(f"{path}: has no sound track {options.track}, its last is {tracks}; choose another")
        track = options.track or (_first_heard(path, head, part, tracks) if tracks > 1 else 1)
        if track > 1 and not options.track:
            options.warn(path, f"sound track {track} of {tracks} is read, as those before it are silent")
        yield from _read(path, head, container, track, options, part)


def _first_heard(path: Path, head: bytes, part: Part, tracks: int) -> int:
    """The first track that is not silent throughout; the first of all if all are, or if it is damaged."""
    quiet = ReadingOptions(quiet=True)
    for track in range(1, tracks + 1):
        try:
            with open_libav(path, head, part) as container:
                if any(np.abs(piece.samples).max() > HEARD
                       for piece in _read(path, head, container, track, quiet, part)):
                    return track
        except EarsightError:
            return track  # where it is read, it is told what is wrong
    return 1


def _read(path: Path, head: bytes, container: "InputContainer", track: int, options: ReadingOptions, part: Part
          ) -> Iterator[Piece]:
    stream = container.streams.audio[track - 1]
    for other in container.streams:
        if other is not stream and hasattr(other, "discard"):  # PyAV 18; spares reading the pictures
            other.discard = type(other.discard)(DISCARD_ALL)
    if stream.codec_context is None:
        raise EarsightError(f"{path}: libav has no decoder for its sound; convert it to WAV or FLAC")
    announced = _xing_frames(path, head) if is_mpeg(head) else 0
    clock = Clock(_timing(path, head, container, stream, part))
    frames = _Decoder(path, container, stream, options, announced, clock).frames()
    yield from _in_pieces(clock.in_time(frames))


def _timing(path: Path, head: bytes, container: "InputContainer", stream: "AudioStream", part: Part) -> Timing:
    timed = not TIMED.isdisjoint(container.format.name.split(","))

    def origin(first: float) -> float:
        if not timed and container.format.name != "avi":
            return first
        if not (is_mp4(head) or is_matroska(head)):
            return min((container.start_time or 0) / AV_TIME_BASE, first)
        # By its header alone a file is not known to start at another time than 0.
        return 0.0 if first <= JITTER else min(container_start(path, DEMUXERS, part), first)

    duration = (container.duration or 0) / AV_TIME_BASE
    return Timing(float(stream.time_base or 0), origin, duration, timed)


class _Decoder:
    """A sound track in the course of being decoded.

    Args:
        path, container, stream: of the track.
        options: say what becomes of what does not decode.
        announced: the number of packets that there must be, 0 if unknown.
        clock: knows how many seconds have been given.
    """

    def __init__(self, path: Path, container: "InputContainer", stream: "AudioStream", options: ReadingOptions,
                 announced: int, clock: Clock):
        self.path, self.container, self.stream, self.options = path, container, stream, options
        self.announced, self.clock = announced, clock
        self.raw = not clock.timing.throughout and container.format.name != "avi"  # tags may stand among its packets
        self.lost: list[tuple[float, float]] = []  # where something did not decode, and how many seconds

    def frames(self) -> "Iterator[AudioFrame | Silence]":
        """The frames in order; in place of what is damaged, where that may be, silence."""
        import av.error

        decode, tick, count, leading = self.stream.codec_context.decode, self.clock.timing.tick, 0, 0.0
        tag_end, behind = 0, 0  # bytes: where a tag ends, and how many that are no frames come behind the last frame
        packet, frame, junk = None, None, 0  # junk: the place of these bytes
        try:
            for packet in self.container.demux(self.stream):
                try:
                    frames = decode(packet)
                except av.error.FFmpegError as error:
                    place = packet.pos or 0
                    if self.raw and (place < tag_end or tag_size(bytes(packet))):
                        tag_end = max(tag_end, place + tag_size(bytes(packet)))
                        continue
                    lost = float((packet.duration or 0) * tick)
                    # A stream that was cut out of a longer one may begin with what cannot be decoded alone.
                    if frame is None and leading < LEADING:
                        leading += lost
                    elif self.raw and not bytes(packet).startswith(FRAME_STARTS):
                        junk = place if not behind else junk
                        behind += packet.size
                    else:
                        yield self._hole(lost, error)
                    continue
                count += 1
                for frame in frames:
                    if behind:  # not the end, then; so many seconds as the bytes before it, byte for byte
                        yield self._hole(self.clock.given * behind / max(junk, 1), None)
                        behind = 0
                    yield frame
        except (av.error.FFmpegError, IndexError):
            if not (self.raw and packet is not None and self._is_all(packet)):
                if not (self.options.skip and self.clock.given):
                    raise
                self._missing(f"nothing can be read behind {self.clock.given:.2f} s")
        # 4 frames are 0.1 s at 44.1 kHz; the last packet is the one that flushes the decoder.
        if not self.lost and count - 1 < 0.99 * self.announced - 4:
            there = f"its header announces {self.announced} frames and {count - 1} are there"
            each = frame.samples / frame.sample_rate if frame else 0.0
            self._missing(f"{there}, {(self.announced - count + 1) * each:.2f} s too few")
        if not self.announced and behind > max(JUNK[0], JUNK[1] * self.container.size):
            self._missing(f"its last {behind} bytes are no sound")
        if self.lost:
            seconds = sum(lost for _, lost in self.lost)
            self.options.warn(self.path, f"{seconds:.2f} s of its sound do not decode, the first at "
                              f"{self.lost[0][0]:.2f} s; silence stands in their place")

    def _is_all(self, last: "Packet") -> bool:
        """Whether only tags, zeros or what is no sound behind a tag comes behind the last packet that there was."""
        start = place = (last.pos or 0) + last.size
        with open(self.path, "rb") as file:
            behind = b""
            for _ in range(MOST_TAGS):
                file.seek(place)
                if not (size := tag_size(behind := file.read(JUNK[0]))):
                    break
                place += size
        return not behind.strip(b"\0") or (place > start and not is_mpeg(behind))

    def _hole(self, seconds: float, cause: Exception | None) -> Silence:
        place = self.clock.given
        if not self.options.skip:
            raise cut_short(self.path, f"its sound does not decode after {place:.2f} s", skip=True) from cause
        self.lost.append((place, seconds))
        return Silence(seconds)

    def _missing(self, how: str) -> None:
        if not self.options.skip:
            raise cut_short(self.path, how, skip=True)
        self.options.warn(self.path, f"{how}; what is there is read")


def _in_pieces(frames: "Iterable[AudioFrame | Silence]") -> Iterator[Piece]:
    """Decoded frames joined to pieces of about BLOCK samples."""
    queue, leading = None, 0.0
    for frame in frames:
        if isinstance(frame, Silence):
            if queue is None:  # its rate is still to come
                leading += frame.seconds
                continue
            yield from queue.piece()
            yield from frame.pieces(queue.rate, queue.channels)
            continue
        if queue is None or not queue.add(frame):
            yield from () if queue is None else queue.piece()
            queue = _Queue(frame)
            yield from Silence(leading).pieces(queue.rate, queue.channels)
            leading = 0.0
        if queue.samples >= queue.room:
            yield from queue.piece()
    yield from () if queue is None else queue.piece()


class _Queue:
    """Decoded frames of one kind, kept by libav: the arithmetic is done for many at once."""

    def __init__(self, first: "AudioFrame"):
        from av.audio.fifo import AudioFifo

        form = first.format.name
        self.rate, self.channels, self.samples = first.sample_rate, first.layout.nb_channels, 0
        self.dtype, self.zero, self.full = SAMPLE_TYPES[form.removesuffix("p")]
        self.planes = self.channels if form.endswith("p") else 1
        self.room = max(1, BLOCK // self.channels)  # samples of a piece
        self._fifo = AudioFifo()
        self.add(first)

    def add(self, frame: "AudioFrame") -> bool:
        """Whether the frame is of the same kind, and in the queue now."""
        if frame.layout.nb_channels != self.channels:  # at these libav does not look
            return False
        frame.pts = None  # the clock has placed it; libav would want that no time is missing
        try:
            self._fifo.write(frame)
        except ValueError:
            return False
        self.samples += frame.samples
        return True

    def piece(self) -> Iterator[Piece]:
        if (joined := self._fifo.read()) is None:
            return
        count = self.samples * (self.channels // self.planes)  # numbers a plane, which may have spare room
        # PyAV takes what follows the eighth plane for a ninth.
        planes = [np.frombuffer(memoryview(plane), self.dtype, count)
                  for plane, _ in zip(joined.planes, range(self.planes))]
        samples = np.array(planes, np.float32) if len(planes) > 1 else planes[0][None].astype(np.float32, copy=False)
        if (self.zero, self.full) != (0, 1):
            samples -= self.zero  # numbers of integers, so this is a copy of them
            samples /= self.full
        self.samples = 0
        yield Piece(samples if self.planes > 1 else samples.reshape(-1, self.channels).T, self.rate)


@contextmanager
def open_libav(path: Path, head: bytes, part: Part) -> "Iterator[InputContainer]":
    import av
    import av.error

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file,subfile"}
    form = "mov" if head[4:8] == b"ftyp" else None  # which libav need not find out by asking all its demuxers
    if is_mp4(head) or is_matroska(head):
        options |= TRUST_HEADER
    elif is_mpeg(head):
        options |= TRUST_FRAMES
    try:
        with av.open(part.url(path), format=form, container_options=options, metadata_errors="ignore") as container:
            yield container
    except (av.error.FFmpegError, IndexError) as error:  # IndexError: PyAV, when a stream turns up on the way
        reason = getattr(error, "strerror", None) or error
        raise EarsightError(
            f"{path}: cannot be decoded as sound ({reason}); it is damaged, cut short or something else: "
            "copy it again, or convert it to WAV or FLAC"
        ) from error


def _xing_frames(path: Path, head: bytes) -> int:
    """Frames that an mp3 announces in the Xing or Info header that its first frame holds, else 0."""
    start = tag_size(head)
    frame = head[start : start + 64]
    if len(frame) < 64:  # a tag with a picture
        with open(path, "rb") as file:
            file.seek(start)
            frame = file.read(64)
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    if frame[:1] != b"\xff" or place < 0 or len(frame) < place + 12 or not frame[place + 7] & 1:
        return 0
    return int.from_bytes(frame[place + 8 : place + 12], "big")
