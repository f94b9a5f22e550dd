//! Collations: equality and order of texts, as weight strings that compare as bytes.
//!
//! Weights of the Unicode collations come from ICU4X, whose version is pinned: a key built from them decides what is
//! unique, and what conflicts, on every member. Its order is that of CLDR's root, which is the default order of
//! Unicode (MySQL's) but for a few symbols, and of a later Unicode. What the older collations weigh otherwise is in
//! `weights`.
//!
//! Absent on purpose: language tailorings and conversion between character sets (texts are UTF-8).

mod weights;

use std::cmp::Ordering;
use weights::Uca;

/// How a collation folds characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    /// Bytes as they are.
    None,
    /// By the weights of the Unicode collation.
    Unicode(Uca),
    /// Without case and accents, in the order of upper-case code points.
    General,
    /// Upper case of Swedish.
    Swedish,
    /// In the alphabet, by letter, accent, then case.
    Latin,
}

/// A collation, by its number in MySQL's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Collation(u16);

struct Info {
    id: u16,
    name: &'static str,
    charset: &'static str,
    fold: Fold,
    pad: bool,
}

const fn info(id: u16, name: &'static str, charset: &'static str, fold: Fold, pad: bool) -> Info {
    Info { id, name, charset, fold, pad }
}

/// Every collation known here, ordered by number.
const COLLATIONS: &[Info] = &[
    info(8, "latin1_swedish_ci", "latin1", Fold::Swedish, true),
    info(11, "ascii_general_ci", "ascii", Fold::General, true),
    info(33, "utf8mb3_general_ci", "utf8mb3", Fold::General, true),
    info(45, "utf8mb4_general_ci", "utf8mb4", Fold::General, true),
    info(46, "utf8mb4_bin", "utf8mb4", Fold::None, true),
    info(47, "latin1_bin", "latin1", Fold::None, true),
    info(48, "latin1_general_ci", "latin1", Fold::Latin, true),
    info(63, "binary", "binary", Fold::None, false),
    info(65, "ascii_bin", "ascii", Fold::None, true),
    info(83, "utf8mb3_bin", "utf8mb3", Fold::None, true),
    info(192, "utf8mb3_unicode_ci", "utf8mb3", Fold::Unicode(Uca::V400), true),
    info(224, "utf8mb4_unicode_ci", "utf8mb4", Fold::Unicode(Uca::V400), true),
    info(246, "utf8mb4_unicode_520_ci", "utf8mb4", Fold::Unicode(Uca::V520), true),
    info(255, "utf8mb4_0900_ai_ci", "utf8mb4", Fold::Unicode(Uca::Letters), false),
    info(278, "utf8mb4_0900_as_cs", "utf8mb4", Fold::Unicode(Uca::Case), false),
    info(305, "utf8mb4_0900_as_ci", "utf8mb4", Fold::Unicode(Uca::Accents), false),
    info(309, "utf8mb4_0900_bin", "utf8mb4", Fold::None, false),
];

/// Where a collation stands in the table, by its number.
const PLACES: [u8; 310] = {
    let mut places = [u8::MAX; 310];
    let mut at = 0;
    while at < COLLATIONS.len() {
        places[COLLATIONS[at].id as usize] = at as u8;
        at += 1;
    }
    places
};

impl Collation {
    /// Bytes, compared as bytes.
    pub const BINARY: Self = Self(63);
    /// `utf8mb4_0900_ai_ci`, the default of everything.
    pub const DEFAULT: Self = Self(255);
    /// `utf8mb3_general_ci`, of metadata.
    pub const METADATA: Self = Self(33);
    /// `utf8mb4_bin`.
    pub const UTF8MB4_BIN: Self = Self(46);

    /// The collation with MySQL's number `id`.
    #[must_use]
    pub fn from_id(id: u16) -> Option<Self> {
        COLLATIONS.binary_search_by_key(&id, |info| info.id).ok().map(|_| Self(id))
    }

