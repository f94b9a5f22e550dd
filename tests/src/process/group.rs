//! A group of member processes on loopback.

use super::{Acknowledged, Member, Scratch, free_ports, wait_for};
use crate::network::{self, Network};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Name of every test's group; members of different tests have different ports.
const NAME: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";

/// What a group is made with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Number of members.
    pub members: u16,
    /// `single_primary_mode`.
    pub single_primary: bool,
    /// `sync_binlog`.
    pub sync: u8,
    /// `start_on_boot`.
    pub start_on_boot: bool,
    /// More lines of the option files.
    pub more: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self { members: 3, single_primary: true, sync: 0, start_on_boot: true, more: "" }
    }
}

/// Members, their directories and ports.
#[derive(Debug)]
pub struct Group {
    /// By number, from 1 at place 0.
    pub members: Vec<Member>,
    /// SQL port of the first member; the others follow.
    pub first_port: u16,
    /// What it was made with.
    pub settings: Settings,
    // Last, so that it goes after the processes that use it.
    /// Where everything is.
    pub scratch: Scratch,
}

impl Group {
    /// Data directories and option files, and no processes.
    #[must_use]
    pub fn prepare(name: &str, settings: Settings) -> Self {
        let scratch = Scratch::new(name);
        let first_port = free_ports(settings.members);
        let members = (0..settings.members).map(|at| {
            let dir = scratch.path().join(format!("s{}", at + 1));
            Member::initialize(&dir, at + 1, first_port + at, first_port + 100 + at)
        });
        let group = Self { members: members.collect(), first_port, settings, scratch };
        group.members.iter().for_each(|member| member.write_options(&group.options(member)));
        group
    }

    /// All members ONLINE; the first bootstrapped the group.
    #[must_use]
    pub fn form(name: &str, settings: Settings) -> Self {
        let mut group = Self::prepare(name, settings);
        for member in &mut group.members {
            member.spawn(&["--loose-group_replication_start_on_boot=OFF"]);
        }
        for member in &mut group.members {
            member.await_ready();
        }
        group.bootstrap();
        group
    }

    /// Like [`Group::form`], each member at its own place of a network; the calling thread enters the
    /// clients' place. `root` may log in from anywhere there.
    ///
    /// # Panics
    /// When a member cannot be reached.
    #[must_use]
    pub fn form_on(network: &Network, name: &str, settings: Settings) -> Self {
        let mut group = Self::prepare(name, settings);
        for member in &mut group.members {
            let place = usize::from(member.number);
            member.host = network::address(place);
            member.wrapper = network.wrapper(place);
        }
        group.members.iter().for_each(|member| member.write_options(&group.options(member)));
        for member in &mut group.members {
            member.spawn(&["--loose-group_replication_start_on_boot=OFF"]);
            network.within(usize::from(member.number), || member.let_root_in());
        }
        network.enter().expect("the clients' namespace was made");
        group.bootstrap();
        group
    }

    /// Forms the group of running members.
    pub fn bootstrap(&self) {
        for member in &self.members {
            if member.number == 1 {
                member.run("SET GLOBAL group_replication_bootstrap_group=ON");
                member.run("START GROUP_REPLICATION");
                member.run("SET GLOBAL group_replication_bootstrap_group=OFF");
            } else {
                member.run("START GROUP_REPLICATION");
            }
            self.await_online(&[member.number]);
        }
        let all: Vec<u16> = self.members.iter().map(|member| member.number).collect();
        self.await_online(&all);
    }

    /// A member's option file.
    #[must_use]
    pub fn options(&self, member: &Member) -> String {
        let on = |on: bool| if on { "ON" } else { "OFF" };
        let seeds: Vec<String> =
            self.members.iter().map(|member| format!("{}:{}", member.host, member.group_port)).collect();
        let (settings, port, host) = (&self.settings, member.port, member.host);
        let bind = if host.is_loopback() { host } else { Ipv4Addr::UNSPECIFIED };
        format!(
            "[mysqld]\nserver_id={}\ndatadir=\"{}\"\nbind_address={bind}\nport={port}\nreport_host={host}\n\
             sync_binlog={}\ngtid_mode=ON\nenforce_gtid_consistency=ON\nplugin_load_add=group_replication.so\n\
             loose-group_replication_group_name=\"{NAME}\"\nloose-group_replication_start_on_boot={}\n\
             loose-group_replication_bootstrap_group=OFF\nloose-group_replication_local_address={host}:{}\n\
             loose-group_replication_group_seeds={}\nloose-group_replication_single_primary_mode={}\n{}\n",
            member.number,
            member.data().display(),
            settings.sync,
            on(settings.start_on_boot),
            member.group_port,
            seeds.join(","),
            on(settings.single_primary),
            settings.more,
        )
    }

    /// A member by its number.
    #[must_use]
    pub fn member(&mut self, number: u16) -> &mut Member {
        &mut self.members[usize::from(number) - 1]
    }

