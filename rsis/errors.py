"""Exceptions whose message is meant for the user."""


class UserError(Exception):
    """A fault that a user, a file or a machine caused and that the user can correct.

    The message is one line: what was found, what was expected, what to do. The command line prints it
    without a traceback and exits with `exit_code`.

    Args:
        message: The line. When a worker process of torch's DataLoader raises this error, torch makes a new one of the
            same type, whose message is the worker's whole traceback; its last line, the message, is kept.
    """

    exit_code = 2

    def __init__(self, message: str) -> None:
        name = f"{type(self).__module__}.{type(self).__qualname__}: "
        if message.startswith("Caught ") and name in message:
            message = " ".join(message.rpartition(name)[2].split())
        super().__init__(message)


class StoppedError(UserError):
    """The work was stopped from outside; the same command, run again, continues it.

    The exit code is EX_TEMPFAIL of sysexits.h: a workflow on a cluster submits a job with this code again.
    """

    exit_code = 75
