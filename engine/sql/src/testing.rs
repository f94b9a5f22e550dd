//! A host in memory for tests: proposals commit at once (or when a test says so), the clock moves when
//! asked, the log is a list.

use crate::catalog::Effect;
use crate::host::{
    GroupCommand, GroupStatus, Host, LocalChange, LoggedEntry, MemberState, Now, Outcome, Refusal, Ticket,
};
use crate::server::Server;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use wire::entry::{ArchivedEntry, Body, CatalogChange, Entry, GroupOptions, Gtid, ObjectKind, Stamp};
use wire::id::{Csn, Index, TableId, Uuid};

/// The uuid of the group and of GTIDs.
pub const GROUP: Uuid = Uuid([0xaa; 16]);

#[derive(Default)]
struct Objects {
    /// (kind, schema, name) -> (version, id)
    known: BTreeMap<(ObjectKind, String, String), (Csn, TableId)>,
    next_table: u64,
}

/// The host.
#[derive(Default)]
pub struct FakeHost {
    server: RefCell<Weak<Server>>,
    now_us: Cell<u64>,
    random: Cell<u64>,
    last: Cell<u64>,
    next_ticket: Cell<u64>,
    outcomes: RefCell<BTreeMap<Ticket, Outcome>>,
    held: RefCell<Vec<(Ticket, Body)>>,
    wakers: RefCell<Vec<Waker>>,
    writers: RefCell<BTreeMap<u64, u64>>,
    sharers: RefCell<BTreeMap<u64, u64>>,
    objects: RefCell<Objects>,
    journal: RefCell<Vec<LocalChange>>,
    log: RefCell<Vec<(Csn, Gtid, rkyv::util::AlignedVec<16>)>>,
    /// This member holds a lease.
    pub assured: Cell<bool>,
    /// Proposals wait for [`FakeHost::decide`].
    pub hold: Cell<bool>,
    /// What is applied stays invisible until [`FakeHost::show`].
    pub hide: Cell<bool>,
    /// Proposals are refused (the member is not ONLINE).
    pub refuse: Cell<bool>,
    /// Group Replication runs.
    pub running: Cell<bool>,
    /// Proposals are refused, and the last one is kept in `captured`.
    pub capture: Cell<bool>,
    /// See `capture`.
    pub captured: RefCell<Option<Body>>,
    /// Conflicts that the order still has to make up.
    pub conflicts: Cell<u32>,
}

impl FakeHost {
    /// A host and the server on it.
    #[must_use]
    pub fn start() -> (Rc<Self>, Rc<Server>) {
        let host = Rc::new(Self { now_us: Cell::new(1_700_000_000_000_000), ..Self::default() });
        let server = Server::new(host.clone(), 1);
        *host.server.borrow_mut() = Rc::downgrade(&server);
        (host, server)
    }

    /// Moves the clock.
    pub fn pass_us(&self, us: u64) {
        self.now_us.set(self.now_us.get() + us);
        self.wakers.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// Decides what was held, in order.
    pub fn decide(&self) {
        let held = std::mem::take(&mut *self.held.borrow_mut());
        for (ticket, body) in held {
            let outcome = self.judge(body);
            self.outcomes.borrow_mut().insert(ticket, outcome);
        }
        self.wakers.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// Makes everything that is applied visible.
    pub fn show(&self) {
        self.hide.set(false);
        let server = self.server.borrow().upgrade().expect("the server outlives its host's use");
        server.set_visible(Csn(self.last.get()));
    }

    /// A transaction of another member.
    pub fn remote(&self, body: Body) -> Outcome {
        self.judge(body)
    }

    /// The bodies that wait.
    pub fn held(&self) -> usize {
        self.held.borrow().len()
    }

    fn judge(&self, body: Body) -> Outcome {
        let server = self.server.borrow().upgrade().expect("the server outlives its host's use");
        let csn = Csn(self.last.get() + 1);
        let entry = Entry { stamp: Stamp::default(), body };
        let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&entry).unwrap();
        match &entry.body {
            Body::Transaction(transaction) => {
                if self.conflicts.get() > 0 {
                    self.conflicts.set(self.conflicts.get() - 1);
                    return Outcome::Conflict;
                }
                let stale = |table: &wire::entry::TableVersion| {
                    !self
                        .objects
                        .borrow()
                        .known
                        .values()
                        .any(|&(version, id)| id == table.table && version == table.version)
                };
                let mut writers = self.writers.borrow_mut();
                let mut sharers = self.sharers.borrow_mut();
                let later = |hash: &u64| writers.get(hash).is_some_and(|&writer| writer > transaction.snapshot.0);
                let shared = |hash: &u64| sharers.get(hash).is_some_and(|&sharer| sharer > transaction.snapshot.0);
                if transaction.tables.iter().any(stale)
                    || transaction.written.iter().any(shared)
                    || transaction.written.iter().chain(&transaction.shared).chain(&transaction.read).any(later)
                {
                    return Outcome::Conflict;
                }
                for hash in &transaction.written {
                    writers.insert(*hash, csn.0);
                }
                for hash in &transaction.shared {
                    sharers.insert(*hash, csn.0);
                }
                let archived = rkyv::access::<ArchivedEntry, rkyv::rancor::Error>(&bytes).unwrap();
                let wire::entry::ArchivedBody::Transaction(archived) = &archived.body else { unreachable!() };
                server.apply_transaction(csn, archived).unwrap();
            }
            Body::Ddl(ddl) => match self.effects(csn, &ddl.changes) {
                Ok(effects) => server.apply_ddl(csn, &effects).unwrap(),
                Err(refusal) => return Outcome::Refused(refusal),
            },
            _ => return Outcome::Committed { csn: Csn(self.last.get()), gtid: None },
        }
        self.last.set(csn.0);
        let gtid = Gtid { uuid: GROUP, number: csn.0 };
        self.log.borrow_mut().push((csn, gtid, bytes));
        if !self.hide.get() {
            server.set_visible(csn);
        }
        Outcome::Committed { csn, gtid: Some(gtid) }
    }

    fn effects(&self, csn: Csn, changes: &[CatalogChange]) -> Result<Vec<Effect>, Refusal> {
        let mut objects = self.objects.borrow_mut();
        let mut effects = Vec::new();
        for change in changes {
            match change.clone() {
                CatalogChange::Create { kind, schema, name, definition, if_not_exists } => {
                    let key = (kind, schema.clone(), name.clone());
                    if objects.known.contains_key(&key) {
                        if if_not_exists {
                            continue;
                        }
                        return Err(Refusal::Exists { schema, name });
                    }
                    objects.next_table += 1;
                    let id = TableId(objects.next_table);
                    objects.known.insert(key, (csn, id));
                    effects.push(Effect::Created { kind, schema, name, id, version: csn, definition });
                }
                CatalogChange::Replace { kind, schema, name, version, definition } => {
                    let key = (kind, schema.clone(), name.clone());
                    let Some(known) = objects.known.get_mut(&key) else {
                        return Err(Refusal::Missing { schema, name });
                    };
                    if known.0 != version {
                        return Err(Refusal::Changed { schema, name });
                    }
                    known.0 = csn;
                    let id = known.1;
                    effects.push(Effect::Replaced { kind, schema, name, id, version: csn, definition });
                }
                CatalogChange::Drop { kind, schema, name, if_exists } => {
                    let Some((_, id)) = objects.known.remove(&(kind, schema.clone(), name.clone())) else {
                        if if_exists {
                            continue;
                        }
                        return Err(Refusal::Missing { schema, name });
                    };
                    if kind == ObjectKind::Database {
                        objects.known.retain(|(_, of, _), _| *of != name);
                    }
                    effects.push(Effect::Dropped { kind, schema, name, id });
                }
            }
        }
        Ok(effects)
    }
}

impl Host for FakeHost {
    fn now(&self) -> Now {
        Now { unix_us: self.now_us.get(), monotonic_us: self.now_us.get() }
    }

