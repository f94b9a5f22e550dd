//! Clients of the simulated group: real sessions over the real client protocol, without sockets. Each
//! runs transactions of a few kinds and tells the [`History`] what it asked for and what it was told.

use super::history::{ACCOUNTS, BALANCE, Fate, Final, History, LISTS};
use engine_core::member::State;
use engine_core::rng::Rng;
use engine_sql::host::Host;
use engine_sql::server::Server;
use engine_sql::session::{Flow, Session};
use node::engine::{Engine, Role};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use wire::client::Options;
use wire::client::testing::{Identity, Pair, Reply, Turn};

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

    fn value(&self) -> Option<&str> {
        match self {
            Self::Rows(rows) => rows.first()?.first()?.as_deref(),
            _ => None,
        }
    }
}

/// Errors that the faults of a run explain: conflicts (1213), locks (1205), roles (1290), a member that is
/// not ONLINE (3100), tables that are not there yet (1049, 1146).
const EXPECTED: [u16; 6] = [1213, 1205, 1290, 3100, 1049, 1146];

/// A client's end of one member: where it connects, and what it shares with the others.
#[derive(Clone)]
pub struct Place {
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
}

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
}

impl Sql {
    fn new(place: &Place) -> Self {
        let pair = Pair::new(Identity::new("root", ""), place.options.clone());
        let session = Session::new(&place.server, "localhost");
        Self { place: place.clone(), pair, session }
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
                if !EXPECTED.contains(&error.code) {
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

    /// BEGIN, the statements with pauses between, COMMIT; the first answer that is not OK ends it.
    async fn transaction(&mut self, statements: &[String], rng: &mut Rng) -> Answer {
        let begun = self.run("BEGIN").await;
        if begun != Answer::Ok {
            return begun;
        }
        for statement in statements {
            if rng.percent(40) {
                self.place.pause(rng.below(2000)).await;
            }
            match self.run(statement).await {
                Answer::Ok | Answer::Rows(_) => {}
                Answer::Error(code) => {
                    self.run("ROLLBACK").await;
                    return Answer::Error(code);
                }
                // Nothing was proposed yet.
                Answer::Closed => return Answer::Error(2013),
            }
        }
        if rng.percent(3) {
            self.run("ROLLBACK").await;
            return Answer::Error(0);
        }
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
    let statements = [
        "CREATE DATABASE sim".to_owned(),
        "CREATE TABLE sim.bank (id INT PRIMARY KEY, balance BIGINT NOT NULL)".to_owned(),
        "CREATE TABLE sim.unique_ids (id BIGINT PRIMARY KEY, client INT NOT NULL)".to_owned(),
        "CREATE TABLE sim.lists (id INT PRIMARY KEY, items TEXT NOT NULL)".to_owned(),
        format!("INSERT INTO sim.bank VALUES {}", accounts.join(", ")),
        format!("INSERT INTO sim.lists VALUES {}", lists.join(", ")),
    ];
    for statement in statements {
        let answer = sql.run(&statement).await;
        if answer != Answer::Ok {
            return place.violate(format!("client: setting up, '{statement}' was answered {answer:?}"));
        }
    }
    place.history.borrow_mut().ready = true;
}

/// A client's life on one member, until the history says stop, or the member's process ends.
pub async fn live(place: Place, client: u64, think_us: u64, mut rng: Rng) {
    let mut sql = None;
    let mut seen = Seen::default();
    loop {
        place.pause(think_us / 4 + rng.below(think_us * 3 / 2)).await;
        let (ready, stop) = {
            let history = place.history.borrow();
            (history.ready, history.stop)
        };
        if stop {
            return;
        }
        if !ready {
            continue;
        }
        if sql.is_none() {
            sql = Sql::login(&place).await;
            seen = Seen::default();
        }
        let Some(connection) = &mut sql else { continue };
        step(connection, client, &mut seen, &mut rng).await;
        if connection.pair.connection.is_closing() || rng.percent(1) {
            sql = None;
        }
    }
}

/// What one session saw of the lists: it may not see less later.
#[derive(Default)]
struct Seen {
    lengths: BTreeMap<u64, usize>,
}

async fn step(sql: &mut Sql, client: u64, seen: &mut Seen, rng: &mut Rng) {
    // Where nothing can be written, a try now and then shows that it is refused.
    let least = if sql.place.takes_writes() || rng.percent(10) { 0 } else { 70 };
    match least + rng.below(100 - least) {
        0..25 => transfer(sql, rng).await,
        25..45 => insert(sql, client, rng).await,
        45..60 => append(sql, client, 1, rng).await,
        60..70 => append(sql, client, 2, rng).await,
        70..80 => read_sum(sql).await,
        80..92 => read_list(sql, seen, rng).await,
        _ => read_repeatedly(sql, rng).await,
    }
}

async fn transfer(sql: &mut Sql, rng: &mut Rng) {
    let (from, to, amount) = (rng.below(ACCOUNTS), rng.below(ACCOUNTS), 1 + rng.below(9));
    if from == to {
        return;
    }
    let mut statements = vec![
        format!("UPDATE sim.bank SET balance = balance - {amount} WHERE id = {from}"),
        format!("UPDATE sim.bank SET balance = balance + {amount} WHERE id = {to}"),
    ];
    if rng.percent(40) {
        statements.insert(0, format!("SELECT balance FROM sim.bank WHERE id = {to} FOR UPDATE"));
    }
    let answer = sql.transaction(&statements, rng).await;
    sql.place.history.borrow_mut().count(answer.fate());
}

async fn insert(sql: &mut Sql, client: u64, rng: &mut Rng) {
    let id = sql.place.history.borrow_mut().new_id(client);
    let statement = format!("INSERT INTO sim.unique_ids VALUES ({id}, {client})");
    // What certainly did not happen may be tried again.
    for _ in 0..3 {
        sql.place.history.borrow_mut().insert(id, Fate::Unknown);
        let answer = if rng.percent(50) {
            sql.run(&statement).await
        } else {
            sql.transaction(std::slice::from_ref(&statement), rng).await
        };
        let fate = answer.fate();
        sql.place.history.borrow_mut().insert(id, fate);
        if fate != Fate::Failed {
            return;
        }
        sql.place.pause(1000 + rng.below(20_000)).await;
    }
}

async fn append(sql: &mut Sql, client: u64, lists: u64, rng: &mut Rng) {
    let item = sql.place.history.borrow_mut().new_id(client);
    let first = rng.below(LISTS);
    let keys: Vec<_> = (0..lists).map(|at| (first + at) % LISTS).collect();
    let update = |key: &u64| format!("UPDATE sim.lists SET items = CONCAT(items, ',{item}') WHERE id = {key}");
    let statements: Vec<_> = keys.iter().map(update).collect();
    sql.place.history.borrow_mut().append(item, &keys, Fate::Unknown);
    let answer = match &statements[..] {
        [one] if rng.percent(60) => sql.run(one).await,
        all => sql.transaction(all, rng).await,
    };
    sql.place.history.borrow_mut().append(item, &keys, answer.fate());
}

async fn read_sum(sql: &mut Sql) {
    let online = sql.place.is_online();
    let answer = sql.run("SELECT SUM(balance) FROM sim.bank").await;
    let Answer::Rows(_) = answer else { return };
    let expected = (ACCOUNTS * BALANCE).to_string();
    match answer.value() {
        Some(sum) if sum == expected => {}
        // A member that is rebuilt from the first entry on has been before the accounts.
        None if !online => {}
        other => sql.place.violate(format!("bank: the sum is {other:?}, not {expected} (ONLINE: {online})")),
    }
}

async fn read_list(sql: &mut Sql, seen: &mut Seen, rng: &mut Rng) {
    let (online, key) = (sql.place.is_online(), rng.below(LISTS));
    let answer = sql.run(&format!("SELECT items FROM sim.lists WHERE id = {key}")).await;
    let Some(items) = answer.value() else { return };
    let result = sql.place.history.borrow_mut().read_list(key, items);
    if !online || !sql.place.is_online() {
        seen.lengths.clear();
        return;
    }
    let before = seen.lengths.insert(key, items.len()).unwrap_or_default();
    if let Err(rule) = result {
        sql.place.violate(rule);
    } else if items.len() < before {
        sql.place.violate(format!("reads: list {key} was {before} bytes long in this session, now {}", items.len()));
    }
}

/// A snapshot does not move: point reads of one transaction add up, and repeat.
async fn read_repeatedly(sql: &mut Sql, rng: &mut Rng) {
    if !sql.place.is_online() || sql.run("BEGIN").await != Answer::Ok {
        return;
    }
    let (mut sum, mut missing) = (0i64, false);
    let first = sql.run("SELECT items FROM sim.lists WHERE id = 0").await;
    for id in 0..ACCOUNTS {
        if rng.percent(30) {
            sql.place.pause(rng.below(3000)).await;
        }
        let answer = sql.run(&format!("SELECT balance FROM sim.bank WHERE id = {id}")).await;
        match answer.value().and_then(|text| text.parse::<i64>().ok()) {
            Some(balance) => sum += balance,
            None => missing = true,
        }
    }
    let again = sql.run("SELECT items FROM sim.lists WHERE id = 0").await;
    sql.run("COMMIT").await;
    if missing || first.value().is_none() || again.value().is_none() || !sql.place.is_online() {
        return;
    }
    if sum != (ACCOUNTS * BALANCE) as i64 {
        sql.place.violate(format!("snapshot: the accounts of one transaction add up to {sum}"));
    } else if first != again {
        sql.place.violate("snapshot: a list changed within one transaction".into());
    }
}

/// Reads everything at the end.
pub async fn read_all(place: Place, member: usize) {
    let Some(mut sql) = Sql::login(&place).await else {
        return place.violate(format!("client: nobody can log in to member {member} at the end"));
    };
    let column = |answer: Answer| -> Vec<String> {
        let Answer::Rows(rows) = answer else { return vec![format!("{answer:?}")] };
        rows.into_iter()
            .map(|row| row.into_iter().map(|v| v.unwrap_or("NULL".into())).collect::<Vec<_>>().join(" "))
            .collect()
    };
    let found = Final {
        bank: column(sql.run("SELECT id, balance FROM sim.bank ORDER BY id").await),
        ids: column(sql.run("SELECT id FROM sim.unique_ids ORDER BY id").await),
        lists: column(sql.run("SELECT items FROM sim.lists ORDER BY id").await),
    };
    place.history.borrow_mut().finals.insert(member, found);
}
