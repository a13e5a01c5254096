"""Jobs, and the ClientToken that keeps a repeated call from being carried out twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account
from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Delay, Refuse, Rule
from mock_slb.gateway.idempotence import KEEP_SECONDS
from mock_slb.http.wire import ConnectionCutError

if TYPE_CHECKING:
    from alb_nlb.conftest import Kit

    from conftest import Clock

SELF = {"ServerId": "i-self", "ServerType": "Ecs", "Port": 8080}
OTHER = {"ServerId": "i-other", "ServerType": "Ecs", "Port": 8080}


def status_of(kit: Kit, job_id: str) -> str:
    if kit.is_alb:
        (job,) = kit("ListAsynJobs", JobIds=[job_id])["Jobs"]
        status: str = job["Status"]
    else:
        status = kit("GetJobStatus", JobId=job_id)["Status"]
        assert [j["Status"] for j in kit("ListAsynJobs", JobIds=[job_id])["Jobs"]] == [status]
    return status


def test_a_job_is_followed_to_its_end(kit: Kit, clock: Clock) -> None:
    job_id = kit.add(SELF)["JobId"]
    assert status_of(kit, job_id) == "Processing"
    clock.now += 1.0
    assert status_of(kit, job_id) == "Succeeded"


def test_nlb_names_the_group_with_the_job(kit: Kit) -> None:
    answer = kit.add(SELF)
    assert set(answer) == {"RequestId", "JobId"} | (set() if kit.is_alb else {"ServerGroupId"})


def test_alb_says_why_a_job_failed(alb_kit: Kit, clock: Clock) -> None:
    alb_kit.group.fail_next_change("ResourceNotFound.Ecs", "i-self is gone")
    job_id = alb_kit.add(SELF)["JobId"]
    clock.now += 1.0
    (job,) = alb_kit("ListAsynJobs", JobIds=[job_id])["Jobs"]
    assert job["Status"] == "Failed"
    assert (job["ErrorCode"], job["ErrorMessage"]) == ("ResourceNotFound.Ecs", "i-self is gone")


def test_nlb_has_no_field_for_why_a_job_failed_unless_it_is_given_one(
    nlb_kit: Kit, clock: Clock, account: Account
) -> None:
    nlb_kit.group.fail_next_change("ResourceNotFound.Ecs", "i-self is gone")
    job_id = nlb_kit.add(SELF)["JobId"]
    clock.now += 1.0
    answer = nlb_kit("GetJobStatus", JobId=job_id)
    assert set(answer) == {"RequestId", "Status"}
    assert answer["Status"] == "Failed"
    account.job_reasons = True
    assert nlb_kit("GetJobStatus", JobId=job_id)["ErrorCode"] == "ResourceNotFound.Ecs"


def test_a_job_that_nobody_started_is_not_found(nlb_kit: Kit) -> None:
    refused = nlb_kit.refusal(nlb_kit("GetJobStatus", JobId="none"))
    assert refused == (404, "ResourceNotFound.JobId")


def test_alb_lists_jobs_by_action_resource_and_time(alb_kit: Kit, clock: Clock) -> None:
    alb_kit.fleet.add_server_group("sgp-2")
    ids = [alb_kit.add(SELF)["JobId"], alb_kit.add(SELF, ServerGroupId="sgp-2")["JobId"]]
    clock.now += 10.0
    ids.append(alb_kit.remove(SELF)["JobId"])

    def found(**params: object) -> list[int]:
        return [ids.index(job["Id"]) for job in alb_kit("ListAsynJobs", **params)["Jobs"]]

    assert found() == [0, 1, 2]
    assert found(ApiName="RemoveServersFromServerGroup") == [2]
    assert found(ResourceIds=["sgp-2"]) == [1]
    assert found(ResourceType="listener") == []
    assert found(BeginTime=str(int(clock.now * 1000) - 1)) == [2]
    assert found(EndTime=str(int(clock.now * 1000) - 1)) == [0, 1]
    assert alb_kit.refusal(alb_kit("ListAsynJobs", EndTime="x")) == (400, "IllegalParam.EndTime")


def test_a_call_repeated_with_its_token_is_answered_and_not_carried_out_again(
    kit: Kit, clock: Clock
) -> None:
    first = kit.add(SELF, ClientToken="token-1")
    clock.now += 1.0
    kit.group.remove_server("i-self", port=8080)
    again = kit.add(SELF, ClientToken="token-1")
    assert kit.status == 200
    assert again["JobId"] == first["JobId"]
    assert kit.servers() == []


def test_a_repetition_is_answered_while_the_first_change_is_under_way(kit: Kit) -> None:
    first = kit.add(SELF, ClientToken="token-1")
    assert kit.add(SELF, ClientToken="token-1")["JobId"] == first["JobId"]


def test_a_repetition_after_a_lost_answer_finds_the_change_made_once(kit: Kit) -> None:
    kit.gateway.faults.add(preset("lost_answer", times=1))
    with pytest.raises(ConnectionCutError):
        kit.add(SELF, ClientToken="token-1")
    kit.add(SELF, ClientToken="token-1")
    assert kit.status == 200
    assert [one[0] for one in kit.servers()] == ["i-self"]


def test_a_token_that_was_used_for_another_call_is_refused(kit: Kit) -> None:
    kit.add(SELF, ClientToken="token-1")
    code = "IdempotentParameterMismatch" if kit.is_alb else "IdempotenceSignatureMismatch"
    assert kit.refusal(kit.add(OTHER, ClientToken="token-1")) == (400, code)


def test_the_same_token_is_good_for_each_action(kit: Kit, clock: Clock) -> None:
    kit.add(SELF, ClientToken="token-1")
    clock.now += 1.0
    kit.remove(SELF, ClientToken="token-1")
    clock.now += 1.0
    assert kit.servers() == []


def test_a_refused_call_does_not_use_its_token_up(kit: Kit, clock: Clock) -> None:
    kit.group.keep_busy(1)
    assert kit.refusal(kit.add(SELF, ClientToken="token-1"))[0] == 400
    clock.now += 1.0
    kit.add(SELF, ClientToken="token-1")
    assert [one[0] for one in kit.servers()] == ["i-self"]
    kit.gateway.faults.add(Rule(Refuse("SystemBusy"), times=1))
    clock.now += 1.0
    assert kit.refusal(kit.remove(SELF, ClientToken="token-2")) == (400, "SystemBusy")
    kit.remove(SELF, ClientToken="token-2")
    assert kit.status == 200


def test_a_repetition_before_the_first_is_answered_is_told_to_wait(kit: Kit) -> None:
    inner: list[tuple[int, str]] = []
    kit.gateway.faults.add(Rule(Delay(1.0), times=1, after_change=True))
    kit.gateway.wait = lambda _: inner.append(kit.refusal(kit.add(SELF, ClientToken="token-1")))
    kit.add(SELF, ClientToken="token-1")
    assert inner == [(400, "IdempotenceProcessing")]
    kit.add(SELF, ClientToken="token-1")
    assert kit.status == 200


def test_a_token_is_forgotten_after_a_day(kit: Kit, clock: Clock) -> None:
    kit.add(SELF, ClientToken="token-1")
    kit.group.remove_server("i-self", port=8080)
    clock.now += KEEP_SECONDS
    request = kit.sign(
        "AddServersToServerGroup",
        {
            "Version": kit.version,
            "ServerGroupId": "sgp-1",
            "ClientToken": "token-1",
            "Servers.1.ServerId": "i-self",
            "Servers.1.ServerType": "Ecs",
            "Servers.1.Port": "8080",
            "Timestamp": "2026-05-29T20:26:40Z",
        },
    )
    assert json.loads(kit.gateway.answer(request).body)["JobId"]
    assert [one.server_id for one in kit.group.servers()] == ["i-self"]


def test_reads_do_not_heed_tokens(nlb_kit: Kit, clock: Clock) -> None:
    job_id = nlb_kit.add(SELF)["JobId"]
    seen = [nlb_kit("GetJobStatus", JobId=job_id, ClientToken="t")["Status"]]
    clock.now += 1.0
    seen.append(nlb_kit("GetJobStatus", JobId=job_id, ClientToken="t")["Status"])
    assert seen == ["Processing", "Succeeded"]
