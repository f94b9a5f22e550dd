"""dbapi.py MODULE [pure]: the DB API 2.0 of pymysql, MySQLdb (mysqlclient) or mysql.connector, by hand.

mysql.connector has a C extension, which not every Debian can load, and a form in pure Python."""
import datetime
import decimal
import importlib
import sys

from common import DATABASE, HOST, PASSWORD, PORT, READ_ONLY, USER, check, end, refused

name = sys.argv[1]
pure = sys.argv[2:] == ["pure"]
module = importlib.import_module(name)
more = {"use_pure": pure} if name == "mysql.connector" else {}
if name == "mysql.connector" and not pure and not module.HAVE_CEXT:
    print("the C extension can't be loaded here")
    end()
key = {"MySQLdb": ("passwd", "db")}.get(name, ("password", "database"))


def connect(**options):
    login = {"host": HOST, "port": PORT, "user": USER, key[0]: PASSWORD, key[1]: DATABASE, "charset": "utf8mb4"}
    return module.connect(**{**login, **more, **options})


connection = connect()
cursor = connection.cursor()
cursor.execute("SELECT 1, 'a', NULL, 1.50, 2e0, CAST('2024-02-29' AS DATE), CAST('2024-02-29 12:34:56.789' AS DATETIME(3))")
row = cursor.fetchone()
check("literals", tuple(row), (1, "a", None, decimal.Decimal("1.50"), 2.0, datetime.date(2024, 2, 29),
                               datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)))
check("names", [column[0] for column in cursor.description][:3], ["1", "a", "NULL"])
cursor.execute("SELECT @@version_comment, @@max_allowed_packet")
check("system variables", len(cursor.fetchone()), 2)
refused("unknown table", module.Error, 1146, lambda: connection.cursor().execute("SELECT * FROM no_such_table"))
refused("syntax", module.Error, 1064, lambda: connection.cursor().execute("SELEC 1"))
table = "t_" + name.replace(".", "_").lower() + ("_pure" if pure else "")
columns = "name, price, ratio, small, born, seen, took, body, note, kind, tags, doc, flag, made"
values = ("Zoë 🦀", decimal.Decimal("12345678.9012"), 0.1, -7, datetime.date(1969, 7, 20),
          datetime.datetime(2024, 12, 31, 23, 59, 59, 999999), datetime.timedelta(hours=12, minutes=34, seconds=56),
          bytes(range(256)), "long " * 1000, "b", "x,z", '{"a": [1, 2.5, null], "b": "\u00e4"}', True, 2024)


def check_first(cursor):
    """The first row is as it was inserted."""
    cursor.execute(f"SELECT {columns} FROM {table} ORDER BY id LIMIT 1")
    row = list(cursor.fetchone())
    row[10] = ",".join(sorted(row[10])) if isinstance(row[10], (set, frozenset)) else row[10]
    for what, found, wanted in zip(columns.split(", "), row, values):
        found = bytes(found) if isinstance(found, bytearray) else found
        found = found.decode() if what == "doc" and isinstance(found, bytes) else found
        check(f"column {what}", found, int(wanted) if isinstance(wanted, bool) else wanted)


if READ_ONLY:
    check_first(cursor)
    for write in [f"INSERT INTO {table} (name) VALUES ('x')", f"UPDATE {table} SET small = 1", f"DELETE FROM {table}",
                  "CREATE TABLE never (a INT PRIMARY KEY)", f"ALTER TABLE {table} ADD x INT", f"DROP TABLE {table}"]:
        refused(f"{write} on a secondary", module.Error, 1290, lambda: connection.cursor().execute(write))
    connection.rollback()
    cursor.execute(f"SELECT COUNT(*) FROM {table}")
    check("rows", cursor.fetchone()[0], 52)
    end()

