"""Forty people at one door: whoever sends fifty jobs at once holds a few places, and everybody else is served meanwhile."""

import json
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from labs import cloud, targets
from labs.cloud.state import ServerRecord
from labs.squid import deploy
from labs.targets import stacks
from labs.workshop import money

PEOPLE = 40
GREEDY_JOBS = 50


def ask(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A request at the door."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        said: dict[str, Any] = json.load(answer)
    return said


@pytest.mark.soak
def test_one_who_asks_without_pause_does_not_keep_the_room_waiting(local_cloud: ServerRecord) -> None:
    del local_cloud
    share = money.share(targets.get("bedrock-on-demand")(), PEOPLE)
    settings = {
        "BatchSize": "5",
        "WorkerConcurrency": "2",
        "TenantConcurrency": "2",
        "MaxTokens": "60",
        "DoorRate": "1000",
    }
    assert share.slots >= 1
    where = cloud.connect()
    stack = deploy.deploy(where, targets.get("bedrock-on-demand")(), "room", settings, tell=lambda _: None)
    try:
        door = stack.outputs["ApiUrl"].rstrip("/") + "/jobs"
        most, over = [0], threading.Event()
        desk = next(
            each["PhysicalResourceId"]
            for each in boto3.client("cloudformation").list_stack_resources(StackName="room")["StackResourceSummaries"]
            if each["ResourceType"] == "AWS::DynamoDB::Table" and "esk" in each["LogicalResourceId"]
        )
        dynamodb = boto3.client("dynamodb")

        def watch() -> None:
            while not over.wait(0.05):
                item = dynamodb.get_item(TableName=desk, Key={"id": {"S": "tenant/greedy"}}, ConsistentRead=True).get(
                    "Item"
                )
                most[0] = max(most[0], len(item["leases"]["M"]) if item else 0)

        watching = threading.Thread(target=watch)
        watching.start()
        with ThreadPoolExecutor(20) as pool:
            greedy = list(
                pool.map(
                    lambda n: ask(door, {"prompt": f"Question {n}?", "tenant": "greedy"})["job_id"], range(GREEDY_JOBS)
                )
            )
            others = list(
                pool.map(
                    lambda n: ask(door, {"prompt": f"Mine {n}?", "tenant": f"seat-{n}"})["job_id"], range(PEOPLE - 1)
                )
            )
        done: dict[str, float] = {}
        deadline = time.monotonic() + 240
        while len(done) < len(greedy) + len(others) and time.monotonic() < deadline:
            for job in [*others, *greedy]:
                if job not in done and ask(f"{door}/{job}")["status"] == "DONE":
                    done[job] = time.monotonic()
            time.sleep(0.2)
        over.set()
        watching.join()
        assert set(done) == {*greedy, *others}, "nobody's job is lost by waiting"
        assert 1 <= most[0] <= 2
        assert max(done[job] for job in others) < max(done[job] for job in greedy)
        half = sorted(done[job] for job in greedy)[len(greedy) // 2]
        assert sorted(done[job] for job in others)[PEOPLE // 2] < half, (
            "most of the room was served before half of the pile"
        )
    finally:
        stacks.delete(where, "room", lambda _: None)
