//! The whole boundary between the deterministic core and the world: what comes in, what goes out.
//!
//! The core withholds and the driver obeys: a message that must follow a disk write leaves the core
//! only after the write was reported, so a driver that performs every effect as soon as it sees it,
//! in order, is correct.

use crate::certify::Judged;
use crate::checkpoint::Checkpoint;
use crate::paxos::tail::Point;
use wire::entry::ViewMember;
use wire::frame::{Buffer, Frame};
use wire::gtid::GtidSet;
use wire::id::{Ballot, Birth, Csn, Incarnation, Index, Run};
use wire::message::{Channel, Label, Message, Trailer};

/// Microseconds of the member's monotonic clock since some start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// `us` microseconds later.
    #[must_use]
    pub const fn plus(self, us: u64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// Microseconds since `earlier`; 0 when it is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Whom a message goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// A member that [`Effect::Connect`] named.
    Member(Incarnation),
    /// An address: seeds, and joiners that are in no view yet.
    Address(String),
}

/// What a message carries behind it.
#[derive(Clone, Debug, Default)]
pub enum Payload {
    /// Nothing.
    #[default]
    None,
    /// Log frames, sent without copying them first.
    Frames(Vec<Frame>),
    /// Serialised entries.
    Entries(Buffer),
}

impl Payload {
    /// As it travels.
    #[must_use]
    pub fn trailer(&self) -> Trailer<'_> {
        match self {
            Payload::None => Trailer::None,
            Payload::Frames(frames) => Trailer::Frames(frames),
            Payload::Entries(entries) => Trailer::Bytes(entries),
        }
    }
}

/// What a member must never forget: written to both slots of the vote file, synced, then reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vote {
    /// Grows with each record.
    pub generation: u64,
    /// No ballot below this is answered any more.
    pub promised: Ballot,
    /// The birth that the member belongs to; 0 for none.
    pub birth: Birth,
    /// Its membership life; 0 for none.
    pub incarnation: Incarnation,
    /// Its process life.
    pub run: Run,
    /// Whether the group, as far as the member knows, still lists it.
    pub listed: bool,
    /// Its log may lack what it acknowledged: its machine restarted while only the page cache had that.
    pub unsure: bool,
}

/// What the world reports.
#[derive(Debug)]
pub enum Input {
    /// A message from a peer that greeted as `from`.
    Received {
        /// Who.
        from: Incarnation,
        /// Its address, as it greeted.
        address: String,
        /// Whom it is for, and its sender's birth.
        label: Label,
        /// What.
        message: Message,
        /// Frames or entries behind it.
        payload: Buffer,
    },
    /// The order connection to a member is up.
    PeerUp(Incarnation),
    /// It was reset: counts as silence at once.
    PeerDown(Incarnation),
    /// The log is synced up to `index`, as far as `sync_binlog` promises; `cuts` is the number of
    /// cuts that it had seen when the sync began.
    Synced {
        /// Highest synced index.
        index: Index,
        /// Cuts before the sync began.
        cuts: u64,
    },
    /// A server at an address that was asked to add this one does not let it in, and would not later.
    Refused {
        /// Whose.
        address: String,
        /// Why, in its words.
        reason: String,
    },
    /// A vote record is durable.
    VoteStored {
        /// Its generation.
        generation: u64,
    },
    /// Frames asked for by [`Effect::Read`].
    ReadDone {
        /// As asked.
        token: u64,
        /// Frames after the index asked for, in order; empty when there are none there.
        frames: Vec<Frame>,
    },
    /// A block of a checkpoint is in its file: the next may come.
    CheckpointWritten,
    /// A checkpoint is durable.
    CheckpointStored {
        /// The index that it is of.
        index: Index,
    },
    /// What [`Effect::ReadCheckpoint`] asked for.
    CheckpointRead {
        /// As asked.
        token: u64,
        /// What there is.
        part: CheckpointPart,
    },
    /// A checkpoint could not be written; what there was of it is gone.
    CheckpointFailed {
        /// What the disk said.
        reason: String,
    },
}

/// A part of a stored checkpoint.
#[derive(Debug)]
pub enum CheckpointPart {
    /// Where it lies, its bytes, and the hash of each block.
    Head {
        /// The place in the log that it is of.
        point: Point,
        /// Bytes of all blocks.
        bytes: u64,
        /// Of each block.
        hashes: Vec<u64>,
    },
    /// A block.
    Block(Vec<u8>),
    /// There is none, or it is damaged.
    Gone,
}

/// What is to be done with the file of a checkpoint, in this order.
#[derive(Debug)]
pub enum CheckpointWrite {
    /// Begin one.
    Begin {
        /// The place in the log that it is of.
        point: Point,
        /// It comes from a peer: it counts once the log begins behind it ([`Effect::ResetLog`]).
        incoming: bool,
    },
    /// Write the next block; [`Input::CheckpointWritten`] follows.
    Block(Vec<u8>),
    /// It is whole: make it durable; [`Input::CheckpointStored`] follows.
    End,
    /// Give it up.
    Abandon,
}

