"""A worker starts in the time that torch needs: packages for only some calls are imported by those."""

import subprocess
import sys


def test_nothing_large_but_torch_is_imported_at_the_start():
    code = "import sys, dictlearn_worker.loop; print(*{'nnsight', 'transformers', 'datasets'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""
