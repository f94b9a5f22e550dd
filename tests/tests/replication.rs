//! Replication that is real: nothing that was acknowledged is lost when processes are killed, conflicting
//! writers get one winner, reads see whole transactions. Three processes on loopback each.

use node::load::{Client, ClientError, Login};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use tests::process::{DEADLINE, Group, Member, Settings, Writers, query, wait_for};

const ALL: [u16; 3] = [1, 2, 3];
const WRITERS: u64 = 3;

fn code(result: Result<impl Sized, ClientError>) -> Option<u16> {
    match result {
        Ok(_) => None,
        Err(error) => Some(error.code().unwrap_or_else(|| panic!("the connection failed: {error}"))),
    }
}

/// Kills each member in turn under load, whoever leads or is primary.
fn kill_each(settings: Settings, name: &str) {
    let mut group = Group::form(name, settings);
    let targets: Vec<_> = group.members.iter().map(Member::address).collect();
    Writers::prepare(&mut group.members[0].client(), WRITERS).expect("the primary takes writes");
    let mut lives = Vec::new();
    // The first two rounds kill the primary of the time, the third a secondary.
    for round in 0..3 {
        let primary = group.await_primary(&ALL);
        let victim = if round < 2 { primary } else { primary % 3 + 1 };
        let others: Vec<u16> = ALL.into_iter().filter(|&number| number != victim).collect();
        let writers = Writers::start(&targets, WRITERS, (round + 1) * 1_000_000);
        writers.await_more(50);
        group.member(victim).kill();
        writers.await_more(50);
        let _ = group.await_primary(&others);
        // It comes back under load.
        if round == 1 {
            group.member(victim).start();
            group.await_online(&ALL);
            writers.await_more(20);
            lives.push(writers.finish());
        } else {
            lives.push(writers.finish());
            group.assert_equal(&others, &["test.w", "test.n"]);
            group.assert_nothing_lost(&others, &lives);
            group.member(victim).start();
            group.await_online(&ALL);
        }
        group.assert_equal(&ALL, &["test.w", "test.n"]);
        group.assert_nothing_lost(&ALL, &lives);
    }
}

#[test]
fn killing_any_member_loses_nothing() {
    kill_each(Settings::default(), "kill");
}

#[test]
fn killing_any_member_loses_nothing_with_synced_logs() {
    kill_each(Settings { sync: 1, ..Settings::default() }, "kill-sync");
}

