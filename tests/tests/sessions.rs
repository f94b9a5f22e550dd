//! What the client protocol promises around statements: limits on connections and idleness, GTIDs in OK packets,
//! changed users, several statements in one text. By PyMySQL, as the bytes of MySQL's own clients would be.

use std::process::Command;
use tests::process::{Group, Settings};

#[test]
fn sessions_begin_change_and_end_as_in_mysql() {
    let group = Group::form("sessions", Settings::default());
    let primary = &group.members[0];
    primary.run("CREATE USER app@'%' IDENTIFIED BY 'app'");
    primary.run("GRANT ALL ON *.* TO app@'%'");
    primary.run("CREATE USER poor@'%' IDENTIFIED BY 'poor'");
    primary.run("CREATE DATABASE app");
    group.assert_equal(&[1, 2, 3], &[]);
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(package.join("../target/venv/bin/python3"));
    command.arg("-B").arg(package.join("drivers/sessions.py"));
    command.env("QUORATE_HOST", "127.0.0.1").env("QUORATE_PORT", primary.port.to_string());
    command.env("QUORATE_USER", "app").env("QUORATE_PASSWORD", "app").env("QUORATE_DATABASE", "app");
    let output = command.output().expect("tests/setup.sh makes a python");
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains(" passed, 0 failed"), "{out}\n{errors}");
}
