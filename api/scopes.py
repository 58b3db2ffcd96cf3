"""Which scope each route needs: one of those that stand here, or none where the door is open."""

from collections.abc import Mapping, Sequence

from runtime.auth.caller import Scope

_OPEN: Sequence[Scope] = ()
_WRITE: Sequence[Scope] = ("items:write",)

NEEDED: Mapping[tuple[str, str], Sequence[Scope]] = {
    ("POST", "/items"): _WRITE,
    ("POST", "/items/batch"): _WRITE,
    ("PUT", "/items/{item_id}"): _WRITE,
    ("PATCH", "/items/{item_id}"): _WRITE,
    ("DELETE", "/items/{item_id}"): _WRITE,
    ("POST", "/items/{item_id}/restore"): _WRITE,
    ("POST", "/items/{item_id}/revert"): _WRITE,
    ("POST", "/items/{item_id}/scheduled-prices"): _WRITE,
    ("DELETE", "/items/{item_id}/scheduled-prices/{schedule_id}"): _WRITE,
    ("POST", "/imports"): _WRITE,
    ("POST", "/imports/{import_id}/pause"): _WRITE,
    ("POST", "/imports/{import_id}/resume"): _WRITE,
    ("POST", "/imports/{import_id}/cancel"): _WRITE,
    ("POST", "/imports/{import_id}/revert"): _WRITE,
    ("POST", "/dead/{command_id}/replay"): ("ops",),
    ("POST", "/dead/{command_id}/discard"): ("ops",),
    ("GET", "/metrics"): ("ops",),
    ("HEAD", "/metrics"): ("ops",),
    ("GET", "/health/live"): _OPEN,
    ("HEAD", "/health/live"): _OPEN,
    ("GET", "/health/ready"): _OPEN,
    ("HEAD", "/health/ready"): _OPEN,
    ("GET", "/problems"): _OPEN,
    ("HEAD", "/problems"): _OPEN,
    ("GET", "/problems/{code}"): _OPEN,
    ("HEAD", "/problems/{code}"): _OPEN,
    ("GET", "/openapi.json"): _OPEN,
    ("HEAD", "/openapi.json"): _OPEN,
    ("GET", "/docs"): _OPEN,
    ("HEAD", "/docs"): _OPEN,
    ("GET", "/docs/{asset}"): _OPEN,
    ("HEAD", "/docs/{asset}"): _OPEN,
}
# Who tells when something took effect could change what prices were.
TIMES: Sequence[Scope] = ("ops",)
