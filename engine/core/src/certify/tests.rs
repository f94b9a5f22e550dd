use super::*;
use crate::rng::Rng;
use wire::entry::{Body, Entry, Transaction, ViewMember};
use wire::frame::{BatchBuilder, Entries};
use wire::id::Birth;

const A: Incarnation = Incarnation(1);

fn judge(certifier: &mut Certifier, stamp: Stamp, body: Body) -> Verdict {
    let mut batch = BatchBuilder::new();
    batch.push(&Entry { stamp, body });
    let index = certifier.index().next();
    let (_, entry) = Entries::new(batch.body(), index, 1).next().unwrap();
    certifier.judge(index, entry.stamp(), entry.view()).verdict
}

fn begun(single_primary: bool) -> Certifier {
    let member = ViewMember {
        uuid: Uuid([1; 16]),
        incarnation: A,
        role: VotingRole::Voter,
        weight: 50,
        version: 80036,
        server_id: 1,
        host: "h".into(),
        port: 1,
        address: "h:2".into(),
    };
    let view = View { birth: Birth(1), counter: 1, members: vec![member], cause: ViewCause::Bootstrap };
    let options = GroupOptions {
        name: Uuid([0xaa; 16]),
        group: true,
        single_primary,
        everywhere_checks: false,
        gtid_block_size: 1,
        view_change_uuid: Uuid([0xaa; 16]),
        view_change_events: true,
    };
    let mut certifier = Certifier::default();
    let birth = Body::Birth(NewBirth { view, parent: Birth(0), fork: Index(0), options });
    let verdict = judge(&mut certifier, Stamp { origin: A, ..Stamp::default() }, birth);
    assert!(matches!(verdict, Verdict::Committed { csn: Csn(1), .. }), "the bootstrap writes a View_change");
    certifier
}

fn transaction(snapshot: u64, written: &[u64], read: &[u64]) -> Transaction {
    Transaction {
        snapshot: Csn(snapshot),
        primary_epoch: 1,
        written: written.to_vec(),
        read: read.to_vec(),
        ..Transaction::default()
    }
}

fn stamp(number: u64) -> Stamp {
    Stamp { origin: A, run: Run(1), number }
}

#[test]
fn first_committer_wins() {
    let mut certifier = begun(false);
    // Snapshot, keys written, keys read; the CSN or the conflict.
    type Case<'a> = (u64, &'a [u64], &'a [u64], Result<u64, Conflict>);
    let cases: [Case<'_>; 7] = [
        (1, &[10], &[], Ok(2)),
        (1, &[10], &[], Err(Conflict::Key)),
        (2, &[10], &[], Ok(3)),
        (2, &[11], &[10], Err(Conflict::Key)),
        (2, &[11], &[12], Ok(4)),
        (2, &[12], &[], Ok(5)), // only read before: no conflict
        (99, &[13], &[], Err(Conflict::Stable)),
    ];
    for (number, (snapshot, written, read, expected)) in cases.into_iter().enumerate() {
        let body = Body::Transaction(transaction(snapshot, written, read));
        let found = match judge(&mut certifier, stamp(number as u64 + 1), body) {
            Verdict::Committed { csn, .. } => Ok(csn.0),
            Verdict::Conflict(conflict) => Err(conflict),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "case {number}");
    }
}

#[test]
fn a_repeat_is_delivered_once_and_a_stranger_is_void() {
    let mut certifier = begun(false);
    let body = || Body::Transaction(transaction(1, &[1], &[]));
    assert!(matches!(judge(&mut certifier, stamp(1), body()), Verdict::Committed { .. }));
    assert_eq!(judge(&mut certifier, stamp(1), body()), Verdict::Repeat);
    let stranger = Stamp { origin: Incarnation(9), run: Run(1), number: 1 };
    assert_eq!(judge(&mut certifier, stranger, body()), Verdict::Void);
}

#[test]
fn a_stale_primary_epoch_is_a_conflict() {
    let mut certifier = begun(true);
    let old = Transaction { primary_epoch: 0, ..transaction(1, &[1], &[]) };
    assert_eq!(judge(&mut certifier, stamp(1), Body::Transaction(old)), Verdict::Conflict(Conflict::Epoch));
}

#[test]
fn below_the_stable_csn_is_a_verdict() {
    let mut certifier = begun(false);
    for number in 1..=5 {
        judge(&mut certifier, stamp(number), Body::Transaction(transaction(number, &[number], &[])));
    }
    let report = Report { least_snapshot: Csn(4), ..Report::default() };
    judge(&mut certifier, stamp(6), Body::Report(report));
    assert_eq!(certifier.stable(), Csn(4));
    let old = Body::Transaction(transaction(3, &[77], &[]));
    assert_eq!(judge(&mut certifier, stamp(7), old), Verdict::Conflict(Conflict::Stable));
}

/// Against the rule as the manual states it, over plain maps.
#[test]
fn verdicts_equal_a_naive_model() {
    let (mut certifier, mut rng) = (begun(false), Rng::new(3));
    let (mut writers, mut csn) = (BTreeMap::<u64, u64>::new(), 1);
    for number in 1..=20_000 {
        let snapshot = csn - rng.below(20.min(csn));
        let written: Vec<_> = (0..=rng.below(3)).map(|_| rng.below(300)).collect();
        let clash = written.iter().any(|key| writers.get(key).is_some_and(|&writer| writer > snapshot));
        let body = Body::Transaction(transaction(snapshot, &written, &[]));
        let verdict = judge(&mut certifier, stamp(number), body);
        assert_eq!(clash, matches!(verdict, Verdict::Conflict(Conflict::Key)), "transaction {number}");
        if !clash {
            csn += 1;
            writers.extend(written.into_iter().map(|key| (key, csn)));
        }
    }
}

/// Others may wait for what a member that restarts from a checkpoint says of it.
#[test]
fn the_last_after_transaction_survives_a_checkpoint() {
    let mut certifier = begun(false);
    let after = Transaction { after: true, ..transaction(1, &[1], &[]) };
    assert!(matches!(judge(&mut certifier, stamp(1), Body::Transaction(after)), Verdict::Committed { .. }));
    let last = certifier.last_after();
    assert_eq!(last, certifier.index());
    let restored = certifier.image().restore(WriteIndex::default()).expect("an image that a certifier gave");
    assert_eq!(restored.last_after(), last);
}