/// Kills all three at once under load and starts them again.
fn kill_all(settings: Settings, name: &str) {
    let mut group = Group::form(name, settings);
    let targets: Vec<_> = group.members.iter().map(Member::address).collect();
    for member in &group.members {
        let mut client = member.client();
        for sql in ["SET SQL_LOG_BIN=0", &format!("CREATE USER own{}@'%'", member.number), "SET SQL_LOG_BIN=1"] {
            // What is this server's own may be changed while the group has it read-only, by who may do all.
            client.execute("SET GLOBAL super_read_only=0").expect("root may");
            client.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        if member.number > 1 {
            client.execute("SET GLOBAL super_read_only=1").expect("root may");
        }
    }
    Writers::prepare(&mut group.members[0].client(), WRITERS).expect("the primary takes writes");
    let mut lives = Vec::new();
    for round in 1..=2 {
        let writers = Writers::start(&targets, WRITERS, round * 1_000_000);
        writers.await_more(60);
        group.members.iter_mut().for_each(Member::kill);
        lives.push(writers.finish());
        for member in &mut group.members {
            member.spawn(&[]);
        }
        for member in &mut group.members {
            member.await_ready();
        }
        if !settings.start_on_boot {
            for member in &group.members {
                let states = member.states(group.first_port).expect("it answers");
                assert_eq!(states, [(member.number - 1, "OFFLINE".to_owned(), String::new())]);
                // The group may have gone on without it: nothing can be committed here alone.
                assert_eq!(code(member.client().execute("INSERT INTO test.n VALUES (99, 0)")), Some(3100));
            }
            std::thread::scope(|scope| {
                for member in &group.members {
                    scope.spawn(|| member.run("START GROUP_REPLICATION"));
                }
            });
        }
        group.await_online(&ALL);
        group.assert_equal(&ALL, &["test.w", "test.n"]);
        group.assert_nothing_lost(&ALL, &lives);
        group.write("UPDATE test.n SET n = n WHERE writer = 0");
    }
    for member in &group.members {
        let own = member.run("SELECT User FROM mysql.user WHERE User LIKE 'own%'");
        assert_eq!(own, [[format!("own{}", member.number)]], "changed with SQL_LOG_BIN=0 on member {}", member.number);
    }
}

#[test]
fn killing_all_members_loses_nothing_and_the_group_serves_again() {
    kill_all(Settings::default(), "kill-all");
}

#[test]
fn killing_all_members_loses_nothing_with_synced_logs() {
    kill_all(Settings { sync: 1, ..Settings::default() }, "kill-all-sync");
}

#[test]
fn without_start_on_boot_a_killed_group_stays_offline_until_it_is_started() {
    kill_all(Settings { start_on_boot: false, ..Settings::default() }, "kill-all-off");
}

/// What a server changed under SQL_LOG_BIN=0 is its own: not replicated, and there after a restart, after a
/// STOP and START, and after a recovery that brought it everything else anew.
#[test]
fn local_changes_stay_after_restarts_and_recovery() {
    let mut group = Group::prepare("local", Settings { start_on_boot: false, ..Settings::default() });
    for member in &mut group.members {
        member.start();
    }
    for member in &group.members {
        let mut client = member.client();
        let number = member.number;
        for sql in [
            "SET SQL_LOG_BIN=0",
            &format!("CREATE USER own{number}@'%' IDENTIFIED BY 'p'"),
            &format!("GRANT SELECT ON *.* TO own{number}@'%'"),
            "CREATE USER gone",
            "DROP USER gone",
        ] {
            client.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        // What could not be kept apart from the group's is refused.
        assert_eq!(code(client.execute("CREATE DATABASE own")), Some(1235));
    }
    let check = |group: &Group| {
        for member in &group.members {
            let users = member.run("SELECT User FROM mysql.user WHERE User LIKE 'own%' OR User = 'gone'");
            assert_eq!(users, [[format!("own{}", member.number)]]);
            let user = format!("own{}", member.number);
            let login = Login { user: user.clone(), password: "p".to_owned(), ..Login::default() };
            let mut client = Client::connect(member.address(), login, DEADLINE).expect("the account is whole");
            let grants = query(&mut client, "SHOW GRANTS").expect("it may ask");
            assert_eq!(grants, [[format!("GRANT SELECT ON *.* TO `{user}`@`%`")]]);
        }
    };
    check(&group);
    group.bootstrap();
    check(&group);
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY)");
    group.write("INSERT INTO test.t VALUES (1)");
    group.assert_equal(&ALL, &["test.t"]);
    assert!(!group.member(1).value("SELECT @@GLOBAL.gtid_executed").contains(','), "local changes have no GTIDs");
    for number in [2, 3] {
        group.member(number).run("STOP GROUP_REPLICATION");
    }
    group.write("INSERT INTO test.t VALUES (2)");
    assert_eq!(group.member(3).stop().code(), Some(0));
    group.member(3).start();
    for number in [2, 3] {
        group.member(number).run("START GROUP_REPLICATION");
    }
    group.await_online(&ALL);
    group.assert_equal(&ALL, &["test.t"]);
    check(&group);
}

#[test]
fn stop_and_start_take_a_member_out_and_back() {
    let mut group = Group::form("stop", Settings::default());
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY, n INT)");
    for (round, number) in [2, 3, 1].into_iter().enumerate() {
        group.member(number).run("STOP GROUP_REPLICATION");
        let states = group.member(number).states(0).expect("it answers");
        assert_eq!(states.len(), 1, "{states:?}");
        assert_eq!((states[0].1.as_str(), states[0].2.as_str()), ("OFFLINE", ""));
        // Who left is not to diverge.
        assert_eq!(code(group.member(number).client().execute("INSERT INTO test.t VALUES (-1, 0)")), Some(1290));
        let others: Vec<u16> = ALL.into_iter().filter(|&other| other != number).collect();
        let primary = group.await_primary(&others);
        wait_for("a primary that takes writes", || {
            let mut client = group.member(primary).client();
            let sql = format!("REPLACE INTO test.t VALUES ({round}, {number})");
            client.execute(&sql).map_err(|error| error.to_string())
        });
        wait_for("a view without the member that left", || {
            let states = group.member(primary).states(0).map_err(|error| error.to_string())?;
            if states.len() == 2 { Ok(()) } else { Err(format!("{states:?}")) }
        });
        group.member(number).run("START GROUP_REPLICATION");
        group.await_online(&ALL);
        group.assert_equal(&ALL, &["test.t"]);
    }
    // A clean end is one too.
    assert_eq!(group.member(2).stop().code(), Some(0));
    let _ = group.await_primary(&[1, 3]);
    group.member(2).start();
    group.await_online(&ALL);
    group.assert_equal(&ALL, &["test.t"]);
}

