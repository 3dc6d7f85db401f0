"""A real browser, a served copy of the pages, and the sample company built once per test run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip


# A page on a busy machine takes longer than the five seconds that are usual.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium of the machine."""
    executable = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if executable is None:
        reason = f"no browser on this machine (looked for {', '.join(_NAMES)}): the pages were not opened"
        pytest.skip(reason)
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield opened
        opened.close()


@contextmanager
def serve(home: Path, project_root: Path, log: Path) -> Iterator[str]:
    """Serve the pages of a workspace on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "streamlit", "run", str(project_root / "dashboards" / "app.py"),
        "--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(command, env=os.environ | {"OTIF_HOME": str(home)}, stdout=output, stderr=output)
        try:
            _wait_for(f"{address}/_stcore/health", process, log)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the pages did not come up: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def sample_address(sample_home: Path, project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the served sample company."""
    with serve(sample_home, project_root, tmp_path_factory.mktemp("serve") / "log.txt") as address:
        yield address


@pytest.fixture
def served(project_root: Path, tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """Serve any workspace for one test."""
    running: list[object] = []

    def start(home: Path) -> str:
        context = serve(home, project_root, tmp_path / "log.txt")
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)  # type: ignore[attr-defined]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address at a width and colour scheme, and wait until the page has settled."""
    contexts = []

    def go(address: str, *, width: int = 1440, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.goto(address)
        settle(page)
        return page

    yield go
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def settled() -> Callable[[Page], None]:
    """Wait until a page has settled after a click."""
    return settle


def settle(page: Page) -> None:
    """Wait until Streamlit has run the script and drawn its charts."""
    if page.url.startswith("file:"):
        page.wait_for_load_state("load")
        return
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=90_000)
    page.wait_for_selector('[data-testid="stHeading"], h1', timeout=90_000)
    page.wait_for_function(
        "document.querySelectorAll('[data-stale=true], [data-testid=stSkeleton]').length === 0", timeout=90_000
    )
    # Vega and the data grid draw in their own animation frames after the script has ended.
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture
def keep_picture() -> Callable[[Page, str], None]:
    """Keep a picture of the whole page (not part of the repository)."""
    folder = Path(__file__).parent / "screenshots"
    folder.mkdir(exist_ok=True)

    def keep(page: Page, name: str) -> None:
        if not page.url.startswith("file:"):
            # Streamlit scrolls inside the page, so a full-page picture needs a window as tall as the content.
            height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
            page.set_viewport_size({"width": page.viewport_size["width"], "height": min(int(height) + 20, 6000)})
            page.wait_for_timeout(400)
        page.screenshot(path=folder / f"{name}.png", full_page=True)

    return keep
