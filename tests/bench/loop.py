"""What a script does with the bare SDK, beside the agent in `make bench`: the short way to do it.

It registers at once, then every five seconds checks the service and reads the server group, and
sets the weight after three failures in a row, as often as the agent's defaults say. It is told who
it is; and what makes an agent of it (backoff, draining, other writers, the panic threshold, quotas)
it does not have.

    python loop.py AGENT.JSON URL INSTANCE_ID LOAD_BALANCER_ID
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import RpcRequest
from aliyunsdkslb.request.v20140515.AddBackendServersRequest import AddBackendServersRequest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
    DescribeLoadBalancerAttributeRequest,
)
from aliyunsdkslb.request.v20140515.SetBackendServersRequest import SetBackendServersRequest

INTERVAL_SECONDS = 5.0
UNHEALTHY_THRESHOLD = 3


def main(config: str, url: str, me: str, balancer: str) -> None:
    """For ever."""
    properties = json.loads(Path(config).read_text())["properties"]
    endpoint = properties["endpoints"]["slb"]
    client = AcsClient(properties["access_key"], properties["secret_key"], "cn-hangzhou")

    def call(request: RpcRequest, weight: int | None = None) -> Any:
        request.set_accept_format("json")
        request.set_endpoint(endpoint)
        request.set_LoadBalancerId(balancer)
        if weight is not None:
            request.set_BackendServers(json.dumps([{"ServerId": me, "Weight": str(weight)}]))
        return json.loads(client.do_action_with_exception(request))

    call(AddBackendServersRequest(), 100)
    failures = 0
    while True:
        time.sleep(INTERVAL_SECONDS)
        failures = 0 if _healthy(url) else failures + 1
        wished = 0 if failures >= UNHEALTHY_THRESHOLD else 100
        servers = call(DescribeLoadBalancerAttributeRequest())["BackendServers"]["BackendServer"]
        if [one["Weight"] for one in servers if one["ServerId"] == me] != [wished]:
            call(SetBackendServersRequest(), wished)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:  # HTTPError is one
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
