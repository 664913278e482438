"""`python -m earsight` is the command `earsight`."""

import sys

from .app.main import main

if __name__ == "__main__":
    sys.exit(main())
