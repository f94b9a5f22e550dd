//! What the clients do: transactions over lists and registers, transfers of money, a set, races for names.

use super::{Answer, Sql};
use crate::sim::history::bank::{ACCOUNTS, Bank, Transfer};
use crate::sim::history::set::Attempt;
use crate::sim::history::txn::{Fate, Key, Op};
use crate::sim::history::{LISTS, REGISTERS};
use engine_core::rng::Rng;

/// How often clients do what, relative to one another; drawn per seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// Transactions over lists and registers.
    pub lists: u64,
    /// Transfers.
    pub transfers: u64,
    /// Snapshots of the bank, in one statement or several.
    pub balances: u64,
    /// Insertions into the set.
    pub inserts: u64,
    /// Deletions from it.
    pub deletes: u64,
    /// Reads of a part of it.
    pub ranges: u64,
    /// Claims of names.
    pub names: u64,
    /// Rows that change their primary key.
    pub moves: u64,
    /// Rows that AUTO_INCREMENT numbers.
    pub counted: u64,
    /// Few keys that are inserted and deleted over and over, some by transactions that take seconds.
    pub slots: u64,
    /// Locking reads of what is newest, whatever the transaction's snapshot is.
    pub newest: u64,
}

impl Mix {
    /// What `seed` draws: every kind happens in most seeds, in some one alone makes up nearly all.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x7c15_9e37_79b9_7f4a);
        let mut weight = |usual: u64| match rng.below(10) {
            0 => 0,
            1 => usual * 8,
            _ => usual,
        };
        let (lists, transfers, balances, inserts) = (weight(40), weight(16), weight(10), weight(12));
        let (deletes, ranges, names) = (weight(4), weight(8), weight(6));
        // Drawn apart, so that seeds without these stay as they were.
        let mut rng = Rng::new(seed ^ 0x3ad8_025f_52c6_1e0b);
        let mut weight = |usual: u64| if rng.percent(50) { usual } else { 0 };
        let (moves, counted, slots) = (weight(8), weight(6), weight(8));
        let lists = lists.max(1);
        Self { lists, transfers, balances, inserts, deletes, ranges, names, moves, counted, slots, newest: 0 }
    }
}

/// Rows that change their keys.
pub(super) const MOVED: u64 = 3;
/// Keys that come and go.
const SLOTS: u64 = 3;
/// Elements of the set that are read together.
const RANGE: u64 = 32;
/// Appends to the lists of one time, until clients go on to the next ones: states of lists stay short.
const APPENDS: u64 = 16;

/// Does one thing.
pub(super) async fn step(sql: &mut Sql, client: u64, mix: &Mix, rng: &mut Rng) {
    let Mix { lists, mut transfers, balances, mut inserts, mut deletes, ranges, mut names, .. } = *mix;
    let Mix { mut moves, mut counted, mut slots, newest, .. } = *mix;
    // Where nothing can be written, a try now and then shows that it is refused.
    let writes = sql.place.takes_writes() || rng.percent(10);
    if !writes {
        (transfers, inserts, deletes, names) = (0, 0, 0, 0);
        (moves, counted, slots) = (0, 0, 0);
    }
    let weights = [lists, transfers, balances, inserts, deletes, ranges, names, moves, counted, slots, newest];
    let mut at = rng.below(weights.iter().sum());
    let kind = weights.iter().position(|&weight| {
        let here = at < weight;
        at = at.saturating_sub(weight);
        here
    });
    match kind.unwrap_or(0) {
        0 => over_lists(sql, client, if writes { 50 } else { 0 }, rng).await,
        1 => transfer(sql, client, rng).await,
        2 => read_balances(sql, rng).await,
        3 => insert(sql, client, rng).await,
        4 => delete(sql, client, rng).await,
        5 => {
            let whose = if rng.percent(50) { client } else { 1 + rng.below(8) };
            read_range(sql, whose, rng).await;
        }
        6 => claim(sql, client, rng).await,
        7 => move_row(sql, client, rng).await,
        8 => count_on(sql, client, rng).await,
        9 => use_slot(sql, client, rng).await,
        _ => read_newest(sql, client, rng).await,
    }
}

/// Reads one thing, as who never writes does.
pub(super) async fn look(sql: &mut Sql, client: u64, rng: &mut Rng) {
    if rng.percent(70) {
        over_lists(sql, client, 0, rng).await;
    } else {
        read_range(sql, 1 + rng.below(8), rng).await;
    }
}

