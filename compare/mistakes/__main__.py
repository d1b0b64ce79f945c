"""`python -m compare.mistakes`: the door of the handbook, which shows the catalogue and runs it."""

import sys

from compare.handbook.command import main

if __name__ == "__main__":
    sys.exit(main())
