"""The Littlest JupyterHub with a container for each learner: /opt/tljh/config/jupyterhub_config.d/deployment_dilemma.py.

TLJH's own spawner runs everybody's servers as processes of one machine, where everybody's loopback is everybody's: a learner could read, delete
and run code in a neighbour's local cloud. So each gets a container, from the image that repo2docker makes of this repository.
Needs docker on the machine and `dockerspawner` in the hub's environment; book/instructor/hubs.md has the commands.
"""

GATEWAY = "172.30.0.1"
"""of the network `course`, which is made with it; the hub listens there, so that containers reach it and nobody outside does"""

c = get_config()  # noqa: F821 - whoever loads this file defines it

c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.JupyterHub.hub_ip = GATEWAY
c.JupyterHub.hub_connect_ip = GATEWAY
c.JupyterHub.concurrent_spawn_limit = 10

c.DockerSpawner.image = "deployment-dilemma:latest"
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.network_name = "course"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.volumes = {"course-{username}": "/home/jovyan"}
c.DockerSpawner.mem_limit = "2G"
c.DockerSpawner.mem_guarantee = "1G"
c.DockerSpawner.cpu_limit = 2
c.DockerSpawner.extra_host_config = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], "pids_limit": 512}
c.DockerSpawner.default_url = "/lab"
c.DockerSpawner.start_timeout = 300
