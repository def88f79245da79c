"""What a server of children has done before it has any, so that these begin where the work begins.

Nothing of the store is touched here: its threads do not come along into a child.
"""

import tempfile
from pathlib import Path

from crash import jobs

with tempfile.TemporaryDirectory() as folder:
    for number in (0, 1):
        jobs.classifier(number)
    jobs.prepare_predict(Path(folder))
    jobs.predict(Path(folder))
