//! Go's `fmt.Sprint`, `Sprintln` and `Sprintf`.

mod float;
mod integer;
mod printer;
pub(super) mod quote;

use super::budget::{Budget, Buffer, Exceeded};
use super::parser::decode;
use super::value::Value;
use printer::{Flags, Printer};

/// A float as `%v` prints it.
pub(super) fn float(number: f64) -> String {
    let text = float::digits(number, 'g', None, &Flags::default());
    text.strip_prefix('+').map_or_else(|| text.clone(), ToOwned::to_owned)
}

/// The largest width or precision.
const MAX_WIDTH: i64 = 1_000_000;

/// Prints `arguments` one after the other, with a space between two that are not strings.
pub(super) fn print(arguments: &[Value], output: &mut Buffer, budget: &mut Budget) -> Result<(), Exceeded> {
    let mut printer = Printer::new(output, budget);
    let mut previous_is_string = true;
    for argument in arguments {
        let is_string = matches!(argument, Value::String(_));
        if !is_string && !previous_is_string {
            printer.write(b" ")?;
        }
        printer.argument(argument, 'v')?;
        previous_is_string = is_string;
    }
    Ok(())
}

/// Prints `arguments` separated by spaces and ending in a line feed.
pub(super) fn println(arguments: &[Value], output: &mut Buffer, budget: &mut Budget) -> Result<(), Exceeded> {
    let mut printer = Printer::new(output, budget);
    for (i, argument) in arguments.iter().enumerate() {
        if i > 0 {
            printer.write(b" ")?;
        }
        printer.argument(argument, 'v')?;
    }
    printer.write(b"\n")
}

/// Prints `arguments` as specified by `format`.
pub(super) fn printf(
    format: &[u8],
    arguments: &[Value],
    output: &mut Buffer,
    budget: &mut Budget,
) -> Result<(), Exceeded> {
    let printer = Printer::new(output, budget);
    Directives {
        format,
        at: 0,
        arguments,
        next: 0,
        is_reordered: false,
        index_is_valid: true,
        has_no_more_indexes: false,
        printer,
    }
    .run()
}

/// Processes a format.
struct Directives<'a, 'b> {
    format: &'a [u8],
    at: usize,
    arguments: &'a [Value],
    /// The argument for the next verb.
    next: usize,
    /// Arguments were chosen by index, so some may remain unused.
    is_reordered: bool,
    /// Whether the directive's index refers to an argument and is in an allowed place.
    index_is_valid: bool,
    /// No `]` follows from here on. Without this, a format of only `%[` would be scanned for each of them.
    has_no_more_indexes: bool,
    printer: Printer<'b>,
}

impl Directives<'_, '_> {
    fn run(mut self) -> Result<(), Exceeded> {
        loop {
            let rest = self.format.get(self.at..).unwrap_or_default();
            let len = rest.iter().position(|&byte| byte == b'%').unwrap_or(rest.len());
            self.printer.write(rest.get(..len).unwrap_or_default())?;
            self.at += len;
            if self.at >= self.format.len() {
                return self.extra_arguments();
            }
            self.at += 1;
            self.directive()?;
        }
    }

