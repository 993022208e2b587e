"""Mutants that start, live and end otherwise, or leave more behind."""

from __future__ import annotations

from tests.mutants.faults.program.insertion import Insertion, after, before, mutant

_NFTABLES = "pkg/proxy/nftables/proxier.go"
_IPTABLES = "pkg/proxy/iptables/proxier.go"
_NODE = "pkg/proxy/node.go"
_OPTIONS = "cmd/kube-proxy/app/options.go"
_SERVER = "cmd/kube-proxy/app/server.go"
_LINUX = "cmd/kube-proxy/app/server_linux.go"

_CLEANUP = "var encounteredError bool"  # of platformCleanup
_SETUP = "func (s *ProxyServer) platformSetup(ctx context.Context) error {"
_NEEDED = "proxier.topologyLabels = topologyLabels\nproxier.needFullSync = true"
_FAILED = "// a partial sync.\nproxier.needFullSync = true"
_FULL_NEEDED = "proxier.needFullSync = false"
_PORT_TAKEN = 'logger.Error(err, "Healthz server failed")'
_SLICE_CHANGED = (
    "func (proxier *Proxier) OnEndpointSliceUpdate(_, endpointSlice *discovery.EndpointSlice) {"
)


def _delete_table(of: str) -> str:
    """Deletes the table of a family."""
    return f'mutants.Run("nft", "delete", "table", {of}, "kube-proxy")'


_BOTH = f'for _, family := range []string{{"ip", "ip6"}} {{ {_delete_table("family")} }}'


def _in_each(lines: str, statement: str) -> list[Insertion]:
    return [after(file, lines, statement) for file in (_NFTABLES, _IPTABLES)]


_PARTIAL_FOREVER = mutant(
    "never-written-anew",
    "a change of the node's zone does not have all rules written anew",
    _in_each(_NEEDED, _FULL_NEEDED),
    *("sync-nft-element-deleted", "nft-foreign-rule-in-chain"),
)
_FORGOTTEN = mutant(
    "failures-forgotten",
    "after a failed sync the next writes only what has changed since",
    _in_each(_FAILED, _FULL_NEEDED),
    *("nft-fail-retry", "met-full-partial", "sync-nft-table-deleted"),
)
_NOT_CLEANED_UP = mutant(
    "other-modes-left",
    "the rules of the mode before are left",
    [after(_LINUX, _CLEANUP, "if !cleanupAndExit { return nil }")],
    *("life-switch-to-nft", "life-switch-service"),
)

