"""The service does what its OpenAPI description says, whatever schemathesis sends it, where that is installed."""

import importlib.util
import re
import subprocess
import sys

import pytest
from services import PATIENCE, running

pytestmark = pytest.mark.skipif(importlib.util.find_spec("schemathesis") is None,
                                reason="needs schemathesis (pip install schemathesis)")


def test_nothing_is_found_that_the_description_does_not_say(tmp_path):
    """All of its checks but one: that no file is refused which a schema, for which any bytes are a file, allows."""
    with running() as service:
        done = subprocess.run(
            [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run",
             f"{service.url}/openapi.json", "--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed",
             "1", "--max-time", "20", "--exclude-checks", "positive_data_acceptance", "--continue-on-failure",
             "--no-color", "--generation-database", "none"],
            cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"(\d+) selected / \1 total", done.stdout), done.stdout
        assert service.uploads == [] and service.post().status_code == 200
