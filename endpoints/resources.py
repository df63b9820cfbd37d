"""Every resource that is served, in the order in which the API's document lists them."""

from endpoints.analytics import analytics
from endpoints.auth import auth
from endpoints.device_usage import device_usage
from endpoints.devices import devices
from endpoints.docs import docs
from endpoints.events import events
from endpoints.export import export
from endpoints.health import health
from endpoints.people import people
from endpoints.periods import periods
from endpoints.protocols import protocols
from endpoints.reports import reports
from endpoints.routers import routers
from endpoints.sign_in import sign_in

BLUEPRINTS = (
    devices,
    people,
    device_usage,
    events,
    periods,
    protocols,
    analytics,
    export,
    reports,
    routers,
    sign_in,
    auth,
    health,
    docs,
)
