//! Parses and builds URLs like Go's `net/url`.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use zeroize::Zeroizing;

use super::types::kind_of;
use super::{Result, Table, mismatch, written};
use crate::budget::{Budget, Buffer, Exceeded};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{Map, Text, Type, Value};

pub(super) const TABLE: Table =
    &[("urlJoin", Function::fixed(&[Type::DICT], url_join)), ("urlParse", Function::fixed(&[Type::String], url_parse))];

/// Why a string is not a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum ParseUrlError {
    #[error("net/url: invalid control character in URL")]
    ControlCharacter,
    #[error("missing protocol scheme")]
    MissingScheme,
    #[error("first path segment in URL cannot contain colon")]
    Colon,
    #[error("net/url: invalid userinfo")]
    UserInfo,
    #[error("invalid IP-literal")]
    IpLiteral,
    #[error("missing ']' in host")]
    MissingBracket,
    #[error("invalid port after host")]
    Port,
    #[error("invalid host")]
    Host,
    #[error("invalid character in host name")]
    HostCharacter,
    #[error("invalid URL escape")]
    Escape,
}

type Parsed<T> = std::result::Result<T, ParseUrlError>;

/// A part of a URL, which may be a password.
type Part = Zeroizing<Vec<u8>>;

/// A part of a URL, which determines what is escaped in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Component {
    Path,
    Fragment,
    UserInfo,
    Host,
    /// The zone of an IPv6 address.
    Zone,
}

impl Component {
    /// Whether a byte needs no escape.
    fn is_plain(self, byte: u8) -> bool {
        if byte.is_ascii_alphanumeric() || b"-._~$&+,;=".contains(&byte) {
            return true;
        }
        match self {
            Self::Path => b":/@".contains(&byte),
            Self::Fragment => b":/@?!()*".contains(&byte),
            Self::UserInfo => false,
            Self::Host | Self::Zone => b":!'()*<>\"[]".contains(&byte),
        }
    }

