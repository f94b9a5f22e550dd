use super::cut::{Cut, RowsHead, Slice};
use super::*;
use crate::certify::Judged;
use crate::effect::{Effects, Instant};
use crate::rng::Rng;
use wire::entry::{
    Body, Entry, GroupOptions, NewBirth, Report, Stamp, Transaction, View, ViewCause, ViewMember, VotingRole,
};
use wire::frame::{BatchBuilder, CHAIN_START, Frame, Place};
use wire::id::{Incarnation, Run, Uuid};

const ME: Incarnation = Incarnation(7);

/// A log of one member: births, reports, transactions that conflict now and then.
struct Log {
    frames: Vec<Frame>,
    rng: Rng,
    number: u64,
}

impl Log {
    fn new() -> Self {
        let mut log = Self { frames: Vec::new(), rng: Rng::new(3), number: 0 };
        let member = ViewMember {
            uuid: Uuid([1; 16]),
            incarnation: ME,
            role: VotingRole::Voter,
            weight: 50,
            version: 80_036,
            server_id: 1,
            host: "h".into(),
            port: 1,
            address: "h:1".into(),
        };
        let options = GroupOptions {
            name: Uuid([9; 16]),
            group: true,
            single_primary: false,
            everywhere_checks: false,
            gtid_block_size: 1000,
            view_change_uuid: Uuid([9; 16]),
            view_change_events: true,
        };
        let view = View { birth: Birth(5), counter: 1, members: vec![member], cause: ViewCause::Bootstrap };
        log.push(0, Body::Birth(NewBirth { view, parent: Birth(0), fork: Index(0), options }));
        log.number = 1;
        log.push(1, Body::Online);
        log
    }

    fn push(&mut self, number: u64, body: Body) {
        let mut batch = BatchBuilder::new();
        batch.push(&Entry { stamp: Stamp { origin: ME, run: Run(1), number }, body });
        let (first, chain) = self
            .frames
            .last()
            .map_or((Index(1), CHAIN_START), |frame| (frame.header().last().next(), frame.header().chain));
        let ballot = Ballot { round: 1, node: ME };
        let place = Place { first, ballot, previous_chain: chain, decided: Index(0), synced: Index(0) };
        self.frames.push(batch.into_frame(place));
    }

    /// One more transaction over a hundred keys, or a report.
    fn grow(&mut self, csn: Csn) {
        self.number += 1;
        let back = self.rng.below(12).min(csn.0);
        let body = if self.number.is_multiple_of(50) {
            Body::Report(Report { least_snapshot: Csn(csn.0 - back), ..Report::default() })
        } else {
            let written = (0..3).map(|_| self.rng.below(100).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
            Body::Transaction(Transaction { snapshot: Csn(csn.0 - back), written, ..Transaction::default() })
        };
        self.push(self.number, body);
    }
}

fn judge(certifier: &mut Certifier, frame: &Frame) -> Vec<Judged> {
    crate::member::replay(certifier, frame)
}

fn blocks_of(cut: &mut Cut) -> Vec<Vec<u8>> {
    let (mut blocks, mut pieces) = (Vec::new(), 3);
    loop {
        let slice = cut.slice(&mut |out| {
            pieces -= 1;
            out.extend_from_slice(b"rows");
            pieces == 0
        });
        match slice {
            Slice::More => {}
            Slice::Block(block) => blocks.push(block),
            Slice::End => return blocks,
        }
    }
}

/// A certifier restored at any point judges everything after as the one that never stopped, and is equal to it.
#[test]
fn a_restored_certifier_judges_as_one_that_never_restarted() {
    let (mut log, mut whole) = (Log::new(), Certifier::default());
    for at in 0..400 {
        if at >= 2 {
            log.grow(whole.csn());
        }
        judge(&mut whole, &log.frames[at]);
        if at % 37 == 36 {
            let point = crate::paxos::tail::point_after(&log.frames[at]);
            let before = whole.fingerprint();
            let mut cut = Cut::begin(point, &mut whole);
            cut.set_rows(whole.csn(), RowsHead::default());
            assert_eq!(whole.fingerprint(), before, "freezing changes nothing");
            // The member goes on while the blocks are made.
            let mut ahead = Certifier::default();
            log.frames.iter().for_each(|frame| drop(judge(&mut ahead, frame)));
            let mut restore = Restore::default();
            let mut rows = Vec::new();
            for block in blocks_of(&mut cut) {
                if let Restored::Rows(piece) = restore.block(&block).unwrap() {
                    rows.extend_from_slice(piece);
                }
            }
            assert_eq!(rows, b"rowsrowsrows");
            let (head, mut restored) = restore.finish().unwrap();
            assert_eq!(head.point(), point);
            assert_eq!(restored.fingerprint(), before);
            for _ in 0..60 {
                log.grow(ahead.csn());
                let frame = log.frames.last().unwrap();
                assert_eq!(judge(&mut restored, frame), judge(&mut ahead, frame));
            }
            assert_eq!(restored.fingerprint(), ahead.fingerprint());
            log.frames.truncate(at + 1);
            log.number -= 60;
        }
    }
    assert!(whole.counts().1 > 20, "some conflicts: {:?}", whole.counts());
}

/// Blocks out of order, twice, missing, cut short or of noise are refused, and nothing panics.
#[test]
fn blocks_from_outside_are_refused_not_trusted() {
    let (mut log, mut certifier) = (Log::new(), Certifier::default());
    for at in 0..100 {
        if at >= 2 {
            log.grow(certifier.csn());
        }
        judge(&mut certifier, &log.frames[at]);
    }
    let point = crate::paxos::tail::point_after(log.frames.last().unwrap());
    let mut cut = Cut::begin(point, &mut certifier);
    cut.set_rows(certifier.csn(), RowsHead::default());
    let blocks = blocks_of(&mut cut);
    assert!(blocks.len() >= 3);
    assert!(Restore::default().block(&blocks[1]).is_err(), "keys before the head");
    let mut twice = Restore::default();
    twice.block(&blocks[0]).unwrap();
    assert!(twice.block(&blocks[0]).is_err(), "two heads");
    assert!(matches!(Restore::default().finish(), Err(CheckpointError::Short { blocks: 0 })));
    for block in &blocks {
        for at in 0..block.len().min(2000) {
            let mut bad = block.clone();
            bad[at] ^= 1 << (at % 8);
            let mut restore = Restore::default();
            if restore.block(&blocks[0]).is_ok() {
                let _ = restore.block(&bad);
            }
            let mut restore = Restore::default();
            if restore.block(&bad).is_ok() {
                let _ = restore.finish();
            }
            let _ = Restore::default().block(&block[..at]);
        }
    }
}

/// The word of a checkpoint that was given up comes late: its file is not there, and keeps no log from being purged.
#[test]
fn what_was_given_up_is_not_kept() {
    let mut keeper = keeper::Keeper::new(u64::MAX, vec![Index(3)]);
    keeper.on_stored(Instant(0), Index(9), &mut Effects::default());
    assert_eq!(keeper.newest(), Some(Index(3)));
}
