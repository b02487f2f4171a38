"""Lists in pages, with the headers that clients follow: by number, or after the last item seen (keyset)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from shipline.server.http.answers import Refusal, wrong_parameter
from shipline.server.http.call import Call

PER_PAGE = 20
MOST_PER_PAGE = 100
COUNTED = 10_000
"""A list longer than this is not counted, and its answer has no totals."""
PAGE = "page:int per_page:int"
"""The parameters of a list, in the notation of `shipline.server.http.forms`."""
NO_KEYSET = "Keyset pagination is not yet available for this type of request"
Shape = Callable[[Any], Any]
Columns = Mapping[str, sa.ColumnElement[Any]]
Item = TypeVar("Item")


def ordered(call: Call, columns: Columns, last: sa.ColumnElement[Any], by: str, sort: str = "desc") -> list[Any]:
    """What `order_by` and `sort` ask for; among equals, by `last`."""
    column = columns[call.choice("order_by", columns, by) or by]
    if (call.choice("sort", ("asc", "desc"), sort) or sort) == "desc":
        return [column.desc(), last.desc()]
    return [column, last]


def paged_query(
    call: Call,
    query: sa.Select[Any],
    shape: Shape,
    order: Sequence[Any],
    *,
    keys: Columns | None = None,
    total: bool = True,
) -> Response:
    """A page of a statement's rows. `keys`: the columns by which keyset pages may go; `total` False: the rows are
    not counted."""
    if call.text("pagination") == "keyset":
        return _keyset(call, query, shape, keys or {})
    page, per_page = _asked(call)
    rows = call.instance.database.all(query.order_by(*order).limit(per_page + 1).offset((page - 1) * per_page))
    count = None
    if total:
        few = query.with_only_columns(sa.literal(1), maintain_column_froms=True).order_by(None).limit(COUNTED + 1)
        count = int(
            call.instance.database.execute(sa.select(sa.func.count()).select_from(few.subquery())).scalar_one()
        )
    items = [shape(row) for row in rows[:per_page]]
    if count is None or count > COUNTED:
        return _answer(call, items, None, page, per_page, more=len(rows) > per_page)
    return _answer(call, items, count, page, per_page)


def paged(call: Call, items: Sequence[Any], shape: Shape) -> Response:
    """A page of what is in memory."""
    page, per_page = _asked(call)
    return _answer(call, [shape(item) for item in on_page(call, items)], len(items), page, per_page)


def on_page(call: Call, items: Sequence[Item]) -> Sequence[Item]:
    """Those of the items that are on the page asked for."""
    page, per_page = _asked(call)
    return items[(page - 1) * per_page : page * per_page]


def uncounted(call: Call, found: Callable[[int, int], Sequence[Any]], shape: Shape) -> Response:
    """A page of what is found from `skip` on, `limit` at most; how many there are in all is not looked for."""
    page, per_page = _asked(call)
    items = found((page - 1) * per_page, per_page + 1)
    return _answer(call, [shape(item) for item in items[:per_page]], None, page, per_page, len(items) > per_page)


def window(call: Call) -> tuple[int, int]:
    """What a page without count needs: how many to skip, and one more than the page holds."""
    page, per_page = _asked(call)
    return (page - 1) * per_page, per_page + 1


def _asked(call: Call) -> tuple[int, int]:
    page = call.integer("page", 1) or 0
    per_page = call.integer("per_page", PER_PAGE) or 0
    if page < 1:
        raise wrong_parameter("page does not have a valid value")
    if per_page < 1:
        raise wrong_parameter("per_page has a value not allowed")
    return page, min(per_page, MOST_PER_PAGE)


def _keyset(call: Call, query: sa.Select[Any], shape: Shape, keys: Columns) -> Response:
    """Rows after the one that the cursor names, by one column and the id."""
    by = call.text("order_by") or "id"
    if by not in keys:
        raise Refusal(405, {"error": NO_KEYSET})
    _, per_page = _asked(call)
    column, number = keys[by], keys["id"]
    descending = (call.choice("sort", ("asc", "desc"), "desc") or "desc") == "desc"
    if cursor := call.text("cursor"):
        last = _read_cursor(cursor)
        place = sa.tuple_(column, number)
        seen = sa.tuple_(sa.literal(last[0]), sa.literal(last[1]))
        query = query.where(place < seen if descending else place > seen)
    order = [column.desc(), number.desc()] if descending else [column, number]
    rows = call.instance.database.all(query.order_by(*order).limit(per_page + 1))
    response = call.json([shape(row) for row in rows[:per_page]])
    if len(rows) > per_page:
        end = rows[per_page - 1]
        text = msgspec.json.encode([getattr(end, column.key or "id"), end.id])
        following = base64.urlsafe_b64encode(text).decode()
        response.headers["Link"] = f'<{_url(call, {"cursor": following})}>; rel="next"'
    return response


def _read_cursor(text: str) -> tuple[str | int | float | None, int]:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=tuple[str | int | float | None, int])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise wrong_parameter("cursor is invalid") from None


def _answer(
    call: Call, items: list[Any], total: int | None, page: int, per_page: int, more: bool = False
) -> Response:
    pages = None if total is None else max(1, -(-total // per_page))
    following = more if pages is None else page < pages
    links = [("prev", page - 1)] if page > 1 and (pages is None or page <= pages + 1) else []
    links += [("next", page + 1)] if following else []
    links += [("first", 1)] + ([("last", pages)] if pages is not None else [])
    headers = {
        "X-Page": str(page),
        "X-Per-Page": str(per_page),
        "X-Next-Page": str(page + 1) if following else "",
        "X-Prev-Page": str(page - 1) if page > 1 else "",
        "Link": ", ".join(
            f'<{_url(call, {"page": str(number), "per_page": str(per_page)})}>; rel="{rel}"'
            for rel, number in links
        ),
    }
    if total is not None:
        headers |= {"X-Total": str(total), "X-Total-Pages": str(pages)}
    response = call.json(items)
    response.headers.update(headers)
    return response


def _url(call: Call, values: dict[str, str]) -> str:
    """The address of another page: this call's, with these parameters instead of its own."""
    own = [(key, value) for key, value in call.request.query_params.multi_items() if key not in values]
    query = urlencode(sorted([*own, *values.items()]))
    host = call.request.headers.get("host", call.request.url.netloc)
    scheme = call.instance.settings.url.partition("://")[0]
    return f"{scheme}://{quote(host, safe=':[]')}{call.request.scope['raw_path'].decode()}?{query}"
