"""Record a terminal: run commands, and write what they print, at the pace at which they print it, as a GIF.

    python scripts/record_terminal.py scripts/terminal.gif

Runs in the repository's root with the installed `earsight`. Two letters take TYPING seconds to type; what is printed
comes when it came, but for pauses longer than LONGEST.
"""

import argparse
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from earsight.common.files import whole_file

REPOSITORY = Path(__file__).resolve().parent.parent
COMMANDS = (
    "earsight transcribe scripts/examples/phone-number.ogg",
    "earsight transcribe scripts/examples/date.mp3 --format srt",
    "earsight classify scripts/films/push-ups.mp4 --top 3",
    "earsight classify scripts/films/three-exercises.mp4 --timeline",
    "earsight align scripts/examples/grid-sentence.wav 'place green by q seven again' --format ctm",
)
COLUMNS, ROWS = 100, 20
TYPING, LONGEST, READING = 0.06, 1.0, 1.4  # seconds: two letters, the longest pause that is kept, after a command's end
FONT_SIZE, MARGIN = 15, 12  # pixels
BACKGROUND, TYPED, PRINTED, PROMPT = (24, 26, 31), (232, 232, 226), (170, 174, 180), (126, 200, 140)


@dataclass(frozen=True)
class Moment:
    """What the screen shows, for how many seconds. Lines that begin with `$ ` are typed."""

    lines: tuple[str, ...]
    seconds: float


def record(commands: tuple[str, ...], folder: Path) -> list[Moment]:
    """Run the commands one after the other, and note what stood on the screen when."""
    moments: list[Moment] = []
    screen: list[str] = []

    def show(seconds: float) -> None:
        moments.append(Moment(tuple(screen[-ROWS:]), seconds))

    environment = {**os.environ, "COLUMNS": str(COLUMNS), "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)}
    for command in commands:
        screen.append("$ ")
        for end in range(2, len(command) + 2, 2):
            screen[-1] = "$ " + command[:end]
            show(TYPING)
        before = time.monotonic()
        process = subprocess.Popen(command, shell=True, cwd=REPOSITORY, text=True, env=environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        for line in process.stdout:
            now = time.monotonic()
            show(min(now - before, LONGEST))
            before = now
            line = line.rstrip("\n")
            screen += [line[i:i + COLUMNS] for i in range(0, max(len(line), 1), COLUMNS)]
        if process.wait():
            raise SystemExit(f"error: `{command}` ended with {process.returncode}:\n" + "\n".join(screen[-5:]))
        show(READING)
    show(2 * READING)
    return moments


def draw(moment: Moment, font: ImageFont.FreeTypeFont) -> Image.Image:
    """One picture of the screen."""
    width, height = round(font.getlength("m")), round(FONT_SIZE * 1.3)
    image = Image.new("RGB", (COLUMNS * width + 2 * MARGIN, ROWS * height + 2 * MARGIN), BACKGROUND)
    pen = ImageDraw.Draw(image)
    for row, line in enumerate(moment.lines):
        place = MARGIN, MARGIN + row * height
        if line.startswith("$ "):
            pen.text(place, "$", PROMPT, font)
            pen.text((place[0] + 2 * width, place[1]), line[2:], TYPED, font)
        else:
            pen.text(place, line, PRINTED, font)
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, metavar="FILE.gif")
    output = parser.parse_args().output
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf", FONT_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        moments = record(COMMANDS, Path(folder))
    screens = [draw(moment, font) for moment in moments]
    colours = screens[-1].quantize(32)  # one palette for all, of the fullest screen
    pictures = [screen.quantize(palette=colours, dither=Image.Dither.NONE) for screen in screens]
    with whole_file(output) as temporary:
        # A GIF's times are in hundredths of a second.
        pictures[0].save(temporary, format="GIF", save_all=True, append_images=pictures[1:], optimize=True, loop=0,
                         duration=[max(20, round(moment.seconds * 100) * 10) for moment in moments])
    print(f"{output}: {len(pictures)} pictures, {sum(m.seconds for m in moments):.0f} s, "
          f"{output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
