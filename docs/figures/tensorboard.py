"""Screenshots of a running TensorBoard; see tensorboard.sh.

python tensorboard.py ADDRESS FOLDER
"""

import shutil
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

# The curves and the projector are drawn with WebGL, here on the processor.
FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
PAGES = {  # with their sizes in pixels
    "timeseries": (1400, 900),
    "images": (1400, 1000),
    "hparams": (1900, 640),
    "projector": (1400, 800),
}
PATIENCE = 90  # seconds until TensorBoard answers
DRAWING = 15_000  # milliseconds until a page is complete


def main(address: str, folder: Path) -> None:
    wait_for(address)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, (width, height) in PAGES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(f"{address}/#{name}")
            page.wait_for_timeout(DRAWING)
            prepare(page, name)
            page.screenshot(path=folder / f"tensorboard_{name}.png")
            page.close()
        browser.close()


def prepare(page: Page, name: str) -> None:
    """What a user would click."""
    if name == "timeseries":
        page.get_by_role("button", name="Settings").last.click()
    elif name == "projector":
        # Silicon alone has one colour by species; the energy tells the environments apart.
        frame = page.frame(url="**/projector_binary.html")
        frame.locator("#colorby").click()
        frame.locator("#colorby paper-item", has_text="energy_eV").click()
    page.wait_for_timeout(3000)


def wait_for(address: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(f"{address}/data/runs", timeout=5).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
