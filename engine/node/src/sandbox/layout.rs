//! Directories and option files of a sandbox.
//!
//! ```text
//! DIR/sandbox.cnf      what the sandbox is: members, mode, base port, group name
//! DIR/m1/member.cnf    option file of member 1, rewritten at every start
//! DIR/m1/member.log    its log
//! DIR/m1/data/         its data directory
//! ```
//!
//! Absent on purpose: the user `sb` and the database; they are in the data.

use super::{GROUP_PORT_OFFSET, MEMBERS_MAX, Mode, Options, SandboxError};
use crate::init;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use wire::id::Uuid;

const SANDBOX_CNF: &str = "sandbox.cnf";
const BASE_PORT_DEFAULT: u16 = 24_800;
const MEMBERS_DEFAULT: u16 = 3;

/// A sandbox's place on disk. A temporary one is removed when this is dropped.
#[derive(Debug)]
pub struct Layout {
    /// Where all of it is.
    pub dir: PathBuf,
    /// It is removed at the end.
    pub temporary: bool,
    /// It was there before: the group resumes.
    pub resumed: bool,
    /// Number of members.
    pub members: u16,
    /// Which members take writes.
    pub mode: Mode,
    /// `sync_binlog` is 1.
    pub sync: bool,
    base_port: u16,
    group: Uuid,
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> SandboxError + use<> {
    let path = path.to_owned();
    move |source| SandboxError::File { path, source }
}

impl Layout {
    /// Makes the directories and option files of what `options` ask for, or finds what is there.
    ///
    /// # Errors
    /// [`SandboxError::File`], `Other`, `NotOurs`, `Port`, `Init`.
    pub fn make(options: &Options) -> Result<Self, SandboxError> {
        let temporary = options.dir.is_none();
        let dir = match &options.dir {
            Some(dir) => dir.clone(),
            None => std::env::temp_dir().join(format!("quorate-sandbox-{}", std::process::id())),
        };
        let kept = Kept::read(&dir)?;
        let resumed = kept.is_some();
        let asked = |kept: &Kept| -> Result<(), SandboxError> {
            check(&dir, "members", kept.members, options.members)?;
            check(&dir, "mode", kept.mode, options.mode)?;
            check(&dir, "base-port", kept.base_port, options.base_port)
        };
        let kept = match kept {
            Some(kept) => {
                asked(&kept)?;
                kept
            }
            None => Kept {
                members: options.members.unwrap_or(MEMBERS_DEFAULT),
                mode: options.mode.unwrap_or(Mode::Single),
                base_port: options.base_port.unwrap_or(BASE_PORT_DEFAULT),
                group: init::random_uuid(),
                formed: false,
            },
        };
        kept.check_ports()?;
        fs::create_dir_all(&dir).map_err(file_error(&dir))?;
        let layout = Self {
            // Option files name their directories, and members may run elsewhere.
            dir: fs::canonicalize(&dir).map_err(file_error(&dir))?,
            temporary,
            resumed,
            members: kept.members,
            mode: kept.mode,
            sync: options.sync.unwrap_or(true),
            base_port: kept.base_port,
            group: kept.group,
        };
        for number in layout.numbers() {
            layout.make_member(number)?;
        }
        layout.keep(kept.formed)?;
        Ok(layout)
    }

    /// Remembers that the group is formed: from here on it resumes.
    ///
    /// # Errors
    /// [`SandboxError::File`].
    pub fn formed(&self) -> Result<(), SandboxError> {
        self.keep(true)
    }

    fn keep(&self, formed: bool) -> Result<(), SandboxError> {
        let &Self { members, mode, base_port, group, .. } = self;
        let path = self.dir.join(SANDBOX_CNF);
        fs::write(&path, Kept { members, mode, base_port, group, formed }.to_text()).map_err(file_error(&path))
    }

    /// Members count from 1.
    pub fn numbers(&self) -> std::ops::RangeInclusive<u16> {
        1..=self.members
    }

    /// Where a member answers SQL.
    pub fn sql_address(&self, number: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base_port + number).into()
    }

