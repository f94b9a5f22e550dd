//! Numbers of the client protocol: capabilities, commands, status, column types and flags, character sets.
//!
//! Source: MySQL's `mysql_com.h` and `field_types.h`, as documented in "MySQL Internals, client/server
//! protocol".

/// What client and server agreed on. A set of bits; unknown ones are dropped at the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub u32);

impl Capabilities {
    /// New longer passwords; MariaDB's clients leave it out to say that they are MariaDB's.
    pub const LONG_PASSWORD: Self = Self(1);
    /// UPDATE answers rows that matched, not rows that changed.
    pub const FOUND_ROWS: Self = Self(1 << 1);
    /// All column flags.
    pub const LONG_FLAG: Self = Self(1 << 2);
    /// A database at login.
    pub const CONNECT_WITH_DB: Self = Self(1 << 3);
    /// Blanks before `(` are allowed in function calls.
    pub const IGNORE_SPACE: Self = Self(1 << 8);
    /// The protocol of 4.1, without which nobody is let in.
    pub const PROTOCOL_41: Self = Self(1 << 9);
    /// `interactive_timeout` instead of `wait_timeout`.
    pub const INTERACTIVE: Self = Self(1 << 10);
    /// TLS follows. Not offered.
    pub const SSL: Self = Self(1 << 11);
    /// Status flags tell of transactions.
    pub const TRANSACTIONS: Self = Self(1 << 13);
    /// Authentication data with its length.
    pub const SECURE_CONNECTION: Self = Self(1 << 15);
    /// Several statements in one text.
    pub const MULTI_STATEMENTS: Self = Self(1 << 16);
    /// Several results to one text.
    pub const MULTI_RESULTS: Self = Self(1 << 17);
    /// Several results to one execution.
    pub const PS_MULTI_RESULTS: Self = Self(1 << 18);
    /// The client names its authentication plugin.
    pub const PLUGIN_AUTH: Self = Self(1 << 19);
    /// The client tells its name and version at login.
    pub const CONNECT_ATTRS: Self = Self(1 << 20);
    /// Authentication data of more than 255 bytes.
    pub const PLUGIN_AUTH_LENENC: Self = Self(1 << 21);
    /// OK packets tell of changed session state.
    pub const SESSION_TRACK: Self = Self(1 << 23);
    /// Rows end with an OK packet, and metadata with nothing, instead of EOF packets.
    pub const DEPRECATE_EOF: Self = Self(1 << 24);
    /// Parameters with COM_QUERY. Not offered.
    pub const QUERY_ATTRIBUTES: Self = Self(1 << 27);

    /// What this server offers (`spec/clients.md`, "Must-have").
    pub const OFFERED: Self = Self(
        Self::LONG_PASSWORD.0
            | Self::FOUND_ROWS.0
            | Self::LONG_FLAG.0
            | Self::CONNECT_WITH_DB.0
            | Self::IGNORE_SPACE.0
            | Self::PROTOCOL_41.0
            | Self::INTERACTIVE.0
            | Self::TRANSACTIONS.0
            | Self::SECURE_CONNECTION.0
            | Self::MULTI_STATEMENTS.0
            | Self::MULTI_RESULTS.0
            | Self::PS_MULTI_RESULTS.0
            | Self::PLUGIN_AUTH.0
            | Self::CONNECT_ATTRS.0
            | Self::PLUGIN_AUTH_LENENC.0
            | Self::SESSION_TRACK.0
            | Self::DEPRECATE_EOF.0,
    );

    /// Whether all of `other` is in it.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// With `other` added, or taken away.
    #[must_use]
    pub const fn with(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { Self(self.0 & !other.0) }
    }
}

