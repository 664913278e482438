"""Take the pictures of the service's page that app/README.md shows, with the example clips.

    earsight serve --model en-small & python scripts/picture_page.py http://127.0.0.1:8000

needs `pip install '.[test,train]'` and Chromium. Writes app/pictures/page*.png.
"""

import argparse
import shutil
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

SCRIPTS = Path(__file__).resolve().parent
EXAMPLES, FILMS = SCRIPTS / "examples", SCRIPTS / "films"
PICTURES = SCRIPTS.parent / "app" / "pictures"
CLIPS = [EXAMPLES / name for name in ("command-telephone.wav", "date.mp3", "phone-number.ogg", "spelled-name.flac")]
COLOURS = 128  # of a picture, which keeps it small


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the pictures of the page that app/README.md shows.")
    parser.add_argument("service", help="address of a service that runs")
    service = parser.parse_args().service
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = visit(browser, service, 1180, 640, "light")
        page.locator(".row", has_text="command-telephone").click()
        page.locator("#doubt").fill("95")
        page.locator("#words .word").first.dblclick()
        page.locator(".editor").fill("Enter")
        page.locator(".editor").press("Enter")
        page.locator("#words .word").nth(2).click()
        keep(page, "page")
        page = visit(browser, service, 1180, 900, "dark")
        page.locator(".row", has_text="three-exercises").click()
        page.locator(".strip[data-ready]").wait_for()
        page.locator(".segment").nth(1).click()
        keep(page, "page-film")
        page = visit(browser, service, 390, 844, "light")
        page.locator(".row", has_text="phone-number").click()
        page.locator("#words .word").nth(5).click()
        keep(page, "page-phone")
        browser.close()


def visit(browser: Browser, service: str, width: int, height: int, colours: str) -> Page:
    """The page, in a profile of its own, with all clips read."""
    page = browser.new_context(viewport={"width": width, "height": height},
                               color_scheme="dark" if colours == "dark" else "light").new_page()
    page.set_default_timeout(120_000)
    page.goto(service)
    page.locator("html[data-ready]").wait_for(state="attached")
    clips = [*CLIPS, FILMS / "three-exercises.mp4"]
    page.set_input_files("#files", clips)
    for clip in clips:
        row = page.locator("#recordings li", has_text=clip.name)
        row.wait_for()
        row.locator("progress").wait_for(state="hidden")
    page.locator("#told").evaluate("told => { told.hidden = true; }")
    return page


def keep(page: Page, name: str) -> None:
    """The page as it is after a moment, in a file."""
    page.wait_for_timeout(1500)  # the waveform is drawn, the pictures are found
    image = Image.open(BytesIO(page.screenshot())).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
