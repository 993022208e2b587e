"""Session affinity: which endpoint a client comes back to."""

from __future__ import annotations

from specification.rules.case import Case, clause
from specification.rules.endpoints import Pool

TIMEOUT = 10_800
"""Seconds, where sessionAffinityConfig does not say otherwise (API: core/v1 ClientIPConfig)."""


@clause("aff-clientip-sticky", "aff-timeout-min-hold", "aff-timeout-expire")
def remembered(case: Case, pool: Pool) -> Pool:
    """Under session affinity ClientIP, a client whose last connection is younger than the timeout
    must get the endpoint that it had, for as long as that may be chosen at all.

    Source: docs, Virtual IPs and Service Proxies, session affinity; API, core/v1 ClientIPConfig.
    """
    service, kind = case.frontend.service, case.frontend.service.session_affinity
    if kind == "None":
        return ()
    key = case.attempt.client.address, service.namespace, service.name, case.frontend.port.name
    before = case.state.affinity.get(key)
    timeout = kind if isinstance(kind, int) else TIMEOUT
    if before is None or before.idle >= timeout:
        return ()
    return tuple(each for each in pool if each.at == before.endpoint)
