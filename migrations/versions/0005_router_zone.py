"""The time zone that a router told at its last reading, so that a change of it is noticed."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- NULL: not known yet.
    ALTER TABLE last_readings ADD router_zone VARCHAR(64);
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE last_readings DROP router_zone;")
