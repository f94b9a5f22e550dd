//! The group log as MySQL's binary log: the events that SHOW BINLOG EVENTS would list.
//!
//! There is one file, [`FILE`], and its positions are computed: every entry has a size that follows from the
//! entry alone ([`binlog_bytes`]), as MySQL's events would have it with checksums. Events that are written into
//! real binlog files (for COM_BINLOG_DUMP) are absent on purpose.
//!
//! Invariants: sizes and texts use replicated facts only, so that every member shows the same events at the same
//! positions; the sizes of an entry's events add up to [`binlog_bytes`] of it. A table's name is shown as of now
//! (it may have been dropped), which is why no size depends on it.

use crate::host::LoggedEntry;
use std::collections::BTreeMap;
use wire::entry::{
    ArchivedBody, ArchivedDdl, ArchivedEntry, ArchivedRowChange, ArchivedTransaction, ArchivedView, ArchivedViewCause,
};
use wire::id::{Birth, TableId};

/// Name of the only file.
pub const FILE: &str = "binlog.000001";

/// Bytes before the first entry: the magic number, Format_desc and Previous_gtids.
pub const HEAD_BYTES: u64 = MAGIC + FORMAT_DESC + PREVIOUS_GTIDS;

const MAGIC: u64 = 4;
const HEADER: u64 = 19;
const CHECKSUM: u64 = 4;
/// As MySQL 8.0 writes it.
const FORMAT_DESC: u64 = 122;
/// With an empty set.
const PREVIOUS_GTIDS: u64 = HEADER + 8 + CHECKSUM;
/// Fixed part, one timestamp, transaction length in three bytes, server version.
const GTID: u64 = HEADER + 42 + 7 + 3 + 4 + CHECKSUM;
/// Fixed part and the status variables of a usual session.
const QUERY: u64 = HEADER + 13 + 35 + CHECKSUM;
/// With names and columns of a usual table.
const TABLE_MAP: u64 = HEADER + 8 + 30 + CHECKSUM;
const ROWS: u64 = HEADER + 10 + 4 + CHECKSUM;
const XID: u64 = HEADER + 8 + CHECKSUM;
/// View id, sequence number, and the certification info that MySQL puts there.
const VIEW_CHANGE: u64 = HEADER + 52 + 64 + CHECKSUM;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it begins.
    pub position: u64,
    /// Event_type.
    pub kind: &'static str,
    /// `server_id` of its origin.
    pub server_id: u32,
    /// Where the next one begins.
    pub end: u64,
    /// Info.
    pub info: String,
}

/// The two events at the head of the file.
#[must_use]
pub fn head_events(server_id: u32, version: &str) -> Vec<Event> {
    let format_end = MAGIC + FORMAT_DESC;
    vec![
        Event {
            position: MAGIC,
            kind: "Format_desc",
            server_id,
            end: format_end,
            info: format!("Server ver: {version}, Binlog ver: 4"),
        },
        Event { position: format_end, kind: "Previous_gtids", server_id, end: HEAD_BYTES, info: String::new() },
    ]
}

/// How many bytes an entry takes up; 0 for one that a binary log does not show.
#[must_use]
pub fn binlog_bytes(entry: &ArchivedEntry) -> u64 {
    let mut bytes = 0;
    shape(entry, &mut |_, size| bytes += size);
    bytes
}

/// The events of one entry, from `position` on; gives the position after it. `name_of` knows the names of
/// tables.
pub fn entry_events(
    logged: &LoggedEntry<'_>,
    position: u64,
    name_of: &dyn Fn(TableId) -> Option<(String, String)>,
    out: &mut Vec<Event>,
) -> u64 {
    let server_id = origin(logged.entry);
    let xid = logged.csn.0;
    let mut at = position;
    let table_info = |table: TableId| match name_of(table) {
        Some((schema, name)) => format!("table_id: {table} ({schema}.{name})"),
        None => format!("table_id: {table} (dropped)"),
    };
    shape(logged.entry, &mut |part, size| {
        let (kind, info) = match part {
            Part::Gtid => {
                let gtid = logged.gtid;
                ("Gtid", format!("SET @@SESSION.GTID_NEXT= '{}:{}'", gtid.uuid, gtid.number))
            }
            Part::Begin => ("Query", "BEGIN".to_owned()),
            Part::TableMap(table) => ("Table_map", table_info(table)),
            Part::Rows { kind, table, last } => {
                let flags = if last { " flags: STMT_END_F" } else { "" };
                (kind.event(), format!("table_id: {table}{flags}"))
            }
            Part::Xid => ("Xid", format!("COMMIT /* xid={xid} */")),
            Part::Ddl { database, statement } => {
                let quoted = database.replace('`', "``");
                let used = if database.is_empty() { String::new() } else { format!("use `{quoted}`; ") };
                ("Query", format!("{used}{statement} /* xid={xid} */"))
            }
            Part::ViewChange { birth, counter } => ("View_change", format!("view_id={birth}:{counter}")),
            Part::ViewCommit => ("Query", "COMMIT".to_owned()),
        };
        out.push(Event { position: at, kind, server_id, end: at + size, info });
        at += size;
    });
    at
}

