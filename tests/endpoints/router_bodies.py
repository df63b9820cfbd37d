"""What registers a router, and what is answered of one."""

from simulator.ssh_server import HostedRouter

ROUTER = {
    *("id", "name", "host", "port", "username", "hostKeyFingerprint", "presentedHostKeyFingerprint", "timezone"),
    *("collectIntervalMinutes", "createdAt"),
}


def body_for(hosted: HostedRouter, **fields: object) -> dict[str, object]:
    return {"name": "Home", "host": hosted.host, "port": hosted.port, "password": hosted.password, **fields}
