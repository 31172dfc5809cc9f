"""The one exception a user is meant to see."""


class UserError(Exception):
    """Something a user, a file or a machine caused and a user can put right.

    The message is one line: what was found, what was expected, what to do. The command line prints it
    without a traceback and exits with code 2.
    """
