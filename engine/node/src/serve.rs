//! From validated server options to a running member: reads the data directory's identity, sets what
//! the server finds out itself, checks what START GROUP_REPLICATION needs, runs the driver.

use crate::drive::disk::Keep;
use crate::drive::net::{Allowlist, Net};
use crate::drive::{DESCRIPTORS_KEPT, Hooks, NodeOptions, identity, run};
use crate::engine::{OnRole, ReadSettings, Role, StartSettings};
use crate::init::{AUTO_CNF, PRIVATE_KEY};
use crate::oplog;
use engine_core::effect::Level;
use engine_sql::host::LocalChange;
use engine_sql::option_file::ServerOptions;
use engine_sql::server::Server;
use engine_sql::sysvar::Setting;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use wire::client::auth::RsaKey;
use wire::entry::GroupOptions;
use wire::id::Uuid;

/// Runs a member in the foreground until it is told to stop (SIGTERM, SIGINT, SHUTDOWN).
#[must_use]
pub fn serve(options: ServerOptions) -> ExitCode {
    match try_serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            oplog::say(Level::Error, error);
            oplog::say(Level::Error, "Aborting");
            ExitCode::FAILURE
        }
    }
}

fn try_serve(options: ServerOptions) -> Result<(), String> {
    for warning in &options.warnings {
        oplog::say(Level::Warning, warning.to_string());
    }
    let globals = &options.globals;
    let datadir = PathBuf::from(globals.text("datadir"));
    if datadir.as_os_str().is_empty() {
        return Err("no data directory: --datadir=DIR (or datadir=DIR in the option file) is needed".into());
    }
    let uuid = server_uuid(&datadir)?;
    let rsa_key = private_key(&datadir)?;
    let node = node_options(&options, datadir, uuid)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, stop.clone()).map_err(|error| format!("cannot handle signals: {error}"))?;
    }
    ignore_file_size_signal()?;
    raise_descriptor_limit(globals.number("open_files_limit"), globals.number("max_connections"));
    run(node.clone(), hooks(options, node, rsa_key), stop)
}

/// A file that may grow no more is an error of the write, not the end of the process.
fn ignore_file_size_signal() -> Result<(), String> {
    let ignored = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, ignored)
        .map(|_| ())
        .map_err(|error| format!("cannot handle signals: {error}"))
}

/// Lets this process have `wanted` descriptors, or as many as it may: shells usually give it fewer than
/// `max_connections`.
fn raise_descriptor_limit(wanted: u64, max_connections: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let possible = wanted.min(maximum.unwrap_or(u64::MAX));
    let mut limit = current.unwrap_or(u64::MAX);
    if limit < possible && setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }).is_ok() {
        limit = possible;
    }
    if limit < max_connections + DESCRIPTORS_KEPT {
        let text = format!(
            "only {limit} descriptors (ulimit -n): connections are refused from fewer on than max_connections, \
            {max_connections}"
        );
        oplog::say(Level::Warning, text);
    }
}

fn server_uuid(datadir: &Path) -> Result<Uuid, String> {
    let path = datadir.join(AUTO_CNF);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        format!("cannot read {}: {error}; is it a data directory made by --initialize-insecure?", path.display())
    })?;
    let value = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| name.trim().replace('_', "-").eq_ignore_ascii_case("server-uuid"));
    let value = value.ok_or_else(|| format!("{}: there is no server-uuid", path.display()))?.1.trim();
    Uuid::parse(value).map_err(|error| format!("{}: server-uuid '{value}' is {error}", path.display()))
}

