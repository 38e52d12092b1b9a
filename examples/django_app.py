"""Django with its own live dashboard at /live: ``uvicorn django_app:app``, from this folder."""

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from starlette.applications import Starlette
from starlette.routing import Mount

from tickboard import Board, TickboardMiddleware

# In a project of yours this is in settings.py: `tickboard.django_routes` is all that is added.
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=["tickboard.django_routes"])

board = Board("My service")
orders = board.counter("orders", "Orders", unit="/s")


async def item(request: HttpRequest, item_id: int) -> JsonResponse:
    """Show an item."""
    return JsonResponse({"item": item_id})


def order(request: HttpRequest) -> JsonResponse:
    """Take an order, and count it."""
    orders.inc()
    return JsonResponse({"status": "taken"})


urlpatterns = [path("items/<int:item_id>", item), path("orders", order)]

# And this is in asgi.py.
measured = TickboardMiddleware(get_asgi_application(), board)
app = Starlette(routes=[Mount("/live", board), Mount("/", measured)], lifespan=board.lifespan)