#[test]
fn secondaries_refuse_writes() {
    let mut group = Group::form("secondary", Settings::default());
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY)");
    group.write("INSERT INTO test.t VALUES (1)");
    group.assert_equal(&ALL, &["test.t"]);
    for number in [2, 3] {
        let mut client = group.member(number).client();
        for sql in [
            "INSERT INTO test.t VALUES (2)",
            "UPDATE test.t SET id = 3",
            "DELETE FROM test.t",
            "REPLACE INTO test.t VALUES (1)",
            "CREATE DATABASE other",
            "CREATE TABLE test.u (id INT PRIMARY KEY)",
            "DROP TABLE test.t",
            "CREATE USER u",
        ] {
            match client.execute(sql) {
                Err(ClientError::Server(error)) => {
                    assert_eq!((error.code, error.state.as_str()), (1290, "HY000"), "{sql}: {error}");
                    assert!(error.message.contains("--super-read-only"), "{sql}: {error}");
                }
                other => panic!("{sql}: {other:?}"),
            }
        }
        assert_eq!(query(&mut client, "SELECT id FROM test.t").expect("reading is free"), [["1"]]);
        assert_eq!(group.member(number).value("SELECT @@GLOBAL.super_read_only"), "1");
    }
    assert_eq!(group.member(1).value("SELECT @@GLOBAL.super_read_only"), "0");
}

fn multi_primary(name: &str) -> Group {
    let group = Group::form(name, Settings { single_primary: false, ..Settings::default() });
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY, n INT NOT NULL)");
    group.write("INSERT INTO test.t VALUES (1, 0), (2, 100), (3, 0)");
    group.assert_equal(&ALL, &["test.t"]);
    group
}

/// Two clients on two members do `statements` at once in open transactions, and commit at once.
fn race(group: &Group, statements: [&str; 2]) -> [Result<(), ClientError>; 2] {
    let barrier = Barrier::new(2);
    let one = |number: usize, sql: &str| {
        let mut client = group.members[number].client();
        client.execute("BEGIN").expect("a transaction begins");
        let executed = client.execute(sql);
        // Both have executed before either commits: neither saw the other's change.
        barrier.wait();
        executed?;
        client.execute("COMMIT").map(drop)
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| one(0, statements[0]));
        let second = scope.spawn(|| one(1, statements[1]));
        [first.join().expect("no panic"), second.join().expect("no panic")]
    })
}

