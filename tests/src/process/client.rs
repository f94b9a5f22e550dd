//! Debian's `mariadb` client, and tables in its output.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs statements as root in one session of the `mariadb` client and gives what it prints.
///
/// # Panics
/// When it cannot be run or says that a statement failed.
#[must_use]
pub fn mariadb(port: u16, options: &[&str], statements: &str) -> String {
    let mut child = Command::new("mariadb")
        .args(["--no-defaults", "-h", "127.0.0.1", "-u", "root", "-P", &port.to_string()])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the mariadb client is there; tests/setup.sh installs it");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(statements.as_bytes()).expect("the client reads its statements");
    drop(stdin);
    let output = child.wait_with_output().expect("the client ends");
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{statements}\nended with {}: {errors}\n{out}", output.status);
    out.into_owned()
}

/// The tables in what `mariadb -t` printed: each a list of rows, the first one being the column names.
#[must_use]
pub fn tables(output: &str) -> Vec<Vec<Vec<String>>> {
    let mut tables: Vec<Vec<Vec<String>>> = Vec::new();
    let mut rules = 0;
    for line in output.lines() {
        if line.starts_with("+-") {
            if rules % 3 == 0 {
                tables.push(Vec::new());
            }
            rules += 1;
        } else if let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |"))
            && let Some(table) = tables.last_mut()
        {
            table.push(row.split(" | ").map(|cell| cell.trim().to_owned()).collect());
        }
    }
    tables
}

/// Replaces what legitimately varies from run to run by names.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    names: Vec<(String, String)>,
    before_numbers: Vec<&'static str>,
}

impl Mask {
    /// Shows `text` as `name` from now on.
    pub fn add(&mut self, text: &str, name: &str) {
        assert!(!text.is_empty(), "nothing cannot be masked");
        self.names.push((text.to_owned(), name.to_owned()));
    }

    /// Shows every number right behind `text` as `N` from now on.
    pub fn number_after(&mut self, text: &'static str) {
        self.before_numbers.push(text);
    }

    /// The text with names.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let text = self.names.iter().fold(text.to_owned(), |text, (varying, name)| text.replace(varying, name));
        self.before_numbers.iter().fold(text, |text, before| {
            let mut parts = text.split(before);
            let mut shown = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
                shown = format!("{shown}{before}{}{rest}", if rest.len() < part.len() { "N" } else { "" });
            }
            shown
        })
    }

    /// The rows with names in their cells.
    #[must_use]
    pub fn rows(&self, rows: &[Vec<String>]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| self.apply(cell)).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let output = "Query OK\n+---+------+\n| a | b    |\n+---+------+\n| 1 | x y  |\n| 2 |      |\n+---+------+\n\
                      +---+\n| c |\n+---+\n| 3 |\n+---+\n";
        let rows = |rows: &[&[&str]]| -> Vec<Vec<String>> {
            rows.iter().map(|row| row.iter().map(|&cell| cell.to_owned()).collect()).collect()
        };
        assert_eq!(tables(output), [rows(&[&["a", "b"], &["1", "x y"], &["2", ""]]), rows(&[&["c"], &["3"]])]);
    }

    #[test]
    fn masks_name_what_varies() {
        let mut mask = Mask::default();
        mask.add("3307", "PORT1");
        mask.number_after("xid=");
        assert_eq!(mask.apply("host:3307 xid=12 */ xid=x xid=9"), "host:PORT1 xid=N */ xid=x xid=N");
    }
}
