"""`earsight evaluate --report`: a report as a web page in one file, with its worst clips to see and hear."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import EarsightError
from ...files import write_whole
from ..classification import ClassificationReport
from ..transcription import TranscriptionReport
from . import classification as classification_page
from . import transcription as transcription_page
from .exhibits import Exhibit
from .html import Html, page, section, tag

PAGE = "index.html"


def check_folder(folder: Path) -> None:
    """Make the folder of a report, so that what keeps it from being written is told before the work and not after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EarsightError(f"{folder}: cannot be made ({error.strerror}); choose another --report") from error


def write_page(folder: Path, report: TranscriptionReport | ClassificationReport, model: str, manifest: str | Path,
               exhibit: Callable[[str], Exhibit], errors: Sequence[EarsightError], head: Sequence[Html] = ()) -> Path:
    """Write `index.html` into `folder`, whole or not at all.

    Args:
        exhibit: clip's id -> what is shown of it; may raise EarsightError.
        errors: of the clips that could not be read, which the page names too.
        head: what stands above the report; by default a line that tells the command.
    """
    def shown(name: str) -> Exhibit | EarsightError:
        try:
            return exhibit(name)
        except EarsightError as error:
            return error

    body = (transcription_page.body(report, shown) if isinstance(report, TranscriptionReport)
            else classification_page.body(report, shown))
    title = f"{Path(model).name} on {'/'.join(Path(manifest).parts[-2:])}"
    command = tag("code", f"earsight evaluate {model} {manifest}")
    head = head or [tag("h1", title), tag("p", "Written by ", command, class_="note")]
    unread = [section("Clips that could not be read", tag("ul", *(tag("li", str(error)) for error in errors)),
                      note="They count in no figure of this page.")] if errors else []
    write_whole(folder / PAGE, page(title, *head, *body, *unread))
    return folder / PAGE
