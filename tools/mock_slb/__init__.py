"""The mocked Alibaba Cloud: one in-memory account behind the real wire protocols.

`model` holds the account and knows no HTTP. `gateway` is its front door, shared by `server`
(HTTP) and `testing` (unit tests without a socket).
"""
