"""The logging calls of C and C++ sources."""

import re

from . import front
from .text import Lines, arguments, clean, filled, level_of, literal, unescape, without_comments, worth

WORDS = "emerg|emergency|alert|crit|critical|fatal|err|error|warn|warning|notice|info|dbg|debug|EMERG|EMER|ALERT|CRIT|CRITICAL|FATAL|ERR|ERROR|WARN|WARNING|NOTICE|INFO|DBG|DEBUG"
# A call whose name ends in a level: pr_err, dev_warn_ratelimited, log_unit_debug_errno, crm_crit, VLOG_WARN_RL, ...
NAMED = re.compile(
    rf"(?:[A-Za-z]\w*?_|p|L|_LOG)?({WORDS})(?:_errno|_once|_ratelimited|_rl|_RL|_ONCE|_in_rcu|_report|_full|_sync|_limited|_rcu|_vf|_zerook|f|x)*"
)
CALL = re.compile(r"\b([A-Za-z_]\w*)\s?\(")
# A call that is given the level: printk(KERN_ERR ...), syslog(LOG_ERR, ...), cmn_err(CE_WARN, ...).
GIVEN = re.compile(
    r"\b(KERN|LOG|GF_LOG|LOGSYS_LEVEL|XENLOG|XENLOG_G|CE|ML|LOGLEVEL|LOG_LEVEL|PCMK_LOG|LL|LOG_PRIO|RTE_LOG|L|G_LOG_LEVEL|CGPU_LOG|SYSLOG_LOG)_(EMERG|ALERT|CRIT|CRITICAL|ERR|ERROR|ERRORS|WARN|WARNING|NOTICE|NOTE|INFO|DEBUG|DBG|TRACE|PANIC|NONE|FATAL)\b"
)
EXTRA_LEVELS = {"note": "notice", "panic": "emerg"}
# Calls that have one level, by that level.
ONE_LEVEL = {
    "emerg": """
        panic nmi_panic btrfs_panic ceph_abort_msg ceph_abort_msgf ceph_assertf VLOG_ABORT VLOG_FATAL ovs_abort
        pcmk__panic
    """,
    "alert": """
        alert
    """,
    "crit": """
        DMCRIT hw_error ext4_error ext4_error_inode ext4_error_file ext4_error_inode_err ext4_error_err
        ext4_abort EXT4_ERROR_INODE EXT4_ERROR_INODE_BLOCK EXT4_ERROR_FILE EXT4_ERROR_INODE_ERR
        ext4_grp_locked_error ext2_error btrfs_handle_fs_error btrfs_abort_transaction ocfs2_error ocfs2_abort
        nilfs_error reiserfs_error fatalx fatal_with_errno cfs_critical cfs_dom_critical fatal g_error
        ovs_fatal
    """,
    "err": """
        DMERR DMERR_LIMIT error_report error_setg error_setg_errno error_report_once error_setg_file_open
        error_reportf_err virReportError virReportSystemError virReportEnumRangeError virReportInvalidArg
        virReportUnsupportedError fat_fs_error gfs2_consist udf_err ACPI_ERROR ACPI_EXCEPTION ACPI_BIOS_ERROR
        ACPI_BIOS_EXCEPTION vcpu_unimpl kvm_pr_unimpl dev_err_probe crm_perror pcmk__config_err log_erros
        log_errot log_sys_error stack_error Eprintf SYSERRprintf upslog_with_errno flog_err flog_err_sys _LOGE
        perror errx die die_perror bail g_critical ovs_error BNX2X_ERR DRM_DEV_ERROR NV_ERROR internal_error
        logprintf INTERNAL_ERROR
    """,
    "warning": """
        DMWARN DMWARN_LIMIT warn_report warn_report_once warn_reportf_err ext4_warning ext4_warning_inode WARN
        WARN_ONCE WARN_RATELIMIT dev_WARN dev_WARN_ONCE drm_WARN drm_WARN_ONCE KVM_BUG ACPI_WARNING
        ACPI_BIOS_WARNING rbd_warn zfs_panic_recover spa_load_failed vdev_warn pcmk__config_warn log_warns
        log_warnt Lprintf Wprintf flog_warn_sys report_config_error _LOGW warn warnx g_warning xlog_warnx
        NV_WARN
    """,
    "notice": """
        log_print log_print_unless_silent log_rep cfs_message cfs_dom_message g_message
    """,
    "info": """
        DMINFO info_report ACPI_INFO log_verbose Gprintf _LOGI logit
    """,
    "debug": """
        dprintk zfs_dbgmsg vdev_dbgmsg log_very_verbose upsdebugx upsdebug_with_errno _LOGD _LOGT cfs_debug
        cfs_dom_debug g_debug
    """,
}
# Calls whose arguments say the level, in a way of their own.
OWN_LEVEL = "printerr ql_log condlog LOG LOGE LOGEV LOGED LOGD LOGEVD LOGV cifs_dbg cifs_server_dbg cifs_tcon_dbg fprintf printk gf_smsg mlog"
FIXED = {name: level for level, names in ONE_LEVEL.items() for name in names.split()} | dict.fromkeys(OWN_LEVEL.split())
CONDLOG_LEVELS = ["err", "warning", "notice", "info", "debug"]
SKIPPED = re.compile(
    r"^(if|while|for|switch|return|sizeof|defined|case|setlogmask|openlog|strcmp|strncmp|streq|\w*str(?:n?)(?:case)?cmp|snprintf|sprintf|asprintf|\w*_set_err(?:or)?|"
    r"nl_set_\w+|NL_SET_\w+|seq_\w+|EXPORT_\w+|MODULE_\w+|module_param\w*|TRACE_EVENT|trace_\w+|__trace\w*|tracepoint|DEFINE_\w+|DECLARE_\w+|\w*_get_err(?:or)?|is_err|IS_ERR|PTR_ERR|ERR_PTR|"
    r"\w*strerror|json_\w+|to_\w+|read_\w+|str2\w+|parse_\w+|\w*printf_debug|test_\w+|ASSERT\w*|KUNIT\w*|assert\w*|g_assert\w*|get_\w+|set_\w+|is_\w+|has_\w+|print_debug)$"
)
MACRO = re.compile(r'^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)[ \t]+((?:"(?:[^"\\\n]|\\.)*"[ \t]*)+)$', re.M)
PR_FMT = re.compile(r"^[ \t]*#[ \t]*define[ \t]+pr_fmt\((\w+)\)[ \t]*(.*(?:\\\n.*)*)", re.M)
DEV_FMT = re.compile(r"^[ \t]*#[ \t]*define[ \t]+dev_fmt\((\w+)\)[ \t]*(.*)", re.M)
DM_PREFIX = re.compile(r'#define\s+DM_MSG_PREFIX\s+"([^"]*)"')
LOGD = re.compile(r'"((?:[^"\\\n]|\\.)*)"')

