"""What calls have cost so far, counted one by one, and the limit that the next one must stay under.

    spend.open_for(site, target, limit_usd=3.5)   # what the ceiling leaves after the worst case of what stands
    spend.before(target, site, prompt, 200)     # a Refusal, before a call that could pass the limit
    spend.after(target, site, reply)            # one line in spend.jsonl
    spend.total(site.cloud)                     # {"my-endpoint": Spent(...)}

The file lies in the state folder beside the ledger; a line holds numbers and names, never a prompt, an answer or a credential.
"""

import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from labs.cloud import Cloud, state
from labs.errors import USAGE, Refusal
from labs.targets import token_price
from labs.targets.base import Reply, Site, Target
from labs.targets.token_price import TokenPrice

FILE = "spend.jsonl"


@dataclass(frozen=True)
class Entry:
    """One call, or (without tokens) the limit that holds from here on."""

    at: str
    account_id: str
    region: str
    real: bool
    deployment: str
    target: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    unpriced: bool = False
    """The register has no price of this model: the call cost something, and nobody here knows what."""
    limit_usd: float | None = None
    price: dict[str, Any] | None = None
    """With a limit: what its calls cost, as `TokenPrice` has it."""
    calls: int = 0
    """Not a call but a count: so many there are in all by now, as the deployment's own table has them, with these tokens for so much."""
    together: int = 0
    """Not one call but so many, one run's, with these tokens for so much."""
    closed: bool = False
    """The deployment is gone, and its count and limit with it."""


@dataclass(frozen=True)
class Spent:
    """A deployment's calls together."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    unpriced_calls: int = 0
    limit_usd: float | None = None
    charged_at: str = ""
    """When a call last cost something."""
    price: TokenPrice | None = None
    """What the calls cost, as it was known when the limit was set; None where that is nothing, or nobody knows."""

    def and_(self, entry: Entry) -> "Spent":
        if entry.limit_usd is not None or entry.closed:  # a new limit starts a new count
            price = TokenPrice(**{**entry.price, "facts": tuple(entry.price["facts"])}) if entry.price else None
            return Spent(limit_usd=entry.limit_usd, price=price)
        if entry.calls:
            return replace(
                self,
                calls=entry.calls,
                input_tokens=entry.input_tokens,
                output_tokens=entry.output_tokens,
                usd=entry.usd,
                unpriced_calls=entry.calls if entry.unpriced else 0,
            )
        more = entry.together or 1
        return Spent(
            self.calls + more,
            self.input_tokens + entry.input_tokens,
            self.output_tokens + entry.output_tokens,
            self.usd + entry.usd,
            self.unpriced_calls + entry.unpriced * more,
            self.limit_usd,
            entry.at if entry.usd else self.charged_at,
            self.price,
        )

    def next_usd(self, price: TokenPrice, input_tokens: float, output_tokens: float) -> float:
        """What one more call costs now: its tokens, and a window of a copy's time unless one is open."""
        open_s = datetime.now(UTC) - datetime.fromisoformat(self.charged_at) if self.charged_at else None
        is_open = open_s is not None and open_s.total_seconds() < price.window_s
        return price.usd(input_tokens, output_tokens) + (0.0 if is_open else price.window_usd)


def open_for(site: Site, target: Target, limit_usd: float, price: TokenPrice | None = None) -> None:
    """From now on calls of this deployment may cost so much together; what was spent before no longer counts. `price` unless it is the target's."""
    try:
        price = price or token_price.of(target)
    except Refusal:
        price = None
    _append(_entry(site, target, limit_usd=limit_usd, price=asdict(price) if price else None))


def observe(cloud: Cloud, deployment: str, target: str, counted: Spent) -> None:
    """What a deployment's own table says that all its calls together were, whoever made them: from now on that is the count."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    numbers = {name: getattr(counted, name) for name in ("calls", "input_tokens", "output_tokens", "usd")}
    unpriced = bool(counted.unpriced_calls)
    _append(Entry(now, cloud.account_id, cloud.region, cloud.real, deployment, target, unpriced=unpriced, **numbers))


def close(cloud: Cloud, deployment: str) -> None:
    """The deployment is gone: whoever deploys one of its name on AWS again is asked for a ceiling again."""
    if deployment in total(cloud):
        now = datetime.now(UTC).isoformat(timespec="seconds")
        _append(Entry(now, cloud.account_id, cloud.region, cloud.real, deployment, closed=True))


def before(target: Target, site: Site, prompt: str, max_tokens: int) -> None:
    """Return when the call fits under the limit, if there is one. Raises Refusal when it may not."""
    spent = total(site.cloud).get(site.name)
    if spent is None or spent.limit_usd is None:
        return
    try:
        price = token_price.of(target)
    except Refusal:  # whoever opened the limit was told so; such calls are counted without a price
        return
    if price is None:
        return
    most = spent.next_usd(price, len(prompt.encode()), max_tokens)  # no tokeniser makes more tokens than bytes
    if spent.usd + most > spent.limit_usd:
        raise Refusal(
            f"'{site.name}' has spent ${spent.usd:.4f} in {spent.calls} calls, and this one could cost ${most:.4f}: that passes what its "
            f"ceiling left for calls, ${spent.limit_usd:.4f}; nothing was sent. Deploy it again with a higher --ceiling-usd",
            USAGE,
        )


def after(target: Target, site: Site, reply: Reply) -> None:
    """Count the call."""
    counted: dict[str, float] = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
    try:
        price = token_price.of(target)
    except Refusal:
        _append(_entry(site, target, unpriced=True, **counted))
        return
    spent = total(site.cloud).get(site.name, Spent()) if price and price.window_s else Spent()
    usd = spent.next_usd(price, reply.input_tokens, reply.output_tokens) if price else 0.0
    _append(_entry(site, target, usd=usd, **counted))


def after_run(target: Target, site: Site, run: Spent) -> None:
    """Count a run's calls, all of them in one line."""
    counted = {"input_tokens": run.input_tokens, "output_tokens": run.output_tokens, "usd": run.usd}
    _append(_entry(site, target, together=run.calls, unpriced=bool(run.unpriced_calls), **counted))


def total(cloud: Cloud) -> dict[str, Spent]:
    """Every deployment's calls in this cloud."""
    found: dict[str, Spent] = {}
    for entry in _read():
        if (entry.account_id, entry.region, entry.real) == (cloud.account_id, cloud.region, cloud.real):
            found[entry.deployment] = found.get(entry.deployment, Spent()).and_(entry)
            if entry.closed:
                del found[entry.deployment]
    return found


def _entry(site: Site, target: Target, **more: Any) -> Entry:
    where = site.cloud
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(now, where.account_id, where.region, where.real, site.name, target.name, **more)


def _append(entry: Entry) -> None:
    home = state.ensure_home(state.home_folder())
    kept = {
        name: value for name, value in asdict(entry).items() if value or (name == "limit_usd" and value is not None)
    }
    line = json.dumps(kept)
    with (home / FILE).open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # several processes may call at once; closing the file lets go of it
        file.write(f"{line}\n")


def _read() -> Iterator[Entry]:
    path = state.home_folder() / FILE
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            values = {"real": False} | json.loads(line)
            yield Entry(**values)
        except (ValueError, TypeError):  # a line that a killed process left half written
            continue
