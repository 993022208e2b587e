// Command kube-apiserver is the released kube-apiserver, built from its Go module, but that it can be
// told to emulate releases down to 1.33: older ones than it has to, whose code it still has.
package main

import (
	"os"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/cli"
	basecompatibility "k8s.io/component-base/compatibility"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/component-base/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

const oldest = "1.33"

func main() {
	known := compatibility.DefaultComponentGlobalsRegistry
	known.Reset()
	utilruntime.Must(known.Register(
		basecompatibility.DefaultKubeComponent,
		basecompatibility.NewEffectiveVersionFromString(version.Get().GitVersion, oldest, oldest),
		utilfeature.DefaultMutableFeatureGate,
	))
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
