"""The kernel's prefixes: pr_fmt, driver and device names, file systems."""

import os
import re

# Directories whose modules are named otherwise than the last directory or file.
MODULES = (
    ("drivers/nvme/host/", "nvme"),
    ("drivers/nvme/target/", "nvmet"),
    ("drivers/ata/", "ahci"),
    ("drivers/scsi/mpt3sas/", "mpt3sas"),
    ("drivers/scsi/megaraid/", "megaraid_sas"),
    ("drivers/scsi/qla2xxx/", "qla2xxx"),
    ("drivers/scsi/lpfc/", "lpfc"),
    ("drivers/scsi/smartpqi/", "smartpqi"),
    ("drivers/scsi/aacraid/", "aacraid"),
    ("drivers/usb/host/xhci", "xhci_hcd"),
    ("drivers/usb/host/", "ehci-pci"),
    ("drivers/usb/", "usb"),
    ("drivers/net/ethernet/mellanox/mlx5/", "mlx5_core"),
    ("drivers/net/ethernet/mellanox/mlx4/", "mlx4_core"),
    ("drivers/net/ethernet/broadcom/bnxt/", "bnxt_en"),
    ("drivers/infiniband/hw/mlx5/", "mlx5_core"),
    ("drivers/iommu/intel/", "DMAR"),
    ("drivers/iommu/amd/", "AMD-Vi"),
    ("drivers/iommu/arm/arm-smmu-v3/", "arm-smmu-v3"),
    ("drivers/pci/pcie/", "pcieport"),
    ("drivers/pci/", "pci"),
    ("drivers/i2c/", "i2c i2c-0"),
    ("drivers/gpu/drm/amd/", "amdgpu"),
    ("drivers/gpu/drm/i915/", "i915"),
    ("drivers/gpu/drm/xe/", "xe"),
    ("drivers/gpu/drm/nouveau/", "nouveau"),
    ("drivers/vfio/pci/", "vfio-pci"),
    ("drivers/mmc/", "mmc0"),
    ("drivers/char/tpm/", "tpm_tis"),
    ("drivers/char/ipmi/", "ipmi_si"),
    ("drivers/thunderbolt/", "thunderbolt"),
    ("drivers/crypto/ccp/", "ccp"),
)
# Files whose pr_fmt stands in a header.
HEADERS = (
    ("arch/x86/kernel/cpu/mce/", "mce: "),
    ("drivers/md/bcache/", "bcache: "),
    ("drivers/iommu/amd/", "AMD-Vi: "),
    ("drivers/iommu/intel/", "DMAR: "),
    ("fs/btrfs/", "BTRFS: "),
    ("fs/nfs/", "NFS: "),
    ("fs/nfsd/", "NFSD: "),
    ("fs/lockd/", "lockd: "),
    ("net/sunrpc/", "RPC: "),
    ("fs/smb/client/", "CIFS: "),
    ("fs/cifs/", "CIFS: "),
    ("fs/ceph/", "ceph: "),
    ("net/ceph/", "libceph: "),
    ("drivers/block/rbd", "rbd: "),
    ("fs/xfs/", "XFS: "),
    ("fs/gfs2/", "gfs2: "),
    ("fs/ocfs2/", "ocfs2: "),
    ("drivers/block/drbd/", "drbd: "),
    ("arch/x86/kvm/", "kvm: "),
    ("virt/kvm/", "kvm: "),
    ("arch/arm64/kvm/", "kvm: "),
    ("drivers/xen/", "xen: "),
    ("fs/fuse/", "fuse: "),
    ("fs/squashfs/", "SQUASHFS "),
    ("fs/jbd2/", "JBD2: "),
    ("fs/overlayfs/", "overlayfs: "),
    ("drivers/scsi/qla2xxx/", ""),
    ("drivers/infiniband/core/", "infiniband: "),
    ("drivers/acpi/", "ACPI: "),
    ("drivers/target/iscsi/", "iSCSI: "),
    ("drivers/target/", "target_core: "),
)
PCI = "0000:03:00.0"
NOT_MODULES = {
    "core",
    "host",
    "common",
    "src",
    "drivers",
    "kernel",
    "lib",
    "main",
    "hw",
    "base",
    "mm",
    "block",
    "net",
    "init",
    "ipv4",
    "ipv6",
    "cpu",
    "sched",
}


def module(path):
    for start, name in MODULES:
        if path.startswith(start):
            return name
    parts = path.split("/")
    stem = os.path.splitext(parts[-1])[0].replace("-", "_")
    if parts[0] == "drivers" and len(parts) > 4 and parts[-2] not in NOT_MODULES:
        return parts[-2]
    if parts[0] == "drivers" and len(parts) > 4 and parts[-3] not in NOT_MODULES and parts[-2] in NOT_MODULES:
        return parts[-3]
    if parts[0] == "fs" and len(parts) > 2:
        return parts[1]
    return stem


