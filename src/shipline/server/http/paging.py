"""Lists in pages, with the headers that clients follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server.http.answers import wrong_parameter
from shipline.server.http.call import Call

PER_PAGE = 20
MOST_PER_PAGE = 100
Shape = Callable[[Any], Any]
Item = TypeVar("Item")


def paged_query(call: Call, query: sa.Select[Any], shape: Shape, order: Sequence[Any]) -> Response:
    """A page of a statement's rows."""
    page, per_page = _asked(call)
    total = int(
        call.instance.database.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
    )
    rows = call.instance.database.all(query.order_by(*order).limit(per_page).offset((page - 1) * per_page))
    return _answer(call, [shape(row) for row in rows], total, page, per_page)


def paged(call: Call, items: Sequence[Any], shape: Shape) -> Response:
    """A page of what is in memory."""
    page, per_page = _asked(call)
    return _answer(call, [shape(item) for item in on_page(call, items)], len(items), page, per_page)


def on_page(call: Call, items: Sequence[Item]) -> Sequence[Item]:
    """Those of the items that are on the page asked for."""
    page, per_page = _asked(call)
    return items[(page - 1) * per_page : page * per_page]


def _asked(call: Call) -> tuple[int, int]:
    page = call.integer("page", 1) or 0
    per_page = call.integer("per_page", PER_PAGE) or 0
    if page < 1:
        raise wrong_parameter("page does not have a valid value")
    if per_page < 1:
        raise wrong_parameter("per_page has a value not allowed")
    return page, min(per_page, MOST_PER_PAGE)


def _answer(call: Call, items: list[Any], total: int, page: int, per_page: int) -> Response:
    pages = max(1, -(-total // per_page))
    links = [("prev", page - 1)] if 1 < page <= pages + 1 else []
    links += [("next", page + 1)] if page < pages else []
    links += [("first", 1), ("last", pages)]
    headers = {
        "X-Page": str(page),
        "X-Per-Page": str(per_page),
        "X-Next-Page": str(page + 1) if page < pages else "",
        "X-Prev-Page": str(page - 1) if page > 1 else "",
        "X-Total": str(total),
        "X-Total-Pages": str(pages),
        "Link": ", ".join(f'<{_url(call, number, per_page)}>; rel="{rel}"' for rel, number in links),
    }
    response = call.json(items)
    response.headers.update(headers)
    return response


def _url(call: Call, page: int, per_page: int) -> str:
    own = [
        (key, value) for key, value in call.request.query_params.multi_items() if key not in ("page", "per_page")
    ]
    query = urlencode(sorted([*own, ("page", str(page)), ("per_page", str(per_page))]))
    host = call.request.headers.get("host", call.request.url.netloc)
    scheme = call.instance.settings.url.partition("://")[0]
    return f"{scheme}://{host}{call.request.scope['raw_path'].decode()}?{query}"
