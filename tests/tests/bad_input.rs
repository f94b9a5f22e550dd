//! Bad input of every kind against real processes: each shows a clear error, and the rest goes on.

use node::load::{Client, ClientError, Login};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::process::{DEADLINE, Group, Member, Scratch, Settings, binary, query, wait_for};
use wire::id::{Ballot, Incarnation, Index, Run, Uuid};
use wire::message::{Channel, Decoder, Hello, Label, MAGIC, Message, PROTOCOL, Trailer, encode};

const ALL: [u16; 3] = [1, 2, 3];

/// SplitMix64: the same bytes in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

fn dial(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the member listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
    stream
}

/// Everything until the other side closes, after saying that nothing more comes.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut bytes = Vec::new();
    // A reset is an end too.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the server neither answers nor closes");
    }
    bytes
}

/// A group of three with a table, and what a normal client does there all the while.
fn group(name: &str) -> Group {
    // Every member takes writes, so that nothing here depends on who is primary.
    let group = Group::form(name, Settings { single_primary: false, ..Settings::default() });
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY, n INT NOT NULL)");
    group.write("INSERT INTO test.t VALUES (0, 0)");
    group
}

/// Runs `attack` while a client counts up on the first member, in one connection that must never fail.
fn beside_a_client(group: &Group, attack: impl FnOnce()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            let mut client = group.members[0].client();
            let before: u64 = query(&mut client, "SELECT n FROM test.t").expect("it reads")[0][0].parse().expect("n");
            let mut count = 0;
            while !done.load(Ordering::Relaxed) || count < 10 {
                client.execute("UPDATE test.t SET n = n + 1").expect("a normal client goes on");
                count += 1;
                let n = query(&mut client, "SELECT n FROM test.t").expect("a normal client goes on");
                assert_eq!(n, [[(before + count).to_string()]]);
            }
        });
        struct Ends<'a>(&'a AtomicBool);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let ends = Ends(&done);
        attack();
        drop(ends);
        work.join().expect("the client saw no error");
    });
    group.await_online(&ALL);
    group.assert_equal(&ALL, &["test.t"]);
    for member in &group.members {
        assert!(!member.log().contains("panicked"), "{}", member.log());
    }
}

/// A login as root would send it: protocol 4.1, no password.
fn login() -> Vec<u8> {
    let capabilities: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 19;
    let mut body = capabilities.to_le_bytes().to_vec();
    body.extend((16u32 << 20).to_le_bytes());
    body.push(45);
    body.extend([0; 23]);
    body.extend(b"root\0\0mysql_native_password\0");
    packet(1, &body)
}

fn packet(sequence: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32).to_le_bytes()[..3].to_vec();
    bytes.push(sequence);
    bytes.extend(body);
    bytes
}

/// Reads one packet; `None` at the end.
fn read_packet(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).ok()?;
    let mut body = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

/// A connection that is logged in as root.
fn logged_in(port: u16) -> TcpStream {
    let mut stream = dial(port);
    read_packet(&mut stream).expect("the greeting");
    stream.write_all(&login()).expect("the server reads");
    let mut answer = read_packet(&mut stream).expect("the answer");
    if answer[0] == 0xfe {
        // Root's account has another method, for which no password is an empty answer too.
        stream.write_all(&packet(3, &[])).expect("the server reads");
        answer = read_packet(&mut stream).expect("the answer");
    }
    assert_eq!(answer[0], 0, "root may log in: {answer:?}");
    stream
}

#[test]
fn bad_bytes_on_the_sql_port_reach_nobody_else() {
    let group = group("sql-bytes");
    let port = group.members[0].port;
    beside_a_client(&group, || {
        let mut random = Random(1);
        for round in 0..150 {
            // Random bytes instead of a login.
            let mut stream = dial(port);
            let count = (random.next() % 3000) as usize;
            let _ = stream.write_all(&random.bytes(count));
            rest(stream);
            // Random bytes as the body of a well-formed packet instead of a login.
            let mut stream = dial(port);
            let count = (random.next() % 200) as usize;
            let _ = stream.write_all(&packet(1, &random.bytes(count)));
            rest(stream);
            // Random commands after a login: each gets an answer or the end of the connection.
            let mut stream = logged_in(port);
            for _ in 0..5 {
                let count = (random.next() % 300) as usize;
                let mut body = random.bytes(count);
                if let Some(command) = body.first_mut() {
                    // The commands that there are, without COM_QUIT; and others.
                    *command = (random.next() % 40) as u8;
                }
                let _ = stream.write_all(&packet(0, &body));
            }
            rest(stream);
            // A login cut short at every length in turn.
            let login = login();
            let mut stream = dial(port);
            stream.write_all(&login[..round % login.len()]).expect("the server reads");
            rest(stream);
        }
    });
}

