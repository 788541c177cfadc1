//! Expressions that must not come back in what users read, and where they stand.

/// Foreign or unclear expressions, and what to write instead. They are found as whole words, whatever their case, also across the
/// end of a line.
pub const EXPRESSIONS: &[(&str, &str)] = &[
    ("tells of", "reports, indicates"),
    ("tell of", "report, indicate"),
    ("told", "reported, emitted, named"),
    ("in a row", "consecutive"),
    ("learnt", "learned"),
    ("is known of", "is unknown"),
    ("it says how", "how"),
    ("says how good", "measures"),
    ("looked at", "read, checked, evaluated"),
    ("deed", "action"),
    ("homeless", "unassigned"),
    ("minded", "inclined, or what it is"),
    ("on the desk", "in the scratch buffer"),
    ("was no room", "limit reached"),
    ("is no room", "limit reached"),
    ("made room for others", "evicted"),
    ("for longest", "longest, least recently used"),
    ("for so many", "for N"),
    ("so many records", "N records"),
    ("so many samples", "N samples"),
    ("so many lines", "N lines"),
    ("within so many", "within N"),
    ("a say", "a vote"),
    ("no say", "no vote"),
    ("speak again", "report again"),
    ("anew", "again"),
    ("as dear", "as expensive"),
    ("makes no sense", "cannot be decoded"),
    ("what it had learned", "its learned state"),
    ("where it is not there", "if it is missing"),
    ("goes on from", "continues from"),
    ("makes up data", "generates data"),
    ("make up data", "generate data"),
    ("a thing that", "something that"),
    ("no error of", "not an error of"),
];

/// British spellings, and the American ones that this project uses.
pub const SPELLINGS: &[(&str, &str)] = &[
    ("analyse", "analyze"),
    ("artefact", "artifact"),
    ("behaviour", "behavior"),
    ("behaviours", "behaviors"),
    ("catalogue", "catalog"),
    ("centre", "center"),
    ("colour", "color"),
    ("colours", "colors"),
    ("defence", "defense"),
    ("favour", "favor"),
    ("honour", "honor"),
    ("honoured", "honored"),
    ("initialise", "initialize"),
    ("judgement", "judgment"),
    ("labelled", "labeled"),
    ("licence", "license"),
    ("modelled", "modeled"),
    ("neighbour", "neighbor"),
    ("neighbours", "neighbors"),
    ("normalise", "normalize"),
    ("normalised", "normalized"),
    ("optimise", "optimize"),
    ("optimised", "optimized"),
    ("optimisation", "optimization"),
    ("recognise", "recognize"),
    ("recognised", "recognized"),
    ("serialise", "serialize"),
    ("serialised", "serialized"),
    ("summarise", "summarize"),
    ("unlabelled", "unlabeled"),
    ("virtualisation", "virtualization"),
];

/// An expression that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The line that it begins in, from 1.
    pub line: usize,
    /// The expression.
    pub expression: &'static str,
    /// What to write instead.
    pub better: &'static str,
}

