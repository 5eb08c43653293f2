"""Pictures of pages by a headless Chromium, which is told through a pipe what to do."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["Browser", "browser"]

_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")


class Browser:
    """One page.

    Args:
        write, read: ends of the pipes, commands and answers as JSON, each ended by a zero byte.
    """

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = os.fdopen(write, "wb"), os.fdopen(read, "rb")
        self._number, self._session = 0, None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")

    def size(self, width: int, height: int) -> None:
        """Of the page in pixels."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def remember(self, entries: Mapping[str, str]) -> None:
        """Give every page that is opened from now on these entries of its local storage."""
        lines = [f"localStorage.setItem({json.dumps(key)}, {json.dumps(value)});" for key, value in entries.items()]
        self._call("Page.addScriptToEvaluateOnNewDocument", source="\n".join(lines))

    def open(self, address: str, seconds: float) -> None:
        """Open a page, and wait for what its scripts draw."""
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=address)
        time.sleep(seconds)

    def evaluate(self, script: str, seconds: float = 0.0) -> Any:
        """The value of an expression in the page; then wait."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")
        time.sleep(seconds)
        return found

    def picture(self, file: Path) -> None:
        """Write the page as PNG."""
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End the program."""
        with suppress(OSError):
            self._session = None
            self._call("Browser.close")

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while (answer := json.loads(self._next())).get("id") != self._number:
            continue
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _next(self) -> bytes:
        parts = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            if not byte:
                raise OSError("the browser has ended")
            parts += byte
        return bytes(parts)


@contextmanager
def browser(program: str) -> Iterator[Browser]:
    """Start a browser with nothing remembered.

    Args:
        program: such as chromium.
    """
    (to_browser, write), (read, from_browser) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [program, *_OPTIONS, f"--user-data-dir={folder}"]

        def connect() -> None:
            # Chromium reads its commands from descriptor 3 and answers on 4.
            one, other = os.dup(to_browser), os.dup(from_browser)
            os.dup2(one, 3)
            os.dup2(other, 4)

        process = subprocess.Popen(command, preexec_fn=connect, close_fds=False, stderr=subprocess.DEVNULL)  # noqa: PLW1509
        os.close(to_browser)
        os.close(from_browser)
        page = Browser(write, read)
        try:
            yield page
        finally:
            page.close()
            process.wait(timeout=30)
