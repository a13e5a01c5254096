"""`make demo-serve`: only the mocked cloud, and how to run the agent against it by hand."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

from demo import cloud
from demo.service import HEALTH_PATH, Service, serving
from demo.workshop import ROOT
from mock_slb.gateway.products import ENDPOINTS
from mock_slb.server import serve

_HOW_TO = """\
The mocked Alibaba Cloud, with a page to look at, and the same as JSON:
  {url}
  {url}/_mock/account
The service on {service}: its health is 200 until you take it away:
  curl -X PUT 'http://{service}{health}?status=503'      (and 200 to give it back)

In another terminal, in {root}, the agent, which Ctrl-C ends:
  export PYTHONPATH=src
  .venv/bin/python -m slb_registration run --config {config}
In a third one, there too:
  export PYTHONPATH=src
  .venv/bin/python -m slb_registration check --config {config}
  .venv/bin/python -m slb_registration status --config {config}
  .venv/bin/python -m slb_registration drain --config {config}

Ctrl-C ends it and removes {folder}.
"""


def serve_until_stopped() -> None:
    """Serve until SIGINT (KeyboardInterrupt) or SIGTERM (SystemExit)."""
    keys = cloud.Keys()
    with (
        TemporaryDirectory(prefix="slb-registration-") as folder,
        serving() as service,
        serving() as others,
        serve(cloud.account(keys, _ports(service, others))) as server,
    ):
        config = Path(folder) / "agent.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps(_config(Path(folder), keys, service, server.url), indent=2))
        print(
            _HOW_TO.format(
                url=server.url,
                service=f"127.0.0.1:{service.port}",
                health=HEALTH_PATH,
                root=ROOT,
                config=config,
                folder=folder,
            ),
            flush=True,
        )
        signal.pause()


def _ports(service: Service, others: Service) -> dict[str, int]:
    return dict.fromkeys(cloud.OTHER_SERVERS, others.port) | {cloud.OUR_SERVER: service.port}


def _config(folder: Path, keys: cloud.Keys, service: Service, url: str) -> dict[str, object]:
    """Return what config/agent.json is on a VM, for this user and these ports."""
    run, data = folder / "run", folder / "data"
    run.mkdir()
    data.mkdir(mode=0o700)
    return {
        "properties": {
            "access_key": keys.access_key,
            "secret_key": keys.secret_key,
            "endpoints": dict.fromkeys(ENDPOINTS, url),
            "health_check": {
                "type": "http",
                "port": service.port,
                "path": HEALTH_PATH,
                "interval": 1,
                "timeout": 1,
            },
            "drain": {"min_wait": 2},
            "log": {"format": "text"},
        },
        "spec": {
            "id": "00000000-0000-0000-0000-000000000001",
            "deployment": cloud.DEPLOYMENT,
            "instance_group": cloud.INSTANCE_GROUP,
            "index": 0,
            "az": "z1",
            "address": "127.0.0.1",
            "director": True,
        },
        "run_dir": str(run),
        "data_dir": str(data),
    }
