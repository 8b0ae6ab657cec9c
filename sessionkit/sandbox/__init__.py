"""A local server that speaks the services' real protocols: `Sandbox`, and `Service` to add one of your own.

Needs `pip install sessionkit[sandbox]` (Starlette and uvicorn).
"""

from sessionkit.sandbox.command import sandbox_main
from sessionkit.sandbox.host import Sandbox
from sessionkit.sandbox.journal import Received
from sessionkit.sandbox.service import Host, Service

__all__ = ["Host", "Received", "Sandbox", "Service", "sandbox_main"]
