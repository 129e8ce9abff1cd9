"""What plugin authors test with; nothing else of this package is public."""

from tron_core.testing.executors import RecordedArtifact, RecordingContext

__all__ = ["RecordedArtifact", "RecordingContext"]
