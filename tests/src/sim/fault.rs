//! What goes wrong: one thing at a time, of the kinds that the seed has.

use super::cluster::{Cluster, Event, Failure};
use engine_sql::host::GroupCommand;

impl Cluster {
    pub(super) fn fault(&mut self) -> Result<(), Failure> {
        let faults = self.setup.faults;
        let kinds: Vec<u8> = [
            (faults.crash, 0),
            (faults.crash_all, 1),
            (faults.reset, 2),
            (faults.partition, 3),
            (faults.one_way, 4),
            (faults.pause, 5),
            (faults.churn, 6),
        ]
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, kind)| kind)
        .collect();
        if kinds.is_empty() {
            return Ok(());
        }
        let count = self.nodes.len() as u64;
        let (node, other) = (self.rng.below(count) as usize, self.rng.below(count) as usize);
        match kinds[self.rng.below(kinds.len() as u64) as usize] {
            0 => {
                let back = 50_000 + self.rng.below(1_500_000);
                self.crash(node, back)?;
            }
            1 => {
                for node in 0..self.nodes.len() {
                    let back = 10_000 + self.rng.below(500_000);
                    self.crash(node, back)?;
                }
            }
            2 => {
                self.break_link(node, other)?;
                if self.rng.percent(50) {
                    self.break_link(other, node)?;
                }
            }
            3 => self.partition(node),
            4 => {
                self.network.silent.clear();
                if self.rng.percent(60) && node != other {
                    self.say(|| format!("nothing from m{node} reaches m{other} any more"));
                    self.network.silent.insert((node, other));
                }
            }
            5 => {
                let pause = 20_000 + self.rng.below(1_200_000);
                self.say(|| format!("m{node} stands still for {pause} us"));
                self.nodes[node].paused = true;
                self.schedule(pause, Event::Unpause { node });
            }
            _ => self.churn(node),
        }
        Ok(())
    }

    /// Silence both ways around one member; healed by the next fault of this kind.
    fn partition(&mut self, node: usize) {
        self.network.silent.clear();
        if self.rng.percent(60) {
            self.say(|| format!("m{node} is cut off"));
            for peer in (0..self.nodes.len()).filter(|&peer| peer != node) {
                self.network.silent.extend([(node, peer), (peer, node)]);
            }
        } else {
            self.say(|| "all links are well".into());
        }
    }

    /// A member leaves; its operator starts it again.
    fn churn(&mut self, node: usize) {
        let Some(engine) = self.engine(node).filter(|_| self.is_online(node)) else { return };
        // The last two stay: a group that all have left is gone.
        let idle = self.nodes.iter().all(|node| node.command.is_none());
        let others = (0..self.nodes.len()).filter(|&other| other != node && self.is_online(other)).count();
        if idle && others >= 2 {
            self.say(|| format!("m{node} is told to STOP"));
            self.nodes[node].command = Some(engine.host().command(GroupCommand::Stop));
            self.want_turn(node);
        }
    }
}
