"""A target's options: the keyword arguments of what makes it, with their types, defaults and one line each.

@dataclass(frozen=True)
class SageMakerGpu(Stacked):
    instance_type: str = option("ml.g5.2xlarge", "The endpoint's instances.")

options.of(SageMakerGpu)                                              # {"instance_type": Option(...)}
options.make("sagemaker-gpu", SageMakerGpu, ["instance_type=ml.g6e.xlarge"])     # a target; a Refusal lists what there is
"""

import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from labs.errors import USAGE, Refusal
from labs.targets.base import Target


def option(default: Any, says: str) -> Any:
    """A field of a target that is a frozen dataclass: its default, and one line for whoever sets it."""
    return field(default=default, metadata={"says": says})


@dataclass(frozen=True)
class Option:
    """One option of a target."""

    name: str
    type: Any
    default: Any
    says: str = ""

    @property
    def takes(self) -> str:
        """What may stand behind its '=', in words."""
        return _takes(self.type)

    def read(self, text: str) -> Any:
        """The value that a person wrote. Raises ValueError."""
        return _read(self.type, text)


def of(maker: Callable[..., Target]) -> dict[str, Option]:
    """The options of a target by name, in the order in which it declares them."""
    if isinstance(maker, type) and is_dataclass(maker):
        hints = get_type_hints(maker)
        return {
            each.name: Option(
                each.name,
                hints[each.name],
                None if each.default is MISSING else each.default,
                each.metadata.get("says", ""),
            )
            for each in fields(maker)
            if each.init
        }
    function: Any = maker.__init__ if isinstance(maker, type) else maker  # type: ignore[misc]
    if function is object.__init__:
        return {}
    hints = get_type_hints(function)
    return {
        name: Option(name, hints.get(name, str), None if each.default is each.empty else each.default)
        for name, each in inspect.signature(function).parameters.items()
        if name != "self" and each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    }


def make(name: str, maker: Callable[..., Target], pairs: Iterable[str] = (), **given: Any) -> Target:
    """The target with these options: `pairs` as a person wrote them ("name=value"), `given` as values; None is not given. Raises Refusal."""
    known = of(maker)
    chosen = {_named(key, known): value for key, value in given.items() if value is not None}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        key = _named(key.strip().replace("-", "_"), known)
        if not separator:
            raise Refusal(f"'{pair}' is no option: write name=value, as in {_example(known)}", USAGE)
        if key in chosen:
            raise Refusal(f"the option '{key}' of {name} is given twice", USAGE)
        _check_known(name, key, known)
        try:
            chosen[key] = known[key].read(text)
        except ValueError:
            raise Refusal(f"{key} of {name} takes {known[key].takes}, not '{text}'", USAGE) from None
    for key in chosen:
        _check_known(name, key, known)
    return maker(**chosen)


def _named(key: str, known: Mapping[str, Option]) -> str:
    """Some targets name a model by an id of AWS's (model_id), some by the catalogue's or Hugging Face's (model); either word will do."""
    other = {"model": "model_id", "model_id": "model"}.get(key, "")
    return other if key not in known and other in known else key


def _check_known(name: str, key: str, known: Mapping[str, Option]) -> None:
    if key not in known:
        listed = ", ".join(known) or "none"
        raise Refusal(f"{name} has no option '{key}'; its options are: {listed}", USAGE)


def _example(known: Mapping[str, Option]) -> str:
    first = next(iter(known.values()), None)
    return f"{first.name}={first.default}" if first else "nothing, for it has no options"


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """The members of a union, or the type alone."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _takes(kind: Any) -> str:
    members = [each for each in _alternatives(kind) if each is not type(None)]
    optional = " or none" if len(members) < len(_alternatives(kind)) else ""
    [first, *_] = members
    if get_origin(first) is Literal:
        return "one of " + ", ".join(map(str, get_args(first))) + optional
    if get_origin(first) is tuple:
        return "words with commas between them"
    return {int: "a whole number", float: "a number", bool: "yes or no"}.get(first, "text") + optional


def _read(kind: Any, text: str) -> Any:
    members = _alternatives(kind)
    if type(None) in members and text.lower() in ("", "none"):
        return None
    first = next(each for each in members if each is not type(None))
    if get_origin(first) is Literal:
        found = [each for each in get_args(first) if str(each) == text]
        if not found:
            raise ValueError(text)
        return found[0]
    if get_origin(first) is tuple:
        return tuple(word.strip() for word in text.split(",") if word.strip())
    if first is bool:
        if not re.fullmatch(r"yes|no|true|false", text.lower()):
            raise ValueError(text)
        return text.lower() in ("yes", "true")
    return first(text)
