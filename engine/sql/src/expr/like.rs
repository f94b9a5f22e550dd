//! LIKE, with the backtracking that a pattern of `%` needs: linear in text times pattern at worst.

use crate::collate::Collation;

#[derive(PartialEq)]
enum Token {
    /// `%`
    Any,
    /// `_`
    One,
    /// Weights of one character.
    Char(Vec<u8>),
}

/// Whether `text` matches `pattern` character by character under `collation`.
#[must_use]
pub fn like(text: &[u8], pattern: &[u8], escape: Option<char>, collation: Collation) -> bool {
    let pattern = String::from_utf8_lossy(pattern);
    let text = String::from_utf8_lossy(text);
    let weights = |c: char| {
        let mut out = Vec::new();
        collation.weigh_one(c, &mut out);
        out
    };
    let mut tokens = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        tokens.push(if Some(c) == escape {
            match chars.next() {
                Some(next) => Token::Char(weights(next)),
                None => Token::Char(weights(c)),
            }
        } else {
            match c {
                '%' => Token::Any,
                '_' => Token::One,
                c => Token::Char(weights(c)),
            }
        });
    }
    let text: Vec<Vec<u8>> = text.chars().map(weights).collect();
    let (mut at, mut token) = (0, 0);
    // Where the last `%` was, and how far it reaches so far: only the last one ever has to give.
    let mut retry = None;
    while at < text.len() {
        match tokens.get(token) {
            Some(Token::Any) => {
                retry = Some((token + 1, at));
                token += 1;
                continue;
            }
            Some(Token::One) => {
                at += 1;
                token += 1;
                continue;
            }
            Some(Token::Char(weights)) if *weights == text[at] => {
                at += 1;
                token += 1;
                continue;
            }
            _ => {}
        }
        let Some((after, from)) = retry else { return false };
        retry = Some((after, from + 1));
        token = after;
        at = from + 1;
    }
    tokens[token..].iter().all(|token| *token == Token::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("abc", "abc", true),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "%b%", true),
            ("abc", "a_c", true),
            ("abc", "a_", false),
            ("ABC", "abc", true),
            ("é", "E", true),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("", "%", true),
            ("", "_", false),
            ("aaaaaaaaaaaaaaab", "%a%a%a%b", true),
            ("mississippi", "m%iss%pi", true),
            ("group_replication_x", "group\\_%", true),
            ("a\\", "a\\", true),
        ];
        for (text, pattern, matches) in cases {
            let found = like(text.as_bytes(), pattern.as_bytes(), Some('\\'), Collation::DEFAULT);
            assert_eq!(found, matches, "{text} LIKE {pattern}");
        }
        assert!(!like(b"ABC", b"abc", Some('\\'), Collation::UTF8MB4_BIN));
        assert!(like(b"a|%", b"a||%", Some('|'), Collation::DEFAULT));
    }
}
