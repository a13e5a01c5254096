"""Counting the connections that clients still have."""

from __future__ import annotations

import ipaddress
import socket
import sys
from pathlib import Path
from random import Random

import pytest

from slb_registration.instance import connection_tables
from slb_registration.instance.connection_tables import End, count
from slb_registration.model.configuration import PortRanges

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"


def written(address: str) -> str:
    """The address as this machine's kernel prints it: 32-bit words in its own byte order."""
    packed = ipaddress.ip_address(address).packed
    words = [packed[i : i + 4] for i in range(0, len(packed), 4)]
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)


def line(local: str, local_port: int, peer: str, peer_port: int, state: str = "01") -> str:
    return (
        f"   0: {written(local)}:{local_port:04X} {written(peer)}:{peer_port:04X} {state} "
        "00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 20 4\n"
    )


@pytest.fixture
def proc_net(tmp_path: Path):
    """Writes the kernel's two tables and returns their folder."""

    def write(tcp: list[str], tcp6: list[str] | None = None) -> Path:
        (tmp_path / "tcp").write_text(HEADER + "".join(tcp))
        if tcp6 is not None:
            (tmp_path / "tcp6").write_text(HEADER + "".join(tcp6))
        return tmp_path

    return write


def test_the_kernel_s_own_line_is_read(tmp_path):
    # Taken from a little-endian machine: 192.168.1.10:8080 with 100.64.5.7:40000
    assert sys.byteorder == "little"
    (tmp_path / "tcp").write_text(
        HEADER + "   1: 0A01A8C0:1F90 07054064:9C40 01 00000000:00000000 02:000A7D4C 00000000\n"
    )

    assert count([8080], LOOPBACK, tmp_path) == 1
    assert count([8080], [ipaddress.ip_network("100.64.5.7/32")], tmp_path) == 0


def test_a_big_endian_kernel_s_line_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "byteorder", "big")
    (tmp_path / "tcp").write_text(HEADER + "   1: C0A8010A:1F90 64400507:9C40 01 0:0 2:0 0\n")

    assert count([8080], LOOPBACK, tmp_path) == 1
    assert count([8080], [ipaddress.ip_network("100.64.5.7/32")], tmp_path) == 0


def test_only_established_connections_to_our_ports_count(proc_net):
    tables = proc_net(
        [
            line("10.0.0.7", 8080, "10.0.0.1", 50001),
            line("10.0.0.7", 8081, "10.0.0.1", 50002),
            line("10.0.0.7", 9999, "10.0.0.1", 50003),
            line("10.0.0.7", 50004, "10.0.0.1", 8080),  # ours to somebody else's 8080
            line("0.0.0.0", 8080, "0.0.0.0", 0, "0A"),  # listening
            line("10.0.0.7", 8080, "10.0.0.1", 50005, "06"),  # TIME_WAIT
            line("10.0.0.7", 8080, "10.0.0.1", 50006, "08"),  # CLOSE_WAIT
        ]
    )

    assert count([8080], LOOPBACK, tables) == 1
    assert count({8080, 8081}, LOOPBACK, tables) == 2
    assert count([], LOOPBACK, tables) == 0


def test_ignored_peers_do_not_count(proc_net):
    tables = proc_net(
        [line("127.0.0.1", 8080, "127.0.0.2", 5), line("10.0.0.7", 8080, "10.0.0.1", 5)],
        [line("::1", 8080, "::1", 6), line("fd00::7", 8080, "fd00::1", 6)],
    )

    assert count([8080], LOOPBACK, tables) == 2
    assert count([8080], [], tables) == 4
    assert count([8080], [*LOOPBACK, ipaddress.ip_network("fd00::/8")], tables) == 1


def test_a_mapped_ipv4_peer_is_matched_as_ipv4(proc_net):
    tables = proc_net(
        [line("10.0.0.7", 8080, "10.0.0.1", 50001)],
        [
            line("::ffff:10.0.0.7", 8080, "::ffff:10.0.0.2", 50001),
            line("::ffff:127.0.0.1", 8080, "::ffff:127.0.0.1", 50001),
            line("fd00::7", 8080, "fd00::1", 50001),
        ],
    )

    assert count([8080], LOOPBACK, tables) == 3
    assert count([8080], [ipaddress.ip_network("::/0")], tables) == 3
    assert count([8080], [ipaddress.ip_network("0.0.0.0/0")], tables) == 1


