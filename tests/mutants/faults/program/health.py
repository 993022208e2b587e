"""Mutants that say something else of their health, and of that of Services."""

from __future__ import annotations

from tests.mutants.faults.program.insertion import after, before, instead, mutant

_PROXY = "pkg/proxy/healthcheck/proxy_health.go"
_SERVICE = "pkg/proxy/healthcheck/service_health.go"
_NFTABLES = "pkg/proxy/nftables/proxier.go"
_TRACKER = "pkg/proxy/endpointschangetracker.go"
_SERVER = "cmd/kube-proxy/app/server.go"

_LIVEZ = """func (h livezHandler) ServeHTTP(resp http.ResponseWriter, req *http.Request) {
health := h.hs.Health()"""
_HEALTHY = "kubeProxyHealthy := h.hcs.healthzServer.Health().Healthy"
_TAINTED = "if taint.Key == ToBeDeletedTaint {"
_NOT_READY = '"node.kubernetes.io/not-ready"'

_BOTH_FAMILIES = 'nodeIPs, network = []net.IP{net.IPv4zero}, "tcp"'

MUTANTS = (
    mutant(
        "ports-never-closed",
        "a healthCheckNodePort stays open when its Service is gone or has another",
        [instead(_SERVICE, "_ = svc.closeAll()")],
        *("hc-np-change", "life-resource-leak"),
    ),
    mutant(
        "few-answered",
        "a healthCheckNodePort answers sixteen connections, and closes all others",
        [
            before(
                _SERVICE,
                "// start serving",
                "listener = mutants.Few(listener)",
            )
        ],
        "hc-np-keepalive",
    ),
    mutant(
        "one-endpoint-more",
        "a healthCheckNodePort tells of one endpoint more than there is",
        [after(_SERVICE, "count := svc.endpoints", "count++")],
        *("hc-np-body", "hc-np-headers", "hc-np-count-dedupe", "hc-np-change", "hc-np-200"),
    ),
    mutant(
        "endpoints-counted-by-ports",
        "a healthCheckNodePort counts an endpoint once for each of its ports",
        [
            after(
                _TRACKER,
                "eps[nsn] = len(ips)",
                "eps[nsn] = 0; for port, list := range em { for _, each := range list {"
                " if port.NamespacedName == nsn && each.IsReady() && each.IsLocal()"
                " { eps[nsn]++ } } }",
            )
        ],
        "hc-np-count-dedupe",
    ),
    mutant(
        "other-paths-unknown",
        "a healthCheckNodePort answers at its root alone",
        [
            before(
                _SERVICE,
                "h.hcs.lock.RLock()",
                'if req.URL.Path != "/" { http.NotFound(resp, req); return }',
            )
        ],
        "hc-np-any-path",
    ),
    mutant(
        "weight-untold",
        "a healthCheckNodePort does not tell the weight in a header",
        [
            after(
                _SERVICE,
                'resp.Header().Set("X-Load-Balancing-Endpoint-Weight", strconv.Itoa(count))',
                'resp.Header().Del("X-Load-Balancing-Endpoint-Weight")',
            )
        ],
        "hc-np-headers",
    ),
    mutant(
        "taken-ports-untold",
        "there is no event where a healthCheckNodePort is taken",
        [before(_SERVICE, "if hcs.recorder != nil {", "continue")],
        "hc-np-conflict",
    ),
    mutant(
        "services-healthy-in-a-stall",
        "a healthCheckNodePort answers 200 though changes are overdue",
        [after(_SERVICE, _HEALTHY, "kubeProxyHealthy = true")],
        "hc-np-proxy-unhealthy",
    ),
    mutant(
        "eligibility-everywhere",
        "/livez and healthCheckNodePorts answer 503 on a node that is to be removed",
        [
            after(_PROXY, _LIVEZ, "health.Healthy = health.Healthy && h.hs.NodeEligible()"),
            after(
                _SERVICE,
                _HEALTHY,
                "if all, ok := h.hcs.healthzServer.(*ProxyHealthServer); ok"
                " { kubeProxyHealthy = kubeProxyHealthy && all.NodeEligible() }",
            ),
        ],
        *("hc-livez", "hc-np-taint", "hc-z-deleted"),
    ),
    mutant(
        "eligibility-untold",
        "/healthz says that a node is eligible that is to be removed",
        [
            after(
                _PROXY,
                "health.NodeEligible = ptr.To(nodeEligible)",
                "health.NodeEligible = ptr.To(true)",
            )
        ],
        "hc-z-taint",
    ),
    mutant(
        "every-taint-counts",
        "/healthz answers 503 on a node with any taint but the one that it begins with",
        [before(_PROXY, _TAINTED, f"if taint.Key != {_NOT_READY} {{ return false }}")],
        "hc-z-other-taints",
    ),
    mutant(
        "rules-removed-with-taint",
        "a node that is to be removed serves no Service any more",
        [
            after(
                _PROXY,
                _TAINTED,
                'for _, family := range []string{"ip", "ip6"}'
                ' { mutants.Run("nft", "delete", "table", family, "kube-proxy") }',
            )
        ],
        "hc-z-dataplane-unaffected",
    ),
    mutant(
        "untainted-late",
        "a Node that has lost its taints is known half a minute later",
        [
            before(
                "pkg/proxy/node.go",
                "// update the node object",
                "if len(node.Spec.Taints) == 0 { go func() { time.Sleep(30 * time.Second);"
                " n.mu.Lock(); n.node = node; n.mu.Unlock() }(); return }",
            )
        ],
        "hc-z-untaint",
    ),
    mutant(
        "accepted-instead-of-ok",
        "/healthz answers 202 where it should answer 200",
        [
            before(
                _PROXY,
                'metrics.ProxyHealthzTotal.WithLabelValues("200").Inc()',
                "resp.WriteHeader(http.StatusAccepted)",
            )
        ],
        *("hc-z-200", "hc-z-bindaddr-v6"),
    ),
    mutant(
        "families-untold",
        "/healthz does not tell of the families",
        [
            before(
                _PROXY,
                "health.NodeEligible = ptr.To(nodeEligible)",
                "health.Status = nil",
            )
        ],
        "hc-z-body",
    ),
    mutant(
        "answers-counted-twice",
        "proxy_healthz_total counts each answer 503 twice",
        [
            before(
                _PROXY,
                'metrics.ProxyHealthzTotal.WithLabelValues("503").Inc()',
                'metrics.ProxyHealthzTotal.WithLabelValues("503").Inc()',
            )
        ],
        "met-healthz-code",
    ),
    mutant(
        "one-family-listened",
        "where all addresses are asked for, /healthz is answered in one family alone",
        [
            before(
                _PROXY,
                'listener, err := hs.listener.Listen(ctx, "tcp", hs.addr)',
                'if hs.addr == "[::]:10256" { hs.addr = ":10256"; hs.listener = mutants.IPv4{} }',
            )
        ],
        "hc-z-bindaddr-v6",
    ),
    mutant(
        "impatient",
        "/healthz answers 503 as soon as any change is to be written",
        [
            before(
                _PROXY,
                "if currentTime.Sub(hs.oldestPendingQueuedMap[ipFamily]) < hs.healthTimeout {",
                "health.Healthy = false",
            )
        ],
        "hc-z-stall",
    ),
    mutant(
        "idle-as-stalled",
        "/healthz answers 503 when nothing was written for twice syncPeriod",
        [
            before(
                _PROXY,
                "if _, set := hs.oldestPendingQueuedMap[ipFamily]; !set {\n"
                "// the proxier is healthy while it's starting up",
                "if currentTime.Sub(proxierLastUpdated) > hs.healthTimeout"
                " { health.Healthy = false }",
            )
        ],
        *("hc-z-idle-ok", "hc-z-stall"),
    ),
    mutant(
        "unhealthy-until-synchronised",
        "/healthz answers 503 until something was written",
        [
            before(
                _PROXY,
                "var lastUpdated time.Time",
                "if len(hs.lastUpdatedMap) == 0 { health.Healthy = false; return health }",
            ),
            instead(
                _NFTABLES,
                "if proxier.healthzServer != nil {\n"
                "proxier.healthzServer.Updated(proxier.ipFamily)\n}\n\n"
                '// synthesize "last change queued" time as the informers are syncing.',
            ),
        ],
        "hc-z-before-sync",
    ),
    mutant(
        "never-well-again",
        "once a change was overdue, /healthz answers 503 for good",
        [
            before(
                _PROXY,
                "// mark the status unhealthy.",
                'mutants.Keep("overdue")',
            ),
            before(
                _PROXY, "var lastUpdated time.Time", 'health.Healthy = !mutants.Kept("overdue")'
            ),
        ],
        "hc-z-recovers",
    ),
    mutant(
        "alive-in-a-stall",
        "/livez answers 200 though changes are overdue",
        [after(_PROXY, _LIVEZ, "health.Healthy = true")],
        "hc-livez-stall",
    ),
    mutant(
        "profiles-always",
        "profiles are served though they are not asked for",
        [before(_SERVER, "if enableProfiling {", "enableProfiling = true")],
        "hc-m-endpoints",
    ),
    mutant(
        "profiles-never",
        "profiles are not served though they are asked for",
        [before(_SERVER, "if enableProfiling {", "enableProfiling = false")],
        "hc-m-profiling",
    ),
    mutant(
        "mode-with-words",
        "/proxyMode answers with more than the mode",
        [before(_SERVER, 'fmt.Fprintf(w, "%s", proxyMode)', 'fmt.Fprint(w, "mode: ")')],
        "hc-m-proxymode",
    ),
    mutant(
        "defaults-untold",
        "/configz tells 0 where a period was not given",
        [
            before(
                _SERVER,
                "if err := cz.Set(externalConfig); err != nil {",
                "externalConfig.ConfigSyncPeriod.Duration = 0",
            )
        ],
        *("hc-m-configz", "cfg-defaults"),
    ),
    mutant(
        "port-tried-once",
        "where its healthzBindAddress is taken, it is not tried again",
        [after(_SERVER, 'logger.Error(err, "Healthz server failed")', "<-ctx.Done()")],
        "hc-z-bind-fail",
    ),
)

OF_IPTABLES = (
    mutant(
        "one-answers-for-both-families",
        "the healthCheckNodePorts of each family listen at the addresses of both",
        [after(_SERVICE, f'network = "{each}"', _BOTH_FAMILIES) for each in ("tcp4", "tcp6")],
        "hc-np-count-family",
    ),
)
