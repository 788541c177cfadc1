# The first process of a hypervisor's private PID, mount and UTS namespaces: starts virtlogd and libvirtd and lives until
# its standard input closes, which happens when the test bed's process ends, however it ends. The kernel then ends
# everything else in the PID namespace: libvirtd, the virtual machines, collectd.
#
#   sh hypervisor.sh NAME HOST_UUID DIRECTORY CGROUP_PROCS...
set -eu
name=$1 uuid=$2 dir=$3
shift 3
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
fail() { echo "hypervisor $name: $*" >&2; exit 1; }

# Daemons of ours share the machine with others: their own group of high weight keeps the sampling regular.
for procs; do echo 0 >"$procs" || fail "cannot enter the control group $procs"; done

hostname "$name"
# A private /run also hides the system's D-Bus and machined, with which libvirtd would register the machines.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
for place in cache lib log; do
    mkdir -p "$dir/var/$place"
    mount --bind "$dir/var/$place" "/var/$place"
done
mkdir -p "$dir/etc-libvirt"
mount --bind "$dir/etc-libvirt" /etc/libvirt
# Beside v1 controllers libvirt would insist on groups of ours in a v2 hierarchy that does not have the CPU.
if [ -d /sys/fs/cgroup/cpu ] && mountpoint -q /sys/fs/cgroup/unified; then umount -l /sys/fs/cgroup/unified; fi
cp "$dir/qemu.conf" /etc/libvirt/qemu.conf
# libvirtd looks this account up although its QEMU runs as root; libvirt-daemon-system would have made it.
if ! grep -q '^libvirt-qemu:' /etc/passwd; then
    { cat /etc/passwd; echo 'libvirt-qemu:x:64055:65534::/nonexistent:/usr/sbin/nologin'; } >"$dir/passwd"
    mount --bind "$dir/passwd" /etc/passwd
fi
if ! grep -q '^libvirt-qemu:' /etc/group; then
    { cat /etc/group; echo 'libvirt-qemu:x:64055:'; } >"$dir/group"
    mount --bind "$dir/group" /etc/group
fi

cat >"$dir/libvirtd.conf" <<CONF
host_uuid = "$uuid"
unix_sock_dir = "$dir/run"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "2:file:$dir/libvirtd.log"
CONF
mkdir -p "$dir/run"

exec 3<&0
trap 'exit 0' TERM
virtlogd >"$dir/virtlogd.out" 2>&1 &
libvirtd --config "$dir/libvirtd.conf" >"$dir/libvirtd.out" 2>&1 &
libvirtd=$!
{ cat <&3 >/dev/null; kill -TERM $$; } &
# Also reaps what the daemons leave behind.
wait "$libvirtd" || fail "libvirtd ended: $(tail -n 3 "$dir/libvirtd.out" "$dir/libvirtd.log" 2>&1)"