/// The expressions in pieces of text that users read, each with the number of its first line.
#[must_use]
pub fn expressions(pieces: &[(usize, String)]) -> Vec<Found> {
    let mut found = Vec::new();
    for (first, piece) in pieces {
        let (text, lines) = flowing(piece, *first);
        for &(expression, better) in EXPRESSIONS.iter().chain(SPELLINGS) {
            for (at, _) in text.match_indices(expression) {
                let before = text[..at].chars().next_back();
                let after = text[at + expression.len()..].chars().next();
                if !before.is_some_and(in_word) && !after.is_some_and(in_word) {
                    let line = lines[at];
                    found.push(Found {
                        line,
                        expression,
                        better,
                    });
                }
            }
        }
    }
    found.sort_by_key(|found| found.line);
    found
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text in lower case with single blanks for white space and the decoration of comments, and the line of each byte.
fn flowing(text: &str, first: usize) -> (String, Vec<usize>) {
    let (mut flow, mut lines) = (String::new(), Vec::new());
    for (number, line) in (first..).zip(text.lines()) {
        let line = line.trim_start();
        let line = line.strip_prefix("* ").unwrap_or(line);
        for word in line.to_lowercase().split_whitespace() {
            flow.push_str(word);
            flow.push(' ');
            lines.resize(flow.len(), number);
        }
    }
    (flow, lines)
}

/// The pieces of a file that users read: of Rust the texts and the documentation, up to the tests; of Markdown and the manual page
/// what is not generated, for that is written elsewhere; of any other file all of it.
#[must_use]
pub fn pieces(path: &str, text: &str) -> Vec<(usize, String)> {
    if path.ends_with(".rs") {
        return rust(text);
    }
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let begins = |line: &str| match extension {
        "md" => line.starts_with("<!-- ") && !line.starts_with("<!-- end of "),
        "5" => line == ".\\\" options",
        _ => false,
    };
    let ends = |line: &str| match extension {
        "md" => line.starts_with("<!-- end of "),
        "5" => line == ".\\\" end of options",
        _ => false,
    };
    let mut pieces = vec![(1, String::new())];
    let mut generated = false;
    for (number, line) in (1..).zip(text.lines()) {
        if begins(line) {
            generated = true;
        } else if ends(line) {
            generated = false;
            pieces.push((number + 1, String::new()));
        } else if !generated {
            let piece = &mut pieces.last_mut().expect("there is one").1;
            piece.push_str(line);
            piece.push('\n');
        }
    }
    pieces
}

/// The string literals and the documentation of a Rust file.
fn rust(text: &str) -> Vec<(usize, String)> {
    let text = text.split("\n#[cfg(test)]").next().unwrap_or(text);
    let mut pieces: Vec<(usize, String)> = Vec::new();
    let (mut rest, mut line) = (text, 1);
    // What stands before the next literal or comment holds no text.
    while let Some(at) = rest.find(['"', '/', '\'']) {
        line += newlines(&rest[..at]);
        let before = &rest[..at];
        rest = &rest[at..];
        let length = if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            let comment = &rest[..length];
            if let Some(words) = comment
                .strip_prefix("///")
                .or_else(|| comment.strip_prefix("//!"))
            {
                // Lines of documentation that follow each other are one text.
                match pieces.last_mut() {
                    Some((first, piece)) if *first + newlines(piece) == line => {
                        piece.push_str(words);
                        piece.push('\n');
                    }
                    _ => pieces.push((line, format!("{words}\n"))),
                }
            }
            length
        } else if let Some(inside) = rest.strip_prefix('"') {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let is_raw = before[..before.len() - hashes].ends_with('r');
            let length = match is_raw {
                true => inside.find(&format!("\"{}", "#".repeat(hashes))),
                false => end_of_literal(inside),
            };
            let length = length.unwrap_or(inside.len());
            let literal = inside[..length].replace("\\n", " ").replace("\\\n", "\n");
            pieces.push((line, literal));
            length + 2
        } else if let Some(inside) = rest.strip_prefix('\'') {
            // A character, or else a lifetime.
            let end = match inside.chars().next() {
                Some('\\') => inside
                    .get(2..)
                    .and_then(|more| more.find('\''))
                    .map(|at| at + 2),
                Some(c) => inside[c.len_utf8()..]
                    .starts_with('\'')
                    .then_some(c.len_utf8()),
                None => None,
            };
            end.map_or(1, |end| end + 2)
        } else {
            1
        };
        let length = length.min(rest.len());
        line += newlines(&rest[..length]);
        rest = &rest[length..];
    }
    pieces
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

/// Where the quotation mark is that ends a literal.
fn end_of_literal(inside: &str) -> Option<usize> {
    let mut escaped = false;
    inside.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_file(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let found = expressions(&pieces(path, text));
        found.iter().map(|f| (f.line, f.expression)).collect()
    }

    #[test]
    fn an_expression_is_found_across_the_end_of_a_line_and_in_any_case() {
        assert_eq!(in_file("a.md", "x\nThree IN A\nrow.\n"), [(2, "in a row")]);
    }

    #[test]
    fn an_expression_within_a_word_is_none() {
        assert_eq!(
            in_file("a.md", "indeed, absent-minded, told_by\n"),
            [(1, "minded")]
        );
    }

    #[test]
    fn what_is_generated_is_left_to_where_it_is_written() {
        let text = "<!-- options -->\ntold\n<!-- end of options -->\nlearnt\n";
        assert_eq!(in_file("a.md", text), [(4, "learnt")]);
        assert_eq!(
            in_file("a.h", "/* told\n * learnt */"),
            [(1, "told"), (2, "learnt")]
        );
    }

    #[test]
    fn of_rust_the_literals_and_the_documentation_count() {
        let text = "/// What was\n/// learnt.\nfn told(deed: &'static str) -> char {\n    // homeless\n    \
                    say(\"a \\\"deed\\\"\", r#\"told \"x\"\"#); '\"'\n}\n#[cfg(test)]\nmod tests { \"anew\" }\n";
        assert_eq!(
            in_file("a.rs", text),
            [(2, "learnt"), (5, "deed"), (5, "told")]
        );
    }
}
