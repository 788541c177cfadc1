//! Tables for people, in the form of Markdown, so that they can be pasted into a document.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// A table with a `title` above it: the first column is text, all others are numbers and flush right.
pub fn markdown(title: &str, header: &[String], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table
        .load_preset(ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header)
        .add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{title}\n\n{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_flush_right_under_their_heading() {
        let header = ["detector".into(), "score".into()];
        let rows = [vec!["a".into(), "9.1".into()]];
        let expected = "NAB\n\n\
                        | detector | score |\n\
                        |----------|-------|\n\
                        | a        |   9.1 |\n";
        assert_eq!(markdown("NAB", &header, &rows), expected);
    }
}