    /// The collation of this name, in any case; `utf8_` is `utf8mb3_`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut name = name.to_ascii_lowercase();
        if let Some(rest) = name.strip_prefix("utf8_") {
            name = format!("utf8mb3_{rest}");
        }
        COLLATIONS.iter().find(|info| info.name == name).map(|info| Self(info.id))
    }

    /// The default collation of a character set, in any case; `utf8` is `utf8mb3`.
    #[must_use]
    pub fn of_charset(charset: &str) -> Option<Self> {
        match charset.to_ascii_lowercase().as_str() {
            "utf8mb4" => Some(Self::DEFAULT),
            "utf8" | "utf8mb3" => Some(Self::METADATA),
            "latin1" => Some(Self(8)),
            "ascii" => Some(Self(11)),
            "binary" => Some(Self::BINARY),
            _ => None,
        }
    }

    fn info(self) -> &'static Info {
        &COLLATIONS[usize::from(PLACES[usize::from(self.0)])]
    }

    /// Eight bytes of a text's weights, where they decide: if they differ between two texts, the texts do so in the same
    /// way. `None` for texts, and collations, that only a whole look can tell apart.
    #[must_use]
    pub fn front(self, text: &[u8]) -> Option<u64> {
        match self.info() {
            Info { fold: Fold::Unicode(uca), pad: false, .. } => uca.front(text),
            Info { fold: Fold::None, pad: false, .. } => {
                let mut front = [0; 8];
                let count = text.len().min(8);
                front[..count].copy_from_slice(&text[..count]);
                Some(u64::from_be_bytes(front))
            }
            _ => None,
        }
    }

    /// MySQL's number.
    #[must_use]
    pub const fn id(self) -> u16 {
        self.0
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// Name of its character set.
    #[must_use]
    pub fn charset(self) -> &'static str {
        self.info().charset
    }

    /// Whether it is the default one of its character set.
    #[must_use]
    pub fn is_charset_default(self) -> bool {
        Self::of_charset(self.charset()) == Some(self)
    }

    /// Whether it compares bytes or code points rather than letters.
    #[must_use]
    pub fn is_binary(self) -> bool {
        self.info().fold == Fold::None
    }

    /// Whether trailing spaces do not count. The order of such weights is then not quite that of their
    /// bytes (control characters sort below the missing space): equality is.
    #[must_use]
    pub fn pads(self) -> bool {
        self.info().pad
    }

    /// Longest character of its character set, in bytes.
    #[must_use]
    pub fn bytes_per_char(self) -> u32 {
        match self.charset() {
            "utf8mb4" => 4,
            "utf8mb3" => 3,
            _ => 1,
        }
    }

    /// Appends the weights of `text`: byte order of weights is the collation's order.
    pub fn weigh(self, text: &[u8], out: &mut Vec<u8>) {
        let info = self.info();
        self.weigh_stretch(if info.pad { without_spaces(text) } else { text }, out);
    }

    /// The weights of all of `text`, trailing spaces too.
    fn weigh_stretch(self, text: &[u8], out: &mut Vec<u8>) {
        let fold = self.info().fold;
        if fold == Fold::None {
            return out.extend_from_slice(text);
        }
        if text.is_ascii() {
            match fold {
                Fold::General | Fold::Swedish => return out.extend(text.iter().map(u8::to_ascii_uppercase)),
                Fold::Unicode(uca) if uca.of_ascii(text, out) => return,
                _ => {}
            }
        }
        // Texts are UTF-8 by the time they are stored; anything else weighs as its bytes.
        match (std::str::from_utf8(text), fold) {
            (Err(_), _) => out.extend_from_slice(text),
            (Ok(text), Fold::Unicode(uca)) => uca.weigh(text, out),
            (Ok(text), fold) => text.chars().for_each(|c| weigh_char(c, fold, out)),
        }
    }

    /// Compares two texts.
    #[must_use]
    pub fn compare(self, left: &[u8], right: &[u8]) -> Ordering {
        let info = self.info();
        if info.fold == Fold::None && !info.pad {
            return left.cmp(right);
        }
        if left == right {
            return Ordering::Equal;
        }
        if let Some(order) = compare_plainly(left, right, info) {
            return order;
        }
        let (mut left_weights, mut right_weights) = (Vec::with_capacity(left.len()), Vec::with_capacity(right.len()));
        self.weigh(left, &mut left_weights);
        self.weigh(right, &mut right_weights);
        match info.fold {
            _ if !info.pad || left_weights == right_weights => left_weights.cmp(&right_weights),
            Fold::Unicode(_) => {
                // Spaces matter only before what weighs less than one: a few control characters.
                if [left, right].iter().any(|text| text.iter().any(|byte| *byte < b' ' || *byte >= 0x80)) {
                    let spaces = vec![b' '; left.len().max(right.len()) + 1];
                    for (text, weights) in [(left, &mut left_weights), (right, &mut right_weights)] {
                        weights.clear();
                        self.weigh_stretch(&[without_spaces(text), &spaces].concat(), weights);
                    }
                }
                left_weights.cmp(&right_weights)
            }
            fold => {
                let mut space = Vec::new();
                weigh_char(' ', fold, &mut space);
                compare_padded(left_weights.into_iter(), right_weights.into_iter(), space[0])
            }
        }
    }

    /// The weights of a single character, for LIKE.
    pub fn weigh_one(self, c: char, out: &mut Vec<u8>) {
        self.weigh_stretch(c.encode_utf8(&mut [0; 4]).as_bytes(), out);
    }
}