#[test]
fn oversized_and_misnumbered_packets_get_an_error() {
    let group = group("sql-size");
    let port = group.members[0].port;
    beside_a_client(&group, || {
        // A packet announced larger than max_allowed_packet: 1153, and the end; nothing is kept for it.
        group.members[0].run("SET GLOBAL max_allowed_packet=65536");
        // (A connection takes the value when it begins.)
        let mut stream = logged_in(port);
        let mut body = vec![3];
        body.extend(b"SELECT '");
        body.resize(200_000, b'x');
        let _ = stream.write_all(&packet(0, &body));
        let answer = rest(stream);
        assert_error(&answer[4..], 1153, "max_allowed_packet");
        // A chain of largest packets.
        let mut stream = logged_in(port);
        let mut sent = 0;
        let chunk = vec![b'x'; 1 << 20];
        let _ = stream.write_all(&[0xff, 0xff, 0xff, 0]);
        while sent < 20 << 20 && stream.write_all(&chunk).is_ok() {
            sent += chunk.len();
        }
        let answer = rest(stream);
        assert!(answer.is_empty() || answer[4] == 0xff, "{answer:?}");
        // Before the login nobody may send much.
        let mut stream = dial(port);
        let _ = stream.write_all(&[0xff, 0xff, 0xff, 1]);
        for _ in 0..20 {
            if stream.write_all(&chunk).is_err() {
                break;
            }
        }
        rest(stream);
        // A packet out of order.
        let mut stream = logged_in(port);
        let _ = stream.write_all(&packet(7, b"\x03SELECT 1"));
        let answer = rest(stream);
        assert_error(&answer[4..], 1156, "order");
        // An unknown command: 1047, and the connection stays.
        let mut stream = logged_in(port);
        let _ = stream.write_all(&packet(0, &[0xee, 1, 2]));
        assert_error(&read_packet(&mut stream).expect("an answer"), 1047, "command");
        let _ = stream.write_all(&packet(0, &[14]));
        assert_eq!(read_packet(&mut stream).expect("pong")[0], 0);
    });
}

fn assert_error(packet: &[u8], code: u16, text: &str) {
    assert_eq!(packet.first(), Some(&0xff), "{:?}", String::from_utf8_lossy(packet));
    assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), code, "{:?}", String::from_utf8_lossy(packet));
    let message = String::from_utf8_lossy(&packet[9..]).to_lowercase();
    assert!(message.contains(text), "{message}");
}

fn group_name() -> Uuid {
    Uuid::parse("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa").expect("a uuid")
}

fn hello() -> Hello {
    Hello {
        magic: MAGIC,
        protocol: PROTOCOL,
        group: group_name(),
        uuid: Uuid::parse("99999999-9999-9999-9999-999999999999").expect("a uuid"),
        incarnation: Incarnation(4711),
        run: Run(1),
        address: "127.0.0.1:1".to_owned(),
        channel: Channel::Order,
        target: Incarnation(0),
    }
}

fn message(message: &Message, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, Label::default(), Trailer::Bytes(payload), 0, &mut bytes);
    bytes
}

/// What a member answers to a greeting; empty when it lets the peer in.
fn greet(stream: &mut TcpStream, hello: Hello) -> String {
    stream.write_all(&message(&Message::Hello(hello), &[])).expect("the member reads");
    let mut decoder = Decoder::default();
    let mut bytes = [0; 4096];
    loop {
        match decoder.next_message().expect("members speak their protocol") {
            Some(received) => match received.message {
                Message::Welcome { refused, .. } => return refused,
                other => panic!("{other:?}"),
            },
            None => {
                let count = stream.read(&mut bytes).expect("an answer");
                assert_ne!(count, 0, "closed without an answer");
                decoder.feed(&bytes[..count]);
            }
        }
    }
}

