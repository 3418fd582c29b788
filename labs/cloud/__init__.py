"""Which cloud am I talking to: the local one (moto and our extension of it, answering with the serving engine's timing) or real AWS.

from labs import cloud
print(cloud.connect())
"""

from labs.cloud.environment import Cloud, connect

__all__ = ["Cloud", "connect"]