/// What a rows event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RowsKind {
    Write,
    Update,
    Delete,
}

impl RowsKind {
    const fn event(self) -> &'static str {
        match self {
            Self::Write => "Write_rows",
            Self::Update => "Update_rows",
            Self::Delete => "Delete_rows",
        }
    }

    fn of(change: &ArchivedRowChange) -> Self {
        match (change.before.is_some(), change.after.is_some()) {
            (false, _) => Self::Write,
            (true, true) => Self::Update,
            (true, false) => Self::Delete,
        }
    }
}

/// One event of an entry, before it has a place.
enum Part<'a> {
    Gtid,
    Begin,
    TableMap(TableId),
    Rows { kind: RowsKind, table: TableId, last: bool },
    Xid,
    Ddl { database: &'a str, statement: &'a str },
    ViewChange { birth: Birth, counter: u64 },
    ViewCommit,
}

/// The events of an entry and their sizes, in order: the one source of both.
fn shape<'a>(entry: &'a ArchivedEntry, visit: &mut dyn FnMut(Part<'a>, u64)) {
    match &entry.body {
        ArchivedBody::Transaction(transaction) => transaction_shape(transaction, visit),
        ArchivedBody::Ddl(ddl) => {
            let (database, statement) = (ddl.database.as_str(), ddl.statement.as_str());
            visit(Part::Gtid, GTID);
            visit(Part::Ddl { database, statement }, QUERY + 1 + (database.len() + statement.len()) as u64);
        }
        ArchivedBody::View(view) => view_shape(view, visit),
        ArchivedBody::Birth(birth) if birth.options.group => view_shape(&birth.view, visit),
        _ => {}
    }
}

fn view_shape<'a>(view: &'a ArchivedView, visit: &mut dyn FnMut(Part<'a>, u64)) {
    if !matches!(view.cause, ArchivedViewCause::Bootstrap | ArchivedViewCause::Join(_)) {
        return;
    }
    visit(Part::Gtid, GTID);
    visit(Part::Begin, QUERY + 1 + "BEGIN".len() as u64);
    visit(Part::ViewChange { birth: Birth::from(&view.birth), counter: view.counter.to_native() }, VIEW_CHANGE);
    visit(Part::ViewCommit, QUERY + 1 + "COMMIT".len() as u64);
}

fn transaction_shape<'a>(transaction: &'a ArchivedTransaction, visit: &mut dyn FnMut(Part<'a>, u64)) {
    visit(Part::Gtid, GTID);
    visit(Part::Begin, QUERY + 1 + "BEGIN".len() as u64);
    let rows = transaction.rows.as_slice();
    let mut from = 0;
    for at in 0..rows.len() {
        if rows[at].statement_end || at + 1 == rows.len() {
            statement_shape(transaction, &rows[from..=at], visit);
            from = at + 1;
        }
    }
    visit(Part::Xid, XID);
}

/// One statement: its tables, then one rows event per table and kind, the last one with STMT_END_F.
fn statement_shape<'a>(
    transaction: &'a ArchivedTransaction,
    rows: &'a [ArchivedRowChange],
    visit: &mut dyn FnMut(Part<'a>, u64),
) {
    let mut groups: BTreeMap<(u16, RowsKind), u64> = BTreeMap::new();
    for change in rows.iter().filter(|change| change.space.to_native() == 0) {
        let image = |image: Option<usize>| image.unwrap_or(0) as u64;
        let bytes = image(change.before.as_ref().map(|bytes| bytes.len()))
            + image(change.after.as_ref().map(|bytes| bytes.len()));
        *groups.entry((change.table.to_native(), RowsKind::of(change))).or_default() += bytes;
    }
    let table_of =
        |place: u16| transaction.tables.get(usize::from(place)).map_or(TableId(0), |table| TableId::from(&table.table));
    let mut mapped = None;
    for &(place, _) in groups.keys() {
        if mapped != Some(place) {
            visit(Part::TableMap(table_of(place)), TABLE_MAP);
            mapped = Some(place);
        }
    }
    let count = groups.len();
    for (number, ((place, kind), bytes)) in groups.into_iter().enumerate() {
        visit(Part::Rows { kind, table: table_of(place), last: number + 1 == count }, ROWS + bytes);
    }
}

