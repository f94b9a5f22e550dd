//! Starts a sandbox's members and forms the group, through SQL.

use super::layout::Layout;
use super::member::Member;
use super::{DATABASE, SandboxError, USER, sleep};
use crate::load::Client;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How long a member may take to let somebody in.
const READY_SECONDS: u64 = 60;
/// How long a member may take to become ONLINE.
const ONLINE_SECONDS: u64 = 90;
/// How long members may take to end when asked.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const ASK_AGAIN: Duration = Duration::from_millis(25);

/// The members of a sandbox. None of them outlives this.
#[derive(Debug)]
pub struct Group {
    /// By their numbers.
    pub members: Vec<Member>,
}

impl Group {
    /// Asks all members to end, and sees to it.
    pub fn stop(&mut self) {
        self.members.iter_mut().for_each(Member::terminate);
        let deadline = Instant::now() + STOP_TIMEOUT;
        for member in &mut self.members {
            if let Err(error) = member.await_end(deadline) {
                eprintln!("quorate sandbox: member {} (process {}): {error}", member.number, member.pid());
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts the members and makes them one group: bootstraps it, or lets it resume.
///
/// # Errors
/// [`SandboxError::Ended`], `Late`, `Statement`, `Stopped`; all members are then ended.
pub fn form(layout: &Layout, stop: &AtomicBool) -> Result<Group, SandboxError> {
    let mut group = Group { members: Vec::new() };
    for number in layout.numbers() {
        group.members.push(Member::start(layout, number)?);
    }
    let mut clients = Vec::new();
    for member in &mut group.members {
        clients.push(await_ready(member, stop)?);
    }
    if layout.resumed {
        for member in &mut group.members {
            await_online(member, stop)?;
        }
        return Ok(group);
    }
    for (member, client) in group.members.iter_mut().zip(&mut clients) {
        if member.number == 1 {
            execute(member, client, "SET GLOBAL group_replication_bootstrap_group=ON")?;
            execute(member, client, "START GROUP_REPLICATION")?;
            execute(member, client, "SET GLOBAL group_replication_bootstrap_group=OFF")?;
            await_online(member, stop)?;
            execute(member, client, &format!("CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{USER}'"))?;
            execute(member, client, &format!("GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION"))?;
            execute(member, client, &format!("CREATE DATABASE IF NOT EXISTS {DATABASE}"))?;
        } else {
            execute(member, client, "START GROUP_REPLICATION")?;
            await_online(member, stop)?;
        }
    }
    layout.formed()?;
    Ok(group)
}

fn execute(member: &Member, client: &mut Client, sql: &str) -> Result<(), SandboxError> {
    let failed = |source| SandboxError::Statement { number: member.number, sql: sql.to_owned(), source };
    client.execute(sql).map(drop).map_err(failed)
}

fn await_ready(member: &mut Member, stop: &AtomicBool) -> Result<Client, SandboxError> {
    let deadline = Instant::now() + Duration::from_secs(READY_SECONDS);
    loop {
        let last = match member.connect() {
            Ok(client) => return Ok(client),
            Err(error) => error.to_string(),
        };
        if member.ended().is_some() || Instant::now() >= deadline {
            return Err(member.failure("answering", READY_SECONDS, last));
        }
        if !sleep(ASK_AGAIN, stop) {
            return Err(SandboxError::Stopped);
        }
    }
}

fn await_online(member: &mut Member, stop: &AtomicBool) -> Result<(), SandboxError> {
    let deadline = Instant::now() + Duration::from_secs(ONLINE_SECONDS);
    loop {
        let status = member.status();
        if status.state == "ONLINE" {
            return Ok(());
        }
        if member.ended().is_some() || Instant::now() >= deadline {
            return Err(member.failure("ONLINE", ONLINE_SECONDS, status.state));
        }
        if !sleep(ASK_AGAIN, stop) {
            return Err(SandboxError::Stopped);
        }
    }
}
