//! Wildcards: `*` matches any characters, `?` matches one, and a backslash makes the next character literal.

use super::budget::{Budget, TooComplex};

/// One part of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum Token {
    Any,
    One,
    Character(char),
    /// A backslash at the very end, which is literal after a star and matches nothing otherwise.
    TrailingBackslash,
}

/// Whether `text` as a whole matches `pattern`. Each byte of invalid UTF-8 counts as U+FFFD.
pub(super) fn matches(text: &[u8], pattern: &[u8], budget: &mut Budget) -> Result<bool, TooComplex> {
    if pattern == b"*" {
        return Ok(true);
    }
    budget.read(text.len() + pattern.len())?;
    let text: Vec<char> = characters(text).collect();
    let tokens = tokens(pattern);

    // The last star, and the text position from which it was tried. If the rest does not match, the star takes one more
    // character.
    let mut retry: Option<(usize, usize)> = None;
    let (mut at, mut token) = (0, 0);
    loop {
        budget.read(0)?;
        match (tokens.get(token), text.get(at)) {
            (None, None) => return Ok(true),
            (Some(Token::Any), _) => {
                retry = Some((token + 1, at));
                token += 1;
                continue;
            }
            (Some(&expected), Some(&found)) if accepts(expected, found, retry.is_some()) => {
                token += 1;
                at += 1;
                continue;
            }
            _ => {}
        }
        match retry {
            Some((after_star, from)) if from < text.len() => {
                retry = Some((after_star, from + 1));
                (token, at) = (after_star, from + 1);
            }
            _ => return Ok(false),
        }
    }
}

fn accepts(token: Token, character: char, after_star: bool) -> bool {
    match token {
        Token::One => true,
        Token::Character(expected) => character == expected,
        Token::TrailingBackslash => after_star && character == '\\',
        Token::Any => false,
    }
}

fn tokens(pattern: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = characters(pattern);
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => characters.next().map_or(Token::TrailingBackslash, Token::Character),
            _ => Token::Character(character),
        });
    }
    tokens
}

fn characters(text: &[u8]) -> impl Iterator<Item = char> {
    text.utf8_chunks()
        .flat_map(|chunk| chunk.valid().chars().chain(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER)))
}
