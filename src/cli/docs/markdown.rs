//! The building blocks of pages.

/// The head of each page.
pub(super) fn head(title: &str, page: &str) -> String {
    format!(
        "# {title}\n\n<!-- Made by `external-secrets docs {page}`; change the program, then run `make generate`. -->\n\n"
    )
}

/// A table in Markdown.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: [String; N]| format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    let mut table = line(heads.map(str::to_owned));
    table.extend([format!("|{}\n", "---|".repeat(N))]);
    table.extend(rows.into_iter().map(line));
    table.push('\n');
    table
}

/// `text` as code; nothing if it is empty.
pub(super) fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}
