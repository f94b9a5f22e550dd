//! MySQL's option files and command line: text and arguments in, checked options out.
//!
//! Absent on purpose: reading files (the node's work), `!include` (refused: what a member runs with shall
//! stand in one file), and anything about what options mean beyond [`crate::sysvar`].

use crate::sysvar::{self, Globals};

/// Sections that a server reads.
const SECTIONS: [&str; 5] = ["mysqld", "server", "mysqld-8.0", "mysqld-8.4", "quorate"];

/// Options of mysqld that are no variables, or whose variable is the node's to fill: accepted with any value,
/// and without effect here.
const IGNORED: [&str; 37] = [
    "user",
    "pid_file",
    "log_error",
    "tmpdir",
    "plugin_dir",
    "lc_messages_dir",
    "skip_host_cache",
    "symbolic_links",
    "character_set_client_handshake",
    "skip_character_set_client_handshake",
    "innodb_redo_log_capacity",
    "innodb_log_file_size",
    "innodb_log_buffer_size",
    "innodb_flush_method",
    "innodb_io_capacity",
    "innodb_buffer_pool_instances",
    "innodb_data_file_path",
    "innodb_undo_tablespaces",
    "mysqlx",
    "mysqlx_port",
    "mysqlx_socket",
    "mysqlx_bind_address",
    "relay_log_index",
    "general_log_file",
    "slow_query_log_file",
    "performance_schema_instrument",
    "secure_log_path",
    "console",
    "gdb",
    "innodb_dedicated_server",
    "ssl",
    "auto_generate_certs",
    "caching_sha2_password_auto_generate_rsa_keys",
    "log_timestamps",
    "explicit_defaults",
    "admin_port",
    "default_time_zone",
];

/// Options for the start itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File and line, or the command line.
    pub place: String,
    /// What is wrong; it names the option.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for Problem {}

/// What option files and the command line asked for.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Values of variables, checked. Those of the plugin are kept for INSTALL PLUGIN.
    pub globals: Globals,
    /// `plugin-load`, `plugin-load-add` or `early-plugin-load` name group_replication: it is installed at boot.
    pub load_plugin: bool,
    /// `init-file`.
    pub init_file: Option<String>,
    /// Options with `loose-` that nobody knows, and options with a deprecated name: for the log.
    pub warnings: Vec<Problem>,
    /// Names of the variables that were given.
    pub given: Vec<&'static str>,
}

impl ServerOptions {
    /// Takes the options of a file.
    ///
    /// # Errors
    /// The first line that can't be taken.
    pub fn read_file(&mut self, file: &str, text: &str) -> Result<(), Problem> {
        let mut wanted = false;
        for (number, line) in text.lines().enumerate() {
            let place = || format!("{file}, line {}", number + 1);
            let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with('!') {
                let message = format!("'{line}': include files are not supported; put the options into this file");
                return Err(Problem { place: place(), message });
            }
            if let Some(rest) = line.strip_prefix('[') {
                let Some((name, _)) = rest.split_once(']') else {
                    return Err(Problem { place: place(), message: format!("'{line}': a section ends with ]") });
                };
                wanted = SECTIONS.contains(&name.trim().to_ascii_lowercase().as_str());
                continue;
            }
            if !wanted {
                continue;
            }
            let (name, value) = split(line);
            let value = value.map(|value| unquote(cut_comment(value)));
            self.take(name.trim(), value.as_deref()).map_err(|message| Problem { place: place(), message })?;
        }
        Ok(())
    }