# What virReportError puts before the text.
VIR_CODES = {
    "INTERNAL_ERROR": "internal error: ",
    "OPERATION_FAILED": "operation failed: ",
    "OPERATION_INVALID": "Requested operation is not valid: ",
    "CONFIG_UNSUPPORTED": "unsupported configuration: ",
    "XML_ERROR": "XML error: ",
    "INVALID_ARG": "invalid argument: ",
    "NO_DOMAIN": "Domain not found: ",
    "OPERATION_TIMEOUT": "Timed out during operation: ",
    "OPERATION_UNSUPPORTED": "Operation not supported: ",
    "RPC": "",
    "SYSTEM_ERROR": "",
    "NO_STORAGE_VOL": "Storage volume not found: ",
    "AGENT_UNRESPONSIVE": "Guest agent is not responding: ",
    "RESOURCE_BUSY": "resource busy: ",
    "AGENT_COMMAND_FAILED": "guest agent command failed: ",
    "MIGRATE_FAILED": "migration failed: ",
    "CPU_INCOMPATIBLE": "the CPU is incompatible with host CPU: ",
    "NO_NETWORK": "Network not found: ",
    "NO_STORAGE_POOL": "Storage pool not found: ",
    "AUTH_FAILED": "authentication failed: ",
}


# What is known of the names of calls: none of a level, or the level (None: its arguments say it).
NAMES = {}


