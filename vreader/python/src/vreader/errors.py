"""What can go wrong. Every message says what was tried, what was found, and what to do next."""


class VreaderError(Exception):
    """Everything that this package raises."""


class ProgramMissing(VreaderError):
    """The program ``vreader`` was not found."""


class StartFailed(VreaderError):
    """``vreader serve`` ended before it had a world; the message is its own."""


class Refused(VreaderError):
    """The world does not do what it was told; the message is its own."""


class WorldEnded(VreaderError):
    """There is no world any more."""


class TooLate(VreaderError):
    """This process uses other readers already, and cannot change to this world."""


class NothingSeen(VreaderError, TimeoutError):
    """What was waited for did not happen."""