#[test]
fn bad_bytes_on_the_group_port_reach_nobody_else() {
    let group = group("group-bytes");
    let port = group.members[0].group_port;
    beside_a_client(&group, || {
        let mut random = Random(2);
        let greeting = message(&Message::Hello(hello()), &[]);
        let ballot = Ballot { round: 1 << 60, node: Incarnation(4711) };
        for round in 0..150 {
            let mut stream = dial(port);
            let count = (random.next() % 3000) as usize;
            let _ = stream.write_all(&random.bytes(count));
            rest(stream);
            // A greeting cut short, and one with a changed byte.
            let mut stream = dial(port);
            let _ = stream.write_all(&greeting[..round % greeting.len()]);
            rest(stream);
            let mut stream = dial(port);
            let mut changed = greeting.clone();
            changed[(random.next() % greeting.len() as u64) as usize] ^= 1 << (random.next() % 8);
            let _ = stream.write_all(&changed);
            rest(stream);
            // Envelopes that announce too much.
            let mut stream = dial(port);
            let mut head = u32::MAX.to_le_bytes().to_vec();
            head.extend(random.bytes(12));
            let _ = stream.write_all(&head);
            rest(stream);
            // A good greeting, then messages of nobody's with random bytes as their frames and entries.
            let mut stream = dial(port);
            assert_eq!(greet(&mut stream, hello()), "");
            let count = (random.next() % 2000) as usize;
            let noise = random.bytes(count);
            let (index, number) = (Index(random.next() % 1000), random.next());
            let messages = [
                Message::Append {
                    ballot,
                    previous: index,
                    previous_chain: number,
                    decided: index,
                    synced: index,
                    applied: index,
                },
                Message::Ack { ballot, index, applied: index },
                Message::Mismatch { ballot, decided: index },
                Message::Fetch { token: number, ballot, after: index, chain: number },
                Message::Fetched { token: number, ballot, after: index, last: index, matches: true },
                Message::Propose { run: Run(1), first: number, count: 3 },
                Message::PreVoteGranted { ballot },
                Message::Expect { run: Run(1), number },
                Message::Leave { incarnation: Incarnation(number) },
                Message::Handover { ballot, next: ballot },
            ];
            for sent in &messages {
                let _ = stream.write_all(&message(sent, &noise));
            }
            let _ = stream.write_all(&random.bytes(100));
            rest(stream);
        }
    });
}

/// A connection to `port` from another address of this machine.
fn dial_from(address: Ipv4Addr, port: u16) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddrV4::new(address, 0)).expect("all of 127.0.0.0/8 is this machine");
    connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).expect("the member listens");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
    stream
}

#[test]
fn peers_that_do_not_belong_are_refused_with_the_reason() {
    let mut group = group("peers");
    let port = group.members[0].group_port;
    beside_a_client(&group, || {
        let other = Uuid::parse("bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb").expect("a uuid");
        let outside = Ipv4Addr::new(127, 0, 0, 2);
        let newer = format!("protocol version {} is not spoken here, only {PROTOCOL}", PROTOCOL + 1);
        let cases = [
            (Ipv4Addr::LOCALHOST, Hello { protocol: PROTOCOL + 1, ..hello() }, newer.as_str()),
            (Ipv4Addr::LOCALHOST, Hello { group: other, ..hello() }, "not bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"),
            (Ipv4Addr::LOCALHOST, Hello { magic: 1, ..hello() }, "not a member of a group"),
            (outside, hello(), "127.0.0.2 are not in group_replication_ip_allowlist"),
        ];
        for (from, hello, reason) in cases {
            let mut stream = dial_from(from, port);
            let refused = greet(&mut stream, hello);
            assert!(refused.contains(reason), "{refused}");
            assert!(rest(stream).is_empty(), "a refused connection is closed");
            group.members[0].await_log(reason);
        }
        assert_eq!(greet(&mut dial_from(Ipv4Addr::LOCALHOST, port), hello()), "");
    });
    // Once it is on the list, it may connect.
    group.member(1).run("STOP GROUP_REPLICATION");
    group.member(1).run("SET GLOBAL group_replication_ip_allowlist='127.0.0.2/32'");
    group.member(1).run("START GROUP_REPLICATION");
    group.await_online(&ALL);
    assert_eq!(greet(&mut dial_from(Ipv4Addr::new(127, 0, 0, 2), port), hello()), "");
}