def opened(text, position):
    """The name and the bracket of the call that `position` stands in, or None."""
    depth, at, floor = 0, position - 1, max(0, position - 250)
    while at >= floor:
        sign = text[at]
        if sign == ")":
            depth += 1
        elif sign == "(":
            if depth == 0:
                name = re.search(r"([A-Za-z_]\w*)\s*$", text[max(0, at - 60) : at])
                return (name.group(1), at) if name else None
            depth -= 1
        elif sign in ";{}":
            return None
        at -= 1
    return None


def statements(path, text, strings=None):
    """(line, level, message, raw format) of each logging call in a C or C++ source."""
    if '"' not in text:
        return []
    text = without_comments(text)
    where = Lines(text)
    macros = {name: unescape("".join(LOGD.findall(value))) for name, value in MACRO.findall(text)}
    dm = DM_PREFIX.search(text)
    place = front.Place(path, dm.group(1) if dm else None)
    for pattern, setter in ((PR_FMT, "pr_fmt"), (DEV_FMT, "dev_fmt")):
        found = pattern.search(text)
        if found:
            body = found.group(2).replace("\\\n", " ").replace("KBUILD_MODNAME", f'"{place.module()}"')
            body = re.sub(rf"\b{found.group(1)}\b.*", "", body, flags=re.S)
            for name, value in macros.items():
                body = re.sub(rf"\b{name}\b", lambda _: '"' + value.replace('"', "") + '"', body)
            setattr(
                place,
                setter,
                filled("".join(unescape(s) for s in LOGD.findall(body)), ["__func__"]) + " " if LOGD.search(body) else "",
            )
    out = []

    def add(position, name, level, form, given):
        line = filled(form, given)
        if not worth(line):
            return
        head = place.before(name, given, level)
        out.append((where(position), level, clean(f"{head}{line}"), clean(form)))

    def formatted(args, start):
        for index in range(start, min(len(args), start + 6)):
            form = literal(args[index], macros)
            if form is not None and not re.fullmatch(r"\s*[\w.]{0,12}\s*", form):
                return index, form
            if form is not None and index == len(args) - 1 and len(form) > 5:
                return index, form
        return None

    calls = {}
    for found in CALL.finditer(text):
        name = found.group(1)
        if name not in NAMES:
            said = NAMED.fullmatch(name)
            NAMES[name] = (
                (FIXED[name],) if name in FIXED else (level_of(said.group(1)),) if said and not SKIPPED.match(name) else None
            )
        if NAMES[name]:
            calls[found.end() - 1] = (name, NAMES[name][0])
    for found in GIVEN.finditer(text):
        call = opened(text, found.start())
        if call:
            word = found.group(2).lower()
            if found.group(1) == "L" and not call[0].startswith("xlog"):
                continue
            level = EXTRA_LEVELS.get(word) or level_of(word)
            if found.group(1) == "CE":
                level = {"panic": "emerg", "warn": "warning"}.get(word, "notice")
            if found.group(1) in ("GF_LOG",) and word == "none":
                continue
            calls[call[1]] = (call[0], level, found.end())
    for bracket in sorted(calls):
        name, level, *after = calls[bracket]
        if SKIPPED.match(name):
            continue
        line_start = text.rfind("\n", 0, bracket) + 1
        if re.match(r"\s*#\s*define", text[line_start:bracket]):
            continue
        args = arguments(text, bracket + 1)
        if not args:
            continue
        start = 0
        if after:
            # The format stands behind the level or right after it.
            offset, count = bracket + 1, 0
            for count, argument in enumerate(args):
                position = text.find(argument, offset) if argument else offset
                if position <= after[0] - 1 < position + len(argument) + 1:
                    break
                offset = position + len(argument)
            start = count
        if name == "condlog":
            if not re.fullmatch(r"[0-4]", args[0]):
                continue
            level = CONDLOG_LEVELS[int(args[0])]
        elif name == "ql_log":
            level = {"ql_log_fatal": "crit", "ql_log_warn": "err", "ql_log_info": "info"}.get(args[0])
        elif name in ("LOG", "LOGE", "LOGEV", "LOGED", "LOGD", "LOGEVD", "LOGV") and not after:
            level = level_of(args[0]) if re.fullmatch(r"[A-Z]+", args[0]) else None
        elif name in ("cifs_dbg", "cifs_server_dbg", "cifs_tcon_dbg"):
            level = {"VFS": "err", "FYI": "debug", "NOISY": "debug"}.get(args[0].split(" ")[0])
        elif name == "fprintf" and level is None:
            if args[0] != "stderr" or place.project in ("linux",):
                continue
            level = "err"
        elif name == "printk" and level is None:
            level = "warning"
        elif name == "mlog" and level is None:
            level = "err" if "ML_ERROR" in args[0] else "notice" if "ML_NOTICE" in args[0] else "debug"
        elif name in ("printerr",):
            level = "err" if args[0] == "0" else "info" if args[0] == "1" else "debug"
        if name == "alert" and place.project == "mdadm":
            event = literal(args[0], macros)
            if event:
                level = (
                    "crit"
                    if event.startswith(("Fail", "Degrade", "DeviceDisapp"))
                    else "warning" if event.startswith("Rebuild") else "info"
                )
                line = f"{event} event detected on md device /dev/md0, component device /dev/sda1"
                out.append((where(bracket), level, line, line))
            continue
        if level is None:
            continue
        if strings and name in ("gf_smsg", "gf_msg_nomem") and len(args) > start + 2:
            code = args[start + 2] if len(args) > start + 2 else ""
            if code + "_STR" in strings:
                pairs = [literal(a, macros) for a in args[start + 3 :]]
                tail = ", ".join(filled("{%s}" % p, []) if p else "" for p in pairs if p)
                form = strings[code + "_STR"] + (f" [{tail}]" if tail else "")
                add(bracket, name, level, form, [])
                continue
        if name in ("log_struct", "log_unit_struct", "log_struct_errno", "log_struct_iovec"):
            # The message is the argument of a macro among the fields.
            said = next(
                (
                    re.match(r"LOG_(?:UNIT_|LINK_|NETDEV_|EXEC_|DEVICE_)?(?:INVOCATION_)?MESSAGE\s*\((.*)\)$", a, re.S)
                    for a in args
                    if "MESSAGE(" in a.replace(" ", "")
                ),
                None,
            )
            args = arguments(said.group(1) + ")", 0) if said else None
            if not args:
                continue
            start = 0
        if name in (
            "ACPI_ERROR",
            "ACPI_EXCEPTION",
            "ACPI_BIOS_ERROR",
            "ACPI_WARNING",
            "ACPI_BIOS_WARNING",
            "ACPI_BIOS_EXCEPTION",
            "ACPI_INFO",
        ):
            inner = text.find("(", bracket + 1)
            args = arguments(text, inner + 1) or args
        if name == "virReportError":
            code = VIR_CODES.get(args[0].replace("VIR_ERR_", ""), "")
            at = formatted(args, 1)
            if at:
                line = filled(at[1], args[at[0] + 1 :])
                if worth(line):
                    out.append((where(bracket), level, clean(code + line), clean(at[1])))
            continue
        if name in (
            "perror",
            "virReportSystemError",
            "error_setg_errno",
            "log_sys_error",
            "upslog_with_errno",
            "fatal_with_errno",
            "pcmk__perror",
            "crm_perror",
        ):
            at = formatted(args, 0)
            if at:
                line = filled(at[1], args[at[0] + 1 :])
                if worth(line):
                    out.append(
                        (
                            where(bracket),
                            level,
                            clean(place.before(name, args, level) + line.rstrip(": ") + ": Invalid argument"),
                            clean(at[1]),
                        )
                    )
            continue
        at = formatted(args, start)
        if at is None and level == "emerg" and args and literal(args[-1], macros):
            at = (len(args) - 1, literal(args[-1], macros))
        if at is None:
            continue
        add(bracket, name, level, at[1], args[at[0] + 1 :])
    return out


