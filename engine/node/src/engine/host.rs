//! What sessions ask of the engine: proposals, commands, deadlines, the log.

use super::{CommandState, Inner, Waiting, instant};
use engine_sql::host::{GroupCommand, GroupStatus, Host, LocalChange, LoggedEntry, Now, Outcome, Ticket};
use std::rc::Rc;
use std::task::{Context, Poll};
use wire::entry::Body;
use wire::id::Csn;

impl Host for Inner {
    fn now(&self) -> Now {
        self.now.get()
    }

    fn random(&self) -> u64 {
        self.world.random()
    }

    fn status(&self) -> Rc<GroupStatus> {
        self.statuses.get(|| {
            let stable = self.stable_set();
            crate::status::of(&self.member(), self.uuid, &stable)
        })
    }

    fn primary_epoch(&self) -> u64 {
        self.member().certifier().epoch()
    }

    fn is_running(&self) -> bool {
        self.member().is_running()
    }

    fn is_assured(&self) -> bool {
        self.member().is_assured(instant(self.now.get()))
    }

    fn propose(&self, body: Body) -> Result<Ticket, Box<Body>> {
        let number = self.propose_body(body)?;
        let ticket = self.ticket();
        self.numbers.borrow_mut().insert(number, ticket);
        self.tickets.borrow_mut().insert(ticket, Waiting::For(None));
        Ok(ticket)
    }

    fn poll_outcome(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut tickets = self.tickets.borrow_mut();
        match tickets.get_mut(&ticket) {
            Some(Waiting::For(waker)) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Waiting::Done(_)) => match tickets.remove(&ticket) {
                Some(Waiting::Done(outcome)) => Poll::Ready(outcome),
                _ => unreachable!("just seen"),
            },
            None => Poll::Ready(Outcome::Unknown),
        }
    }

    fn forget(&self, ticket: Ticket) {
        self.tickets.borrow_mut().remove(&ticket);
    }

    fn poll_deadline(&self, at_us: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.now.get().monotonic_us >= at_us {
            return Poll::Ready(());
        }
        let id = self.next_timer.get();
        self.next_timer.set(id + 1);
        let mut timers = self.timers.borrow_mut();
        // A task that polls again replaces its timer: tasks wait for one thing at a time.
        let again: Vec<_> = (timers.range((at_us, 0)..=(at_us, u64::MAX)))
            .filter(|(_, waker)| waker.will_wake(cx.waker()))
            .map(|(&key, _)| key)
            .collect();
        for key in again {
            timers.remove(&key);
        }
        timers.insert((at_us, id), cx.waker().clone());
        Poll::Pending
    }

    fn command(&self, command: GroupCommand) -> Ticket {
        let ticket = self.ticket();
        self.commands.borrow_mut().insert(ticket, CommandState::For(None));
        self.commands_wanted.borrow_mut().push_back((ticket, command));
        self.want_turn();
        ticket
    }

    fn poll_command(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Result<(), (u16, String)>> {
        let mut commands = self.commands.borrow_mut();
        match commands.get_mut(&ticket) {
            Some(CommandState::For(waker)) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(CommandState::Done(_)) => match commands.remove(&ticket) {
                Some(CommandState::Done(result)) => Poll::Ready(result),
                _ => unreachable!("just seen"),
            },
            None => Poll::Ready(Err((3663, "the command was forgotten".into()))),
        }
    }

    fn journal(&self, change: &LocalChange) -> Result<(), String> {
        self.world.journal(&change.to_bytes())
    }

    fn read_log(&self, from: Csn, visit: &mut dyn FnMut(&LoggedEntry<'_>) -> bool) {
        let mut next = from.0.max(self.logged.borrow().base.0 + 1);
        while next <= self.visible.get().0 {
            let Some((index, _)) = self.logged.borrow().get(next) else { return };
            let frames = self.world.read_log(index, 1 << 20);
            if frames.is_empty() {
                return;
            }
            for frame in &frames {
                for (index, entry) in frame.entries() {
                    let Some((at, gtid)) = self.logged.borrow().get(next) else { return };
                    if at != index || next > self.visible.get().0 {
                        continue;
                    }
                    let Some(entry) = entry.view() else { return };
                    if !visit(&LoggedEntry { index, csn: Csn(next), gtid, entry }) {
                        return;
                    }
                    next += 1;
                }
            }
        }
    }

    fn shutdown(&self) {
        self.world.shutdown();
    }
}