def device(path):
    """driver and device, as dev_err prints them."""
    if path.startswith("drivers/nvme/host/"):
        return "nvme nvme0: "
    if path.startswith("drivers/nvme/target/"):
        return "nvmet: "
    if path.startswith("drivers/usb/host/xhci"):
        return "xhci_hcd 0000:00:14.0: "
    if path.startswith("drivers/usb/"):
        return "usb 1-1: "
    if path.startswith("drivers/scsi/") and path.count("/") == 2:
        return (
            "sd 0:0:0:0: " if path.endswith(("/sd.c", "scsi_lib.c", "scsi_error.c", "sd_zbc.c")) else f"{module(path)} {PCI}: "
        )
    if path.startswith("drivers/block/nbd"):
        return "block nbd0: "
    if path.startswith("drivers/pci/"):
        return "pcieport 0000:00:01.0: "
    if path.startswith(("drivers/iommu/intel/", "drivers/iommu/amd/")):
        return f"pci {PCI}: "
    if path.startswith("drivers/mmc/"):
        return "mmc0: "
    if path.startswith("drivers/i2c/"):
        return "i2c i2c-0: "
    if path.startswith("drivers/char/tpm/"):
        return "tpm tpm0: "
    if path.startswith(
        (
            "drivers/net/",
            "drivers/scsi/",
            "drivers/gpu/",
            "drivers/infiniband/",
            "drivers/ata/",
            "drivers/vfio/",
            "drivers/crypto/",
            "drivers/misc/",
            "drivers/message/",
            "drivers/ntb/",
            "drivers/dma/",
            "sound/",
        )
    ):
        return f"{module(path)} {PCI}: "
    if path.startswith("drivers/s390/"):
        return f"{module(path)} 0.0.1234: "
    name = module(path)
    return f"{name} {name}.0: "


def drbd(name):
    return "drbd r0/0 drbd0: "


