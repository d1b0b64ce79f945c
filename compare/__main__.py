"""`python -m compare`: the same door as `python -m compare.run`."""

import sys

from compare.command.process import door

if __name__ == "__main__":
    sys.exit(door())
