//! Flags, and the groups that set them or have names.

use super::{Error, ErrorKind, Item, Translator};

/// The flags in effect at a point of a pattern.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags(u8);

impl Flags {
    /// `i`: upper and lower case are the same.
    pub(super) const FOLD_CASE: u8 = 1;
    /// `m`: `^` and `$` match at line boundaries.
    pub(super) const MULTI_LINE: u8 = 2;
    /// `s`: `.` matches a line feed.
    pub(super) const DOT_NEWLINE: u8 = 4;
    /// `U`: `x*` and `x*?` swap their meanings.
    pub(super) const SWAP_GREED: u8 = 8;

    pub(super) const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// The end of `(?flags`.
enum End {
    /// `)`: the flags apply to what follows.
    Setting,
    /// `:`: they apply to the group.
    Group,
}

impl Translator<'_> {
    /// Parses what begins with `(?`: a group, or only flags.
    pub(super) fn group_with_question_mark(&mut self) -> Result<Option<Item>, Error> {
        let start = self.rest;
        let name = ["(?P<", "(?<"].iter().find_map(|opening| start.strip_prefix(opening));
        // Go requires one more character.
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            let Some((name, rest)) = name.split_once('>') else {
                return Err(Error::new(ErrorKind::InvalidName, start));
            };
            self.rest = rest;
            if name.is_empty() || !name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
                return Err(Error::new(ErrorKind::InvalidName, self.since(start)));
            }
            self.names.push(Some(name.to_owned()));
            return self.group("(", self.flags).map(Some);
        }
        self.skip(2);
        let after = self.flags;
        match self.flags() {
            Some(End::Setting) => Ok(None),
            Some(End::Group) => self.group("(?:", after).map(Some),
            None => Err(Error::new(ErrorKind::InvalidPerlSyntax, self.since(start))),
        }
    }

    /// Parses the letters after `(?` and their end; `None` if they are invalid.
    fn flags(&mut self) -> Option<End> {
        let (mut on, mut off, mut negative, mut seen) = (0, 0, false, false);
        while let Some(letter) = self.rest.chars().next() {
            self.skip(letter.len_utf8());
            let flag = match letter {
                'i' => Flags::FOLD_CASE,
                'm' => Flags::MULTI_LINE,
                's' => Flags::DOT_NEWLINE,
                'U' => Flags::SWAP_GREED,
                '-' if !negative => {
                    (negative, seen) = (true, false);
                    continue;
                }
                ':' | ')' if !negative || seen => {
                    self.flags = Flags((self.flags.0 | on) & !off);
                    return Some(if letter == ':' { End::Group } else { End::Setting });
                }
                _ => return None,
            };
            seen = true;
            *(if negative { &mut off } else { &mut on }) |= flag;
        }
        None
    }
}
