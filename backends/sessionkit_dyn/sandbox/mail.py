"""Message Management: `/rest/json/...`, with its own key, envelope and codes."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse

from sessionkit_dyn.sandbox import tables

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from sessionkit.sandbox import Host

Arguments = dict[str, str]

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_BRACKETED = re.compile(r"[^\s'\"\[\](),<>]+@[^\s'\"\[\](),<>]+")

_PAGE = 25
_MESSAGES = {
    200: "OK",
    404: "Not Found",
    451: "Missing or Invalid API Key",
    452: "Missing or Invalid Required Fields",
    453: "Object Already Exists",
}

#: Report -> the kinds of items it lists, and whether it can count each recipient once.
_REPORTS = {
    "sent": False,
    "delivered": False,
    "bounces": False,
    "complaints": False,
    "issues": False,
    "opens": True,
    "clicks": True,
}


class MailError(Exception):
    """The service says no, with one of its codes."""

    def __init__(self, status: int) -> None:
        super().__init__(_MESSAGES[status])
        self.status = status


class MailApi:
    """Answers `/rest/json/...`."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def answer(self, request: Request) -> JSONResponse:
        """Answer one request; the HTTP status is the code, as far as HTTP has it."""
        path = request.url.path.removeprefix("/rest/json").strip("/")
        args = dict(parse_qsl(request.url.query.replace("?", "&"), keep_blank_values=True))
        if request.method == "POST":
            body = (await request.body()).decode("utf-8", "replace")
            args.update(parse_qsl(body, keep_blank_values=True))
        status, data = 200, {}
        try:
            with self._host.db:
                data = self._answer(request.method, path, args)
        except MailError as error:
            status = error.status
        envelope = {"response": {"status": status, "message": _MESSAGES[status], "data": data}}
        return JSONResponse(envelope, status)

    def _answer(self, method: str, path: str, args: Arguments) -> Any:
        key = args.pop("apikey", "")
        known = tables.one(self._host.db, "SELECT 1 AS x FROM dyn_mail_account WHERE apikey = ?", key)
        if known is None:
            raise MailError(451)
        handler = _HANDLERS.get((method, path))
        if handler is None and path.startswith("reports/") and method == "GET":
            return _report(Mailbox(self._host, key), path.removeprefix("reports/"), args)
        if handler is None:
            raise MailError(404)
        return handler(Mailbox(self._host, key), args)


class Mailbox:
    """One account's senders, recipients, suppressions and messages."""

    def __init__(self, host: Host, key: str) -> None:
        self.db: sqlite3.Connection = host.db
        self.key = key
        self.now = host.clock.time()

    def add(self, kind: str, address: str, content: Mapping[str, Any] | None = None) -> int:
        """Keep an item: a sender, a suppression, a message; returns its id."""
        return tables.insert(
            self.db,
            "mail_item",
            apikey=self.key,
            kind=kind,
            address=address,
            at=self.now,
            content=dict(content or {}),
        )

    def find(self, kind: str, address: str | None = None) -> list[dict[str, Any]]:
        """Items of a kind, or those of an address, oldest first."""
        query = "SELECT * FROM dyn_mail_item WHERE apikey = ? AND kind = ? AND (? IS NULL OR address = ?)"
        found = tables.rows(self.db, f"{query} ORDER BY item_id", self.key, kind, address, address)
        return [{**row, "content": json.loads(row["content"])} for row in found]

    def one(self, kind: str, address: str) -> dict[str, Any]:
        """The item of an address; 404 when there is none."""
        found = self.find(kind, address)
        if not found:
            raise MailError(404)
        return found[0]

    def change(self, item: Mapping[str, Any], **content: Any) -> None:
        """Change some of an item's content."""
        self.db.execute(
            "UPDATE dyn_mail_item SET content = ? WHERE item_id = ?",
            [json.dumps({**item["content"], **content}), item["item_id"]],
        )

    def remove(self, kind: str, address: str) -> bool:
        """Drop the items of an address; returns whether there were any."""
        query = "DELETE FROM dyn_mail_item WHERE apikey = ? AND kind = ? AND address = ?"
        return self.db.execute(query, [self.key, kind, address]).rowcount > 0


#: What a new sender or recipient starts with.
NEW: dict[str, dict[str, Any]] = {
    "sender": {"seeding": 0, "dkim": "", "status": "ready"},
    "recipient": {"status": "active"},
}


def _need(args: Arguments, name: str) -> str:
    value = args.get(name, "").strip()
    if not value:
        raise MailError(452)
    return value