/// Runs statements in one transaction, with pauses between; the last one alone may commit itself. The answer
/// to the first that failed, or to COMMIT. `committing` is called before the outcome may become unknown.
async fn transaction(sql: &mut Sql, statements: &[String], rng: &mut Rng, committing: impl FnOnce(&mut Sql)) -> Answer {
    if let [statement] = statements
        && rng.percent(50)
    {
        committing(sql);
        return sql.run(statement).await;
    }
    let begun = sql.run("BEGIN").await;
    if begun != Answer::Ok {
        return Answer::Error(0);
    }
    for statement in statements {
        if rng.percent(40) {
            sql.place.pause(rng.below(2000)).await;
        }
        match sql.run(statement).await {
            Answer::Ok | Answer::Rows(_) => {}
            Answer::Error(code) => {
                sql.run("ROLLBACK").await;
                return Answer::Error(code);
            }
            // Nothing was proposed yet.
            Answer::Closed => return Answer::Error(0),
        }
    }
    if rng.percent(3) {
        sql.run("ROLLBACK").await;
        return Answer::Error(0);
    }
    committing(sql);
    sql.commit().await
}

/// One of the lists that are in use now, or a register.
fn draw_key(sql: &Sql, rng: &mut Rng) -> Key {
    let kind = rng.below(10);
    if kind < 3 {
        // The first register is asked for as often as the others together.
        return Key::Register(rng.below(2) * rng.below(REGISTERS));
    }
    let base = (sql.place.history.borrow().appends / APPENDS).min(LISTS - 3);
    let list = base + rng.below(3);
    if kind < 7 { Key::List(list) } else { Key::Rows(list) }
}

/// Reads and, of a hundred, so many writes of a few lists and registers in one transaction.
async fn over_lists(sql: &mut Sql, client: u64, writes: u64, rng: &mut Rng) {
    let online = sql.place.is_online();
    let assured = sql.place.host.is_assured();
    let txn = sql.place.history.borrow_mut().begin(client, sql.place.member, online);
    sql.place.history.borrow_mut().set_level(txn, sql.level, assured);
    let count = 1 + rng.below(4);
    let fate = if count == 1 && rng.percent(50) {
        let (key, write) = (draw_key(sql, rng), rng.percent(writes));
        sql.place.history.borrow_mut().commit(txn);
        match one_of_them(sql, txn, client, key, write, rng).await {
            // A read has no outcome to wait for.
            Answer::Rows(_) => Fate::Acknowledged,
            answer => answer.fate(),
        }
    } else {
        several(sql, txn, client, (count, writes), rng).await
    };
    let online = sql.place.is_online();
    sql.place.history.borrow_mut().end(txn, fate, online);
}

async fn several(sql: &mut Sql, txn: usize, client: u64, (count, writes): (u64, u64), rng: &mut Rng) -> Fate {
    if sql.run("BEGIN").await != Answer::Ok {
        return Fate::Failed;
    }
    for _ in 0..count {
        if rng.percent(40) {
            sql.place.pause(rng.below(3000)).await;
        }
        let (key, write) = (draw_key(sql, rng), rng.percent(writes));
        match one_of_them(sql, txn, client, key, write, rng).await {
            Answer::Ok | Answer::Rows(_) => {}
            Answer::Error(_) => {
                sql.run("ROLLBACK").await;
                return Fate::Failed;
            }
            Answer::Closed => return Fate::Failed,
        }
    }
    if rng.percent(3) {
        sql.run("ROLLBACK").await;
        return Fate::Failed;
    }
    sql.place.history.borrow_mut().commit(txn);
    sql.commit().await.fate()
}

/// One read or write; what it did goes into the history.
async fn one_of_them(sql: &mut Sql, txn: usize, client: u64, key: Key, write: bool, rng: &mut Rng) -> Answer {
    if !write {
        return read(sql, txn, key, rng.percent(15)).await;
    }
    let item = {
        let mut history = sql.place.history.borrow_mut();
        history.appends += u64::from(!matches!(key, Key::Register(_)));
        history.new_id(client)
    };
    let statement = match key {
        Key::List(id) => format!("UPDATE sim.lists SET items = CONCAT(items, ',{item}') WHERE id = {id}"),
        Key::Register(id) => {
            format!("UPDATE sim.registers SET version = version + 1, item = {item} WHERE id = {id}")
        }
        Key::Rows(id) => {
            // The next place is whatever the list looks like from here: somebody else may take it.
            let answer = read(sql, txn, key, rng.percent(15)).await;
            let Some(items) = answer.column() else { return answer };
            format!("INSERT INTO sim.list_rows VALUES ({id}, {}, {item})", items.len() + 1)
        }
    };
    note(sql, txn, Op::Write { key, item });
    sql.run(&statement).await
}

