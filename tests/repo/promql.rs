//! Parses Prometheus queries far enough to tell which metrics and labels they use. It refuses anything unknown, so
//! typos are found.

/// What a query uses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The metrics, each with the labels in its selector.
    pub(crate) metrics: Vec<(String, Vec<String>)>,
    /// The labels by which results are grouped or matched.
    pub(crate) grouped: Vec<String>,
}

const FUNCTIONS: [&str; 27] = [
    "sum",
    "min",
    "max",
    "avg",
    "count",
    "topk",
    "bottomk",
    "quantile",
    "group",
    "rate",
    "irate",
    "increase",
    "delta",
    "changes",
    "resets",
    "histogram_quantile",
    "time",
    "absent",
    "absent_over_time",
    "max_over_time",
    "min_over_time",
    "avg_over_time",
    "sum_over_time",
    "clamp_min",
    "clamp_max",
    "label_replace",
    "vector",
];
/// The keywords that precede labels in parentheses.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 6] = ["and", "or", "unless", "bool", "offset", "atan2"];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Number,
    Text,
    Sign(char),
}

/// What `query` uses.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn asked(query: &str) -> Result<Asked, String> {
    let tokens = tokens(query)?;
    balanced(&tokens)?;
    let mut asked = Asked::default();
    let mut position = 0;
    while let Some(token) = tokens.get(position) {
        position += 1;
        let Token::Word(word) = token else { continue };
        let next = tokens.get(position);
        if GROUPING.contains(&word.as_str()) {
            if next == Some(&Token::Sign('(')) {
                let (labels, end) = labels(&tokens, position, ')')?;
                asked.grouped.extend(labels);
                position = end;
            }
        } else if next == Some(&Token::Sign('(')) || (FUNCTIONS.contains(&word.as_str()) && is_grouping(next)) {
            if !FUNCTIONS.contains(&word.as_str()) {
                return Err(format!("unknown function {word}"));
            }
        } else if !OPERATORS.contains(&word.as_str()) {
            let mut selected = Vec::new();
            if next == Some(&Token::Sign('{')) {
                (selected, position) = labels(&tokens, position, '}')?;
            }
            asked.metrics.push((word.clone(), selected));
        }
    }
    if asked.metrics.is_empty() { Err("it asks for no metric".to_owned()) } else { Ok(asked) }
}

fn is_grouping(token: Option<&Token>) -> bool {
    matches!(token, Some(Token::Word(word)) if GROUPING.contains(&word.as_str()))
}

/// The labels between brackets that open at `open`, and the position after them.
fn labels(tokens: &[Token], open: usize, close: char) -> Result<(Vec<String>, usize), String> {
    let length = tokens[open..].iter().position(|token| *token == Token::Sign(close)).ok_or("an open bracket")?;
    let inner = &tokens[open + 1..open + length];
    let mut labels = Vec::new();
    for part in inner.split(|token| *token == Token::Sign(',')) {
        match part {
            [] => {}
            [Token::Word(label)] if close == ')' => labels.push(label.clone()),
            [Token::Word(label), signs @ .., Token::Text] if close == '}' => {
                let sign: String = signs
                    .iter()
                    .filter_map(|sign| if let Token::Sign(sign) = sign { Some(*sign) } else { None })
                    .collect();
                if signs.len() != sign.len() || !["=", "!=", "=~", "!~"].contains(&sign.as_str()) {
                    return Err(format!("no match of a label: {part:?}"));
                }
                labels.push(label.clone());
            }
            other => return Err(format!("no label: {other:?}")),
        }
    }
    Ok((labels, open + length + 1))
}

fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = |is_part: fn(char) -> bool| rest.find(|part| !is_part(part)).unwrap_or(rest.len());
        let length = match first {
            '"' => rest[1..].find('"').ok_or("a text without an end")? + 2,
            '0'..='9' => end(|part| part.is_ascii_alphanumeric() || part == '.'),
            'a'..='z' | 'A'..='Z' | '_' => end(|part| part.is_ascii_alphanumeric() || part == '_' || part == ':'),
            '(' | ')' | '{' | '}' | '[' | ']' | ',' | '=' | '!' | '~' | '<' | '>' | '+' | '-' | '*' | '/' | '%'
            | '^' | ':' => 1,
            other => return Err(format!("an unknown sign {other:?}")),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(match first {
            '"' => Token::Text,
            '0'..='9' => Token::Number,
            'a'..='z' | 'A'..='Z' | '_' => Token::Word(token.to_owned()),
            sign => Token::Sign(sign),
        });
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn balanced(tokens: &[Token]) -> Result<(), String> {
    let mut open = Vec::new();
    for token in tokens {
        match token {
            Token::Sign(sign @ ('(' | '{' | '[')) => open.push(*sign),
            Token::Sign(sign @ (')' | '}' | ']')) => {
                let wanted = match sign {
                    ')' => '(',
                    '}' => '{',
                    _ => '[',
                };
                if open.pop() != Some(wanted) {
                    return Err(format!("a bracket {sign} that closes nothing"));
                }
            }
            _ => {}
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("open brackets: {open:?}")) }
}

#[test]
fn metrics_labels_and_functions_are_distinguished() {
    let found =
        asked("sum by (le, a) (rate(some_bucket{b=~\"x|y\",c!=\"1\"}[5m])) / on(d) group_left other > 0.5").unwrap();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(found.metrics, [("some_bucket".to_owned(), texts(&["b", "c"])), ("other".to_owned(), vec![])]);
    assert_eq!(found.grouped, texts(&["le", "a", "d"]));
    for wrong in ["sum(a", "a)", "smu(a)", "a{b}", "a{b==\"1\"}", "a{b=\"1}", "1 + 2", "a[5m} "] {
        assert!(asked(wrong).is_err(), "{wrong}");
    }
}
