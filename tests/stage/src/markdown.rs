//! The code blocks in the Markdown files, for the tests that run them and those that check them.

/// A fenced code block.
#[derive(Debug)]
pub struct Block {
    /// The file, relative to the repository's root.
    pub page: String,
    /// The number of its first line.
    pub line: usize,
    /// What follows the fence, such as `sh`.
    pub language: String,
    /// What stands between the fences.
    pub text: String,
    /// The HTML comment before it.
    pub comment: Option<String>,
}

/// All Markdown files of the repository, relative to its root, sorted.
pub fn pages() -> Vec<String> {
    let root = crate::repository();
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The fenced blocks of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(crate::repository().join(page)).unwrap();
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    let mut comment = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if let Some(language) = trimmed.strip_prefix("```") {
            open = !open;
            if open {
                let (page, language) = (page.to_owned(), language.trim().to_owned());
                found.push(Block { page, line: index + 1, language, text: String::new(), comment: comment.take() });
            }
        } else if open {
            let block = found.last_mut().expect("an open block");
            block.text.push_str(line);
            block.text.push('\n');
        } else if !trimmed.is_empty() {
            let inner = trimmed.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
            comment = inner.map(|inner| inner.trim().to_owned());
        }
    }
    assert!(!open, "{page}: a fence is not closed");
    found
}

impl Block {
    /// Whether it holds commands: `sh` nothing else, `console` also their output.
    pub fn is_shell(&self) -> bool {
        ["sh", "console", "bash", "shell"].contains(&self.language.as_str())
    }

    /// Why a test cannot run it, if it says so: `<!-- not run: it needs a container engine -->`.
    pub fn not_run(&self) -> Option<&str> {
        self.comment.as_deref()?.strip_prefix("not run: ")
    }

    /// The commands of a `console` block, each with its output.
    pub fn commands(&self) -> Vec<(String, Vec<String>)> {
        let mut commands: Vec<(String, Vec<String>)> = Vec::new();
        let mut continued = false;
        for line in self.text.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                commands.push((command.to_owned(), Vec::new()));
                continued = command.ends_with('\\');
            } else if let Some((command, shown)) = commands.last_mut() {
                if continued {
                    command.push('\n');
                    command.push_str(line);
                    continued = line.ends_with('\\');
                } else {
                    shown.push(line.to_owned());
                }
            }
        }
        commands
    }
}
