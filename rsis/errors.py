"""The exceptions a user is meant to see."""


class UserError(Exception):
    """Something a user, a file or a machine caused and a user can put right.

    The message is one line: what was found, what was expected, what to do. The command line prints it
    without a traceback and exits with `exit_code`.
    """

    exit_code = 2


class StoppedError(UserError):
    """Work was stopped from outside and goes on when the same command runs again.

    Its exit code is EX_TEMPFAIL of sysexits.h, by which a cluster's workflow knows a job worth submitting again.
    """

    exit_code = 75
