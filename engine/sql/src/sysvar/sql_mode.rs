//! `sql_mode` as a set of bits.

/// A set of SQL modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SqlMode(pub u32);

/// Names in the order of their bits, which is the order in which MySQL prints them.
const NAMES: [(&str, u32); 18] = [
    ("REAL_AS_FLOAT", 1 << 0),
    ("PIPES_AS_CONCAT", 1 << 1),
    ("ANSI_QUOTES", 1 << 2),
    ("IGNORE_SPACE", 1 << 3),
    ("ONLY_FULL_GROUP_BY", 1 << 4),
    ("NO_UNSIGNED_SUBTRACTION", 1 << 5),
    ("NO_DIR_IN_CREATE", 1 << 6),
    ("ANSI", 1 << 7),
    ("NO_AUTO_VALUE_ON_ZERO", 1 << 8),
    ("NO_BACKSLASH_ESCAPES", 1 << 9),
    ("STRICT_TRANS_TABLES", 1 << 10),
    ("STRICT_ALL_TABLES", 1 << 11),
    ("NO_ZERO_IN_DATE", 1 << 12),
    ("NO_ZERO_DATE", 1 << 13),
    ("ERROR_FOR_DIVISION_BY_ZERO", 1 << 14),
    ("TRADITIONAL", 1 << 15),
    ("NO_ENGINE_SUBSTITUTION", 1 << 16),
    ("PAD_CHAR_TO_FULL_LENGTH", 1 << 17),
];

/// Modes that MySQL 8 still takes, though not in [`NAMES`]' order: printed after the others.
const LATE: [(&str, u32); 3] =
    [("HIGH_NOT_PRECEDENCE", 1 << 18), ("TIME_TRUNCATE_FRACTIONAL", 1 << 19), ("ALLOW_INVALID_DATES", 1 << 20)];

impl SqlMode {
    /// None at all.
    pub const EMPTY: Self = Self(0);
    /// `REAL` is FLOAT.
    pub const REAL_AS_FLOAT: Self = Self(1 << 0);
    /// `||` concatenates.
    pub const PIPES_AS_CONCAT: Self = Self(1 << 1);
    /// `"` quotes identifiers.
    pub const ANSI_QUOTES: Self = Self(1 << 2);
    /// Blanks before `(` of a function call.
    pub const IGNORE_SPACE: Self = Self(1 << 3);
    /// Selected columns must depend on the grouped ones.
    pub const ONLY_FULL_GROUP_BY: Self = Self(1 << 4);
    /// `0 - unsigned` is signed.
    pub const NO_UNSIGNED_SUBTRACTION: Self = Self(1 << 5);
    /// 0 is stored as 0 in an AUTO_INCREMENT column.
    pub const NO_AUTO_VALUE_ON_ZERO: Self = Self(1 << 8);
    /// A backslash is a character like any other.
    pub const NO_BACKSLASH_ESCAPES: Self = Self(1 << 9);
    /// Values that do not fit are errors.
    pub const STRICT_TRANS_TABLES: Self = Self(1 << 10);
    /// Values that do not fit are errors, whatever the engine.
    pub const STRICT_ALL_TABLES: Self = Self(1 << 11);
    /// Dates with a zero month or day are refused.
    pub const NO_ZERO_IN_DATE: Self = Self(1 << 12);
    /// `0000-00-00` is refused.
    pub const NO_ZERO_DATE: Self = Self(1 << 13);
    /// Any day up to 31 is a date.
    pub const ALLOW_INVALID_DATES: Self = Self(1 << 20);
    /// Division by zero is an error when writing.
    pub const ERROR_FOR_DIVISION_BY_ZERO: Self = Self(1 << 14);
    /// An unknown engine is refused.
    pub const NO_ENGINE_SUBSTITUTION: Self = Self(1 << 16);
    /// CHAR values keep their blanks.
    pub const PAD_CHAR_TO_FULL_LENGTH: Self = Self(1 << 17);
    /// `NOT` binds like `!`.
    pub const HIGH_NOT_PRECEDENCE: Self = Self(1 << 18);
    /// MySQL 8's default.
    pub const DEFAULT: Self = Self(
        Self::ONLY_FULL_GROUP_BY.0
            | Self::STRICT_TRANS_TABLES.0
            | Self::NO_ZERO_IN_DATE.0
            | Self::NO_ZERO_DATE.0
            | Self::ERROR_FOR_DIVISION_BY_ZERO.0
            | Self::NO_ENGINE_SUBSTITUTION.0,
    );

    /// Whether every mode of `other` is in.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether writing is strict.
    #[must_use]
    pub const fn strict(self) -> bool {
        self.0 & (Self::STRICT_TRANS_TABLES.0 | Self::STRICT_ALL_TABLES.0) != 0
    }

    /// Reads a comma list of names, in any case.
    ///
    /// # Errors
    /// The first part that is no mode.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut bits = 0;
        for part in text.split(',') {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let found = NAMES.iter().chain(&LATE).find(|(name, _)| name.eq_ignore_ascii_case(part));
            bits |= found.ok_or_else(|| part.to_owned())?.1;
        }
        Self(bits).expand()
    }

    /// Reads a number, as `SET sql_mode = 0` gives it. The bits are ours, not MySQL's: only 0 is portable.
    ///
    /// # Errors
    /// The number, where a bit has no name.
    pub fn from_number(bits: u64) -> Result<Self, String> {
        let known: u32 = NAMES.iter().chain(&LATE).map(|(_, bit)| bit).sum();
        u32::try_from(bits).ok().filter(|bits| bits & !known == 0).map(Self).ok_or_else(|| bits.to_string())?.expand()
    }

    /// The combinations bring their parts.
    fn expand(self) -> Result<Self, String> {
        let mut bits = self.0;
        if bits & (1 << 7) != 0 {
            bits |= 0b11111;
        }
        if bits & (1 << 15) != 0 {
            bits |= Self::DEFAULT.0 & !Self::ONLY_FULL_GROUP_BY.0 | Self::STRICT_ALL_TABLES.0;
        }
        Ok(Self(bits))
    }
}

impl std::fmt::Display for SqlMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut first = true;
        for (name, bit) in NAMES.iter().chain(&LATE) {
            if self.0 & bit != 0 {
                if !first {
                    f.write_str(",")?;
                }
                f.write_str(name)?;
                first = false;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_prints_as_mysql_prints_it() {
        let text = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
                    ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";
        assert_eq!(SqlMode::DEFAULT.to_string(), text);
        assert_eq!(SqlMode::parse(&text.to_lowercase()), Ok(SqlMode::DEFAULT));
        assert_eq!(SqlMode::parse("nope"), Err("nope".to_owned()));
        assert_eq!(SqlMode::parse(",PIPES_AS_CONCAT,"), Ok(SqlMode::PIPES_AS_CONCAT));
        assert!(SqlMode::parse("ansi").unwrap().has(SqlMode::ANSI_QUOTES));
        assert!(SqlMode::parse("traditional").unwrap().strict());
        assert!(SqlMode::from_number(1 << 40).is_err());
    }
}
