//! What a node could leave on a machine: first by its own marks, then whatever of the machine a careless node changes.

use super::pods::{self, names};
use super::space::{self, Marks};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders that programs of a node make where no setting says otherwise.
const FOLDERS: [&str; 12] = [
    "/run/containerd",
    "/run/netns",
    "/run/runc",
    "/run/kubernetes",
    "/run/flannel",
    "/etc/cni",
    "/opt/cni",
    "/opt/containerd",
    "/usr/libexec/kubernetes",
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/log/containers",
];

/// Settings of the kernel that a node changes.
const SETTINGS: [&str; 8] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "net/netfilter/nf_conntrack_max",
];

/// What was found, one line each: `mount /run/x`. Two that were taken at different times can be compared.
pub type Traces = BTreeSet<String>;

impl Marks {
    /// What there is of this node now: processes, control groups, its interface, its folder. Empty when all is gone.
    pub fn traces(&self) -> Traces {
        let mut found: Traces = pods::all().filter(|process| self.own(process)).map(|it| shown(&it)).collect();
        found.extend(groups().filter(|group| group.contains(&self.group)).map(|group| format!("group {group}")));
        let interface = space::index(&self.interface).filter(|index| *index == self.index);
        found.extend(interface.map(|_| format!("interface {}", self.interface)));
        found.extend(self.folder.exists().then(|| format!("folder {}", self.folder.display())));
        found
    }

    /// Whether a process is the node's: it has the variable, or is in the control group of the pods.
    pub(super) fn own(&self, process: &Path) -> bool {
        let has = |file, text: &str| {
            let bytes = fs::read(process.join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(text)
        };
        has("environ", &format!("{}={}", space::NODE, self.group)) || has("cgroup", &self.group)
    }
}

/// What of this machine a node could have changed: interfaces, mounts, tables of packet rules, folders, settings. Other nodes of
/// these tests do not show: their interfaces are left out, and the rest of them lies in their namespaces.
pub fn machine() -> Traces {
    let mut found: Traces = names("/sys/class/net").filter(|name| !name.starts_with("fleetloom")).collect();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    found.extend(mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(|path| format!("mount {path}")));
    found.extend(tables());
    let home = std::env::var("HOME").unwrap_or_default();
    let folders = FOLDERS.iter().map(PathBuf::from).chain([Path::new(&home).join(".kube")]);
    found.extend(folders.filter(|folder| folder.exists()).map(|folder| format!("folder {}", folder.display())));
    found.extend(SETTINGS.iter().map(|name| {
        let value = fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default();
        format!("{name} = {}", value.trim())
    }));
    found
}

/// Tables of packet rules.
fn tables() -> impl Iterator<Item = String> {
    let nft = super::programs::find("nft").map(|nft| Command::new(nft).args(["list", "tables"]).output());
    let text = match nft {
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => "no nft".to_owned(),
    };
    text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// A process for people.
fn shown(process: &Path) -> String {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    format!("process {} {}", process.display(), name.trim())
}

/// Every control group of this machine, down to the third level: pods lie deeper, below one of ours.
fn groups() -> impl Iterator<Item = String> {
    fn below(folder: &Path, depth: u8, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.push(entry.path().display().to_string());
                if depth > 1 {
                    below(&entry.path(), depth - 1, found);
                }
            }
        }
    }
    let mut found = Vec::new();
    below(Path::new("/sys/fs/cgroup"), 3, &mut found);
    found.into_iter()
}
