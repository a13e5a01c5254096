"""Refusals of CLB: codes, texts and statuses.

Source: Alibaba Cloud's list of error codes of SLB 2014-05-15.
"""

from __future__ import annotations

from mock_slb.core.errors import ApiError


def missing_parameter(name: str) -> ApiError:
    """A mandatory parameter of the action is absent or empty."""
    return ApiError(
        "MissingParameter",
        f'The input parameter "{name}" that is mandatory for processing this request '
        "is not supplied.",
    )


def parameters_in_conflict() -> ApiError:
    """Each parameter is fine, together they are not."""
    return ApiError("MissingParameter", "The combination of some parameters violates the spec.")


def invalid_parameter(message: str = "The specified parameter is not valid.") -> ApiError:
    """A parameter of the action has a value that is refused."""
    return ApiError("InvalidParameter", message)


def load_balancer_not_found() -> ApiError:
    """No such CLB in this region."""
    return ApiError(
        "InvalidLoadBalancerId.NotFound", "The specified LoadBalancerId does not exist.", 404
    )


def vserver_group_not_found() -> ApiError:
    """No such vServer group in this region; the code really is InvalidParameter, with 404."""
    return ApiError("InvalidParameter", "The specified VServerGroupId does not exist.", 404)


def master_slave_group_not_found() -> ApiError:
    """No such active/standby group in this region; the reference names no code, so as above."""
    return ApiError(
        "InvalidParameter", "The specified MasterSlaveServerGroupId does not exist.", 404
    )


def backend_servers_malformed() -> ApiError:
    """BackendServers is not a JSON list of objects with a ServerId."""
    return ApiError(
        "BackendServersMalformed", "the specified parameter BackendServers is unavailable."
    )


def backend_port_invalid() -> ApiError:
    """A server of a vServer group without a port, or with one that is none."""
    return invalid_parameter(
        "The specified BackendServers is invalid, as the Port value should be in [1, 65535]."
    )


def too_many_backend_servers() -> ApiError:
    """More than 20 servers in one call."""
    return ApiError(
        "TooManyBackendServers",
        "The total number of input real servers exceeds max supported number: 20",
    )


def weight_malformed() -> ApiError:
    """A weight that is not a whole number from 0 to 100."""
    return ApiError("InvalidWeight.Malformed", "A specified weight is not valid.")


def obtain_ip_fail() -> ApiError:
    """A server that is to be added does not exist or is not running (yet)."""
    return ApiError(
        "ObtainIpFail",
        "The specified BackendServers is invalid; some of the specified backend servers do not "
        "exist or are not running.",
    )


def server_not_in_group() -> ApiError:
    """A server whose weight is to be set is not in the group."""
    return ApiError("InvalidServerId.NotFound", "The specified server is not found.")


ADDRESS_CODE = "InvalidBackendServers.ServerIpConflict"


def address_taken() -> ApiError:
    """Another server of the group has the address (and port) of one that is to be added."""
    return ApiError(ADDRESS_CODE, "The ServerIp is that of another server in the group.")


def server_already_there() -> ApiError:
    """A server that is to be added is in the group already, and the account is a newer one."""
    return invalid_parameter("The resource already exists.")


def listener_not_found() -> ApiError:
    """The load balancer has no such listener."""
    return ApiError(
        "ListenerNotFound",
        "You have not created a listener for the specified port of the load balancer.",
        404,
    )


def too_many_listeners() -> ApiError:
    """A port with a listener for each of two protocols, and no protocol was named."""
    return ApiError(
        "TooManyListeners",
        "There are more than one listeners on the specified port, please specify the "
        "ListenerProtocol.",
    )
