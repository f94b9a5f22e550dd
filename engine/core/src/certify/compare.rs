//! Digests compared through the order: who differs from a quorum, and whether there is one (`design.md` §6).
//!
//! Every ONLINE member reports, for the last place that was named in the order, the digests of verdicts and rows
//! there. All members compare the same reports at the same index, so that they agree on who diverged.
//!
//! Invariant **[!]**: a member loses ONLINE only against equal digests, as of one CSN, of a quorum of voters; without
//! such a quorum nobody can tell who is right, and all stop writing.

use super::Certifier;
use crate::paxos::voters_of;
use std::collections::{BTreeMap, BTreeSet};
use wire::id::{Csn, Incarnation};

impl Certifier {
    /// Compares the reports as of `at`, after another one came.
    pub(super) fn compare(&mut self, at: Csn) {
        let Some((_, view)) = self.view.as_ref().filter(|_| at > Csn(0)) else { return };
        let voters: BTreeSet<Incarnation> = voters_of(view).map(|voter| voter.incarnation).collect();
        let quorum = voters.len() / 2 + 1;
        let reports: Vec<(Incarnation, (u64, u64))> = (self.members.iter())
            .filter(|(_, facts)| facts.online && facts.report.digest_at == at)
            .map(|(&who, facts)| (who, (facts.report.verdicts, facts.report.rows)))
            .collect();
        let mut equal: BTreeMap<(u64, u64), usize> = BTreeMap::new();
        for (_, digests) in reports.iter().filter(|(who, _)| voters.contains(who)) {
            *equal.entry(*digests).or_default() += 1;
        }
        // Who has not spoken may yet decide; but not who diverged: nothing that it reports counts.
        let spoke = |who: &Incarnation| reports.iter().any(|(reporter, _)| reporter == who);
        let diverged = |who: &Incarnation| self.members.get(who).is_some_and(|facts| facts.diverged);
        let silent = voters.iter().filter(|who| !spoke(who) && !diverged(who)).count();
        let alone = equal.len() == 1
            && self.members.iter().all(|(who, facts)| !facts.online || !voters.contains(who) || spoke(who));
        let Some((&most, &count)) = equal.iter().max_by_key(|&(_, &count)| count) else { return };
        if count >= quorum {
            self.alarm = None;
            for (who, _) in reports.iter().filter(|(_, digests)| *digests != most) {
                let facts = self.members.get_mut(who).expect("it has reported");
                (facts.online, facts.diverged) = (false, true);
            }
            if self.primary.is_some_and(|primary| self.members.get(&primary).is_some_and(|facts| facts.diverged)) {
                self.elect();
            }
            self.recompute_stable();
        } else if equal.len() > 1 && count + silent < quorum {
            self.alarm = Some(at);
        } else if alone {
            // Whoever differed is gone: the rest are equal, as far as any of them is ONLINE.
            self.alarm = None;
        }
    }

