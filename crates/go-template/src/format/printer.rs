//! Prints one value with one verb.

use zeroize::Zeroizing;

use super::integer::{self, Integer};
use super::{float, quote};
use crate::budget::{Budget, Buffer, Exceeded};
use crate::value::{List, Map, Text, Type, Value};

type Result = std::result::Result<(), Exceeded>;

/// The options of a directive.
#[allow(clippy::struct_excessive_bools, reason = "Go's flags are independent of each other")]
#[derive(Clone, Default)]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    /// `-`: pad on the right.
    pub(super) minus: bool,
    /// `+`: always a sign.
    pub(super) plus: bool,
    /// `#`: the alternate form.
    pub(super) sharp: bool,
    /// ` `: a space instead of a plus.
    pub(super) space: bool,
    /// `0`: pad with zeros.
    pub(super) zero: bool,
    /// `%#v`: as Go source.
    pub(super) go_syntax: bool,
}

pub(super) struct Printer<'b> {
    output: &'b mut Buffer,
    budget: &'b mut Budget,
    pub(super) flags: Flags,
}

/// How nil is printed.
const NIL: &[u8] = b"<nil>";

/// Replaces the addresses that Go prints, which mean nothing to anybody.
const ADDRESS: u64 = 0x00c0_0000_0000;

impl<'b> Printer<'b> {
    pub(super) fn new(output: &'b mut Buffer, budget: &'b mut Budget) -> Self {
        Self { output, budget, flags: Flags::default() }
    }

    pub(super) fn write(&mut self, text: &[u8]) -> Result {
        self.output.push(text, self.budget)
    }

    pub(super) fn write_all(&mut self, texts: &[&[u8]]) -> Result {
        texts.iter().try_for_each(|text| self.write(text))
    }

    /// Prints an argument.
    pub(super) fn argument(&mut self, argument: &Value, verb: char) -> Result {
        let Some(found) = argument.type_of() else {
            return if matches!(verb, 'T' | 'v') { self.pad(NIL) } else { self.bad_verb(argument, verb) };
        };
        match (verb, argument) {
            ('T', _) => self.string(found.to_string().as_bytes()),
            ('p', Value::Bytes(_) | Value::List(_) | Value::Map(_)) => self.address(),
            (_, Value::Bytes(bytes)) => self.bytes_argument(bytes, verb),
            _ => self.value(argument, verb),
        }
    }

    /// Prints `type=value`, for an argument that no directive used.
    pub(super) fn typed(&mut self, argument: &Value) -> Result {
        if let Some(found) = argument.type_of() {
            self.write(found.to_string().as_bytes())?;
            self.write(b"=")?;
        }
        self.argument(argument, 'v')
    }

    fn bad_verb(&mut self, value: &Value, verb: char) -> Result {
        self.write_all(&[b"%!", verb.encode_utf8(&mut [0; 4]).as_bytes(), b"("])?;
        let shown = if matches!(value, Value::Nil) { self.write(NIL) } else { self.typed(value) };
        shown?;
        self.write(b")")
    }

    /// Prints a value, which may be an element of another.
    fn value(&mut self, value: &Value, verb: char) -> Result {
        self.budget.steps(1)?;
        if verb == 'w' {
            return self.bad_verb(value, verb);
        }
        match value {
            Value::Nil => self.write(if self.flags.go_syntax { b"interface {}(nil)" } else { NIL }),
            Value::Bool(boolean) if matches!(verb, 't' | 'v') => self.pad(boolean.to_string().as_bytes()),
            Value::Int(kind, number) => match kind.text(*number) {
                Some(text) if matches!(verb, 'v' | 's' | 'q' | 'x' | 'X') && !self.flags.go_syntax => {
                    self.text(value, text.as_bytes(), verb)
                }
                _ => self.integer(value, (*number).into(), verb),
            },
            Value::Uint(_, number) => self.integer(value, (*number).into(), verb),
            Value::Float(number) => self.float(value, *number, verb),
            Value::Complex(real, imaginary) => self.complex(value, *real, *imaginary, verb),
            Value::String(text) => self.text(value, text, verb),
            Value::Bytes(bytes) if matches!(verb, 's' | 'q' | 'x' | 'X') => self.text(value, bytes, verb),
            Value::Bytes(bytes) => {
                let elements = bytes.iter().map(|&byte| byte_value(byte));
                self.elements(Type::BYTES, elements, verb)
            }
            Value::List(list) => self.list(list, verb),
            Value::Map(map) => self.map(map, verb),
            Value::Object(object) if matches!(verb, 'v' | 's' | 'q' | 'x' | 'X') => {
                self.text(value, &object.text(), verb)
            }
            Value::Bool(_) | Value::Object(_) => self.bad_verb(value, verb),
        }
    }

