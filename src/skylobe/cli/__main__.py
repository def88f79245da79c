"""``python -m skylobe.cli`` is the command."""

import sys

from skylobe.cli.main import main

sys.exit(main())
