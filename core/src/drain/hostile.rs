//! Lines that attack the parser, by family, and the ordinary lines that their cost is compared with. For tests, for
//! `benches/hostile.rs` and for the fuzz targets.

/// Marsaglia's xorshift.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Letters that are not hexadecimal digits.
    fn letters(&mut self, len: usize) -> String {
        (0..len)
            .map(|_| char::from(b'g' + self.below(16) as u8))
            .collect()
    }
}

/// Appends the next line of a family, of about this many bytes.
pub type Family = fn(&mut Random, usize, &mut String);

/// Words that programs print often.
const WORDS: [&str; 40] = [
    "device", "session", "opened", "closed", "user", "for", "on", "of", "the", "entered", "state",
    "started", "stopped", "request", "from", "to", "with", "failed", "service", "unit", "memory",
    "queue", "link", "domain", "volume", "is", "not", "reached", "target", "network", "timer",
    "reply", "sent", "received", "disk", "blocks", "worker", "finished", "cache", "address",
];

/// Statements that print ordinary lines: as many as there are templates in a full tree.
const STATEMENTS: usize = 5000;

/// A line of one of many statements, some of which print far more than others. Most print numbers and addresses, which are
/// masked; some print names.
pub fn ordinary(random: &mut Random, len: usize, line: &mut String) {
    let which = (0..8).fold(STATEMENTS, |least, _| least.min(random.below(STATEMENTS)));
    let mut statement = Random::new(which as u64 + 1);
    let has_names = statement.below(8) == 0;
    line.push_str(statement.of(&WORDS));
    while line.len() < len {
        line.push(' ');
        match statement.below(12) {
            0 => line.push_str(&random.below(100_000).to_string()),
            1 => line.push_str(&format!("10.0.{}.{}", random.below(256), random.below(256))),
            2 => line.push_str(&format!("{}={}", statement.of(&WORDS), random.below(1000))),
            3 if has_names => line.push_str(&format!("vnet{}", random.below(20))),
            3..8 => {
                let len = 4 + statement.below(6);
                line.push_str(&statement.letters(len));
            }
            _ => line.push_str(statement.of(&WORDS)),
        }
    }
}

