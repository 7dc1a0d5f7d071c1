//! Tables like kubectl's.

use std::fmt::Write as _;

use crate::sync::one_line::{on_one_line, shortened};

/// The space between columns.
const GAP: usize = 2;

/// A table. Its last column is truncated if the line would be wider than the terminal.
pub(in crate::cli) struct Table {
    rows: Vec<Vec<String>>,
    width: Option<usize>,
}

impl Table {
    /// A table with these headings, for a terminal of this width, if any.
    pub(in crate::cli) fn new(headings: &[&str], width: Option<usize>) -> Self {
        Self { rows: vec![headings.iter().map(|&heading| heading.to_owned()).collect()], width }
    }

    /// Adds a row. Text from the cluster can neither control the terminal nor break the line.
    pub(in crate::cli) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cell = |text: String| if text.is_empty() { "-".to_owned() } else { on_one_line(&text) };
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    /// The table as text.
    pub(in crate::cli) fn text(self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let before: usize = widths.iter().rev().skip(1).map(|width| width + GAP).sum();
        let room = self.width.map(|width| width.saturating_sub(before).max(8));
        let mut text = String::new();
        for mut row in self.rows {
            if let (Some(room), Some(last)) = (room, row.last_mut()) {
                *last = shortened(std::mem::take(last), room);
            }
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{cell:<width$}  ");
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_the_last_is_cut_on_a_terminal_alone() {
        let table = |width| {
            let mut table = Table::new(&["NAME", "SAYS"], width);
            table.row(["a".to_owned(), "a long\nsentence".to_owned()]);
            table.row(["longer".to_owned(), String::new()]);
            table.text()
        };
        assert_eq!(table(None), "NAME    SAYS\na       a long sentence\nlonger  -\n");
        assert_eq!(table(Some(18)), "NAME    SAYS\na       a long ...\nlonger  -\n");
    }
}
