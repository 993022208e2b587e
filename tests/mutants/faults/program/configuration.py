"""Mutants that take other configurations than they should, or go by other ones."""

from __future__ import annotations

from tests.mutants.faults.program.insertion import after, before, instead, mutant

_OPTIONS = "cmd/kube-proxy/app/options.go"
_SERVER = "cmd/kube-proxy/app/server.go"
_FLAGS = "o.processV1Alpha1Flags(fs)"

_UNCHECKED = mutant(
    "values-unchecked",
    "whatever values the configuration has, it is taken",
    [after(_OPTIONS, "func (o *Options) Validate() error {", "return nil")],
    *("cfg-sync-period", "cfg-config-sync", "cfg-healthz-addr", "cfg-detect-mode"),
    *("cfg-detect-bridge", "cfg-detect-prefix", "cfg-conntrack-neg", "cfg-burst", "cfg-masq-bit"),
    *("cfg-masq-bit-nft", "cfg-min-sync", "cfg-bind-addr", "cfg-metrics-addr"),
    *("cfg-nodeport-addrs", "cfg-cluster-cidr", "cfg-oom", "cfg-show-hidden", "met-hidden"),
    "cfg-nodeport-keywords",
)

COMMON = (
    _UNCHECKED,
    mutant(
        "oom-score-bounded",
        "an oomScoreAdj of 1000 is taken for 999",
        [
            before(
                _SERVER,
                "externalConfig := &configv1alpha1.KubeProxyConfiguration{}",
                "if score := config.Linux.OOMScoreAdj; score != nil && *score == 1000 { *score-- }",
            )
        ],
        *("cfg-bounds", "cfg-oom"),
    ),
    mutant(
        "gates-unknown",
        "a feature gate that there is not is ignored",
        [
            before(
                _OPTIONS,
                "if err := utilfeature.DefaultMutableFeatureGate.SetFromMap("
                "o.config.FeatureGates); err != nil {",
                'delete(o.config.FeatureGates, "NoSuchGate")',
            )
        ],
        "cfg-feature-gates",
    ),
    mutant(
        "warned-without-need",
        "the log tells of nodePorts at every address, wherever they are",
        [
            after(
                _SERVER,
                "err = checkBadConfig(s)",
                'err = fmt.Errorf("nodePortAddresses is unset")',
            )
        ],
        "cfg-nodeport-warn",
    ),
    mutant(
        "unknown-fields-untold",
        "the log does not tell of fields that there are not",
        [
            instead(
                _OPTIONS,
                'o.logger.Info("Using lenient decoding as strict decoding failed", "err", err)',
            )
        ],
        "cfg-unknown-fields",
    ),
    mutant(
        "port-range-heeded",
        "where there is a portRange, nodePorts are served at no address of the node",
        [
            before(
                "pkg/proxy/apis/config/v1alpha1/conversion.go",
                "out.Windows.RunAsService = in.WindowsRunAsService",
                'if in.PortRange != "" { out.NodePortAddresses = []string{"192.0.2.0/32"} }',
            )
        ],
        "cfg-portrange-ignored",
    ),
    mutant(
        "file-not-decoded",
        "a file that cannot be decoded is taken for an empty one",
        [
            before(
                _OPTIONS,
                "if !runtime.IsStrictDecodingError(err) {",
                "return newKubeProxyConfiguration(), nil",
            )
        ],
        "cfg-bad-yaml",
    ),
    mutant(
        "blank-name-ignored",
        "a --hostname-override of blanks is ignored",
        [before(_OPTIONS, "if len(hostName) == 0 {", "return nil")],
        "cfg-hostname-empty",
    ),
    mutant(
        "ends-with-zero",
        "it ends with exit code 0, whatever is wrong",
        [
            before(
                _SERVER,
                'opts.logger.Error(err, "Error running ProxyServer")',
                'opts.logger.Error(err, "Error running ProxyServer"); return nil',
            )
        ],
        *("cfg-kubeconfig-missing", "cfg-no-iptables", "cfg-nodecidr-family"),
        *("cfg-family-mismatch", "hc-z-bind-hard-fail", "life-config-change-exit"),
    ),
    mutant(
        "arguments-ignored",
        "arguments that are no flags are ignored",
        [before(_SERVER, "for _, arg := range args {", "return nil")],
        "cfg-extra-args",
    ),
    mutant(
        "periods-not-by-flags",
        "flags do not set the periods",
        [
            after(
                _OPTIONS,
                "func (o *Options) processV1Alpha1Flags(fs *pflag.FlagSet) {",
                "return",
            )
        ],
        "cfg-flag-iptables-period",
    ),
    mutant(
        "masquerade-bit-of-iptables",
        "nftables mode goes by --iptables-masquerade-bit",
        [
            after(
                _OPTIONS,
                _FLAGS,
                "o.config.NFTables.MasqueradeBit = o.config.IPTables.MasqueradeBit",
            )
        ],
        "cfg-nft-bit-file-only",
    ),
    mutant(
        "masquerade-all-not-by-flags",
        "--masquerade-all is ignored",
        [after(_OPTIONS, _FLAGS, "o.config.Linux.MasqueradeAll = false")],
        "cfg-flag-masq-all",
    ),
    mutant(
        "flag-over-file",
        "--oom-score-adj wins over the file",
        [before(_OPTIONS, "o.config = c", "c.Linux.OOMScoreAdj = o.config.Linux.OOMScoreAdj")],
        "cfg-flags-vs-file",
    ),
    mutant(
        "port-zero-as-any",
        "a port of 0 means that of the address",
        [before(_OPTIONS, "if port == 0 {", "return addr")],
        "cfg-healthz-port-zero",
    ),
    mutant(
        "metrics-for-everybody",
        "where no metricsBindAddress is given, metrics are served at all addresses",
        [
            before(
                _SERVER,
                "if len(bindAddress) == 0 {",
                'if bindAddress == "127.0.0.1:10249" { bindAddress = "0.0.0.0:10249" }',
            )
        ],
        "sec-metrics-not-exposed",
    ),
    mutant(
        "name-as-given",
        "endpoints are on the node that the hostnameOverride names with blanks and capitals",
        [
            before(
                _SERVER,
                "rawNodeIPs := s.NodeManager.NodeIPs()",
                "s.NodeName = config.HostnameOverride",
            )
        ],
        "itp-hostname-case",
    ),
    mutant(
        "families-unchecked",
        "networks of pods may be of whichever family",
        [
            after(
                _SERVER,
                "func checkBadIPConfig(s *ProxyServer, dualStackSupported bool)"
                " (err error, fatal bool) {",
                "return nil, false",
            )
        ],
        *("cfg-family-mismatch", "cfg-nodecidr-family"),
    ),
)

OF_IPVS = (_UNCHECKED._replace(killed_by=("cfg-ipvs-timeouts", "cfg-ipvs-exclude")),)
