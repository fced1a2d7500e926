//! The configuration files of a node's parts: text for facts, nothing else. What differs from the defaults, and why, stands
//! beside it.

use super::address::Network;
use std::path::Path;

/// The image that holds a pod's namespaces.
pub(super) const PAUSE: &str = "fleetloom.dev/pause:1";

/// The name of the one node.
pub(super) const NODE: &str = "node";

/// Where Debian puts the programs that connect pods.
const CNI: &str = "/usr/lib/cni";

/// containerd: everything below the run folder; no storage but overlay; pods get no lower OOM score than its own, which needs a
/// right that not every root has; no AppArmor profile, which not every kernel has.
pub(super) fn containerd(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"version = 2
root = "{folder}/containerd"
state = "{folder}/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing"]
[grpc]
address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true
disable_apparmor = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI}"
conf_dir = "{folder}/cni"
"#
    )
}

/// The network of pods: they hang on the node's own bridge, which is their way to everything. Nothing is masqueraded: pods reach
/// the node, each other and this machine, and no further.
pub(super) fn cni(folder: &Path, network: Network) -> String {
    let (folder, range, first, node) = (folder.display(), network.range(), network.pods(), network.node());
    format!(
        r#"{{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {{"type": "bridge", "bridge": "node0", "isDefaultGateway": true, "hairpinMode": true,
   "ipam": {{"type": "host-local", "dataDir": "{folder}/addresses",
            "ranges": [[{{"subnet": "{range}", "rangeStart": "{first}", "gateway": "{node}"}}]]}}}}]}}
"#
    )
}

/// The kubelet: control groups v1 are allowed, below a group of our own; the disk of a developer may be nearly full.
pub(super) fn kubelet(folder: &Path, certificates: &Path, group: &str) -> String {
    let (folder, certificates) = (folder.display(), certificates.display());
    format!(
        r#"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: "unix://{folder}/containerd.sock"
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
  x509: {{clientCAFile: "{certificates}/ca.crt"}}
authorization: {{mode: Webhook}}
tlsCertFile: "{certificates}/kubelet-server.crt"
tlsPrivateKeyFile: "{certificates}/kubelet-server.key"
cgroupDriver: cgroupfs
cgroupRoot: "/{group}"
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
podLogsDir: "{folder}/pods"
resolvConf: "{folder}/resolv.conf"
volumePluginDir: "{folder}/volume-plugins"
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {{memory.available: 100Mi, nodefs.available: "1%", nodefs.inodesFree: "1%", imagefs.available: "1%"}}
serializeImagePulls: false
"#
    )
}

/// The proxy: packet rules of the network namespace by nftables; the limits of connection tracking stay as they are.
pub(super) fn proxy(kubeconfig: &Path, network: Network) -> String {
    let (kubeconfig, range, node) = (kubeconfig.display(), network.range(), network.node());
    format!(
        r#"apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {{kubeconfig: "{kubeconfig}"}}
hostnameOverride: {NODE}
clusterCIDR: "{range}"
healthzBindAddress: "{node}:10256"
oomScoreAdj: 0
conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
"#
    )
}

/// The scheduler of a crowd: as many calls as it wants, for nothing else is in a hurry there.
pub(super) fn scheduler(kubeconfig: &Path) -> String {
    let kubeconfig = kubeconfig.display();
    format!(
        r#"apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {{kubeconfig: "{kubeconfig}", qps: 2000, burst: 4000}}
leaderElection: {{leaderElect: false}}
"#
    )
}
