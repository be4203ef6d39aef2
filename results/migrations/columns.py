"""Types of columns as the migrations write them; those of `results.schema` may change, these may not."""

from __future__ import annotations

import sqlalchemy as sa

WORD = sa.String(16)
NAME = sa.String(255)
TIME = sa.DateTime(timezone=True)
NESTED = sa.JSON(none_as_null=True)
