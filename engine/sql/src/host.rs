//! What the SQL half of a member asks of the other half: the order, the clock, the group. The node
//! implements it over the real group; the simulator over a simulated one. Every wait is a poll, so
//! that sessions are plain futures which any executor, a seeded one too, can drive.
//!
//! Absent on purpose: threads, sockets, files, and any decision about the order.

#![allow(missing_docs, reason = "rkyv derives undocumented structs for enum variants with fields")]

use std::rc::Rc;
use std::task::{Context, Poll};
pub use wire::entry::Refusal;
use wire::entry::{ArchivedEntry, Body, CatalogChange, GroupOptions, Gtid, VotingRole};
use wire::id::{Csn, Incarnation, Index, Uuid};

/// A proposal in flight. Unique within one process life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// How a proposal ended. Given once it is *visible* here (all earlier CSNs too), or certain not to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Certified, applied and visible.
    Committed {
        /// Its commit sequence number; the visible CSN is at least this.
        csn: Csn,
        /// The GTID that it got; `None` for entries that get none (markers).
        gtid: Option<Gtid>,
    },
    /// Certified negatively: 1213 / 40001 (or 3101). Nothing of it happened anywhere.
    Conflict,
    /// A DDL that its place in the order refuses: the object was there, or was not.
    Refused(Refusal),
    /// Void: the member was not ONLINE at its index. Nothing of it happened anywhere.
    Void,
    /// The member stopped waiting (left the group, shutdown): it may or may not be committed later.
    /// The session must close its connection.
    Unknown,
}

/// State of a member as `replication_group_members.MEMBER_STATE` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// Full member.
    Online,
    /// Joined, distributed recovery in progress.
    Recovering,
    /// Not in a group.
    Offline,
    /// Left against its will, or failed.
    Error,
    /// Suspected by the local failure detector.
    Unreachable,
}

/// One row of `replication_group_members` and `replication_group_member_stats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// `server_uuid`.
    pub uuid: Uuid,
    /// MEMBER_HOST.
    pub host: String,
    /// MEMBER_PORT.
    pub port: u16,
    /// MEMBER_STATE, as seen from here.
    pub state: MemberState,
    /// MEMBER_ROLE is PRIMARY (multi-primary: every ONLINE or RECOVERING member).
    pub primary: bool,
    /// As major*10000 + minor*100 + patch.
    pub version: u32,
    /// Voter or learner (not shown by MySQL's tables).
    pub role: VotingRole,
    /// Membership life.
    pub incarnation: Incarnation,
    /// COUNT_TRANSACTIONS_IN_QUEUE.
    pub in_queue: u64,
    /// COUNT_TRANSACTIONS_CHECKED.
    pub checked: u64,
    /// COUNT_CONFLICTS_DETECTED.
    pub conflicts: u64,
    /// COUNT_TRANSACTIONS_ROWS_VALIDATING.
    pub rows_validating: u64,
    /// TRANSACTIONS_COMMITTED_ALL_MEMBERS.
    pub committed_all: String,
    /// LAST_CONFLICT_FREE_TRANSACTION.
    pub last_conflict_free: String,
    /// COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE.
    pub applier_queue: u64,
    /// COUNT_TRANSACTIONS_REMOTE_APPLIED.
    pub applied: u64,
    /// COUNT_TRANSACTIONS_LOCAL_PROPOSED.
    pub proposed: u64,
    /// COUNT_TRANSACTIONS_LOCAL_ROLLBACK.
    pub rolled_back: u64,
}

/// The group as this member sees it at one moment. Cheap to hand out, never changed in place.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// Group Replication runs (between START and STOP).
    pub running: bool,
    /// This member's own state.
    pub state: MemberState,
    /// Whether a quorum answers.
    pub has_quorum: bool,
    /// `<fixed>:<n>`, empty when OFFLINE.
    pub view_id: String,
    /// Ordered by member uuid; exactly this member when OFFLINE.
    pub members: Vec<MemberStatus>,
    /// Primary of the present epoch (single-primary mode).
    pub primary: Option<Uuid>,
    /// Number of the present primary epoch.
    pub primary_epoch: u64,
    /// Settings of the present birth.
    pub options: GroupOptions,
    /// GTID_EXECUTED as of the visible CSN.
    pub gtid_executed: String,
    /// GTIDs received on the applier channel.
    pub gtid_received: String,
    /// Window in batches, `group_replication_get_write_concurrency()`.
    pub write_concurrency: u64,
    /// The present consensus leader.
    pub leader: Option<Uuid>,
    /// Further counters for SHOW STATUS, as (name, value).
    pub counters: Vec<(&'static str, u64)>,
    /// Share of recovery done, in percent, while RECOVERING.
    pub recovery_percent: Option<u8>,
}

