"""What tells that a router's clock or zone was set, and that its files are in doubt since."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    ALTER TABLE last_readings
        -- The router's own time zone; NULL: not known yet.
        ADD router_zone VARCHAR(64),
        -- Periods, by their first day, whose files may hold what was counted already under another name.
        ADD doubted     DATE[] NOT NULL DEFAULT '{}';
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE last_readings DROP router_zone, DROP doubted;")
