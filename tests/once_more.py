"""After a run with failures: the few that failed among all the others are tried once more, alone. What fails then is broken; the rest is named.

`make test` calls it with the first run's exit status. Five workers share two cores, so a browser or a wall clock may starve; code that is
broken fails alone too. More than `FEW` failures are never tried again.
"""

import json
import subprocess
import sys
from pathlib import Path

FEW = 3
LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
SOME_TESTS_FAILED = 1


def main(status: int) -> int:
    """The exit status of the whole: 0 only if every test that failed passes now."""
    failed = list(json.loads(LAST_FAILED.read_text())) if LAST_FAILED.exists() else []
    if status != SOME_TESTS_FAILED or not 0 < len(failed) <= FEW:
        return status
    print(f"\nOnce more, alone: {len(failed)} that failed among the others.", flush=True)
    again = subprocess.run([sys.executable, "-m", "pytest", "-n", "0", *failed], check=False).returncode
    if again == 0:
        print("\nUnsteady, to be mended: failed among the others, passed alone:")
        print("\n".join(f"  {name}" for name in failed), flush=True)
    return again


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
