"""One planner process: plans what it is sent over a socket, one after the other, with networks of its own.

Planning holds Python's lock for milliseconds at a time, so it does not live where phones are answered. A
frame is its length and a number (4 bytes each, big endian) and so many bytes. The first frame in holds the
settings, the first one out says that the conditions of now are known.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import struct
import sys
from typing import TYPE_CHECKING

import msgspec

from gateway.planning.planner import Planner
from gateway.planning.requests import Directions, Isochrone, Point, Propose, Request, RoutesBody
from geo.errors import BadInput, FlaneurError, NoCandidate, NoRoute
from streams.settings import Settings
from streams.telemetry import logs

if TYPE_CHECKING:
    from streams.worker.network_service import NetworkService

log = logging.getLogger(__name__)

FRAME = struct.Struct(">II")
READY = 0  # the number of the first frame either way
AGAIN_S = 2.0  # until the broker is asked again after it was lost
WARM_M = 1_500.0


class Outcome(msgspec.Struct, frozen=True):
    """What became of a request: `problem` names the error of `geo.errors`, empty where there is an answer."""

    problem: str
    body: bytes


def frame(number: int, body: bytes) -> bytes:
    return FRAME.pack(len(body), number) + body


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Raises asyncio.IncompleteReadError at the end."""
    length, number = FRAME.unpack(await reader.readexactly(FRAME.size))
    return number, await reader.readexactly(length)


def outcome_of(planner: Planner, request: Request) -> Outcome:
    """Plan; what cannot be planned is an outcome as well."""
    try:
        return Outcome("", planner.answer(request))
    except (NoRoute, NoCandidate, BadInput) as error:
        kind = next(kind for kind in (NoRoute, NoCandidate, BadInput) if isinstance(error, kind))
        return Outcome(kind.__name__, str(error).encode())
    except Exception:
        log.exception("a request could not be planned")
        return Outcome("Exception", b"something went wrong here, not with what was asked")


async def serve(sock: socket.socket) -> None:
    """Answer until the other end closes the socket."""
    reader, writer = await asyncio.open_connection(sock=sock)
    _, first = await read_frame(reader)
    settings = msgspec.msgpack.decode(first, type=Settings)
    logs.set_up(settings, "planner")
    # here and not above: the gateway, which imports this for its frames, would tell workers' metrics, all 0
    from streams.worker.network_service import NetworkService

    service = NetworkService(settings)
    following = asyncio.create_task(_follow(service))
    try:
        planner = Planner(service)
        while not service.ready.is_set():
            if reader.at_eof():
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(service.ready.wait(), 1.0)
        _warm(planner, service)
        writer.write(frame(READY, b""))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                number, body = await read_frame(reader)
                outcome = outcome_of(planner, msgspec.msgpack.decode(body, type=Request))
                writer.write(frame(number, msgspec.msgpack.encode(outcome)))
                await writer.drain()
                await asyncio.sleep(0)  # the conditions come in between
    finally:
        following.cancel()


async def _follow(service: NetworkService) -> None:
    """The conditions, for ever: while the broker is away what was known stays known."""
    while True:
        try:
            await service.follow()
        except Exception as error:
            log.warning("the conditions cannot be read, trying again: %s", error)
        await asyncio.sleep(AGAIN_S)


def _warm(planner: Planner, service: NetworkService) -> None:
    """Load all kernels in the first city: the first who asks must not wait for them."""
    graph = service.cities[0].graph
    middle = graph.node_count // 2
    lat, lon = float(graph.node_lat[middle]), float(graph.node_lon[middle])
    other = Point(float(graph.node_lat[middle - 1]), float(graph.node_lon[middle - 1]))
    outcome_of(planner, Propose(RoutesBody("loop", lat, lon, length_m=WARM_M, propose=2)))
    outcome_of(planner, Propose(RoutesBody("to", lat, lon, other.lat, other.lon, propose=2)))
    outcome_of(planner, Directions([Point(lat, lon), other], [True, True], annotations=["distance"]))
    outcome_of(planner, Isochrone(lat, lon, 600.0))
    gc.collect()
    gc.freeze()


def main() -> None:
    """The socket's file descriptor is the only argument."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    try:
        asyncio.run(serve(sock))
    except (FlaneurError, asyncio.IncompleteReadError, KeyboardInterrupt) as error:
        print(f"flaneur: a planner ends: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
