//! Shapes of the computed tables.

use super::*;

#[test]
fn every_row_is_as_wide_as_its_table() {
    crate::show::fixture(|at| {
        for table in all() {
            for row in (table.rows)(at.source) {
                assert_eq!(row.len(), table.columns.len(), "{}.{}", table.schema, table.name);
                for (value, (name, _, nullable)) in row.iter().zip(table.columns) {
                    assert!(*nullable || *value != Value::Null, "{}.{name} is NOT NULL", table.name);
                }
            }
        }
    });
}

#[test]
fn members_are_shown_as_the_manual_shows_them() {
    crate::show::fixture(|at| {
        let rows = rows("PERFORMANCE_SCHEMA", "Replication_Group_Members", at.source).unwrap();
        let row: Vec<String> = rows[0].iter().map(|value| value.to_text().unwrap().into_owned()).collect();
        assert_eq!(
            row,
            [
                "group_replication_applier",
                "3e11fa47-71ca-11e1-9e33-c80aa9429562",
                "s1",
                "24801",
                "ONLINE",
                "PRIMARY",
                "8.0.36",
                "XCom"
            ]
        );
        let names: Vec<_> = columns("performance_schema", "replication_group_members").unwrap();
        assert_eq!(names[0].name, "CHANNEL_NAME");
        assert_eq!(columns("performance_schema", "nope"), None);
    });
}
