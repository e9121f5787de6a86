"""Training by several processes.

roles.py says which process is what; meeting.py brings them together. With parameter servers:
servers.py and remote_step.py are the chief's side, bridge.py what its graphs call in the workers,
worker.py the workers' side. Without: all_reduce.py and shared_step.py. The loop, the steps of the
workers and the files are those of a training in one process.
"""
