"""The logging calls of Python, Go, Rust, Perl, OCaml and shell sources."""

import ast
import re

from .text import Lines, clean, filled, level_of, unescape, worth

# Values by the name of what is printed.
BY_NAME = (
    (re.compile(r"^(e|ex|exc|err|error|exception|errno|reason|\$@|\$err|\$!)$", re.I), "Invalid argument"),
    (re.compile(r"vmid", re.I), "100"),
    (re.compile(r"uuid|instance|domid|sduuid|spuuid|sd_?id", re.I), "12345678-1234-1234-1234-123456789abc"),
    (re.compile(r"node|host", re.I), "host7"),
    (re.compile(r"path|file|dir|volid", re.I), "/var/lib/abc0"),
    (re.compile(r"(ip|addr)(ess)?$", re.I), "192.0.2.7"),
    (re.compile(r"(code|status|pid|count|num|size|time|timeout|len|rc|ret|sec|id|fd|port|tries|\bn)$", re.I), "7"),
    (re.compile(r"dev", re.I), "sda"),
)


def value(name):
    name = name.strip().split("(")[-1].rstrip(")") if name.endswith(")") else name
    last = re.split(r"[.\[\]>:\s]+", name.strip("{}$@% '\""))
    last = next((word for word in reversed(last) if word), "")
    for pattern, text in BY_NAME:
        if pattern.search(last):
            return text
    return "abc0"


PYTHON_LOGGERS = re.compile(r"(^|\.|_)(log|logger|logging|LOG|LOGGER|audit_log|_log|_logger|syslog|mylog)$")


