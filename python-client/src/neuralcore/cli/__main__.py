"""``python -m neuralcore.cli``."""

import sys

from neuralcore.cli import main

sys.exit(main())
