//! The table of results.

use std::fmt;

use crate::Form;
use crate::ledger::COUNT;
use crate::memory::Role;
use crate::pushes;
use crate::trial::Row;

/// All rows of a run.
pub struct Report {
    pub seed: u64,
    pub form: Form,
    pub rows: Vec<Row>,
    /// Violations found at the end.
    pub wrong: Vec<String>,
}

impl Report {
    /// Whether everything survived.
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.rows.iter().all(|row| row.wrong.is_empty())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{COUNT} ExternalSecrets, {} PushSecrets, seed {}, {} form.\n",
            pushes::COUNT,
            self.seed,
            match self.form {
                Form::Full => "full",
                Form::Short => "short",
            }
        )?;
        writeln!(
            f,
            "| fault | what goes wrong | lasted | recovery | Secret writes | status writes | GETs | PUTs | token exchanges | allocated | survived |"
        )?;
        writeln!(f, "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|")?;
        for row in &self.rows {
            let recovery = row.recovery.map_or("never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
            let survived = if row.wrong.is_empty() { "yes" } else { "**no**" };
            writeln!(
                f,
                "| `{}` | {} | {:.1} s | {recovery} | {} | {} | {} | {} | {} | {} MiB | {survived} |",
                row.fault,
                row.about,
                row.lasted.as_secs_f64(),
                row.work.secrets,
                row.work.statuses,
                row.work.reads,
                row.work.versions,
                row.work.exchanges,
                row.peak >> 20,
            )?;
        }
        let bound = Role::Controller.bound() >> 20;
        writeln!(f, "\nA controller may allocate {bound} MiB.")?;
        for row in &self.rows {
            row.wrong.iter().try_for_each(|wrong| writeln!(f, "\n- **{}**: {wrong}", row.fault))?;
        }
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "\n- **at the end**: {wrong}"))
    }
}
