"""How long things are kept: usage, the audit log, browsers that are signed in. Called once a day by the scheduler."""

import logging
from datetime import datetime, timedelta

from db_operations import audit_db
from db_operations.database import Database
from db_operations.device_usage_db import CleanupResult, cleanup_old_data
from services.accounts.sessions import SessionService
from utils.time import Clock

logger = logging.getLogger(__name__)


class RetentionService:
    """Removes what is older than the configured number of days; 0 keeps that kind for ever."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sessions: SessionService,
        *,
        raw_days: int,
        hourly_days: int,
        daily_days: int,
        audit_days: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sessions = sessions
        self._raw_days = raw_days
        self._hourly_days = hourly_days
        self._daily_days = daily_days
        self._audit_days = audit_days

    def clean_up(self) -> CleanupResult:
        """One pass over every account; what it removed of usage. Raises DatabaseUnavailable."""
        now = self._clock()
        self._clean_up_accounts(now)
        with self._database.transaction(timeout_s=600) as conn:
            result = cleanup_old_data(
                conn,
                raw_before=now - timedelta(days=self._raw_days) if self._raw_days else None,
                hourly_before=now - timedelta(days=self._hourly_days) if self._hourly_days else None,
                daily_before=(now - timedelta(days=self._daily_days)).date() if self._daily_days else None,
            )
        logger.info(
            "clean-up: %d day(s) of raw rows, %d hourly and %d daily rows removed",
            result.raw_partitions,
            result.hourly_rows,
            result.daily_rows,
        )
        return result

    def _clean_up_accounts(self, now: datetime) -> None:
        ended, old = self._sessions.clean_up(), 0
        if self._audit_days:
            with self._database.transaction(timeout_s=600) as conn:
                old = audit_db.delete_old_audit(conn, before=now - timedelta(days=self._audit_days))
        logger.info("clean-up: %d ended sign-ins and %d audit entries removed", ended, old)
