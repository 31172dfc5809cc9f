"""Exceptions whose message is meant for the user."""


class UserError(Exception):
    """A fault that a user, a file or a machine caused and that the user can correct.

    The message is one line: what was found, what was expected, what to do. The command line prints it
    without a traceback and exits with `exit_code`.
    """

    exit_code = 2


class StoppedError(UserError):
    """The work was stopped from outside; the same command, run again, continues it.

    The exit code is EX_TEMPFAIL of sysexits.h: a workflow on a cluster submits a job with this code again.
    """

    exit_code = 75