    /// The CSN at which digests differed and no quorum of voters had equal ones, until a later one is equal.
    #[must_use]
    pub fn alarm(&self) -> Option<Csn> {
        self.alarm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::Facts;
    use wire::entry::{Report, View, ViewCause, ViewMember, VotingRole};
    use wire::id::{Birth, Index, Uuid};

    /// Members 1.., ONLINE, each with the digest of rows that it reported as of CSN 5, or none yet; `learners` of them
    /// do not vote.
    fn group(rows: &[Option<u64>], learners: usize) -> Certifier {
        let mut certifier = Certifier { csn: Csn(9), ..Certifier::default() };
        let members = rows.iter().enumerate().map(|(at, _)| ViewMember {
            uuid: Uuid([at as u8 + 1; 16]),
            incarnation: Incarnation(at as u64 + 1),
            role: if at + learners < rows.len() { VotingRole::Voter } else { VotingRole::Learner },
            weight: 50,
            version: 80_036,
            server_id: 1,
            host: "h".into(),
            port: 1,
            address: "h:1".into(),
        });
        let view = View { birth: Birth(1), counter: 1, members: members.collect(), cause: ViewCause::Bootstrap };
        certifier.view = Some((Index(1), view));
        for (at, rows) in rows.iter().enumerate() {
            let digest_at = if rows.is_some() { Csn(5) } else { Csn(0) };
            let report = Report { digest_at, rows: rows.unwrap_or_default(), ..Report::default() };
            let facts = Facts { online: true, report, ..Facts::default() };
            certifier.members.insert(Incarnation(at as u64 + 1), facts);
        }
        certifier
    }

    /// Who loses ONLINE, and whether there is an alarm.
    #[test]
    fn only_a_quorum_of_equal_digests_tells_who_is_wrong() {
        type Case = (&'static [Option<u64>], usize, &'static [u64], bool);
        let cases: [Case; 12] = [
            (&[Some(7), Some(7), Some(7)], 0, &[], false),
            (&[Some(7), Some(7), Some(8)], 0, &[3], false),
            (&[Some(8), Some(7), Some(7)], 0, &[1], false),
            // The third has not spoken: two that differ are no quorum, and it may decide.
            (&[Some(7), Some(8), None], 0, &[], false),
            (&[Some(7), Some(8), Some(9)], 0, &[], true),
            (&[Some(7), Some(8)], 0, &[], true),
            (&[Some(7), None], 0, &[], false),
            (&[Some(7)], 0, &[], false),
            // Two are no quorum of five, and three others may still be equal.
            (&[Some(7), Some(7), Some(8), None, None], 0, &[], false),
            (&[Some(7), Some(7), Some(8), Some(8), Some(7)], 0, &[3, 4], false),
            (&[Some(7), Some(7), Some(8), Some(8), Some(9)], 0, &[], true),
            // A learner that is wrong goes, and does not count.
            (&[Some(7), Some(7), Some(8)], 1, &[3], false),
        ];
        for (rows, learners, gone, alarm) in cases {
            let mut certifier = group(rows, learners);
            certifier.compare(Csn(5));
            let diverged = certifier.members.iter().filter(|(_, facts)| facts.diverged && !facts.online);
            assert_eq!(diverged.map(|(who, _)| who.0).collect::<Vec<_>>(), gone, "{rows:?}");
            assert_eq!(certifier.alarm().is_some(), alarm, "{rows:?}");
        }
    }

    /// Of three the third is known to be wrong, and stays a voter until it has left: it decides nothing between the
    /// other two.
    #[test]
    fn who_diverged_is_not_waited_for() {
        let mut certifier = group(&[Some(7), Some(8), None], 0);
        let third = certifier.members.get_mut(&Incarnation(3)).expect("one of three");
        (third.online, third.diverged) = (false, true);
        certifier.compare(Csn(5));
        assert_eq!(certifier.alarm(), Some(Csn(5)));
    }

    /// While nobody knows who is right a member that is not ONLINE decides nothing; once all that are ONLINE are equal
    /// there is no difference left to be alarmed of.
    #[test]
    fn an_alarm_ends_when_whoever_differed_is_gone() {
        let mut certifier = group(&[Some(7), Some(8)], 0);
        certifier.compare(Csn(5));
        assert_eq!(certifier.alarm(), Some(Csn(5)));
        // A third came meanwhile, and is not ONLINE; the second leaves.
        let mut alone = group(&[Some(7), None], 0);
        alone.alarm = certifier.alarm;
        alone.members.get_mut(&Incarnation(2)).expect("one of two").online = false;
        alone.compare(Csn(5));
        assert_eq!(alone.alarm(), None);
        // But who is ONLINE and has yet to report may differ.
        let mut waits = group(&[Some(7), None], 0);
        waits.alarm = certifier.alarm;
        waits.compare(Csn(5));
        assert_eq!(waits.alarm(), Some(Csn(5)));
    }

    #[test]
    fn an_alarm_ends_when_a_quorum_is_equal_again() {
        let mut certifier = group(&[Some(7), Some(8), Some(9)], 0);
        certifier.compare(Csn(5));
        assert_eq!(certifier.alarm(), Some(Csn(5)));
        for facts in certifier.members.values_mut() {
            facts.report = Report { digest_at: Csn(6), rows: 1, ..facts.report };
        }
        certifier.compare(Csn(6));
        assert_eq!(certifier.alarm(), None);
    }
}
