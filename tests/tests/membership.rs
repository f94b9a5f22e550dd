//! Membership of real processes: silent members are expelled and come back by themselves, minorities end
//! what waits, exit actions are carried out. What members are is asked with the `mariadb` client.

use tests::process::{Group, Settings, mariadb, tables, wait_for};

const STATES: &str = "SELECT MEMBER_PORT, MEMBER_STATE FROM performance_schema.replication_group_members;";

/// MEMBER_STATE by member number, as member `at` says.
fn states(group: &Group, at: u16) -> Vec<(u16, String)> {
    let member = &group.members[usize::from(at) - 1];
    let output = mariadb(member.port, &["-t"], STATES);
    let rows = tables(&output).into_iter().next().unwrap_or_default();
    let mut states: Vec<_> = (rows.iter().skip(1))
        .map(|row| (row[0].parse::<u16>().expect("a port") - group.first_port + 1, row[1].clone()))
        .collect();
    states.sort();
    states
}

fn await_states(group: &Group, at: u16, wanted: &[(u16, &str)]) {
    let wanted: Vec<_> = wanted.iter().map(|&(number, state)| (number, state.to_owned())).collect();
    wait_for(&format!("member {at} to see {wanted:?}"), || {
        let seen = states(group, at);
        if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
    });
}

fn value(group: &Group, at: u16, what: &str) -> String {
    let output = mariadb(group.members[usize::from(at) - 1].port, &["-N"], &format!("SELECT {what};"));
    output.trim().to_owned()
}

/// A stopped process is UNREACHABLE, then expelled; going on it learns so, shows ERROR to itself, rejoins and is
/// ONLINE with what was written meanwhile.
#[test]
fn a_stopped_member_is_expelled_and_rejoins() {
    let mut group = Group::form("expel", Settings::default());
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY)");
    group.assert_equal(&[1, 2, 3], &["test.t"]);
    group.member(3).pause();
    await_states(&group, 1, &[(1, "ONLINE"), (2, "ONLINE"), (3, "UNREACHABLE")]);
    // Writes go on meanwhile.
    group.write("INSERT INTO test.t VALUES (1)");
    for at in [1, 2] {
        await_states(&group, at, &[(1, "ONLINE"), (2, "ONLINE")]);
    }
    group.write("INSERT INTO test.t VALUES (2)");
    group.member(3).proceed();
    group.member(3).await_log("Member was expelled from the group due to network failures");
    group.member(3).await_log("has rejoined the group");
    group.await_online(&[1, 2, 3]);
    group.assert_equal(&[1, 2, 3], &["test.t"]);
    assert_eq!(value(&group, 3, "COUNT(*) FROM test.t"), "2");
}

/// In a minority with `unreachable_majority_timeout` a member ends what waits (its outcome unknown), shows ERROR,
/// takes no writes and answers reads; with `exit_state_action=OFFLINE_MODE` and no attempts left it lets only
/// administrators in.
#[test]
fn a_minority_ends_in_error_and_offline_mode() {
    let more = "loose-group_replication_unreachable_majority_timeout=2\nloose-group_replication_autorejoin_tries=0\n\
                loose-group_replication_exit_state_action=OFFLINE_MODE";
    let mut group = Group::form("minority", Settings { more, ..Settings::default() });
    let primary = group.await_primary(&[1, 2, 3]);
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY)");
    group.write("CREATE USER app");
    group.write("GRANT SELECT ON *.* TO app");
    let others: Vec<u16> = (1..=3).filter(|&number| number != primary).collect();
    group.assert_equal(&[1, 2, 3], &["test.t"]);
    let waiting = group.members[usize::from(primary) - 1].client();
    others.iter().for_each(|&number| group.member(number).kill());
    let blocked = std::thread::spawn(move || {
        let mut waiting = waiting;
        waiting.execute("INSERT INTO test.t VALUES (1)").map(drop)
    });
    await_states(&group, primary, &[(primary, "ERROR")]);
    let ended = blocked.join().expect("it does not panic").expect_err("it was never decided");
    assert_eq!(ended.code(), None, "outcome unknown: the connection closes, and nothing is claimed: {ended}");
    assert_eq!(value(&group, primary, "COUNT(*) FROM test.t"), "0");
    wait_for("offline_mode", || match value(&group, primary, "@@offline_mode, @@super_read_only").as_str() {
        "1\t1" => Ok(()),
        other => Err(other.to_owned()),
    });
    let app = node::load::Login { user: "app".into(), ..node::load::Login::default() };
    let refused =
        node::load::Client::connect(group.members[usize::from(primary) - 1].address(), app, tests::process::DEADLINE);
    assert_eq!(refused.err().and_then(|error| error.code()), Some(3032));
    // STOP leaves it OFFLINE; with the others back, START brings it back.
    group.member(primary).run("STOP GROUP_REPLICATION");
    await_states(&group, primary, &[(primary, "OFFLINE")]);
    group.member(primary).run("SET GLOBAL offline_mode=OFF");
    others.iter().for_each(|&number| group.member(number).start());
    group.member(primary).run("START GROUP_REPLICATION");
    group.await_online(&[1, 2, 3]);
    group.assert_equal(&[1, 2, 3], &["test.t"]);
}

