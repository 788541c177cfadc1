//! A site's lexicon of any text, and any lines judged by it: whatever is accepted judges within its ranges.
#![no_main]

use arbitrary::Arbitrary;
use bellwether_core::inference::{Inference, Lexicon, Message};
use bellwether_fuzz::line::Line;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    entries: Vec<Entry<'a>>,
    lines: Vec<Line<'a>>,
    texts: Vec<&'a str>,
}

#[derive(Arbitrary, Debug)]
enum Entry<'a> {
    Section(u8),
    Phrase {
        percent: u8,
        parts: Vec<(Line<'a>, u8)>,
    },
    Text(&'a str),
}

/// What a site's file goes on top of: the whole lexicon takes too long to compile for every input.
const BASE: &str = "[storage]\n0.8 i/o error\n0.7 buffer * error\n[words]\n0.3 error*\n0.2 failed\n[things storage]\n0.4 dev\n\
                    [benign]\n0.6 corrected\n[hidden]\nnon-fatal\n[memory]\n0.9 out of memory\n0.9 kill* process\n";

const SECTIONS: [&str; 6] = [
    "[storage]",
    "[words]",
    "[things memory]",
    "[benign]",
    "[hidden]",
    "[network]",
];
const JOINTS: [&str; 4] = [" * ", "*", " ", ""];

fn file(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        match entry {
            Entry::Section(n) => text.push_str(SECTIONS[usize::from(*n) % SECTIONS.len()]),
            Entry::Phrase { percent, parts } => {
                text.push_str(&format!("{} ", f32::from(*percent) / 100.0));
                for (part, joint) in parts {
                    text.push_str(part.text().trim());
                    text.push_str(JOINTS[usize::from(*joint) % JOINTS.len()]);
                }
            }
            Entry::Text(any) => text.push_str(any),
        }
        text.push('\n');
    }
    text
}

fuzz_target!(|input: Input| {
    let site = match Lexicon::of_files(&[BASE, &file(&input.entries)]) {
        Ok(lexicon) => lexicon,
        Err(error) => {
            assert!(error.line > 0 && !error.what.is_empty());
            return;
        }
    };
    let texts = input.texts.iter().map(|&text| text.to_owned());
    for line in input.lines.iter().map(Line::text).chain(texts) {
        for lexicon in [&site, &**Lexicon::builtin()] {
            for program in ["", "kernel", "libvirtd", "nginx"] {
                let message = Message::of(&line).from_program(program);
                let Some(finding) = lexicon.read(&message).finding else {
                    continue;
                };
                assert!(
                    finding.severity > 0.0 && finding.severity <= 1.0,
                    "{finding:?}"
                );
                assert!(!finding.reason.is_empty());
            }
        }
    }
});
