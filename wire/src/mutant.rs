//! Bugs that can be planted on purpose: each breaks one rule, so that the simulator can show that it
//! would find it broken (`cargo sim --mutants`).
//!
//! The place that obeys the rule asks [`planted`]. Without the feature `mutants` the answer is the
//! constant false and the question costs nothing; the server is never built with it. With the feature,
//! a mutant is planted for one thread at a time, by the simulator.

/// Names each mutant, in words for the table and as the command line takes it.
macro_rules! mutants {
    ($($name:ident $text:literal $what:literal,)+) => {
        /// A rule broken on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant {
            $(#[doc = $what] $name,)+
        }

        impl Mutant {
            /// Every mutant there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As the command line names it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// What is done wrong, in a sentence.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)+
                }
            }
        }
    };
}

mutants! {
    // Consensus.
    LongestLogWins "longest-log-wins" "A candidate adopts the longest log of its quorum, whatever its ballot.",
    OwnLogKept "own-log-kept" "A candidate keeps its own log, whatever its quorum holds.",
    PromiseBeforeSync "promise-before-sync" "A promise is answered before the vote file holds it.",
    PromiseForgottenOnRestart "promise-forgotten-on-restart" "A restarted member no longer knows its promise.",
    PromiseRepeatedForLower "promise-for-lower-ballot" "A voter promises a ballot below the one that it has promised.",
    ElectionQuorumOffByOne "election-quorum-off-by-one" "A candidate is content with one promise less than a quorum.",
    CandidateCountsItself "candidate-counts-itself" "A candidate counts itself though the log that it adopted took its vote.",
    CommitQuorumOffByOne "commit-quorum-off-by-one" "A leader decides with one voter less than a quorum.",
    LearnerCounted "learner-counted" "Learners count for quorums.",
    LearnerConcludes "learner-concludes" "A learner concludes what is decided, and counts itself.",
    ViewCountedAmongOldVoters "view-counted-among-old-voters" "A view entry is decided by the voters before it.",
    FollowerCountsOldView "follower-counts-old-view" "A follower counts a quorum while a view is undecided.",
    TwoViewsAtOnce "two-views-at-once" "A view is appended while the one before it is undecided.",
    ViewBeforeOpening "view-before-opening" "A view is appended before the ballot's opening is decided.",
    LeaderSkipsOpening "leader-skips-opening" "A leader decides an older ballot's entries before its opening is decided.",
    FollowerSkipsOpening "follower-skips-opening" "A follower counts a quorum below the leader's opening.",
    OwnDiskCountedAtOnce "own-disk-counted-at-once" "A leader counts what it has appended as synced by itself.",
    ReceiptCountedAsSync "receipt-counted-as-sync" "A follower takes a frame's arrival as its leader's sync.",
    AppendedToldAsSynced "appended-told-as-synced" "A leader says of what it appended that it is synced.",
    SentToldAsDecided "sent-told-as-decided" "A leader says of what it sends that it is decided.",
    AckBeforeSync "ack-before-sync" "A follower acknowledges what its disk does not hold yet.",
    AckBeforeVoteStored "ack-before-vote-stored" "A follower acknowledges before the vote file holds its promise.",
    StaleAckCounted "stale-ack-counted" "A leader counts acknowledgements of an earlier ballot.",
    LowerBallotAccepted "lower-ballot-accepted" "A follower accepts frames of a leader below its promise.",
    DifferenceNotCut "difference-not-cut" "A follower keeps its own frame where the leader's differs.",
    DecidedOverOwnTail "decided-over-own-tail" "A follower applies the decided index to a tail that was not compared.",
    MatchedKeptAcrossBallots "matched-kept-across-ballots" "What matched the last leader's log counts as matching the next one's.",
    LeaderSyncedKeptAcrossBallots "leader-synced-kept" "What the last leader had synced counts for the next one.",
    UnsureVotes "unsure-votes" "A member whose machine restarted while sync_binlog was 0 votes with its log.",
    PageCacheTakenForDisk "page-cache-taken-for-disk" "Frames found at a start count as synced though only the page cache holds them.",
    CorruptMiddleTruncated "corrupt-middle-truncated" "A log with a damaged frame is cut there and votes.",
    ExpelledWithoutAgreement "expelled-without-agreement" "A leader expels whom it misses without the quorum's agreement.",
    AnotherBirthHeard "another-birth-heard" "Messages of another birth of the group are looked at like one's own.",
    ForkIgnored "fork-ignored" "A member without a quorum stays, though a forced birth goes on without it.",
    PrimaryLostByHearsay "primary-lost-by-hearsay" "A leader replaces a primary that it hears when another does not hear it.",
    BirthBeforeVoteStored "birth-before-vote-stored" "Who forces a birth leads in it before its vote file names it.",
    StandstillTolerated "standstill-tolerated" "A leader that brings nothing forward stays one as long as it is heard.",
    VoteInOneSlot "vote-in-one-slot" "A vote is written over the only record of the one before it.",
    ColdStartWithoutAll "cold-start-without-all" "A process that begins stands at once, whoever of the listed it has not heard yet.",
    PreVoteByOwnView "pre-vote-by-own-view" "A learner grants no pre-vote to a candidate whose log makes it a voter.",
    // Membership.
    ShutdownCutsTail "shutdown-cuts-tail" "Who leaves without a quorum cuts from its log what it may have acknowledged.",
    ShutdownGivesUpVote "shutdown-gives-up-vote" "A clean shutdown without a quorum gives up the vote.",
    ResumedServesAtOnce "resumed-serves-at-once" "A member that comes back serves before its run entry is visible to it.",
    JoinerKeepsTail "joiner-keeps-tail" "A joiner takes what it never knew decided of its log for decided.",
    DivergedStays "diverged-stays" "A member whose rows are wrong stays in the group when it is not to come back by itself.",
    // Checkpoints.
    CheckpointPassesLog "checkpoint-passes-log" "A checkpoint is kept before the log up to its index is synced.",
    CheckpointWithoutKeys "checkpoint-without-keys" "A checkpoint lacks the last writers of keys.",
    CheckpointWithoutAfter "checkpoint-without-after" "A checkpoint lacks the last AFTER transaction.",
    CheckpointsDroppedFirst "checkpoints-dropped-first" "Who begins with nothing drops its checkpoints before its log.",
    CheckpointWithoutCounters "checkpoint-without-counters" "A checkpoint lacks the counters of AUTO_INCREMENT columns.",
    OneCheckpointKept "one-checkpoint-kept" "The log is purged up to the newest checkpoint, and the older one goes.",
    CheckpointUnchecked "checkpoint-unchecked" "A checkpoint is kept whose rows are not those of their digest.",
    // Proposals.
    RepeatDelivered "repeat-delivered" "A proposal that was sent again is delivered again.",
    NumberSkipped "number-skipped" "A leader logs an origin's proposals with gaps.",
    OlderRunAccepted "older-run-accepted" "Numbers of an earlier run are delivered after those of a later one.",
    // Certification.
    StaleEpochAccepted "stale-epoch-accepted" "Transactions of a deposed primary are certified.",
    EpochKeptOnFailover "epoch-kept-on-failover" "A new primary begins no new epoch.",
    NotOnlineCertified "not-online-certified" "Transactions of an origin that is not ONLINE are certified.",
    SchemaVersionIgnored "schema-version-ignored" "A transaction that executed under another schema is certified.",
    FirstKeyUnchecked "first-key-unchecked" "The first key of a write set is not checked.",
    KeyNotRecorded "key-not-recorded" "The first key of a write set is not recorded.",
    ReadKeysIgnored "read-keys-ignored" "Rows that were locked and not changed are not checked.",
    CollectedPastStable "collected-past-stable" "Last writers are forgotten that an open transaction may conflict with.",
    YoungestGenerationOnly "youngest-generation-only" "Only the youngest generation of last writers is searched.",
    StableOverOpenSnapshots "stable-over-open-snapshots" "The stable CSN passes snapshots in use, and nobody looks.",
    // Rows, locks and sessions.
    UniqueKeyNotHashed "unique-key-not-hashed" "Write sets hold the primary key only.",
    BeforeImageNotHashed "before-image-not-hashed" "Write sets lack the keys that an update gives up.",
    SnapshotTooLate "snapshot-too-late" "A proposal claims to have seen one CSN more than was visible.",
    SnapshotMoves "snapshot-moves" "A transaction's snapshot moves on with each read.",
    LostUpdateAllowed "lost-update-allowed" "A row is locked and changed although it is newer than the snapshot.",
    HoldersNotDisplaced "holders-not-displaced" "An applier leaves local holders of what it changes alone.",
    HalfApplied "half-applied" "A transaction's first row is not applied.",
    VisibleTooLate "visible-too-late" "A transaction is acknowledged before it is visible.",
    AfterNotAwaited "after-not-awaited" "An AFTER transaction is acknowledged before all members have applied it.",
    BeforeNotAwaited "before-not-awaited" "A BEFORE session reads what is here.",
    HeldNotAwaited "held-not-awaited" "A new snapshot misses AFTER transactions that are applied here and not yet everywhere.",
    NewerNotAwaited "newer-not-awaited" "A statement that changes or locks a row takes a version that is not visible yet.",
    AssuredWhenCutOff "assured-when-cut-off" "A member that is cut off answers AFTER and BEFORE sessions.",
    AnsweredBeforeDecided "answered-before-decided" "A commit is acknowledged when it is proposed.",
    LocksReleasedAtProposal "locks-released-at-proposal" "Locks are released when a transaction is proposed, not when it is visible.",
    LocksNeverReleased "locks-never-released" "Locks outlive their transaction.",
    LocksShared "locks-shared" "Exclusive locks let others in.",
    UnknownReportedAsConflict "unknown-reported-as-conflict" "An unknown outcome is answered as a conflict.",
    UnknownTriedAgain "unknown-tried-again" "A statement whose outcome is unknown is tried again.",
    ConflictReportedAsCommitted "conflict-reported-as-committed" "A conflict is answered as a commit.",
    VoidReportedAsCommitted "void-reported-as-committed" "A void transaction is answered as a commit.",
    DigestWithoutRows "digest-without-rows" "The row digest does not cover new rows.",
    VersionsDroppedAboveFloor "versions-dropped-above-floor" "Versions that a snapshot reads are dropped.",
}

