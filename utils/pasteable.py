"""Commands for a person to paste into a shell that reaches this server. Nothing runs them here."""

import json
from shlex import quote

#: Where the server is reached unless HOST, PORT or PUBLIC_URL say otherwise.
DEFAULT_BASE_URL = "http://127.0.0.1:5000"


def accept_host_key(base_url: str, router_id: str, fingerprint: str) -> str:
    """Has the router's new host key pinned. ``fingerprint``: as ssh-keygen -l prints it."""
    url = quote(f"{base_url}/api/routers/{router_id}/host-key")
    return f"curl {url} -H 'Content-Type: application/json' -d {quote(json.dumps({'fingerprint': fingerprint}))}"
