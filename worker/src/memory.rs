//! What the system says about this process's memory.

use std::fs;
use std::path::{Path, PathBuf};

/// Where Linux shows its control groups.
const GROUPS: &str = "/sys/fs/cgroup";

/// Most memory the process held, bytes; 0 where the system does not say.
pub(crate) fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

/// Most memory that the process's control groups let it have, bytes: the least of its own and those around it, of version 2
/// (`memory.max`) or 1 (`memory.limit_in_bytes`). `None` where nobody set a limit.
pub(crate) fn limit_bytes() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    least_limit(&groups, Path::new(GROUPS))
}

/// The least limit of the groups that the lines of `/proc/self/cgroup` name, below `root`.
fn least_limit(groups: &str, root: &Path) -> Option<u64> {
    groups.lines().flat_map(|line| files(line, root)).filter_map(|file| limit(&file)).min()
}

/// The files of one line, `<number>:<controllers>:<path>`, from the group itself up to the root.
fn files(line: &str, root: &Path) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, name) = match controllers {
        "" => (root.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|one| one == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
        _ => return Vec::new(),
    };
    Path::new(path.trim_start_matches('/')).ancestors().map(|group| root.join(group).join(name)).collect()
}

/// A limit that is a number; version 2 writes `max` where there is none.
fn limit(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_of_a_group_and_those_around_it_holds() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(least_limit("0::/pods/one\n", root.path()), None);
        write("pods/one/memory.max", "max\n");
        assert_eq!(least_limit("0::/pods/one\n", root.path()), None);
        write("pods/memory.max", "300\n");
        write("pods/one/memory.max", "400\n");
        assert_eq!(least_limit("0::/pods/one\n", root.path()), Some(300));
        assert_eq!(least_limit("0::/\n", root.path()), None);
        write("memory/a/memory.limit_in_bytes", "200\n");
        assert_eq!(least_limit("3:cpu:/a\n5:hugetlb,memory:/a/b\n0::/pods\n", root.path()), Some(200));
        assert_eq!(least_limit("torn", root.path()), None);
    }
}
