//! Weights of characters: ICU4X's, and what MySQL's older collations weigh otherwise.

use icu_collator::options::{AlternateHandling, CollatorOptions, Strength};
use icu_collator::{Collator, CollatorBorrowed};
use std::cmp::Ordering;
use std::sync::OnceLock;
use unicode_normalization::UnicodeNormalization;

/// A version of the Unicode collation, and how closely it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uca {
    /// 9.0.0, letters only: `ai_ci`.
    Letters,
    /// 9.0.0, letters, then accents: `as_ci`.
    Accents,
    /// 9.0.0, letters, then accents, then case: `as_cs`.
    Case,
    /// 4.0.0: some letters with strokes are letters of their own, and all characters beyond the first plane are one.
    V400,
    /// 5.2.0: knows no emoji.
    V520,
}

/// What stands before the weights of characters that sort after all others.
const AFTER_ALL: u8 = 0xff;

fn collator(strength: Strength) -> CollatorBorrowed<'static> {
    let mut options = CollatorOptions::default();
    options.strength = Some(strength);
    options.alternate_handling = Some(AlternateHandling::NonIgnorable);
    Collator::try_new(Default::default(), options).expect("the root collation is compiled in")
}

impl Uca {
    fn collator(self) -> &'static CollatorBorrowed<'static> {
        static LETTERS: OnceLock<CollatorBorrowed<'static>> = OnceLock::new();
        static ACCENTS: OnceLock<CollatorBorrowed<'static>> = OnceLock::new();
        static CASE: OnceLock<CollatorBorrowed<'static>> = OnceLock::new();
        match self {
            Self::Letters | Self::V400 | Self::V520 => LETTERS.get_or_init(|| collator(Strength::Primary)),
            Self::Accents => ACCENTS.get_or_init(|| collator(Strength::Secondary)),
            Self::Case => CASE.get_or_init(|| collator(Strength::Tertiary)),
        }
    }

    fn by_library(self, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            let Ok(()) = self.collator().write_sort_key_to(text, out);
        }
    }

    /// The weights of an ASCII text from a table; false where accents and case count.
    pub(super) fn of_ascii(self, text: &[u8], out: &mut Vec<u8>) -> bool {
        if matches!(self, Self::Accents | Self::Case) {
            return false;
        }
        /// Characters at once, on the stack.
        const PART: usize = 128;
        let table = ascii();
        for part in text.chunks(PART) {
            let (mut weights, mut end) = ([0; 2 * PART], 0);
            // Two bytes are written for each, and the next one follows the last that counts: nothing to branch on.
            for &byte in part {
                let [first, second] = table[usize::from(byte & 0x7f)];
                weights[end] = first;
                weights[end + 1] = second;
                end += usize::from(first != 0) + usize::from(second != 0);
            }
            out.extend_from_slice(&weights[..end]);
        }
        true
    }

    /// First bytes of the weights of the first eight characters: where they differ between two texts, those are decided.
    /// `None` unless they are ASCII, with the one behind them, and have one byte each.
    pub(super) fn front(self, text: &[u8]) -> Option<u64> {
        if matches!(self, Self::Accents | Self::Case) {
            return None;
        }
        let table = ascii();
        let mut front = 0;
        for at in 0..8 {
            let [first, second] = match text.get(at) {
                None => [0, 0],
                Some(byte) => match table.get(usize::from(*byte))? {
                    [0, _] => return None,
                    weights => *weights,
                },
            };
            if second != 0 {
                return None;
            }
            front = front << 8 | u64::from(first);
        }
        // What follows may be part of the last letter.
        text.get(8).is_none_or(u8::is_ascii).then_some(front)
    }

    /// Compares two texts without writing their weights down, as far as ASCII decides: where they differ, and right
    /// behind it, as what comes next may be part of a letter. `None` where that is not enough to tell.
    pub(super) fn compare_ascii(self, left: &[u8], right: &[u8]) -> Option<Ordering> {
        if matches!(self, Self::Accents | Self::Case) {
            return None;
        }
        let table = ascii();
        let weights = |text: &[u8], at: usize| text.get(at).map(|byte| table.get(usize::from(*byte)));
        let is_plain = |text: &[u8], at: usize| text.get(at).is_none_or(u8::is_ascii);
        let mut at = 0;
        loop {
            let order = match (weights(left, at), weights(right, at)) {
                (None, None) => return Some(Ordering::Equal),
                (None, Some(weights)) => 0.cmp(&weights?[0]),
                (Some(weights), None) => weights?[0].cmp(&0),
                (Some(left), Some(right)) if left? == right? => {
                    at += 1;
                    continue;
                }
                // Of those that weigh nothing the next one has to be looked at.
                (Some(left), Some(right)) if left?[0] == 0 || right?[0] == 0 => return None,
                (Some(left), Some(right)) => left?[0].cmp(&right?[0]),
            };
            let decided = order.is_ne() && is_plain(left, at + 1) && is_plain(right, at + 1);
            return decided.then_some(order);
        }
    }

    /// Appends the weights of `text`.
    pub(super) fn weigh(self, text: &str, out: &mut Vec<u8>) {
        let special: fn(char) -> bool = match self {
            Self::V400 => |c| c >= '\u{10000}' || stroke(c).is_some(),
            Self::V520 => is_emoji,
            _ => return self.by_library(text, out),
        };
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| special(*c)) {
            self.by_library(&rest[..at], out);
            match (stroke(c), self) {
                (Some((base, number)), Self::V400) => {
                    // Between the letter that it is a form of, and the next one: those have odd weights of a byte.
                    let before = ascii()[usize::from(base)][0];
                    out.extend_from_slice(&[before + 1, 0xff, number]);
                }
                (_, Self::V400) => out.push(AFTER_ALL),
                _ => {
                    out.push(AFTER_ALL);
                    out.extend_from_slice(&u32::from(c).to_be_bytes()[1..]);
                }
            }
            rest = &rest[at + c.len_utf8()..];
        }
        self.by_library(rest, out);
    }
}