    /// Takes `--name[=value]` arguments.
    ///
    /// # Errors
    /// The first argument that can't be taken.
    pub fn read_arguments<'a>(&mut self, arguments: impl IntoIterator<Item = &'a str>) -> Result<(), Problem> {
        for argument in arguments {
            let problem = |message: String| Problem { place: "command line".to_owned(), message };
            let Some(option) = argument.strip_prefix("--") else {
                return Err(problem(format!("'{argument}': expected --name=value")));
            };
            let (name, value) = split(option);
            self.take(name, value).map_err(problem)?;
        }
        Ok(())
    }

    /// One option.
    fn take(&mut self, written: &str, value: Option<&str>) -> Result<(), String> {
        let normal = written.to_ascii_lowercase().replace('-', "_");
        let (loose, name) = normal.strip_prefix("loose_").map_or((false, normal.as_str()), |rest| (true, rest));
        let name = name.strip_prefix("maximum_").unwrap_or(name);
        match name {
            "plugin_load" | "plugin_load_add" | "early_plugin_load" => {
                let libraries = value.unwrap_or_default();
                for library in libraries.split([';', ':']).map(str::trim).filter(|library| !library.is_empty()) {
                    let library = library.rsplit('=').next().unwrap_or_default().trim_end_matches(".so");
                    match library {
                        "group_replication" => self.load_plugin = true,
                        "mysql_clone" => self.warn(written, "clone is built in"),
                        _ if loose => self.warn(written, "unknown plugin"),
                        _ => return Err(format!("{written}: unknown plugin '{library}'")),
                    }
                }
                return Ok(());
            }
            "init_file" => {
                self.init_file = value.map(str::to_owned);
                return Ok(());
            }
            _ => {}
        }
        if let Some(id) = sysvar::find(name) {
            return self.give(id, written, value);
        }
        // skip-x, disable-x: OFF; enable-x: ON.
        for (prefix, text) in [("skip_", "OFF"), ("disable_", "OFF"), ("enable_", "ON")] {
            let Some(id) = name.strip_prefix(prefix).and_then(sysvar::find) else { continue };
            if !switches(id) {
                continue;
            }
            let on = match value.map(str::to_ascii_lowercase).as_deref() {
                None | Some("1" | "on" | "true") => text,
                Some("0" | "off" | "false") => {
                    if text == "ON" {
                        "OFF"
                    } else {
                        "ON"
                    }
                }
                Some(other) => return Err(format!("{written}: '{other}' is neither ON nor OFF")),
            };
            return self.give(id, written, Some(on));
        }
        if name == "default_time_zone" {
            let id = sysvar::find("time_zone").expect("the registry has time_zone");
            return self.give(id, written, value);
        }
        if IGNORED.contains(&name) || IGNORED.iter().any(|known| name.strip_prefix("skip_") == Some(known)) {
            return Ok(());
        }
        if loose {
            self.warn(written, "unknown option");
            return Ok(());
        }
        Err(format!("unknown option '{written}'"))
    }

    fn give(&mut self, id: sysvar::VarId, written: &str, value: Option<&str>) -> Result<(), String> {
        let definition = sysvar::definition(id);
        let text = match value {
            Some(text) => text,
            None if switches(id) => "",
            None if definition.default == sysvar::registry::Fallback::Null => "",
            None => return Err(format!("{written}: a value is missing")),
        };
        self.globals.set_option(id, text).map_err(|message| {
            if message.starts_with(definition.name) { message } else { format!("{written}: {message}") }
        })?;
        if definition.name == "server_id" && self.globals.number("server_id") == 0 {
            self.warn(written, "a server with server_id=0 cannot start Group Replication");
        }
        self.given.push(definition.name);
        Ok(())
    }

    fn warn(&mut self, option: &str, message: &str) {
        self.warnings.push(Problem { place: option.to_owned(), message: message.to_owned() });
    }
}

/// Whether an option may stand without a value, and means ON then.
fn switches(id: sysvar::VarId) -> bool {
    matches!(sysvar::definition(id).kind, sysvar::Kind::Bool)
        || matches!(sysvar::definition(id).name, "gtid_mode" | "enforce_gtid_consistency")
}

/// `name = value`, `name`.
fn split(line: &str) -> (&str, Option<&str>) {
    match line.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (line.trim(), None),
    }
}

/// Cuts a `#` comment in the middle of a line, outside quotes.
fn cut_comment(value: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in value.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '#' => return value[..at].trim_end(),
            _ => {}
        }
    }
    value
}

