"""What publishes a site may do no more than that, and runs code that cannot change under its name."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = (ROOT / ".github/workflows/pages.yml", ROOT / "templates/new/pages.yml")


@pytest.mark.parametrize("file", WORKFLOWS, ids=["ours", "of a new study"])
def test_actions_are_pinned_and_only_the_last_job_may_publish(file):
    workflow = yaml.safe_load(file.read_text())
    jobs = workflow["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used), used
    assert workflow["permissions"] == {"contents": "read"}
    assert {name: job.get("permissions") for name, job in jobs.items()} == {
        "build": None,
        "publish": {"pages": "write", "id-token": "write"},
    }
    assert not any("run" in step for step in jobs["publish"]["steps"])  # what may publish runs nothing else
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