/// The weights of ASCII characters, at most two bytes each; 0 is none.
fn ascii() -> &'static [[u8; 2]; 128] {
    static TABLE: OnceLock<[[u8; 2]; 128]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = [[0; 2]; 128];
        for (byte, weights) in table.iter_mut().enumerate() {
            let mut key = Vec::new();
            Uca::Letters.by_library(&char::from(byte as u8).to_string(), &mut key);
            weights[..key.len()].copy_from_slice(&key);
        }
        table
    })
}

/// Letters that Unicode 4.0.0 did not take for forms of another one: that one, and their order among such.
fn stroke(c: char) -> Option<(u8, u8)> {
    Some(match c {
        'æ' | 'Æ' | 'ǣ' | 'Ǣ' | 'ǽ' | 'Ǽ' => (b'a', 1),
        'đ' | 'Đ' => (b'd', 1),
        'ð' | 'Ð' => (b'd', 2),
        'ħ' | 'Ħ' => (b'h', 1),
        'ł' | 'Ł' => (b'l', 1),
        'ø' | 'Ø' | 'ǿ' | 'Ǿ' => (b'o', 1),
        _ => return None,
    })
}

/// Pictures of Unicode 6.0 and later.
fn is_emoji(c: char) -> bool {
    ('\u{1f300}'..'\u{20000}').contains(&c)
}

/// `utf8mb4_general_ci`: the upper-case letter without accents, as of Unicode 3.0, and one character for all beyond the
/// first plane.
pub(super) fn general(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    match c {
        '\u{10000}'.. => return '\u{fffd}',
        'ß' => return 'S',
        'й' => return 'Й',
        'ϲ' => return 'Σ',
        'ǯ' => return 'Ʒ',
        // Greek vowels with oxia are not those with tonos.
        '\u{1f71}' => return '\u{1fbb}',
        '\u{1f73}' => return '\u{1fc9}',
        '\u{1f75}' => return '\u{1fcb}',
        '\u{1f77}' => return '\u{1fdb}',
        '\u{1f79}' => return '\u{1ff9}',
        '\u{1f7b}' => return '\u{1feb}',
        '\u{1f7d}' => return '\u{1ffb}',
        'Й'
        | 'ϵ'
        | '\u{385}'
        | '\u{1fbb}'
        | '\u{1fc9}'
        | '\u{1fcb}'
        | '\u{1fdb}'
        | '\u{1feb}'
        | '\u{1ff9}'
        | '\u{1ffb}'
        | '\u{1fd3}'
        | '\u{1fe3}'
        | '\u{1c80}'..='\u{1c88}' => return c,
        _ => {}
    }
    let upper = |c: char| {
        let mut upper = c.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    };
    if matches!(c, '\u{250}'..'\u{2b0}') && upper(c) >= '\u{220}' {
        return c;
    }
    let mut parts = std::iter::once(c).nfd();
    let first = parts.next().unwrap_or(c);
    let decomposed = parts.next().is_some()
        && c < '\u{2000}'
        && (first < '\u{250}' && first != '\u{a8}' || ('\u{386}'..'\u{500}').contains(&first));
    let base = if decomposed { first } else { c };
    match upper(base) {
        // Letters that Unicode 3.0 did not have.
        '\u{220}'
        | '\u{23a}'..='\u{24f}'
        | '\u{370}'..='\u{376}'
        | '\u{37f}'
        | '\u{3cf}'
        | '\u{3d8}'
        | '\u{3f7}'..='\u{3ff}'
        | '\u{48a}'
        | '\u{4c0}'
        | '\u{4c5}'
        | '\u{4c9}'
        | '\u{4cd}'
        | '\u{4f6}'
        | '\u{4fa}'..='\u{530}'
        | '\u{10a0}'..'\u{1e00}'
        | '\u{1efa}'..='\u{1eff}'
        | '\u{2132}'
        | '\u{2183}'
        | '\u{2c00}'..='\u{2dff}'
        | '\u{a000}'..'\u{ff00}' => base,
        upper => upper,
    }
}

