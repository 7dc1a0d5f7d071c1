//! PEM as Go's `encoding/pem` reads and writes it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use memchr::memmem;
use zeroize::Zeroizing;

use super::certificate::{self, Certificate};
use super::keys::PrivateKey;
use super::mistaken::{self, Wanted};
use super::{Result, Table, mismatch};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{Type, Value};

pub(super) const TABLE: Table = &[("filterPEM", Function::fixed(&[Type::String, Type::String], filter_pem))];

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";
const LINE: usize = 64;

/// Like Go's, which ignores bits after the last byte.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A block.
#[derive(Default)]
pub(super) struct Block {
    /// The type after BEGIN.
    pub(super) kind: Vec<u8>,
    headers: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// The next block, and what follows it.
pub(super) fn decode(data: &[u8]) -> Option<(Block, &[u8])> {
    // A byte order mark before the first BEGIN would hide it, as it does in Go.
    let mut rest = mistaken::without_byte_order_mark(data);
    loop {
        let end = memmem::find(rest, END)?;
        let after_end = rest.get(end + END.len()..)?;
        let begin = rest.get(..end).and_then(|before| memmem::rfind(before, BEGIN));
        let is_line = |begin: usize| begin == 0 || rest.get(begin - 1) == Some(&b'\n');
        if let Some(begin) = begin.filter(|begin| is_line(*begin)) {
            let block = rest.get(begin + BEGIN.len()..)?;
            match read(block, end.checked_sub(begin + BEGIN.len())) {
                Read::Block(block, rest) => return Some((block, rest)),
                Read::Nothing => return None,
                Read::Other => {}
            }
        }
        rest = after_end;
    }
}

/// The result of reading from after a BEGIN.
enum Read<'a> {
    Block(Block, &'a [u8]),
    /// Not a block, but one may follow.
    Other,
    /// Not a block, and none follows.
    Nothing,
}

/// Reads a block; its END begins at `end`.
fn read(text: &[u8], end: Option<usize>) -> Read<'_> {
    let Some(end) = end else { return Read::Other };
    let (line, mut rest) = split_line(text);
    let Some(kind) = line.strip_suffix(DASHES) else { return Read::Other };
    let mut block = Block { kind: kind.to_vec(), ..Block::default() };
    loop {
        if rest.is_empty() {
            return Read::Nothing;
        }
        let (line, next) = split_line(rest);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let (key, value) = line.split_at(colon);
        block.headers.insert(key.trim_ascii().to_vec(), value.get(1..).unwrap_or_default().trim_ascii().to_vec());
        rest = next;
    }
    let read = text.len() - rest.len();
    // There may be no line at all between BEGIN and END, which then share the line feed.
    let body = rest.get(..end.saturating_sub(read)).unwrap_or_default();
    if read > end + END.len() {
        return Read::Nothing;
    }
    if read > end + 1 || (read > end && !block.headers.is_empty()) {
        return Read::Other;
    }
    let trailer = text.get(end + END.len()..).unwrap_or_default();
    let Some(after) = trailer.strip_prefix(kind).and_then(|trailer| trailer.strip_prefix(DASHES)) else {
        return Read::Other;
    };
    let (line, rest) = split_line(after);
    if !line.is_empty() {
        return Read::Other;
    }
    match base64_without(body, b" \t\r\n") {
        Some(bytes) => Read::Block(Block { bytes, ..block }, rest),
        None => Read::Other,
    }
}

/// Decodes Base64 like Go's standard encoding.
pub(super) fn standard_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    base64_without(text, b"\r\n")
}

/// Decodes Base64, ignoring some characters.
fn base64_without(text: &[u8], ignored: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut kept = Zeroizing::new(Vec::with_capacity(text.len()));
    kept.extend(text.iter().copied().filter(|byte| !ignored.contains(byte)));
    LENIENT.decode(&*kept).ok().map(Zeroizing::new)
}

/// A line without trailing spaces, and the rest.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (text.get(..end).unwrap_or_default(), text.get(end + 1..).unwrap_or_default()),
        None => (text, Default::default()),
    };
    let line = if rest.len() < text.len() { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
    let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
    (line.get(..end).unwrap_or_default(), rest)
}

/// Writes a block of this kind.
pub(super) fn encode(kind: &str, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    encode_block(kind.as_bytes(), &BTreeMap::new(), bytes)
}

