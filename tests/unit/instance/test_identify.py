"""Finding out who this VM is, for as long as it takes, and going on without where that is safe."""

from __future__ import annotations

import threading

import pytest
from tests.unit.instance.metadata_service import ME

from slb_registration.instance.metadata import (
    AGAIN_SECONDS,
    IdentityError,
    Instance,
    MetadataError,
    identify,
)


class Waits(threading.Event):
    """An event whose waiting takes no time; it notes how long it would have been."""

    def __init__(self, set_after: int = 10**6) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._set_after = set_after

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        if len(self.seconds) >= self._set_after:
            self.set()
        return self.is_set()


class Failing:
    """A metadata service that fails some times and then says what it was told to."""

    endpoint = "http://metadata.test"

    def __init__(self, failures: int, **data: str) -> None:
        self.failures = failures
        self.data = {"instance-id": ME, "region-id": "cn-hangzhou", **data}
        self.asked: list[str] = []

    def get(self, path: str) -> str:
        self.asked.append(path)
        if len(self.asked) <= self.failures:
            raise MetadataError("it hangs")
        return self.data[path]


def who(metadata: object, **options: object) -> Instance:
    given = {
        "region": None,
        "instance_id": None,
        "stop": Waits(),
        "patience_seconds": None,
        "on_retry": lambda text: None,
        "on_remark": lambda text: None,
        **options,
    }
    return identify(metadata, **given)  # type: ignore[arg-type]


def test_the_metadata_service_says_who_we_are(metadata):
    assert who(metadata) == Instance(ME, "cn-hangzhou")


@pytest.mark.parametrize("given", [None, ME])
def test_a_given_region_wins_and_one_that_is_not_this_vms_is_remarked_on(given: str | None):
    remarks: list[str] = []

    def found(region: str, **data: str) -> Instance:
        metadata = Failing(0, **data)
        return who(metadata, region=region, instance_id=given, on_remark=remarks.append)

    assert found("cn-hangzhou") == Instance(ME, "cn-hangzhou")
    assert found("cn-beijing", **{"region-id": "no region"}) == Instance(ME, "cn-beijing")
    assert remarks == []
    assert found("cn-beijing") == Instance(ME, "cn-beijing")
    assert remarks == [
        "region: cn-beijing is given, but this VM is in cn-hangzhou: leave it out, unless it is "
        "meant"
    ]


def test_a_given_instance_id_that_is_ours_is_fine():
    assert who(Failing(0), instance_id=ME) == Instance(ME, "cn-hangzhou")


@pytest.mark.parametrize("region", [None, "cn-hangzhou"])
def test_a_given_instance_id_of_another_vm_is_refused_at_once(region):
    stop = Waits()

    with pytest.raises(IdentityError, match=f"instance_id: i-other is given, but this VM is {ME}"):
        who(Failing(0), region=region, instance_id="i-other", stop=stop)

    assert stop.seconds == []


def test_a_service_that_fails_is_asked_again_and_each_time_it_is_said():
    said: list[str] = []
    stop = Waits()

    assert who(Failing(3), stop=stop, on_retry=said.append) == Instance(ME, "cn-hangzhou")

    assert len(said) == 3
    assert all(text.startswith("it hangs; asking again in ") for text in said)
    assert len(stop.seconds) == 3


def test_it_is_asked_without_end_but_never_in_haste_and_never_too_seldom():
    stop = Waits()

    assert who(Failing(200), stop=stop).instance_id == ME

    assert len(stop.seconds) == 200
    assert min(stop.seconds) >= 0.2
    assert 4 < max(stop.seconds) <= AGAIN_SECONDS
    assert len(set(stop.seconds)) > 190  # jitter: a fleet does not ask in step


def test_a_stop_ends_the_asking_at_once():
    stop = Waits(set_after=2)
    metadata = Failing(10**6)

    with pytest.raises(MetadataError, match="told to stop"):
        who(metadata, stop=stop)

    assert len(metadata.asked) == 2


def test_a_stop_is_felt_while_waiting_for_real():
    stop = threading.Event()
    errors = []

    def ask() -> None:
        try:
            who(Failing(10**6), stop=stop, on_retry=lambda text: stop.set())
        except MetadataError as error:
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout=5)

    assert not thread.is_alive()
    assert len(errors) == 1


def test_a_stop_does_not_let_the_given_values_through():
    stop = Waits(set_after=1)

    with pytest.raises(MetadataError):
        who(Failing(10**6), region="cn-hangzhou", instance_id="i-given", stop=stop)


@pytest.mark.parametrize(
    "given", [{}, {"region": "cn-hangzhou"}, {"instance_id": ME}], ids=["none", "region", "id"]
)
def test_without_both_values_there_is_no_going_on_when_the_patience_ends(given):
    with pytest.raises(MetadataError, match="it hangs"):
        who(Failing(10**6), patience_seconds=0.01, **given)


def test_with_both_values_it_goes_on_when_the_patience_ends_and_says_so():
    said: list[str] = []

    found = who(
        Failing(10**6),
        region="cn-hangzhou",
        instance_id="i-given",
        patience_seconds=0.01,
        on_retry=said.append,
    )

    assert found == Instance("i-given", "cn-hangzhou")
    assert said == ["it hangs; going on as the given instance_id i-given in cn-hangzhou"]


def test_the_patience_ends_before_a_wait_that_would_exceed_it():
    stop = Waits()

    with pytest.raises(MetadataError):
        who(Failing(10**6), stop=stop, patience_seconds=0.1)

    assert stop.seconds == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"instance-id": "<html>\nportal</html>"}, r"'<html>\\nportal</html>', which is no inst"),
        ({"instance-id": ""}, "which is no instance-id"),
        ({"instance-id": "i-" + "x" * 500}, "x…', which is no instance-id"),
        ({"region-id": "cn-hangzhou-h"}, "which is no region-id"),
        ({"region-id": "cn-hangzhou\nx"}, "which is no region-id"),
    ],
)
def test_an_answer_that_looks_like_no_id_is_not_believed(data, said):
    with pytest.raises(MetadataError, match=said) as caught:
        who(Failing(0, **data), patience_seconds=0.01)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_a_service_that_is_denied_counts_as_not_reached(metadata, service):
    service.token = (403, b"")

    found = who(metadata, region="cn-hangzhou", instance_id="i-given", patience_seconds=0.01)

    assert found == Instance("i-given", "cn-hangzhou")
