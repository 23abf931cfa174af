//! Tables for people: two spaces between columns, no lines, at most as wide as the terminal.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Width, presets};

/// A table and its heading.
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    empty: &'static str,
}

impl Table {
    /// `empty` is what to say where there are no rows.
    pub fn new<const N: usize>(head: [&'static str; N], empty: &'static str) -> Self {
        Self { head: head.into(), rows: Vec::new(), empty }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Into a terminal it is as wide as that, and wraps what does not fit. Into a pipe nothing
    /// is wrapped, so that one line is one thing for `grep` and `awk`.
    pub fn render(&self, width: Option<u16>) -> String {
        if self.rows.is_empty() {
            crate::term::complain(&format!("{}\n", self.empty));
            return String::new();
        }
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_header(&self.head);
        match width {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        for row in &self.rows {
            table.add_row(row.iter().map(Cell::new));
        }
        for (index, _) in self.head.iter().enumerate() {
            let constraint = match index {
                // What is copied from it stays in one piece.
                0 => ColumnConstraint::ContentWidth,
                _ => ColumnConstraint::LowerBoundary(Width::Fixed(6)),
            };
            if let Some(column) = table.column_mut(index) {
                column.set_padding((0, 2)).set_constraint(constraint);
            }
        }
        table.lines().fold(String::new(), |all, line| all + line.trim_end() + "\n")
    }
}

/// Cuts a cell to `limit` characters, marking the cut.
pub fn cut(text: &str, limit: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= limit && line.len() == text.trim_end().len() {
        return line.to_owned();
    }
    line.chars().take(limit.saturating_sub(1)).collect::<String>() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_plain_text_in_columns() {
        let mut table = Table::new(["ID", "STATE"], "nobody");
        table.row(["web1".into(), "accepted".into()]);
        table.row(["a-much-longer-name".into(), "pending".into()]);
        assert_eq!(
            table.render(None),
            "ID                  STATE\nweb1                accepted\na-much-longer-name  pending\n"
        );
        assert!(table.render(Some(30)).lines().all(|line| line.chars().count() <= 30), "{}", table.render(Some(30)));
        assert!(table.render(Some(20)).contains("a-much-longer-name"), "ids are not cut in two");
    }

    #[test]
    fn long_cells_are_cut_with_a_mark() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("a long text", 6), "a lon…");
        assert_eq!(cut("two\nlines", 10), "two…");
    }
}
