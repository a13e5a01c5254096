"""Serves the mocked cloud by hand: `python -m mock_slb --help`."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mock_slb.account.account import Account
from mock_slb.control.seed import Seed, load
from mock_slb.core.digits import whole_number
from mock_slb.core.fields import InputError
from mock_slb.data_plane.haproxy import DataPlaneError
from mock_slb.data_plane.settings import Settings
from mock_slb.gateway.gateway import Gateway
from mock_slb.gateway.products import ENDPOINTS
from mock_slb.http.tls import Authority
from mock_slb.server import MockServer, is_loopback, serve
from terminal import HelpFormatter

EXAMPLE_SEED = Path(__file__).with_name("example.yml")
SOURCES = Path(__file__).resolve().parents[2] / "src"
COMMAND = f"PYTHONPATH={shlex.join([str(SOURCES), sys.executable])} -m slb_registration run"
"""Of any folder, and with this interpreter: it has the packages that the agent needs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 1 for a file or an address that cannot be used."""
    options = _parser().parse_args(argv)
    try:
        seed = load(options.seed)
        gateway = Gateway(seed.account)
        for rule in seed.rules:
            gateway.faults.add(rule)
        server = serve(
            host=options.host,
            port=options.port,
            gateway=gateway,
            changes=seed.changes,
            data_plane=_data_plane(seed, options),
            **_tls(options),
        )
    except (InputError, DataPlaneError) as error:
        print(f"mock_slb: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        place = f"{options.host}:{options.port}"
        print(f"mock_slb: cannot listen on {place}: {error.strerror}", file=sys.stderr)
        return 1
    with server:
        try:
            _greet(server, options)
        except OSError as error:
            print(f"mock_slb: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
            return 1
        _until_told()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mock_slb",
        description="A mocked Alibaba Cloud: the APIs of CLB, ALB, NLB and STS, the metadata "
        "service and a page to look at, all on one port.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (%(default)s); any other than loopback lets others in",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=0,
        metavar="PORT",
        help="port to listen on (a free one)",
    )
    parser.add_argument(
        "--seed",
        type=Path,
        default=EXAMPLE_SEED,
        metavar="FILE.yml",
        help="the account as YAML or JSON (a small example, see mock_slb/example.yml)",
    )
    parser.add_argument(
        "--tls-name",
        action="append",
        metavar="NAME",
        help="speak HTTPS with a certificate for this host name or address; may be repeated",
    )
    parser.add_argument(
        "--ca-bundle",
        type=Path,
        metavar="FILE.pem",
        help="with --tls-name: write there who is to be trusted",
    )
    parser.add_argument(
        "--agent-config",
        type=Path,
        metavar="FILE.json",
        help="write a configuration for the agent there, with folders run and data beside it, "
        "instead of printing it",
    )
    parser.add_argument(
        "--data-plane",
        action="store_true",
        help="let the listeners forward to their servers, by HAProxy: each gets a free port on "
        "loopback; what else can be chosen is data_plane in a seed",
    )
    return parser


def _data_plane(seed: Seed, options: argparse.Namespace) -> Settings | None:
    return seed.data_plane or (Settings() if options.data_plane else None)


def _port(text: str) -> int:
    port = whole_number(text)
    if port is None or port > 65535:
        raise argparse.ArgumentTypeError(f"must be from 0 to 65535, not {text!r}")
    return port


def _tls(options: argparse.Namespace) -> dict[str, Any]:
    """Make what `serve` needs for TLS. Raises InputError."""
    if not options.tls_name:
        return {}
    if options.ca_bundle is None:
        raise InputError("--tls-name needs --ca-bundle, for clients to trust")
    authority = Authority()
    try:
        authority.write(options.ca_bundle)
    except OSError as error:
        raise InputError(f"cannot write {options.ca_bundle}: {error.strerror}") from None
    return {
        "tls": authority.server(*options.tls_name),
        "authority": authority,
        "names": options.tls_name,
    }


def _greet(server: MockServer, options: argparse.Namespace) -> None:
    if not is_loopback(options.host):
        warning = f"{options.host} is not loopback: others can reach this account"
        print(f"mock_slb: {warning}", file=sys.stderr)
    print(f"Mocked Alibaba Cloud on {server.url}  (a page for people; JSON at /_mock/account)")
    if server.data_plane is not None:
        for line in server.data_plane.summary():
            print(line)
    print("Stop it with Ctrl-C. To run the agent against it, in another terminal:\n")
    if options.agent_config is None:
        config = agent_config(server.account, server.url, Path.cwd())
        print("save this as agent.json, make its two folders, then")
        print(f"  {COMMAND} --config agent.json\n")
        print(json.dumps(config, indent=2), flush=True)
    else:
        write_agent_config(options.agent_config, server)
        print(f"  {COMMAND} --config {options.agent_config}", flush=True)


def write_agent_config(path: Path, server: MockServer) -> None:
    """Write the agent's configuration and make its folders. Raises OSError."""
    config = agent_config(server.account, server.url, path.absolute().parent)
    for folder in ("run_dir", "data_dir"):
        Path(str(config[folder])).mkdir(parents=True, exist_ok=True)
    # It holds keys, and one that is there already may be for all to read.
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def agent_config(account: Account, url: str, folder: Path) -> dict[str, object]:
    """An agent.json, as the job's template would render it, that points to this server."""
    properties: dict[str, object] = {}
    for key in account.access_keys()[:1]:
        properties = {"access_key": key.id, "secret_key": key.secret}
        if key.security_token is not None:
            properties["security_token"] = key.security_token
    properties["endpoints"] = dict.fromkeys(ENDPOINTS, url)
    return {
        "properties": properties,
        "spec": {
            "id": "11111111-2222-4333-8444-555555555555",
            "deployment": "demo",
            "instance_group": "srt",
            "index": 0,
            "az": "z1",
            "address": "127.0.0.1",
            "director": True,
        },
        "run_dir": str(folder / "run"),
        "data_dir": str(folder / "data"),
    }


def _until_told() -> None:
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    told.wait()


if __name__ == "__main__":
    sys.exit(main())
