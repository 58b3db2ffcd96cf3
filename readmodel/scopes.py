"""Which scope each resource needs: one of those that stand here, or none where the door is open."""

from collections.abc import Mapping, Sequence

from runtime.auth.caller import Scope

_OPEN: Sequence[Scope] = ()
_READ: Sequence[Scope] = ("items:read",)

NEEDED: Mapping[str, Sequence[Scope]] = {
    "/items": _READ,
    "/items/<item_id>": _READ,
    "/items/<item_id>/history": _READ,
    "/items/<item_id>/diff": _READ,
    "/items/<item_id>/prices": _READ,
    "/items/<item_id>/prior-price": _READ,
    "/items/<item_id>/scheduled-prices": _READ,
    "/items/<item_id>/scheduled-prices/<schedule_id>": _READ,
    "/stats": _READ,
    "/views/<name>": _READ,
    # Whoever commands may see what became of it.
    "/commands/<command_id>": ("items:read", "items:write"),
    "/imports": ("items:read", "items:write"),
    "/imports/<import_id>": ("items:read", "items:write"),
    "/imports/<import_id>/rows": ("items:read", "items:write"),
    "/changes": _READ,
    "/changes/stream": _READ,
    "/exports/items": _READ,
    "/schemas/events": _OPEN,
    "/schemas/events/<type_name>/<version>": _OPEN,
    # How far behind the items are is told to whoever reads them, not only to operators.
    "/status": ("ops", "items:read"),
    "/metrics": ("ops",),
    "/health/live": _OPEN,
    "/health/ready": _OPEN,
    "/problems": _OPEN,
    "/problems/<code>": _OPEN,
    "/openapi.json": _OPEN,
    "/docs": _OPEN,
    "/docs/<asset>": _OPEN,
    # Pages for people: as what they show.
    "/": _OPEN,
    "/ui/assets/<asset_edition>/<name>": _OPEN,
    "/ui/sign-in": _OPEN,
    "/ui/sign-out": _OPEN,
    "/ui/": _READ,
    "/ui/operations": ("ops", "items:read"),
    "/ui/feed": _READ,
    "/ui/imports": ("items:read", "items:write"),
    "/ui/imports/<import_id>": ("items:read", "items:write"),
    "/ui/imports/sent/<key>": ("items:read", "items:write"),
    "/ui/items/<item_id>": _READ,
    "/ui/items/<item_id>/diff": _READ,
}