cursor.execute(f"DROP TABLE IF EXISTS {table}, {table}_big")
cursor.execute(f"""CREATE TABLE {table} (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) CHARACTER SET utf8mb4, price DECIMAL(12,4),
    ratio DOUBLE, small TINYINT, born DATE, seen DATETIME(6), took TIME, body BLOB, note TEXT,
    kind ENUM('a','b','c'), tags SET('x','y','z'), doc JSON, flag BOOLEAN, made YEAR,
    stamp TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, UNIQUE KEY by_name (name), KEY by_price (price))""")
marks = ", ".join(["%s"] * len(values))
cursor.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)
first = cursor.lastrowid
check("an id was given", first > 0, True)
check("rowcount of an insert", cursor.rowcount, 1)
connection.commit()
check_first(cursor)

cursor.executemany(f"INSERT INTO {table} (name, price) VALUES (%s, %s)", [(f"n{i}", i) for i in range(100)])
check("rowcount of executemany", cursor.rowcount, 100)
connection.rollback()
cursor.execute(f"SELECT COUNT(*) FROM {table}")
check("rolled back", cursor.fetchone()[0], 1)
cursor.executemany(f"INSERT INTO {table} (name, price) VALUES (%s, %s)", [(f"n{i}", i) for i in range(100)])
connection.commit()
cursor.execute(f"SELECT name, price FROM {table} WHERE price BETWEEN %s AND %s ORDER BY price DESC LIMIT 3", (10, 20))
check("a range, ordered", [(name, int(price)) for name, price in cursor.fetchall()], [("n20", 20), ("n19", 19), ("n18", 18)])
cursor.execute(f"UPDATE {table} SET price = price + 1 WHERE name LIKE 'n1%'")
check("rowcount of an update", cursor.rowcount, 11)
cursor.execute(f"DELETE FROM {table} WHERE price > 50 AND name LIKE 'n%'")
check("rowcount of a delete", cursor.rowcount, 49)
connection.commit()
refused("a duplicate", module.Error, 1062, lambda: cursor.execute(f"INSERT INTO {table} (name) VALUES ('n5')"))
connection.rollback()
refused("too long", module.Error, 1406, lambda: cursor.execute(f"INSERT INTO {table} (name) VALUES (%s)", ("x" * 60,)))
connection.rollback()
refused("out of range", module.Error, 1264, lambda: cursor.execute(f"INSERT INTO {table} (small) VALUES (300)"))
connection.rollback()
big = "ä" * 3_000_000
cursor.execute(f"CREATE TABLE IF NOT EXISTS {table}_big (id INT PRIMARY KEY, body LONGTEXT)")
cursor.execute(f"REPLACE INTO {table}_big VALUES (1, %s)", (big,))
connection.commit()
cursor.execute(f"SELECT body FROM {table}_big WHERE id = 1")
check("6 MB of text", cursor.fetchone()[0] == big, True)

second = connect()
other = second.cursor()
cursor.execute(f"UPDATE {table} SET price = 77 WHERE id = %s", (first,))
other.execute(f"SELECT price FROM {table} WHERE id = %s", (first,))
check("uncommitted is not seen", other.fetchone()[0], values[1])
second.rollback()
connection.commit()
other.execute(f"SELECT price FROM {table} WHERE id = %s", (first,))
check("committed is seen", int(other.fetchone()[0]), 77)
second.close()
cursor.execute(f"UPDATE {table} SET price = %s WHERE id = %s", (values[1], first))
connection.commit()
if name == "mysql.connector":
    prepared = connection.cursor(prepared=True)
    prepared.execute(f"SELECT {columns} FROM {table} WHERE id = %s AND price = %s", (first, values[1]))
    row = prepared.fetchone()
    check("prepared: a row", (row[0], row[4], row[5]), (values[0], values[4], values[5]))
    prepared.close()
    connection.cmd_reset_connection()
    connection.cmd_change_user(USER, PASSWORD, DATABASE)
    check("after change_user", connection.is_connected(), True)
cursor = connection.cursor()
cursor.execute("SHOW FULL COLUMNS FROM " + table)
check("SHOW FULL COLUMNS", len(cursor.fetchall()), 16)
connection.close()
end()
