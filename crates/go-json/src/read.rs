//! Parses JSON.

use std::collections::BTreeMap;

use crate::text::Text;

/// Why a text is not JSON, in Go's words except for the character, which may be a secret's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The text ends too early.
    #[error("unexpected end of JSON input")]
    End,
    /// An invalid character, and where, for example `in string literal`.
    #[error("invalid character {0}")]
    Character(&'static str),
}

/// A value without parts.
#[derive(Clone, Copy, Debug)]
pub enum Scalar<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A finite number.
    Number(f64),
    /// A number that is too large for a float.
    TooLarge,
    /// A string.
    String(Text<'t>),
}

/// Builds values while a text is parsed.
pub trait Build {
    /// A value.
    type Value;
    /// The name of a part of an object.
    type Name: Ord;
    /// Why parsing ends early.
    type Error: From<Malformed>;

    /// A value begins. Counts the cost that all values have.
    fn begin(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The parts of a value begin. Limits the nesting, because each level takes some of the stack.
    fn descend(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The parts of a value have ended, or there was an error in them.
    fn ascend(&mut self) {}

    /// A value without parts.
    fn scalar(&mut self, scalar: Scalar<'_>) -> Result<Self::Value, Self::Error>;

    /// A name.
    fn name(&mut self, name: Text<'_>) -> Result<Self::Name, Self::Error>;

    /// A list.
    fn list(&mut self, items: Vec<Self::Value>) -> Self::Value;

    /// An object. Of equal names, the last wins.
    fn object(&mut self, entries: BTreeMap<Self::Name, Self::Value>) -> Self::Value;
}

/// Parses a document.
///
/// # Errors
/// If it is not JSON, or the builder rejects it.
pub fn read<B: Build>(text: &[u8], builder: &mut B) -> Result<B::Value, B::Error> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(builder)?;
    reader.skip_blanks();
    if reader.at < text.len() {
        return Err(reader.unexpected("after top-level value").into());
    }
    Ok(value)
}

/// Parses the parts of a value.
type Read<'t, B> = fn(&mut Reader<'t>, &mut B) -> Result<<B as Build>::Value, <B as Build>::Error>;

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Reader<'t> {
    fn value<B: Build>(&mut self, builder: &mut B) -> Result<B::Value, B::Error> {
        builder.begin()?;
        self.skip_blanks();
        let scalar = match self.peek() {
            Some(b'{') => return self.nested(builder, Self::object),
            Some(b'[') => return self.nested(builder, Self::list),
            Some(b'"') => Scalar::String(self.string()?),
            Some(b't') => self.literal("true", "in literal true", Scalar::Bool(true))?,
            Some(b'f') => self.literal("false", "in literal false", Scalar::Bool(false))?,
            Some(b'n') => self.literal("null", "in literal null", Scalar::Null)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(self.unexpected("looking for beginning of value").into()),
        };
        builder.scalar(scalar)
    }

    fn nested<B: Build>(&mut self, builder: &mut B, read: Read<'t, B>) -> Result<B::Value, B::Error> {
        builder.descend()?;
        self.at += 1;
        let value = read(self, builder);
        builder.ascend();
        value
    }

    fn list<B: Build>(&mut self, builder: &mut B) -> Result<B::Value, B::Error> {
        let mut items = Vec::new();
        self.skip_blanks();
        if self.accept(b"]") {
            return Ok(builder.list(items));
        }
        loop {
            items.push(self.value(builder)?);
            if self.is_closed(b']', "after array element")? {
                return Ok(builder.list(items));
            }
        }
    }

    fn object<B: Build>(&mut self, builder: &mut B) -> Result<B::Value, B::Error> {
        let mut entries = BTreeMap::new();
        self.skip_blanks();
        if self.accept(b"}") {
            return Ok(builder.object(entries));
        }
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string").into());
            }
            let name = builder.name(self.string()?)?;
            self.skip_blanks();
            if !self.accept(b":") {
                return Err(self.unexpected("after object key").into());
            }
            entries.insert(name, self.value(builder)?);
            if self.is_closed(b'}', "after object key:value pair")? {
                return Ok(builder.object(entries));
            }
        }
    }

    /// Consumes what follows an item: a comma, or the end of the container. Returns whether it was the end.
    fn is_closed(&mut self, close: u8, context: &'static str) -> Result<bool, Malformed> {
        self.skip_blanks();
        if self.accept(b",") {
            return Ok(false);
        }
        if self.accept(&[close]) { Ok(true) } else { Err(self.unexpected(context)) }
    }

    fn literal(
        &mut self,
        name: &str,
        context: &'static str,
        scalar: Scalar<'static>,
    ) -> Result<Scalar<'static>, Malformed> {
        for expected in name.bytes() {
            if !self.accept(&[expected]) {
                return Err(self.unexpected(context));
            }
        }
        Ok(scalar)
    }

    fn number(&mut self) -> Result<Scalar<'static>, Malformed> {
        let start = self.at;
        self.accept(b"-");
        if !self.accept(b"0") {
            self.digits("in numeric literal")?;
        }
        if self.accept(b".") {
            self.digits("after decimal point in numeric literal")?;
        }
        if self.accept(b"eE") {
            self.accept(b"+-");
            self.digits("in exponent of numeric literal")?;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        Ok(number.filter(|number: &f64| number.is_finite()).map_or(Scalar::TooLarge, Scalar::Number))
    }

    fn digits(&mut self, context: &'static str) -> Result<(), Malformed> {
        let start = self.at;
        while self.accept(b"0123456789") {}
        if self.at == start { Err(self.unexpected(context)) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Text<'t>, Malformed> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(b' '..) => self.at += 1,
                _ => return Err(self.unexpected("in string literal")),
            }
        }
        let text = Text::of_valid(self.text.get(start..self.at).unwrap_or_default());
        self.at += 1;
        Ok(text)
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        if self.accept(b"u") {
            for _ in 0..4 {
                if !self.accept(b"0123456789abcdefABCDEF") {
                    return Err(self.unexpected("in \\u hexadecimal character escape"));
                }
            }
            return Ok(());
        }
        if self.accept(b"\"\\/bfnrt") { Ok(()) } else { Err(self.unexpected("in string escape code")) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Takes the next byte if it is one of `bytes`.
    fn accept(&mut self, bytes: &[u8]) -> bool {
        let found = self.peek().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(found);
        found
    }

    fn skip_blanks(&mut self) {
        while self.accept(b" \t\r\n") {}
    }

    fn unexpected(&self, context: &'static str) -> Malformed {
        if self.at < self.text.len() { Malformed::Character(context) } else { Malformed::End }
    }
}
