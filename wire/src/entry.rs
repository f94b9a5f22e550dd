//! What the group log holds: entries. One entry is one rkyv archive, read in place wherever it lies
//! (a received frame, the mapped log), and never decoded on the way to the applier.

#![allow(missing_docs, reason = "rkyv derives undocumented structs for enum variants with fields")]

use crate::id::{Ballot, Birth, Csn, Incarnation, Index, Run, TableId, Uuid};
use rkyv::{Archive, Deserialize, Serialize};

/// One entry of the group log.
///
/// Source: `design.md` §3 (proposals), §2 (entry).
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub struct Entry {
    /// Who proposed it, and its number there.
    pub stamp: Stamp,
    /// What it asks for.
    pub body: Body,
}

/// Where a proposal comes from. Every member delivers a stamp at most once, in its origin's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Stamp {
    /// The proposing member's incarnation.
    pub origin: Incarnation,
    /// Its process life; a higher run voids what lower ones left in flight.
    pub run: Run,
    /// n-th proposal of the run, from 1. 0: written by the leader itself and not numbered (openings, views).
    pub number: u64,
}

/// What an entry asks for.
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub enum Body {
    /// A leader's first entry under its ballot: nothing is known decided under the ballot before it is.
    Opening(Opening),
    /// The beginning of a new birth: bootstrap, or the lazily written fork of a server outside any group.
    Birth(NewBirth),
    /// A membership change.
    View(View),
    /// First number of a new run of an incarnation that was already a member.
    Run,
    /// The stamp's origin, a voter that has caught up, becomes ONLINE at this place in the order.
    Online,
    /// What every ONLINE member says each second (`design.md` §6).
    Report(Report),
    /// A transaction to certify.
    Transaction(Transaction),
    /// A change of the catalogue, at its place in the order.
    Ddl(Ddl),
    /// Nothing, visibly: BEFORE sessions wait until their marker is visible.
    Marker,
}

/// See [`Body::Opening`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Opening {
    /// The ballot that it opens.
    pub ballot: Ballot,
    /// A new primary and with it a new primary epoch (single-primary mode): only when no voter of the
    /// electing quorum hears the old one.
    pub new_primary: Option<Incarnation>,
}

/// See [`Body::Birth`].
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub struct NewBirth {
    /// The view that the birth begins with: one voter, the bootstrapper; or those whom an operator named.
    pub view: View,
    /// The birth that the log belonged to before; `Birth(0)` for none.
    pub parent: Birth,
    /// Last index that this birth shares with its parent: the one before this entry.
    pub fork: Index,
    /// What every member of the group must have set alike.
    pub options: GroupOptions,
}

/// Settings that are equal on all members (`sysvars.md`, "Group-wide").
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct GroupOptions {
    /// `group_replication_group_name`; for a server outside any group, its `server_uuid`. The UUID part
    /// of the GTIDs that the certifier assigns.
    pub name: Uuid,
    /// False for the birth of a server outside any group.
    pub group: bool,
    /// `group_replication_single_primary_mode`.
    pub single_primary: bool,
    /// `group_replication_enforce_update_everywhere_checks`.
    pub everywhere_checks: bool,
    /// `group_replication_gtid_assignment_block_size`, 1..=9223372036854775807.
    pub gtid_block_size: u64,
    /// UUID of View_change transactions; the group name unless `view_change_uuid` is set.
    pub view_change_uuid: Uuid,
    /// `view_change_events`: whether joins write a View_change transaction (ON: as up to 8.2).
    pub view_change_events: bool,
}

/// The member list, whole, with what made it differ from the one before.
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub struct View {
    /// The birth that it is numbered within.
    pub birth: Birth,
    /// n of the view id `<birth>:<n>`: 1 at bootstrap, one more for each join and leave (not for promotions).
    pub counter: u64,
    /// At most 9, ordered by member uuid.
    pub members: Vec<ViewMember>,
    /// Why it was written.
    pub cause: ViewCause,
}

/// Why a view was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub enum ViewCause {
    /// First view of a birth.
    Bootstrap,
    /// This incarnation came, as a learner.
    Join(Incarnation),
    /// This learner became a voter.
    Promote(Incarnation),
    /// This incarnation left of its own will.
    Leave(Incarnation),
    /// This incarnation was expelled, or replaced by a later one of the same server.
    Expel(Incarnation),
    /// First view of a birth that an operator forced: some members of the parent's view.
    Force,
}

/// One member of a view.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct ViewMember {
    /// `server_uuid`.
    pub uuid: Uuid,
    /// Its membership life.
    pub incarnation: Incarnation,
    /// Whether it counts for quorum.
    pub role: VotingRole,
    /// `group_replication_member_weight`, 0..=100.
    pub weight: u8,
    /// Version as MySQL prints it, as major*10000 + minor*100 + patch.
    pub version: u32,
    /// `server_id`.
    pub server_id: u32,
    /// MEMBER_HOST: `report_host`, else `hostname`.
    pub host: String,
    /// MEMBER_PORT: the SQL port.
    pub port: u16,
    /// `group_replication_local_address`, `host:port`.
    pub address: String,
}

/// Whether a member counts for quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub enum VotingRole {
    /// Counts for quorum.
    Voter,
    /// Receives the log but does not count.
    Learner,
}

/// What a member says of itself through the order, each second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Report {
    /// The least snapshot that it may still propose.
    pub least_snapshot: Csn,
    /// The CSN that the digests are of.
    pub digest_at: Csn,
    /// Rolling digest of verdicts up to `digest_at`.
    pub verdicts: u64,
    /// Digest of rows and index entries as of `digest_at`.
    pub rows: u64,
    /// Transactions that wait for apply (COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE).
    pub applier_queue: u64,
    /// Transactions applied since START (COUNT_TRANSACTIONS_REMOTE_APPLIED).
    pub applied: u64,
    /// COUNT_TRANSACTIONS_LOCAL_PROPOSED.
    pub proposed: u64,
    /// COUNT_TRANSACTIONS_LOCAL_ROLLBACK.
    pub rolled_back: u64,
}