fn refused(result: Result<impl std::fmt::Debug, ClientError>) -> (u16, String) {
    match result {
        Err(ClientError::Server(error)) => (error.code, error.message),
        other => panic!("{other:?}"),
    }
}

/// A server that would join the group under another name is told so, and the group goes on.
#[test]
fn a_server_with_another_group_name_cannot_join() {
    let mut group = Group::prepare("name", Settings { start_on_boot: false, ..Settings::default() });
    group.members.iter_mut().for_each(Member::start);
    for sql in ["SET GLOBAL group_replication_bootstrap_group=ON", "START GROUP_REPLICATION"] {
        group.member(1).run(sql);
    }
    group.await_online(&[1]);
    let other = "SET GLOBAL group_replication_group_name='bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb'";
    group.member(2).run(other);
    std::thread::scope(|scope| {
        let mut client = group.members[1].client();
        // It asks again until its time is up, as others may have yet to come; or until it is stopped.
        let start = scope.spawn(move || client.execute("START GROUP_REPLICATION"));
        group.members[1].await_log("this member belongs to group");
        group.members[0].await_log("not bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb");
        let states = group.members[1].states(0).expect("it answers");
        assert_ne!(states[0].1, "ONLINE");
        group.members[1].terminate();
        start.join().expect("no panic").expect_err("the server ends instead");
    });
    assert_eq!(group.member(2).await_end().code(), Some(0));
    assert_eq!(group.member(1).states(0).expect("it answers").len(), 1);
    // With the right name it joins after all.
    group.member(2).start();
    group.member(2).run("START GROUP_REPLICATION");
    group.await_online(&[1, 2]);
}

/// The newest segment of a member's log.
fn last_segment(member: &Member) -> PathBuf {
    let mut found: Vec<(u64, PathBuf)> = fs::read_dir(member.data().join("group_log"))
        .expect("the log's directory is there")
        .map(|entry| entry.expect("it can be listed").path())
        .map(|path| (written(&fs::read(&path).expect("it can be read")), path))
        .collect();
    found.retain(|(length, _)| *length > 4096);
    found.sort();
    found.pop().expect("there is a segment with frames").1
}

/// Bytes up to the last that is not zero.
fn written(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at as u64 + 1)
}

fn overwrite(path: &Path, offset: u64, bytes: &[u8]) {
    let file = File::options().write(true).open(path).expect("it can be written");
    file.write_all_at(bytes, offset).expect("it can be written");
}

fn fill(group: &mut Group, rows: std::ops::Range<u32>) {
    let mut client = group.member(1).client();
    for id in rows {
        client.execute(&format!("INSERT INTO test.t VALUES ({id}, {id})")).expect("the primary takes writes");
    }
}

#[test]
fn a_damaged_log_tail_is_cut_and_said() {
    let mut group = Group::form("tail", Settings { sync: 1, single_primary: false, ..Settings::default() });
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY, n INT NOT NULL, t TEXT)");
    let text = "x".repeat(3000);
    let mut client = group.member(1).client();
    let mut insert = |id: u32| {
        let sql = format!("INSERT INTO test.t VALUES ({id}, {id}, '{text}')");
        client.execute(&sql).expect("a quorum is up");
    };
    (1..20).for_each(&mut insert);
    group.assert_equal(&ALL, &["test.t"]);
    group.member(3).kill();
    (20..30).for_each(&mut insert);
    // As if the third had been writing the next frame when it ended: the beginning of it is there, and where
    // the rest belongs are still the zeros.
    let (whole, torn) = (last_segment(&group.members[0]), last_segment(&group.members[2]));
    let (whole, before) = (fs::read(whole).expect("it can be read"), fs::read(&torn).expect("it can be read"));
    let end = written(&before).next_multiple_of(16) as usize;
    let cut = (end + 600).next_multiple_of(512);
    overwrite(&torn, end as u64, &whole[end..cut]);
    group.member(3).start();
    group.member(3).await_log("the group log's tail was torn");
    assert!(group.member(3).log().contains("bytes cut in segment"), "{}", group.member(3).log());
    group.await_online(&ALL);
    group.assert_equal(&ALL, &["test.t"]);
    assert_eq!(group.member(3).value("SELECT COUNT(*) FROM test.t"), "29");
}

