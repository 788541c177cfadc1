"""The projects whose statements are read: where they log, under which program's name, and which folders count."""

import re

from . import linux

# The parts of the kernel that run on a host of virtual machines.
LINUX_KEPT = re.compile(
    r"^(drivers|fs|kernel|mm|block|net|lib|init|virt|security|crypto|io_uring|ipc|arch/(x86|arm64|powerpc|s390))/.*\.[ch]$"
)
LINUX_SKIPPED = re.compile(
    r"^drivers/(media|staging|iio|input|comedi|auxdisplay|pcmcia|accessibility|gpu/drm/amd/include|net/wireless)/|^arch/\w+/(boot|tools)/|torture"
)

# The program under whose name a statement reaches the log: (project, start of the path, program), the first that fits.
PROGRAMS = (
    ("qemu", "qga/", "qemu-ga"),
    ("qemu", "qemu-nbd", "qemu-nbd"),
    ("qemu", "nbd/", "qemu-nbd"),
    ("qemu", "qemu-img", "qemu-img"),
    ("qemu", "storage-daemon/", "qemu-storage-daemon"),
    ("qemu", "tools/virtiofsd", "virtiofsd"),
    ("qemu", "contrib/", "vhost-user"),
    ("qemu", "scsi/qemu-pr-helper", "qemu-pr-helper"),
    ("qemu", "", "qemu-system-x86_64"),
    ("libvirt", "src/locking/", "virtlockd"),
    ("libvirt", "src/logging/", "virtlogd"),
    ("libvirt", "src/qemu/", "virtqemud"),
    ("libvirt", "src/network/", "virtnetworkd"),
    ("libvirt", "src/storage/", "virtstoraged"),
    ("libvirt", "src/node_device/", "virtnodedevd"),
    ("libvirt", "tools/", "virsh"),
    ("libvirt", "", "libvirtd"),
    ("systemd", "src/udev/", "systemd-udevd"),
    ("systemd", "src/journal-remote/", "systemd-journal-remote"),
    ("systemd", "src/journal/", "systemd-journald"),
    ("systemd", "src/oom/", "systemd-oomd"),
    ("systemd", "src/network/", "systemd-networkd"),
    ("systemd", "src/resolve/", "systemd-resolved"),
    ("systemd", "src/timesync/", "systemd-timesyncd"),
    ("systemd", "src/login/", "systemd-logind"),
    ("systemd", "src/machine/", "systemd-machined"),
    ("systemd", "src/coredump/", "systemd-coredump"),
    ("systemd", "src/fsck/", "systemd-fsck"),
    ("systemd", "src/shutdown/", "systemd-shutdown"),
    ("systemd", "src/cryptsetup/", "systemd-cryptsetup"),
    ("systemd", "src/sleep/", "systemd-sleep"),
    ("systemd", "src/homed/", "systemd-homed"),
    ("systemd", "src/home/", "systemd-homed"),
    ("systemd", "src/nspawn/", "systemd-nspawn"),
    ("systemd", "src/modules-load/", "systemd-modules-load"),
    ("systemd", "src/tmpfiles/", "systemd-tmpfiles"),
    ("systemd", "src/core/", "systemd"),
    ("systemd", "src/shared/", "systemd"),
    ("systemd", "src/basic/", "systemd"),
    ("systemd", "src/libsystemd", "systemd"),
    ("ceph", "src/mon/", "ceph-mon"),
    ("ceph", "src/mds/", "ceph-mds"),
    ("ceph", "src/mgr/", "ceph-mgr"),
    ("ceph", "src/pybind/mgr/", "ceph-mgr"),
    ("ceph", "src/rgw/", "radosgw"),
    ("ceph", "src/librbd/", "qemu-system-x86_64"),
    ("ceph", "src/osdc/", "qemu-system-x86_64"),
    ("ceph", "src/librados/", "qemu-system-x86_64"),
    ("ceph", "src/client/", "ceph-fuse"),
    ("ceph", "src/tools/rbd_mirror/", "rbd-mirror"),
    ("ceph", "src/ceph-volume/", "ceph-volume"),
    ("ceph", "src/cephadm/", "cephadm"),
    ("ceph", "", "ceph-osd"),
    ("zfs-linux", "module/", "kernel"),
    ("zfs-linux", "cmd/zed", "zed"),
    ("zfs-linux", "", "zfs"),
    ("mdadm", "", "mdadm"),
    ("lvm2", "daemons/dmeventd", "dmeventd"),
    ("lvm2", "daemons/lvmlockd", "lvmlockd"),
    ("lvm2", "daemons/lvmpolld", "lvmpolld"),
    ("lvm2", "", "lvm"),
    ("multipath-tools", "mpathpersist", "mpathpersist"),
    ("multipath-tools", "", "multipathd"),
    ("pacemaker", "daemons/controld", "pacemaker-controld"),
    ("pacemaker", "daemons/based", "pacemaker-based"),
    ("pacemaker", "daemons/fenced", "pacemaker-fenced"),
    ("pacemaker", "daemons/execd", "pacemaker-execd"),
    ("pacemaker", "daemons/attrd", "pacemaker-attrd"),
    ("pacemaker", "daemons/schedulerd", "pacemaker-schedulerd"),
    ("pacemaker", "lib/pengine", "pacemaker-schedulerd"),
    ("pacemaker", "", "pacemakerd"),
    ("corosync", "", "corosync"),
    ("kronosnet", "", "corosync"),
    ("libqb", "", "corosync"),
    ("drbd-utils", "user/shared", "drbdadm"),
    ("drbd-utils", "", "drbdadm"),
    ("drbd", "", "kernel"),
    ("sanlock", "wdmd", "wdmd"),
    ("sanlock", "", "sanlock"),
    ("smartmontools", "", "smartd"),
    ("rasdaemon", "", "rasdaemon"),
    ("mcelog", "", "mcelog"),
    ("nut", "clients/", "upsmon"),
    ("nut", "server/", "upsd"),
    ("nut", "drivers/", "usbhid-ups"),
    ("nut", "", "upsmon"),
    ("ipmitool", "", "ipmievd"),
    ("freeipmi", "ipmiseld", "ipmiseld"),
    ("freeipmi", "bmc-watchdog", "bmc-watchdog"),
    ("freeipmi", "", "ipmidetectd"),
    ("openipmi", "", "openipmish"),
    ("open-iscsi", "", "iscsid"),
    ("glusterfs", "xlators/mgmt", "glusterd"),
    ("glusterfs", "xlators/mount", "glusterfs"),
    ("glusterfs", "xlators/cluster", "glusterfs"),
    ("glusterfs", "xlators/storage", "glusterfsd"),
    ("glusterfs", "", "glusterfsd"),
    ("frr", "bgpd/", "bgpd"),
    ("frr", "zebra/", "zebra"),
    ("frr", "ospfd/", "ospfd"),
    ("frr", "bfdd/", "bfdd"),
    ("frr", "watchfrr/", "watchfrr"),
    ("frr", "", "zebra"),
    ("keepalived", "keepalived/check", "Keepalived_healthcheckers"),
    ("keepalived", "keepalived/vrrp", "Keepalived_vrrp"),
    ("keepalived", "", "Keepalived"),
    ("network-manager", "", "NetworkManager"),
    ("libteam", "", "teamd"),
    ("swtpm", "", "swtpm"),
    ("nfs-utils", "utils/mountd", "rpc.mountd"),
    ("nfs-utils", "utils/statd", "rpc.statd"),
    ("nfs-utils", "utils/gssd", "rpc.gssd"),
    ("nfs-utils", "utils/idmapd", "rpc.idmapd"),
    ("nfs-utils", "utils/nfsd", "rpc.nfsd"),
    ("nfs-utils", "", "nfs"),
    ("xen", "xen/", "kernel"),
    ("xen", "tools/xenstore", "xenstored"),
    ("xen", "tools/console", "xenconsoled"),
    ("xen", "", "xl"),
    ("openvswitch", "ovsdb/", "ovsdb-server"),
    ("openvswitch", "", "ovs-vswitchd"),
    ("ovs", "ovsdb/", "ovsdb-server"),
    ("ovs", "", "ovs-vswitchd"),
    ("ovn", "northd/", "ovn-northd"),
    ("ovn", "", "ovn-controller"),
    ("dlm", "", "dlm_controld"),
    ("resource-agents", "", "pacemaker-execd"),
    ("fence-agents", "", "pacemaker-fenced"),
    ("cluster-glue", "", "lrmd"),
    ("booth", "", "boothd"),
    ("tgt", "", "tgtd"),
    ("chrony", "", "chronyd"),
    ("rsyslog", "", "rsyslogd"),
    ("udisks2", "", "udisksd"),
    ("dbus", "", "dbus-daemon"),
    ("openssh", "", "sshd"),
    ("audit", "", "auditd"),
    ("cron", "", "cron"),
    ("docker.io", "", "dockerd"),
    ("containerd", "", "containerd"),
    ("rust-virtiofsd", "", "virtiofsd"),
    ("passt", "", "passt"),
    ("lldpad", "", "lldpad"),
    ("ledmon", "", "ledmon"),
    ("apcupsd", "", "apcupsd"),
    ("acpid", "", "acpid"),
    ("ocfs2-tools", "", "o2cb"),
    ("nbd", "", "nbd-client"),
    ("edac-utils", "", "edac-util"),
    ("bcache-tools", "", "bcache-register"),
    ("pve-ha-manager", "src/pve-ha-crm", "pve-ha-crm"),
    ("pve-ha-manager", "src/watchdog-mux", "watchdog-mux"),
    ("pve-ha-manager", "", "pve-ha-lrm"),
    ("pve-cluster", "", "pmxcfs"),
    ("pve-manager", "PVE/Service/pvestatd", "pvestatd"),
    ("pve-manager", "PVE/Service/pvescheduler", "pvescheduler"),
    ("pve-manager", "PVE/Service/pveproxy", "pveproxy"),
    ("pve-manager", "", "pvedaemon"),
    ("qemu-server", "", "pvedaemon"),
    ("pve-storage", "", "pvestatd"),
    ("pve-firewall", "", "pve-firewall"),
    ("pve-container", "", "pvedaemon"),
    ("pve-common", "", "pvedaemon"),
    ("pve-guest-common", "", "pvedaemon"),
    ("proxmox-backup", "", "proxmox-backup-proxy"),
    ("proxmox-perl-rs", "", "pvedaemon"),
    ("vdsm", "lib/vdsm/supervdsm", "supervdsmd"),
    ("vdsm", "", "vdsmd"),
    ("mom", "", "momd"),
    ("ovirt-hosted-engine-ha", "", "ovirt-ha-agent"),
    ("nova", "", "nova-compute"),
    ("neutron", "", "neutron-openvswitch-agent"),
    ("cinder", "", "cinder-volume"),
    ("masakari-monitors", "", "masakari-hostmonitor"),
    ("kubevirt", "cmd/virt-launcher", "virt-launcher"),
    ("kubevirt", "pkg/virt-launcher", "virt-launcher"),
    ("kubevirt", "pkg/virt-handler", "virt-handler"),
    ("kubevirt", "", "virt-handler"),
    ("kata-containers", "", "kata"),
    ("firecracker", "", "firecracker"),
    ("crosvm", "", "crosvm"),
    ("cloud-hypervisor", "", "cloud-hypervisor"),
    ("xen-api", "", "xapi"),
    ("drbd-reactor", "", "drbd-reactord"),
    ("linux", "", "kernel"),
)
# Folders of a project that do not log on a host.
SKIPPED = {
    "linux": re.compile(r"^$"),
    "ceph": re.compile(
        r"^qa/|^src/(test|boost|spdk|rocksdb|seastar|crimson/tools|isa-l|jaegertracing|arrow|s3select|dmclock|erasure-code/jerasure|xxHash|c-ares|fmt|zstd|googletest|java|civetweb|rapidjson|pybind/mgr/dashboard/frontend|breakpad|blkin|BLAKE3|cryptopp|liburing|utf8proc|nvmeof)/"
    ),
    "qemu": re.compile(
        r"^(linux-user|bsd-user|target/(?!i386|arm|s390x|ppc)|tcg|disas|ui|audio|scripts|python|pc-bios|meson|subprojects)/"
    ),
    "libvirt": re.compile(r"^(src/(vbox|vmx|hyperv|esx|vz|bhyve|openvz|test|lxc|libxl|xenconfig|ch)|examples|docs)/"),
    "systemd": re.compile(
        r"^src/(fuzz|boot/efi|systemctl|analyze|busctl|dissect|repart|firstboot|ssh-generator|portable|import|ukify|kernel-install|run|hwdb)/"
    ),
    "xen": re.compile(r"^(tools/(qemu|firmware|examples|ocaml/test|python)|stubdom|docs)"),
    "proxmox-backup": re.compile(r"^(www|examples)/"),
    "kubevirt": re.compile(r"^(cmd|pkg)/(virtctl|virt-operator|virt-api|virt-controller)|^(tools|tests)/"),
    "crosvm": re.compile(r"windows|^tools/"),
    "nova": re.compile(r"^nova/virt/(vmwareapi|hyperv|zvm|ironic|powervm)|^nova/(db|cmd)/"),
    "neutron": re.compile(r"^neutron/(db|api|services|scheduler)/"),
    "openssh": re.compile(r"^regress/"),
    "openipmi": re.compile(r"^lanserv/|^swig/"),
    "kata-containers": re.compile(r"^(tools|tests|ci|utils)/"),
    "cinder": re.compile(r"^cinder/volume/drivers/(?!lvm|rbd|nfs|remotefs|ceph|linstor|drbd)"),
    "glusterfs": re.compile(r"^(extras|tests|geo-replication)/"),
    "lvm2": re.compile(r"^(test|scripts)/"),
}
# Which of the languages a project logs in; what else it holds is not read.
ALL = {"c", "python", "go", "rust", "perl", "ocaml", "shell"}
KINDS = {
    "linux": {"c"},
    "qemu": {"c"},
    "libvirt": {"c"},
    "systemd": {"c"},
    "frr": {"c"},
    "samba": {"c"},
    "openvswitch": {"c"},
    "ovs": {"c"},
    "ovn": {"c"},
    "lvm2": {"c"},
    "xen": {"c"},
    "network-manager": {"c"},
    "nut": {"c"},
    "openssh": {"c"},
    "freeipmi": {"c"},
    "ceph": {"c", "python"},
    "vdsm": {"python"},
    "nova": {"python"},
    "neutron": {"python"},
    "cinder": {"python"},
    "kubevirt": {"go"},
    "firecracker": {"rust"},
    "crosvm": {"rust"},
    "cloud-hypervisor": {"rust"},
    "kata-containers": {"go", "rust"},
    "drbd": {"c"},
    "drbd-utils": {"c"},
    "glusterfs": {"c"},
    "zfs-linux": {"c", "shell"},
}


def program(project, path):
    for name, start, says in PROGRAMS:
        if name == project and path.startswith(start):
            return says
    return project


def subsystem(project, path):
    if project == "linux":
        return linux.subsystem(path)
    parts = [
        part
        for part in path.split("/")[:-1]
        if part not in ("src", "source", "lib", "cmd", "pkg", "vmm", "PVE", "daemon", "daemons", "usr", "drivers")
    ]
    if not parts:
        return project
    deep = 2 if project in ("qemu", "ceph", "nova", "vdsm", "zfs-linux", "xen", "glusterfs") else 1
    return "/".join(parts[:deep])


def kept(project):
    if project == "linux":
        return lambda path: bool(LINUX_KEPT.match(path)) and not LINUX_SKIPPED.match(path)
    skipped = SKIPPED.get(project)
    return lambda path: not (skipped and skipped.match(path))