@pytest.mark.parametrize("seed", range(20))
def test_networks_and_ports_are_matched_as_ipaddress_and_numbers_say(proc_net, seed):
    """Each byte order of a kernel, any length of a prefix, any range of ports."""
    random = Random(seed)
    clients = {
        4: [ipaddress.IPv4Address(random.getrandbits(32)) for _ in range(40)],
        6: [ipaddress.IPv6Address(random.getrandbits(128)) for _ in range(40)],
    }
    ports = [random.randrange(1, 65536) for _ in range(40)]
    tables = proc_net(
        [line("10.0.0.7", *end) for end in zip(ports, map(str, clients[4]), ports, strict=True)],
        [line("fd00::7", *end) for end in zip(ports, map(str, clients[6]), ports, strict=True)],
    )
    every = list(zip(ports, clients[4], strict=True)) + list(zip(ports, clients[6], strict=True))
    for _ in range(40):
        bits = {4: random.randrange(33), 6: random.randrange(129)}
        ignored = [
            ipaddress.ip_network(
                (int(random.choice(clients[version])) >> free << free, bits[version])
            )
            for version, free in ((4, 32 - bits[4]), (6, 128 - bits[6]))
        ]
        first, last = sorted(random.sample(range(1, 65536), 2))
        ours = PortRanges((range(first, last + 1), range(ports[0], ports[0] + 1)))
        expected = [
            peer
            for port, peer in every
            if port in ours and not any(peer in network for network in ignored)
        ]
        assert count(ours, ignored, tables) == len(expected)


def test_a_table_that_is_longer_than_what_is_read_at_once_is_read_whole(proc_net, monkeypatch):
    lines = [line("10.0.0.5", 8080, "10.9.9.9", 1000 + number) for number in range(100)]
    folder = proc_net(lines)
    for size in (1, 7, 100, len(lines[0]), 1 << 16):
        monkeypatch.setattr(connection_tables, "CHUNK_BYTES", size)
        assert count([8080], LOOPBACK, folder) == 100


def test_without_ipv6_there_is_no_table_of_it_and_that_is_fine(proc_net, tmp_path):
    assert count([8080], LOOPBACK, proc_net([line("10.0.0.7", 8080, "10.0.0.1", 5)])) == 1
    assert count([8080], LOOPBACK, tmp_path / "nothing") == 0


def test_malformed_lines_are_skipped(proc_net):
    good = line("10.0.0.7", 8080, "10.0.0.1", 50001)
    tables = proc_net(
        [
            "\n",
            "   0:\n",
            "   0: 0A01A8C0:1F90 07054064 01 x\n",
            "   0: 0A01A8C0:1F90 0705:9C40 01 x\n",
            "   0: 0A01A8C0:1F90 ZZ054064:9C40 01 x\n",
            "   0: 0A01A8C0:1F90 07054064:ZZ 01 x\n",
            "   0: 0A01A8C0:1F90 070540640:9C40 01 x\n",
            "   0: \u00e4:1F90 \u00e4:9C40 01 x\n",
            good,
            good[:30],
        ]
    )

    assert count([8080], LOOPBACK, tables) == 1


def test_a_table_that_cannot_be_read_is_an_error_and_not_zero_connections(tmp_path):
    (tmp_path / "tcp").mkdir()

    with pytest.raises(IsADirectoryError):
        count([8080], LOOPBACK, tmp_path)


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_real_connection_is_counted_while_it_lasts(family, address):
    try:
        listening = socket.create_server((address, 0), family=family)
    except OSError as error:
        pytest.skip(f"{address}: {error}")
    with listening as server:
        port = server.getsockname()[1]
        assert count([port], []) == 0
        with socket.create_connection((address, port)), server.accept()[0]:
            assert count([port], []) == 1
            assert count([port], LOOPBACK) == 0
        assert count([port], []) == 0