def python_format(node):
    """(raw, filled) of the format expression `node`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, None
    if isinstance(node, ast.JoinedStr):
        raw, out = [], []
        for part in node.values:
            if isinstance(part, ast.Constant):
                raw.append(str(part.value))
                out.append(str(part.value))
            else:
                raw.append("{}")
                out.append(value(ast.unparse(part.value)))
        return "".join(raw), "".join(out)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        inner = python_format(node.left)
        if inner:
            given = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
            return inner[0], python_filled(inner[0], given)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = python_format(node.left), python_format(node.right)
        if left or right:

            def text(side, part):
                return (part[1] or part[0]) if part else value(ast.unparse(side))

            return (left[0] if left else "{}") + (right[0] if right else "{}"), text(node.left, left) + text(node.right, right)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            inner = python_format(node.func.value)
            if inner:
                given = iter([value(ast.unparse(a)) for a in node.args])
                return inner[0], re.sub(
                    r"\{([^{}]*)\}",
                    lambda m: value(m.group(1).split(":")[0]) if re.match(r"[a-z_A-Z]", m.group(1)) else next(given, "abc0"),
                    inner[0],
                )
        if node.args and ast.unparse(node.func) in ("_", "_LE", "_LW", "_LI", "_LC", "i18n._"):
            return python_format(node.args[0])
    return None


def python_filled(form, given):
    names = [ast.unparse(node) for node in given]
    if len(given) == 1 and isinstance(given[0], ast.Dict) or "%(" in form:
        form = re.sub(r"%\((\w+)\)[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]", lambda m: value(m.group(1)), form)
        return form.replace("%%", "%")
    names = iter(names)
    return re.sub(
        r"%(?:[-+ #0]*[\d*]*(?:\.\d+)?)([a-zA-Z%])",
        lambda m: "%" if m.group(1) == "%" else ("7" if m.group(1) in "dixX" else value(next(names, "abc0"))),
        form,
    )


def python(text):
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    out = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        level = level_of(node.func.attr) if len(node.func.attr) > 3 else None
        try:
            owner = ast.unparse(node.func.value)
        except Exception:
            continue
        args = node.args
        if owner == "syslog" and node.func.attr == "syslog" and args:
            found = re.search(r"LOG_(\w+)", ast.unparse(args[0]))
            level, args = (level_of(found.group(1)), args[1:]) if found else ("info", args)
        if not level or not args or not (PYTHON_LOGGERS.search(owner) or owner.endswith("clog") or re.search(r"[lL]og", owner)):
            continue
        form = python_format(args[0])
        if not form:
            continue
        line = form[1] if form[1] is not None else python_filled(form[0], args[1:]) if len(args) > 1 else form[0]
        line = clean(line)
        if worth(line):
            out.append((node.lineno, level, line, clean(form[0])))
    return out


GO = re.compile(
    r"\.(Fatal|Error|Warning|Warn|Info|Debug|Panic|Critical|Trace)(?:f|ln|S|w|Depth|Context|Depthf)?\(([^\"`\n]{0,60})(\"(?:[^\"\\\n]|\\.)*\"|`[^`\n]*`)([^\n]*)"
)
GO_OWNER = re.compile(r"log|Log|klog|slog|entry|\bl$|G\(ctx\)")


def go(text):
    text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    where, out = Lines(text), []
    for found in GO.finditer(text):
        word, _, form, rest = found.groups()
        owner = text[max(0, found.start() - 120) : found.start()].rpartition("\n")[2].strip()
        if not GO_OWNER.search(owner) or re.search(r"\b(fmt|errors|t|b|require|assert)$", owner):
            continue
        form = unescape(form[1:-1])
        given = iter(a.strip() for a in rest.rstrip("){ \t").lstrip(", ").split(","))
        line = re.sub(
            r"%(?:[-+ #0]*\d*(?:\.\d+)?)([a-zA-Z%])",
            lambda m: "%" if m.group(1) == "%" else ("7" if m.group(1) in "dxX" else value(next(given, "abc0"))),
            form,
        )
        line = clean(line)
        if worth(line):
            level = level_of(word)
            verbosity = re.search(r"\bV\((\d+)\)$", owner)
            if verbosity and level == "info" and int(verbosity.group(1)) > 2:
                level = "debug"
            out.append((where(found.start()), level, line, clean(form)))
    return out


RUST = re.compile(
    r'\b(?:(?:log|tracing|slog|log_util)::)?(error|warn|info|debug|trace|crit|syslog_error|syslog_warn)!\s*\(\s*((?:[^"();]{0,80},)?)\s*"((?:[^"\\]|\\.)*)"((?:[^;]){0,300})',
    re.S,
)


def rust(text):
    where, out = Lines(text), []
    for found in RUST.finditer(text):
        word, _, form, rest = found.groups()
        level = level_of(word.replace("syslog_", "")) if word != "crit" else "crit"
        form = re.sub(r"\\\n\s*", "", form)
        given = iter(a.strip().strip(")") for a in rest.lstrip(", \n").split(","))
        line = clean(
            re.sub(
                r"\{([^{}]*)\}",
                lambda m: value(m.group(1).split(":")[0]) if re.match(r"[a-z_A-Z]", m.group(1)) else value(next(given, "abc0")),
                unescape(form),
            )
        )
        if worth(line):
            out.append((where(found.start()), level, line, clean(form)))
    return out


PERL_STRING = r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|qq\{[^}]*\})"
PERL = re.compile(
    rf"(?:\b(?:syslog|\$?\w*(?:->)?log|\$\w+->log|PVE::Cluster::log_msg|log_msg|\$logfunc->|\$haenv->log|\$self->log|\$self->loginfo|logmsg)\s*\(?\s*['\"](emerg|alert|crit|err|error|warning|warn|notice|info|debug)(?:\|\w+)?['\"]\s*,\s*|\b(warn|die|log_warn|syslog_err)\b\s*\(?\s*)((?:(?:{PERL_STRING})\s*\.?\s*)+)",
    re.S,
)


def perl(text):
    text = re.sub(r"^\s*#.*$", "", text, flags=re.M)
    text = re.sub(r"\n__END__.*", "", text, flags=re.S)
    where, out = Lines(text), []
    for found in PERL.finditer(text):
        level = (
            level_of(found.group(1))
            if found.group(1)
            else {"die": "err", "warn": "warning", "log_warn": "warning", "syslog_err": "err"}[found.group(2)]
        )
        form = clean(
            unescape("".join(re.sub(r"^(?:qq\{|[\"'])|[\"'}]$", "", s) for s in re.findall(PERL_STRING, found.group(3), re.S)))
        )
        line = re.sub(r"\$\{?\w+\}?(?:(?:->|::)?[\[{][^\]}]*[\]}])*|\$@|\$!|@\{?\w+\}?", lambda m: value(m.group()), form)
        line = re.sub(r"%[-\d.]*[sdi]", lambda m: "7" if m.group()[-1] in "di" else "abc0", line)
        if worth(line):
            out.append((where(found.start()), level, clean(line), form))
    return out


OCAML = re.compile(r'\b(?:[A-Z]\w*\.)?(error|warn|info|debug)\s+"((?:[^"\\]|\\.)*)"', re.S)


def ocaml(text):
    where, out = Lines(text), []
    for found in OCAML.finditer(text):
        form = re.sub(r"\\\n\s*", "", found.group(2))
        line = filled(unescape(form), [])
        if worth(line):
            out.append((where(found.start()), level_of(found.group(1)), line, clean(form)))
    return out


SHELL = re.compile(
    r"(?:\bocf_log\s+(emerg|alert|crit|err|error|warn|warning|notice|info|debug)\s+|\b(ocf_exit_reason)\s+|\blogger\s+[^\n\"]*?-p\s*\"?'?(?:\w+\.)?(emerg|alert|crit|err|error|warning|warn|notice|info|debug)[^\n\"]*?\s|\b(zed_log_err|zed_log_msg)\s+|\b(?:logging|fail_if_dangling)\.(error)\s*\()\s*\"((?:[^\"\\]|\\.)*)\"",
    re.S,
)


def shell(text):
    where, out = Lines(text), []
    for found in SHELL.finditer(text):
        word = found.group(1) or found.group(3) or found.group(5)
        level = (
            level_of(word)
            if word
            else {"ocf_exit_reason": "err", "zed_log_err": "err", "zed_log_msg": "notice"}[found.group(2) or found.group(4)]
        )
        form = clean(unescape(found.group(6)))
        line = re.sub(r"\$\([^()]*\)|\$\{[^}]*\}|\$\w+|`[^`]*`", lambda m: value(m.group()), form)
        if worth(line):
            out.append((where(found.start()), level, clean(line), form))
    return out
