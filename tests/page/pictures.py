"""Takes the pictures of docs/images: PYTHONPATH=tools:src .venv/bin/python -m tests.page.pictures

An account is acted on, by the real SDK and through the page, while requests flow; then Chromium
shows the page wide and light, wide and dark, and narrow.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkslb.request.v20140515.AddBackendServersRequest import AddBackendServersRequest
from aliyunsdkslb.request.v20140515.DescribeHealthStatusRequest import DescribeHealthStatusRequest
from tests.data_plane.backends import backends, get
from tests.page import scene
from tests.page.browser import NARROW, Page, chromium

from mock_slb.data_plane.settings import Settings
from mock_slb.gateway.fault_presets import preset
from mock_slb.server import MockServer, serve

IMAGES = Path(__file__).resolve().parents[2] / "docs/images"
LISTENER = "lb-shop/http:80"
WATCH_SECONDS = 20.0


def main() -> None:
    """Write page-light.png, page-dark.png and page-narrow.png."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        backends("service", http=True) as services,
        serve(scene.account(services["service"].port), data_plane=Settings()) as server,
        chromium(Path(folder)) as driver,
        _flow(server),
    ):
        driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        page = Page(driver, server.url).open()
        _calls(server)
        group = page.group("lb-shop")
        group.open(scene.SERVERS[1])
        server.account.alb.group("sgp-shop-web").set_weight(scene.SERVERS[1], 40, port=8080)
        page.until(lambda: page.all(".changed"))
        page.run("document.activeElement.blur()")
        _take(page, "page-light", 1280, 980)
        _take(page, "page-dark", 1280, 980, dark=True)
        group.open(scene.SERVERS[1])
        _take(page, "page-narrow", *NARROW)


@contextlib.contextmanager
def _flow(server: MockServer) -> Iterator[None]:
    """Requests, now more and now fewer."""
    assert server.data_plane is not None
    address, enough = server.data_plane.address(LISTENER), threading.Event()

    def flow() -> None:
        for number in itertools.count():
            with contextlib.suppress(OSError):  # no server has passed its check yet
                get(address)
            if enough.wait(0.04 + 0.04 * ((number // 60) % 3)):
                return

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def _calls(server: MockServer) -> None:
    """Calls as agents make them, the last of them refused by a fault."""
    client = AcsClient("key", "secret", server.account.region, auto_retry=False)
    for _ in range(8):
        asked = DescribeHealthStatusRequest()
        asked.set_LoadBalancerId("lb-shop")
        _call(client, asked, server)
        time.sleep(WATCH_SECONDS / 8)
    server.faults.add(preset("throttled", "AddBackendServers", times=3))
    added = AddBackendServersRequest()
    added.set_LoadBalancerId("lb-shop")
    added.set_BackendServers(json.dumps([{"ServerId": scene.SERVERS[2], "Weight": 0}]))
    _call(client, added, server)
    server.account.force_health(scene.SERVERS[2], "abnormal")


def _call(client: AcsClient, request: object, server: MockServer) -> None:
    request.set_endpoint(server.url)  # type: ignore[attr-defined]
    with contextlib.suppress(ServerException):
        client.do_action_with_exception(request)


def _take(page: Page, name: str, width: int, height: int, *, dark: bool = False) -> None:
    page.emulate(width, height, dark=dark, still=True)
    page.run("scrollTo(0, 0)")
    taken = page.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    path = IMAGES / f"{name}.png"
    path.write_bytes(base64.b64decode(taken["data"]))
    with contextlib.suppress(FileNotFoundError):  # without them the file is larger
        subprocess.run(["pngquant", "--force", "--ext", ".png", "--speed", "1", path], check=True)
        subprocess.run(["optipng", "-quiet", "-o5", path], check=True)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    sys.exit(main())
