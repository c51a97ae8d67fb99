"""Publishing fixes over HTTP, in our own form and in those of the apps that people have."""

from __future__ import annotations

from aiohttp import web

from gateway.context import gateway_of
from gateway.fixes import fixes_in
from gateway.identity import device_of
from gateway.middleware import answer
from gateway.publish import publish_fixes


def routes(app: web.Application) -> None:
    app.router.add_post("/v1/fixes", _fixes)


async def _fixes(request: web.Request) -> web.Response:
    device = await device_of(request)
    checked = fixes_in(await request.read())
    await publish_fixes(gateway_of(request), device, checked.good, len(checked.rejected), "fixes")
    told: dict[str, object] = {"accepted": len(checked.good), "rejected": checked.rejected}
    if checked.rejected and not checked.good:
        return answer({"error": f"no fix can be used: {checked.rejected[0]['error']}", **told}, 422)
    return answer(told, 202)
