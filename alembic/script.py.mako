"""${message}"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """May be run again after it was interrupted: on MySQL each statement of a schema is committed by itself."""
    ${upgrades if upgrades else "pass"}
