"""The composition root: builds pools, services and endpoints from the configuration, and is the command line.

    python server.py serve [--demo] [--host H] [--port P]    web and collector; migrates first
    python server.py collect                                 the collector alone
    python server.py migrate                                 migrations alone
"""

import argparse
import logging
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Any

from apiflask import APIFlask
from flask_cors import CORS
from waitress.server import create_server

from commands_server_operations.router_connection_manager import RouterConnectionManager
from db_operations.database import Database
from db_operations.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from db_operations.migrations import migrate
from endpoints.answers import register_error_handlers
from endpoints.app_services import AppServices
from endpoints.auth import auth
from endpoints.common_schemas import Failure
from endpoints.device_usage import device_usage
from endpoints.docs import docs
from endpoints.health import health
from endpoints.middleware import MAX_BODY_BYTES, register_middleware
from endpoints.routers import routers
from services.accounts import LOCAL_SESSION_ID, ensure_local_user, get_user
from services.credentials import Credentials, CredentialVault, load_or_create_key
from services.device_usage_collector import DeviceUsageCollector
from services.device_usage_service import DeviceUsageService
from services.retention import RetentionService
from services.router_readings import ReadingTaker
from services.routers import RouterRegistration, RouterService, pin_host_key
from services.scheduler import make_scheduler
from services.status import StatusService
from services.usage_history import UsageHistoryService
from services.usage_summary import UsageSummaryService
from utils.config import Config, ConfigurationError, load_config
from utils.errors import DatabaseUnavailable
from utils.logs import set_up_logging
from utils.time import Clock, utc_now

logger = logging.getLogger("netpilot")

#: Web threads. A request that waits for a router holds one, so there are more than cores.
WEB_THREADS = 32

#: How long a stopping server waits for collections that run before it cuts them off.
STOP_GRACE_S = 5.0