STREAM = re.compile(
    r"\b(derr|(?:l?dout|ldpp_dout|ldout|gendout|ldpp_subdout|generic_dout|lsubdout|lderr|ldpp_out)\s*\(([^;\n]*?)\)|(?:\w+(?:->|\.))*clog(?:\(\))?->(error|warn|info|debug|sec)\(\)|(?:\w+->)?get_clog\(\)->(error|warn|info|debug)\(\)|\w*(?:clog|cluster_logger|logger)\s*(?:->|\.)\s*(error|warn|info|debug)\(\))\s*<<(.*?)(?:<<\s*dendl|;)",
    re.S,
)
OPERAND = re.compile(r"<<")


def streams(path, text):
    """(line, level, message, raw) of Ceph's stream logging."""
    text = without_comments(text)
    where, out = Lines(text), []
    for found in STREAM.finditer(text):
        head, inside, *clog, body = found.groups()
        word = next((c for c in clog if c), None)
        if word:
            level = {"sec": "err"}.get(word) or level_of(word)
        elif head.startswith(("derr", "lderr")):
            level = "err"
        else:
            number = re.search(r"(-?\d+)\s*$", inside or "")
            if not number:
                continue
            number = int(number.group(1))
            level = "err" if number < 0 else "notice" if number == 0 else "info" if number == 1 else "debug"
        words, raw = [], []
        parts, last, depth = [], 0, 0
        for token in re.finditer(r'"(?:[^"\\\n]|\\.)*"|<<|[()\[\]{}]', body):
            sign = token.group()
            if sign in "([{":
                depth += 1
            elif sign in ")]}":
                depth -= 1
            elif sign == "<<" and depth == 0:
                parts.append(body[last : token.start()].strip())
                last = token.end()
        parts.append(body[last:].strip())
        for part in parts:
            strings = LOGD.findall(part)
            if part.startswith('"'):
                words.append(unescape("".join(strings)))
                raw.append(words[-1])
            elif part in ("std::hex", "std::dec", "dendl", "std::endl", "hex", "dec", "std::boolalpha"):
                continue
            elif "?" in part and strings:
                words.append(unescape(strings[0]))
                raw.append("%")
            else:
                raw.append("%")
                if "__func__" in part or "__FUNCTION__" in part:
                    words.append("abc_func")
                elif "strerror" in part:
                    words.append("(22) Invalid argument")
                elif re.search(r"\b(r|ret|err|rc|e)$", part):
                    words.append("-22")
                elif re.search(r"oid|soid|obj|name|path|fn|bucket|key", part):
                    words.append("abc0")
                elif re.search(r"pgid|pg", part):
                    words.append("1.7f")
                else:
                    words.append("7")
        line = clean("".join(words))
        if worth(line):
            out.append(
                (
                    where(found.start()),
                    level,
                    (
                        f"log_channel(cluster) log [{ {'err': 'ERR', 'warning': 'WRN', 'info': 'INF'}.get(level, 'DBG')}] : "
                        if word
                        else ""
                    )
                    + line,
                    clean("".join(raw)),
                )
            )
    return out
