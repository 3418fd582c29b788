"""Whichever of its calls fails, a stack either is complete or leaves nothing: tried by failing the first, the second, the third...

Every template of the repository is tried, in a cloud inside this process, where one failure costs a fraction of a second: a few of them
in the tests, all of them in `make soak`.
"""

import itertools
import random
import re
import uuid
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError

from labs.cloud import faults
from labs.cloud.stacks.template import parse
from tests.labs.cloud import templates
from tests.labs.cloud.inventory import inventory
from tests.labs.cloud.kit import Aws
from tests.labs.cloud.sagemaker_kit import cloud_of_a_module
from tests.labs.cloud.stacks import Stacks

SAMPLE = 2
"""How many of a creation's calls, and how many of a removal's, the tests fail; `make soak` fails every one."""


class Ground:
    """A cloud, what stands in it before any stack does, and stacks made there and removed again and again."""

    def __init__(self) -> None:
        self.aws = Aws(boto3.Session())
        self.stacks = Stacks(self.aws)
        self.before = self.inventory()

    def inventory(self) -> set[str]:
        return inventory(self.aws.session)

    def story(self, stack_id: str) -> str:
        """What became of a stack, a line an event."""
        return "\n".join(" ".join(event) for event in self.stacks.events(stack_id))

    def create(self, example: templates.Example) -> str:
        """A stack's id; it is at rest."""
        name = f"{example.name}-{uuid.uuid4().hex[:8]}"
        stack_id: str = self.stacks.api.create_stack(StackName=name, **example.request)["StackId"]
        self.stacks.ids.append(stack_id)
        self.stacks.settled(stack_id)
        return stack_id

    def left(self, stack_id: str = "") -> set[str]:
        """What is here beyond what was, and what is missing; the stack itself not counted."""
        return (self.inventory() - {f"cloudformation DescribeStacks {stack_id}"}) ^ self.before

    def fail_creation(self, example: templates.Example, k: int) -> bool:
        """Create with the kth call failing; True when a creation makes fewer calls, so that none failed."""
        with faults.fail_kth_call(k) as cloud:
            stack_id = self.create(example)
            fired = any(line["fired"] for line in cloud.plan())
        status, story = self.stacks.status(stack_id), self.story(stack_id)
        assert status == ("ROLLBACK_COMPLETE" if fired else "CREATE_COMPLETE"), story
        if fired:
            assert re.search(r"CREATE_FAILED .*injected fault", story), story
            assert not self.left(stack_id), story
        assert self.stacks.delete(stack_id)["StackStatus"] == "DELETE_COMPLETE", self.story(stack_id)
        assert not self.left(), story
        return not fired

    def fail_removal(self, example: templates.Example, k: int) -> bool:
        """Create, and remove with the kth call failing, then again without; True when the removal makes fewer calls."""
        stack_id = self.create(example)
        assert self.stacks.status(stack_id) == "CREATE_COMPLETE", self.story(stack_id)
        with faults.fail_kth_call(k):
            stack = self.stacks.delete(stack_id)
        if stack["StackStatus"] == "DELETE_FAILED":
            assert "The following resource(s) failed to delete" in stack["StackStatusReason"]
            assert self.stacks.delete(stack_id)["StackStatus"] == "DELETE_COMPLETE", self.story(stack_id)
            assert not self.left(), self.story(stack_id)
            return False
        assert stack["StackStatus"] == "DELETE_COMPLETE"
        assert not self.left(), self.story(stack_id)
        return True


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        for context in cloud_of_a_module(tmp_path_factory.mktemp("stacks")):
            templates.prepare(context)
            yield Ground()


@pytest.fixture
def ground(cloud: Ground) -> Ground:
    """As it stands now, so that what one test leaves behind is not held against the next."""
    cloud.before = cloud.inventory()
    return cloud


def test_every_template_of_the_repository_is_tried(ground: Ground) -> None:  # noqa: ARG001
    examples = [templates.example(name) for name in templates.NAMES]
    assert {example.path for example in examples} == templates.paths()


@pytest.mark.parametrize("name", templates.NAMES)
def test_a_stack_with_a_failing_call(ground: Ground, name: str) -> None:
    example, chance = templates.example(name), random.Random(name)
    # Each resource takes a call at least; how many more is a matter of how often it is asked whether it is ready.
    certain = sum("Condition" not in declared for declared in parse(example.body)["Resources"].values())
    for k in chance.sample(range(1, certain + 1), SAMPLE):
        assert not ground.fail_creation(example, k), f"the {k}th call did not fail"
    assert not ground.fail_removal(example, chance.randint(1, certain))


@pytest.mark.parametrize("name", ["sagemaker-endpoint", "squid"])
def test_examples_turn_on_what_a_template_has(ground: Ground, name: str) -> None:
    example = templates.example(name)
    stack_id = ground.create(example)
    lacking = set(parse(example.body)["Resources"]) - set(ground.stacks.resources(stack_id))
    ground.stacks.delete(stack_id)
    assert lacking <= {"ScaleOnCpu"}  # another example of the same template has it


@pytest.mark.soak
@pytest.mark.parametrize("name", templates.NAMES)
@pytest.mark.parametrize("what", ["creation", "removal"])
def test_a_stack_with_every_call_failing_once(ground: Ground, name: str, what: str) -> None:
    example = templates.example(name)
    fail = ground.fail_creation if what == "creation" else ground.fail_removal
    failed = next(k for k in itertools.count(1) if fail(example, k)) - 1
    print(f"{name}: each of the {failed} calls of its {what} failed once")
    assert failed > 4


def test_a_fault_for_cloudformation_does_not_meet_anybody_elses_calls(ground: Ground) -> None:
    sqs = ground.aws.sqs
    with faults.inject("server-error", service="sqs", caller="cloudformation") as cloud:
        sqs.list_queues()
        stack_id = ground.create(templates.example("squid"))
        [line] = [line for line in cloud.plan() if line["caller"] == "cloudformation"]
    assert ground.stacks.status(stack_id) == "ROLLBACK_COMPLETE"
    assert line["fired"] >= 1
    ground.stacks.delete(stack_id)
    with faults.inject("server-error", service="sqs"), pytest.raises(ClientError):
        sqs.list_queues()
