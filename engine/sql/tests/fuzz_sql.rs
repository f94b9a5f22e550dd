//! Random and mutated texts into every parser of this package: no panic, no hang. `FUZZ_RUNS` sets how many (a
//! few seconds' worth without it); the seed is fixed, so that a failure repeats.

use engine_sql::normalize::{Normal, normalize};
use engine_sql::option_file::ServerOptions;
use engine_sql::parse::{parse, split_statements};
use engine_sql::sysvar::sql_mode::SqlMode;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn runs() -> u64 {
    std::env::var("FUZZ_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

const SEEDS: &[&str] = &[
    "select @@version_comment limit 1",
    "SELECT a.b, count(*) AS n FROM t a LEFT JOIN u USING (x) WHERE a.b BETWEEN 1 AND 2.5e3 GROUP BY 1 HAVING n > 0 \
     ORDER BY n DESC LIMIT 1, 2 FOR UPDATE OF a SKIP LOCKED",
    "INSERT INTO t (a, b) VALUES (1, 'it''s'), (x'41', _utf8mb4'z') ON DUPLICATE KEY UPDATE a = VALUES(a) + 1",
    "UPDATE t SET a = CASE WHEN b IS NULL THEN 1 ELSE `c` END WHERE d IN (SELECT 1) ORDER BY e LIMIT 3",
    "CREATE TABLE t (a INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'x', b ENUM('p','q') DEFAULT 'p', PRIMARY KEY (a), \
     UNIQUE KEY u (b(3) DESC)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 /*!50100 COMMENT='c' */",
    "ALTER TABLE t ADD COLUMN c DECIMAL(10,2) AFTER b, DROP KEY u, MODIFY d VARCHAR(9) NULL",
    "GRANT SELECT, REPLICATION SLAVE ON `d%`.* TO 'u'@'10.%' IDENTIFIED BY 'p' WITH GRANT OPTION",
    "CHANGE MASTER TO MASTER_USER='u', MASTER_PASSWORD='p' FOR CHANNEL 'group_replication_recovery'",
    "SET GLOBAL group_replication_bootstrap_group=ON, @a := 1, NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SHOW BINLOG EVENTS IN 'binlog.000001' FROM 4 LIMIT 1, 2",
    "[mysqld]\n# c\nserver_id=1\nloose-group_replication_group_name=\"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa\"\nskip-name-resolve\n",
    "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT * FROM c; select 2",
];

const PIECES: &[&str] = &[
    "(",
    ")",
    ",",
    ".",
    "'",
    "\"",
    "`",
    "\\",
    "/*",
    "*/",
    "/*!40101 ",
    "-- ",
    "#",
    ";",
    "@",
    "@@",
    "?",
    "select ",
    "not ",
    "case when ",
    " in (",
    " between ",
    "0x",
    "x'",
    "1e",
    "9",
    "\n",
    "\0",
    "=",
    "!",
    "interval ",
    " is not ",
    "$$",
    ":=",
    "{",
];

fn mutate(random: &mut Random) -> Vec<u8> {
    let mut text = if random.below(10) == 0 {
        (0..random.below(200)).map(|_| random.next() as u8).collect()
    } else {
        SEEDS[random.below(SEEDS.len())].as_bytes().to_vec()
    };
    for _ in 0..random.below(6) {
        let at = random.below(text.len() + 1);
        match random.below(5) {
            0 => text.truncate(at),
            1 if at < text.len() => text[at] = random.next() as u8,
            2 => {
                let piece = PIECES[random.below(PIECES.len())].as_bytes();
                text.splice(at..at, piece.iter().copied());
            }
            3 => {
                let piece = PIECES[random.below(PIECES.len())].as_bytes().repeat(random.below(300));
                text.splice(at..at, piece);
            }
            _ => {
                let end = (at + random.below(20)).min(text.len());
                text.drain(at..end);
            }
        }
    }
    text
}

fn mode(random: &mut Random) -> SqlMode {
    [
        SqlMode::DEFAULT,
        SqlMode::ANSI_QUOTES,
        SqlMode::NO_BACKSLASH_ESCAPES,
        SqlMode::PIPES_AS_CONCAT,
        SqlMode::HIGH_NOT_PRECEDENCE,
    ][random.below(5)]
}

#[test]
fn no_text_panics_the_parsers() {
    let mut random = Random(7);
    let mut normal = Normal::default();
    for _ in 0..runs() {
        let text = mutate(&mut random);
        let mode = mode(&mut random);
        if let Err(error) = parse(&text, mode) {
            assert!(error.code >= 1000, "{error}");
        }
        let parts = split_statements(&text, mode);
        assert!(parts.iter().map(|part| part.len()).sum::<usize>() <= text.len());
        if normalize(&text, mode, &mut normal).is_some() {
            for literal in &normal.literals {
                let _ = literal.value(&text);
            }
        }
    }
}

#[test]
fn what_is_normalised_means_the_same_with_its_literals_put_back() {
    let mut random = Random(11);
    let mut normal = Normal::default();
    let mut checked = 0;
    for _ in 0..runs() {
        let text = mutate(&mut random);
        if normalize(&text, SqlMode::DEFAULT, &mut normal).is_none() {
            continue;
        }
        // Literals lie where they were found, in order and apart.
        let mut end = 0;
        for literal in &normal.literals {
            assert!(literal.start >= end && literal.end > literal.start);
            end = literal.end;
        }
        let rebuilt = normal.stripped.len() - normal.literals.len()
            + normal.literals.iter().map(|literal| (literal.end - literal.start) as usize).sum::<usize>();
        assert!(rebuilt <= text.len());
        checked += 1;
    }
    assert!(checked > 0);
}

#[test]
fn no_text_panics_the_option_files() {
    let mut random = Random(13);
    for _ in 0..runs() {
        let text = mutate(&mut random);
        let text = format!("[mysqld]\n{}", String::from_utf8_lossy(&text));
        let mut options = ServerOptions::default();
        if let Err(problem) = options.read_file("f", &text) {
            assert!(problem.place.starts_with("f, line "), "{problem}");
        }
        let _ = ServerOptions::default().read_arguments(text.split_whitespace());
    }
}
