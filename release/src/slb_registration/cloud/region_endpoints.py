"""The hosts of a region's APIs, so that no location service has to be asked over the internet.

Sources: the endpoint tables of alibabacloud-slb20140515 3.3.31 and alibabacloud-alb20200616 1.3.3,
whose rule for all other regions this is, that of alibabacloud-ecs20140526 7.11.8 for the regions
that a customer can choose, and the list of STS's endpoints in its API reference.
"""

from __future__ import annotations

DOMAIN = "aliyuncs.com"

# With the finance clouds and the government's, then those that are no customer's choice.
_CENTRAL_SLB = """
ap-southeast-1 cn-beijing cn-hangzhou cn-hongkong cn-qingdao cn-shanghai cn-shenzhen us-east-1
us-west-1 cn-beijing-finance-pop cn-hangzhou-finance cn-hongkong-finance-pop cn-shanghai-finance-1
cn-shenzhen-finance-1 cn-beijing-gov-1 cn-north-2-gov-1

ap-northeast-2-pop cn-beijing-nu16-b01 cn-edge-1 cn-fujian cn-haidian-cm12-c01 cn-hangzhou-bj-b01
cn-hangzhou-internal-prod-1 cn-hangzhou-internal-test-1 cn-hangzhou-internal-test-2
cn-hangzhou-internal-test-3 cn-hangzhou-test-306 cn-shanghai-et15-b01 cn-shanghai-et2-b01
cn-shanghai-inner cn-shanghai-internal-test-1 cn-shenzhen-inner cn-shenzhen-st4-d01
cn-shenzhen-su18-b01 cn-wuhan cn-yushanfang cn-zhangbei cn-zhangbei-na61-b01 cn-zhangjiakou-na62-a01
cn-zhengzhou-nebula-1 eu-west-1-oxs rus-west-1-pop
"""
_CENTRAL_STS = """
ap-south-1 ap-southeast-2 ap-southeast-6 cn-heyuan-acdr-1 cn-zhengzhou-jva us-southeast-1
cn-hangzhou-finance cn-shenzhen-finance-1
"""
_CENTRAL_ECS = """
cn-beijing-finance-pop cn-beijing-gov-1 cn-hangzhou-finance cn-hongkong-finance-pop cn-north-2-gov-1
"""
CENTRAL = {
    "slb": frozenset(_CENTRAL_SLB.split()),
    "sts": frozenset(_CENTRAL_STS.split()),
    "ecs": frozenset(_CENTRAL_ECS.split()),
}
"""The regions whose API is at the product's one central endpoint."""

_OTHERS = {
    ("slb", "cn-huhehaote-nebula-1"): f"slb-api.cn-qingdao-nebula.{DOMAIN}",
    ("alb", "cn-hangzhou-finance"): f"alb.cn-hangzhou.{DOMAIN}",
    **{
        ("ecs", region): f"ecs-cn-hangzhou.{DOMAIN}"
        for region in ("cn-hangzhou", "cn-shanghai-finance-1", "cn-shenzhen-finance-1")
    },
}


class NoEndpointError(Exception):
    """There is none; the text says what to configure."""


def host(product: str, region: str, network: str) -> str:
    """The host of a product's API (slb, alb, nlb, sts, ecs), as it is reached over that network.

    `network`: internet, or vpc for the endpoint inside of VPCs, which is never a public name.
    Raises NoEndpointError.
    """
    central = region in CENTRAL.get(product, ())
    if network == "vpc":
        if product == "sts" and central:
            raise NoEndpointError(
                f"STS has no endpoint inside of VPCs in {region}: set endpoints.sts"
            )
        return f"{product}-vpc.{region}.{DOMAIN}"
    if central:
        return f"{product}.{DOMAIN}"
    return _OTHERS.get((product, region), f"{product}.{region}.{DOMAIN}")