def _need_address(args: Arguments, name: str = "emailaddress") -> str:
    value = _need(args, name)
    if not _ADDRESS.fullmatch(value):
        raise MailError(452)
    return value


def _page(args: Arguments, items: list[Any]) -> list[Any]:
    """A page of 25, from `startindex`."""
    start = args.get("startindex", "0")
    if not start.isdigit():
        raise MailError(452)
    return items[int(start) : int(start) + _PAGE]


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))


def _within(args: Arguments, items: list[dict[str, Any]], first: str, last: str) -> list[dict[str, Any]]:
    """Items between two ISO dates, either of which may be missing."""
    begin, end = args.get(first, ""), args.get(last, "")
    kept = []
    for item in items:
        day = _day(item["at"])
        if (not begin or day[: len(begin)] >= begin[:19]) and (not end or day[:19] <= _last_moment(end)):
            kept.append(item)
    return kept


def _last_moment(end: str) -> str:
    return f"{end}T23:59:59" if len(end) == 10 else end[:19]


def _accounts(box: Mailbox, args: Arguments) -> Any:
    found = tables.rows(box.db, "SELECT * FROM dyn_mail_account ORDER BY rowid")
    listed = [{**json.loads(row["content"]), "apikey": row["apikey"]} for row in found]
    return {"accounts": _page(args, listed)}


def _save_account(box: Mailbox, args: Arguments) -> Any:
    name = _need_address(args, "username")
    for field in ("password", "companyname", "phone"):
        _need(args, field)
    content = {field: value for field, value in args.items() if field != "password"}
    for row in tables.rows(box.db, "SELECT * FROM dyn_mail_account"):
        if json.loads(row["content"]).get("username") == name:
            raise MailError(453)
    key = f"key-{abs(hash((name, box.now))):032x}"
    tables.insert(box.db, "mail_account", apikey=key, content=content)
    return {**content, "apikey": key}


def _delete_account(box: Mailbox, args: Arguments) -> Any:
    name = _need(args, "username")
    for row in tables.rows(box.db, "SELECT * FROM dyn_mail_account"):
        if json.loads(row["content"]).get("username") == name and row["apikey"] != box.key:
            box.db.execute("DELETE FROM dyn_mail_account WHERE apikey = ?", [row["apikey"]])
            return {}
    raise MailError(404)


def _xheaders(box: Mailbox, _: Arguments) -> Any:
    row = tables.one(box.db, "SELECT xheaders FROM dyn_mail_account WHERE apikey = ?", box.key)
    names = json.loads(row["xheaders"]) if row else []
    return {f"xheader{number}": name for number, name in enumerate([*names, "", "", "", ""][:4], 1)}


def _save_xheaders(box: Mailbox, args: Arguments) -> Any:
    names = [args.get(f"xheader{number}", "") for number in range(1, 5)]
    box.db.execute("UPDATE dyn_mail_account SET xheaders = ? WHERE apikey = ?", [json.dumps(names), box.key])
    return _xheaders(box, args)


def _senders(box: Mailbox, args: Arguments) -> Any:
    listed = [{"emailaddress": item["address"]} for item in box.find("sender")]
    return {"senders": _page(args, listed)}


def _add_sender(box: Mailbox, args: Arguments) -> Any:
    address = _need_address(args)
    seeding = {"seeding": int(args["seeding"])} if args.get("seeding", "").isdigit() else {}
    existing = box.find("sender", address)
    if existing and not seeding:
        raise MailError(453)
    if existing:
        box.change(existing[0], **seeding)
    else:
        box.add("sender", address, {**NEW["sender"], **seeding})
    return {}


def _sender_details(box: Mailbox, args: Arguments) -> Any:
    item = box.one("sender", _need(args, "emailaddress"))
    content = {name: value for name, value in item["content"].items() if name != "status"}
    return {"emailaddress": item["address"], "issetup": 1, **content}


def _sender_status(box: Mailbox, args: Arguments) -> Any:
    item = box.one("sender", _need(args, "emailaddress"))
    return {"ready": int(item["content"].get("status") == "ready")}


def _dkim(box: Mailbox, args: Arguments) -> Any:
    item = box.one("sender", _need(args, "emailaddress"))
    name = _need(args, "dkim")
    box.change(item, dkim=name)
    return {
        "dkimrecord": f"{name}._domainkey.{item['address'].split('@')[1]}",
        "dkimval": "k=rsa; p=c2FuZGJveA==",
    }


