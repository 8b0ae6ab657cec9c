"""`SessionAuthentication`: a session's credential for the `requests` library."""

from __future__ import annotations

from requests.auth import AuthBase

from sessionkit_review.protocol import KeyAuth


class SessionAuthentication(KeyAuth, AuthBase):
    """Signs requests with a user and an API key, in two headers; never in the URL.

    >>> requests.get(f"{server}/component/get", {"id": component_id},
    ...              auth=SessionAuthentication(api_key, "jenkins"))
    """