fn encode_block(kind: &[u8], headers: &BTreeMap<Vec<u8>, Vec<u8>>, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    const FIRST: &[u8] = b"Proc-Type";
    let text = Zeroizing::new(STANDARD.encode(bytes));
    let mut output = Zeroizing::new(Vec::with_capacity(text.len() * 66 / 64 + 2 * kind.len() + 64));
    for part in [BEGIN, kind, DASHES, b"\n"] {
        output.extend_from_slice(part);
    }
    let is_first = |key: &[u8]| key == FIRST;
    let first = headers.iter().filter(|(key, _)| is_first(key));
    for (key, value) in first.chain(headers.iter().filter(|(key, _)| !is_first(key))) {
        output.extend_from_slice(&[key, b": ".as_slice(), value, b"\n"].concat());
    }
    if !headers.is_empty() {
        output.push(b'\n');
    }
    for line in text.as_bytes().chunks(LINE) {
        output.extend_from_slice(line);
        output.push(b'\n');
    }
    for part in [END.get(1..).unwrap_or_default(), kind, DASHES, b"\n"] {
        output.extend_from_slice(part);
    }
    output
}

/// `text` from the first BEGIN on, or all of it if there is none.
pub(super) fn trim_junk(text: &[u8]) -> &[u8] {
    memmem::find(text, b"-----BEGIN").and_then(|start| text.get(start..)).unwrap_or(text)
}

/// The blocks of one type, ignoring case. Deliberately better than ESO's: if certificates come with one key, that of
/// the key is first, as servers require.
fn filter_pem(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(kind), Value::String(text)] = arguments else { return Err(mismatch()) };
    pay(text, call)?;
    let mut rest = trim_junk(text);
    let (mut chosen, mut keys) = (Vec::new(), Vec::new());
    while let Some((block, after)) = decode(rest) {
        rest = after;
        if is_same_word(&block.kind, kind) {
            chosen.push(block);
        } else if block.kind.ends_with(b"PRIVATE KEY") {
            keys.push(block);
        }
    }
    if chosen.is_empty() && !rest.is_empty() {
        return Err(mistaken::or(text, Wanted::Pem, "error filtering pem: found junk"));
    }
    if let ([key], true) = (keys.as_slice(), is_same_word(b"CERTIFICATE", kind)) {
        chosen = of_key_first(chosen, key, call)?;
    }
    let mut output = Zeroizing::new(Vec::with_capacity(text.len()));
    for block in chosen {
        output.extend_from_slice(&encode_block(&block.kind, &block.headers, &block.bytes));
    }
    Ok(Value::String(output.into()))
}

/// The certificates unchanged, if the first or none of them belongs to the key. Otherwise that of the key, those that
/// signed it, and then the others.
fn of_key_first(mut blocks: Vec<Block>, key: &Block, call: &mut Call<'_>) -> Result<Vec<Block>> {
    if blocks.len() < 2 {
        return Ok(blocks);
    }
    // At most, each certificate is compared with each other.
    call.budget.steps(blocks.len() * blocks.len() / 8)?;
    let key = match PrivateKey::from_der(&key.bytes, call) {
        Ok(key) => key,
        // It may be encrypted.
        Err(FunctionError::Failed(_)) => return Ok(blocks),
        Err(exceeded) => return Err(exceeded),
    };
    let certificates: Option<Vec<Certificate>> =
        blocks.iter().map(|block| Certificate::from_der(&block.bytes).ok()).collect();
    let (Some(public), Some(mut certificates)) = (key.public(), certificates) else { return Ok(blocks) };
    match certificates.iter().position(|certificate| certificate.is_of(&public)) {
        None | Some(0) => Ok(blocks),
        Some(at) => {
            certificates.get_mut(..=at).unwrap_or_default().rotate_right(1);
            blocks.get_mut(..=at).unwrap_or_default().rotate_right(1);
            let order = certificate::order_from_first_on(&certificates);
            let mut blocks: Vec<Option<Block>> = blocks.into_iter().map(Some).collect();
            Ok(order.into_iter().filter_map(|at| blocks.get_mut(at)?.take()).collect())
        }
    }
}

fn is_same_word(a: &[u8], b: &[u8]) -> bool {
    match (str::from_utf8(a), str::from_utf8(b)) {
        (Ok(a), Ok(b)) => a.to_lowercase() == b.to_lowercase(),
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Pays for reading PEM, and for what is made of it.
pub(super) fn pay(text: &[u8], call: &mut Call<'_>) -> Result<()> {
    // In a text of only marks, each of them is searched for.
    let marks = memmem::find_iter(text, END).count();
    call.budget.steps(text.len() / 64 + marks * (1 + text.len() / 1024))?;
    Ok(call.budget.room(text.len().saturating_mul(2))?)
}