    fn escape(self, text: &[u8]) -> Part {
        // With room for everything, so that growing leaves nothing behind.
        let mut escaped = Zeroizing::new(Vec::with_capacity(3 * text.len()));
        for &byte in text {
            if self.is_plain(byte) {
                escaped.push(byte);
            } else {
                escaped.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
        }
        escaped
    }

    fn unescape(self, text: &[u8]) -> Parsed<Part> {
        let mut unescaped = Zeroizing::new(Vec::with_capacity(text.len()));
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            if byte == b'%' {
                let (high, low) = (hex_digit(after.first()), hex_digit(after.get(1)));
                let byte = high.zip(low).map(|(high, low)| high << 4 | low).ok_or(ParseUrlError::Escape)?;
                let is_allowed = match self {
                    // In a host, only bytes beyond ASCII and the percent sign.
                    Self::Host => byte >= 0x80 || byte == b'%',
                    Self::Zone => byte == b'%' || byte == b' ' || Self::Host.is_plain(byte),
                    _ => true,
                };
                if !is_allowed {
                    return Err(ParseUrlError::Escape);
                }
                unescaped.push(byte);
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            if matches!(self, Self::Host | Self::Zone) && byte.is_ascii() && !self.is_plain(byte) {
                return Err(ParseUrlError::HostCharacter);
            }
            unescaped.push(byte);
        }
        Ok(unescaped)
    }
}

fn hex_digit(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The parts of a URL.
#[derive(Default)]
struct Url {
    scheme: Part,
    opaque: Part,
    /// Escaped.
    user_info: Option<Part>,
    host: Part,
    path: Part,
    query: Part,
    fragment: Part,
}

/// `text` up to a byte, and what follows it.
fn cut(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let mut parts = text.splitn(2, |&byte| byte == separator);
    (parts.next().unwrap_or_default(), parts.next())
}

impl Url {
    fn parse(text: &[u8]) -> Parsed<Self> {
        let (text, fragment) = cut(text, b'#');
        let mut url = Self::parse_without_fragment(text)?;
        url.fragment = Component::Fragment.unescape(fragment.unwrap_or_default())?;
        Ok(url)
    }

    fn parse_without_fragment(text: &[u8]) -> Parsed<Self> {
        if text.iter().any(u8::is_ascii_control) {
            return Err(ParseUrlError::ControlCharacter);
        }
        let mut url = Self::default();
        if text == b"*" {
            url.path = Zeroizing::new(text.to_vec());
            return Ok(url);
        }
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = Zeroizing::new(scheme.to_ascii_lowercase());
        let (rest, query) = cut(rest, b'?');
        url.query = Zeroizing::new(query.unwrap_or_default().to_vec());
        if !rest.starts_with(b"/") {
            if !scheme.is_empty() {
                url.opaque = Zeroizing::new(rest.to_vec());
                return Ok(url);
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err(ParseUrlError::Colon);
            }
        }
        let mut path = rest;
        if rest.starts_with(b"//") && (!scheme.is_empty() || !rest.starts_with(b"///")) {
            let authority = rest.get(2..).unwrap_or_default();
            let end = authority.iter().position(|&byte| byte == b'/').unwrap_or(authority.len());
            path = authority.get(end..).unwrap_or_default();
            url.set_authority(authority.get(..end).unwrap_or_default())?;
        }
        url.path = Component::Path.unescape(path)?;
        Ok(url)
    }

    fn set_authority(&mut self, authority: &[u8]) -> Parsed<()> {
        let at = authority.iter().rposition(|&byte| byte == b'@');
        let host = at.map_or(authority, |at| authority.get(at + 1..).unwrap_or_default());
        self.host = parse_host(&self.scheme, host)?;
        let Some(user_info) = at.and_then(|at| authority.get(..at)) else { return Ok(()) };
        let is_allowed = |&byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
        if !user_info.iter().all(is_allowed) {
            return Err(ParseUrlError::UserInfo);
        }
        let (name, password) = cut(user_info, b':');
        let normalized = |text: &[u8]| Component::UserInfo.unescape(text).map(|text| Component::UserInfo.escape(&text));
        let name = normalized(name)?;
        let user_info = match password {
            Some(password) => [&*name, b":".as_slice(), &*normalized(password)?].concat(),
            None => name.to_vec(),
        };
        self.user_info = Some(Zeroizing::new(user_info));
        Ok(())
    }

    /// The host without its port and brackets.
    fn host_name(&self) -> &[u8] {
        let colon = self.host.iter().rposition(|&byte| byte == b':');
        let has_port = |&colon: &usize| is_port(self.host.get(colon..).unwrap_or_default());
        let name = colon.filter(has_port).and_then(|colon| self.host.get(..colon)).unwrap_or(&self.host);
        name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")).unwrap_or(name)
    }

    /// The URL as it is written.
    fn print(&self, budget: &mut Budget) -> std::result::Result<Buffer, Exceeded> {
        let mut text = Buffer::default();
        if !self.scheme.is_empty() {
            text.push(&self.scheme, budget)?;
            text.push(b":", budget)?;
        }
        if self.opaque.is_empty() {
            self.print_hierarchy(&mut text, budget)?;
        } else {
            text.push(&self.opaque, budget)?;
        }
        if !self.query.is_empty() {
            text.push(b"?", budget)?;
            text.push(&self.query, budget)?;
        }
        if !self.fragment.is_empty() {
            text.push(b"#", budget)?;
            text.push(&Component::Fragment.escape(&self.fragment), budget)?;
        }
        Ok(text)
    }

    fn print_hierarchy(&self, text: &mut Buffer, budget: &mut Budget) -> std::result::Result<(), Exceeded> {
        let has_authority = !self.host.is_empty() || self.user_info.is_some();
        if has_authority || !self.scheme.is_empty() && !self.path.is_empty() {
            text.push(b"//", budget)?;
        }
        if let Some(user_info) = &self.user_info {
            text.push(user_info, budget)?;
            text.push(b"@", budget)?;
        }
        text.push(&Component::Host.escape(&self.host), budget)?;
        let path = if **self.path == *b"*" { self.path.clone() } else { Component::Path.escape(&self.path) };
        if !path.is_empty() && !path.starts_with(b"/") && !self.host.is_empty() {
            text.push(b"/", budget)?;
        }
        // So that the first segment is not read as a scheme.
        if text.is_empty() && cut(&path, b'/').0.contains(&b':') {
            text.push(b"./", budget)?;
        }
        text.push(&path, budget)
    }
}

/// The scheme, empty if there is none, and the rest.
fn split_scheme(text: &[u8]) -> Parsed<(&[u8], &[u8])> {
    for (i, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err(ParseUrlError::MissingScheme),
            b':' => return Ok((text.get(..i).unwrap_or_default(), text.get(i + 1..).unwrap_or_default())),
            _ => break,
        }
    }
    Ok((&[], text))
}

/// Nothing, or a colon and digits.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Parsed<Part> {
    match host.iter().rposition(|&byte| byte == b'[') {
        Some(0) => return parse_ip_literal(host),
        Some(_) => return Err(ParseUrlError::IpLiteral),
        None => {}
    }
    // Some databases accept several hosts with ports.
    let is_web = matches!(scheme, b"http" | b"https");
    let is_colon = |&byte: &u8| byte == b':';
    let colon = if is_web { host.iter().position(is_colon) } else { host.iter().rposition(is_colon) };
    if !colon.is_none_or(|colon| is_port(host.get(colon..).unwrap_or_default())) {
        return Err(ParseUrlError::Port);
    }
    Component::Host.unescape(host)
}