    /// Processes one directive, after its percent sign.
    fn directive(&mut self) -> Result<(), Exceeded> {
        self.index_is_valid = true;
        self.printer.flags = Flags::default();
        self.flags();
        let mut after_index = self.index();
        if self.accept(b'*') {
            self.width_from_argument()?;
            after_index = false;
        } else {
            self.printer.flags.width = self.number();
            if after_index && self.printer.flags.width.is_some() {
                self.index_is_valid = false;
            }
        }
        // A dot at the very end is the verb.
        if self.at + 1 < self.format.len() && self.accept(b'.') {
            if after_index {
                self.index_is_valid = false;
            }
            after_index = self.index();
            if self.accept(b'*') {
                self.precision_from_argument()?;
                after_index = false;
            } else {
                self.printer.flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        let Some((verb, len)) = decode(self.format.get(self.at..).unwrap_or_default()) else {
            return self.printer.write(b"%!(NOVERB)");
        };
        self.at += len;
        self.verb(verb)
    }

    fn flags(&mut self) {
        let flags = &mut self.printer.flags;
        while let Some(byte) = self.format.get(self.at) {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    fn verb(&mut self, verb: char) -> Result<(), Exceeded> {
        if verb == '%' {
            return self.printer.write(b"%");
        }
        let mut buffer = [0; 4];
        let name = verb.encode_utf8(&mut buffer).as_bytes();
        if !self.index_is_valid {
            return self.printer.write_all(&[b"%!", name, b"(BADINDEX)"]);
        }
        let Some(argument) = self.arguments.get(self.next) else {
            return self.printer.write_all(&[b"%!", name, b"(MISSING)"]);
        };
        if matches!(verb, 'v' | 'w') {
            let flags = &mut self.printer.flags;
            flags.go_syntax = std::mem::take(&mut flags.sharp);
            // `%+v` adds the names of struct fields, but there are no structs here.
            flags.plus = false;
        }
        self.printer.argument(argument, verb)?;
        self.next += 1;
        Ok(())
    }

    /// Parses `[2]`, which selects the next argument. Returns whether there was a valid index.
    fn index(&mut self) -> bool {
        let rest = self.format.get(self.at..).unwrap_or_default();
        if rest.first() != Some(&b'[') {
            return false;
        }
        self.is_reordered = true;
        let close = if self.has_no_more_indexes { None } else { rest.iter().position(|&byte| byte == b']') };
        self.has_no_more_indexes |= close.is_none();
        let Some(close) = close.filter(|_| rest.len() >= 3) else {
            self.index_is_valid = false;
            self.at += 1;
            return false;
        };
        self.at += close + 1;
        let number = rest.get(1..close).and_then(|digits| {
            let (number, len) = leading_number(digits)?;
            (len == digits.len()).then_some(number)
        });
        match number.map(|number| number.wrapping_sub(1)) {
            Some(index) if index < self.arguments.len() => self.next = index,
            _ => self.index_is_valid = false,
        }
        number.is_some()
    }

    /// A number in the format. One that is too large consumes the rest of the format.
    fn number(&mut self) -> Option<usize> {
        let rest = self.format.get(self.at..).unwrap_or_default();
        if !rest.first()?.is_ascii_digit() {
            return None;
        }
        let number = leading_number(rest);
        self.at = number.map_or(self.format.len(), |(_, len)| self.at + len);
        number.map(|(number, _)| number)
    }

    fn width_from_argument(&mut self) -> Result<(), Exceeded> {
        let width = self.integer_argument();
        let flags = &mut self.printer.flags;
        flags.width = width.and_then(|width| usize::try_from(width.unsigned_abs()).ok());
        if width.is_some_and(i64::is_negative) {
            flags.minus = true;
            flags.zero = false;
        }
        if width.is_none() { self.printer.write(b"%!(BADWIDTH)") } else { Ok(()) }
    }

    fn precision_from_argument(&mut self) -> Result<(), Exceeded> {
        let precision = self.integer_argument().and_then(|precision| usize::try_from(precision).ok());
        self.printer.flags.precision = precision;
        if precision.is_none() { self.printer.write(b"%!(BADPREC)") } else { Ok(()) }
    }

    /// The next argument, if it is an integer that can be a width.
    fn integer_argument(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        let number = match argument {
            Value::Int(_, number) => *number,
            Value::Uint(_, number) => i64::try_from(*number).ok()?,
            _ => return None,
        };
        (-MAX_WIDTH..=MAX_WIDTH).contains(&number).then_some(number)
    }

    fn extra_arguments(mut self) -> Result<(), Exceeded> {
        let extra = self.arguments.get(self.next..).unwrap_or_default();
        if self.is_reordered || extra.is_empty() {
            return Ok(());
        }
        self.printer.flags = Flags::default();
        self.printer.write(b"%!(EXTRA ")?;
        for (i, argument) in extra.iter().enumerate() {
            if i > 0 {
                self.printer.write(b", ")?;
            }
            self.printer.typed(argument)?;
        }
        self.printer.write(b")")
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.format.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }
}

/// The number at the start of `text`, and its length; `None` if there is none or it is too large.
fn leading_number(text: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0_usize;
    let mut len = 0;
    while let Some(digit) = text.get(len).filter(|byte| byte.is_ascii_digit()) {
        if number > MAX_WIDTH.unsigned_abs().try_into().ok()? {
            return None;
        }
        number = number * 10 + usize::from(digit - b'0');
        len += 1;
    }
    (len > 0).then_some((number, len))
}
