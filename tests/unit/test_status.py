"""How the cluster is: what is a change to tell pages of."""

from app.status import ClusterStatus


def test_that_time_goes_by_is_no_change():
    assert ClusterStatus("connected", cache_age=1.0) == ClusterStatus("connected", cache_age=2.0)
    assert ClusterStatus("connected") != ClusterStatus("away")
