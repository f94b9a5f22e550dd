//! Statements whose answers were recorded from MySQL (`cases/sql/*.txt`) get the same answers from a member.
//!
//! `engine/sql/DIFFERENCES.md` names the cases whose answers differ, each with its reason. This test fails for a
//! case that differs and is not named there, and for one that is named there and does not differ (any more).

use node::load::{Client, ClientError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tests::process::{Group, Settings};

/// What each file of cases begins with; `record.py` does the same.
const SETUP: [&str; 5] = [
    "DROP DATABASE IF EXISTS cases",
    "CREATE DATABASE cases",
    "USE cases",
    "SET NAMES utf8mb4",
    "SET time_zone = '+00:00'",
];

/// Statements whose answers a SHOW WARNINGS in between would change.
const COUNTS: [&str; 5] = ["ROW_COUNT", "FOUND_ROWS", "WARNING_COUNT", "SHOW WARNINGS", "SHOW ERRORS"];

struct Case {
    statement: String,
    answer: Vec<String>,
}

fn is_answer(line: &str) -> bool {
    ["> ", "| ", "! ", "~ "].iter().any(|mark| line.starts_with(mark)) || line == ">" || line == "|"
}

fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        if open.is_empty() && is_answer(line) {
            cases.last_mut().expect("an answer follows its statement").answer.push(line.to_owned());
            continue;
        }
        if open.is_empty() && (line.trim().is_empty() || line.starts_with('#')) {
            continue;
        }
        open.push_str(line);
        match open.strip_suffix(';') {
            Some(statement) => {
                cases.push(Case { statement: statement.to_owned(), answer: Vec::new() });
                open.clear();
            }
            None => open.push('\n'),
        }
    }
    assert!(open.is_empty(), "the last statement ends with a semicolon: {open}");
    cases
}

fn cell(value: &str) -> String {
    let escapes = [("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\0", "\\0")];
    escapes.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn asks_for_counts(statement: &str) -> bool {
    let statement = statement.to_uppercase();
    COUNTS.iter().any(|word| statement.contains(word))
}

fn shown(row: &[Option<String>], between: &str) -> String {
    row.iter().map(|value| value.as_deref().map_or_else(|| "NULL".to_owned(), cell)).collect::<Vec<_>>().join(between)
}

fn run(client: &mut Client, statement: &str, warnings: bool) -> Vec<String> {
    let rows = match client.query(statement) {
        Ok(rows) => rows,
        Err(ClientError::Server(error)) => return vec![format!("! {} {}", error.code, cell(&error.message))],
        Err(error) => panic!("{statement}: {error}"),
    };
    let mut lines = Vec::new();
    if !rows.columns.is_empty() {
        lines.push(format!("> {}", rows.columns.iter().map(|name| cell(name)).collect::<Vec<_>>().join("\t")));
        lines.extend(rows.rows.iter().map(|row| format!("| {}", shown(row, "\t"))));
    }
    if warnings {
        let warnings = client.query("SHOW WARNINGS").unwrap_or_else(|error| panic!("after {statement}: {error}"));
        lines.extend(warnings.rows.iter().map(|row| format!("~ {}", shown(row, " "))));
    }
    lines
}

/// The cases that DIFFERENCES.md names: the lines of its code blocks, each with its reason in an indented line below.
fn listed(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).expect("the list of differences is there");
    let mut inside = false;
    let mut lines = BTreeSet::new();
    let mut unexplained: Option<&str> = None;
    for line in text.lines() {
        if let Some(reason) = line.strip_prefix("    ").filter(|_| inside) {
            let case = unexplained.take().unwrap_or_else(|| panic!("a reason without a case: {line}"));
            assert!(reason.split_whitespace().count() >= 3, "no reason for {case}: {reason}");
            continue;
        }
        assert_eq!(unexplained, None, "listed without a reason");
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            assert!(lines.insert(line.to_owned()), "listed twice: {line}");
            unexplained = Some(line);
        }
    }
    lines
}

#[test]
fn recorded_statements_are_answered_as_mysql_answers_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = listed(&root.join("../engine/sql/DIFFERENCES.md"));
    let directory = std::fs::read_dir(root.join("cases/sql")).expect("the cases are there");
    let mut files: Vec<PathBuf> = directory.map(|entry| entry.expect("a directory can be read").path()).collect();
    files.sort();
    let mut group = Group::prepare("cases", Settings { members: 1, ..Settings::default() });
    group.members[0].spawn(&["--loose-group_replication_start_on_boot=OFF"]);
    group.members[0].await_ready();
    let (mut count, mut equal, mut unlisted) = (0, 0, Vec::new());
    let mut needless = listed.clone();
    for path in files {
        let file = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let cases = parse(&std::fs::read_to_string(&path).expect("cases can be read"));
        let mut client = group.members[0].client();
        for statement in SETUP {
            client.query(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for (at, case) in cases.iter().enumerate() {
            let number = seen.entry(&case.statement).or_insert(0);
            *number += 1;
            let next = cases.get(at + 1).is_some_and(|next| asks_for_counts(&next.statement));
            let got = run(&mut client, &case.statement, !next && !asks_for_counts(&case.statement));
            count += 1;
            if got == case.answer {
                equal += 1;
                continue;
            }
            let repeated = if *number > 1 { format!(" ({number})") } else { String::new() };
            let name = format!("{file}: {}{repeated}", case.statement.replace('\n', " "));
            if listed.contains(&name) {
                needless.remove(&name);
            } else {
                unlisted.push(format!("{name}\n   {}\n got\n   {}", case.answer.join("\n   "), got.join("\n   ")));
            }
        }
    }
    println!("{equal} of {count} cases are equal ({:.1} %)", 100.0 * f64::from(equal) / f64::from(count.max(1)));
    assert!(count >= 1500, "only {count} cases");
    assert!(unlisted.is_empty(), "{} cases differ from MySQL:\n{}", unlisted.len(), unlisted.join("\n"));
    assert!(needless.is_empty(), "listed in DIFFERENCES.md, but equal (or no cases): {needless:#?}");
}