/// A damaged middle is never cut like a torn tail: what is lost was promised. It is named, the member gives up the
/// vote that it had with it, and fetches it from the group as a new life.
#[test]
fn a_damaged_log_middle_is_named_and_fetched_from_the_group() {
    let mut group = Group::form("middle", Settings { sync: 1, single_primary: false, ..Settings::default() });
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY, n INT NOT NULL)");
    fill(&mut group, 1..50);
    group.assert_equal(&ALL, &["test.t"]);
    group.member(2).kill();
    let segment = last_segment(&group.members[1]);
    let before = fs::read(&segment).expect("it can be read");
    let middle = written(&before) / 2;
    overwrite(&segment, middle, &[!before[middle as usize]]);
    group.member(2).start();
    let log = group.member(2).log();
    for part in ["damaged in segment", "at offset", "are lost here", "joins anew"] {
        assert!(log.contains(part), "'{part}' in {log}");
    }
    assert!(!log.contains("panicked"), "{log}");
    group.await_online(&ALL);
    fill(&mut group, 50..60);
    group.assert_equal(&ALL, &["test.t"]);
    // A server does not start that cannot know what it promised.
    group.member(2).kill();
    let vote = group.member(2).data().join("vote");
    let length = fs::metadata(&vote).expect("it is there").len();
    overwrite(&vote, 0, &Random(3).bytes(length as usize));
    group.member(2).spawn(&[]);
    assert_eq!(group.member(2).await_end().code(), Some(1));
    group.member(2).await_log("has no good slot");
    fill(&mut group, 60..70);
    group.assert_equal(&[1, 3], &["test.t"]);
}