/// What the world is to do, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Send a message; losing it is allowed.
    Send {
        /// To whom.
        to: Peer,
        /// On which of its connections.
        channel: Channel,
        /// Whom it is for by incarnation, and this member's birth.
        label: Label,
        /// What.
        message: Message,
        /// Behind it.
        payload: Payload,
    },
    /// Append a frame to the log; [`Input::Synced`] follows when it is synced.
    Append(Frame),
    /// Record in the vote file, then drop all frames after `after` and go on in a fresh segment.
    Cut {
        /// Last index kept.
        after: Index,
    },
    /// Drop the whole log: it belongs to another lineage, and the group has all that it holds.
    ResetLog,
    /// Store a vote record; [`Input::VoteStored`] follows.
    StoreVote(Vote),
    /// Write a checkpoint; [`Input::CheckpointFailed`] may follow any of it.
    Checkpoint(CheckpointWrite),
    /// Read a stored checkpoint; [`Input::CheckpointRead`] follows.
    ReadCheckpoint {
        /// Comes back with the answer.
        token: u64,
        /// Which.
        index: Index,
        /// A block by its number; without, the head.
        block: Option<u64>,
    },
    /// Drop the whole log and begin behind the incoming checkpoint, which is durable: it is the only one now.
    RestartLog {
        /// The place that it is of.
        base: Point,
    },
    /// Load the head of a checkpoint beside what is served.
    RestoreBegin(Box<Checkpoint>),
    /// Load a piece of its rows.
    RestoreRows(Vec<u8>),
    /// All rows came: are they those that the checkpoint was cut of? [`crate::member::Member::restore_failed`] is to
    /// be told if not, as after any failure before.
    RestoreCheck,
    /// Put what was loaded in the place of what is served.
    RestoreEnd {
        /// The CSN that it is as of.
        csn: Csn,
        /// GTIDs executed up to there.
        executed: Box<GtidSet>,
    },
    /// Give up what was loaded.
    RestoreAbandon,
    /// Checkpoints and log that are no longer needed may go.
    Retain {
        /// The checkpoints to keep; all others go.
        checkpoints: Vec<Index>,
        /// Frames at and below this index may go; settings may say how much of it stays.
        log_after: Index,
    },
    /// Read frames after `after` from the log; [`Input::ReadDone`] follows.
    Read {
        /// Comes back with the answer.
        token: u64,
        /// The frame that starts right after this.
        after: Index,
        /// At most so many bytes, at least one frame.
        bytes_max: usize,
    },
    /// The members to keep connections with (this one excepted).
    Connect(Vec<ViewMember>),
    /// A decided frame, in index order, gap-free.
    Deliver(Frame),
    /// A decided frame with what became of each of its entries.
    Apply {
        /// The frame.
        frame: Frame,
        /// One for each entry, in order.
        judged: Vec<Judged>,
    },
    /// The rows are now as of the checkpoint that was begun: [`crate::member::Member::rows_reached`] is to be told.
    CutRows,
    /// Forget all rows: the log is rebuilt from its first index ([`Effect::ResetLog`] comes first).
    ResetState,
    /// How START or STOP ended.
    CommandDone(Result<(), CommandError>),
    /// Nothing proposed so far will be heard of again here: its outcome is unknown.
    MembershipEnded,
    /// The member gave up coming back: what `group_replication_exit_state_action` says is to be done.
    Exit(ExitAction),
    /// For the operators' log.
    Note(Note),
}

/// `group_replication_exit_state_action`: what a server does that left its group against its will for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExitAction {
    /// Stays `super_read_only`.
    #[default]
    ReadOnly,
    /// And lets in only who may administer connections.
    OfflineMode,
    /// Ends.
    AbortServer,
}

/// Why START or STOP GROUP_REPLICATION failed, with MySQL's error number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CommandError {
    /// 3092, 3093, 3097, 3191 ... (`sql.md` §3).
    pub code: u16,
    /// What and why.
    pub reason: String,
}

/// How much an operator should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Normal life.
    System,
    /// Worth a look.
    Warning,
    /// Something is lost or refused.
    Error,
}

/// A line for the operators' log, in MySQL's words where it has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How much an operator should care.
    pub level: Level,
    /// MySQL's code (`MY-011494`), 0 where it has none.
    pub code: u32,
    /// What happened.
    pub text: String,
}

/// Effects in the order in which they must be started.
#[derive(Debug, Default)]
pub struct Effects {
    queue: std::collections::VecDeque<Effect>,
    /// What messages name as their sender's birth.
    birth: Birth,
}

impl Effects {
    /// Adds one at the end.
    pub fn push(&mut self, effect: Effect) {
        self.queue.push_back(effect);
    }

    /// Takes the first.
    pub fn pop(&mut self) -> Option<Effect> {
        self.queue.pop_front()
    }

    /// Takes all.
    pub(crate) fn take(&mut self) -> std::collections::VecDeque<Effect> {
        std::mem::take(&mut self.queue)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Messages that follow are from a member of `birth`.
    pub(crate) fn set_birth(&mut self, birth: Birth) {
        self.birth = birth;
    }

    /// Sends on the order's connection.
    pub(crate) fn send(&mut self, to: Incarnation, message: Message) {
        self.post(Peer::Member(to), Channel::Order, message, Payload::None);
    }

    /// Sends a message; losing it is allowed.
    pub(crate) fn post(&mut self, to: Peer, channel: Channel, message: Message, payload: Payload) {
        let incarnation = match &to {
            Peer::Member(incarnation) => *incarnation,
            Peer::Address(_) => Incarnation(0),
        };
        self.post_to(incarnation, to, channel, message, payload);
    }

    /// The same for `incarnation`, wherever it is.
    pub(crate) fn post_to(
        &mut self,
        incarnation: Incarnation,
        to: Peer,
        channel: Channel,
        message: Message,
        payload: Payload,
    ) {
        let label = Label { to: incarnation, birth: self.birth };
        self.push(Effect::Send { to, channel, label, message, payload });
    }

    pub(crate) fn note(&mut self, level: Level, code: u32, text: String) {
        self.push(Effect::Note(Note { level, code, text }));
    }
}
