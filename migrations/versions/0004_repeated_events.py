"""Events that happen again and again are one that says how often; the latest events and stretches are found at once."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- How often it happened from start_at to end_at, where it did so again and again.
    ALTER TABLE events ADD times INTEGER NOT NULL DEFAULT 1;

    -- What touches a range of days ended after its start: the primary keys, by start, would have all that came before.
    CREATE INDEX idx_events_end ON events (router_id, end_at);
    CREATE INDEX idx_coverage_end ON coverage (router_id, end_at);
    """)


def downgrade() -> None:
    op.execute("""
    DROP INDEX idx_coverage_end, idx_events_end;
    ALTER TABLE events DROP times;
    """)
