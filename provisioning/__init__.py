"""The engine: keeps what runs in the cluster equal to what the database says is wanted.

Level-triggered, as controllers are: observe, decide, act, record, come again.  Knows Kubernetes, Helm and the
database; knows nothing of web frameworks, users or pages.
"""