/// Families that attack all parts of the parser; the last is a mixture of the others.
pub const HOSTILE: [(&str, Family); 28] = [
    ("2 letters", |random, len, line| {
        fill(len, line, || random.of(&["g", "h"]).into());
    }),
    ("3 letters", |random, len, line| {
        fill(len, line, || random.of(&["a", "b", "c"]).into());
    }),
    ("5 letters", |random, len, line| {
        fill(len, line, || random.of(&["g", "h", "i", "j", "k"]).into());
    }),
    ("16 letters", |random, len, line| {
        fill(len, line, || random.letters(1));
    }),
    ("two letters each", |random, len, line| {
        fill(len, line, || random.letters(2));
    }),
    ("4 words", |random, len, line| {
        fill(len, line, || random.of(&WORDS[..4]).into());
    }),
    ("40 words", |random, len, line| {
        fill(len, line, || random.of(&WORDS).into());
    }),
    ("nothing in common", |random, len, line| {
        fill(len, line, || random.letters(6));
    }),
    ("one long word", |random, len, line| {
        line.push_str(&random.letters(len));
    }),
    ("one long word of digits", |random, len, line| {
        any_of(random, len, line, &["0", "7", "a", "f"]);
        line.push('g');
    }),
    ("all wildcards", |random, len, line| {
        fill(len, line, || {
            random.of(&["<:*:>", "<:*:>", "<:NUM:>", "a"]).into()
        });
    }),
    ("deep punctuation", |random, len, line| {
        let brackets = [
            "(", "[", "{", "<", "<:", ":>", "*", "'", "\"", "\\", "=", ",", ".", "-", "+", "%",
        ];
        any_of(random, len, line, &brackets);
    }),
    ("punctuation and digits", |random, len, line| {
        any_of(
            random,
            len,
            line,
            &["1", "2", ".", ":", "-", "+", "0x", "a", " "],
        );
    }),
    ("numbers", |random, len, line| {
        fill(len, line, || random.below(99_999).to_string());
    }),
    ("digits between commas", |random, len, line| {
        any_of(random, len, line, &["1,", "2.", "3;", "4/"]);
    }),
    ("hexadecimal words", |random, len, line| {
        fill(len, line, || {
            let number = random.next();
            match number % 5 {
                0 => format!("{:#x}", number >> 40),
                1 => format!("{:06x}", number >> 40),
                2 => format!("{:04X}", number >> 48),
                3 => format!("{number:x}"),
                _ => format!("{:#x}g", number >> 48),
            }
        });
    }),
    ("colons and addresses", |random, len, line| {
        let pieces = [
            "aa:bb:cc",
            "10.0.0.1",
            ":",
            ".",
            " ",
            "1.2.3",
            "de:ad:be:ef:00",
            "10:",
        ];
        any_of(random, len, line, &pieces);
    }),
    ("near misses of the masks", |random, len, line| {
        let pieces = [
            "0123 4567 89AB ",
            "abcdef abcdef ",
            "0123 ",
            "abcdef ",
            "012345 ",
            "aaaaaa:bb:cc:dd:ee",
            "1.2.3.11:22:33 ",
            "executed cmd \"",
            "\n",
            "0x0x ",
            "012345678901 ",
        ];
        any_of(random, len, line, &pieces);
    }),
    ("delimiters", |random, len, line| {
        any_of(random, len, line, &["_", "__", "_a", "_b_", " ", "\t"]);
    }),
    ("Unicode", |random, len, line| {
        let pieces = [
            "é",
            "\u{a0}",
            "\u{3000}",
            "\u{2003}",
            "字",
            "ß",
            "\u{85}",
            "\u{1f600}",
            "a",
        ];
        any_of(random, len, line, &pieces);
    }),
    ("too different by one word", |random, len, line| {
        let mut at = 0;
        fill(len, line, || {
            at += 1;
            match at % 5 {
                1 | 3 if at > 3 => "common".into(),
                _ => random.letters(3),
            }
        });
    }),
    ("too different by few words", |random, len, line| {
        let mut at = 0;
        fill(len, line, || {
            at += 1;
            match at % 5 {
                1 | 3 if at > 8 => "s".into(),
                _ => random
                    .of(&["g", "h", "i", "j", "k", "l", "m", "n", "o", "p"])
                    .into(),
            }
        });
    }),
    ("all but one word the same", |random, len, line| {
        let (other, mut at) = (random.below(len / 4 + 1), 0);
        fill(len, line, || {
            at += 1;
            if at == other {
                random.letters(3)
            } else {
                "same".into()
            }
        });
    }),
    ("templates that change", |random, len, line| {
        let mut statement = Random::new(random.below(3000) as u64 + 1);
        fill(len, line, || {
            let word = statement.letters(3);
            if random.below(8) == 0 {
                random.letters(3)
            } else {
                word
            }
        });
    }),
    ("any number of words", |random, len, line| {
        let blanks = random.below(len);
        fill(len - blanks, line, || random.of(&["g", "h", "i"]).into());
        line.extend(std::iter::repeat_n(' ', blanks));
    }),
    ("new first words", |random, len, line| {
        line.push_str(&random.letters(4));
        line.push(' ');
        fill(len, line, || random.of(&["g", "h", "i", "j"]).into());
    }),
    ("every line twice", |random, len, line| {
        let mut twice = Random::new(random.next() % 8192 + 1);
        fill(len, line, || twice.of(&["g", "h", "i", "j"]).into());
    }),
    ("everything", |random, len, line| {
        while line.len() < len {
            let (_, family) = HOSTILE[random.below(HOSTILE.len() - 1)];
            let part = line.len() + 8 + random.below(len / 4 + 1);
            family(random, part.min(len), line);
            line.push(' ');
        }
    }),
];

/// Appends words and single spaces.
fn fill(len: usize, line: &mut String, mut word: impl FnMut() -> String) {
    while line.len() < len {
        line.push_str(&word());
        line.push(' ');
    }
}

/// Appends pieces in any order.
fn any_of(random: &mut Random, len: usize, line: &mut String, pieces: &[&str]) {
    while line.len() < len {
        line.push_str(random.of(pieces));
    }
}
