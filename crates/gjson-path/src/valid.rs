//! Whether a document is JSON (RFC 8259, except that strings may hold invalid UTF-8).

/// Whether `document` is exactly one JSON value.
pub(super) fn is_valid(document: &[u8]) -> bool {
    Checker { rest: document, open: Vec::new() }.document().is_some()
}

/// Scans a document from its start. A step returns `None` if the document is not JSON.
struct Checker<'d> {
    rest: &'d [u8],
    /// The closing brackets of the enclosing objects and arrays.
    open: Vec<u8>,
}

impl Checker<'_> {
    fn document(&mut self) -> Option<()> {
        loop {
            self.value()?;
            if !self.after_value()? {
                break;
            }
        }
        self.skip_blanks();
        self.rest.is_empty().then_some(())
    }

    /// Scans a value, or opens it and its first values down to the first one that is not empty.
    fn value(&mut self) -> Option<()> {
        loop {
            self.skip_blanks();
            match self.next()? {
                b'{' => {
                    self.open.push(b'}');
                    if self.try_close() {
                        return Some(());
                    }
                    self.key()?;
                }
                b'[' => {
                    self.open.push(b']');
                    if self.try_close() {
                        return Some(());
                    }
                }
                b'"' => return self.string(),
                b't' => return self.word(b"rue"),
                b'f' => return self.word(b"alse"),
                b'n' => return self.word(b"ull"),
                b'-' => return self.digits_after_minus(),
                digit @ b'0'..=b'9' => return self.number(digit),
                _ => return None,
            }
        }
    }

    /// Scans closing brackets, then a comma and key. Returns whether another value follows.
    fn after_value(&mut self) -> Option<bool> {
        loop {
            let Some(&close) = self.open.last() else { return Some(false) };
            if self.try_close() {
                continue;
            }
            if self.next()? != b',' {
                return None;
            }
            if close == b'}' {
                self.key()?;
            }
            return Some(true);
        }
    }

    fn try_close(&mut self) -> bool {
        self.skip_blanks();
        let closes = !self.rest.is_empty() && self.rest.first() == self.open.last();
        if closes {
            self.open.pop();
            self.skip(1);
        }
        closes
    }

    fn key(&mut self) -> Option<()> {
        self.skip_blanks();
        (self.next()? == b'"').then_some(())?;
        self.string()?;
        self.skip_blanks();
        (self.next()? == b':').then_some(())
    }

    fn string(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let digits = self.rest.get(..4)?;
                        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                        self.skip(4);
                    }
                    _ => return None,
                },
                0..b' ' => return None,
                _ => {}
            }
        }
    }

    fn digits_after_minus(&mut self) -> Option<()> {
        let digit = self.next()?;
        digit.is_ascii_digit().then_some(())?;
        self.number(digit)
    }

    fn number(&mut self, first: u8) -> Option<()> {
        if first != b'0' {
            self.skip_digits();
        }
        if self.rest.first() == Some(&b'.') {
            self.skip(1);
            self.next()?.is_ascii_digit().then_some(())?;
            self.skip_digits();
        }
        if matches!(self.rest.first(), Some(b'e' | b'E')) {
            self.skip(1);
            if matches!(self.rest.first(), Some(b'+' | b'-')) {
                self.skip(1);
            }
            self.next()?.is_ascii_digit().then_some(())?;
            self.skip_digits();
        }
        Some(())
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(rest)?;
        Some(())
    }

    fn skip_digits(&mut self) {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.skip(digits);
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.skip(blanks);
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }
}
