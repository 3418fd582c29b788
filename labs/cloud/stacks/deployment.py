"""Making, changing and removing a stack's resources, in order, with the way back when something fails."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.cloud.stacks.stack import Resource, Stack
from labs.cloud.stacks.template import Invalid, dependencies, order
from labs.cloud.stacks.types import all_types
from labs.cloud.stacks.types.base import Caller, Failed, Work

KEPT = ("Retain", "RetainExceptOnCreate")
"""Deletion policies with which a resource outlives its stack."""


class Stopped(Exception):  # noqa: N818 - not a failure of the stack
    """The cloud is closing."""


@dataclass
class Deployment:
    """One piece of work on a stack."""

    stack: Stack
    call: Caller
    exports: Callable[[], Mapping[str, str]]
    """What other stacks export."""
    wait: Callable[[float], None]
    _undo: list[Callable[[], None]] = field(default_factory=list)

    # -- the whole stack

    def create(self) -> None:
        """Make everything; on failure do what the caller asked for."""
        stack = self.stack
        try:
            scope = stack.scope(self.exports())
            wanted = stack.wanted(scope)
            failed = self._make(order(wanted), wanted)
            if failed is None and not self._overtaken:
                self._publish_outputs()
            reason = f"The following resource(s) failed to create: [{failed}]. " if failed else None
        except Invalid as wrong:
            reason = f"{wrong} "
        with stack.lock:
            if self._overtaken:
                return
            if reason is None:
                stack.turn("CREATE_COMPLETE")
                return
        self._give_up(reason)

    def update(self, before: Stack) -> None:
        """Change `before` (the stack as it was) into what the stack's template says now; on failure change it back."""
        stack = self.stack
        try:
            scope = stack.scope(self.exports())
            wanted = stack.wanted(scope)
            replaced: list[Resource] = []
            failed = self._change(order(wanted), wanted, replaced)
            if failed is None:
                self._publish_outputs()
                stack.turn("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
                self._clean_up(before, replaced, [r for name, r in stack.resources.items() if name not in wanted])
                stack.turn("UPDATE_COMPLETE")
                return
            reason = f"The following resource(s) failed to update: [{failed}]. "
        except Invalid as wrong:
            reason = str(wrong)
        self._turn_back(before, reason)

    def delete(self, retain: frozenset[str] = frozenset()) -> None:
        """Remove everything, dependants first."""
        stack = self.stack
        kept = [r for r in stack.resources.values() if r.deletion_policy in KEPT or r.logical_id in retain]
        for resource in kept:
            stack.note(resource, "DELETE_SKIPPED")
        going = [r for r in stack.resources.values() if r not in kept]
        if left := self._remove(in_reverse(stack, going)):
            stack.turn("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(left)}]. ")
        else:
            stack.outputs = []
            stack.turn("DELETE_COMPLETE")

    def _clean_up(self, before: Stack, replaced: list[Resource], gone: list[Resource]) -> None:
        """After an update: remove what was replaced and what the template no longer has, unless its policy says otherwise."""
        going = []
        for resource in gone:
            if resource.deletion_policy in KEPT:
                self.stack.note(resource, "DELETE_SKIPPED")
                del self.stack.resources[resource.logical_id]
            else:
                going.append(resource)
        going += [resource for resource in replaced if resource.replace_policy not in KEPT]
        self._remove(in_reverse(before, going), forget=True)

    # -- failing

    def _give_up(self, reason: str) -> None:
        stack = self.stack
        if stack.on_failure == "DO_NOTHING":
            stack.turn("CREATE_FAILED", reason)
            return
        deleting = stack.on_failure == "DELETE"
        how = "Delete requested by user." if deleting else "Rollback requested by user."
        stack.turn("DELETE_IN_PROGRESS" if deleting else "ROLLBACK_IN_PROGRESS", f"{reason}{how}")
        made = [r for r in stack.resources.values() if r.physical_id is not None and r.deletion_policy != "Retain"]
        left = self._remove(in_reverse(stack, made))
        names = f"The following resource(s) failed to delete: [{', '.join(left)}]. "
        if deleting:
            stack.turn("DELETE_FAILED" if left else "DELETE_COMPLETE", names if left else None)
        else:
            stack.turn("ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE", names if left else None)

    def _turn_back(self, before: Stack, reason: str) -> None:
        stack = self.stack
        stack.turn("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        try:
            for undo in reversed(self._undo):
                undo()
        except Failed as failed:
            stack.turn("UPDATE_ROLLBACK_FAILED", str(failed))
            return
        stack.template, stack.body, stack.given, stack.tags = before.template, before.body, before.given, before.tags
        stack.looked_up = before.looked_up
        stack.turn("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        new = [r for name, r in stack.resources.items() if name not in before.resources and r.physical_id is not None]
        self._remove(in_reverse(stack, new), forget=True)
        for name in [name for name in stack.resources if name not in before.resources]:
            del stack.resources[name]
        stack.turn("UPDATE_ROLLBACK_COMPLETE")

    # -- resource by resource

    def _make(self, names: list[str], wanted: Mapping[str, Any]) -> str | None:
        """Make the resources in this order; the one that failed, or None."""
        for name in names:
            if self._overtaken:
                return None
            if not self._make_one(name, wanted[name]):
                return name
        return None

    @property
    def _overtaken(self) -> bool:
        """Has somebody asked for the stack's deletion meanwhile?"""
        return self.stack.status == "DELETE_IN_PROGRESS"

    def _make_one(self, name: str, declared: Mapping[str, Any]) -> bool:
        resource = Resource(name, declared["Type"])
        keep_policies(resource, declared)
        self.stack.resources[name] = resource
        self.stack.note(resource, "CREATE_IN_PROGRESS")
        return self._attempt(resource, "CREATE", lambda: self._create(resource, declared))

    def _create(self, resource: Resource, declared: Mapping[str, Any]) -> None:
        kind = all_types()[resource.type]
        properties = self._resolve(declared)
        kind.check(resource.logical_id, properties)
        work = self._work(resource, properties)
        announced = False

        def made(physical_id: str, **attributes: Any) -> None:
            nonlocal announced
            Work.made(work, physical_id, **attributes)
            resource.physical_id, resource.attributes, resource.properties = physical_id, work.attributes, properties
            if not announced:
                announced = True
                self.stack.note(resource, "CREATE_IN_PROGRESS", "Resource creation Initiated")

        work.made = made  # type: ignore[method-assign]
        kind.create(work)

    def _change(self, names: list[str], wanted: Mapping[str, Any], replaced: list[Resource]) -> str | None:
        """Bring the resources to what the template says, in this order; the one that failed, or None."""
        for name in names:
            declared, resource = wanted[name], self.stack.resources.get(name)
            if resource is None:
                if not self._make_one(name, declared):
                    return name
                continue
            properties = self._resolve(declared)
            keep_policies(resource, declared)
            if properties == resource.properties and declared["Type"] == resource.type:
                continue
            kind = all_types()[declared["Type"]]
            changed = {
                key
                for key in {*properties, *resource.properties}
                if properties.get(key) != resource.properties.get(key)
            }
            if declared["Type"] == resource.type and not changed & kind.replacing:
                done = self._update_one(resource, properties)
            else:
                done = self._replace_one(name, declared, resource, properties, replaced)
            if not done:
                return name
        return None

    def _update_one(self, resource: Resource, properties: dict[str, Any]) -> bool:
        kind, before = all_types()[resource.type], resource.properties
        self.stack.note(resource, "UPDATE_IN_PROGRESS")

        def change() -> None:
            kind.check(resource.logical_id, properties)
            self._undo.append(back)
            kind.update(self._work(resource, properties), before)
            resource.properties = properties

        def back() -> None:
            self.stack.note(resource, "UPDATE_IN_PROGRESS")
            kind.update(self._work(resource, before), properties)
            resource.properties = before
            self.stack.note(resource, "UPDATE_COMPLETE")

        return self._attempt(resource, "UPDATE", change)

    def _replace_one(
        self,
        name: str,
        declared: Mapping[str, Any],
        old: Resource,
        properties: dict[str, Any],
        replaced: list[Resource],
    ) -> bool:
        kind = all_types()[declared["Type"]]
        new = Resource(name, declared["Type"], physical_id=old.physical_id)
        keep_policies(new, declared)
        self.stack.resources[name] = new
        self.stack.note(
            new,
            "UPDATE_IN_PROGRESS",
            "Requested update requires the creation of a new physical resource; hence creating one.",
        )
        new.physical_id = None

        def create() -> None:
            own = kind.named_by
            if own in properties and properties.get(own) == old.properties.get(own) and old.type == new.type:
                raise Failed(
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                    f"Rename {properties[own]} and update the stack again."
                )
            self._create(new, declared)
            replaced.append(old)

        def back() -> None:
            self.stack.resources[name] = old
            if new.physical_id is not None:
                self._remove([new])

        self._undo.append(back)
        return self._attempt(new, "UPDATE", create)

    def _remove(self, resources: list[Resource], *, forget: bool = False) -> list[str]:
        """Remove resources in this order; the names of those that stayed. A failure does not stop the others."""
        left = []
        for resource in resources:
            if resource.physical_id is None or resource.status == "DELETE_COMPLETE":
                continue
            self.stack.note(resource, "DELETE_IN_PROGRESS")
            kind = all_types()[resource.type]

            def remove(resource: Resource = resource, kind: Any = kind) -> None:
                kind.delete(self._work(resource, resource.properties))

            if not self._attempt(resource, "DELETE", remove):
                left.append(resource.logical_id)
            elif forget and self.stack.resources.get(resource.logical_id) is resource:
                del self.stack.resources[resource.logical_id]
        return left

    def _attempt(self, resource: Resource, verb: str, action: Callable[[], None]) -> bool:
        """Do `action` for a resource and note what came of it."""
        try:
            action()
        except (Failed, Invalid) as failed:
            self.stack.note(resource, f"{verb}_FAILED", str(failed))
            return False
        except Stopped:
            raise
        except Exception as broken:  # a fault of ours must not leave a stack in progress for ever
            self.stack.note(resource, f"{verb}_FAILED", f"Internal failure of the local cloud: {broken!r}")
            return False
        self.stack.note(resource, f"{verb}_COMPLETE")
        return True

    def _resolve(self, declared: Mapping[str, Any]) -> dict[str, Any]:
        properties = self.stack.scope(self.exports()).resolve(declared.get("Properties") or {})
        return dict(properties)

    def _work(self, resource: Resource, properties: dict[str, Any]) -> Work:
        return Work(
            self.call,
            resource.logical_id,
            self.stack.name,
            self.stack.id,
            properties,
            stack_tags=self.stack.tags,
            physical_id=resource.physical_id,
            attributes=resource.attributes,
            wait=self.wait,
        )

    def _publish_outputs(self) -> None:
        exports = self.exports()
        outputs = self.stack.work_out_outputs(self.stack.scope(exports))
        for output in outputs:
            if output.get("ExportName") in exports:
                raise Invalid(f"Export with name {output['ExportName']} is already exported by another stack.")
        self.stack.outputs = outputs


def keep_policies(resource: Resource, declared: Mapping[str, Any]) -> None:
    """Note what becomes of the resource when it goes."""
    resource.deletion_policy = declared.get("DeletionPolicy", "Delete")
    resource.replace_policy = declared.get("UpdateReplacePolicy", "Delete")


def in_reverse(stack: Stack, resources: list[Resource]) -> list[Resource]:
    """Dependants first, by the template that made them."""
    declared = stack.template["Resources"]
    ranks = {name: rank for rank, name in enumerate(order(declared))} if dependencies(declared) else {}
    return sorted(resources, key=lambda resource: -ranks.get(resource.logical_id, -1))


def as_it_was(stack: Stack) -> Stack:
    """What an update may have to go back to."""
    before = copy.copy(stack)
    before.resources = dict(stack.resources)
    return before