def test_connections_on_any_port_of_a_range_are_counted(proc_net):
    ports = (1023, 1024, 2048, 2049, 8080)
    folder = proc_net([line("10.0.0.5", port, "10.9.9.9", 40000) for port in ports])
    assert count(PortRanges((range(1024, 2049),)), LOOPBACK, folder) == 2
    assert count(PortRanges((range(1024, 2049), range(8080, 8081))), LOOPBACK, folder) == 3
    assert count(PortRanges((range(1, 65536),)), LOOPBACK, folder) == 5


# Which address of this VM's they have


def at(port: int, *networks: str) -> End:
    return End(port, tuple(map(ipaddress.ip_network, networks)))


def test_of_two_addresses_with_one_port_each_has_its_own_connections(proc_net):
    tables = proc_net(
        [line("10.0.0.7", 8080, "10.9.9.9", 1), line("10.0.0.8", 8080, "10.9.9.9", 2)],
        [
            line("::ffff:10.0.0.8", 8080, "::ffff:10.9.9.9", 3),
            line("fd00::7", 8080, "fd00::9", 4),
            line("fd00::8", 8080, "fd00::9", 5),
        ],
    )

    assert count([at(8080, "10.0.0.7/32")], LOOPBACK, tables) == 1
    assert count([at(8080, "10.0.0.8/32")], LOOPBACK, tables) == 2
    assert count([at(8080, "fd00::8/128")], LOOPBACK, tables) == 1
    assert count([at(8080, "10.0.0.8/32", "::/0")], LOOPBACK, tables) == 4
    assert count([at(8080, "10.0.0.7/32"), at(8080, "fd00::7/128")], LOOPBACK, tables) == 2
    assert count([at(8080, "10.0.0.7/32"), 8080], LOOPBACK, tables) == 5
    assert count([at(8080, "10.0.0.9/32")], LOOPBACK, tables) == 0
    assert count([at(8081, "10.0.0.7/32"), at(8080, "10.0.0.9/32")], LOOPBACK, tables) == 0


@pytest.mark.parametrize("seed", range(10))
def test_local_addresses_are_matched_as_ipaddress_says(proc_net, seed):
    random = Random(seed)
    of_4 = [ipaddress.IPv4Address(random.getrandbits(32)) for _ in range(40)]
    of_6 = [ipaddress.IPv6Address(random.getrandbits(128)) for _ in range(40)]
    ports = [random.choice((80, 8080)) for _ in range(80)]
    own = list(zip([*of_4, *of_6], ports, strict=True))
    tables = proc_net(
        [line(str(one), port, "10.9.9.9", 7) for one, port in own[:20]],
        [line(f"::ffff:{one}", port, "::ffff:10.9.9.9", 7) for one, port in own[20:40]]
        + [line(str(one), port, "fd00::9", 7) for one, port in own[40:]],
    )
    for _ in range(40):
        networks = [
            ipaddress.ip_network((int(random.choice(of)) >> free << free, bits - free))
            for of, bits in ((of_4, 32), (of_6, 128))
            for free in random.sample(range(bits + 1), 2)
        ]
        expected = [
            one for one, port in own if port == 8080 and any(one in network for network in networks)
        ]
        assert count([End(8080, tuple(networks))], LOOPBACK, tables) == len(expected)


def test_the_kernel_tells_the_address_that_a_client_has_connected_to():
    """Though the service listens on all addresses, of both families."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        with (
            socket.create_connection(("127.0.0.2", port)),
            socket.create_connection(("127.0.0.3", port)),
            socket.create_connection(("::1", port)),
        ):
            accepted = [server.accept()[0] for _ in range(3)]
            assert count([at(port, "127.0.0.2/32")], []) == 1
            assert count([at(port, "127.0.0.0/8")], []) == 2
            assert count([at(port, "::1/128")], []) == 1
            assert count([port], []) == 3
            for one in accepted:
                one.close()
