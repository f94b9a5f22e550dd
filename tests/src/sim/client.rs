//! Clients of the simulated group: real sessions over the real client protocol, without sockets. Each
//! runs transactions of a few kinds (`work`) and tells the [`History`] what it asked for and what it was told.

pub mod ddl;
mod work;

use super::history::bank::{ACCOUNTS, BALANCE};
use super::history::txn::{Fate, Key, Level, Op};
use super::history::{Final, History, LISTS, REGISTERS};
use engine_core::member::State;
use engine_core::rng::Rng;
use engine_sql::host::Host;
use engine_sql::server::Server;
use engine_sql::session::{Flow, Session};
use node::engine::{Engine, Role};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use wire::client::Options;
use wire::client::testing::{Identity, Pair, Reply, Turn};

pub use work::Mix;

/// What a statement was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// OK.
    Ok,
    /// A result set.
    Rows(Vec<Vec<Option<String>>>),
    /// MySQL's error number.
    Error(u16),
    /// The connection is gone: the outcome is unknown.
    Closed,
}

impl Answer {
    /// What the answer says of a transaction that this statement would have committed.
    fn fate(&self) -> Fate {
        match self {
            Self::Ok => Fate::Acknowledged,
            Self::Error(_) => Fate::Failed,
            Self::Rows(_) | Self::Closed => Fate::Unknown,
        }
    }

    /// Rows of numbers; `None` for anything else.
    fn numbers(&self) -> Option<Vec<Vec<i64>>> {
        let Self::Rows(rows) = self else { return None };
        rows.iter().map(|row| row.iter().map(|value| value.as_deref()?.parse().ok()).collect()).collect()
    }

    /// One column of numbers.
    fn column(&self) -> Option<Vec<u64>> {
        self.numbers()?.iter().map(|row| u64::try_from(*row.first()?).ok()).collect()
    }

    /// The items of a list in one value, each behind a comma; `None` without exactly that.
    fn list(&self) -> Option<Vec<u64>> {
        let Self::Rows(rows) = self else { return None };
        let text = rows.first()?.first()?.as_deref()?;
        text.split(',').skip(1).map(|item| item.parse().ok()).collect()
    }
}

/// Errors that the faults of a run explain: conflicts (1213), locks (1205), roles (1290), a member that is
/// not ONLINE (3100), tables that are not there yet (1049, 1146) or were changed meanwhile (1412); and that races
/// explain: keys that another took (1062).
const EXPECTED: [u16; 8] = [1213, 1205, 1290, 3100, 1049, 1146, 1062, 1412];

/// A client's end of one member: where it connects, and what it shares with the others.
#[derive(Clone)]
pub struct Place {
    /// Which member.
    pub member: usize,
    /// The member's sessions.
    pub server: Rc<Server>,
    /// The member's clock and state.
    pub host: Rc<dyn Host>,
    /// The member, for what clients could only ask for.
    pub engine: Rc<Engine>,
    /// What all clients saw.
    pub history: Rc<RefCell<History>>,
    /// Of the client protocol.
    pub options: Arc<Options>,
    /// Which `group_replication_consistency` sessions have.
    pub levels: Levels,
}

/// Which `group_replication_consistency` sessions have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// EVENTUAL, all.
    Eventual,
    /// AFTER, every other one.
    After,
    /// Each draws its own, and now and then another one.
    Mixed,
}

/// What `group_replication_consistency` can be, with what it promises.
const LEVELS: [(&str, Level); 5] = [
    ("EVENTUAL", Level::Eventual),
    ("BEFORE_ON_PRIMARY_FAILOVER", Level::Eventual),
    ("BEFORE", Level::Before),
    ("AFTER", Level::After),
    ("BEFORE_AND_AFTER", Level::BeforeAndAfter),
];

impl Place {
    async fn pause(&self, us: u64) {
        let at = self.host.now().monotonic_us + us;
        poll_fn(|cx| self.host.poll_deadline(at, cx)).await;
    }