/// There are no gap locks, and a locking read takes no snapshot: of rows, it is a read like the others only
/// once there is one.
async fn read(sql: &mut Sql, txn: usize, key: Key, lock: bool) -> Answer {
    let lock = lock && (!matches!(key, Key::Rows(_)) || sql.place.history.borrow().has_snapshot(txn));
    let lock = if lock { " FOR UPDATE" } else { "" };
    let statement = match key {
        Key::List(id) => format!("SELECT items FROM sim.lists WHERE id = {id}{lock}"),
        Key::Rows(id) => format!("SELECT item FROM sim.list_rows WHERE list = {id} ORDER BY place{lock}"),
        Key::Register(id) => format!("SELECT version, item FROM sim.registers WHERE id = {id}{lock}"),
    };
    let answer = sql.run(&statement).await;
    let op = match key {
        Key::List(_) => answer.list().map(|items| Op::List { key, items }),
        Key::Rows(_) => answer.column().map(|items| Op::List { key, items }),
        Key::Register(_) => answer.numbers().and_then(|rows| {
            let [version, item] = rows.first()?[..] else { return None };
            Some(Op::Register { key, version: version as u64, item: item as u64 })
        }),
    };
    match op {
        Some(op) => {
            note(sql, txn, op);
            if lock.is_empty() {
                sql.place.history.borrow_mut().take_snapshot(txn);
            }
        }
        // A member that is rebuilt from the first entry on has been before the tables were filled, and a snapshot
        // from then stays so.
        None if matches!(answer, Answer::Rows(_)) && sql.place.is_online() && was_online(sql, txn) => {
            sql.place.violate(format!("client: '{statement}' was answered {answer:?} by an ONLINE member"));
        }
        None => {}
    }
    answer
}

/// Reads by locks what is newest, as sessions do that keep to `innodb_snapshot_isolation=OFF`, in a transaction whose
/// snapshot is older: each such read is told as one by itself.
async fn read_newest(sql: &mut Sql, client: u64, rng: &mut Rng) {
    let online = sql.place.is_online();
    let assured = sql.place.host.is_assured();
    let begin = sql.place.history.borrow_mut().new_place();
    if sql.run("SET SESSION innodb_snapshot_isolation = OFF").await != Answer::Ok {
        return;
    }
    if sql.run("BEGIN").await == Answer::Ok {
        sql.run("SELECT COUNT(*) FROM sim.slots").await;
        for _ in 0..1 + rng.below(5) {
            let most = if rng.percent(50) { 10_000 } else { 200_000 };
            sql.place.pause(rng.below(most)).await;
            let key = match draw_key(sql, rng) {
                _ if rng.percent(50) => Key::Register(0),
                Key::Rows(id) => Key::List(id),
                key => key,
            };
            let txn = sql.place.history.borrow_mut().begin_at(begin, client, sql.place.member, online);
            sql.place.history.borrow_mut().set_level(txn, sql.level, assured);
            let answer = read(sql, txn, key, true).await;
            let fate = if matches!(answer, Answer::Rows(_)) { Fate::Acknowledged } else { Fate::Failed };
            let online = sql.place.is_online();
            sql.place.history.borrow_mut().end(txn, fate, online);
            if fate == Fate::Failed {
                break;
            }
        }
        sql.run("ROLLBACK").await;
    }
    sql.run("SET SESSION innodb_snapshot_isolation = ON").await;
}

fn was_online(sql: &Sql, txn: usize) -> bool {
    sql.place.history.borrow().began_online(txn)
}

fn note(sql: &Sql, txn: usize, op: Op) {
    let result = sql.place.history.borrow_mut().op(txn, op);
    if let Err(rule) = result {
        sql.place.violate(rule);
    }
}

async fn transfer(sql: &mut Sql, client: u64, rng: &mut Rng) {
    let (from, to, amount) = (rng.below(ACCOUNTS), rng.below(ACCOUNTS), 1 + rng.below(9) as i64);
    if from == to {
        return;
    }
    let id = sql.place.history.borrow_mut().new_id(client);
    let transfer = Transfer { from, to, amount };
    let mut statements = vec![
        format!("UPDATE sim.bank SET balance = balance - {amount} WHERE id = {from}"),
        format!("UPDATE sim.bank SET balance = balance + {amount} WHERE id = {to}"),
        format!("INSERT INTO sim.transfers VALUES ({id}, {amount})"),
    ];
    if rng.percent(40) {
        statements.insert(0, format!("SELECT balance FROM sim.bank WHERE id = {to} FOR UPDATE"));
    }
    let tell = |sql: &mut Sql, fate| sql.place.history.borrow_mut().bank.transfer(id, transfer, fate);
    tell(sql, Fate::Failed);
    let fate = transaction(sql, &statements, rng, |sql| tell(sql, Fate::Unknown)).await.fate();
    tell(sql, fate);
    sql.place.history.borrow_mut().count(fate);
}

