"""Sending mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sessionkit_dyn.errors import DynectInvalidArgumentError
from sessionkit_dyn.mm.resource import Resource, ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessionkit_dyn.mm.session import MMSession


def send_message(
    from_field: str,
    to: str | Iterable[str],
    subject: str,
    cc: str | Iterable[str] | None = None,
    body: str | None = None,
    html: str | None = None,
    replyto: str | None = None,
    xheaders: Mapping[str, Any] | None = None,
    *,
    session: MMSession | None = None,
) -> Any:
    """Send a message; returns what the service says of it.

    >>> send_message("news@example.test", ["kim@example.test"], "Hello", body="Good morning.")

    A message whose answer is lost is not sent again: that could send it twice.

    Args:
        from_field: The sender, approved before (`accounts.ApprovedSender`); a name may stand before it:
            `"News" <news@example.test>`.
        to: One recipient or several.
        subject: The subject.
        cc: Who gets a copy.
        body: The text.
        html: The HTML.
        replyto: Where answers go.
        xheaders: The account's own headers, such as `{"X-demo": "1"}`.
        session: The session to use instead of the current one.

    Raises:
        DynectInvalidArgumentError: neither `body` nor `html`; nothing was sent.
        EmailInvalidArgumentError: the service misses something, or does not know the sender.
    """
    if body is None and html is None:
        raise DynectInvalidArgumentError("body", None, problem="a message needs body= or html=")
    args = {"to": to, "subject": subject, "cc": cc, "bodytext": body, "bodyhtml": html, "replyto": replyto}
    return ask(session, "POST", "/send", **{"from": from_field}, **args, xheaders=xheaders)


class EMail(Resource):
    """A message that can be sent any number of times.

    >>> EMail("news@example.test", "kim@example.test", "Hello", body="Good morning.").send()

    Args: see `send_message`.
    """

    #: Whether what `send` is given as content is HTML.
    is_html: ClassVar[bool] = False

    def __init__(
        self,
        from_field: str,
        to: str | Iterable[str],
        subject: str,
        cc: str | Iterable[str] | None = None,
        body: str | None = None,
        html: str | None = None,
        replyto: str | None = None,
        xheaders: Mapping[str, Any] | None = None,
        *,
        session: MMSession | None = None,
    ) -> None:
        super().__init__(session)
        self.from_field = from_field
        self.to = to
        self.subject = subject
        self.cc = cc
        self.body = body
        self.html = html
        self.replyto = replyto
        self.xheaders = xheaders

    def send(self, content: str | None = None) -> Any:
        """Send it; returns what the service says.

        Args:
            content: What it says this time, instead of its body.
        """
        body, html = self.body, self.html
        if content is not None:
            body, html = (body, content) if self.is_html else (content, html)
        return send_message(
            self.from_field,
            self.to,
            self.subject,
            self.cc,
            body,
            html,
            self.replyto,
            self.xheaders,
            session=self._given,
        )


class HTMLEMail(EMail):
    """A message of HTML."""

    is_html = True


class TemplateEMail(EMail):
    """A message whose body is a template, filled in each time: `body % values`.

    >>> TemplateEMail("news@x.test", "kim@x.test", "Hello", body="Dear %s").send("Kim")
    """

    def send(self, *values: Any, **named: Any) -> Any:
        """Send it with `values` (or `named` ones) in its template.

        Raises:
            DynectInvalidArgumentError: they do not fit it; nothing was sent.
        """
        template = (self.html if self.is_html else self.body) or ""
        try:
            content = template % (named or values)
        except (TypeError, ValueError, KeyError) as error:
            raise DynectInvalidArgumentError(
                "values", values or named, problem=f"do not fit: {error}"
            ) from error
        return super().send(content)


class HTMLTemplateEMail(TemplateEMail):
    """A message whose HTML is a template."""

    is_html = True
