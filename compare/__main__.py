"""`python -m compare`: the same door as `python -m compare.run`."""

import sys

from compare.command.main import main

if __name__ == "__main__":
    sys.exit(main())