/// `[fe80::1%25en0]:80`
fn parse_ip_literal(host: &[u8]) -> Parsed<Part> {
    let close = host.iter().rposition(|&byte| byte == b']').ok_or(ParseUrlError::MissingBracket)?;
    let (name, port) = (host.get(1..close).unwrap_or_default(), host.get(close + 1..).unwrap_or_default());
    if !is_port(port) {
        return Err(ParseUrlError::Port);
    }
    let name = match super::strings::find(name, b"%25") {
        Some(zone) => {
            let (address, zone) = name.split_at(zone);
            Zeroizing::new([&**Component::Host.unescape(address)?, &**Component::Zone.unescape(zone)?].concat())
        }
        None => Component::Host.unescape(name)?,
    };
    let (address, zone) = cut(&name, b'%');
    let address: Option<Ipv6Addr> = std::str::from_utf8(address).ok().and_then(|address| address.parse().ok());
    if address.is_none() || zone.is_some_and(<[u8]>::is_empty) {
        return Err(ParseUrlError::Host);
    }
    Ok(Zeroizing::new([b"[", name.as_slice(), b"]", port].concat()))
}

fn url_parse(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    call.budget.room(text.len().saturating_mul(8))?;
    let url = Url::parse(text).map_err(|error| FunctionError::new(format!("unable to parse url: {error}")))?;
    let host_name = Zeroizing::new(url.host_name().to_vec());
    let parts = [
        ("fragment", url.fragment),
        ("host", url.host),
        ("hostname", host_name),
        ("opaque", url.opaque),
        ("path", url.path),
        ("query", url.query),
        ("scheme", url.scheme),
        ("userinfo", url.user_info.unwrap_or_default()),
    ];
    let entries = parts.map(|(name, part)| (Text::from(name), Value::String(part.into())));
    Ok(Value::Map(Map::from_entries(&Type::Any, BTreeMap::from(entries))))
}

fn url_join(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Map(parts)] = arguments else { return Err(mismatch()) };
    let part = |name: &str| match parts.get(name.as_bytes()) {
        None => Ok(Part::default()),
        Some(Value::String(text)) => {
            call.budget.room(text.len().saturating_mul(8))?;
            Ok(Zeroizing::new(text.to_vec()))
        }
        Some(other) => {
            let kind = if matches!(other, Value::Nil) { "nil" } else { kind_of(&other) };
            Err(FunctionError::new(format!("unable to parse {name} key, must be of type string, but {kind} found")))
        }
    };
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        user_info: None,
    };
    let user_info = part("userinfo")?;
    if !user_info.is_empty() {
        let whole = Zeroizing::new([b"proto://", user_info.as_slice(), b"@host"].concat());
        let parsed = Url::parse(&whole);
        let parsed =
            parsed.map_err(|error| FunctionError::new(format!("unable to parse userinfo in dict: {error}")))?;
        url.user_info = parsed.user_info;
    }
    Ok(written(url.print(call.budget)?))
}