    fn is_online(&self) -> bool {
        self.engine.with_member(|member| member.own_state() == State::Online)
    }

    fn takes_writes(&self) -> bool {
        self.engine.role() == Role::Writable
    }

    fn violate(&self, rule: String) {
        self.history.borrow_mut().violate(rule);
    }
}

/// One connection, and the statements on it.
struct Sql {
    place: Place,
    pair: Pair,
    session: Session,
    changes_tables: bool,
    level: Level,
}

impl Sql {
    fn new(place: &Place) -> Self {
        let pair = Pair::new(Identity::new("root", ""), place.options.clone());
        let session = Session::new(&place.server, "localhost");
        Self { place: place.clone(), pair, session, changes_tables: false, level: Level::Eventual }
    }

    async fn login(place: &Place) -> Option<Self> {
        let mut sql = Self::new(place);
        match sql.answer().await {
            Answer::Ok => {}
            _ => return None,
        }
        (sql.run("SET innodb_lock_wait_timeout = 3").await == Answer::Ok).then_some(sql)
    }

    async fn answer(&mut self) -> Answer {
        loop {
            match self.pair.turn() {
                Turn::Request(request) => {
                    if self.session.handle(request, &mut self.pair.connection).await == Flow::Close {
                        // What is in the out buffer still arrives.
                        return match self.pair.turn() {
                            Turn::Reply(reply) => self.shown(reply),
                            _ => Answer::Closed,
                        };
                    }
                }
                Turn::Reply(reply) => return self.shown(reply),
                Turn::Quiet => return Answer::Closed,
            }
        }
    }

    fn shown(&self, reply: Reply) -> Answer {
        match reply {
            Reply::Ok(_) => Answer::Ok,
            Reply::Rows { rows, .. } => Answer::Rows(rows),
            Reply::Error(error) => {
                let of_tables = self.changes_tables && ddl::EXPECTED.contains(&error.code);
                // Its member is cut off, or does not hear in time that all have applied.
                let leveled = self.place.levels != Levels::Eventual;
                let of_levels = leveled && [3796, 3797, 3798].contains(&error.code);
                if !EXPECTED.contains(&error.code) && !of_tables && !of_levels {
                    self.place.violate(format!("client: error {} was not expected: {}", error.code, error.message));
                }
                Answer::Error(error.code)
            }
            Reply::Prepared { .. } | Reply::Text(_) => Answer::Closed,
        }
    }

    async fn run(&mut self, sql: &str) -> Answer {
        if self.pair.connection.is_closing() {
            return Answer::Closed;
        }
        self.pair.client.query(sql);
        self.answer().await
    }

    /// The session promises this from now on.
    async fn set_level(&mut self, (name, level): (&str, Level)) {
        if self.run(&format!("SET SESSION group_replication_consistency = '{name}'")).await == Answer::Ok {
            self.level = level;
        }
    }

    /// Ends a transaction that is open. What the answer says of it.
    async fn commit(&mut self) -> Answer {
        let committed = self.run("COMMIT").await;
        if let Answer::Error(_) = committed {
            self.run("ROLLBACK").await;
        }
        committed
    }
}

