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
}

impl ColumnType {
    /// Whether it holds a text with a character set.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Char(_) | Self::VarChar(_) | Self::Text(_))
    }

    /// Whether it holds bytes.
    #[must_use]
    pub const fn is_bytes(&self) -> bool {
        matches!(self, Self::Binary(_) | Self::VarBinary(_) | Self::Blob(_))
    }

    /// Whether it is a TEXT or BLOB: no default, and keys need a prefix.
    #[must_use]
    pub const fn is_blob(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Blob(_))
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
            Self::Decimal { precision, scale, unsigned } => signed(format!("decimal({precision},{scale})"), *unsigned),
            Self::Char(length) => format!("char({length})"),
            Self::VarChar(length) => format!("varchar({length})"),
            Self::Binary(length) => format!("binary({length})"),
            Self::VarBinary(length) => format!("varbinary({length})"),
            Self::Text(prefix) => format!("{}text", SIZES[usize::from(*prefix).clamp(1, 4)]),
            Self::Blob(prefix) => format!("{}blob", SIZES[usize::from(*prefix).clamp(1, 4)]),
        }
    }
}

const SIZES: [&str; 5] = ["", "tiny", "", "medium", "long"];
