"""A page in a real browser: what it asks of the network, what it says on its console, what can be seen and heard.

Chromium's debugging protocol is spoken through two pipes (file descriptors 3 and 4 of the browser), messages ending
with a zero byte; that needs neither a driver nor another library.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE_SECONDS = 90

PROBE = """
(async () => {
  const found = { images: 0, broken: [], seconds: [], undecodable: [] };
  for (const image of document.images) {
    await image.decode().catch(() => found.broken.push(image.alt));
    found.images += 1;
  }
  for (const player of document.querySelectorAll("audio")) {
    const bytes = Uint8Array.from(atob(player.src.split(",")[1]), (letter) => letter.charCodeAt(0));
    try {
      const sound = await new OfflineAudioContext(2, 100, 44100).decodeAudioData(bytes.buffer);
      found.seconds.push(sound.duration);
    } catch (error) { found.undecodable.push(`${player.ariaLabel}: ${error}`); }
  }
  found.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  found.tables = [...document.querySelectorAll("table")].map((table) => ({
    caption: table.caption ? table.caption.textContent : "",
    heads: table.querySelectorAll("thead th[scope=col]").length,
    unequal: [...table.querySelectorAll("tbody tr")].filter(
      (row) => row.children.length !== table.querySelectorAll("thead th").length).length,
  }));
  found.charts = document.querySelectorAll("svg.chart").length;
  found.unnamed = document.querySelectorAll("img:not([alt]), audio:not([aria-label]), svg:not([role])").length;
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  found.repeated = ids.filter((id, index) => ids.indexOf(id) !== index);
  found.dangling = [...document.querySelectorAll('a[href^="#"]')].filter((a) => !ids.includes(a.hash.slice(1))).length;
  return found;
})()
"""
PLAY = """
(async () => {
  const players = document.querySelectorAll(".passage audio");
  const begun = (player) => new Promise((go) => player.addEventListener("timeupdate", function one() {
    if (player.currentTime > 0.2) { player.removeEventListener("timeupdate", one); go(); }
  }));
  await players[0].play();
  await begun(players[0]);
  const left = players[0].currentTime;
  await players[1].play();
  await begun(players[1]);
  const result = { left, right: players[1].currentTime, stopped: players[0].paused };
  players[1].pause();
  return result;
})()
"""


def chromium() -> str:
    """The browser's name; the test skips with a reason where there is none."""
    name = next((n for n in ("chromium", "chromium-browser", "google-chrome") if shutil.which(n)), None)
    if name is None:
        pytest.skip("no chromium: apt-get install chromium")
    return name


class Browser:
    """One tab."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing, self._waiting, self._number = reading, writing, b"", 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Ask for something, and wait for the answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def open(self, page: Path, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Load a page and wait until all of it is there."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def run(self, script: str) -> Any:
        """Run a script in the page, as if the user had just clicked, and wait for what it promises."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, path: Path, **clip: float) -> Path:
        """Write a picture of a part of the page (x, y, width, height)."""
        box = {"clip": {**clip, "scale": 1}} if clip else {}
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, **box)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def complaints(self) -> list[str]:
        """Errors and warnings on the console, exceptions, and what the browser itself logs."""
        told = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"])[:500] for event in self.events if event.get("method") in told]

    def requests(self) -> list[str]:
        """Whatever was asked of anybody but the file itself."""
        sent = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("data:", "file:"))] + [u for u in sent if u[:5] == "file:"][
            1:
        ]

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self._waiting:
            ready, _, _ = select.select([self._reading], [], [], max(0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            self._waiting += os.read(self._reading, 1 << 16)
        message, _, self._waiting = self._waiting.partition(b"\0")
        return json.loads(message)


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """A headless browser without any history."""
    to_browser, from_browser = os.pipe(), os.pipe()
    command = [
        chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
        "--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}", "--remote-debugging-pipe",
    ]  # fmt: skip
    script = f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}'
    process = subprocess.Popen(
        ["bash", "-c", script, "browser", *command],
        pass_fds=(to_browser[0], from_browser[1]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        yield Browser(from_browser[0], to_browser[1])
    finally:
        process.terminate()
        process.wait(timeout=30)
        os.close(to_browser[1])
        os.close(from_browser[0])
