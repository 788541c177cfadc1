"""What every extractor needs: string literals, argument lists, and formats with their conversions filled in."""

import bisect
import re

LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
SPELLINGS = {
    "emergency": "emerg",
    "emer": "emerg",
    "fatal": "crit",
    "panic": "emerg",
    "critical": "crit",
    "error": "err",
    "errors": "err",
    "exception": "err",
    "warn": "warning",
    "dbg": "debug",
    "default": "warning",
    "trace": "debug",
    "verbose": "info",
    "vdbg": "debug",
    "e": "err",
    "w": "warning",
    "i": "info",
    "d": "debug",
    "t": "debug",
    "n": "notice",
    "none": "crit",
    "cont": "info",
    "print": "notice",
    "errorf": "err",
    "devel": "debug",
}


def level_of(word):
    """The syslog level that `word` spells, or None."""
    word = word.lower()
    word = SPELLINGS.get(word, word)
    return word if word in LEVELS else None


class Lines:
    """The number of the line that a position of a text is in."""

    def __init__(self, text):
        self.ends = [found.start() for found in re.finditer("\n", text)]

    def __call__(self, position):
        return bisect.bisect_left(self.ends, position) + 1


STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"', re.S)
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.){1,4}\'|[()\[\]{},]', re.S)
COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.){1,6}\'|//[^\n]*|/\*.*?\*/', re.S)


def without_comments(text):
    """C-like source without its comments; lines keep their numbers."""

    def keep(found):
        word = found.group()
        return word if word[0] in "\"'" else "\n" * word.count("\n") or " "

    return COMMENT.sub(keep, text)


def arguments(text, start, limit=2500):
    """The arguments of a call whose bracket opened just before `start`, as stripped strings, or None."""
    depth, last, parts = 0, start, []
    for token in TOKEN.finditer(text, start, min(len(text), start + limit)):
        sign = token.group()
        if sign[0] in "([{" and len(sign) == 1:
            depth += 1
        elif sign in (")", "]", "}"):
            if depth == 0:
                parts.append(text[last : token.start()].strip())
                return parts
            depth -= 1
        elif sign == "," and depth == 0:
            parts.append(text[last : token.start()].strip())
            last = token.end()
    return None


def unescape(literal):
    return (
        literal.replace("\\\n", "")
        .replace("\\n", " ")
        .replace("\\t", " ")
        .replace("\\r", " ")
        .replace('\\"', '"')
        .replace("\\'", "'")
        .replace("\\\\", "\\")
    )


PIECE = re.compile(r'"((?:[^"\\\n]|\\.)*)"|([A-Za-z_]\w*)(\s*\()?|(\?|\S)', re.S)


def literal(argument, macros):
    """The format that `argument` is, its string macros resolved; None if it is none."""
    argument = argument.strip()
    wrapped = re.match(r'(?:_|N_|gettext|G_|QSTR|TEXT|u8|L|F|CFS_)\s*\(\s*(?=")', argument)
    if wrapped:
        argument = argument[wrapped.end() :]
    words, had = [], False
    for piece in PIECE.finditer(argument):
        string, name, call, sign = piece.groups()
        if string is not None:
            words.append(unescape(string))
            had = True
        elif name is not None and call:
            if had:
                break
            return None
        elif name is not None:
            if name in macros:
                words.append(macros[name])
                had = had or bool(macros[name].strip())
            elif re.match(r"(KERN|XENLOG)_", name) or name in ("KBUILD_MODNAME", "PFX", "PREFIX"):
                pass
            elif re.match(r"PRI[a-zA-Z]?\w*$", name):
                words.append(
                    "x" if name[-1:] in "xX" or "X" in name[3:] or "x" in name[3:] else "d" if "s" not in name[3:] else "s"
                )
            elif "?" in argument and not had:
                # cond ? "this" : "that": the first of them.
                rest = argument[argument.index("?") + 1 :]
                return literal(rest, macros) if rest.strip().startswith(('"', "_(")) else None
            elif not had:
                if name[0].isupper():
                    continue
                return None
            elif not name[0].isupper():
                break
        elif had and sign in ":?;":
            break
        elif had and sign in "+%.":
            break
        elif not had:
            if "?" in argument:
                rest = argument[argument.index("?") + 1 :]
                return literal(rest, macros) if rest.strip().startswith(('"', "_(")) else None
            return None
    return "".join(words) if had else None


