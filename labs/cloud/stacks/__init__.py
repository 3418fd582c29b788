"""CloudFormation for the local cloud: what a template asks for is made by calling the services' own APIs, as CloudFormation does.

So whatever a service refuses, CloudFormation refuses; whatever breaks (`labs.cloud.faults`) breaks here too, and the stack rolls back.
A resource type that is not in `types` is refused before anything is made: better than a stack that is complete without it.
moto's own CloudFormation creates what it knows, ignores what it does not, leaves half a stack behind when something fails, and calls
all of it CREATE_COMPLETE.
"""