impl Default for Collation {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Compares what needs no weights written down: bytes, and texts as far as ASCII decides; `None` for all else.
fn compare_plainly(left: &[u8], right: &[u8], info: &Info) -> Option<Ordering> {
    let (left, right) = if info.pad { (without_spaces(left), without_spaces(right)) } else { (left, right) };
    match info.fold {
        Fold::None => Some(compare_padded(left.iter().copied(), right.iter().copied(), b' ')),
        // What sorts before a space would have to be compared with it.
        Fold::Unicode(_) if info.pad && [left, right].iter().any(|text| text.iter().any(|byte| *byte < b' ')) => None,
        Fold::Unicode(uca) => uca.compare_ascii(left, right),
        Fold::General | Fold::Swedish if left.is_ascii() && right.is_ascii() => {
            let upper = u8::to_ascii_uppercase;
            Some(compare_padded(left.iter().map(upper), right.iter().map(upper), b' '))
        }
        Fold::General | Fold::Swedish | Fold::Latin => None,
    }
}

/// As if the shorter one were filled up with spaces.
fn compare_padded(mut left: impl Iterator<Item = u8>, mut right: impl Iterator<Item = u8>, space: u8) -> Ordering {
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => left.unwrap_or(space).cmp(&right.unwrap_or(space)),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn without_spaces(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &text[..end]
}

fn weigh_char(c: char, fold: Fold, out: &mut Vec<u8>) {
    match (fold, u8::try_from(u32::from(c))) {
        (Fold::Swedish, Ok(byte)) => out.push(weights::swedish(byte)),
        (Fold::Latin, Ok(byte)) => out.push(weights::latin(byte)),
        // Not in latin1; MySQL would not have stored it.
        (Fold::Swedish | Fold::Latin, Err(_)) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        _ => out.extend_from_slice(weights::general(c).encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_compare_as_their_collation_says() {
        use Ordering::{Equal, Greater, Less};
        let cases = [
            ("utf8mb4_0900_ai_ci", "A", "a", Equal),
            ("utf8mb4_0900_ai_ci", "é", "E", Equal),
            ("utf8mb4_0900_ai_ci", "straße", "STRASSE", Equal),
            ("utf8mb4_0900_ai_ci", "a", "a ", Less),
            ("utf8mb4_0900_ai_ci", "a", "B", Less),
            ("utf8mb4_0900_ai_ci", "~", "0", Less),
            ("utf8mb4_0900_ai_ci", "9", "a", Less),
            ("utf8mb4_0900_ai_ci", "_", "A", Less),
            ("utf8mb4_0900_ai_ci", "ø", "o", Equal),
            ("utf8mb4_0900_ai_ci", "ﬁ", "FI", Equal),
            ("utf8mb4_0900_ai_ci", "😀", "1", Less),
            ("utf8mb4_0900_ai_ci", "ı", "i", Greater),
            ("utf8mb4_0900_ai_ci", "e\u{301}", "é", Equal),
            ("utf8mb4_0900_as_ci", "É", "é", Equal),
            ("utf8mb4_0900_as_ci", "e", "é", Less),
            ("utf8mb4_0900_as_ci", "éa", "eb", Less),
            ("utf8mb4_0900_as_cs", "e", "E", Less),
            ("utf8mb4_0900_as_cs", "E", "é", Less),
            ("utf8mb4_unicode_ci", "ø", "o", Greater),
            ("utf8mb4_unicode_ci", "ø", "oz", Greater),
            ("utf8mb4_unicode_ci", "Ø", "p", Less),
            ("utf8mb4_unicode_ci", "Æ", "ae", Greater),
            ("utf8mb4_unicode_ci", "😀", "😁", Equal),
            ("utf8mb4_unicode_ci", "a\t", "a", Less),
            ("utf8mb4_unicode_ci", "ß\t", "ss", Less),
            ("utf8mb4_unicode_520_ci", "ø", "o", Equal),
            ("utf8mb4_unicode_520_ci", "😀", "日", Greater),
            ("utf8mb4_unicode_520_ci", "😀", "😁", Less),
            ("utf8mb4_general_ci", "ß", "s", Equal),
            ("utf8mb4_general_ci", "Й", "и", Greater),
            ("utf8mb4_general_ci", "😀", "日", Greater),
            ("latin1_swedish_ci", "é", "E", Equal),
            ("latin1_swedish_ci", "ü", "Y", Equal),
            ("latin1_swedish_ci", "ä", "Z", Greater),
            ("latin1_general_ci", "ä", "a", Greater),
            ("latin1_general_ci", "ä", "B", Less),
            ("utf8mb4_general_ci", "a", "A ", Equal),
            ("utf8mb4_general_ci", "ä", "A", Equal),
            ("utf8mb4_general_ci", "_", "a", Greater),
            ("utf8mb4_general_ci", "a\t", "a", Less),
            ("utf8mb4_bin", "A", "a", Less),
            ("utf8mb4_bin", "a ", "a", Equal),
            ("utf8mb4_unicode_ci", "É ", "e", Equal),
            ("binary", "a ", "a", Greater),
            ("utf8mb4_0900_bin", "a ", "a", Greater),
        ];
        for (collation, left, right, order) in cases {
            let collation = Collation::from_name(collation).unwrap();
            assert_eq!(collation.compare(left.as_bytes(), right.as_bytes()), order, "{collation:?} {left:?} {right:?}");
            assert_eq!(collation.compare(right.as_bytes(), left.as_bytes()), order.reverse());
        }
    }

    #[test]
    fn fronts_that_differ_decide() {
        let pieces = ["", "a", "B", "0", "-", " ", "\t", "9", "é", "e\u{301}", "\u{b7}", "日", "~"];
        let mut texts = Vec::new();
        for one in pieces {
            for other in pieces {
                texts.push(format!("{one}{other}"));
                texts.push(format!("12345{one}{other}x"));
                texts.push(format!("1234567{one}{other}"));
                texts.push(format!("12345678{one}{other}"));
            }
        }
        for name in ["utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_general_ci", "utf8mb4_0900_bin", "binary"] {
            let collation = Collation::from_name(name).unwrap();
            let mut decided = 0;
            for left in &texts {
                for right in &texts {
                    let fronts = (collation.front(left.as_bytes()), collation.front(right.as_bytes()));
                    let (Some(first), Some(second)) = fronts else { continue };
                    if first != second {
                        let order = collation.compare(left.as_bytes(), right.as_bytes());
                        assert_eq!(first.cmp(&second), order, "{name} {left:?} {right:?}");
                        decided += 1;
                    }
                }
            }
            let decides = !matches!(name, "utf8mb4_0900_as_cs" | "utf8mb4_general_ci");
            assert_eq!(decided > 1000, decides, "{name}: {decided}");
        }
    }

    #[test]
    fn names_and_numbers_agree() {
        assert!(COLLATIONS.windows(2).all(|pair| pair[0].id < pair[1].id));
        for info in COLLATIONS {
            assert_eq!(Collation::from_name(info.name), Collation::from_id(info.id));
        }
        assert_eq!(Collation::from_name("UTF8_GENERAL_CI"), Some(Collation::METADATA));
        assert_eq!(Collation::from_id(1), None);
    }
}
