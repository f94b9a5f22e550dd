//! The types of columns.

#![allow(missing_docs, reason = "rkyv derives structs for the variants, whose fields have no docs")]

use rkyv::{Archive, Deserialize, Serialize};

/// A column's type.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub enum ColumnType {
    /// Whole numbers of 1, 2, 3, 4 or 8 bytes.
    Int {
        /// Its width.
        bytes: u8,
        /// UNSIGNED.
        unsigned: bool,
        /// Display width, where declared.
        width: Option<u8>,
        /// ZEROFILL.
        zerofill: bool,
    },
    /// DOUBLE; FLOAT when `single`.
    Double {
        /// UNSIGNED.
        unsigned: bool,
        /// Rounded to four bytes.
        single: bool,
    },
    /// DECIMAL(precision,scale).
    Decimal {
        /// Digits in all, 1..=65.
        precision: u8,
        /// Digits after the point, 0..=30.
        scale: u8,
        /// UNSIGNED.
        unsigned: bool,
    },
    /// CHAR(n), characters.
    Char(u32),
    /// VARCHAR(n), characters.
    VarChar(u32),
    /// BINARY(n).
    Binary(u32),
    /// VARBINARY(n).
    VarBinary(u32),
    /// TEXT by the bytes of its length, 1..=4.
    Text(u8),
    /// BLOB by the bytes of its length, 1..=4.
    Blob(u8),
    /// DATE.
    Date,
    /// TIME(digits).
    Time(u8),
    /// DATETIME(digits).
    DateTime(u8),
    /// TIMESTAMP(digits).
    Timestamp(u8),
    /// YEAR.
    Year,
    /// BIT(n), 1..=64.
    Bit(u8),
    /// ENUM: its members, numbered from 1.
    Enum(Vec<String>),
    /// SET: its members, by bit from the lowest.
    Set(Vec<String>),
    /// JSON.
    Json,
    /// DOUBLE(digits,scale); FLOAT(digits,scale) when `single`. Behind all others: tags of stored definitions stay.
    Fixed {
        /// UNSIGNED.
        unsigned: bool,
        /// Rounded to four bytes.
        single: bool,
        /// Digits in all, 1..=255.
        digits: u8,
        /// Digits after the point, 0..=30; no more than `digits`.
        scale: u8,
    },
}

impl ColumnType {
    /// Whether it holds a text with a character set.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Char(_) | Self::VarChar(_) | Self::Text(_) | Self::Enum(_) | Self::Set(_))
    }

    /// Whether it holds bytes.
    #[must_use]
    pub const fn is_bytes(&self) -> bool {
        matches!(self, Self::Binary(_) | Self::VarBinary(_) | Self::Blob(_))
    }

    /// Whether it is a TEXT or BLOB: no default, and keys need a prefix.
    #[must_use]
    pub const fn is_blob(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Blob(_) | Self::Json)
    }

    /// Digits of a second that it keeps; `None` for what has no time of day.
    #[must_use]
    pub const fn second_digits(&self) -> Option<u8> {
        match self {
            Self::Time(digits) | Self::DateTime(digits) | Self::Timestamp(digits) => Some(*digits),
            _ => None,
        }
    }

    /// The text of an ENUM's or SET's number; `None` for other types.
    #[must_use]
    pub fn member_text(&self, number: u64) -> Option<String> {
        match self {
            Self::Enum(members) => {
                let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
                Some(at.and_then(|at| members.get(at)).cloned().unwrap_or_default())
            }
            Self::Set(members) => {
                let chosen = members.iter().enumerate().filter(|(at, _)| *at < 64 && number >> at & 1 == 1);
                Some(chosen.map(|(_, member)| member.as_str()).collect::<Vec<_>>().join(","))
            }
            _ => None,
        }
    }

    /// Its declaration as SHOW CREATE TABLE and COLUMN_TYPE print it.
    #[must_use]
    pub fn declaration(&self) -> String {
        let signed = |name: String, unsigned: bool| if unsigned { name + " unsigned" } else { name };
        match self {
            Self::Int { bytes, unsigned, width, zerofill } => {
                let name = match bytes {
                    1 => "tinyint",
                    2 => "smallint",
                    3 => "mediumint",
                    4 => "int",
                    _ => "bigint",
                };
                let shown = match width {
                    Some(width) if *zerofill || (*bytes == 1 && *width == 1 && !unsigned) => format!("{name}({width})"),
                    _ => name.into(),
                };
                let shown = signed(shown, *unsigned);
                if *zerofill { shown + " zerofill" } else { shown }
            }
            Self::Double { unsigned, single } => signed((if *single { "float" } else { "double" }).into(), *unsigned),
            Self::Fixed { unsigned, single, digits, scale } => {
                let name = if *single { "float" } else { "double" };
                signed(format!("{name}({digits},{scale})"), *unsigned)
            }
            Self::Decimal { precision, scale, unsigned } => signed(format!("decimal({precision},{scale})"), *unsigned),
            Self::Char(length) => format!("char({length})"),
            Self::VarChar(length) => format!("varchar({length})"),
            Self::Binary(length) => format!("binary({length})"),
            Self::VarBinary(length) => format!("varbinary({length})"),
            Self::Text(prefix) => format!("{}text", SIZES[usize::from(*prefix).clamp(1, 4)]),
            Self::Blob(prefix) => format!("{}blob", SIZES[usize::from(*prefix).clamp(1, 4)]),
            Self::Date => "date".into(),
            Self::Time(digits) => with_digits("time", *digits),
            Self::DateTime(digits) => with_digits("datetime", *digits),
            Self::Timestamp(digits) => with_digits("timestamp", *digits),
            Self::Year => "year".into(),
            Self::Bit(count) => format!("bit({count})"),
            Self::Enum(members) => format!("enum({})", quoted(members)),
            Self::Set(members) => format!("set({})", quoted(members)),
            Self::Json => "json".into(),
        }
    }
}

const SIZES: [&str; 5] = ["", "tiny", "", "medium", "long"];

fn with_digits(name: &str, digits: u8) -> String {
    if digits == 0 { name.into() } else { format!("{name}({digits})") }
}

fn quoted(members: &[String]) -> String {
    members
        .iter()
        .map(|member| format!("'{}'", member.replace('\\', "\\\\").replace('\'', "''")))
        .collect::<Vec<_>>()
        .join(",")
}
