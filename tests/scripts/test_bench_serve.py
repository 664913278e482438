"""`scripts/bench_serve.py` measures a service that it starts, in small."""

import json
import subprocess
import sys

from conftest import REPOSITORY

CLIP = REPOSITORY / "scripts" / "examples" / "grid-sentence.wav"


def test_it_measures_all_rows(tmp_path):
    out = tmp_path / "figures.json"
    done = subprocess.run([sys.executable, REPOSITORY / "scripts" / "bench_serve.py", "--clip", CLIP, "--clips", "6",
                           "--clients", "3", "--repeats", "1", "--requests", "4", "--queue", "1", "--jobs", "1",
                           "--json", out], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row["value"] for row in json.loads(out.read_text())["rows"]}
    assert rows["earsight serve"] > 0 and 0 < rows["p50"] <= rows["p99"]
    assert rows["failed otherwise"] == 0 and rows["memory at the end"] > 50
