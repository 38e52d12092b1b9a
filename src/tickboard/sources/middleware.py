"""The middleware: what an application that is there already puts around itself to be measured.

`TickboardMiddleware` is for ASGI, `TickboardWSGIMiddleware` for WSGI; `django_routes` goes into Django's settings.
"""

from tickboard.sources.asgi import Application, Message, Receive, Scope, Send, TickboardMiddleware
from tickboard.sources.django import django_routes
from tickboard.sources.requests import HasRegistry
from tickboard.sources.wsgi import TickboardWSGIMiddleware, WSGIApplication

__all__ = [
    "Application",
    "HasRegistry",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "TickboardMiddleware",
    "TickboardWSGIMiddleware",
    "WSGIApplication",
    "django_routes",
]
