"""What can be run: functions, programs, source text, and classes of one's own."""

from sessionkit_redengine.tasks.base import Task
from sessionkit_redengine.tasks.code import CodeTask, Restart, ShutDown
from sessionkit_redengine.tasks.command import CommandTask
from sessionkit_redengine.tasks.function import FuncTask

__all__ = ["CodeTask", "CommandTask", "FuncTask", "Restart", "ShutDown", "Task"]