/// A file that may grow no more stands for a full disk: the system refuses the write either way.
#[test]
fn a_member_whose_disk_is_full_ends_with_an_error_and_the_others_go_on() {
    let mut group = Group::form("full", Settings { sync: 1, single_primary: false, ..Settings::default() });
    group.write("CREATE DATABASE test");
    group.write("CREATE TABLE test.t (id INT PRIMARY KEY, n INT NOT NULL, t TEXT)");
    let text = "x".repeat(50_000);
    let mut client = group.member(1).client();
    let mut insert = |id: u32| client.execute(&format!("INSERT INTO test.t VALUES ({id}, {id}, '{text}')"));
    for id in 0..25 {
        insert(id).expect("there is room");
    }
    group.assert_equal(&ALL, &["test.t"]);
    // The log has passed 1 MiB; no file of this process may be written to beyond that from now on.
    let pid = Pid::from_raw(group.member(3).pid().expect("it runs") as i32);
    prlimit(pid, Resource::Fsize, Rlimit { current: Some(1 << 20), maximum: Some(1 << 20) }).expect("it is ours");
    for id in 25..35 {
        insert(id).expect("two are a quorum");
    }
    assert_eq!(group.member(3).await_end().code(), Some(1));
    let log = group.member(3).log();
    assert!(log.contains("no room for") || log.contains("File too large"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    for id in 35..40 {
        insert(id).expect("two are a quorum");
    }
    group.assert_equal(&[1, 2], &["test.t"]);
    // With room again, it catches up.
    group.member(3).start();
    group.await_online(&ALL);
    group.assert_equal(&ALL, &["test.t"]);
}

fn run(line: &[&str]) -> Output {
    Command::new(line[0]).args(&line[1..]).output().expect("it runs")
}

/// What a command that must fail said.
fn failure(line: &[&str]) -> String {
    let output = run(line);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code().is_some_and(|code| code != 0), "{line:?}: {text}");
    assert!(!text.contains("panicked"), "{line:?}: {text}");
    text
}

#[test]
fn a_server_without_room_does_not_start() {
    let group = Group::prepare("room", Settings { members: 1, ..Settings::default() });
    let member = &group.members[0];
    let (quorate, options) = (binary().display().to_string(), member.option_file());
    let defaults = format!("--defaults-file={}", options.display());
    let said = failure(&["prlimit", "--fsize=1000000", &quorate, &defaults]);
    assert!(said.contains("no room for"), "{said}");
    assert!(said.contains("group_log"), "{said}");
    // Nothing half-made is left in the way.
    let mut group = group;
    group.member(1).start();
    assert_eq!(group.member(1).stop().code(), Some(0));
    // A disk that is really full, where this user may mount one.
    let small = group.scratch.path().join("small");
    fs::create_dir(&small).expect("the scratch directory takes directories");
    let small = small.display().to_string();
    if run(&["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", &small]).status.success() {
        let data = format!("--datadir={small}/data");
        let made = run(&[&quorate, "--initialize-insecure", &data]);
        let said = failure(&[&quorate, &defaults, &data]);
        let unmounted = run(&["umount", &small]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        assert!(unmounted.status.success(), "{}", String::from_utf8_lossy(&unmounted.stderr));
        assert!(said.contains("no room for"), "{said}");
    }
}

#[test]
fn ports_and_directories_in_use_are_named() {
    let mut group = Group::prepare("in-use", Settings { members: 2, start_on_boot: false, ..Settings::default() });
    group.member(1).start();
    let quorate = binary().display().to_string();
    let (first, second) = (group.members[0].option_file(), group.members[1].option_file());
    let (first, second) =
        (format!("--defaults-file={}", first.display()), format!("--defaults-file={}", second.display()));
    // Another server's SQL port.
    let port = group.members[0].port;
    let said = failure(&[&quorate, &second, &format!("--port={port}")]);
    assert!(said.contains(&format!("127.0.0.1:{port}")) && said.contains("in use"), "{said}");
    // A running server's data directory.
    let said = failure(&[&quorate, &first, &format!("--port={}", group.members[1].port)]);
    assert!(said.contains("in use by process"), "{said}");
    assert!(said.contains(&group.members[0].pid().expect("it runs").to_string()), "{said}");
    let said =
        failure(&[&quorate, "--initialize-insecure", &format!("--datadir={}", group.members[0].data().display())]);
    assert!(said.contains("is not empty"), "{said}");
    // Another server's group port.
    group.member(1).run("SET GLOBAL group_replication_bootstrap_group=ON");
    group.member(1).run("START GROUP_REPLICATION");
    group.await_online(&[1]);
    group.member(2).start();
    let address = format!("127.0.0.1:{}", group.members[0].group_port);
    group.member(2).run(&format!("SET GLOBAL group_replication_local_address='{address}'"));
    let (code, message) = refused(group.member(2).client().execute("START GROUP_REPLICATION"));
    assert_eq!(code, 3096, "{message}");
    assert!(message.contains(&address) || group.member(2).log().contains(&address), "{message}");
    // With its own again it joins; the first never noticed anything.
    let address = format!("127.0.0.1:{}", group.members[1].group_port);
    group.member(2).run(&format!("SET GLOBAL group_replication_local_address='{address}'"));
    group.member(2).run("START GROUP_REPLICATION");
    group.await_online(&[1, 2]);
    assert!(group.member(1).is_running());
}

#[test]
fn directories_that_cannot_be_used_are_named() {
    let scratch = Scratch::new("unwritable");
    // A user that may nothing here; root may everything, so tests of root use another.
    let quorate = scratch.path().join("quorate");
    fs::copy(binary(), &quorate).expect("the scratch directory takes files");
    let quorate = quorate.display().to_string();
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let is_root = rustix::process::geteuid().is_root();
    let nobody = |line: &[&str]| {
        let mut whole =
            if is_root { vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] } else { Vec::new() };
        whole.extend(line);
        failure(&whole)
    };
    let data = scratch.path().join("data");
    let datadir = format!("--datadir={}", data.display());
    // Not there, and not to be made.
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o555)).expect("it is ours");
    let said = nobody(&[&quorate, "--initialize-insecure", &datadir]);
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).expect("it is ours");
    assert!(said.contains(&data.display().to_string()) && said.contains("ermission denied"), "{said}");
    // Not there, or not a data directory.
    let said = failure(&[&quorate, &datadir]);
    assert!(said.contains("auto.cnf") && said.contains("--initialize-insecure"), "{said}");
    // There, and readable only.
    assert!(run(&[&quorate, "--initialize-insecure", &datadir]).status.success());
    for entry in fs::read_dir(&data).expect("it is there") {
        let path = entry.expect("it can be listed").path();
        fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("it is ours");
    }
    fs::set_permissions(&data, Permissions::from_mode(0o555)).expect("it is ours");
    let said = nobody(&[&quorate, &datadir]);
    fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("it is ours");
    assert!(said.contains(&data.display().to_string()), "{said}");
    assert!(said.contains("cannot be written to") || said.contains("ermission denied"), "{said}");
    // A file.
    let said = failure(&[&quorate, "--initialize-insecure", &format!("--datadir={quorate}")]);
    assert!(said.contains("is not a directory"), "{said}");
}

