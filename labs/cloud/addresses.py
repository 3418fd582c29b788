"""Where the scheme of an address is decided: nothing on loopback has a certificate, so nothing on loopback is asked for over TLS.

    without_tls("https://127.0.0.1:4001/event")                       # "http://127.0.0.1:4001/event"
    without_tls("wss://abc.appsync-realtime-api.us-east-1.amazonaws.com/event/realtime")   # as it is

Some AWS APIs give a name and leave the scheme to the client (an Event API's `dns`). Clients and templates write https:// and wss://, as AWS
needs it; what is made of a name goes through here before it is opened. It is a property of the address and not a switch: browsers, too,
take loopback for secure without TLS.
"""

import re

from labs.cloud.guard import is_loopback


def without_tls(text: str) -> str:
    """`text` with https:// and wss:// before a loopback address replaced by http:// and ws://; all else stays."""

    def plain(found: re.Match[str]) -> str:
        scheme, host = found.groups()
        if not is_loopback(host):
            return found[0]
        return f"{'http' if scheme == 'https' else 'ws'}://{host}"

    return re.sub(r"\b(https|wss)://([A-Za-z0-9.\-]+|\[[0-9a-fA-F:]+\])", plain, text)
