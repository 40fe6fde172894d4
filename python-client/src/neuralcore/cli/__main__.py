"""``python -m neuralcore.cli``."""

import sys

from . import main

sys.exit(main())
