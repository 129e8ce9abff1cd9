"""The catalogue of models and schedulers, which models each guild allows, and what was drawn."""

import json

import sqlalchemy as sa

from alembic import op

revision = "stable_diffusion_0001"
down_revision = None
branch_labels = None
depends_on = None

NEGATIVE = (
    "blurred, out of focus, low quality, compression artefacts, watermark, signature, written text, cut off at the "
    "edge, deformed hands, extra fingers, wrong anatomy"
)

MODELS = [
    {
        "name": "stabilityai/stable-diffusion-xl-base-1.0",
        "description": "SDXL: large pictures with much detail; wants a GPU of 8 GB or more",
        "kind": "base", "preference": 10, "resolution": "1024x1024", "steps": 30, "min_steps": 5, "max_steps": 100,
        "guidance": 6.0, "negative_prompt": NEGATIVE, "scheduler": "euler", "gpu_memory_mb": 6000,
    },
    {
        "name": "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "description": "Stable Diffusion 1.5: small and quick, with thousands of adapters",
        "kind": "base", "preference": 20, "resolution": "512x512", "steps": 25, "min_steps": 5, "max_steps": 100,
        "guidance": 7.5, "negative_prompt": NEGATIVE, "scheduler": "dpm++-2m-karras", "gpu_memory_mb": 0,
    },
    {
        "name": "stabilityai/stable-diffusion-xl-refiner-1.0",
        "description": "Draws the last steps of an SDXL picture: finer detail (--refiner)",
        "kind": "refiner", "preference": 100, "gpu_memory_mb": 6000,
    },
    {
        "name": "tron/shapes",
        "description": "Circles, squares and triangles where you say: ships with TRON and runs on any CPU",
        "kind": "base", "preference": 90, "steps": 20, "guidance": 5.0, "gpu_memory_mb": 0,
    },
]  # fmt: skip

EULER = {"timestep_spacing": "leading"}
DPM = {"algorithm_type": "dpmsolver++", "solver_order": 2}
SCHEDULERS = [
    ("euler", "EulerDiscreteScheduler", EULER, "Plain and dependable", (5, 150), ["everything"]),
    ("euler-a", "EulerAncestralDiscreteScheduler", EULER, "Adds noise in each step: lively, never settles", (5, 150),
     ["variety"]),
    ("heun", "HeunDiscreteScheduler", EULER, "Two looks a step: twice the time, finer", (5, 100), ["detail"]),
    ("ddim", "DDIMScheduler", {"timestep_spacing": "leading", "steps_offset": 1, "clip_sample": False,
     "set_alpha_to_one": False}, "The first quick one; smooth", (5, 150), ["variations"]),
    ("pndm", "PNDMScheduler", {"skip_prk_steps": True, "steps_offset": 1}, "What Stable Diffusion came with", (10, 150),
     ["everything"]),
    ("plms", "PNDMScheduler", {"skip_prk_steps": True, "steps_offset": 1}, "Another name of pndm", (10, 150),
     ["everything"]),
    ("dpm++-2m", "DPMSolverMultistepScheduler", {**DPM, "use_karras_sigmas": False}, "Good in 20 to 30 steps", (5, 100),
     ["everything"]),
    ("dpm++-2m-karras", "DPMSolverMultistepScheduler", {**DPM, "use_karras_sigmas": True},
     "As dpm++-2m, with more of its steps on detail", (5, 100), ["detail"]),
    ("dpm++-2m-sde", "DPMSolverMultistepScheduler", {**DPM, "algorithm_type": "sde-dpmsolver++",
     "use_karras_sigmas": True}, "Adds noise in each step: more texture", (10, 100), ["texture"]),
    ("unipc", "UniPCMultistepScheduler", {"solver_order": 2}, "Good in 10 to 20 steps", (5, 100), ["few steps"]),
    ("fast", "UniPCMultistepScheduler", {"solver_order": 2}, "Another name of unipc", (5, 100), ["few steps"]),
    ("deis", "DEISMultistepScheduler", {"solver_order": 2}, "Good in 15 to 25 steps", (5, 100), ["few steps"]),
    ("lcm", "LCMScheduler", {}, "For models and adapters that were distilled for it", (1, 12), ["distilled models"]),
]  # fmt: skip


def upgrade() -> None:
    models = op.create_table(
        "stable_diffusion_models",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("description", sa.String(500), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("approved", sa.Boolean, nullable=False),
        sa.Column("preference", sa.Integer, nullable=False),
        sa.Column("added_by", sa.String(96), nullable=False),
        sa.Column("added_at", sa.Double, nullable=False),
        sa.Column("resolution", sa.String(9)),
        sa.Column("steps", sa.Integer),
        sa.Column("min_steps", sa.Integer),
        sa.Column("max_steps", sa.Integer),
        sa.Column("guidance", sa.Double),
        sa.Column("positive_prompt", sa.Text),
        sa.Column("negative_prompt", sa.Text),
        sa.Column("scheduler", sa.String(32)),
        sa.Column("gpu_memory_mb", sa.Integer, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
    schedulers = op.create_table(
        "stable_diffusion_schedulers",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("class_name", sa.String(64), nullable=False),
        sa.Column("args", sa.Text, nullable=False),
        sa.Column("description", sa.String(500), nullable=False),
        sa.Column("min_steps", sa.Integer),
        sa.Column("max_steps", sa.Integer),
        sa.Column("uses", sa.Text, nullable=False),
    )
    op.create_table(
        "stable_diffusion_allowed_models",
        sa.Column("guild", sa.String(20), primary_key=True),
        sa.Column("model", sa.String(128), primary_key=True),
    )
    op.create_table(
        "stable_diffusion_history",
        sa.Column("job", sa.String(26), primary_key=True),
        sa.Column("requester", sa.String(96), nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("pictures", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Index("ix_stable_diffusion_history_requester_made_at", "requester", "made_at"),
    )
    unset = dict.fromkeys(
        ("resolution", "steps", "min_steps", "max_steps", "guidance", "positive_prompt", "negative_prompt", "scheduler")
    )
    fixed = {"approved": True, "added_by": "migration", "added_at": 0.0, "facts": "{}"}
    op.bulk_insert(models, [{**unset, **fixed, **model} for model in MODELS])
    op.bulk_insert(
        schedulers,
        [
            {
                "name": name, "class_name": class_name, "args": json.dumps(args), "description": description,
                "min_steps": steps[0], "max_steps": steps[1], "uses": json.dumps(uses),
            }
            for name, class_name, args, description, steps, uses in SCHEDULERS
        ],
    )  # fmt: skip