/// `exit_state_action=ABORT_SERVER`: an expelled member that may not come back ends its process.
#[test]
fn an_expelled_member_aborts() {
    let more = "loose-group_replication_member_expel_timeout=1\nloose-group_replication_autorejoin_tries=0\n\
                loose-group_replication_exit_state_action=ABORT_SERVER";
    let mut group = Group::form("abort", Settings { more, ..Settings::default() });
    group.member(2).pause();
    await_states(&group, 1, &[(1, "ONLINE"), (3, "ONLINE")]);
    group.member(2).proceed();
    let status = group.member(2).await_end();
    assert_eq!(status.code(), Some(0), "a clean end");
    assert!(group.member(2).log().contains("Member was expelled"));
    await_states(&group, 3, &[(1, "ONLINE"), (3, "ONLINE")]);
}

/// What a statement answers: 0, or its error's number.
fn code(group: &Group, at: u16, sql: &str) -> u16 {
    match group.members[usize::from(at) - 1].client().execute(sql) {
        Ok(_) => 0,
        Err(error) => error.code().unwrap_or_else(|| panic!("{sql}: the connection failed: {error}")),
    }
}

/// Two of three are killed: what waits is blocked, `force_members` on the survivor lets it go through; nobody can be
/// forced before, or out of a list that makes no sense; who was left out meets the new birth and goes to ERROR.
#[test]
fn the_survivor_of_three_is_forced() {
    let mut group = Group::form("force", Settings::default());
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY)");
    group.assert_equal(&[1, 2, 3], &["test.t"]);
    let primary = group.await_primary(&[1, 2, 3]);
    let others: Vec<u16> = (1..=3).filter(|&number| number != primary).collect();
    let address = |number: u16| format!("127.0.0.1:{}", group.members[usize::from(number) - 1].group_port);
    let set = |list: &str| format!("SET GLOBAL group_replication_force_members='{list}'");
    let (only, all) = (set(&address(primary)), set(&[1, 2, 3].map(address).join(",")));
    let strange = set(&format!("{},127.0.0.1:1", address(primary)));
    assert_eq!(code(&group, primary, &only), 4118, "the majority is there");
    assert_eq!(code(&group, primary, &set("nonsense")), 1231);
    assert_eq!(code(&group, primary, &set("")), 0);
    let waiting = group.members[usize::from(primary) - 1].client();
    others.iter().for_each(|&number| group.member(number).kill());
    let blocked = std::thread::spawn(move || {
        let mut waiting = waiting;
        waiting.execute("INSERT INTO test.t VALUES (1)").map(drop)
    });
    let silent: Vec<_> =
        (1..=3).map(|number| (number, if number == primary { "ONLINE" } else { "UNREACHABLE" })).collect();
    await_states(&group, primary, &silent);
    assert_eq!(code(&group, primary, &all), 4118, "all of them");
    assert_eq!(code(&group, primary, &strange), 4118, "one that is no member");
    assert_eq!(value(&group, primary, "@@group_replication_force_members"), "");
    assert_eq!(code(&group, primary, &only), 0);
    await_states(&group, primary, &[(primary, "ONLINE")]);
    blocked.join().expect("it does not panic").expect("what was blocked goes through");
    group.write("INSERT INTO test.t VALUES (2)");
    assert!(group.member(primary).log().contains("Not to be started as members any more"));
    // START refuses while the list is there.
    assert_eq!(code(&group, primary, "STOP GROUP_REPLICATION"), 0);
    assert_eq!(code(&group, primary, "START GROUP_REPLICATION"), 3092);
    assert_eq!(code(&group, primary, &set("")), 0);
    for sql in ["SET GLOBAL group_replication_bootstrap_group=ON", "START GROUP_REPLICATION"] {
        assert_eq!(code(&group, primary, sql), 0, "{sql}");
    }
    await_states(&group, primary, &[(primary, "ONLINE")]);
    assert_eq!(value(&group, primary, "COUNT(*) FROM test.t"), "2");
}