/// A snapshot does not move: what one statement reads, or several of one transaction, adds up.
async fn read_balances(sql: &mut Sql, rng: &mut Rng) {
    let online = sql.place.is_online();
    let mut balances = Vec::new();
    if rng.percent(50) {
        balances.push(sql.run("SELECT balance FROM sim.bank ORDER BY id").await);
    } else {
        if sql.run("BEGIN").await != Answer::Ok {
            return;
        }
        for id in 0..ACCOUNTS {
            if rng.percent(30) {
                sql.place.pause(rng.below(3000)).await;
            }
            balances.push(sql.run(&format!("SELECT balance FROM sim.bank WHERE id = {id}")).await);
        }
        sql.run("COMMIT").await;
    }
    // A member that is rebuilt from the first entry on has been before the accounts.
    if !online || !sql.place.is_online() {
        return;
    }
    let rows: Option<Vec<_>> = balances.iter().map(Answer::numbers).collect();
    let Some(rows) = rows else { return };
    let balances: Vec<i64> = rows.into_iter().flatten().flatten().collect();
    if let Err(rule) = Bank::read(&balances) {
        sql.place.violate(rule);
    }
}

fn begin(sql: &Sql) -> Attempt {
    let online = sql.place.is_online();
    let assured = sql.place.host.is_assured();
    let attempt = sql.place.history.borrow_mut().attempt(sql.place.member, online);
    Attempt { level: sql.level, assured, ..attempt }
}

fn end(sql: &Sql, attempt: Attempt, fate: Fate) -> Attempt {
    let online = attempt.online && sql.place.is_online();
    let mut history = sql.place.history.borrow_mut();
    history.count(fate);
    let end = (fate != Fate::Unknown).then(|| history.new_place());
    Attempt { end, fate, online, ..attempt }
}

async fn insert(sql: &mut Sql, client: u64, rng: &mut Rng) {
    let id = sql.place.history.borrow_mut().new_id(client);
    let statements = [format!("INSERT INTO sim.unique_ids VALUES ({id}, {client})")];
    let tell = |sql: &mut Sql, attempt| sql.place.history.borrow_mut().sets.insert(id, attempt);
    // What certainly did not happen may be tried again.
    for _ in 0..3 {
        let attempt = begin(sql);
        tell(sql, Attempt { fate: Fate::Failed, ..attempt });
        let answer = transaction(sql, &statements, rng, |sql| tell(sql, attempt)).await;
        let fate = answer.fate();
        let ended = end(sql, attempt, fate);
        tell(sql, ended);
        if answer == Answer::Error(1062) {
            return sql.place.violate(format!("certainty: {id} is there, and every attempt to insert it was refused"));
        }
        if fate != Fate::Failed {
            return;
        }
        sql.place.pause(1000 + rng.below(20_000)).await;
    }
}

/// Deletes an element of its own, once.
async fn delete(sql: &mut Sql, client: u64, rng: &mut Rng) {
    let last = sql.place.history.borrow().last_id(client);
    let id = last - rng.below(40).min(last % 1_000_000);
    if !sql.place.history.borrow().sets.may_delete(id) {
        return;
    }
    let statements = [format!("DELETE FROM sim.unique_ids WHERE id = {id}")];
    let tell = |sql: &mut Sql, attempt| sql.place.history.borrow_mut().sets.delete(id, attempt);
    let attempt = begin(sql);
    tell(sql, Attempt { fate: Fate::Failed, ..attempt });
    let answer = transaction(sql, &statements, rng, |sql| tell(sql, attempt)).await;
    let ended = end(sql, attempt, answer.fate());
    tell(sql, ended);
}

