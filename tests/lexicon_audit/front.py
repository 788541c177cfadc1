"""What the function behind a logging call puts before the message, by its name and the place of the source."""

from . import linux


class Place:
    """Where a statement stands: the project, the path in it, and the prefixes that the file defines."""

    def __init__(self, path, dm=None):
        self.project, _, self.path = path.partition("/")
        self.dm = dm
        self.pr_fmt = None
        self.dev_fmt = ""

    def module(self):
        return linux.module(self.path)

    def before(self, name, given, level):
        ask = FRONTS.get(self.project)
        return ask(self, name, given, level) if ask else ""


def of_linux(place, name, given, level):
    return linux.before(place, name, given, level)


def of_systemd(place, name, given, level):
    if name.startswith(("log_unit", "log_job")):
        return "abc0.service: "
    if name.startswith("log_device"):
        return "sda: "
    if name.startswith(("log_link", "log_interface", "log_netdev")):
        return "eth0: "
    if name.startswith("log_syntax"):
        return "/etc/systemd/system/abc0.service:7: "
    return ""


def of_zfs(place, name, given, level):
    return (
        {"emerg": "PANIC: ", "warning": "WARNING: ", "notice": "NOTICE: "}.get(level, "")
        if name in ("cmn_err", "zcmn_err", "vcmn_err")
        else ""
    )


def of_xen(place, name, given, level):
    if place.path.startswith("xen/"):
        return "(XEN) "
    if name.startswith("LOG"):
        return "libxl: abc_func: Domain 7:" if name in ("LOGD", "LOGED", "LOGEVD") else "libxl: abc_func: "
    return ""


def of_drbd(place, name, given, level):
    if not name.startswith("drbd_") and not name.startswith("dynamic_drbd"):
        return "drbd: " if name.startswith("pr_") else ""
    return linux.drbd(name)


FRONTS = {
    "linux": of_linux,
    "systemd": of_systemd,
    "zfs-linux": of_zfs,
    "xen": of_xen,
    "drbd": of_drbd,
    "mdadm": lambda place, name, given, level: "mdadm: " if name.startswith("pr_") else "",
    "frr": lambda place, name, given, level: "[EC 100663299] " if name.startswith("flog") else "",
    "qemu": lambda place, name, given, level: (
        "qemu-system-x86_64: hw_error: "
        if name == "hw_error"
        else (
            "qemu-system-x86_64: warning: "
            if name.startswith("warn_report")
            else (
                "qemu-system-x86_64: info: "
                if name.startswith("info_report")
                else "qemu-system-x86_64: " if name.startswith(("error_report", "error_setg")) else ""
            )
        )
    ),
}
