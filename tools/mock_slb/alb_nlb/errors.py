"""Refusals of ALB and NLB: codes, texts and statuses of the API reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mock_slb.alb_nlb.product import ALB, NLB, Product
from mock_slb.core import errors
from mock_slb.core.errors import ApiError

ADDRESS_CODES: Mapping[str, Sequence[str]] = {
    ALB.name: ("ResourceInUse.IP", "Conflict.BackendServer", "DuplicatedParam.BackendServer"),
    NLB.name: ("ResourceInUse.IP", "DuplicatedParam.Server", "ResourceAlreadyExist.Server"),
}
"""What an address that another entry holds may be refused with. Which of them it is, nobody says;
the first is what the words of the reference suggest."""


def group_not_found(product: Product) -> ApiError:
    """No such server group of this product in this region."""
    return _not_found(product.group_noun)


def group_is_configuring(product: Product, group_id: str) -> ApiError:
    """Another change of the group is not finished."""
    noun = product.group_noun if product is ALB else product.group_noun.lower()
    return ApiError(
        f"IncorrectStatus.{product.group_noun}", f"The status of {noun} [{group_id}] is incorrect."
    )


def server_not_in_group() -> ApiError:
    """A server that is to be changed or removed is not in the group."""
    return _not_found("BackendServer")


def server_already_there(product: Product, server_id: str) -> ApiError:
    """A server that is to be added is in the group already.

    ALB documents Conflict.BackendServer. NLB documents no code for this very case; the nearest
    in its list is DuplicatedParam.Server.
    """
    if product is ALB:
        return ApiError(
            "Conflict.BackendServer",
            f"There is already {server_id} having the same configuration with BackendServer.",
        )
    return server_duplicated(product)


def server_is_leaving(product: Product, group_id: str) -> ApiError:
    """A server that is to be added was removed, and is not gone yet; nobody documents the code."""
    if product is ALB:
        return ApiError(
            "ResourceInConfiguring", f"The specified resource of {group_id} is being configured."
        )
    return group_is_configuring(product, group_id)


def address_taken(product: Product, code: str | None) -> ApiError:
    """Another entry of the group has the address and the port of one that is to be added.

    `code` is told where the product has it.
    """
    allowed = ADDRESS_CODES[product.name]
    told = code if code is not None and code in allowed else allowed[0]
    return ApiError(told, "The IP address of the server is that of another server in the group.")


def server_duplicated(product: Product) -> ApiError:
    """The same server twice in one call."""
    name = "BackendServer" if product is ALB else "Server"
    return ApiError(f"DuplicatedParam.{name}", f"The param of {name} is duplicated.")


def instance_not_found(server_type: str) -> ApiError:
    """No such instance, network interface or container."""
    return _not_found(server_type)


def listener_not_found(product: Product) -> ApiError:
    """No such listener in this region."""
    return _not_found(product.listener_noun)


def load_balancer_not_found(product: Product) -> ApiError:
    """No such load balancer of this product in this region."""
    return _not_found("LoadBalancer" if product is ALB else "loadBalancer")


def job_not_found() -> ApiError:
    """No such job, or one too old to be remembered."""
    return _not_found("JobId")


def vpc_mismatch(server_id: str, group_id: str) -> ApiError:
    """The instance is in another VPC than the server group."""
    return ApiError("Mismatch.VpcId", f"The VpcId is mismatched for {server_id} and {group_id}.")


def server_type_mismatch(server_type: str, group_type: str) -> ApiError:
    """An address in a group of instances, or the other way round."""
    return ApiError(
        "Mismatch.ServerType", f"The ServerType is mismatched for {server_type} and {group_type}."
    )


def address_illegal(product: Product) -> ApiError:
    """An address that is none, or that the network interface does not have."""
    return illegal("ServerIp" if product is ALB else "IP")


def ipv6_not_supported(product: Product) -> ApiError:
    """An IPv6 address in a group without IPv6."""
    if product is ALB:
        return address_illegal(product)
    noun = "ServerGroupNotSupportIpv6"
    return ApiError(f"OperationDenied.{noun}", f"The operation is not allowed because of {noun}.")


def illegal(name: str) -> ApiError:
    """A parameter with a value that is refused."""
    return ApiError(f"IllegalParam.{name}", f"The param of {name} is illegal.")


def missing(product: Product, name: str) -> ApiError:
    """A mandatory parameter is absent; for ALB it is the gateway that says so."""
    if product is ALB:
        return errors.missing_common_parameter(name)
    return ApiError(f"MissingParam.{name}", f"The parameter of {name} is missing.")


def dry_run() -> ApiError:
    """The call would have been carried out, had it not been a dry run."""
    return ApiError("DryRunOperation", "Request validation has been passed with DryRun flag set.")


def token_reused() -> ApiError:
    """The ClientToken came with another call before, as NLB says it."""
    return ApiError(
        "IdempotenceSignatureMismatch",
        "The idempotence token of request is same with the prev one, but the signature is "
        "different.",
    )


def _not_found(noun: str) -> ApiError:
    return ApiError(
        f"ResourceNotFound.{noun}", f"The specified resource of {noun} is not found.", 404
    )
