"""What customers sent beside their words: photos are shown, recordings are played, any other file is saved."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Response

from bot.console.login import Guard
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import ContentKind
from bot.domain.ports import Attachments
from bot.web import RowNumber

_SHOWN = {ContentKind.PHOTO: "image/jpeg", ContentKind.VOICE: "audio/ogg"}
"""What browsers open themselves; Telegram makes both, so a customer does not choose what they hold."""


def add_media(router: APIRouter, log: ConversationLog, attachments: Attachments | None, guard: Guard) -> None:
    """Adds the files of messages.

    Args:
        router: takes the route.
        log: tells what came with a turn.
        attachments: fetches it; None where no channel has any.
        guard: lets agents through.
    """

    @router.get("/media/{turn}", dependencies=[Depends(guard.page)])
    def media(turn: RowNumber) -> Response:
        view = log.turn(turn)
        if view is None or not view.media or attachments is None:
            raise HTTPException(404)
        file = attachments.fetch(view.media)
        shown = _SHOWN.get(ContentKind(view.kind))
        place = "inline" if shown else "attachment"
        return Response(
            file.content,
            media_type=shown or "application/octet-stream",
            headers={
                "Content-Disposition": f"{place}; filename*=UTF-8''{quote(file.name, safe='')}",
                "Cache-Control": "private, no-store",
            },
        )
