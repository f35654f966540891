"""The browser of the tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
MISSING = CHROMIUM is None and not os.environ.get("CI")
"""Whether browser tests are to be skipped; CI must have a browser."""
PATIENCE_MS = 60_000
"""How long a page may take to come to what is expected of it: a busy machine is no fault of the page."""
WHY = "Chromium is not installed (apt-get install chromium)"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. As long as Playwright is there, no other test of the OS process can start an event loop."""
    assert CHROMIUM is not None, "CI needs Chromium"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
