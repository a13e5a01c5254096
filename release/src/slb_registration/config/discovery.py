"""Reads how server groups are found that the manifest does not name: by tags, and in files."""

from __future__ import annotations

import re
from collections.abc import Mapping

from slb_registration.config.reader import ABSOLUTE_PATH, Section
from slb_registration.config.server_groups import PRODUCTS
from slb_registration.model.configuration import Discovery, Spec

# What the API takes for the key and the value of a tag.
_TAG_KEY = re.compile(r"(?!acs:|aliyun)[^\x00-\x1f\x7f\ud800-\udfff]{1,64}")
_TAG_VALUE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{0,128}")
DYNAMIC_CONFIGS = "/var/vcap/jobs/*/config/slb_registration.json"
MOST_TAGS = 10
"""The most that one listing can be filtered by."""


def discovery(properties: Section, spec_section: Section, spec: Spec) -> Discovery:
    """Return how load balancers are found; off by default where groups are named."""
    section = properties.section("discovery")
    named = properties.given("load_balancer_id") or bool(properties.value("server_groups"))
    enabled = section.flag("enabled", not named)
    if not enabled and not named and properties.value("dynamic_config_globs") == []:
        text = "is false: then give load_balancer_id, server_groups or dynamic_config_globs"
        section.problem("enabled", text)
    tags = _tags(section)
    if tags is None:
        names = {"deployment": spec.deployment}
        if spec.director:  # bosh create-env has one instance group, and does not tell its name
            names["instance_group"] = spec.instance_group
        for name, value in names.items():
            if enabled and not value:
                text = "is empty, and load balancers are found by it: give discovery.tags, or name"
                spec_section.problem(name, f"{text} them and turn discovery off")
        tags = {f"bosh-{name.replace('_', '-')}": value for name, value in names.items()}
    return Discovery(
        enabled=enabled,
        interval_seconds=section.seconds("interval", 300),
        tags=tags,
        products=_products(section, properties.value("endpoints")),
        leave=section.flag("leave", False),
    )


def globs(properties: Section) -> tuple[str, ...]:
    """Return the patterns of the files in which co-located jobs ask for server groups."""
    name = "dynamic_config_globs"
    found = tuple(properties.items(name, (DYNAMIC_CONFIGS,)))
    for pattern in found:
        if not isinstance(pattern, str) or not ABSOLUTE_PATH.fullmatch(pattern):
            properties.problem(
                name, f"must be absolute paths, with * and ?, not {properties.shown(pattern)}"
            )
    return tuple(map(str, found))


def _tags(section: Section) -> Mapping[str, str] | None:
    given = section.value("tags")
    if given is None:
        return None
    if not isinstance(given, dict) or not given:
        section.problem("tags", "must hold at least one tag, as key: value")
        return {}
    if len(given) > MOST_TAGS:
        section.problem("tags", f"must be at most {MOST_TAGS}")
    for key, value in given.items():
        if not _TAG_KEY.fullmatch(str(key)):
            section.problem("tags", f"{section.shown(key)} is no key of a tag")
        elif not isinstance(value, str):
            shown = section.shown(value)
            section.problem("tags", f"the value of {section.shown(key)} must be text, not {shown}")
        elif not _TAG_VALUE.fullmatch(value):
            section.problem("tags", f"the value of {section.shown(key)} is none of a tag")
    return {str(key): str(value) for key, value in given.items()}


def _products(section: Section, endpoints: object) -> tuple[str, ...]:
    """By default all. Who sends the calls for CLB elsewhere (a private cloud, a mock) is not asked
    to let those for the other products go to the public endpoints: they are looked for where
    their endpoints are given, too."""
    default: tuple[str, ...] = PRODUCTS
    if isinstance(endpoints, dict) and endpoints.get("slb") is not None:
        default = tuple(one for one in PRODUCTS if one == "clb" or endpoints.get(one) is not None)
    given = section.items("products", default)
    for product in given:
        if product not in PRODUCTS:
            section.problem(
                "products", f"must be of {', '.join(PRODUCTS)}, not {section.shown(product)}"
            )
    if not given:
        section.problem("products", "is empty: turn discovery off instead")
    return tuple(product for product in PRODUCTS if product in given)
