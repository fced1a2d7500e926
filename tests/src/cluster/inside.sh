# inside RUN_FOLDER: the first process of a node's namespaces. Prepares them, says `ready PID`, and lives as long as stdin is
# open, or after the word `keep` until it is killed; with it goes every process of the node, every mount and every interface.
set -eu
folder=$1
# The folder /proc is still that of the machine: this is the number by which others find these namespaces.
read -r pid _ </proc/self/stat
mount -t proc proc /proc

# Where programs of a node write whatever they are told: containerd's sockets, the CNI's cache, the kubelet's links to logs.
for place in /run /var/lib /var/log; do
    mount -t tmpfs -o mode=755 tmpfs "$place"
done

# The kubelet insists on these, and they are the machine's: it reads that they are so and leaves them alone.
tunable() {
    local file=$folder/settings/${1//\//.}
    echo "$2" >"$file"
    mount --bind "$file" "/proc/sys/$1"
}
mkdir "$folder/settings"
tunable vm/overcommit_memory 1
tunable vm/panic_on_oom 0
tunable kernel/panic 10
tunable kernel/panic_on_oops 1
tunable kernel/keys/root_maxkeys 1000000
tunable kernel/keys/root_maxbytes 25000000
mount --make-rshared /

# These belong to the network namespace.
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
for file in /proc/sys/net/bridge/bridge-nf-call-iptables; do
    [ ! -e "$file" ] || echo 1 >"$file"
done

echo "ready $pid"
exec >/dev/null 2>&1
if read -r word && [ "$word" = keep ]; then
    # Bash, waiting, collects the processes that lost their parent.
    sleep infinity &
    wait
fi
