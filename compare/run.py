"""`python -m compare.run`: the door of the command, which stands in `command/`.

The heavy imports are made behind it, when they are needed, so that --help answers at once.
"""

import sys

from compare.command.main import main
from compare.command.process import door

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(door())