fn private_key(datadir: &Path) -> Result<Option<RsaKey>, String> {
    let path = datadir.join(PRIVATE_KEY);
    match std::fs::read_to_string(&path) {
        Ok(text) => RsaKey::from_pem(&text).map(Some).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

fn node_options(options: &ServerOptions, datadir: PathBuf, uuid: Uuid) -> Result<NodeOptions, String> {
    let globals = &options.globals;
    let port = globals.number("port") as u16;
    let bind = globals.text("bind_address");
    let address: IpAddr = match bind.as_str() {
        "" | "*" => IpAddr::from([0, 0, 0, 0]),
        name => match name.parse() {
            Ok(address) => address,
            Err(_) => crate::drive::net::resolve(&format!("{name}:0"))
                .ok_or_else(|| format!("bind_address '{name}' is no address or known host"))?
                .ip(),
        },
    };
    let uname = rustix::system::uname();
    let hostname = uname.nodename().to_string_lossy().into_owned();
    let report_host = globals.text("report_host");
    let report_port = globals.number("report_port") as u16;
    Ok(NodeOptions {
        datadir,
        listen: SocketAddr::new(address, port),
        uuid,
        server_id: globals.number("server_id") as u32,
        host: if report_host.is_empty() { hostname } else { report_host },
        port: if report_port == 0 { port } else { report_port },
        sync: globals.number("sync_binlog") != 0,
        segment_bytes: globals
            .number("max_binlog_size")
            .clamp(engine_log::SEGMENT_BYTES_MIN, engine_log::SEGMENT_BYTES_DEFAULT)
            .next_multiple_of(4096),
        checkpoint_log_bytes: globals.number("quorate_checkpoint_log_bytes"),
        keep: Keep::of(globals.number("quorate_log_keep_bytes"), globals.number("binlog_expire_logs_seconds")),
        start_on_boot: globals.on("group_replication_start_on_boot"),
        compression_threshold: globals.number("group_replication_compression_threshold") as usize,
        write_concurrency: 10,
        client: Arc::new(wire::client::Options::default()),
    })
}

fn hooks(options: ServerOptions, mut node: NodeOptions, rsa_key: Option<RsaKey>) -> Hooks {
    let uuid = node.uuid;
    let load_plugin = options.load_plugin;
    let payload_bytes_max = options.globals.number("max_allowed_packet") as usize;
    let client = wire::client::Options { rsa_key, payload_bytes_max, ..wire::client::Options::default() };
    node.client = Arc::new(client);
    let client = node.client.clone();
    let super_read_only = options.globals.on("super_read_only");
    let globals = options.globals;
    Hooks {
        client,
        begin: Box::new(move |server, changes| begin(server, globals, &node, load_plugin, changes)),
        settings: Box::new(move |net| read_settings(net, uuid)),
        on_role: on_role(super_read_only),
        start_on_boot: Box::new(|server| {
            let globals = server.globals.borrow();
            globals.plugin_installed()
                && globals.on("group_replication_start_on_boot")
                && !globals.text("group_replication_group_name").is_empty()
        }),
    }
}

fn begin(
    server: &Rc<Server>,
    globals: engine_sql::sysvar::Globals,
    node: &NodeOptions,
    load_plugin: bool,
    changes: Vec<LocalChange>,
) -> Result<(), String> {
    {
        let mut values = server.globals.borrow_mut();
        *values = globals;
        values.put("server_uuid", Setting::text(&node.uuid.to_string()));
        values.put("hostname", Setting::text(&rustix::system::uname().nodename().to_string_lossy()));
        if load_plugin {
            values.set_plugin_installed(true);
        }
    }
    for change in &changes {
        server.replay_local(change).map_err(|error| format!("the local journal cannot be replayed: {error}"))?;
    }
    for (name, value) in server.persisted() {
        let mut globals = server.globals.borrow_mut();
        let set = match engine_sql::sysvar::find(&name) {
            Some(id) => globals.set_option(id, &value),
            None => Err("there is no such variable".to_owned()),
        };
        if let Err(error) = set {
            oplog::say(Level::Warning, format!("persisted variable {name}={value} is ignored: {error}"));
        }
    }
    Ok(())
}

/// Checks of START GROUP_REPLICATION before it joins or bootstraps (`protocol.md` §11).
fn read_settings(net: Rc<Net>, uuid: Uuid) -> ReadSettings {
    Box::new(move |server| {
        let globals = server.globals.borrow();
        let refuse = |reason: &str| Err((3092, reason.to_owned()));
        let name = globals.text("group_replication_group_name");
        if name.is_empty() {
            return refuse("the group_replication_group_name option is mandatory");
        }
        let Ok(name) = Uuid::parse(&name) else {
            return refuse("the group_replication_group_name option is not a valid UUID");
        };
        if name == uuid {
            return refuse("the group_replication_group_name option must differ from server_uuid");
        }
        if globals.number("server_id") == 0 {
            return refuse("server_id must not be 0 in a group");
        }
        if !globals.text("group_replication_force_members").is_empty() {
            return refuse("group_replication_force_members must be empty when Group Replication starts");
        }
        let single_primary = globals.on("group_replication_single_primary_mode");
        let everywhere_checks = globals.on("group_replication_enforce_update_everywhere_checks");
        if single_primary && everywhere_checks {
            return refuse("group_replication_enforce_update_everywhere_checks cannot be ON in single-primary mode");
        }
        let view_change_uuid = match globals.text("group_replication_view_change_uuid").as_str() {
            "" | "AUTOMATIC" => name,
            text => match Uuid::parse(text) {
                Ok(found) if found != uuid => found,
                Ok(_) => return refuse("group_replication_view_change_uuid must differ from server_uuid"),
                Err(_) => return refuse("group_replication_view_change_uuid is not a valid UUID"),
            },
        };
        let allowlist =
            Allowlist::parse(&globals.text("group_replication_ip_allowlist")).map_err(|reason| (3092, reason))?;
        let address = globals.text("group_replication_local_address");
        if address.is_empty() {
            return Err((3096, "the group_replication_local_address option is empty: host:port is needed".to_owned()));
        }
        net.set_allowlist(allowlist);
        net.set_compression(globals.number("group_replication_compression_threshold") as usize);
        net.listen(&address).map_err(|reason| (3096, reason))?;
        net.set_identity(Some(identity(name, uuid, &address)));
        let seeds = globals.text("group_replication_group_seeds");
        let seeds = seeds.split(',').map(str::trim).filter(|seed| !seed.is_empty() && *seed != address);
        Ok(StartSettings {
            bootstrap: globals.on("group_replication_bootstrap_group"),
            options: GroupOptions {
                name,
                group: true,
                single_primary,
                everywhere_checks,
                gtid_block_size: globals.number("group_replication_gtid_assignment_block_size").max(1),
                view_change_uuid,
                view_change_events: true,
            },
            address: address.clone(),
            seeds: seeds.map(str::to_owned).collect(),
            weight: globals.number("group_replication_member_weight").min(100) as u8,
            clone_threshold: globals.number("group_replication_clone_threshold"),
        })
    })
}

/// `super_read_only` follows the member's role (`sysvars.md` §5).
fn on_role(configured: bool) -> OnRole {
    let before = Cell::new(configured);
    let stepped = Cell::new(false);
    Box::new(move |server, role| {
        let now = server.globals.borrow().on("super_read_only");
        match role {
            Role::Starting => {
                before.set(now);
                server.set_read_only(true);
                stepped.set(step_auto_increment(server) || stepped.get());
            }
            Role::StartFailed => server.set_read_only(before.get()),
            Role::Writable => server.set_read_only(false),
            Role::ReadOnly | Role::Offline => {
                server.set_read_only(true);
                server.end_transactions();
            }
            Role::OfflineMode => {
                server.set_read_only(true);
                server.globals.borrow_mut().put("offline_mode", Setting::Bool(true));
                server.end_transactions();
                server.end_ordinary_sessions();
            }
        }
        if matches!(role, Role::StartFailed | Role::Offline) && stepped.replace(false) {
            let mut globals = server.globals.borrow_mut();
            globals.put("auto_increment_increment", Setting::UInt(1));
            globals.put("auto_increment_offset", Setting::UInt(1));
        }
    })
}

/// In multi-primary mode members step over one another's AUTO_INCREMENT values, unless the operator
/// has chosen a step (`sysvars.md` §2.2). Whether it did.
fn step_auto_increment(server: &Server) -> bool {
    let mut globals = server.globals.borrow_mut();
    let untouched = globals.number("auto_increment_increment") == 1 && globals.number("auto_increment_offset") == 1;
    let step = untouched && !globals.on("group_replication_single_primary_mode");
    if step {
        let increment = globals.number("group_replication_auto_increment_increment");
        let offset = globals.number("server_id");
        globals.put("auto_increment_increment", Setting::UInt(increment));
        globals.put("auto_increment_offset", Setting::UInt(offset));
    }
    step
}