impl Mutant {
    /// The mutant of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mutant| mutant.name() == name)
    }

    /// Whether it is planted in the order, so that members without SQL and files can show it.
    #[must_use]
    pub fn is_of_the_order(self) -> bool {
        self <= Self::LeaderSyncedKeptAcrossBallots
            || matches!(self, Self::RepeatDelivered | Self::NumberSkipped | Self::OlderRunAccepted)
    }
}

#[cfg(feature = "mutants")]
mod switch {
    use super::Mutant;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Whether this thread runs with `mutant`.
    #[inline]
    #[must_use]
    pub fn planted(mutant: Mutant) -> bool {
        PLANTED.get() == Some(mutant)
    }

    /// Runs this thread with `mutant` from now on, or without any.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.set(mutant);
    }
}

#[cfg(feature = "mutants")]
pub use switch::{plant, planted};

/// False: the feature `mutants` is off.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
#[must_use]
pub const fn planted(_mutant: Mutant) -> bool {
    false
}

/// Whether mutants can be planted in this build.
pub const AVAILABLE: bool = cfg!(feature = "mutants");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_lead_back() {
        for &mutant in Mutant::ALL {
            assert_eq!(Mutant::named(mutant.name()), Some(mutant), "{mutant:?}");
            assert!(mutant.description().ends_with('.'), "{mutant:?}");
        }
    }

    #[test]
    fn none_is_planted_unless_asked_for() {
        assert!(Mutant::ALL.iter().all(|&mutant| !planted(mutant)));
    }
}
