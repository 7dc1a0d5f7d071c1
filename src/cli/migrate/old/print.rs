//! Manifests to the standard output, the report beside them.

use std::fmt::Write as _;
use std::io::Write as _;

use super::report::{Conversion, Outcome};
use crate::cli::migrate::error::Error;
use crate::cli::person::printing::{Format, note};
use crate::sync::one_line::on_one_line;

/// Prints both.
pub(super) fn conversion(conversion: &Conversion, format: Format) -> Result<(), Error> {
    let mut text = String::new();
    for manifest in &conversion.manifests {
        text.push_str("---\n");
        serde_saphyr::to_fmt_writer_with_options(
            &mut text,
            manifest,
            // A template that is folded can be neither read nor searched for.
            serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX },
        )
        .map_err(crate::cli::person::Error::from)?;
    }
    std::io::stdout().write_all(text.as_bytes())?;
    note(
        match format {
            Format::Json => format!("{:#}", conversion.document()),
            Format::Yaml => serde_saphyr::to_string(&conversion.document()).map_err(crate::cli::person::Error::from)?,
            Format::Text => report(conversion),
        }
        .trim_end(),
    );
    Ok(())
}

/// The report for people: what a person has to do last, where it is seen.
fn report(conversion: &Conversion) -> String {
    let mut text = String::new();
    let mut lines: Vec<_> = conversion.lines.iter().collect();
    lines.sort_by_key(|line| line.outcome);
    for line in &lines {
        let field = if line.field.is_empty() { String::new() } else { format!(": {}", line.field) };
        let said = format!("{}: {}{field}: {}", line.outcome.name(), line.object, line.message);
        let _ = writeln!(text, "{}", on_one_line(&said));
    }
    let count = |outcome| lines.iter().filter(|line| line.outcome == outcome).count();
    let _ = writeln!(
        text,
        "{} manifests; {} by hand, {} not possible",
        conversion.manifests.len(),
        count(Outcome::ByHand),
        count(Outcome::NotPossible),
    );
    text
}
