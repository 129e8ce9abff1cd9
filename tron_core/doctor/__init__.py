"""What is wrong with a hub's configuration and surroundings, and what to do about it: one small function a check."""

from __future__ import annotations

from tron_core.doctor.examination import CHECKS, examine
from tron_core.doctor.finding import Finding, RunningHub, Status, Subject

__all__ = ["CHECKS", "Finding", "RunningHub", "Status", "Subject", "examine"]
