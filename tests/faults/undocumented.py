"""What nobody documents, as faults: each is a form in which the API may well be right.

Where nothing is wrong, all has to be done in spite of it: the VM joins, leaves, and knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.faults.stage import MARKER, Stage
from tests.faults.troubles import API, WRITES, Trouble, on

from mock_slb.alb_nlb.errors import ADDRESS_CODES
from mock_slb.alb_nlb.resources import DRAINING, REMOVING
from mock_slb.gateway.shapes import EMPTY_FORMS, INNER_ABSENT, OBJECT, Reshape

LINGERS_SECONDS = 150.0
CLB = ("clb default group", "clb vServer group")
ALB_NLB = ("alb", "nlb")
UNPAGED = (*WRITES, "Describe*Attribute", "GetJob*")
LEAVING = ("drain", "drain in vain", "stop")


def _linger(status: str) -> Callable[[Stage], None]:
    def begin(stage: Stage) -> None:
        for spec in (stage.first, stage.second):
            stage.group_of(spec).lingering = (status, LINGERS_SECONDS)  # type: ignore[union-attr]

    return begin


def _stuck(stage: Stage) -> None:
    for spec in (stage.first, stage.second):
        stage.group_of(spec).jobs_are_stuck = True  # type: ignore[union-attr]


def _taken(description: str, code: int) -> Callable[[Stage], None]:
    def begin(stage: Stage) -> None:
        codes = ADDRESS_CODES.get(stage.kind.product)
        stage.take_address(description, codes[code] if codes else None)

    return begin


def _addresses() -> Iterator[Trouble]:
    for number in range(3):
        kinds = ("alb", "nlb", "alb, eni", *(() if number else CLB))
        yield Trouble(
            f"the predecessor holds the address {number}",
            _taken(MARKER, number),
            None,
            borne=True,
            phases=("start", "stop", "redeploy"),
            kinds=kinds,
        )
        yield Trouble(
            f"a stranger holds the address {number}",
            _taken("by hand", number),
            "holds this VM's address",
            phases=("start", "redeploy", "drain before it is in"),
            kinds=kinds,
        )


def _empty() -> Iterator[Trouble]:
    for form in EMPTY_FORMS:
        begin = on([API], Reshape(empty=form))
        yield Trouble(
            f"an empty list is {form}", begin, None, alone=True, borne=True, kinds=ALB_NLB
        )
        # CLB's list is inside another object: {} is that without it, the others lack both.
        borne = form in (OBJECT, INNER_ABSENT)
        yield Trouble(
            f"an empty list of CLB is {form}", begin, None, alone=True, borne=borne, kinds=CLB
        )


UNDOCUMENTED = (
    *_empty(),
    Trouble(
        "numbers are texts",
        on([API], Reshape(numbers_as_text=True)),
        None,
        borne=True,
        kinds=(*CLB, *ALB_NLB, "clb vServer group, eni", "alb, ip"),
    ),
    Trouble(
        "servers are not listed",
        on(["List*"], Reshape(without=("Servers", "TotalCount"))),
        None,
        phases=(*LEAVING, "drain before it is in"),
        kinds=ALB_NLB,
    ),
    Trouble(
        "servers of CLB are not listed",
        on(["Describe*Attribute"], Reshape(without=("BackendServer",))),
        None,
        phases=(*LEAVING, "drain before it is in"),
        kinds=CLB,
    ),
    Trouble(
        "tokens without end",
        on([API], Reshape(next_token="again")),
        "the answer lacks an end",
        kinds=ALB_NLB,
    ),
    Trouble(
        "a token where nothing is paged",
        on(UNPAGED, Reshape(next_token="again")),
        None,
        borne=True,
        kinds=(*CLB, *ALB_NLB),
    ),
    *(
        Trouble(
            f"a removed server stays listed as {status}",
            _linger(status),
            None,
            borne=True,
            kinds=(*ALB_NLB, "alb, ip", "nlb, eni"),
        )
        for status in (DRAINING, REMOVING)
    ),
    Trouble("jobs never end", _stuck, None, borne=True, kinds=("nlb", "nlb, ip")),
    *_addresses(),
)
