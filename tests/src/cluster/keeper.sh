# keeper RUN_FOLDER CONTROL_GROUP INSIDE: makes the namespaces of a node, waits for their end and removes what they leave. It
# outlives whoever started it, so that even one who was killed leaves nothing. What it says goes to stdout, which is read until
# the node's first process says that it is ready.
set -eu
exec 2>&1
folder=$1 group=$2 inside=$3

gone() {
    # Everything in them ended with the namespaces; a group that lies in another goes first.
    find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} +
    rm -rf -- "$folder"
}
trap 'gone >/dev/null 2>&1' EXIT
trap '' HUP INT PIPE TERM

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    # The kubelet wants every one of these that the machine has.
    for what in cpu cpuset memory pids hugetlb; do
        ! grep -qw "$what" /sys/fs/cgroup/cgroup.controllers || echo "+$what" >/sys/fs/cgroup/cgroup.subtree_control
    done
    mkdir "/sys/fs/cgroup/$group"
else
    while read -r _ hierarchy kind _; do
        case $kind in cgroup | cgroup2) mkdir -p "$hierarchy/$group" ;; esac
    done </proc/mounts
    # A new group may use no processor and no memory until it is told which.
    for what in cpus mems; do
        cat "/sys/fs/cgroup/cpuset/cpuset.$what" >"/sys/fs/cgroup/cpuset/$group/cpuset.$what"
    done
fi
unshare --mount --net --pid --fork --kill-child --propagation private bash -c "$inside" inside "$folder"
