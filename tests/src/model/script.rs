//! Stories about a few members, one event after the other, under the rules of the exploration: each step is
//! checked as any state there is. So a story reads as what happens, and fails where a rule breaks.

use super::node::{self, Act};
use super::{Bounds, Explorer, World};
use wire::id::{Ballot, Index};

/// A member, by number.
pub type Who = u8;

/// A step of a story: which rule broke, or what was expected and is not so.
pub type Told = Result<(), String>;

/// A group in the middle of a story.
pub struct Script {
    explorer: Explorer,
    world: World,
}

/// A message that was taken off its link, to arrive later, perhaps from a connection that is long gone.
#[derive(Clone, Copy)]
pub struct Held {
    to: Who,
    message: u32,
}

impl Script {
    /// A group of three: m0 leads, its opening is index 1, decided everywhere.
    ///
    /// # Errors
    /// A rule that does not hold even so far.
    pub fn formed() -> Result<Self, String> {
        let mut explorer = Explorer::new(Bounds::default());
        let first = explorer.first();
        let world = World { left: [u8::MAX; 7], ..explorer.form(first)? };
        Ok(Self { explorer, world })
    }

    fn act(&mut self, act: Act) -> Told {
        if let Some(next) = self.explorer.perform(&self.world, act)? {
            self.world = next;
        }
        Ok(())
    }

    fn on_link(&self, from: Who, to: Who) -> Option<usize> {
        self.world.flying.iter().position(|&(link, _)| node::ends(link) == (from, to))
    }

    /// Everything that is on its way from one to another now arrives, in its order.
    ///
    /// # Errors
    /// A rule breaks.
    pub fn deliver(&mut self, from: Who, to: Who) -> Told {
        let count = self.world.flying.iter().filter(|&&(link, _)| node::ends(link) == (from, to)).count();
        for _ in 0..count {
            let at = self.on_link(from, to).expect("nothing else takes them");
            let (link, _) = self.world.flying[at];
            self.act(Act::Deliver { link })?;
        }
        Ok(())
    }

    /// Everything that is on its way from one to another is lost.
    pub fn lose(&mut self, from: Who, to: Who) {
        self.world.flying.retain(|&(link, _)| node::ends(link) != (from, to));
    }

    /// Takes the first message on its way from one to another, to arrive later.
    ///
    /// # Errors
    /// There is none: the story goes another way.
    pub fn hold(&mut self, from: Who, to: Who) -> Result<Held, String> {
        let at = self.on_link(from, to).ok_or(format!("script: nothing is on its way from m{from} to m{to}"))?;
        let (_, message) = self.world.flying.remove(at);
        Ok(Held { to, message })
    }

    /// A held message arrives; it may again.
    ///
    /// # Errors
    /// A rule breaks.
    pub fn arrive(&mut self, held: Held) -> Told {
        let mut next = self.world.clone();
        self.explorer.step(&mut next, held.to, node::Step::Receive(held.message))?;
        self.explorer.check(&self.world, &mut next)?;
        self.world = next;
        Ok(())
    }

    /// A held message, as a member of another birth of the group would have sent it.
    pub fn of_another_birth(&mut self, held: Held) -> Held {
        Held { message: self.explorer.locals.of_another_birth(held.to, held.message), ..held }
    }

    /// A member's disk has stored every vote record that waits.
    ///
    /// # Errors
    /// A rule breaks.
    pub fn store_votes(&mut self, at: Who) -> Told {
        while self.explorer.locals.get(self.world.nodes[at as usize]).is_voting() {
            self.act(Act::StoreVote { at })?;
        }
        Ok(())
    }

    /// A member's disk has synced the log.
    ///
    /// # Errors
    /// A rule breaks.
    pub fn sync(&mut self, at: Who) -> Told {
        self.act(Act::Sync { at })
    }

    /// A member stands for leader.
    ///
    /// # Errors
    /// A rule breaks.
    pub fn stand(&mut self, at: Who) -> Told {
        self.act(Act::Stand { at })
    }

    /// A member proposes something.
    ///
    /// # Errors
    /// A rule breaks.
    pub fn propose(&mut self, at: Who) -> Told {
        self.act(Act::Propose { at })
    }

    /// A member asks to leave.
    ///
    /// # Errors
    /// A rule breaks.
    pub fn leave(&mut self, at: Who) -> Told {
        self.act(Act::Leave { at })
    }

    /// A process ends and comes back, with all that it wrote.
    ///
    /// # Errors
    /// A rule breaks.
    pub fn restart(&mut self, at: Who) -> Told {
        self.act(Act::Crash { at, lose_frames: false, lose_votes: false })
    }

    /// A machine ends and comes back: what was not synced is lost.
    ///
    /// # Errors
    /// A rule breaks.
    pub fn crash(&mut self, at: Who) -> Told {
        let local = self.explorer.locals.get(self.world.nodes[at as usize]);
        let (lose_frames, lose_votes) = (local.is_unsynced(), local.is_voting());
        self.act(Act::Crash { at, lose_frames, lose_votes })
    }

    /// The connections between two break, with what is on them, and come back.
    ///
    /// # Errors
    /// A rule breaks.
    pub fn reconnect(&mut self, at: Who, peer: Who) -> Told {
        self.act(Act::Break { at, peer })
    }

    /// Among these, everything happens until nothing is left to happen; between them and others, nothing.
    ///
    /// # Errors
    /// A rule breaks, or it never ends.
    pub fn settle(&mut self, these: &[Who]) -> Told {
        for _ in 0..10_000 {
            let among = |link: u8| these.contains(&node::ends(link).0) && these.contains(&node::ends(link).1);
            let next = self.world.flying.iter().find(|&&(link, _)| among(link)).map(|&(link, _)| Act::Deliver { link });
            let disk = these.iter().find_map(|&at| {
                let local = self.explorer.locals.get(self.world.nodes[at as usize]);
                let vote = local.is_voting().then_some(Act::StoreVote { at });
                vote.or(local.is_unsynced().then_some(Act::Sync { at }))
            });
            match disk.or(next) {
                Some(act) => self.act(act)?,
                None => return Ok(()),
            }
        }
        Err("script: it never ends".into())
    }

    /// Last index that a member has delivered.
    #[must_use]
    pub fn delivered(&self, at: Who) -> u64 {
        let delivered = self.explorer.locals.get(self.world.nodes[at as usize]).delivered();
        delivered.last().map_or(0, |&(index, _)| index.0)
    }

    /// Proposals that a member has delivered.
    #[must_use]
    pub fn proposals(&self, at: Who) -> u8 {
        self.explorer.locals.get(self.world.nodes[at as usize]).proposals_delivered()
    }

    /// Last index of a member's log.
    #[must_use]
    pub fn last(&self, at: Who) -> u64 {
        let Index(last) = self.explorer.locals.get(self.world.nodes[at as usize]).last();
        last
    }

    /// Whether a member leads.
    #[must_use]
    pub fn leads(&self, at: Who) -> bool {
        self.explorer.locals.get(self.world.nodes[at as usize]).leads().is_some()
    }

    /// What a member has promised.
    #[must_use]
    pub fn promised(&self, at: Who) -> Ballot {
        self.explorer.locals.get(self.world.nodes[at as usize]).promised()
    }

    /// Whether something is on its way from one to another.
    #[must_use]
    pub fn is_on_its_way(&self, from: Who, to: Who) -> bool {
        self.on_link(from, to).is_some()
    }
}

/// What a story expects at a place.
///
/// # Errors
/// It is not so.
pub fn expect(so: bool, what: &str) -> Told {
    if so { Ok(()) } else { Err(format!("expected: {what}")) }
}