/// Exactly one committed; the other got a conflict. Gives the winner.
fn one_winner(results: &[Result<(), ClientError>; 2]) -> usize {
    let winners: Vec<usize> = (0..2).filter(|&at| results[at].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{results:?}");
    match &results[1 - winners[0]] {
        Err(ClientError::Server(error)) => assert_eq!((error.code, error.state.as_str()), (1213, "40001"), "{error}"),
        other => panic!("{other:?}"),
    }
    winners[0]
}

#[test]
fn of_two_updates_of_one_row_exactly_one_commits() {
    let group = multi_primary("update");
    for round in 1..=10 {
        let statements = [
            format!("UPDATE test.t SET n = {round}1 WHERE id = 1"),
            format!("UPDATE test.t SET n = {round}2 WHERE id = 1"),
        ];
        let winner = one_winner(&race(&group, [&statements[0], &statements[1]]));
        group.assert_equal(&ALL, &["test.t"]);
        let expected = format!("{round}{}", winner + 1);
        assert_eq!(group.members[2].value("SELECT n FROM test.t WHERE id = 1"), expected);
    }
    // Other rows are no conflict.
    for result in race(&group, ["UPDATE test.t SET n = 7 WHERE id = 2", "UPDATE test.t SET n = 8 WHERE id = 3"]) {
        result.expect("rows are judged one by one");
    }
    group.assert_equal(&ALL, &["test.t"]);
}

#[test]
fn of_two_inserts_of_one_key_exactly_one_commits() {
    let group = multi_primary("insert");
    for round in 10..20 {
        let statements =
            [format!("INSERT INTO test.t VALUES ({round}, 1)"), format!("INSERT INTO test.t VALUES ({round}, 2)")];
        let winner = one_winner(&race(&group, [&statements[0], &statements[1]]));
        group.assert_equal(&ALL, &["test.t"]);
        let rows = group.members[2].run(&format!("SELECT n FROM test.t WHERE id = {round}"));
        assert_eq!(rows, [[(winner + 1).to_string()]]);
    }
}

/// A child that is added on one member and a parent that is deleted on another at once: one of them commits, and
/// no child is ever without its parent.
#[test]
fn of_a_new_child_and_its_parents_deletion_exactly_one_commits() {
    let group = multi_primary("foreign");
    group.write("CREATE TABLE test.c (id INT PRIMARY KEY, t INT NOT NULL, FOREIGN KEY (t) REFERENCES t (id))");
    for round in 10..20 {
        group.write(&format!("INSERT INTO test.t VALUES ({round}, 0)"));
        group.assert_equal(&ALL, &["test.t", "test.c"]);
        let statements =
            [format!("INSERT INTO test.c VALUES ({round}, {round})"), format!("DELETE FROM test.t WHERE id = {round}")];
        let winner = one_winner(&race(&group, [&statements[0], &statements[1]]));
        group.assert_equal(&ALL, &["test.t", "test.c"]);
        let counts = ["test.t WHERE id", "test.c WHERE t"]
            .map(|of| group.members[2].value(&format!("SELECT COUNT(*) FROM {of} = {round}")));
        assert_eq!(counts, if winner == 0 { ["1", "1"] } else { ["0", "0"] });
    }
}

/// A conflict is the loser's to repeat: counters counted up everywhere at once lose nothing.
#[test]
fn retried_updates_lose_nothing() {
    let group = multi_primary("retry");
    const TIMES: u32 = 40;
    std::thread::scope(|scope| {
        for member in &group.members {
            scope.spawn(move || {
                let mut client = member.client();
                let mut done = 0;
                while done < TIMES {
                    match code(client.execute("UPDATE test.t SET n = n + 1 WHERE id = 1")) {
                        None => done += 1,
                        Some(1213 | 3101) => {}
                        Some(other) => panic!("error {other}"),
                    }
                }
            });
        }
    });
    group.assert_equal(&ALL, &["test.t"]);
    assert_eq!(group.members[0].value("SELECT n FROM test.t WHERE id = 1"), (3 * TIMES).to_string());
}

#[test]
fn a_session_reads_its_own_writes() {
    let group = multi_primary("own");
    std::thread::scope(|scope| {
        for member in &group.members {
            let id = 100 + i32::from(member.number);
            scope.spawn(move || {
                let mut client = member.client();
                client.execute(&format!("INSERT INTO test.t VALUES ({id}, 0)")).expect("the key is this member's");
                for n in 1..=100 {
                    let update = client.execute(&format!("UPDATE test.t SET n = {n} WHERE id = {id}"));
                    update.expect("the row is this member's");
                    let select = format!("SELECT n FROM test.t WHERE id = {id}");
                    let read = query(&mut client, &select).expect("reading is free");
                    assert_eq!(read, [[n.to_string()]]);
                }
            });
        }
    });
}

/// Transfers between two rows keep their sum; no reader on any member ever sees half of one, in one
/// statement or in two of one transaction.
#[test]
fn reads_see_whole_transactions() {
    let group = multi_primary("whole");
    let done = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for member in &group.members {
            let done = done.clone();
            scope.spawn(move || {
                let mut client = member.client();
                let mut seen = BTreeSet::new();
                while !done.load(Ordering::Relaxed) {
                    let rows = query(&mut client, "SELECT n FROM test.t WHERE id IN (1, 2) ORDER BY id");
                    let rows = rows.expect("reading is free");
                    let n: Vec<i32> = rows.iter().map(|row| row[0].parse().expect("a number")).collect();
                    assert_eq!(n[0] + n[1], 100, "member {} shows {n:?}", member.number);
                    client.execute("BEGIN").expect("a transaction begins");
                    let mut sum = 0;
                    for id in [1, 2] {
                        let select = format!("SELECT n FROM test.t WHERE id = {id}");
                        let row = query(&mut client, &select).expect("reading is free");
                        sum += row[0][0].parse::<i32>().expect("a number");
                    }
                    assert_eq!(sum, 100, "two reads of a transaction on member {}", member.number);
                    client.execute("COMMIT").expect("it read only");
                    seen.insert(n[0]);
                }
                assert!(seen.len() > 1, "member {} saw nothing change", member.number);
            });
        }
        let transfer = |client: &mut Client, n: i32| -> Result<(), ClientError> {
            client.execute("BEGIN")?;
            client.execute(&format!("UPDATE test.t SET n = n + {n} WHERE id = 1"))?;
            client.execute(&format!("UPDATE test.t SET n = n - {n} WHERE id = 2"))?;
            client.execute("COMMIT").map(drop)
        };
        let writers: Vec<_> = [0, 1]
            .map(|at| {
                let mut client = group.members[at].client();
                scope.spawn(move || {
                    for n in 1..=60 {
                        if let Some(code) = code(transfer(&mut client, n)) {
                            assert!([1213, 3101].contains(&code), "error {code}");
                            client.execute("ROLLBACK").expect("rolling back is free");
                        }
                    }
                })
            })
            .into();
        for writer in writers {
            let ended = writer.join();
            if ended.is_err() {
                done.store(true, Ordering::Relaxed);
            }
            ended.expect("no writer panics");
        }
        done.store(true, Ordering::Relaxed);
    });
    group.assert_equal(&ALL, &["test.t"]);
}
