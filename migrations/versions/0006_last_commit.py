"""When nlbwmon last wrote the file of its running period, and what the next reading needs to ask for that."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    ALTER TABLE last_readings
        -- Where the router keeps nlbwmon's files, as it says.
        ADD database_directory VARCHAR(255),
        -- What the router calls the period: the day it begins on, or one that its month does not have.
        ADD period_name        VARCHAR(10),
        ADD last_commit_at     TIMESTAMPTZ;
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE last_readings DROP database_directory, DROP period_name, DROP last_commit_at;")