def before(place, name, given, level):
    path = place.path
    low = name.lower()
    base = re.sub(r"_(once|ratelimited|rl|limited|errno|in_rcu)$", "", low)
    if low.startswith(("pr_", "printk")) or base in ("pr_err", "pr_warn"):
        if low.startswith("printk"):
            return ""
        if place.pr_fmt is not None:
            return place.pr_fmt
        return next((head for start, head in HEADERS if path.startswith(start)), "")
    if low.startswith("net_") and re.match(r"net_(emerg|alert|crit|err|warn|notice|info|dbg)", low):
        return place.pr_fmt or ""
    if low.startswith("amd64_"):
        return "EDAC amd64: "
    if low.startswith(("dev_", "drm_dev_")):
        return device(path) + (place.dev_fmt or "")
    if low.startswith(("drm_", "gt_", "xe_gt_", "xe_", "guc_")) and "drm" in path:
        sign = "*ERROR* " if "err" in low else ""
        return f"{module(path)} {PCI}: [drm] {sign}"
    if low.startswith(("netdev_", "slave_", "netif_", "en_", "mlx5e_", "e_", "hw_", "team_")):
        if low.startswith("slave_"):
            return "bond0: (slave eth0): "
        if path.startswith("drivers/net/bonding"):
            return "bond0: "
        if path.startswith("net/"):
            return "eth0: "
        return f"{module(path)} {PCI} eth0: "
    if low.startswith(("mlx5_core_", "mlx4_")):
        return f"{module(path)} {PCI}: "
    if low.startswith(("ibdev_", "mlx5_ib_")):
        return "infiniband mlx5_0: "
    if low.startswith("pci_"):
        return "pcieport 0000:00:01.0: " if path.startswith("drivers/pci/") else f"{module(path)} {PCI}: "
    if low.startswith(("sd_printk", "sd_first_printk")):
        return "sd 0:0:0:0: [sda] "
    if low.startswith("scmd_printk"):
        return "sd 0:0:0:0: [sda] tag#7 "
    if low.startswith(("sdev_printk", "sdev_prefix_printk")):
        return "sd 0:0:0:0: "
    if low.startswith(("starget_printk",)):
        return "scsi target0:0:0: "
    if low.startswith("shost_printk"):
        return "scsi host0: "
    if low.startswith(("st_printk", "sr_printk")):
        return "sr 0:0:0:0: [sr0] "
    if low.startswith("ata_dev_"):
        return "ata1.00: "
    if low.startswith(("ata_port_", "ata_link_")):
        return "ata1: "
    if low.startswith("xfs_"):
        return "XFS (sda1): "
    if low.startswith("btrfs_"):
        word = {
            "emerg": "emergency",
            "alert": "alert",
            "crit": "critical",
            "err": "error",
            "warn": "warning",
            "info": "info",
            "debug": "debug",
        }
        for key, text in word.items():
            if base.startswith("btrfs_" + key):
                return f"BTRFS {text} (device sda1): "
        return "BTRFS: error (device sda1): " if low != "btrfs_panic" else "BTRFS panic (device sda1): "
    if path == "fs/btrfs/tree-checker.c" and low.endswith("_err"):
        return "BTRFS critical (device sda1): corrupt leaf: root=7 block=7 slot=7, "
    if path.startswith(("fs/ext4/", "fs/ext2/")):
        kind = "EXT4" if "ext4" in path else "EXT2"
        if level == "debug":
            return ""
        if low.endswith("_msg"):
            return f"{kind}-fs (sda1): "
        if "warn" in low:
            return f"{kind}-fs warning (device sda1): abc_func:7: "
        if "inode" in low or "file" in low:
            return f"{kind}-fs error (device sda1): abc_func:7: inode #7: comm abc0: "
        return f"{kind}-fs error (device sda1): abc_func:7: comm abc0: "
    if low.startswith("f2fs_"):
        return "F2FS-fs (sda1): "
    if path.startswith("fs/gfs2/"):
        return "gfs2: fsid=abc0:abc0.0: "
    if low.startswith("mlog"):
        return "(abc0,7,0):abc_func:7 ERROR: " if level == "err" else "(abc0,7,0):abc_func:7 "
    if low.startswith("ocfs2_"):
        return "OCFS2: ERROR (device sda1): abc_func: "
    if low.startswith(("cifs_",)):
        return "CIFS: VFS: "
    if low.startswith("drbd_"):
        return drbd(name)
    if low.startswith("ubi_"):
        return "ubi0: "
    if low.startswith("ubifs_"):
        return "UBIFS (ubi0:0): "
    if low.startswith("dm") and low[2:] in ("err", "err_limit", "warn", "warn_limit", "info", "crit", "emerg", "debug"):
        return f"device-mapper: {place.dm}: " if place.dm else "device-mapper: "
    if low in ("panic", "nmi_panic"):
        return "Kernel panic - not syncing: "
    if low == "ioc_err" or low.startswith("ioc_"):
        return "mpi3mr0: " if "/mpi3mr/" in path else "mpt3sas_cm0: "
    if low.startswith("lpfc_"):
        return f"lpfc {PCI}: 0:1234 "
    if low.startswith("ql_log"):
        return f"qla2xxx [{PCI}]-5037:0: "
    if low.startswith("ql4_"):
        return ""
    if low.startswith("edac_mc_") or low.startswith("amd64_") or low.startswith("i7core_"):
        return "EDAC MC0: "
    if low.startswith("edac_"):
        return "EDAC abc0: "
    if low.startswith(("vcpu_unimpl", "vcpu_err", "vcpu_pr")):
        return "kvm [7]: vcpu0, guest rIP: 0x7f "
    if low.startswith("kvm_"):
        return "kvm [7]: "
    if low.startswith("acpi_"):
        if low in ("acpi_error", "acpi_bios_error", "acpi_exception", "acpi_bios_exception"):
            return ("ACPI BIOS Error (bug): " if "bios" in low else "ACPI Error: ") + (
                "AE_NOT_FOUND, " if "exception" in low else ""
            )
        if low in ("acpi_warning", "acpi_bios_warning"):
            return "ACPI BIOS Warning (bug): " if "bios" in low else "ACPI Warning: "
        return "ACPI: \\_SB_.PCI0: "
    if low.startswith("iscsi_conn"):
        return "connection1:0: "
    if low.startswith(("iscsi_session", "iscsi_cls")):
        return "session1: "
    if low.startswith("rbd_"):
        return "rbd: rbd0: "
    if low.startswith("log_error") or low.startswith("log_print"):
        return "dlm: abc0: "
    if low.startswith(("xhci_",)):
        return "xhci_hcd 0000:00:14.0: "
    if low.startswith(("ehci_", "ohci_", "uhci_")):
        return "ehci-pci 0000:00:1d.0: "
    if low.startswith("hid_"):
        return "hid-generic 0003:0000:0000.0001: "
    if low.startswith(("virtio_", "vdpa_")):
        return "virtio_net virtio0: "
    if low.startswith(("nvkm_", "nv_")):
        return "nouveau 0000:03:00.0: "
    if low.startswith("ima_"):
        return "ima: "
    if low.startswith(("wiphy_", "iwl_", "ath", "mt76")):
        return f"{module(path)} {PCI}: "
    if low.startswith(("dev", "phydev_", "tb_", "vpr_", "fs_")):
        return device(path)
    if path.startswith("drivers/"):
        if path.startswith(("drivers/net/", "drivers/scsi/", "drivers/infiniband/", "drivers/gpu/")):
            return f"{module(path)} {PCI}: "
    return ""


def subsystem(path):
    parts = path.split("/")
    if (
        parts[0] == "drivers"
        and parts[1] in ("net", "char", "md", "scsi", "gpu", "block", "platform", "infiniband")
        and len(parts) > 3
    ):
        return "/".join(parts[:3]) if parts[1] not in ("net", "gpu") or len(parts) < 5 else "/".join(parts[:4])
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]
