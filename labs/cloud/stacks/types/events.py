"""AWS::Events::Rule and AWS::Scheduler::Schedule"""

import json
from typing import Any

from labs.cloud.stacks.types.base import Failed, ResourceType, Work, already_exists, is_missing
from labs.cloud.stacks.types.simple import SimpleType, retag


class Rule(ResourceType):
    name = "AWS::Events::Rule"
    settings = ("Description", "EventBusName", "RoleArn", "ScheduleExpression", "State")
    properties = frozenset({*settings, "EventPattern", "Name", "Tags", "Targets"})
    also_replacing = frozenset({"EventBusName"})
    named_by = "Name"
    attributes = frozenset({"Arn"})

    def create(self, work: Work) -> None:
        name = work.name("Name", longest=64)
        if self._exists(work, name):  # PutRule would change it
            raise already_exists(self.name, name)
        arn = self._put(work, name, Tags=work.tag_list())
        work.made(name, Arn=arn)
        self._aim(work, {})

    def update(self, work: Work, before: dict[str, Any]) -> None:
        self._put(work, str(work.physical_id))
        self._aim(work, before)
        if work.properties.get("Tags") != before.get("Tags"):
            retag(work, "events", str(work.attributes["Arn"]), before)

    def delete(self, work: Work) -> None:
        bus = work.pick("EventBusName")
        if ids := [target["Id"] for target in work.properties.get("Targets") or []]:
            work.gone(lambda: work.call("events", "RemoveTargets", Rule=work.physical_id, Ids=ids, **bus))
        work.gone(lambda: work.call("events", "DeleteRule", Name=work.physical_id, **bus))

    def _exists(self, work: Work, name: str) -> bool:
        try:
            work.call("events", "DescribeRule", Name=name, **work.pick("EventBusName"))
        except Failed as failed:
            if is_missing(failed):
                return False
            raise
        return True

    def _put(self, work: Work, name: str, **more: Any) -> str:
        pattern = work.properties.get("EventPattern")
        answer = work.call(
            "events",
            "PutRule",
            Name=name,
            EventPattern=json.dumps(pattern) if isinstance(pattern, dict) else pattern,
            **work.pick(*self.settings),
            **more,
        )
        return str(answer["RuleArn"])

    def _aim(self, work: Work, before: dict[str, Any]) -> None:
        bus = work.pick("EventBusName")
        had = {target["Id"] for target in before.get("Targets") or []}
        wanted = work.properties.get("Targets") or []
        if gone := sorted(had - {target["Id"] for target in wanted}):
            work.call("events", "RemoveTargets", Rule=work.physical_id, Ids=gone, **bus)
        if wanted:
            answer = work.call("events", "PutTargets", Rule=work.physical_id, Targets=wanted, **bus)
            if answer.get("FailedEntryCount"):
                raise Failed(f'Resource handler returned message: "{answer["FailedEntries"][0]["ErrorMessage"]}"')


class Schedule(SimpleType):
    name = "AWS::Scheduler::Schedule"
    service, creates, updates, deletes = "scheduler", "CreateSchedule", "UpdateSchedule", "DeleteSchedule"
    given = frozenset(
        {
            "Description",
            "EndDate",
            "FlexibleTimeWindow",
            "GroupName",
            "KmsKeyArn",
            "Name",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "StartDate",
            "State",
            "Target",
        }
    )
    also_replacing = frozenset({"GroupName"})
    named_by = "Name"
    attributes = frozenset({"Arn"})

    def more(self, work: Work) -> dict[str, Any]:
        return {"Name": work.name("Name", longest=64)}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        name = answer["ScheduleArn"].rsplit("/", 1)[1]
        work.made(name, Arn=answer["ScheduleArn"])

    def names(self, work: Work) -> dict[str, Any]:
        return {"Name": work.physical_id, **work.pick("GroupName")}

    @property
    def changed(self) -> frozenset[str]:  # type: ignore[override]
        return self.given - {"Name", "GroupName"}


TYPES = (Rule(), Schedule())