/// `server_id` of who wrote an entry: of a view, the one that joined or bootstrapped.
fn origin(entry: &ArchivedEntry) -> u32 {
    let of_view = |view: &ArchivedView| {
        let joined = match &view.cause {
            ArchivedViewCause::Join(incarnation) => Some(incarnation.0),
            _ => None,
        };
        let member = match joined {
            Some(incarnation) => view.members.iter().find(|member| member.incarnation.0 == incarnation),
            None => view.members.first(),
        };
        member.map_or(0, |member| member.server_id.to_native())
    };
    match &entry.body {
        ArchivedBody::Transaction(transaction) => transaction.server_id.to_native(),
        ArchivedBody::Ddl(ArchivedDdl { server_id, .. }) => server_id.to_native(),
        ArchivedBody::View(view) => of_view(view),
        ArchivedBody::Birth(birth) => of_view(&birth.view),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::entry::*;
    use wire::id::{Csn, Incarnation, Index, Uuid};

    fn archived(body: Body) -> rkyv::util::AlignedVec {
        rkyv::to_bytes::<rkyv::rancor::Error>(&Entry { stamp: Stamp::default(), body }).unwrap()
    }

    fn events(body: Body) -> (Vec<(&'static str, String)>, u64) {
        let bytes = archived(body);
        let entry = rkyv::access::<ArchivedEntry, rkyv::rancor::Error>(&bytes).unwrap();
        let uuid = Uuid::parse("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa").unwrap();
        let logged = LoggedEntry { index: Index(9), csn: Csn(5), gtid: Gtid { uuid, number: 7 }, entry };
        let mut out = Vec::new();
        let end = entry_events(&logged, HEAD_BYTES, &|_| Some(("test".to_owned(), "t1".to_owned())), &mut out);
        assert_eq!(end - HEAD_BYTES, binlog_bytes(entry), "sizes add up");
        for pair in out.windows(2) {
            assert_eq!(pair[0].end, pair[1].position);
        }
        (out.into_iter().map(|event| (event.kind, event.info)).collect(), end)
    }

    fn change(space: u16, statement_end: bool, before: bool, after: bool) -> RowChange {
        let image = |there: bool| there.then(|| vec![1, 2, 3]);
        RowChange { table: 0, space, statement_end, key: vec![1], before: image(before), after: image(after) }
    }

    #[test]
    fn a_transaction_reads_as_in_the_manual() {
        let rows = vec![
            change(0, false, false, true),
            change(1, false, false, true),
            change(0, true, false, true),
            change(0, false, true, true),
            change(0, true, true, false),
        ];
        let tables = vec![TableVersion { table: TableId(108), version: Csn(4) }];
        let (events, end) = events(Body::Transaction(Transaction { rows, tables, ..Transaction::default() }));
        let expected = [
            ("Gtid", "SET @@SESSION.GTID_NEXT= 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:7'"),
            ("Query", "BEGIN"),
            ("Table_map", "table_id: 108 (test.t1)"),
            ("Write_rows", "table_id: 108 flags: STMT_END_F"),
            ("Table_map", "table_id: 108 (test.t1)"),
            ("Update_rows", "table_id: 108"),
            ("Delete_rows", "table_id: 108 flags: STMT_END_F"),
            ("Xid", "COMMIT /* xid=5 */"),
        ];
        assert_eq!(events.iter().map(|(kind, info)| (*kind, info.as_str())).collect::<Vec<_>>(), expected);
        assert_eq!(end, HEAD_BYTES + GTID + QUERY + 6 + 2 * TABLE_MAP + 3 * ROWS + 6 + 6 + 3 + XID);
    }

    #[test]
    fn definitions_and_views() {
        let ddl = |database: &str| {
            Body::Ddl(Ddl {
                primary_epoch: 0,
                gtid: None,
                committed_at_us: 0,
                server_id: 1,
                session: 8,
                after: false,
                database: database.to_owned(),
                statement: "CREATE TABLE t1 (c1 INT)".to_owned(),
                changes: Vec::new(),
            })
        };
        assert_eq!(events(ddl("te`st")).0[1].1, "use `te``st`; CREATE TABLE t1 (c1 INT) /* xid=5 */");
        assert_eq!(events(ddl("")).0[1].1, "CREATE TABLE t1 (c1 INT) /* xid=5 */");
        let view =
            |cause| Body::View(View { birth: Birth(15_240_000_000_000_001), counter: 2, members: Vec::new(), cause });
        let (joined, _) = events(view(ViewCause::Join(Incarnation(3))));
        let kinds: Vec<_> = joined.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, ["Gtid", "Query", "View_change", "Query"]);
        assert_eq!(joined[2].1, "view_id=15240000000000001:2");
        assert_eq!(joined[3].1, "COMMIT");
        assert!(events(view(ViewCause::Leave(Incarnation(3)))).0.is_empty());
        assert!(events(Body::Marker).0.is_empty());
    }

    #[test]
    fn the_head_is_mysqls() {
        let head = head_events(1, "8.0.36");
        assert_eq!((head[0].position, head[0].end, head[1].end), (4, 126, 157));
        assert_eq!(head[0].info, "Server ver: 8.0.36, Binlog ver: 4");
    }
}