CONVERSION = re.compile(r"%(?:\d+\$)?[-+ #0']*(?:\d+|\*)?(?:\.(?:\d+|\*)?)?(?:hh|h|ll|l|z|t|j|q|L)*([a-zA-Z%])")
POINTERS = (
    (re.compile(r"I[S46]|IS"), "192.0.2.7"),
    (re.compile(r"[mM]"), "52:54:00:12:34:56"),
    (re.compile(r"[BSsFf]"), "abc_func+0x7f/0x7f"),
    (re.compile(r"e"), "-EINVAL"),
    (re.compile(r"g"), "sda1"),
    (re.compile(r"U"), "12345678-1234-1234-1234-123456789abc"),
    (re.compile(r"[dD]"), "abc0"),
    (re.compile(r"[rR]"), "[mem 0xfe000000-0xfe0fffff]"),
    (re.compile(r"O[Ff]?"), "/soc/abc0"),
    (re.compile(r"h"), "00 01 7f"),
    (re.compile(r"a"), "0xfe000000"),
    (re.compile(r"V"), "abc0"),
    (re.compile(r"n"), "abc0"),
    (re.compile(r"t"), "abc0"),
)
POINTER_SUFFIX = re.compile(
    r"(?:I[46S][a-z]*|MF?R?|mF?R?|[bB]b?|[sSfF]R?b?|e|g|U[bBlL]?|[dD][234]?|[rR]a?|OF[a-zA-Z]*|h[CDN]?|ap?d?|V|n|t[RT]?|K|x|Cn?|E[a-z]*|4c[hrnc]|4cc)(?![a-z])"
)
ERROR_WORD = re.compile(r"(?:^|[.>_ (])(?:ret|rc|err|error|errno|status|result|rv|res|r)(?:\b|$)", re.I)
ERROR_TEXT = re.compile(
    r"strerror|errmsg|err_str|error_get_pretty|error->message|gai_str|virStrerror|STRERROR|g_strerror|pcmk_rc_str|pcmk_strerror|ovs_strerror|cpp_strerror|safe_strerror"
)


def filled(form, given):
    """The format `form` with plausible values in place of its conversions; `given` are the arguments behind it."""
    given = list(given)
    at = 0
    out = []
    index = 0
    for found in CONVERSION.finditer(form):
        if found.start() < at:
            continue
        out.append(form[at : found.start()])
        at = found.end()
        kind = found.group(1)
        if kind == "%":
            out.append("%")
            continue
        if kind == "m":
            out.append("Invalid argument")
            continue
        index += found.group().count("*")
        argument = given[index] if index < len(given) else ""
        index += 1
        if kind == "s" or kind == "S":
            inside = STRING.search(argument)
            if inside and re.search("[A-Za-z]{2}", inside.group(1)) and ("?" in argument or argument.startswith('"')):
                out.append(filled(unescape(inside.group(1)), []) if "%" not in inside.group(1) else "abc0")
            elif ERROR_TEXT.search(argument):
                out.append("Invalid argument")
            elif "__func__" in argument or "__FUNCTION__" in argument or "__PRETTY" in argument:
                out.append("abc_func")
            elif re.search(r"\bifname|dev->name|netdev|ifp->name|->ifn", argument):
                out.append("eth0")
            elif re.search(r"disk_name|devnode|dev_path|devname|blkdev", argument):
                out.append("sda")
            else:
                out.append("abc0")
        elif kind == "p":
            value = "0xffff"
            suffix = POINTER_SUFFIX.match(form, at)
            if suffix:
                value = next((word for pattern, word in POINTERS if pattern.match(suffix.group())), value)
                at = suffix.end()
            out.append(value)
        elif kind in "xX":
            out.append("7f")
        elif kind in "di" and ERROR_WORD.search(argument):
            out.append("-22")
        elif kind == "c":
            out.append("x")
        elif kind in "fFgGeE":
            out.append("7.0")
        else:
            out.append("7")
    out.append(form[at:])
    return clean("".join(out))


def clean(line):
    return re.sub(r"[\s\x00-\x1f]+", " ", line).strip()


def worth(line):
    """Whether a message has text of its own."""
    return len(re.sub(r"abc0|abc_func|Invalid argument|[^A-Za-z]", "", line)) >= 4
