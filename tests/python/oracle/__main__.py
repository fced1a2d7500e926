"""`python -m oracle FILE.yaml OUT [PIPELINE]`: rows.txt, account.txt and quarantine.txt of a pipeline into folder OUT."""

import sys

from .compute import into

into(sys.argv[1], sys.argv[3] if len(sys.argv) > 3 else None, sys.argv[2])
