"""Smart cards and readers in software, for Python tests.

``World`` starts ``vreader serve``: readers and cards that exist for the programs that are told of them, and for nobody
else. The pytest fixtures ``vreader_world``, ``vreader_worlds`` and ``vreader_here`` make worlds for tests.
"""

from .errors import NothingSeen, ProgramMissing, Refused, StartFailed, TooLate, VreaderError, WorldEnded
from .events import Event
from .world import Reader, World

__all__ = [
    "Event",
    "NothingSeen",
    "ProgramMissing",
    "Reader",
    "Refused",
    "StartFailed",
    "TooLate",
    "VreaderError",
    "World",
    "WorldEnded",
]
__version__ = "0.1.0"