    /// A member's option file.
    pub fn option_file(&self, number: u16) -> PathBuf {
        self.member_dir(number).join("member.cnf")
    }

    /// A member's log.
    pub fn log_file(&self, number: u16) -> PathBuf {
        self.member_dir(number).join("member.log")
    }

    fn member_dir(&self, number: u16) -> PathBuf {
        self.dir.join(format!("m{number}"))
    }

    fn data_dir(&self, number: u16) -> PathBuf {
        self.member_dir(number).join("data")
    }

    fn group_port(&self, number: u16) -> u16 {
        self.base_port + GROUP_PORT_OFFSET + number
    }

    fn make_member(&self, number: u16) -> Result<(), SandboxError> {
        let dir = self.member_dir(number);
        fs::create_dir_all(&dir).map_err(file_error(&dir))?;
        if !self.data_dir(number).join(init::AUTO_CNF).exists() {
            init::initialize_insecure(&self.data_dir(number))?;
        }
        let path = self.option_file(number);
        fs::write(&path, self.options_of(number)).map_err(file_error(&path))
    }

    fn options_of(&self, number: u16) -> String {
        let seeds: Vec<String> =
            self.numbers().map(|number| format!("127.0.0.1:{}", self.group_port(number))).collect();
        let (single, multi) = if self.mode == Mode::Single { ("ON", "OFF") } else { ("OFF", "ON") };
        format!(
            "# Written by `quorate sandbox` at every start; changes here are lost.\n\
             [mysqld]\n\
             server_id={number}\n\
             datadir=\"{}\"\n\
             bind_address=127.0.0.1\n\
             port={}\n\
             report_host=127.0.0.1\n\
             report_port={}\n\
             gtid_mode=ON\n\
             enforce_gtid_consistency=ON\n\
             sync_binlog={}\n\
             plugin_load_add=group_replication.so\n\
             loose-group_replication_group_name={}\n\
             loose-group_replication_start_on_boot=ON\n\
             loose-group_replication_bootstrap_group=OFF\n\
             loose-group_replication_local_address=127.0.0.1:{}\n\
             loose-group_replication_group_seeds={}\n\
             loose-group_replication_single_primary_mode={single}\n\
             loose-group_replication_enforce_update_everywhere_checks={multi}\n",
            self.data_dir(number).display(),
            self.base_port + number,
            self.base_port + number,
            u8::from(self.sync),
            self.group,
            self.group_port(number),
            seeds.join(","),
        )
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = fs::remove_dir_all(&self.dir)
        {
            eprintln!("quorate sandbox: {} stays: {error}", self.dir.display());
        }
    }
}

/// What a sandbox's directory remembers of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    members: u16,
    mode: Mode,
    base_port: u16,
    group: Uuid,
    /// All members were ONLINE once, and user and database are there.
    formed: bool,
}

