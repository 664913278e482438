"""The page: `/`, which tells it of this service, and the files that it is made of. They are for whoever asks.

What answers them names all that the page may do: run its own modules, and talk to this service and nobody else.
"""

import html
import json
import secrets
from importlib.metadata import version
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ...audio.reading import SOUND_SUFFIXES
from ...video.reading import VIDEO_SUFFIXES
from .corrected import TIMELINE_FORMATS, TRANSCRIPT_FORMATS
from .service import Service

FOLDER = Path(__file__).parent.parent / "page"
ADDRESS = "/page"  # of its files
HEADERS = {
    "Cache-Control": "no-cache",  # asked for again each time, so that no file is of another release than the others
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
# wavesurfer.js brings a style sheet of its own, which the nonce lets in; recordings are read and played as `blob:`.
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self' blob:; "
          "img-src 'self'; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


async def page(service: Service, request: Request) -> Response:
    """The page, with a nonce of its own and what it has to know of the service."""
    nonce = secrets.token_urlsafe(16)
    facts = {"version": version("earsight"), "jobs": service.pool.jobs, "max_upload": service.settings.max_upload,
             "sound": sorted(SOUND_SUFFIXES | VIDEO_SUFFIXES), "pictures": sorted(VIDEO_SUFFIXES),
             "models": {"sound": Path(service.settings.model).name,
                        "pictures": Path(service.settings.video_model).name},
             "formats": {"transcript": TRANSCRIPT_FORMATS, "timeline": TIMELINE_FORMATS}}
    text = Template((FOLDER / "index.html").read_text(encoding="utf-8")).substitute(
        nonce=nonce, facts=html.escape(json.dumps(facts)))
    return HTMLResponse(text, headers={**HEADERS, "Content-Security-Policy": POLICY.format(nonce=nonce)})


class PageFiles(StaticFiles):
    """The page's modules, styles and pictures."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def is_page(path: str) -> bool:
    """Whether an address is of the page or one of its files."""
    return path == "/" or path.startswith(f"{ADDRESS}/")
