"""Where the cluster's API server is, as pods could reach it: what no list of ways out may open."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from provisioning.cluster import Cluster
from provisioning.kinds import Kind

_SLICES = Kind("EndpointSlice", "discovery.k8s.io/v1", "endpointslices")


async def addresses(cluster: Cluster) -> frozenset[str]:
    """Of the Service `kubernetes`, of what is behind it, and the one that we use.  Raises ClusterError."""
    found = {str(urlsplit(cluster.url).hostname or "")}
    service = await cluster.get("Service", "kubernetes", "default")
    if service is not None:
        found.update(service["spec"].get("clusterIPs") or [service["spec"].get("clusterIP", "")])
    for each in await cluster.list_of(_SLICES, "default", "kubernetes.io/service-name=kubernetes"):
        for endpoint in each.get("endpoints") or []:
            found.update(endpoint.get("addresses") or [])
    return frozenset(each for each in found if _is_address(each))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
