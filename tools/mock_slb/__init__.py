"""The mocked Alibaba Cloud: one in-memory account behind the real wire protocols.

Its rooms from the ground up, each with imports only from lower floors: `contract`; `core`; `http`;
`clb`, `alb_nlb`, `sts`, `ecs` and `signing`, none of which knows another; `account`, the model of
all products; `data_plane` and `health`; `gateway`, the API's front door; `metadata` and `page`;
`control`. `server` puts them together behind one port, `testing` without a socket.
"""