/// `latin1_swedish_ci`.
pub(super) fn swedish(byte: u8) -> u8 {
    match byte {
        0xc0..=0xc3 | 0xe0..=0xe3 => b'A',
        0xc4 | 0xc6 | 0xe4 | 0xe6 => b'\\',
        0xc5 | 0xe5 => b'[',
        0xc7 | 0xe7 => b'C',
        0xc8..=0xcb | 0xe8..=0xeb => b'E',
        0xcc..=0xcf | 0xec..=0xef => b'I',
        0xd0 | 0xf0 => b'D',
        0xd1 | 0xf1 => b'N',
        0xd2..=0xd5 | 0xf2..=0xf5 => b'O',
        0xd6 | 0xf6 => b']',
        0xd9..=0xdb | 0xf9..=0xfb => b'U',
        0xdc | 0xdd | 0xfc | 0xfd => b'Y',
        0xf8 | 0xfe => byte - 0x20,
        byte => byte.to_ascii_uppercase(),
    }
}

/// `latin1_general_ci`.
pub(super) fn latin(byte: u8) -> u8 {
    /// Weights of A to Z.
    const LETTERS: [u8; 26] = [
        0x41, 0x51, 0x53, 0x57, 0x5b, 0x65, 0x67, 0x69, 0x6b, 0x75, 0x77, 0x79, 0x7b, 0x7d, 0x81, 0x8f, 0x91, 0x93,
        0x95, 0x98, 0x9a, 0xa4, 0xa6, 0xa8, 0xaa, 0xaf,
    ];
    /// Weights of U+00C0 to U+00DF.
    const ACCENTED: [u8; 32] = [
        0x43, 0x45, 0x47, 0x49, 0x4b, 0x4d, 0x4f, 0x55, 0x5d, 0x5f, 0x61, 0x63, 0x6d, 0x6f, 0x71, 0x73, 0x59, 0x7f,
        0x83, 0x85, 0x87, 0x89, 0x8b, 0xbd, 0x8d, 0x9c, 0x9e, 0xa0, 0xa2, 0xac, 0xb1, 0x97,
    ];
    match byte {
        b'A'..=b'Z' => LETTERS[usize::from(byte - b'A')],
        b'a'..=b'z' => LETTERS[usize::from(byte - b'a')],
        b'['..=b'`' => byte - b'[' + 0xb3,
        b'{'..=b'~' => byte - b'{' + 0xb9,
        0x7f => 0xbf,
        0x80..=0xbf => byte + 0x40,
        0xf7 => 0xbe,
        0xff => 0xae,
        0xc0..=0xdf => ACCENTED[usize::from(byte - 0xc0)],
        0xe0..=0xfe => ACCENTED[usize::from(byte - 0xe0)],
        byte => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_weighs_by_the_table_as_by_the_library() {
        for first in 0..128_u8 {
            for second in 0..128_u8 {
                let text = [b'x', first, second, first, b'y'];
                let (mut by_table, mut by_library) = (Vec::new(), Vec::new());
                assert!(Uca::Letters.of_ascii(&text, &mut by_table));
                Uca::Letters.by_library(std::str::from_utf8(&text).unwrap(), &mut by_library);
                assert_eq!(by_table, by_library, "{text:?}");
            }
        }
        let long = b"A long text, of more characters than are looked up at once. ".repeat(5);
        let (mut by_table, mut by_library) = (Vec::new(), Vec::new());
        assert!(Uca::Letters.of_ascii(&long, &mut by_table));
        Uca::Letters.by_library(std::str::from_utf8(&long).unwrap(), &mut by_library);
        assert_eq!(by_table, by_library);
    }

    #[test]
    fn what_ascii_decides_is_decided_as_by_the_library() {
        let weights = |text: &str| {
            let mut weights = Vec::new();
            Uca::Letters.by_library(text, &mut weights);
            weights
        };
        let chars = || (0..128_u8).map(char::from).chain(['\u{b7}', '\u{301}', '\u{387}', 'é', 'α', '日', '😀']);
        let mut decided = 0;
        for first in chars() {
            for second in chars() {
                for (left, right) in [
                    (format!("x{first}y"), format!("X{second}Y")),
                    (format!("{first}"), format!("{second}{first}")),
                    (format!("L{first}"), format!("M{second}")),
                    (format!("l{first}"), format!("l{second}{first}")),
                    (format!("α{first}"), format!("α{second}")),
                ] {
                    let Some(order) = Uca::Letters.compare_ascii(left.as_bytes(), right.as_bytes()) else { continue };
                    assert_eq!(order, weights(&left).cmp(&weights(&right)), "{left:?} {right:?}");
                    decided += 1;
                }
            }
        }
        assert!(decided > 30_000, "{decided}");
        assert_eq!(Uca::Case.compare_ascii(b"a", b"b"), None);
    }

    #[test]
    fn letters_of_their_own_fit_between_two_others() {
        for pair in (b'a'..=b'z').collect::<Vec<_>>().windows(2) {
            let [before, after] = [ascii()[usize::from(pair[0])], ascii()[usize::from(pair[1])]];
            assert_eq!((before[1], after), (0, [before[0] + 2, 0]));
        }
    }
}