    /// Waits until each of these sees itself and all the others of these ONLINE.
    pub fn await_online(&self, numbers: &[u16]) {
        for &number in numbers {
            let member = &self.members[usize::from(number) - 1];
            wait_for(&format!("member {number} to see {numbers:?} ONLINE"), || {
                let states = member.states(self.first_port).map_err(|error| error.to_string())?;
                let online = |wanted: &u16| states.iter().any(|(at, state, _)| at + 1 == *wanted && state == "ONLINE");
                if numbers.iter().all(online) { Ok(()) } else { Err(format!("{states:?}")) }
            });
        }
    }

    /// Number of the primary that a member sees, once it sees one ONLINE among `numbers`.
    #[must_use]
    pub fn await_primary(&self, numbers: &[u16]) -> u16 {
        wait_for("a primary", || {
            let mut seen = Vec::new();
            for &number in numbers {
                let states = self.members[usize::from(number) - 1].states(self.first_port);
                let states = states.map_err(|error| error.to_string())?;
                let primary = states.iter().find(|(_, state, role)| state == "ONLINE" && role == "PRIMARY");
                seen.push(primary.map(|&(at, ..)| at + 1));
            }
            match seen[0] {
                Some(primary) if numbers.contains(&primary) && seen.iter().all(|&other| other == seen[0]) => {
                    Ok(primary)
                }
                _ => Err(format!("{seen:?}")),
            }
        })
    }

    /// Runs a statement on a member that takes writes, whichever that is: a loaded machine may make the group
    /// choose another primary.
    ///
    /// # Panics
    /// When it fails for another reason.
    pub fn write(&self, sql: &str) {
        wait_for(&format!("a primary that takes {sql}"), || {
            let mut refused = Vec::new();
            for member in self.members.iter().filter(|member| member.pid().is_some()) {
                let own = member.states(member.port).map_err(|error| error.to_string())?;
                // Ports are told relative to its own.
                if !own.iter().any(|(at, state, role)| *at == 0 && state == "ONLINE" && role == "PRIMARY") {
                    continue;
                }
                match member.client().execute(sql) {
                    Ok(_) => return Ok(()),
                    Err(error) if [Some(1290), Some(3100)].contains(&error.code()) => refused.push(error.to_string()),
                    Err(error) => panic!("{sql}: {error}"),
                }
            }
            Err(format!("{refused:?}"))
        });
    }

    /// Waits until these members have executed the same, and compares the rows of `tables`. Nobody may write.
    ///
    /// # Panics
    /// When they never become, or are not, equal.
    pub fn assert_equal(&self, numbers: &[u16], tables: &[&str]) {
        let members: Vec<&Member> = numbers.iter().map(|&number| &self.members[usize::from(number) - 1]).collect();
        wait_for("equal gtid_executed", || {
            let ask = |member: &&Member| -> Result<String, String> {
                let mut client = member.connect().map_err(|error| error.to_string())?;
                let rows = super::query(&mut client, "SELECT @@GLOBAL.gtid_executed");
                Ok(rows.map_err(|error| error.to_string())?[0][0].clone())
            };
            let sets: Vec<String> = members.iter().map(ask).collect::<Result<_, _>>()?;
            if sets.iter().all(|set| *set == sets[0]) { Ok(()) } else { Err(format!("{sets:?}")) }
        });
        for table in tables {
            let rows: Vec<_> = members.iter().map(|member| member.run(&format!("SELECT * FROM {table}"))).collect();
            for (member, found) in members.iter().zip(&rows) {
                assert_eq!(found, &rows[0], "{table} of member {} differs from member {}", member.number, numbers[0]);
            }
        }
    }

    /// Every acknowledged row is in `test.w` of these members, and nothing that nobody wrote; each writer's
    /// count is the number of its rows, so no transaction was applied by half or twice.
    ///
    /// # Panics
    /// When it is not so.
    pub fn assert_nothing_lost(&self, numbers: &[u16], lives: &[Acknowledged]) {
        let committed: BTreeSet<u64> = lives.iter().flat_map(|life| &life.committed).copied().collect();
        let unknown: BTreeSet<u64> = lives.iter().flat_map(|life| &life.unknown).copied().collect();
        for &number in numbers {
            let member = &self.members[usize::from(number) - 1];
            let rows = member.run("SELECT id, writer FROM test.w");
            let found: BTreeSet<u64> = rows.iter().map(|row| row[0].parse().expect("a number")).collect();
            assert_eq!(found.len(), rows.len(), "a row twice on member {number}");
            let missing: Vec<_> = committed.difference(&found).collect();
            assert!(missing.is_empty(), "member {number} lacks acknowledged rows {missing:?}");
            let strange: Vec<_> = found.iter().filter(|id| !committed.contains(id) && !unknown.contains(id)).collect();
            assert!(strange.is_empty(), "member {number} has rows that failed: {strange:?}");
            for row in member.run("SELECT writer, n FROM test.n") {
                let own = rows.iter().filter(|found| found[1] == row[0]).count();
                assert_eq!(row[1], own.to_string(), "count of writer {} on member {number}", row[0]);
            }
        }
    }
}
