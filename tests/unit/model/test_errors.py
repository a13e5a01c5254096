"""What errors of the API mean; the codes are those of the API reference."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slb_registration.cloud.error_codes import classify
from slb_registration.model.errors import (
    HOPELESS,
    MESSAGE_LIMIT,
    ApiError,
    Kind,
    no_credentials,
    tidy,
)

KNOWN = [
    ("BackendServer.configuring", 409, Kind.BUSY),
    ("ServiceIsStopping", 409, Kind.BUSY),
    ("ServiceIsConfiguring", 400, Kind.BUSY),
    ("VServerGroupProcessing", 400, Kind.BUSY),
    ("OperationBusy", 400, Kind.BUSY),
    ("OperationConflict", 400, Kind.BUSY),
    ("ProcessingSameRequest", 400, Kind.BUSY),
    ("SystemBusy", 449, Kind.BUSY),
    ("SignatureNonceUsed", 400, Kind.BUSY),
    ("RspoolVipExist", 400, Kind.BUSY),
    ("ObtainIpFail", 400, Kind.BUSY),
    ("IncorrectStatus.ServerGroup", 409, Kind.BUSY),
    ("IncorrectStatus.serverGroup", 409, Kind.BUSY),
    ("IdempotenceProcessing", 409, Kind.BUSY),
    ("Conflict.Lock", 409, Kind.BUSY),
    ("OperationFailed.ResourceIsConfiguring", 409, Kind.BUSY),
    ("IncorrectStatus.Listener", 400, Kind.BUSY),
    ("ResourceInConfiguring.ServerGroup", 409, Kind.BUSY),
    ("LastTokenProcessing", 400, Kind.BUSY),
    ("InternalError", 500, Kind.UNAVAILABLE),
    ("InternalInvokeError", 500, Kind.UNAVAILABLE),
    ("ServiceUnavailable", 503, Kind.UNAVAILABLE),
    ("Throttling", 400, Kind.THROTTLED),
    ("Throttling.User", 400, Kind.THROTTLED),
    ("Throttling.Api", 400, Kind.THROTTLED),
    ("Throttling.Something.New", 503, Kind.THROTTLED),
    ("Rejected.Throttling", 400, Kind.THROTTLED),
    ("InvalidLoadBalancerId.NotFound", 404, Kind.NOT_FOUND),
    ("ResourceNotFound.ServerGroup", 404, Kind.NOT_FOUND),
    ("ResourceNotFound.serverGroup", 404, Kind.NOT_FOUND),
    ("ResourceNotFound.Listener", 404, Kind.NOT_FOUND),
    ("EntityNotExist.Role", 404, Kind.NOT_FOUND),
    ("IdempotentParameterMismatch", 400, Kind.CONFLICT),
    ("IdempotenceParamNotMatch", 400, Kind.CONFLICT),
    ("QuotaExceeded.ServerGroupServersNum", 403, Kind.INVALID),
    ("OperationDenied.SomethingOfTheProduct", 403, Kind.INVALID),
    ("TooManyBackendServers", 400, Kind.INVALID),
    ("BackendServersMalformed", 400, Kind.INVALID),
    ("InvalidWeight.Malformed", 400, Kind.INVALID),
    ("MissingParameter", 400, Kind.INVALID),
    ("TooManyListeners", 400, Kind.INVALID),
    ("InvalidAccessKeyId.NotFound", 404, Kind.DENIED),
    ("InvalidAccessKeyId.Inactive", 403, Kind.DENIED),
    ("InvalidAccessKeySecret", 400, Kind.DENIED),
    ("SignatureDoesNotMatch", 400, Kind.DENIED),
    ("IncompleteSignature", 400, Kind.DENIED),
    ("Forbidden", 403, Kind.DENIED),
    ("Forbidden.RAM", 403, Kind.DENIED),
    ("NoPermission", 403, Kind.DENIED),
    ("InvalidSecurityToken.Expired", 400, Kind.CREDENTIALS),
    ("InvalidSecurityToken.Malformed", 400, Kind.CREDENTIALS),
    ("InvalidSecurityToken.MismatchWithAccessKey", 400, Kind.CREDENTIALS),
    ("SecurityTokenExpired", 400, Kind.CREDENTIALS),
    ("InvalidTimeStamp.Expired", 400, Kind.CLOCK),
    ("ResourceNotFound.BackendServer", 404, Kind.GONE),
    ("ResourceNotFound.BackendServer", 400, Kind.GONE),
    ("NoPermission.Operator", 400, Kind.DENIED),
    ("Forbidden.LoadBalancer", 400, Kind.DENIED),
    ("AuthenticationFail.ApiUsername", 403, Kind.DENIED),
    ("InvalidAccessKeyId.NotFound", 400, Kind.DENIED),
    ("IllegalTimestamp", 400, Kind.CLOCK),
    # What passes although its status is 400, by the reference's own messages.
    ("ResourceInConfiguring", 400, Kind.BUSY),
    ("ResourceInConfiguring.BackendServer", 400, Kind.BUSY),
    ("BackendServerProcessing", 400, Kind.BUSY),
    ("OperationFailed.ServiceGroupProcessing", 400, Kind.BUSY),
    ("VpcSystemBusy", 400, Kind.BUSY),
    ("LocationServiceTimeout", 400, Kind.UNAVAILABLE),
    ("ServiceUnavailable", 400, Kind.UNAVAILABLE),
    ("SystemBusy", 400, Kind.BUSY),
    ("IncorrectStatus.Eni", 400, Kind.BUSY),
    # The products give one code with several statuses: it is the code that counts.
    ("BackendServer.configuring", 400, Kind.BUSY),
    ("Conflict.Lock", 400, Kind.BUSY),
    ("IdempotenceProcessing", 400, Kind.BUSY),
    ("OperationFailed.ResourceIsConfiguring", 400, Kind.BUSY),
    ("ServiceIsStopping", 400, Kind.BUSY),
    ("InternalError", 400, Kind.UNAVAILABLE),
    ("InternalInvokeError", 400, Kind.UNAVAILABLE),
    # What other clients of the API try again.
    ("LockFailed", 400, Kind.BUSY),
    ("ListenerProcessing", 400, Kind.BUSY),
    ("OperationFailed.ListenerStatusNotSupport", 400, Kind.BUSY),
    ("OperationFailed.TokenIsProcessing", 400, Kind.BUSY),
    ("ResourceInCreating.LoadBalancer", 400, Kind.BUSY),
    ("VipStatusNotSupport", 400, Kind.BUSY),
    ("LbStatusNotSupport", 400, Kind.BUSY),
    ("IncorrectBusinessStatus.LoadBalancer", 400, Kind.BUSY),
    ("InnerRateLimiting", 400, Kind.THROTTLED),
    # Rules of the products, whatever state their names speak of.
    ("IncorrectStatus.CenNotAssociated", 400, Kind.INVALID),
    ("IncorrectStatus.RSByPassToas", 400, Kind.INVALID),
    ("OperationFailed.InvalidCen", 400, Kind.INVALID),
    ("OperationFailed.ActionNotSupport", 400, Kind.INVALID),
    ("OperationUnsupported.AddBackendServers", 400, Kind.INVALID),
    ("UnsupportedOperation", 400, Kind.INVALID),
    ("OperationDeny.LbNotSupportIPv6Server", 400, Kind.INVALID),
    ("OperationDenied.CloudBox", 400, Kind.INVALID),
    ("InvalidBackendServers.VpcNotInCen", 400, Kind.INVALID),
    ("InvalidBackendServers.MissingCenBandWidth", 400, Kind.INVALID),
    ("InvalidVbrId.NotInCen", 400, Kind.INVALID),
    ("InvalidTag", 400, Kind.INVALID),
    ("TooManyResult", 400, Kind.INVALID),
    ("NetworkConflict", 400, Kind.INVALID),
    ("MasterSlaveServerConflict", 400, Kind.INVALID),
    ("BackendServer.InvalidType", 400, Kind.INVALID),
    ("BackendServer.ServerRegionIdNotEqual", 400, Kind.INVALID),
    ("Mismatched.ZoneId", 400, Kind.INVALID),
    ("Mismatch.VpcId", 400, Kind.INVALID),
    ("ResourceQuotaExceeded.ServerAddedNum", 400, Kind.INVALID),
    ("IllegalParam", 400, Kind.INVALID),
    ("IllegalParam.IP", 400, Kind.INVALID),
    ("MissingParam.IP", 400, Kind.INVALID),
    ("InvalidParam.TagKey", 400, Kind.INVALID),
    ("MissingParameter.VbrId", 400, Kind.INVALID),
    ("InvalidParameter.ZoneNotSupport", 400, Kind.INVALID),
    # The server is there, or its address is another's.
    ("Conflict.BackendServer", 400, Kind.CONFLICT),
    ("DuplicatedParam.BackendServer", 400, Kind.CONFLICT),
    ("DuplicatedParam.Server", 400, Kind.CONFLICT),
    ("ResourceAlreadyExist.Server", 409, Kind.CONFLICT),
    ("ResourceInUse.IP", 400, Kind.CONFLICT),
    ("InvalidBackendServers.ServerIpConflict", 400, Kind.CONFLICT),
    ("IdempotenceSignatureMismatch", 400, Kind.CONFLICT),
    ("ResourceAlready.Exist", 409, Kind.CONFLICT),
    ("ResourceNotFound.Ecs", 404, Kind.NOT_FOUND),
    ("ResourceNotFound.vServers", 404, Kind.NOT_FOUND),
    ("InvalidServerId.NotExist", 400, Kind.NOT_FOUND),
]


@pytest.mark.parametrize(("code", "status", "kind"), KNOWN)
def test_every_code_of_the_reference_has_its_meaning_in_any_case(code, status, kind):
    assert classify(code, status) is kind
    assert classify(code.lower(), status) is kind
    assert classify(code.upper(), status) is kind


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Kind.NOT_FOUND), (503, Kind.UNAVAILABLE), (400, Kind.INVALID)]
)
def test_invalid_parameter_is_judged_by_its_status(status, kind):
    assert classify("InvalidParameter", status) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (None, Kind.UNAVAILABLE),
        (302, Kind.UNAVAILABLE),
        (400, Kind.UNKNOWN),
        (401, Kind.UNKNOWN),
        (403, Kind.UNKNOWN),
        (404, Kind.UNKNOWN),
        (409, Kind.BUSY),
        (429, Kind.THROTTLED),
        (449, Kind.BUSY),
        (500, Kind.UNAVAILABLE),
        (599, Kind.UNAVAILABLE),
    ],
)
def test_a_code_that_is_not_known_is_judged_by_its_status(status, kind):
    assert classify("SomethingNew", status) is kind


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("The specified VServerGroupId does not exist.", Kind.NOT_FOUND),
        ("The VServerGroup rsp-1 is not found", Kind.NOT_FOUND),
        ("The load balancer does not exist in this region", Kind.NOT_FOUND),
        ("The specified LoadBalancerId does not exist.", Kind.NOT_FOUND),
        ("The specified group cannot be found.", Kind.NOT_FOUND),
        ("The group could not be found", Kind.NOT_FOUND),
        ("This server group isn't found, or doesn't exist", Kind.NOT_FOUND),
        ("The vServer group doesn't exist", Kind.NOT_FOUND),
        ("The specified Port does not exist.", Kind.INVALID),
        ("The backend server i-1 does not exist in the server group.", Kind.INVALID),
        ("The specified Weight is out of range.", Kind.INVALID),
    ],
)
def test_an_invalid_parameter_may_be_a_group_that_does_not_exist(message, kind):
    assert classify("InvalidParameter", 400, message=message) is kind


def test_adding_a_server_that_is_there_is_a_conflict_to_look_at():
    for message in ("The resource already exists.", "the server ALREADY EXISTS in the group"):
        assert classify("InvalidParameter", 400, message=message) is Kind.CONFLICT
    assert classify("BackendServerAlreadyExist", 400) is Kind.CONFLICT
    assert classify("DuplicatedBackendServer", 400) is Kind.CONFLICT


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("AddBackendServers", Kind.NOT_FOUND),
        ("AddVServerGroupBackendServers", Kind.NOT_FOUND),
        ("SetBackendServers", Kind.GONE),
        ("SetVServerGroupAttribute", Kind.GONE),
        ("RemoveBackendServers", Kind.GONE),
    ],
)
def test_a_server_that_is_not_found_is_the_instance_or_a_member_of_the_group(action, kind):
    assert classify("InvalidServerId.NotFound", 400, action=action) is kind


def test_from_a_group_that_does_not_exist_nothing_is_left_to_be_removed():
    code = "ResourceNotFound.ServerGroup"
    assert classify(code, 404, action="RemoveServersFromServerGroup") is Kind.GONE
    assert classify(code, 404, action="AddServersToServerGroup") is Kind.NOT_FOUND


@pytest.mark.parametrize(
    "code",
    [
        "InvalidAction.NotFound",
        "InvalidApi.NotFound",
        "InvalidProduct.NotFound",
        "InvalidRegion.NotFound",
        "InvalidRegionId.NotFound",
        "InvalidVersion",
        "InvalidVersion.NotFound",
    ],
)
def test_a_request_that_went_astray_says_nothing_of_the_group(code):
    assert classify(code, 404) is Kind.INVALID


def test_what_repeating_does_not_cure_is_hopeless_and_nothing_else_is():
    assert frozenset({Kind.NOT_FOUND, Kind.DENIED, Kind.INVALID}) == HOPELESS
    for kind in Kind:
        assert ApiError("A", kind, "c", "m").hopeless is (kind in HOPELESS)


@pytest.mark.parametrize(
    ("code", "status", "barred"),
    [
        ("InvalidAccessKeyId.NotFound", 404, True),
        ("SignatureDoesNotMatch", 400, True),
        ("InvalidSecurityToken.Expired", 400, True),
        ("Forbidden.RAM", 403, True),
        ("InvalidLoadBalancerId.NotFound", 404, True),
        ("InvalidRegionId.NotFound", 404, True),
        ("InvalidTimeStamp.Expired", 400, True),
        ("ServiceUnavailable", 503, False),
        ("Throttling.User", 400, False),
        ("BackendServer.configuring", 409, False),
        ("SomeCode.New", 500, False),
    ],
)
def test_what_only_a_person_can_mend_is_told_from_what_may_pass(code, status, barred):
    kinds = {classify(code, status)}
    if "Key" in code or "Signature" in code:
        kinds.add(Kind.CREDENTIALS)  # of keys that may be renewed
    for kind in kinds:
        assert ApiError("A", kind, code, "m", status).barred is barred


def test_a_call_that_was_not_made_may_pass_unless_it_is_said():
    assert not ApiError("A", Kind.LOST, "NoAnswer", "m").barred
    assert not no_credentials("A", "the metadata service does not answer").barred
    assert no_credentials("A", "no role is attached", lasting=True).barred


def test_the_text_says_what_where_and_what_to_do():
    error = ApiError(
        "AddBackendServers", Kind.DENIED, "Forbidden.RAM", "User not authorized.", 403, "4C2E"
    )
    text = str(error)
    assert text.startswith("AddBackendServers: Forbidden.RAM (HTTP 403): User not authorized.; ")
    assert text.endswith("; request id 4C2E")
    assert "RAM policy" in text


@pytest.mark.parametrize(
    ("kind", "code", "advice"),
    [
        (Kind.CLOCK, "InvalidTimeStamp.Expired", "NTP"),
        (Kind.DENIED, "SignatureDoesNotMatch", "access_key and secret_key"),
        (Kind.DENIED, "InvalidAccessKeyId.NotFound", "access_key and secret_key"),
        (Kind.DENIED, "NoPermission", "RAM policy"),
        (Kind.CREDENTIALS, "InvalidSecurityToken.Expired", "expired"),
        (Kind.NOT_FOUND, "InvalidLoadBalancerId.NotFound", "check the id"),
        (Kind.NOT_FOUND, "ResourceNotFound.Ecs", "check that this VM"),
        (Kind.INVALID, "IllegalParam.RSPortConflictWithServerGroup", "port is 0 in a server group"),
        (Kind.INVALID, "IllegalParam.Port", "port is 0 in a server group"),
    ],
)
def test_what_a_person_must_mend_comes_with_advice(kind, code, advice):
    assert advice in str(ApiError("A", kind, code, "m", 400))


@pytest.mark.parametrize(
    ("kind", "code", "product", "advice"),
    [
        (Kind.NOT_FOUND, "EntityNotExist.Role", "sts", "check role_arn"),
        (Kind.NOT_FOUND, "ResourceNotFound.LoadBalancer", "slb", "check the id, the region"),
        (Kind.UNAVAILABLE, "ServiceUnavailable", "sts", None),
        (Kind.NOT_FOUND, "InvalidServerId.NotFound", "slb", "check that this VM"),
        (Kind.NOT_FOUND, "ResourceNotFound.Eni", "alb", "check that this VM"),
        (Kind.BUSY, "ResourceNotFound.Ecs", "alb", None),
        (Kind.UNKNOWN, "Whatever", "slb", None),
    ],
)
def test_advice_is_for_what_was_not_found_and_where_it_was_looked_for(
    kind: Kind, code: str, product: str, advice: str | None
) -> None:
    given = ApiError("A", kind, code, "m", 404, product=product).advice
    assert given is None if advice is None else given is not None and given.startswith(advice)


@pytest.mark.parametrize("status", [401, 403])
def test_a_code_not_known_may_stand_for_a_permission_that_is_missing(status: int):
    assert "RAM policy" in str(ApiError("A", Kind.UNKNOWN, "Whatever", "m", status))
    assert ApiError("A", Kind.UNKNOWN, "Whatever", "m", 400).advice is None


@pytest.mark.parametrize("kind", [Kind.BUSY, Kind.THROTTLED, Kind.UNAVAILABLE, Kind.LOST])
def test_what_passes_by_itself_comes_without_advice(kind):
    assert ApiError("A", kind, "SomeCode", "m").advice is None


def test_a_message_becomes_one_printable_line():
    assert tidy("one\r\n two\x1b[31m\tthree\x00") == "one two [31m three"


def test_a_message_of_just_the_limit_is_left_as_it_is():
    whole = "x" * MESSAGE_LIMIT
    assert tidy(whole) == whole
    assert tidy(whole + "y") == whole[:-1] + "…"


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.text())
def test_no_message_is_longer_than_the_limit_or_has_a_second_line(text):
    tidied = tidy(text)
    assert len(tidied) <= MESSAGE_LIMIT
    assert tidied.isprintable()


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.text(), st.none() | st.integers(100, 599))
def test_every_code_has_a_meaning(code, status):
    assert classify(code, status) in Kind