/// Status flags of OK and EOF packets. A set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    /// A transaction is open.
    pub const IN_TRANS: Self = Self(1);
    /// `autocommit` is on.
    pub const AUTOCOMMIT: Self = Self(1 << 1);
    /// Another result follows.
    pub const MORE_RESULTS: Self = Self(1 << 3);
    /// No index, or a bad one, was used.
    pub const NO_INDEX_USED: Self = Self(1 << 5);
    /// A cursor is open: rows come by COM_STMT_FETCH.
    pub const CURSOR_EXISTS: Self = Self(1 << 6);
    /// The cursor has no more rows.
    pub const LAST_ROW_SENT: Self = Self(1 << 7);
    /// A database was dropped.
    pub const DB_DROPPED: Self = Self(1 << 8);
    /// NO_BACKSLASH_ESCAPES is in `sql_mode`.
    pub const NO_BACKSLASH_ESCAPES: Self = Self(1 << 9);
    /// A prepared statement's metadata changed since it was prepared.
    pub const METADATA_CHANGED: Self = Self(1 << 10);
    /// The open transaction is READ ONLY.
    pub const IN_TRANS_READONLY: Self = Self(1 << 13);
    /// Session state follows in this packet. Set by [`super::Answer`] itself.
    pub const SESSION_STATE_CHANGED: Self = Self(1 << 14);

    /// Whether all of `other` is in it.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With `other` added, or taken away.
    #[must_use]
    pub const fn with(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { Self(self.0 & !other.0) }
    }
}

/// First byte of a command packet.
pub mod command {
    /// COM_QUIT.
    pub const QUIT: u8 = 0x01;
    /// COM_INIT_DB.
    pub const INIT_DB: u8 = 0x02;
    /// COM_QUERY.
    pub const QUERY: u8 = 0x03;
    /// COM_FIELD_LIST.
    pub const FIELD_LIST: u8 = 0x04;
    /// COM_REFRESH.
    pub const REFRESH: u8 = 0x07;
    /// COM_STATISTICS.
    pub const STATISTICS: u8 = 0x09;
    /// COM_PROCESS_KILL.
    pub const PROCESS_KILL: u8 = 0x0c;
    /// COM_DEBUG.
    pub const DEBUG: u8 = 0x0d;
    /// COM_PING.
    pub const PING: u8 = 0x0e;
    /// COM_CHANGE_USER.
    pub const CHANGE_USER: u8 = 0x11;
    /// COM_BINLOG_DUMP.
    pub const BINLOG_DUMP: u8 = 0x12;
    /// COM_REGISTER_SLAVE.
    pub const REGISTER_SLAVE: u8 = 0x15;
    /// COM_STMT_PREPARE.
    pub const STMT_PREPARE: u8 = 0x16;
    /// COM_STMT_EXECUTE.
    pub const STMT_EXECUTE: u8 = 0x17;
    /// COM_STMT_SEND_LONG_DATA.
    pub const STMT_SEND_LONG_DATA: u8 = 0x18;
    /// COM_STMT_CLOSE.
    pub const STMT_CLOSE: u8 = 0x19;
    /// COM_STMT_RESET.
    pub const STMT_RESET: u8 = 0x1a;
    /// COM_SET_OPTION.
    pub const SET_OPTION: u8 = 0x1b;
    /// COM_STMT_FETCH.
    pub const STMT_FETCH: u8 = 0x1c;
    /// COM_BINLOG_DUMP_GTID.
    pub const BINLOG_DUMP_GTID: u8 = 0x1e;
    /// COM_RESET_CONNECTION.
    pub const RESET_CONNECTION: u8 = 0x1f;
}