    fn list(&mut self, list: &List, verb: char) -> Result {
        if self.flags.go_syntax && list.is_nil() {
            let found = Type::Slice(list.element_type());
            return self.write(format!("{found}(nil)").as_bytes());
        }
        self.budget.descend()?;
        self.elements(Type::Slice(list.element_type()), list.iter(), verb)?;
        self.budget.ascend();
        Ok(())
    }

    fn elements(&mut self, of: Type, elements: impl Iterator<Item = Value>, verb: char) -> Result {
        let (open, separator, close) = self.brackets(of, "[", "]");
        self.write(open.as_bytes())?;
        for (i, element) in elements.enumerate() {
            if i > 0 {
                self.write(separator)?;
            }
            self.value(&element, verb)?;
        }
        self.write(close)
    }

    fn map(&mut self, map: &Map, verb: char) -> Result {
        self.budget.descend()?;
        let (open, separator, close) = self.brackets(Type::Map(map.element_type()), "map[", "]");
        self.write(open.as_bytes())?;
        for (i, (key, element)) in map.snapshot().into_iter().enumerate() {
            if i > 0 {
                self.write(separator)?;
            }
            self.value(&Value::String(key), verb)?;
            self.write(b":")?;
            self.value(&element, verb)?;
        }
        self.write(close)?;
        self.budget.ascend();
        Ok(())
    }

    /// The text around and between the elements of a container.
    fn brackets(&self, of: Type, open: &str, close: &'static str) -> (String, &'static [u8], &'static [u8]) {
        if self.flags.go_syntax { (format!("{of}{{"), b", ", b"}") } else { (open.to_owned(), b" ", close.as_bytes()) }
    }

    /// Prints a `[]byte` that is an argument, not an element.
    fn bytes_argument(&mut self, bytes: &Text, verb: char) -> Result {
        match verb {
            's' | 'q' | 'x' | 'X' => self.text(&Value::Bytes(bytes.clone()), bytes, verb),
            'v' | 'd' if self.flags.go_syntax => {
                self.write(b"[]byte{")?;
                for (i, &byte) in bytes.iter().enumerate() {
                    self.write(if i > 0 { b", " } else { b"" })?;
                    self.value(&byte_value(byte), 'v')?;
                }
                self.write(b"}")
            }
            _ => self.elements(Type::BYTES, bytes.iter().map(|&byte| byte_value(byte)), verb),
        }
    }

