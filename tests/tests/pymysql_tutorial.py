"""The manual's tutorial through PyMySQL. Arguments: the SQL ports of three servers that are in no group."""

import sys
import time

import pymysql

PORTS = [int(port) for port in sys.argv[1:]]
GROUP = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"


def connect(port, **options):
    return pymysql.connect(host="127.0.0.1", port=port, user="root", **options)


def rows(connection, sql, arguments=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return list(cursor.fetchall())


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def await_online(connection, count):
    deadline = time.monotonic() + 60
    while True:
        states = [row[4] for row in rows(connection, "SELECT * FROM performance_schema.replication_group_members")]
        if states == ["ONLINE"] * count:
            return
        assert set(states) <= {"ONLINE", "RECOVERING"}, states
        assert time.monotonic() < deadline, states
        time.sleep(0.02)


def prepare(connection):
    for sql in (
        "SET SQL_LOG_BIN=0",
        "CREATE USER rpl_user@'%'",
        "GRANT REPLICATION SLAVE ON *.* TO rpl_user@'%' IDENTIFIED BY 'rpl_pass'",
        "FLUSH PRIVILEGES",
        "SET SQL_LOG_BIN=1",
        "CHANGE MASTER TO MASTER_USER='rpl_user', MASTER_PASSWORD='rpl_pass' "
        "FOR CHANNEL 'group_replication_recovery'",
        "INSTALL PLUGIN group_replication SONAME 'group_replication.so'",
    ):
        rows(connection, sql)
    plugins = {row[0]: row[1] for row in rows(connection, "SHOW PLUGINS")}
    equal(plugins["group_replication"], "ACTIVE")


def gtids(connection):
    events = rows(connection, "SHOW BINLOG EVENTS")
    names = [row[5].split("'")[1] for row in events if row[2] == "Gtid"]
    views = [row[5].split(":")[1] for row in events if row[2] == "View_change"]
    return names, views


first, *others = connections = [connect(port, autocommit=True) for port in PORTS]
prepare(first)
for sql in (
    "SET GLOBAL group_replication_bootstrap_group=ON",
    "START GROUP_REPLICATION",
    "SET GLOBAL group_replication_bootstrap_group=OFF",
):
    rows(first, sql)
await_online(first, 1)
rows(first, "CREATE DATABASE test")
first.select_db("test")
rows(first, "CREATE TABLE t1 (c1 INT PRIMARY KEY, c2 TEXT NOT NULL)")
rows(first, "INSERT INTO t1 VALUES (1, 'Luis')")
equal(rows(first, "SELECT * FROM t1"), [(1, "Luis")])
for count, joiner in enumerate(others, start=2):
    prepare(joiner)
    rows(joiner, "START GROUP_REPLICATION")
    await_online(joiner, count)
    equal(rows(joiner, "SHOW DATABASES LIKE 'test'"), [("test",)])
    equal(rows(joiner, "SELECT * FROM test.t1"), [(1, "Luis")])
for connection in connections:
    await_online(connection, len(PORTS))
    names, views = gtids(connection)
    equal(names, [f"{GROUP}:{number}" for number in range(1, 7)])
    equal(views, ["1", "2", "3"])
