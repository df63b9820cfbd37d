"""Whether a router's counters stand still, beside its last success: every answer says how fresh it is."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- As of the last stored reading: no counter has moved for so long that nobody counts.
    ALTER TABLE routers ADD COLUMN is_frozen BOOLEAN NOT NULL DEFAULT false;
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE routers DROP COLUMN is_frozen")