/// Takes one pair of quotes and the escapes `\b \t \n \r \\ \s \" \'` away.
fn unquote(value: &str) -> String {
    let inner = ['\'', '"'].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value);
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('s') => out.push(' '),
            Some(other @ ('\\' | '"' | '\'')) => out.push(other),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServerOptions, Problem> {
        let mut options = ServerOptions::default();
        options.read_file("my.cnf", text)?;
        Ok(options)
    }

    #[test]
    fn the_tutorials_file_is_taken_as_it_stands() {
        let options = read(
            "[mysqld]\n\n# server configuration\ndatadir=/data/s1\nbasedir=/mysql-8.0/\n\nport=24801\nsocket=/s1.sock\n\n\
             server_id=1\ngtid_mode=ON\nenforce_gtid_consistency=ON\nmaster_info_repository=TABLE\n\
             relay_log_info_repository=TABLE\nbinlog_checksum=NONE\nlog_slave_updates=ON\nlog_bin=binlog\n\
             binlog_format=ROW\n\ntransaction_write_set_extraction=XXHASH64\n\
             loose-group_replication_group_name=\"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa\"\n\
             loose-group_replication_start_on_boot=off\nloose-group_replication_local_address= \"127.0.0.1:24901\"\n\
             loose-group_replication_group_seeds= \"127.0.0.1:24901,127.0.0.1:24902,127.0.0.1:24903\"\n\
             loose-group_replication_bootstrap_group= off\n",
        )
        .unwrap();
        let globals = &options.globals;
        assert_eq!(globals.number("port"), 24801);
        assert_eq!(globals.text("group_replication_group_name"), "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa");
        assert!(!globals.on("group_replication_start_on_boot"));
        assert_eq!(globals.text("group_replication_local_address"), "127.0.0.1:24901");
        assert_eq!(globals.text("binlog_checksum"), "NONE");
        assert!(!globals.plugin_installed());
        assert!(options.warnings.is_empty());
    }

    #[test]
    fn spellings() {
        let options = read(
            "\u{feff}[client]\nport=1\n[mysqld]\nMax-Allowed-Packet = 16M # sixteen\nskip-slave-start\n; note\n\
             innodb_buffer_pool_size=1G\ndisable-sql-notes\nenable-innodb-strict-mode\ninit_connect='SET NAMES utf8 # x'\n\
             plugin-load-add=group_replication.so\nloose-nonsense=1\nskip-name-resolve\ngtid-mode\nlog-bin\n\
             sql_mode=\"STRICT_ALL_TABLES,ANSI\"\nuser=mysql\n[mysqldump]\nquick\n",
        )
        .unwrap();
        assert_eq!(options.globals.number("max_allowed_packet"), 16 << 20);
        assert!(options.globals.on("skip_replica_start"));
        assert!(!options.globals.on("sql_notes"));
        assert_eq!(options.globals.text("init_connect"), "SET NAMES utf8 # x");
        assert!(options.load_plugin);
        assert_eq!(options.warnings.len(), 1);
        let mut options = ServerOptions::default();
        options.read_arguments(["--server-id=7", "--skip-networking=0", "--report_host=h"]).unwrap();
        assert_eq!(options.globals.number("server_id"), 7);
        assert_eq!(options.globals.text("report_host"), "h");
    }

    #[test]
    fn what_cannot_be_is_refused_by_name_and_line() {
        for (line, needle) in [
            ("binlog_format=STATEMENT", "binlog_format=STATEMENT"),
            ("gtid_mode=OFF", "gtid_mode=OFF"),
            ("enforce_gtid_consistency=OFF", "enforce_gtid_consistency=OFF"),
            ("log_bin=OFF", "log_bin=OFF"),
            ("skip-log-bin", "log_bin=OFF"),
            ("disable-log-bin", "log_bin=OFF"),
            ("log_slave_updates=OFF", "log_replica_updates=OFF"),
            ("master_info_repository=FILE", "master_info_repository=FILE"),
            ("relay_log_info_repository=FILE", "relay_log_info_repository=FILE"),
            ("transaction_write_set_extraction=OFF", "transaction_write_set_extraction=OFF"),
            ("slave_parallel_type=DATABASE", "replica_parallel_type=DATABASE"),
            ("no_such_option=1", "unknown option 'no_such_option'"),
            ("port=abc", "port: 'abc'"),
            ("port=70000", "port: 70000"),
            ("port", "port: a value is missing"),
            ("loose-group_replication_group_name=x", "group_replication_group_name"),
            ("!include /etc/x.cnf", "include files"),
            ("!includedir /etc", "include files"),
            ("[open", "a section ends with ]"),
        ] {
            let problem = read(&format!("[mysqld]\n\n{line}\n")).map(|_| ()).expect_err(line);
            assert!(problem.message.contains(needle), "{line}: {problem}");
            assert_eq!(problem.place, "my.cnf, line 3", "{line}");
        }
        let mut options = ServerOptions::default();
        assert!(
            options.read_arguments(["--nope"]).unwrap_err().to_string().contains("command line: unknown option 'nope'")
        );
        assert!(options.read_arguments(["stray"]).is_err());
    }
}
