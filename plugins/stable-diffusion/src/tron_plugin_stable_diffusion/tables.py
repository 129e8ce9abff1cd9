"""The plugin's tables, as its newest migration leaves them. Times are seconds since the epoch."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

models = Table(
    "stable_diffusion_models",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("description", String(500), nullable=False),
    Column("kind", String(16), nullable=False, comment="base, or refiner"),
    Column("approved", Boolean, nullable=False, comment="only then people may ask for it"),
    Column("preference", Integer, nullable=False, comment="the lowest that a worker has is the default"),
    Column("added_by", String(96), nullable=False),
    Column("added_at", Double, nullable=False),
    Column("resolution", String(9)),
    Column("steps", Integer),
    Column("min_steps", Integer),
    Column("max_steps", Integer),
    Column("guidance", Double),
    Column("positive_prompt", Text),
    Column("negative_prompt", Text),
    Column("scheduler", String(32)),
    Column("gpu_memory_mb", Integer, nullable=False),
    Column("facts", Text, nullable=False, comment="JSON: what Hugging Face said of it"),
)

schedulers = Table(
    "stable_diffusion_schedulers",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("class_name", String(64), nullable=False, comment="a class of diffusers"),
    Column("args", Text, nullable=False, comment="JSON: what the class's configuration is changed by"),
    Column("description", String(500), nullable=False),
    Column("min_steps", Integer),
    Column("max_steps", Integer),
    Column("uses", Text, nullable=False, comment="JSON: a list of what it is good for"),
)

allowed_models = Table(
    "stable_diffusion_allowed_models",
    metadata,
    Column("guild", String(20), primary_key=True),
    Column("model", String(128), primary_key=True),
    comment="a guild without a row may use every approved model",
)

history = Table(
    "stable_diffusion_history",
    metadata,
    Column("job", String(26), primary_key=True),
    Column("requester", String(96), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("model", String(128), nullable=False),
    Column("pictures", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Index("ix_stable_diffusion_history_requester_made_at", "requester", "made_at"),
)
