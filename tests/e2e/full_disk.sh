# A run whose result lies on a disk that is full, then is not. Runs in a mount namespace of its own, where it may mount.
#   full_disk.sh PROGRAM FILE RESULT
set -u
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
echo "part files left over: $(($(count '*/part-*.parquet') - 1))"