/// START and STOP GROUP_REPLICATION, and forcing a membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupCommand {
    /// Bootstraps or joins, as `group_replication_bootstrap_group` says.
    Start {
        /// `USER=`.
        user: Option<String>,
        /// `PASSWORD=`.
        password: Option<String>,
    },
    /// Leaves.
    Stop,
    /// `group_replication_force_members`: these `local_address`es become the group.
    Force {
        /// As the operator wrote them, without blanks.
        addresses: Vec<String>,
    },
}

/// A change made with `SQL_LOG_BIN=0`, or one that is this server's own: kept in the local journal.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum LocalChange {
    /// Catalogue changes of this server alone (accounts).
    Catalog(Vec<CatalogChange>),
    /// A named setting of this server: recovery channel credentials, installed plugins, persisted
    /// variables. `None` removes it.
    Setting {
        /// For example `channel/group_replication_recovery/user`.
        name: String,
        /// Its value.
        value: Option<String>,
    },
}

impl LocalChange {
    /// The bytes of a journal record.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(self).expect("serialising into memory cannot fail");
        bytes.to_vec()
    }

    /// Reads a journal record; `None` when it is not one of this version.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut aligned = wire::frame::Buffer::with_capacity(bytes.len());
        aligned.extend_from_slice(bytes);
        rkyv::from_bytes::<Self, rkyv::rancor::Failure>(&aligned).ok()
    }
}

/// One logged transaction, for SHOW BINLOG EVENTS.
pub struct LoggedEntry<'a> {
    /// Its place in the group log.
    pub index: Index,
    /// Its CSN.
    pub csn: Csn,
    /// Its GTID.
    pub gtid: Gtid,
    /// The entry: a transaction, DDL, or a view that wrote a View_change event.
    pub entry: &'a ArchivedEntry,
}

/// Wall clock and monotonic clock, read once per batch of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Microseconds since 1970, UTC.
    pub unix_us: u64,
    /// Microseconds since some start; never falls.
    pub monotonic_us: u64,
}

/// The member around the SQL half.
pub trait Host {
    /// The clock.
    fn now(&self) -> Now;

    /// Random bits (salts, ids); from the seed in the simulator.
    fn random(&self) -> u64;

    /// The group, as of this moment.
    fn status(&self) -> Rc<GroupStatus>;

    /// `status().primary_epoch`, for every transaction asks for it.
    fn primary_epoch(&self) -> u64 {
        self.status().primary_epoch
    }

    /// `status().running`, for every change asks for it.
    fn is_running(&self) -> bool {
        self.status().running
    }

    /// Whether this member's rows are as new as any AFTER transaction that a client was answered: it is
    /// ONLINE and not cut off (`design.md` §9).
    fn is_assured(&self) -> bool;

    /// Hands a transaction, DDL or marker to the order. The stamp is the host's. From here the order
    /// alone decides: dropping the session changes nothing.
    ///
    /// # Errors
    /// The body again when the member may not propose now (not ONLINE, stopping): nothing happened.
    fn propose(&self, body: Body) -> Result<Ticket, Box<Body>>;

    /// How `ticket` ended. `Ready` once; the ticket is then forgotten.
    fn poll_outcome(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Outcome>;

    /// Nobody will ask for `ticket` any more (the session died).
    fn forget(&self, ticket: Ticket);

    /// `Ready` once the monotonic clock has reached `at_us`.
    fn poll_deadline(&self, at_us: u64, cx: &mut Context<'_>) -> Poll<()>;

    /// Begins START or STOP GROUP_REPLICATION; [`Host::poll_command`] says how it ended.
    fn command(&self, command: GroupCommand) -> Ticket;

    /// How a command ended: MySQL's error number and text (3092, 3096 ...).
    fn poll_command(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Result<(), (u16, String)>>;

    /// Writes a change to the local journal and syncs it. The caller applies it to its own state after.
    ///
    /// # Errors
    /// What the disk said.
    fn journal(&self, change: &LocalChange) -> Result<(), String>;

    /// Visits visible logged transactions with a CSN of at least `from`, in order, until `visit` says false.
    fn read_log(&self, from: Csn, visit: &mut dyn FnMut(&LoggedEntry<'_>) -> bool);

    /// `SHUTDOWN`: asks the process to stop cleanly.
    fn shutdown(&self);
}
