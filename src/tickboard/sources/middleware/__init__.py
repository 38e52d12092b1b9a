"""The middleware: wraps an existing application to measure it.

`TickboardMiddleware` is for ASGI, `TickboardWSGIMiddleware` for WSGI; `django_routes` goes into Django's settings.
"""

from tickboard.sources.middleware.asgi import Application, Message, Receive, Scope, Send, TickboardMiddleware
from tickboard.sources.middleware.django import django_routes
from tickboard.sources.middleware.requests import HasRegistry
from tickboard.sources.middleware.wsgi import TickboardWSGIMiddleware, WSGIApplication

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