    fn integer(&mut self, value: &Value, number: Integer, verb: char) -> Result {
        // As its bits, for verbs that treat it as a character.
        let bits = if number.is_negative { number.magnitude.wrapping_neg() } else { number.magnitude };
        match verb {
            'v' if self.flags.go_syntax && matches!(value, Value::Uint(..)) => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                self.digits(number, 'x')?;
                self.flags.sharp = sharp;
                Ok(())
            }
            'v' | 'd' => self.digits(number, 'd'),
            'b' | 'o' | 'O' | 'x' | 'X' => self.digits(number, verb),
            'c' => self.pad(integer::character(bits).encode_utf8(&mut [0; 4]).as_bytes()),
            'q' if self.flags.plus => self.pad(quote::quoted_char_ascii(integer::character(bits)).as_bytes()),
            'q' => self.pad(quote::quoted_char(integer::character(bits)).as_bytes()),
            'U' => {
                let text = integer::code_point(bits, &self.flags);
                self.pad_with_blanks(text.as_bytes())
            }
            _ => self.bad_verb(value, verb),
        }
    }

    fn digits(&mut self, number: Integer, verb: char) -> Result {
        let text = integer::digits(number, verb, &self.flags).unwrap_or_default();
        self.pad_with_blanks(text.as_bytes())
    }

    fn float(&mut self, value: &Value, number: f64, verb: char) -> Result {
        match verb {
            'v' => self.float_digits(number, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.float_digits(number, verb, None),
            'f' | 'F' | 'e' | 'E' => self.float_digits(number, verb, Some(6)),
            _ => self.bad_verb(value, verb),
        }
    }

    fn float_digits(&mut self, number: f64, verb: char, precision: Option<usize>) -> Result {
        let precision = self.flags.precision.or(precision);
        let signed = float::digits(number, verb, precision, &self.flags);
        let unsigned = signed.get(1..).unwrap_or_default();
        let flags = &self.flags;
        if !number.is_finite() {
            let shows_sign = flags.plus || flags.space || !number.is_nan();
            let signed = if flags.space && !flags.plus { signed.replace('+', " ") } else { signed.clone() };
            return self.pad_with_blanks(if shows_sign { signed.as_bytes() } else { unsigned.as_bytes() });
        }
        let sign: &[u8] = match signed.as_bytes().first() {
            Some(b'-') => b"-",
            _ if flags.plus => b"+",
            _ if flags.space => b" ",
            _ => return self.pad(unsigned.as_bytes()),
        };
        let text = [sign, unsigned.as_bytes()].concat();
        // Zeros go between the sign and the digits.
        let zeros = flags.width.unwrap_or(0).saturating_sub(text.len());
        if flags.zero && !flags.minus && zeros > 0 {
            self.write(sign)?;
            self.output.fill(b'0', zeros, self.budget)?;
            return self.write(unsigned.as_bytes());
        }
        self.pad(&text)
    }

    /// `(1+2i)`, each part padded separately.
    fn complex(&mut self, value: &Value, real: f64, imaginary: f64, verb: char) -> Result {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return self.bad_verb(value, verb);
        }
        self.write(b"(")?;
        self.float(value, real, verb)?;
        let plus = std::mem::replace(&mut self.flags.plus, true);
        self.float(value, imaginary, verb)?;
        self.flags.plus = plus;
        self.write(b"i)")
    }

    /// Prints a string, or bytes as a string.
    fn text(&mut self, value: &Value, text: &[u8], verb: char) -> Result {
        match verb {
            'v' if self.flags.go_syntax => self.quoted(text),
            'v' | 's' => self.string(text),
            'q' => self.quoted(text),
            'x' | 'X' => self.hexadecimal(text, verb),
            _ => self.bad_verb(value, verb),
        }
    }

    fn string(&mut self, text: &[u8]) -> Result {
        let text = self.truncated(text);
        self.pad(text)
    }

    fn quoted(&mut self, text: &[u8]) -> Result {
        let text = self.truncated(text);
        if self.flags.sharp && quote::can_be_raw(text) {
            return self.pad(&Zeroizing::new([b"`", text, b"`"].concat()));
        }
        // Every byte takes at most four.
        self.budget.room(text.len().saturating_mul(4))?;
        let quoted = if self.flags.plus { quote::quoted_ascii(text) } else { quote::quoted(text) };
        self.pad(Zeroizing::new(quoted).as_bytes())
    }

    fn hexadecimal(&mut self, text: &[u8], verb: char) -> Result {
        let text = text.get(..self.flags.precision.unwrap_or(text.len())).unwrap_or(text);
        let prefix = match verb {
            'x' if self.flags.sharp => "0x",
            'X' if self.flags.sharp => "0X",
            _ => "",
        };
        self.budget.room(text.len().saturating_mul(5))?;
        let mut output = Zeroizing::new(String::with_capacity(text.len() * 5 + 2));
        for (i, byte) in text.iter().enumerate() {
            if self.flags.space && i > 0 {
                output.push(' ');
            }
            if i == 0 || self.flags.space {
                output.push_str(prefix);
            }
            let digits = [byte >> 4, byte & 0xf].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'));
            output.extend(digits.map(|digit| if verb == 'X' { digit.to_ascii_uppercase() } else { digit }));
        }
        self.pad(output.as_bytes())
    }

    fn address(&mut self) -> Result {
        let sharp = self.flags.sharp;
        self.flags.sharp = !sharp;
        self.digits(ADDRESS.into(), 'x')?;
        self.flags.sharp = sharp;
        Ok(())
    }

    /// The characters of `text` up to the precision.
    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else { return text };
        let len = characters(text).take(precision).sum();
        text.get(..len).unwrap_or(text)
    }

    fn pad_with_blanks(&mut self, text: &[u8]) -> Result {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text)?;
        self.flags.zero = zero;
        Ok(())
    }

    /// Writes `text`, padded to the width.
    fn pad(&mut self, text: &[u8]) -> Result {
        let padding = match self.flags.width {
            Some(width) if width > 0 => width.saturating_sub(characters(text).count()),
            _ => 0,
        };
        if self.flags.minus {
            self.write(text)?;
            return self.output.fill(b' ', padding, self.budget);
        }
        self.output.fill(if self.flags.zero { b'0' } else { b' ' }, padding, self.budget)?;
        self.write(text)
    }
}

fn byte_value(byte: u8) -> Value {
    Value::Uint(crate::value::Uint::Uint8, byte.into())
}

/// The lengths of the characters of `text`; a byte that is not UTF-8 counts as one character.
fn characters(text: &[u8]) -> impl Iterator<Item = usize> {
    text.utf8_chunks()
        .flat_map(|chunk| chunk.valid().chars().map(char::len_utf8).chain(chunk.invalid().iter().map(|_| 1)))
}