/// Makes and fills the tables.
pub async fn make_tables(place: Place) {
    let Some(mut sql) = Sql::login(&place).await else { return };
    let accounts: Vec<_> = (0..ACCOUNTS).map(|id| format!("({id}, {BALANCE})")).collect();
    let lists: Vec<_> = (0..LISTS).map(|id| format!("({id}, '')")).collect();
    let registers: Vec<_> = (0..REGISTERS).map(|id| format!("({id}, 0, 0)")).collect();
    let moved: Vec<_> = (0..work::MOVED).map(|item| format!("({item}, {item})")).collect();
    let statements = [
        "CREATE DATABASE sim".to_owned(),
        "CREATE TABLE sim.bank (id INT PRIMARY KEY, balance BIGINT NOT NULL)".to_owned(),
        "CREATE TABLE sim.transfers (id BIGINT PRIMARY KEY, amount BIGINT NOT NULL)".to_owned(),
        "CREATE TABLE sim.unique_ids (id BIGINT PRIMARY KEY, client INT NOT NULL)".to_owned(),
        "CREATE TABLE sim.names (id BIGINT PRIMARY KEY, name BIGINT NOT NULL, UNIQUE KEY (name))".to_owned(),
        "CREATE TABLE sim.lists (id INT PRIMARY KEY, items TEXT NOT NULL)".to_owned(),
        "CREATE TABLE sim.list_rows (list INT, place INT, item BIGINT NOT NULL, PRIMARY KEY (list, place))".to_owned(),
        "CREATE TABLE sim.registers (id INT PRIMARY KEY, version BIGINT NOT NULL, item BIGINT NOT NULL)".to_owned(),
        "CREATE TABLE sim.moved (id BIGINT PRIMARY KEY, item INT NOT NULL)".to_owned(),
        "CREATE TABLE sim.counted (id BIGINT AUTO_INCREMENT PRIMARY KEY, client INT NOT NULL)".to_owned(),
        "CREATE TABLE sim.slots (id INT PRIMARY KEY, client INT NOT NULL)".to_owned(),
        // Nobody reads it: what bad memory does there is for the scrub to find.
        "CREATE TABLE sim.quiet (id INT PRIMARY KEY, t TEXT NOT NULL)".to_owned(),
        "INSERT INTO sim.quiet VALUES (1, 'one'), (2, 'two'), (3, 'three')".to_owned(),
        format!("INSERT INTO sim.moved VALUES {}", moved.join(", ")),
        format!("INSERT INTO sim.bank VALUES {}", accounts.join(", ")),
        format!("INSERT INTO sim.lists VALUES {}", lists.join(", ")),
        format!("INSERT INTO sim.registers VALUES {}", registers.join(", ")),
    ];
    for statement in statements {
        let answer = sql.run(&statement).await;
        if answer != Answer::Ok {
            return place.violate(format!("client: setting up, '{statement}' was answered {answer:?}"));
        }
    }
    place.history.borrow_mut().made = true;
}

/// A client thinks, again and again until the history is ready: what is done then; `None` once it says stop.
async fn think(place: &Place, think_us: u64, rng: &mut Rng) -> Option<Mix> {
    loop {
        place.pause(think_us / 4 + rng.below(think_us * 3 / 2)).await;
        let history = place.history.borrow();
        if history.stop {
            return None;
        }
        if history.ready {
            return Some(history.mix);
        }
    }
}

/// A client's life on one member, until the history says stop, or the member's process ends.
pub async fn live(place: Place, client: u64, think_us: u64, mut rng: Rng) {
    let (mut sql, mut drawn) = (None, false);
    loop {
        let Some(mix) = think(&place, think_us, &mut rng).await else { return };
        if sql.is_none() {
            sql = Sql::login(&place).await;
            if let Some(sql) = sql.as_mut().filter(|_| place.levels == Levels::After && client.is_multiple_of(2)) {
                sql.set_level(("AFTER", Level::After)).await;
            }
            drawn = false;
        }
        let Some(connection) = &mut sql else { continue };
        if place.levels == Levels::Mixed && (!std::mem::replace(&mut drawn, true) || rng.percent(10)) {
            connection.set_level(LEVELS[rng.below(LEVELS.len() as u64) as usize]).await;
        }
        work::step(connection, client, &mix, &mut rng).await;
        if connection.pair.connection.is_closing() || rng.percent(1) {
            sql = None;
        }
    }
}