def _delete_sender(box: Mailbox, args: Arguments) -> Any:
    if not box.remove("sender", _need(args, "emailaddress")):
        raise MailError(404)
    return {}


def _recipient_status(box: Mailbox, args: Arguments) -> Any:
    addresses = _BRACKETED.findall(_need(args, "emailaddress"))
    suppressed = {item["address"] for item in box.find("suppression")}
    return {
        "recipients": [
            {"emailaddress": address, "status": "inactive" if address in suppressed else "active"}
            for address in addresses
        ]
    }


def _activate(box: Mailbox, args: Arguments) -> Any:
    addresses = _BRACKETED.findall(_need(args, "emailaddress"))
    if not addresses:
        raise MailError(452)
    for address in addresses:
        box.remove("suppression", address)
    return {}


def _suppressions(box: Mailbox, args: Arguments) -> Any:
    items = _within(args, box.find("suppression"), "startdate", "enddate")
    listed = [
        {"emailaddress": item["address"], "reasontype": "complaint", "suppresstime": _day(item["at"])}
        for item in items
    ]
    return {"suppressions": _page(args, listed)}


def _suppression_count(box: Mailbox, args: Arguments) -> Any:
    return {"count": len(_within(args, box.find("suppression"), "startdate", "enddate"))}


def _suppress(box: Mailbox, args: Arguments) -> Any:
    addresses = _BRACKETED.findall(_need(args, "emailaddress"))
    if not addresses:
        raise MailError(452)
    for address in addresses:
        if not box.find("suppression", address):
            box.add("suppression", address)
    return {}


def _send(box: Mailbox, args: Arguments) -> Any:
    sender = _need(args, "from")
    recipients = _BRACKETED.findall(_need(args, "to"))
    _need(args, "subject")
    if not recipients or not (args.get("bodytext") or args.get("bodyhtml")):
        raise MailError(452)
    known = {item["address"] for item in box.find("sender")}
    if not known.intersection(_BRACKETED.findall(sender)):
        raise MailError(452)
    suppressed = {item["address"] for item in box.find("suppression")}
    content = {**args, "from": _BRACKETED.findall(sender)[0]}
    for address in recipients:
        box.add("sent", address, content)
        box.add("issues" if address in suppressed else "delivered", address, content)
    return f"{len(recipients)} message(s) queued"


def _report(box: Mailbox, path: str, args: Arguments) -> Any:
    """A report, its count, its unique recipients, or the count of those."""
    name, *extra = path.split("/")
    unique = "unique" in extra
    if name not in _REPORTS or set(extra) - {"count", "unique"} or (unique and not _REPORTS[name]):
        raise MailError(404)
    items = _within(args, box.find(name), "starttime", "endtime")
    items = [item for item in items if _matches(item, args)]
    if unique:
        items = list({item["address"]: item for item in items}.values())
    if "count" in extra:
        return {"count": len(items)}
    return {name: _page(args, [_reported(item) for item in items])}


def _matches(item: Mapping[str, Any], args: Arguments) -> bool:
    sender = item["content"].get("from", "")
    return (
        (not args.get("sender") or sender == args["sender"])
        and (not args.get("recipient") or item["address"] == args["recipient"])
        and (not args.get("domain") or item["address"].endswith(f"@{args['domain']}"))
    )


def _reported(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "emailaddress": item["address"],
        "senderaddress": item["content"].get("from", ""),
        "subject": item["content"].get("subject", ""),
        "senttime": _day(item["at"]),
        "xheaders": item["content"].get("xheaders", ""),
    }


_HANDLERS: dict[tuple[str, str], Callable[[Mailbox, Arguments], Any]] = {
    ("GET", "accounts"): _accounts,
    ("POST", "accounts"): _save_account,
    ("POST", "accounts/delete"): _delete_account,
    ("GET", "accounts/xheaders"): _xheaders,
    ("POST", "accounts/xheaders"): _save_xheaders,
    ("GET", "senders"): _senders,
    ("POST", "senders"): _add_sender,
    ("GET", "senders/details"): _sender_details,
    ("GET", "senders/status"): _sender_status,
    ("POST", "senders/dkim"): _dkim,
    ("POST", "senders/delete"): _delete_sender,
    ("GET", "recipients/status"): _recipient_status,
    ("POST", "recipients/activate"): _activate,
    ("GET", "suppressions"): _suppressions,
    ("GET", "suppressions/count"): _suppression_count,
    ("POST", "suppressions"): _suppress,
    ("POST", "suppressions/activate"): _activate,
    ("POST", "send"): _send,
}
