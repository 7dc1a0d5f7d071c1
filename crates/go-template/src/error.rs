//! What is wrong with a template.

use std::fmt;

use super::format::quote;

/// Why a template cannot be parsed or rendered.
///
/// The text follows Go's, with the same line and column (the column counts bytes from 0), so that people find what
/// others wrote about the error. It contains no rendered value and no text of the template's strings: where Go prints a
/// value, the type is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Details>);

/// The parts of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The template's name.
    pub template: String,
    /// The line, from 1.
    pub line: usize,
    /// The byte offset in the line, from 0.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What was being rendered; `None` if the template could not be parsed.
    pub context: Option<Context>,
}

/// What was being rendered when it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The name of the template, or of the definition in it.
    pub executing: String,
    /// The expression that was evaluated.
    pub at: String,
}

impl Error {
    /// An error at a byte offset of the template's text.
    pub(super) fn at(template: &str, text: &[u8], position: usize, message: String) -> Self {
        let (line, column) = line_and_column(text, position);
        let message = shortened(message);
        Self(Box::new(Details { template: template.to_owned(), line, column, message, context: None }))
    }

    /// The same error, while rendering.
    pub(super) fn while_rendering(mut self, executing: String, at: String) -> Self {
        self.0.context = Some(Context { executing: shortened(executing), at: shortened(at) });
        self
    }

    /// The parts of the error.
    #[must_use]
    pub fn details(&self) -> &Details {
        &self.0
    }
}

/// `text`, truncated to what fits into a status.
fn shortened(mut text: String) -> String {
    const MAX_LEN: usize = 1000;
    if text.len() > MAX_LEN {
        text.truncate(text.floor_char_boundary(MAX_LEN));
        text.push_str("...");
    }
    text
}

/// The line of a byte offset, from 1, and the offset in that line, from 0.
pub(super) fn line_and_column(text: &[u8], position: usize) -> (usize, usize) {
    let before = text.get(..position).unwrap_or(text);
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
    (before.split(|&byte| byte == b'\n').count(), before.len() - line_start)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { template, line, column, message, context } = &*self.0;
        write!(f, "template: {template}:{line}:{column}: ")?;
        if let Some(context) = context {
            write!(f, "executing {} at <{}>: ", quote::quoted(context.executing.as_bytes()), context.at)?;
        }
        f.write_str(message)
    }
}

impl std::error::Error for Error {}
