"""What applications do through PyMySQL. Arguments: the SQL ports of a group of three, the first being the primary."""

import sys
import time

import pymysql
import pymysql.cursors

PORTS = [int(port) for port in sys.argv[1:]]


def connect(port=PORTS[0], user="root", **options):
    return pymysql.connect(host="127.0.0.1", port=port, user=user, **options)


def rows(connection, sql, arguments=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return list(cursor.fetchall())


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def refused(kind, code, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except kind as error:
        equal(error.args[0], code)
        return error.args[1]
    raise AssertionError(f"no error {code} from {arguments!r} {options!r}")


def eventually(expected, look):
    deadline = time.monotonic() + 60
    found = look()
    while found != expected:
        assert time.monotonic() < deadline, f"found {found!r}, expected {expected!r}"
        time.sleep(0.02)
        found = look()


root = connect(autocommit=True)
rows(root, "CREATE DATABASE app")
root.select_db("app")
rows(root, "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(50), data BLOB, note TEXT)")

# Parameters of every kind come back as they were given.
values = [
    (1, "plain", b"bytes", "text"),
    (2, "it's \\ \"quoted\" %s", bytes(range(256)), "line\nline\ttab\0nul"),
    (3, "Grüße, 世界, 🦀", b"", ""),
    (-(2**63), None, None, None),
    (2**63 - 1, "", b"\0", "x" * 60_000),
]
with root.cursor() as cursor:
    for value in values:
        equal(cursor.execute("INSERT INTO t (id, name, data, note) VALUES (%s, %s, %s, %s)", value), 1)
for value in values:
    equal(rows(root, "SELECT id, name, data, note FROM t WHERE id = %s", (value[0],)), [value])
with root.cursor() as cursor:
    equal(cursor.executemany("INSERT INTO t (id, name) VALUES (%s, %s)", [(i, f"n{i}") for i in range(10, 20)]), 10)
equal(rows(root, "SELECT COUNT(*), MIN(id), MAX(id) FROM t WHERE id BETWEEN 10 AND 19"), [(10, 10, 19)])
with root.cursor(pymysql.cursors.DictCursor) as cursor:
    cursor.execute("SELECT id, name FROM t WHERE id >= %(low)s ORDER BY id LIMIT 2", {"low": 10})
    equal(cursor.fetchall(), [{"id": 10, "name": "n10"}, {"id": 11, "name": "n11"}])
with root.cursor(pymysql.cursors.SSCursor) as cursor:
    cursor.execute("SELECT id FROM t WHERE id BETWEEN 10 AND 19 ORDER BY id DESC")
    equal([row[0] for row in cursor], list(range(19, 9, -1)))

# Prepared statements, as SQL makes them.
rows(root, "PREPARE find FROM 'SELECT name FROM t WHERE id = ?'")
rows(root, "SET @id = 12")
equal(rows(root, "EXECUTE find USING @id"), [("n12",)])
rows(root, "DEALLOCATE PREPARE find")

# Transactions: not seen before COMMIT, gone after ROLLBACK.
writer, reader = connect(database="app"), connect(database="app", autocommit=True)
rows(writer, "INSERT INTO t (id, name) VALUES (100, 'pending')")
equal(rows(writer, "SELECT name FROM t WHERE id = 100"), [("pending",)])
equal(rows(reader, "SELECT name FROM t WHERE id = 100"), [])
writer.rollback()
equal(rows(writer, "SELECT name FROM t WHERE id = 100"), [])
writer.begin()
rows(writer, "INSERT INTO t (id, name) VALUES (100, 'kept')")
rows(writer, "UPDATE t SET name = 'changed' WHERE id = 10")
rows(writer, "DELETE FROM t WHERE id = 11")
writer.commit()
equal(rows(reader, "SELECT id, name FROM t WHERE id IN (10, 11, 100) ORDER BY id"), [(10, "changed"), (100, "kept")])
for port in PORTS[1:]:
    secondary = connect(port, autocommit=True)
    eventually([("kept",)], lambda: rows(secondary, "SELECT name FROM app.t WHERE id = 100"))
    refused(pymysql.err.OperationalError, 1290, rows, secondary, "DELETE FROM app.t WHERE id = 100")

# Errors by number; the connection stays.
refused(pymysql.err.IntegrityError, 1062, rows, root, "INSERT INTO t (id) VALUES (100)")
refused(pymysql.err.ProgrammingError, 1146, rows, root, "SELECT * FROM nowhere")
refused(pymysql.err.ProgrammingError, 1064, rows, root, "SELEKT 1")
refused(pymysql.err.OperationalError, 1054, rows, root, "SELECT nothing FROM t")
refused(pymysql.err.OperationalError, 1049, root.select_db, "nowhere")
refused(pymysql.err.ProgrammingError, 1007, rows, root, "CREATE DATABASE app")
refused(pymysql.err.OperationalError, 1050, rows, root, "CREATE TABLE t (id INT PRIMARY KEY)")
equal(rows(root, "SELECT 1 + 1"), [(2,)])
root.ping(reconnect=False)

# Both kinds of accounts, and what they may do.
for plugin in ("mysql_native_password", "caching_sha2_password"):
    user = plugin.split("_")[0]
    rows(root, f"CREATE USER {user}@'%%' IDENTIFIED WITH {plugin} BY 'pass word'", ())
    rows(root, f"GRANT SELECT, INSERT ON app.* TO {user}@'%%'", ())
    for _ in range(2):  # The second time, caching_sha2_password has it cached.
        own = connect(user=user, password="pass word", database="app", autocommit=True)
        equal(rows(own, "SELECT CURRENT_USER()"), [(f"{user}@%",)])
    rows(own, "INSERT INTO t (id) VALUES (%s)", (200 + len(user),))
    refused(pymysql.err.OperationalError, 1142, rows, own, "DELETE FROM t")
    refused(pymysql.err.OperationalError, 1045, connect, user=user, password="wrong")
    refused(pymysql.err.OperationalError, 1045, connect, user=user)
    # Accounts are replicated.
    for port in PORTS[1:]:
        def login(port=port):
            try:
                return rows(connect(port, user=user, password="pass word"), "SELECT 1")
            except pymysql.err.OperationalError as error:
                return error.args[0]

        eventually([(1,)], login)
refused(pymysql.err.OperationalError, 1045, connect, user="nobody")