/// A client that only reads, at AFTER, until the history says stop, or the member's process ends.
pub async fn read_on(place: Place, think_us: u64, mut rng: Rng) {
    let (mut sql, client) = (None, 200 + place.member as u64);
    loop {
        if think(&place, think_us, &mut rng).await.is_none() {
            return;
        }
        if sql.is_none() {
            sql = Sql::login(&place).await;
            if let Some(sql) = &mut sql {
                sql.set_level(("AFTER", Level::After)).await;
            }
        }
        let Some(connection) = &mut sql else { continue };
        work::look(connection, client, &mut rng).await;
        if connection.pair.connection.is_closing() {
            sql = None;
        }
    }
}

/// Writes one row over and over until `end` says so, and counts what was acknowledged.
pub async fn write_on(place: Place, counted: Rc<Cell<u64>>, end: Rc<Cell<bool>>, mut rng: Rng) {
    let mut sql = None;
    while !end.get() {
        place.pause(10_000 + rng.below(40_000)).await;
        if sql.is_none() {
            sql = Sql::login(&place).await;
        }
        let Some(connection) = &mut sql else { continue };
        if connection.run("UPDATE sim.quiet SET t = CONCAT('a', t) WHERE id = 1").await == Answer::Ok {
            counted.set(counted.get() + 1);
        }
        if connection.pair.connection.is_closing() {
            sql = None;
        }
    }
}

/// Reads everything at the end.
pub async fn read_all(place: Place, member: usize) {
    let Some(mut sql) = Sql::login(&place).await else {
        return place.violate(format!("client: nobody can log in to member {member} at the end"));
    };
    match everything(&mut sql).await {
        Some(found) => {
            place.history.borrow_mut().finals.insert(member, found);
        }
        None => place.violate(format!("client: member {member} does not show everything at the end")),
    }
}

async fn everything(sql: &mut Sql) -> Option<Final> {
    let pairs = |answer: Answer| -> Option<Vec<(u64, i64)>> {
        answer.numbers()?.iter().map(|row| Some((u64::try_from(row[0]).ok()?, *row.get(1)?))).collect()
    };
    let accounts = pairs(sql.run("SELECT id, balance FROM sim.bank ORDER BY id").await)?;
    let transfers = sql.run("SELECT id FROM sim.transfers ORDER BY id").await.column()?;
    let ids = sql.run("SELECT id FROM sim.unique_ids ORDER BY id").await.column()?;
    let names = pairs(sql.run("SELECT name, id FROM sim.names ORDER BY name, id").await)?;
    let names = names.into_iter().map(|(name, id)| (name, id as u64)).collect();
    let mut reads = Vec::new();
    let Answer::Rows(lists) = sql.run("SELECT items FROM sim.lists ORDER BY id").await else { return None };
    for (id, row) in (0..).zip(lists) {
        reads.push(Op::List { key: Key::List(id), items: Answer::Rows(vec![row]).list()? });
    }
    let rows = sql.run("SELECT list, place, item FROM sim.list_rows ORDER BY list, place").await.numbers()?;
    for id in 0..LISTS {
        let rows: Vec<_> = rows.iter().filter(|row| row[0] as u64 == id).collect();
        // A place that is missing, or there twice, is a list out of order.
        if rows.iter().zip(1..).any(|(row, place)| row[1] != place) {
            sql.place.violate(format!("lists: places of row list {id} have gaps: {rows:?}"));
        }
        reads.push(Op::List { key: Key::Rows(id), items: rows.iter().map(|row| row[2] as u64).collect() });
    }
    for row in sql.run("SELECT id, version, item FROM sim.registers ORDER BY id").await.numbers()? {
        let [id, version, item] = row[..] else { return None };
        reads.push(Op::Register { key: Key::Register(id as u64), version: version as u64, item: item as u64 });
    }
    let moved = sql.run("SELECT item FROM sim.moved ORDER BY item").await.column()?;
    let mut others = sql.run("SELECT id, client FROM sim.counted ORDER BY id").await.numbers()?;
    others.extend(sql.run("SELECT id, client FROM sim.slots ORDER BY id").await.numbers()?);
    Some(Final { accounts, transfers, ids, names, moved, others, reads })
}
