"""Django whose users see its dashboard at /live.

``python django_login.py`` makes the database, ``uvicorn django_login:app`` serves it, both from this folder.
"""

import json
import os

from django.conf import settings
from django.contrib.auth import authenticate, get_user, get_user_model, login, logout
from django.contrib.sessions.backends.db import SessionStore
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.urls import path
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from starlette.types import Scope

from tickboard import Board

# In a project of yours this is in settings.py, with protection against CSRF and a secret key of your own.
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY=os.environ.get("SECRET_KEY", "only for this example"),
    INSTALLED_APPS=[f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions")],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DATABASE", "example.sqlite")}
    },
)


def authorize(scope: Scope) -> tuple[str, str] | None:
    """Say who asks for the board. It reads the session each time, so that a logout ends open pages."""
    close_old_connections()
    request = HttpRequest()
    request.session = SessionStore(HTTPConnection(scope).cookies.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    return ("operator" if user.is_staff else "viewer", user.get_username()) if user.is_authenticated else None


def log_in(request: HttpRequest) -> HttpResponse:
    """Log somebody in. Yours is a page."""
    sent = json.loads(request.body)
    user = authenticate(request, username=sent["name"], password=sent["password"])
    if user is None:
        return HttpResponse(status=401)
    login(request, user)
    return HttpResponse()


def log_out(request: HttpRequest) -> HttpResponse:
    """Log somebody out, and end their open pages of the board within seconds."""
    logout(request)
    return HttpResponse()


urlpatterns = [path("login", log_in), path("logout", log_out)]

# And this is in asgi.py.
board = Board("My service", authorize=authorize)
board.counter("orders", "Orders", unit="/s")
app = Starlette(routes=[Mount("/live", board), Mount("/", get_asgi_application())], lifespan=board.lifespan)

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    for name, password in (("ann", "correct horse battery"), ("bob", "staple of the horse")):
        get_user_model().objects.create_user(name, password=password, is_staff=name == "ann")