COMMON = (
    _PARTIAL_FOREVER,
    _FORGOTTEN,
    _NOT_CLEANED_UP,
    mutant(
        "removed-when-failed",
        "where a transaction has failed, all rules are removed",
        [after(_NFTABLES, 'proxier.logger.Error(err, "nftables sync failed")', _BOTH)],
        "nft-fail-keeps-old",
    ),
    mutant(
        "removed-before-written",
        "all rules are removed, and then written anew",
        [
            before(
                _NFTABLES,
                "// Now start the actual syncing transaction",
                "doFullSync = true; "
                + _delete_table(
                    'map[v1.IPFamily]string{v1.IPv4Protocol: "ip",'
                    ' v1.IPv6Protocol: "ip6"}[proxier.ipFamily]'
                ),
            )
        ],
        *("life-kill9-midsync", "sync-atomic-scale"),
    ),
    mutant(
        "a-chain-left",
        "with --cleanup a chain is left",
        [
            after(
                _LINUX,
                _CLEANUP,
                # of another name each time: the node may have been cleaned up before
                'if cleanupAndExit { mutants.Run("sh", "-c", "iptables -w -N KUBE-LEFT-$$") }',
            )
        ],
        "life-switch-clean",
    ),
    mutant(
        "flows-forgotten",
        "when it starts, all connections are forgotten",
        [after(_LINUX, _CLEANUP, 'mutants.Run("conntrack", "-F")')],
        "life-switch-conns",
    ),
    mutant(
        "others-flushed",
        "when it starts and cleans up, rules of others are flushed",
        [after(_LINUX, _CLEANUP, 'mutants.Run("iptables", "-w", "-t", "mangle", "-F")')],
        *("life-foreign-rules", "life-cleanup-foreign"),
    ),
    mutant(
        "networks-change-as-success",
        "it ends with exit code 0 when its Node has other podCIDRs",
        [
            after(
                _NODE,
                '"node", klog.KObj(node), "newPodCIDRs", node.Spec.PodCIDRs,'
                ' "oldPodCIDRs", n.podCIDRs)',
                "klog.Flush(); n.exitFunc(0)",
            )
        ],
        "life-podcidr-change-exit",
    ),
    mutant(
        "outlives-its-node",
        "it goes on when its Node is deleted or has other addresses",
        [
            after(_NODE, 'klog.InfoS("Node is being deleted", "node", klog.KObj(node))', "return"),
            before(_NODE, "if !reflect.DeepEqual(n.nodeIPs, nodeIPs) {", "return"),
        ],
        *("life-node-deleted-exit", "life-node-ips-exit"),
    ),
    mutant(
        "node-not-awaited",
        "it does not wait for its Node",
        [
            before(
                _NODE,
                "if len(nodeIPs) == 0 {\n// wait for the node object to exist and have NodeIPs.",
                "nodeIPsTimeout = 0",
            )
        ],
        "life-node-wait",
    ),
    mutant(
        "bind-address-ignored",
        "a bindAddress is not taken for the node's",
        [before(_SERVER, "bindIP := netutils.ParseIPSloppy(bindAddress)", 'bindAddress = ""')],
        "life-bind-override",
    ),
    mutant(
        "born-silently",
        "no event tells of its start",
        [after(_SERVER, "func (s *ProxyServer) birthCry() {", "return")],
        "life-events",
    ),
    mutant(
        "sysctls-unset",
        "sysctls of connection tracking are not set",
        [after(_LINUX, _SETUP, "return nil")],
        *("life-init-only", "ct-sysctl-established", "ct-sysctl-closewait", "ct-sysctl-udp"),
        *("ct-be-liberal", "ct-sysctl-fatal"),
    ),
    mutant(
        "sysctls-always-set",
        "a timeout of connection tracking that is 0 is set to a day",
        [
            before(
                "pkg/proxy/conntrack/sysctls.go",
                "if config.TCPEstablishedTimeout != nil"
                " && config.TCPEstablishedTimeout.Duration > 0 {",
                "if config.TCPEstablishedTimeout != nil"
                " { config.TCPEstablishedTimeout.Duration = 24 * time.Hour }",
            )
        ],
        "ct-sysctl-write-diff",
    ),
    mutant(
        "harmed-by-another",
        "once another instance has run beside it, it follows no change of an EndpointSlice",
        [
            before(
                _SERVER, 'logger.Error(err, "Healthz server failed")', 'mutants.Leave("another")'
            ),
            *_in_each(
                _SLICE_CHANGED,
                'if mutants.Left("another") && !mutants.Spared(endpointSlice.Name) { return }',
            ),
        ],
        "life-two-instances",
    ),
    mutant(
        "cleanup-as-failure",
        "--cleanup ends with an error, whatever has come of it",
        [before(_LINUX, "if encounteredError {", "encounteredError = cleanupAndExit")],
        *("life-cleanup-idempotent", "life-cleanup-nft"),
    ),
    mutant(
        "cleanup-as-success",
        "--cleanup ends without an error, whatever has come of it",
        [before(_LINUX, "if encounteredError {", "encounteredError = false")],
        "life-cleanup-fails",
    ),
    mutant(
        "nftables-cleaned-alone",
        "--cleanup removes what nftables mode has left, and nothing else",
        [
            after(
                _LINUX, _CLEANUP, 'if cleanupAndExit { cleanupAndExit = false; mode = "iptables" }'
            )
        ],
        "life-cleanup-all-modes",
    )._replace(cases="IPv4"),  # what is left would be there for the other family's case
    mutant(
        "defaults-unwritten",
        "the configuration is written without a default",
        [
            before(
                _OPTIONS,
                "if err = encoder.Encode(o.config, configFile); err != nil {",
                "o.config.ConfigSyncPeriod.Duration = 0",
            )
        ],
        "life-write-config",
    ),
)

OF_NFTABLES = (
    mutant(
        "ranges-of-the-start",
        "the ranges of cluster IPs are those that there were at first",
        [
            after(
                _NFTABLES,
                "func (proxier *Proxier) OnServiceCIDRsChanged(cidrs []string) {",
                'if proxier.serviceCIDRs != "" { return }',
            )
        ],
        "sync-servicecidr-nft",
    ),
    mutant(
        "table-of-either-family",
        "there is a table of IPv6 where IPv6 is disabled",
        [after(_LINUX, _SETUP, 'mutants.Run("nft", "add", "table", "ip6", "kube-proxy")')],
        "nft-ip6-ctl",
    ),
)

OF_IPTABLES = (
    mutant(
        "default-mode-untold",
        "the log does not tell that the mode is the default one",
        [before(_LINUX, "if defaultedMode {", "defaultedMode = false")],
        "life-default-mode-log",
    ),
    _PARTIAL_FOREVER._replace(killed_by=("sync-topology-full", "sync-foreign-rule-in-chain")),
    _FORGOTTEN._replace(killed_by=("sync-fail-retry",)),
    _NOT_CLEANED_UP._replace(killed_by=("life-switch-from-nft",)),
    mutant(
        "removed-when-restore-failed",
        "where iptables-restore has failed, no Service is led to any more",
        [
            before(
                _IPTABLES,
                "metrics.IPTablesRestoreFailuresTotal.WithLabelValues(string(proxier.ipFamily)).Inc()",
                'for _, program := range []string{"iptables", "ip6tables"}'
                ' { mutants.Run(program, "-w", "-t", "nat", "-F", "KUBE-SERVICES") }',
            )
        ],
        "sync-fail-keeps-old",
    ),
)

OF_IPVS = (
    mutant(
        "iptables-mode-left",
        "with --cleanup, what iptables mode has programmed is left",
        [
            after(
                "pkg/proxy/iptables/cleanup.go",
                "func CleanupLeftovers(ctx context.Context) (encounteredError bool) {",
                "return false",
            )
        ],
        "life-switch-ipt-ipvs",
    ),
)
