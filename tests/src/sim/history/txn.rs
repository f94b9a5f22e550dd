//! One transaction as its client saw it.

use std::fmt;

/// What a client knows of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// Asked, no answer: it may or may not be there.
    Unknown,
    /// OK: it is there, once, for ever.
    Acknowledged,
    /// An error, or never asked to commit: nothing of it is there.
    #[default]
    Failed,
}

/// `group_replication_consistency` of a session: what it may not miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// What was acknowledged on the same member.
    #[default]
    Eventual,
    /// What was acknowledged anywhere.
    Before,
    /// As EVENTUAL; what it wrote is seen everywhere once acknowledged.
    After,
    /// Both.
    BeforeAndAfter,
}

impl Level {
    /// Whether a transaction at this level sees what was acknowledged on any member.
    #[must_use]
    pub fn sees_all(self) -> bool {
        matches!(self, Self::Before | Self::BeforeAndAfter)
    }

    /// Whether a transaction at this level is refused on a member that is cut off.
    #[must_use]
    pub fn is_refused_when_cut_off(self) -> bool {
        self != Self::Eventual
    }

    /// Whether what it wrote is seen on every member once it is acknowledged, but for EVENTUAL on one that is cut off.
    #[must_use]
    pub fn seen_by_all(self) -> bool {
        matches!(self, Self::After | Self::BeforeAndAfter)
    }
}

/// What is written and read, in one order of versions each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A list in one column, appended to by CONCAT.
    List(u64),
    /// A list of rows, appended to by INSERT.
    Rows(u64),
    /// A row with a version that each write adds one to.
    Register(u64),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(key) => write!(f, "list {key}"),
            Self::Rows(key) => write!(f, "row list {key}"),
            Self::Register(key) => write!(f, "register {key}"),
        }
    }
}

/// What a transaction did, in the order in which it did it. Every item that is written is unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Appended `item` to a list, or wrote it into a register.
    Write {
        /// Where.
        key: Key,
        /// What; nobody else writes the same.
        item: u64,
    },
    /// Read a whole list.
    List {
        /// Which.
        key: Key,
        /// All its items.
        items: Vec<u64>,
    },
    /// Read a register.
    Register {
        /// Which.
        key: Key,
        /// How many writes it has seen.
        version: u64,
        /// The last one; 0 for none.
        item: u64,
    },
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { key: key @ Key::Register(_), item } => write!(f, "wrote {item} to {key}"),
            Self::Write { key, item } => write!(f, "appended {item} to {key}"),
            Self::List { key, items } => write!(f, "read {key} as {items:?}"),
            Self::Register { key, version, item } => write!(f, "read {key} as {item}, version {version}"),
        }
    }
}

/// See the module. Places count the beginnings and ends of all transactions, in the order in which they
/// happened.
#[derive(Clone, Debug, Default)]
pub struct Txn {
    /// Whose.
    pub client: u64,
    /// Where.
    pub member: usize,
    /// Consistency level of its session.
    pub level: Level,
    /// Place of its beginning: before anything was asked.
    pub begin: u64,
    /// Place of the last answer, if there was one.
    pub end: Option<u64>,
    /// How it ended.
    pub fate: Fate,
    /// The member was ONLINE at its beginning and at its end: only then does it promise to be recent.
    pub online: bool,
    /// The member was not cut off at its beginning: what was acknowledged at AFTER is there.
    pub assured: bool,
    /// It has read without locks, and so has a snapshot.
    pub snapshot: bool,
    /// What it did.
    pub ops: Vec<Op>,
}

impl Txn {
    /// Keys and items that it wrote, in order.
    pub fn writes(&self) -> impl Iterator<Item = (Key, u64)> {
        self.ops.iter().filter_map(|op| match *op {
            Op::Write { key, item } => Some((key, item)),
            _ => None,
        })
    }

    /// In words, as `T<number>`.
    #[must_use]
    pub fn tell(&self, number: usize) -> String {
        let ops: Vec<_> = self.ops.iter().map(ToString::to_string).collect();
        let ended = match (self.end, self.fate) {
            (None, Fate::Failed) => "never asked to commit".to_owned(),
            (None, _) => "never answered".to_owned(),
            (Some(end), Fate::Acknowledged) => format!("acknowledged at {end}"),
            (Some(end), Fate::Failed) => format!("refused at {end}"),
            (Some(end), Fate::Unknown) => format!("outcome unknown at {end}"),
        };
        let (client, member, begin) = (self.client, self.member, self.begin);
        format!("T{number} (client {client} on m{member}, begun at {begin}, {ended}): {}", ops.join("; "))
    }
}
