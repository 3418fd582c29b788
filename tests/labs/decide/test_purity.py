"""The advisor runs where a browser runs it, and fast enough to feel immediate."""

import subprocess
import sys

ADVISE = """
import sys, time
sys.modules["numpy"] = None
began = time.process_time()
from labs.decide.advisor import advise
from labs.decide.requirements import Requirements
advice = advise(Requirements(model="llama-3-70b", custom_weights=True, control="container", requests_per_minute=100))
assert advice.best.target == "sagemaker-gpu"
advice.as_dict()
advice._repr_html_()
took = time.process_time() - began
forbidden = {"boto3", "botocore", "moto", "numpy", "scipy", "pandas", "click", "rich", "threading_local", "labs.targets", "labs.cloud"}
print(sorted(name for name in forbidden if sys.modules.get(name) is not None), took < 10)
"""


def test_advice_needs_no_boto3_no_numpy_no_terminal_and_a_few_seconds_of_processor() -> None:
    run = subprocess.run([sys.executable, "-c", ADVISE], check=True, capture_output=True, text=True, timeout=120)
    assert run.stdout.strip() == "[] True"
