"""The widget as websites load it: `/widget.js`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from bot.channels.webchat.bundle import current_bundle

router = APIRouter(include_in_schema=False)

# A page is never kept waiting for a newer script: after five minutes the browser asks for one behind its back.
_CACHE = "public, max-age=300, stale-while-revalidate=86400"


@router.api_route("/widget.js", methods=["GET", "HEAD"])
async def widget_script(request: Request) -> Response:
    """The widget as one script."""
    bundle = await asyncio.to_thread(current_bundle)
    tag = f'W/"{bundle.digest}"'
    headers = {
        # Any page may load it; what it may do there, the routes it calls decide.
        "cross-origin-resource-policy": "cross-origin",
        "access-control-allow-origin": "*",
        "cache-control": _CACHE,
        "etag": tag,
        "vary": "accept-encoding",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    if zipped:
        headers["content-encoding"] = "gzip"
    content = bundle.zipped if zipped else bundle.script
    return Response(content, media_type="text/javascript; charset=utf-8", headers=headers)