/// Reads some of the latest elements of somebody.
async fn read_range(sql: &mut Sql, whose: u64, rng: &mut Rng) {
    let last = sql.place.history.borrow().last_id(whose);
    let from = (last - rng.below(40).min(last % 1_000_000)) / RANGE * RANGE;
    let to = from + RANGE - 1;
    let attempt = begin(sql);
    let statement = format!("SELECT id FROM sim.unique_ids WHERE id BETWEEN {from} AND {to} ORDER BY id");
    let Some(items) = sql.run(&statement).await.column() else { return };
    let online = attempt.online && sql.place.is_online();
    let mut history = sql.place.history.borrow_mut();
    let end = Some(history.new_place());
    history.sets.read(Attempt { end, fate: Fate::Acknowledged, online, ..attempt }, from, to, items);
}

/// Claims the name that is in turn; others do too.
async fn claim(sql: &mut Sql, client: u64, rng: &mut Rng) {
    let (id, name) = {
        let mut history = sql.place.history.borrow_mut();
        history.claims += 1;
        (history.new_id(client), history.claims / 3)
    };
    let statements = [format!("INSERT INTO sim.names VALUES ({id}, {name})")];
    let tell = |sql: &mut Sql, fate| sql.place.history.borrow_mut().names.claim(name, id, fate);
    tell(sql, Fate::Failed);
    let fate = transaction(sql, &statements, rng, |sql| tell(sql, Fate::Unknown)).await.fate();
    tell(sql, fate);
    sql.place.history.borrow_mut().count(fate);
}

/// Gives a row another primary key: whoever moves it at the same time must not move it too.
async fn move_row(sql: &mut Sql, client: u64, rng: &mut Rng) {
    let item = rng.below(MOVED);
    let to = sql.place.history.borrow_mut().new_id(client);
    let online = sql.place.is_online();
    let Some(at) = sql.run(&format!("SELECT id FROM sim.moved WHERE item = {item}")).await.column() else { return };
    let [at] = at[..] else {
        // A member that is rebuilt from the first entry on has been before the rows.
        if online && sql.place.is_online() {
            sql.place.violate(format!("moves: item {item} is at {at:?}"));
        }
        return;
    };
    let statements = [format!("UPDATE sim.moved SET id = {to} WHERE id = {at}")];
    let fate = transaction(sql, &statements, rng, |_| ()).await.fate();
    sql.place.history.borrow_mut().count(fate);
}

/// A number that AUTO_INCREMENT gave is never given again, even if its row is gone.
async fn count_on(sql: &mut Sql, client: u64, rng: &mut Rng) {
    let answer = sql.run(&format!("INSERT INTO sim.counted (client) VALUES ({client})")).await;
    sql.place.history.borrow_mut().count(answer.fate());
    if answer != Answer::Ok {
        return;
    }
    let Some(id) = sql.run("SELECT LAST_INSERT_ID()").await.column() else { return };
    let Some(&id) = id.first() else { return };
    let before = sql.place.history.borrow_mut().numbered.insert(id, client);
    if let Some(before) = before {
        sql.place.violate(format!("numbers: {id} was given to client {before}, then to client {client}"));
    }
    if rng.percent(70) {
        let fate = sql.run(&format!("DELETE FROM sim.counted WHERE id = {id}")).await.fate();
        sql.place.history.borrow_mut().count(fate);
    }
}

/// Inserts or deletes one of few keys, now and then in a transaction whose snapshot is seconds old.
async fn use_slot(sql: &mut Sql, client: u64, rng: &mut Rng) {
    let slot = rng.below(SLOTS);
    if sql.run("BEGIN").await != Answer::Ok || sql.run("SELECT COUNT(*) FROM sim.slots").await == Answer::Closed {
        return;
    }
    if rng.percent(25) {
        sql.place.pause(rng.below(4_000_000)).await;
    }
    let statement = if rng.percent(50) {
        format!("INSERT INTO sim.slots VALUES ({slot}, {client})")
    } else {
        format!("DELETE FROM sim.slots WHERE id = {slot}")
    };
    let answer = sql.run(&statement).await;
    if let Answer::Error(_) = answer {
        sql.run("ROLLBACK").await;
        return;
    }
    let fate = sql.commit().await.fate();
    sql.place.history.borrow_mut().count(fate);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over many seeds every kind of work has its place, and none is always there.
    #[test]
    fn mixes_differ() {
        let mixes: Vec<_> = (0..200).map(Mix::draw).collect();
        assert!(mixes.iter().all(|mix| mix.lists > 0));
        assert!(mixes.iter().any(|mix| mix.names == 0) && mixes.iter().any(|mix| mix.names > 10));
        assert!(mixes.iter().any(|mix| mix.transfers == 0) && mixes.iter().any(|mix| mix.deletes > 10));
    }
}