/// `uuid:number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Archive, Serialize, Deserialize)]
#[rkyv(derive(Debug))]
pub struct Gtid {
    /// Group name, or the uuid of the server that assigned it.
    pub uuid: Uuid,
    /// 1..=9223372036854775806.
    pub number: u64,
}

/// A transaction as it is proposed: what it saw, what it touched, what it changed.
///
/// Source: `design.md` §5.2-5.3; MySQL `Transaction_context_log_event`.
#[derive(Clone, Debug, Default, PartialEq, Archive, Serialize, Deserialize)]
pub struct Transaction {
    /// The origin's visible CSN when it was proposed.
    pub snapshot: Csn,
    /// Primary epoch as read at its BEGIN.
    pub primary_epoch: u64,
    /// `GTID_NEXT`, where the session set one.
    pub gtid: Option<Gtid>,
    /// Original commit timestamp, microseconds since 1970, for the Gtid event only.
    pub committed_at_us: u64,
    /// `server_id` of the origin.
    pub server_id: u32,
    /// Connection id at the origin.
    pub session: u32,
    /// Shown nowhere before all ONLINE members have applied it (`group_replication_consistency=AFTER`).
    pub after: bool,
    /// Every table that the transaction executed under, with its schema version. `RowChange::table`
    /// indexes this list.
    pub tables: Vec<TableVersion>,
    /// Hashes of rows written: before and after image, primary and every unique key.
    pub written: Vec<u64>,
    /// Hashes of referenced parents.
    pub shared: Vec<u64>,
    /// Hashes of rows locked but unchanged.
    pub read: Vec<u64>,
    /// Row and index changes, in execution order.
    pub rows: Vec<RowChange>,
}

/// A table and the schema version that a transaction executed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct TableVersion {
    /// Which table.
    pub table: TableId,
    /// Its version: the CSN of the DDL that made it so.
    pub version: Csn,
}

/// A change of one key of one key space: an insert (`before` is `None`), update or delete (`after` is `None`).
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct RowChange {
    /// Index into `Transaction::tables`.
    pub table: u16,
    /// Key space within the table: 0 for rows by primary key, n for its n-th secondary index.
    pub space: u16,
    /// Last change of its statement (STMT_END_F).
    pub statement_end: bool,
    /// Memcomparable key bytes.
    pub key: Vec<u8>,
    /// Stored bytes before, or `None` where the key did not exist.
    pub before: Option<Vec<u8>>,
    /// Stored bytes after, or `None` where the key is deleted.
    pub after: Option<Vec<u8>>,
}

/// A statement that changes the catalogue, with the changes that it asks for, all or nothing.
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub struct Ddl {
    /// Primary epoch as read when it began.
    pub primary_epoch: u64,
    /// `GTID_NEXT`, where the session set one.
    pub gtid: Option<Gtid>,
    /// Original commit timestamp, microseconds since 1970.
    pub committed_at_us: u64,
    /// `server_id` of the origin.
    pub server_id: u32,
    /// Connection id at the origin.
    pub session: u32,
    /// As in [`Transaction::after`].
    pub after: bool,
    /// Current database of the session, empty for none (SHOW BINLOG EVENTS prints ``use `db`; ``).
    pub database: String,
    /// The statement, as the client wrote it.
    pub statement: String,
    /// What it changes.
    pub changes: Vec<CatalogChange>,
}

/// What kind of thing a catalogue object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Archive, Serialize, Deserialize)]
#[rkyv(derive(Debug))]
pub enum ObjectKind {
    /// `schema` is empty, `name` the database.
    Database,
    /// A base table of database `schema`. Dropping the database drops it.
    Table,
    /// An account: `schema` is the host, `name` the user.
    Account,
}

/// One change of one catalogue object. `definition` is opaque to the order: `engine/sql` writes and reads it.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub enum CatalogChange {
    /// The object must not exist, or nothing happens when `if_not_exists`.
    Create {
        /// What it is.
        kind: ObjectKind,
        /// See [`ObjectKind`].
        schema: String,
        /// See [`ObjectKind`].
        name: String,
        /// Opaque bytes.
        definition: Vec<u8>,
        /// Whether an existing object is left alone without an error.
        if_not_exists: bool,
    },
    /// The object must exist under `version`, the one that the origin saw.
    Replace {
        /// What it is.
        kind: ObjectKind,
        /// See [`ObjectKind`].
        schema: String,
        /// See [`ObjectKind`].
        name: String,
        /// Version that the origin saw; any other is a conflict.
        version: Csn,
        /// Opaque bytes.
        definition: Vec<u8>,
    },
    /// The object must exist, unless `if_exists`.
    Drop {
        /// What it is.
        kind: ObjectKind,
        /// See [`ObjectKind`].
        schema: String,
        /// See [`ObjectKind`].
        name: String,
        /// Whether a missing object is no error.
        if_exists: bool,
    },
}

/// Why the catalogue refuses a change, evaluated at its place in the order, the same on every member.
/// `schema` and `name` are the object's; see [`ObjectKind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Create: the object is there already.
    Exists { schema: String, name: String },
    /// Replace or drop: it is not there.
    Missing { schema: String, name: String },
    /// Create table: its database is not there.
    NoDatabase { schema: String },
    /// Replace: it has another version than the one that the origin saw.
    Changed { schema: String, name: String },
}