impl Kept {
    /// `None`: nothing is there, or an empty directory.
    fn read(dir: &Path) -> Result<Option<Self>, SandboxError> {
        let path = dir.join(SANDBOX_CNF);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let found = fs::read_dir(dir).ok().and_then(|mut names| names.next()?.ok());
                return match found {
                    None => Ok(None),
                    Some(entry) => {
                        let reason = format!("it holds '{}' and no {SANDBOX_CNF}", entry.file_name().display());
                        Err(SandboxError::NotOurs { path: dir.to_owned(), reason })
                    }
                };
            }
            Err(error) => return Err(file_error(&path)(error)),
        };
        let not_ours = |reason: &str| SandboxError::NotOurs { path: dir.to_owned(), reason: reason.to_owned() };
        let kept = Self::parse(&text).ok_or_else(|| not_ours("its sandbox.cnf is damaged"))?;
        if !kept.formed {
            return Err(not_ours("its sandbox was interrupted before the group was formed; remove it"));
        }
        Ok(Some(kept))
    }

    fn parse(text: &str) -> Option<Self> {
        let values: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let kept = Self {
            members: values.get("members")?.parse().ok()?,
            mode: values.get("mode")?.parse().ok()?,
            base_port: values.get("base-port")?.parse().ok()?,
            group: Uuid::parse(values.get("group")?).ok()?,
            formed: values.get("formed")?.parse().ok()?,
        };
        let ports_fit = kept.base_port <= u16::MAX - GROUP_PORT_OFFSET - MEMBERS_MAX;
        ((1..=MEMBERS_MAX).contains(&kept.members) && ports_fit).then_some(kept)
    }

    fn check_ports(&self) -> Result<(), SandboxError> {
        let ports = (1..=self.members).flat_map(|n| [self.base_port + n, self.base_port + GROUP_PORT_OFFSET + n]);
        ports.into_iter().try_for_each(|port| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let taken = crate::drive::net::is_served(address);
            if taken { Err(SandboxError::Port { port, source: io::ErrorKind::AddrInUse.into() }) } else { Ok(()) }
        })
    }

    fn to_text(self) -> String {
        let Self { members, mode, base_port, group, formed } = self;
        format!("members={members}\nmode={mode}\nbase-port={base_port}\ngroup={group}\nformed={formed}\n")
    }
}

fn check<T: PartialEq + ToString>(
    dir: &Path,
    name: &'static str,
    kept: T,
    asked: Option<T>,
) -> Result<(), SandboxError> {
    match asked {
        Some(asked) if asked != kept => {
            let (kept, asked) = (kept.to_string(), asked.to_string());
            Err(SandboxError::Other { path: dir.to_owned(), name, kept, asked })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        let kept = Kept { members: 5, mode: Mode::Multi, base_port: 3000, group: init::random_uuid(), formed: true };
        assert_eq!(Kept::parse(&kept.to_text()), Some(kept));
        for damaged in ["", "members=3", &kept.to_text().replace('5', "99"), &kept.to_text().replace("multi", "x")] {
            assert_eq!(Kept::parse(damaged), None, "{damaged:?}");
        }
    }

    /// A sandbox is made, refuses to be another one, and is found again as it was.
    #[test]
    fn a_directory_keeps_its_sandbox() {
        let dir = std::env::temp_dir().join(format!("quorate-layout-{}", init::random_uuid()));
        let options = Options {
            members: Some(1),
            mode: Some(Mode::Multi),
            base_port: Some(free_base_port()),
            dir: Some(dir.clone()),
            ..Options::default()
        };
        let made = Layout::make(&options).expect("a new directory takes a sandbox");
        assert!(!made.resumed);
        let option_file = fs::read_to_string(made.option_file(1)).expect("it was written");
        assert!(option_file.contains("group_replication_single_primary_mode=OFF"), "{option_file}");

        let interrupted = Layout::make(&options);
        assert!(matches!(interrupted, Err(SandboxError::NotOurs { .. })), "{interrupted:?}");
        made.formed().expect("the directory takes files");
        let again = Layout::make(&Options { dir: Some(dir.clone()), ..Options::default() }).expect("it is there");
        assert!(again.resumed);
        assert_eq!((again.members, again.mode, again.group), (1, Mode::Multi, made.group));
        let other = Layout::make(&Options { members: Some(2), dir: Some(dir.clone()), ..Options::default() });
        assert!(matches!(other, Err(SandboxError::Other { name: "members", .. })), "{other:?}");

        fs::remove_file(dir.join(SANDBOX_CNF)).expect("it is there");
        let not_ours = Layout::make(&options);
        assert!(matches!(not_ours, Err(SandboxError::NotOurs { .. })), "{not_ours:?}");
        fs::remove_dir_all(&dir).expect("it is there");
    }

    /// A base port whose ports above are free just now, as far as one can tell.
    fn free_base_port() -> u16 {
        let port_is_free = |port: u16| !crate::drive::net::is_served(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        (20_000..60_000)
            .step_by(211)
            .find(|&base| port_is_free(base + 1) && port_is_free(base + GROUP_PORT_OFFSET + 1))
            .expect("some ports are free")
    }
}
