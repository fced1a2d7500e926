"""`oracle_of.py FILE.yaml OUT PIPELINE`: the oracle's rows.txt, account.txt and quarantine.txt of one pipeline."""

import sys

from oracle.compute import into

into(sys.argv[1], sys.argv[3], sys.argv[2])
