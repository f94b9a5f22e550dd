//! The names of things: positions, numbers, members. Each is a type of its own, so that an index
//! is never passed for a CSN (`engine/ARCHITECTURE.md`, "Words").

use rkyv::{Archive, Deserialize, Serialize};
use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Archive, Serialize, Deserialize,
        )]
        #[rkyv(derive(Debug, Clone, Copy))]
        pub struct $name(pub u64);

        impl $name {
            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        paste_archived!($name);
    };
}

/// Reads the archived form of a number without naming its generated type.
macro_rules! paste_archived {
    ($name:ident) => {
        impl From<&<$name as Archive>::Archived> for $name {
            fn from(archived: &<$name as Archive>::Archived) -> Self {
                Self(archived.0.to_native())
            }
        }
    };
}

number! {
    /// Position of an entry in the group log: dense, from 1. 0 is "before the first".
    Index
}
number! {
    /// Commit sequence number: the n-th certified transaction of the group, dense, from 1, the same
    /// on every member. 0 is "nothing yet". Snapshots are CSNs.
    Csn
}
number! {
    /// One membership life of a member, unique for ever: a fresh random number at every START after a
    /// STOP and after every expulsion. Never 0 for a real member; 0 means "nobody".
    Incarnation
}
number! {
    /// One process life within an incarnation: a counter in the high 32 bits (compared first) and
    /// random bits in the low 32, synced in the vote file before it is used.
    Run
}
number! {
    /// Identity of one group since its bootstrap; views are numbered within it. Shown as the fixed
    /// part of a view id (100 ns units since 1970 plus a small random part, 17 digits in practice).
    Birth
}
number! {
    /// Identity of a table, given by the catalogue at the DDL's place in the order; never re-used.
    TableId
}

impl Run {
    /// The run after this one, with `random` in its low half.
    #[must_use]
    pub const fn successor(self, random: u32) -> Self {
        Self((((self.0 >> 32) + 1) << 32) | random as u64)
    }
}

/// Proposal number: a round, then the incarnation that stands, so that no two members share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Archive, Serialize, Deserialize)]
pub struct Ballot {
    /// Compared first. 0 is "none".
    pub round: u64,
    /// Who stands (an [`Incarnation`]).
    pub node: Incarnation,
}

impl Ballot {
    /// Below every ballot that anybody uses.
    pub const ZERO: Self = Self { round: 0, node: Incarnation(0) };
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}", self.round, self.node.0)
    }
}

/// A 128-bit identifier in the text form that MySQL prints (lower case, 8-4-4-4-12).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Archive, Serialize, Deserialize)]
#[rkyv(derive(Debug, Clone, Copy))]
pub struct Uuid(pub [u8; 16]);

/// Why a text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID: expected 32 hexadecimal digits as 8-4-4-4-12")]
pub struct UuidError;

impl Uuid {
    /// Reads `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, in either case.
    ///
    /// # Errors
    /// [`UuidError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, UuidError> {
        let text = text.as_bytes();
        if text.len() != 36 || [8, 13, 18, 23].iter().any(|&at| text[at] != b'-') {
            return Err(UuidError);
        }
        let mut digits = text.iter().filter(|&&c| c != b'-').map(|&c| (c as char).to_digit(16));
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) else {
                return Err(UuidError);
            };
            *byte = (high * 16 + low) as u8;
        }
        Ok(Self(bytes))
    }

    /// A version 4 UUID made of `random`.
    #[must_use]
    pub const fn from_random(random: u128) -> Self {
        let mut bytes = random.to_be_bytes();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }
}

impl From<&ArchivedUuid> for Uuid {
    fn from(archived: &ArchivedUuid) -> Self {
        Self(archived.0)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_text_round_trips_and_refuses_the_rest() {
        let text = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        assert_eq!(Uuid::parse(text).unwrap().to_string(), text);
        assert_eq!(Uuid::parse(&text.to_uppercase()).unwrap().to_string(), text);
        for bad in [
            "",
            "3e11fa47",
            "3e11fa47-71ca-11e1-9e33-c80aa942956",
            "3e11fa47x71ca-11e1-9e33-c80aa9429562",
            "3e11fa47-71ca-11e1-9e33-c80aa942956g",
        ] {
            assert_eq!(Uuid::parse(bad), Err(UuidError), "{bad}");
        }
    }

    #[test]
    fn a_later_run_is_greater_whatever_its_random_part() {
        let first = Run(0).successor(u32::MAX);
        assert!(first.successor(0) > first);
    }
}
