"""What the extractors promise. The sources here are made up."""

import unittest

from . import c, languages, statements


def of_c(path, text):
    return [(level, message) for _, level, message, _ in c.statements(path, text)]


class OfC(unittest.TestCase):
    def test_a_message_stands_behind_what_the_kernel_puts_before_it(self):
        text = '#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt\nvoid f(void) { pr_err("no %s at %d\\n", name, count); }'
        self.assertEqual(of_c("linux/drivers/block/abc.c", text), [("err", "abc: no abc0 at 7")])
        text = 'void f(void) { dev_warn(dev, "queue %u stopped\\n", q); }'
        self.assertEqual(of_c("linux/drivers/nvme/host/x.c", text), [("warning", "nvme nvme0: queue 7 stopped")])

    def test_the_level_is_taken_from_the_name_or_from_an_argument(self):
        text = 'void f(void) { printk(KERN_CRIT "it is too late\\n"); syslog(LOG_DAEMON | LOG_ALERT, "it is %s", what); }'
        self.assertEqual(of_c("other/a.c", text), [("crit", "it is too late"), ("alert", "it is abc0")])

    def test_a_text_over_several_lines_and_macros_is_one_message(self):
        text = '#define HEAD "head: "\nvoid f(void) { log_error(HEAD "first "\n    "second %" PRIu64, number); }'
        self.assertEqual(of_c("other/a.c", text), [("err", "head: first second 7")])

    def test_what_is_commented_out_or_only_defined_is_no_statement(self):
        text = '/* pr_err("not this"); */\n// pr_err("nor this");\n#define say(x) pr_err("nor that %s", x)\n'
        self.assertEqual(of_c("linux/kernel/a.c", text), [])

    def test_a_choice_of_words_is_filled_in_by_the_first(self):
        text = 'void f(void) { pr_info("link is %s\\n", up ? "up" : "down"); }'
        self.assertEqual(of_c("linux/kernel/a.c", text), [("info", "link is up")])

    def test_libvirts_codes_are_put_into_words(self):
        text = 'void f(void) { virReportError(VIR_ERR_INTERNAL_ERROR, _("no disk %1$s"), what); }'
        self.assertEqual(of_c("libvirt/src/a.c", text), [("err", "internal error: no disk abc0")])

    def test_streams_are_read_to_their_end(self):
        text = 'void f() { derr << __func__ << " lost osd." << id << dendl; clog->error() << "bad " << pgid; dout(10) << "fine here" << dendl; }'
        found = [(level, message) for _, level, message, _ in c.streams("src/osd/a.cc", text)]
        self.assertEqual(
            found,
            [("err", "abc_func lost osd.7"), ("err", "log_channel(cluster) log [ERR] : bad 1.7f"), ("debug", "fine here")],
        )


class OfOtherLanguages(unittest.TestCase):
    def check(self, extractor, text, *expected):
        self.assertEqual([(level, message) for _, level, message, _ in extractor(text)], list(expected))

    def test_python(self):
        text = 'LOG.error("lost %s after %d", host, n)\nself.log.warning(f"slow {path}")\nprint("not a log")\n'
        self.check(languages.python, text, ("err", "lost host7 after 7"), ("warning", "slow /var/lib/abc0"))

    def test_go(self):
        text = 'log.Log.Reason(err).Errorf("domain %s is gone", name)\nreturn fmt.Errorf("not a log %s", name)\n'
        self.check(languages.go, text, ("err", "domain abc0 is gone"))

    def test_rust(self):
        self.check(languages.rust, 'error!("vCPU {} stopped: {err}", id);', ("err", "vCPU 7 stopped: Invalid argument"))

    def test_perl(self):
        text = "syslog('err', \"node '$node' is lost\");\ndie \"no quorum here\\n\";\n"
        self.check(languages.perl, text, ("err", "node 'host7' is lost"), ("err", "no quorum here"))

    def test_ocaml(self):
        self.check(languages.ocaml, 'error "host %s is gone" name', ("err", "host abc0 is gone"))

    def test_shell(self):
        self.check(languages.shell, 'ocf_log err "cannot stop $NAME"', ("err", "cannot stop abc0"))


class OfStatements(unittest.TestCase):
    def test_a_key_depends_on_the_format_and_not_on_what_fills_it(self):
        one = statements.Statement("p", "s", "err", "a", "lost 7", "a.c:1", "lost %d")
        self.assertEqual(statements.key(one), statements.key(one._replace(message="head: lost 8", place="b.c:9", level="crit")))
        self.assertNotEqual(statements.key(one), statements.key(one._replace(raw="found %d")))


if __name__ == "__main__":
    unittest.main()