#[test]
fn bad_options_end_the_start_with_their_name_and_place() {
    let group = Group::prepare("options", Settings { members: 1, start_on_boot: false, ..Settings::default() });
    let member = &group.members[0];
    let quorate = binary().display().to_string();
    let good = group.options(member);
    let line = good.lines().count() + 1;
    let place = format!("member.cnf, line {line}");
    for (option, needles) in [
        ("no_such_option=1", vec!["unknown option 'no_such_option'", &place]),
        ("binlog_format=STATEMENT", vec!["binlog_format=STATEMENT", &place]),
        ("binlog-format = MIXED", vec!["binlog_format=MIXED", &place]),
        ("gtid_mode=OFF", vec!["gtid_mode=OFF", &place]),
        ("enforce_gtid_consistency=OFF", vec!["enforce_gtid_consistency=OFF", &place]),
        ("log_slave_updates=OFF", vec!["OFF", &place]),
        ("transaction_write_set_extraction=OFF", vec!["transaction_write_set_extraction=OFF", &place]),
        ("port=70000", vec!["port", "70000", &place]),
        ("loose-group_replication_group_name=x", vec!["group_replication_group_name", &place]),
        ("!include /etc/my.cnf", vec!["include", &place]),
    ] {
        member.write_options(&format!("{good}{option}\n"));
        let said = failure(&[&quorate, &format!("--defaults-file={}", member.option_file().display())]);
        for needle in needles {
            assert!(said.contains(needle), "{option}: '{needle}' in {said}");
        }
    }
    let defaults = format!("--defaults-file={}", member.option_file().display());
    let said = failure(&[&quorate, "--defaults-file=/nowhere/my.cnf"]);
    assert!(said.contains("/nowhere/my.cnf"), "{said}");
    // With loose- it starts, and says so.
    member.write_options(&format!("{good}loose-no_such_option=1\n"));
    let mut group = group;
    let said = failure(&[&quorate, &defaults, "--no_such_option"]);
    assert!(said.contains("unknown option 'no_such_option'") && said.contains("command line"), "{said}");
    group.member(1).start();
    let log = group.member(1).log();
    assert!(log.contains("[Warning]") && log.contains("no_such_option"), "{log}");
}

/// Whoever connects and says nothing holds nobody up, and is let go after a while or at the end.
#[test]
fn silent_connections_hold_nobody_up() {
    let mut group = group("silent");
    let mut silent: Vec<TcpStream> = Vec::new();
    beside_a_client(&group, || {
        for _ in 0..100 {
            silent.push(dial(group.members[0].port));
            silent.push(dial(group.members[0].group_port));
        }
    });
    let login = Login { user: "root".into(), ..Login::default() };
    let client = Client::connect(group.members[0].address(), login, Duration::from_secs(30));
    drop(client.expect("others are let in"));
    wait_for("member 1 to end", || if group.member(1).stop().success() { Ok(()) } else { Err("it failed".into()) });
}
