# A run whose result lies on a disk that is full, then is not: in a mount namespace of its own, where it may mount.
#   full_disk.sh PROGRAM FILE RESULT
set -u
if [ -z "${FLEETLOOM_INSIDE:-}" ]; then
    for flags in "--user --map-root-user --mount" "--mount"; do
        # shellcheck disable=SC2086  # several flags
        unshare $flags true 2>/dev/null && FLEETLOOM_INSIDE=1 exec unshare $flags bash "$0" "$@"
    done
    echo "this test needs a mount namespace: run as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
    exit 1
fi
program=$1 file=$2 result=$3
mkdir -p "$result"
mount -t tmpfs -o size=64k tmpfs "$result" || exit 1
"$program" run -f "$file"
echo "full: exit $?"
count() { find "$result" -path "$1" -type f | wc -l; }
echo "versions while full: $(count '*/_delta_log/*.json')"
mount -o remount,size=256m "$result" || exit 1
"$program" run -f "$file"
echo "after: exit $?"
echo "versions after: $(count '*/_delta_log/*.json')"