    fn random(&self) -> u64 {
        let next = self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random.set(next);
        next
    }

    fn status(&self) -> Rc<GroupStatus> {
        Rc::new(GroupStatus {
            running: self.running.get(),
            state: if self.running.get() { MemberState::Online } else { MemberState::Offline },
            has_quorum: true,
            view_id: String::new(),
            members: Vec::new(),
            primary: None,
            primary_epoch: 1,
            options: GroupOptions {
                name: GROUP,
                group: self.running.get(),
                single_primary: true,
                everywhere_checks: false,
                gtid_block_size: 1,
                view_change_uuid: GROUP,
                view_change_events: true,
            },
            gtid_executed: if self.last.get() == 0 { String::new() } else { format!("{GROUP}:1-{}", self.last.get()) },
            gtid_received: String::new(),
            write_concurrency: 10,
            leader: None,
            counters: Vec::new(),
            recovery_percent: None,
        })
    }

    fn is_assured(&self) -> bool {
        self.assured.get()
    }

    fn propose(&self, body: Body) -> Result<Ticket, Box<Body>> {
        if self.capture.get() {
            *self.captured.borrow_mut() = Some(body.clone());
        }
        if self.refuse.get() || self.capture.get() {
            return Err(Box::new(body));
        }
        let ticket = Ticket(self.next_ticket.get());
        self.next_ticket.set(ticket.0 + 1);
        if self.hold.get() {
            self.held.borrow_mut().push((ticket, body));
        } else {
            let outcome = self.judge(body);
            self.outcomes.borrow_mut().insert(ticket, outcome);
        }
        Ok(ticket)
    }

    fn poll_outcome(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Outcome> {
        match self.outcomes.borrow_mut().remove(&ticket) {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                self.wakers.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn forget(&self, ticket: Ticket) {
        self.outcomes.borrow_mut().remove(&ticket);
    }

    fn poll_deadline(&self, at_us: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.now_us.get() >= at_us {
            return Poll::Ready(());
        }
        self.wakers.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    }

    fn command(&self, command: GroupCommand) -> Ticket {
        if !matches!(command, GroupCommand::Force { .. }) {
            self.running.set(matches!(command, GroupCommand::Start { .. }));
        }
        Ticket(u64::MAX)
    }

    fn poll_command(&self, _ticket: Ticket, _cx: &mut Context<'_>) -> Poll<Result<(), (u16, String)>> {
        Poll::Ready(Ok(()))
    }

    fn journal(&self, change: &LocalChange) -> Result<(), String> {
        self.journal.borrow_mut().push(change.clone());
        Ok(())
    }

    fn read_log(&self, from: Csn, visit: &mut dyn FnMut(&LoggedEntry<'_>) -> bool) {
        for (csn, gtid, bytes) in self.log.borrow().iter().filter(|(csn, ..)| *csn >= from) {
            let entry = rkyv::access::<ArchivedEntry, rkyv::rancor::Error>(bytes).unwrap();
            if !visit(&LoggedEntry { index: Index(csn.0), csn: *csn, gtid: *gtid, entry }) {
                return;
            }
        }
    }

    fn shutdown(&self) {}
}
