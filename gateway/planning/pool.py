"""The planner processes of a gateway: who is idlest plans next, nobody waits long, who dies is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys

import msgspec

from gateway import metrics
from gateway.planning.requests import Request
from gateway.planning.worker import READY, Outcome, frame, read_frame
from geo.errors import BadInput, FlaneurError, NoCandidate, NoRoute, Unavailable
from streams.settings import Settings

log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 10.0
AGAIN_S = 1.0  # until a planner that ended is started again
_PROBLEMS = {kind.__name__: kind for kind in (NoRoute, NoCandidate, BadInput)}


class PlannerPool:
    """`settings.gateway_planners` processes; each has at most `settings.gateway_planner_queue` requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._planners = [_PlannerProcess(settings) for _ in range(settings.gateway_planners)]

    async def start(self) -> None:
        """Start the processes; they are ready when they have read the conditions."""
        for planner in self._planners:
            planner.start()

    async def close(self) -> None:
        """End them; what was asked of them fails."""
        await asyncio.gather(*(planner.close() for planner in self._planners))

    @property
    def is_ready(self) -> bool:
        """Whether somebody plans."""
        return any(planner.ready.is_set() for planner in self._planners)

    async def wait_ready(self) -> None:
        """Until all plan."""
        for planner in self._planners:
            await planner.ready.wait()

    async def ask(self, request: Request) -> bytes:
        """The JSON of the answer; raises as `Planner.answer`, and Unavailable where too many wait."""
        if not self._planners:
            raise Unavailable("this gateway does not plan; ask another one")
        planner = min(self._planners, key=lambda one: (not one.ready.is_set(), one.waiting))
        if planner.waiting >= self._settings.gateway_planner_queue:
            raise Unavailable("too many are planning just now; come again in a moment")
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                outcome = await planner.ask(request)
        except TimeoutError as error:
            raise Unavailable("planning takes too long just now; come again in a moment") from error
        if not outcome.problem:
            return outcome.body
        raise _PROBLEMS.get(outcome.problem, FlaneurError)(outcome.body.decode())


class _PlannerProcess:
    """One process and those who wait for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._number = READY
        self._writer: asyncio.StreamWriter | None = None
        self._running: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        self._running = asyncio.create_task(self._keep_running())

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def ask(self, request: Request) -> Outcome:
        """The place in the queue is taken until the process has answered, even if nobody waits any more."""
        self._number = self._number % 0xFFFF_FFFE + 1
        number, future = self._number, asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self._waiting.pop(number, None)
            raise
        if self._writer is not None and not future.done():
            self._writer.write(frame(number, msgspec.msgpack.encode(request)))
        return await asyncio.shield(future)

    async def _keep_running(self) -> None:
        while True:
            try:
                await self._run()
            except (OSError, asyncio.IncompleteReadError) as error:
                metrics.PLANNERS_RESTARTED.inc()
                log.warning("a planner ended and is started again: %s", error)
            finally:
                self._forget()
            await asyncio.sleep(AGAIN_S)

    async def _run(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway.planning.worker", str(theirs.fileno()),
                pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        try:
            reader, self._writer = await asyncio.open_connection(sock=ours)
            self._writer.write(frame(READY, msgspec.msgpack.encode(self._settings)))
            while True:
                number, body = await read_frame(reader)
                if number == READY:
                    self.ready.set()
                    continue
                future = self._waiting.pop(number, None)
                if future is not None and not future.done():
                    future.set_result(msgspec.msgpack.decode(body, type=Outcome))
        finally:
            if self._writer is not None:
                self._writer.close()
            with contextlib.suppress(ProcessLookupError):
                process.kill()  # it keeps nothing that would be lost
            await process.wait()

    def _forget(self) -> None:
        self.ready.clear()
        self._writer = None
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(Unavailable("planning starts again; come again in a moment"))
                future.exception()  # somebody may have stopped waiting