macro_rules! column_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// Type of a column or of a parameter, as the protocol numbers them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum ColumnType { $($(#[$doc])* $name = $number,)* }

        impl ColumnType {
            /// The type of this number, if there is one.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

column_types! {
    /// DECIMAL of old; as text.
    Decimal = 0,
    /// TINYINT, 1 byte.
    Tiny = 1,
    /// SMALLINT, 2 bytes.
    Short = 2,
    /// INT, 4 bytes.
    Long = 3,
    /// FLOAT, 4 bytes.
    Float = 4,
    /// DOUBLE, 8 bytes.
    Double = 5,
    /// NULL.
    Null = 6,
    /// TIMESTAMP.
    Timestamp = 7,
    /// BIGINT, 8 bytes.
    LongLong = 8,
    /// MEDIUMINT, 4 bytes.
    Int24 = 9,
    /// DATE.
    Date = 10,
    /// TIME.
    Time = 11,
    /// DATETIME.
    DateTime = 12,
    /// YEAR, 2 bytes.
    Year = 13,
    /// DATE as it is stored.
    NewDate = 14,
    /// VARCHAR as it is stored.
    VarChar = 15,
    /// BIT, as bytes.
    Bit = 16,
    /// TIMESTAMP as it is stored.
    Timestamp2 = 17,
    /// DATETIME as it is stored.
    DateTime2 = 18,
    /// TIME as it is stored.
    Time2 = 19,
    /// Boolean, never sent.
    Bool = 244,
    /// JSON, as text.
    Json = 245,
    /// DECIMAL, as text.
    NewDecimal = 246,
    /// ENUM, as text.
    Enum = 247,
    /// SET, as text.
    Set = 248,
    /// TINYBLOB and TINYTEXT.
    TinyBlob = 249,
    /// MEDIUMBLOB and MEDIUMTEXT.
    MediumBlob = 250,
    /// LONGBLOB and LONGTEXT.
    LongBlob = 251,
    /// BLOB and TEXT.
    Blob = 252,
    /// VARCHAR and VARBINARY.
    VarString = 253,
    /// CHAR and BINARY.
    String = 254,
    /// GEOMETRY, as bytes.
    Geometry = 255,
}

/// Flags of a column, a set of bits.
pub mod column_flag {
    /// Can't be NULL.
    pub const NOT_NULL: u16 = 1;
    /// Part of the primary key.
    pub const PRI_KEY: u16 = 1 << 1;
    /// Part of a unique key.
    pub const UNIQUE_KEY: u16 = 1 << 2;
    /// Part of a key that is not unique.
    pub const MULTIPLE_KEY: u16 = 1 << 3;
    /// BLOB or TEXT.
    pub const BLOB: u16 = 1 << 4;
    /// Unsigned.
    pub const UNSIGNED: u16 = 1 << 5;
    /// ZEROFILL.
    pub const ZEROFILL: u16 = 1 << 6;
    /// Binary collation or bytes.
    pub const BINARY: u16 = 1 << 7;
    /// ENUM.
    pub const ENUM: u16 = 1 << 8;
    /// AUTO_INCREMENT.
    pub const AUTO_INCREMENT: u16 = 1 << 9;
    /// TIMESTAMP.
    pub const TIMESTAMP: u16 = 1 << 10;
    /// SET.
    pub const SET: u16 = 1 << 11;
    /// Has no default.
    pub const NO_DEFAULT_VALUE: u16 = 1 << 12;
    /// Set to now on update.
    pub const ON_UPDATE_NOW: u16 = 1 << 13;
}

/// Collation ids, as sent for a column or at login.
pub mod collation {
    /// `latin1_swedish_ci`.
    pub const LATIN1_SWEDISH_CI: u16 = 8;
    /// `utf8mb3_general_ci`.
    pub const UTF8MB3_GENERAL_CI: u16 = 33;
    /// `utf8mb4_general_ci`.
    pub const UTF8MB4_GENERAL_CI: u16 = 45;
    /// `utf8mb4_bin`.
    pub const UTF8MB4_BIN: u16 = 46;
    /// `binary`: bytes, numbers and dates.
    pub const BINARY: u16 = 63;
    /// `utf8mb4_unicode_ci`.
    pub const UTF8MB4_UNICODE_CI: u16 = 224;
    /// `utf8mb4_0900_ai_ci`, the server's default.
    pub const UTF8MB4_0900_AI_CI: u16 = 255;
}
