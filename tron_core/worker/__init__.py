"""What the worker half of a plugin imports; nothing else of this package is public."""

from tron_core.hooks import hookimpl
from tron_core.worker.context import Cancelled, ExecutionContext, Executor, ExecutorError, InputFile, ModelPackage

__all__ = ["Cancelled", "ExecutionContext", "Executor", "ExecutorError", "InputFile", "ModelPackage", "hookimpl"]
