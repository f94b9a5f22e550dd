"""Connections: how many, how long idle, as whom; several statements in one text; GTIDs told in OK packets."""
import re
import struct
import threading
import time

import pymysql
from pymysql.constants import CLIENT, COMMAND

from common import DATABASE, HOST, PASSWORD, PORT, USER, check, end, refused


def connect(user=USER, password=PASSWORD, **options):
    return pymysql.connect(host=HOST, port=PORT, user=user, password=password, database=DATABASE, autocommit=True, **options)


def ask(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def eventually(what, look):
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


root = connect()
ask(root, "CREATE TABLE t_sessions (id INT PRIMARY KEY)")

# 1040: the connections that are there count.
usual = ask(root, "SELECT @@GLOBAL.max_connections")[0][0]
ask(root, "SET GLOBAL max_connections = 4")
others = []
refused("one connection too many", pymysql.MySQLError, 1040, lambda: [others.append(connect()) for _ in range(10)])
check("connections before that", 1 <= len(others) <= 3, True)
others.pop().close()


def gets_in():
    try:
        connect().close()
    except pymysql.MySQLError as error:
        check("still too many", error.args[0], 1040)
        return False
    return True


eventually("a place is free again", gets_in)
ask(root, f"SET GLOBAL max_connections = {usual}")
for other in others:
    other.close()

# wait_timeout: the server says why, and closes.
idle, busy = connect(), connect()
ask(idle, "SET SESSION wait_timeout = 1")
eventually("an idle connection goes", lambda: all(row[0] != idle.thread_id() for row in ask(root, "SHOW PROCESSLIST")))
# An error packet that nobody asked for, so its number is 0: drivers take it for the lost connection that follows.
said = idle._sock.recv(1000)
check("after wait_timeout", (said[3], said[4], struct.unpack("<H", said[5:7])[0], idle._sock.recv(1)), (0, 255, 4031, b""))
check("others stay", ask(busy, "SELECT 1"), ((1,),))

# Several statements in one text; the first error ends it.
many = connect(client_flag=CLIENT.MULTI_STATEMENTS)
with many.cursor() as cursor:
    cursor.execute("INSERT INTO t_sessions VALUES (1), (2); SELECT id FROM t_sessions ORDER BY id; DELETE FROM t_sessions WHERE id = 1")
    found = [cursor.rowcount]
    while cursor.nextset():
        found.append(cursor.fetchall() if cursor.description else cursor.rowcount)
check("three statements", found, [2, ((1,), (2,)), 1])
with many.cursor() as cursor:
    cursor.execute("SELECT 1; SELECT * FROM no_such_table; INSERT INTO t_sessions VALUES (7)")
    refused("the second of three", pymysql.MySQLError, 1146, cursor.nextset)
check("the third did not run", ask(many, "SELECT COUNT(*) FROM t_sessions WHERE id = 7"), ((0,),))


def gtids(connection, sql):
    """The GTID in the OK packet that answers `sql`: header, counts, status, warnings, text, then what was tracked."""
    connection._execute_command(COMMAND.COM_QUERY, sql)
    packet = connection._read_packet()
    connection._affected_rows = None
    data = packet.get_all_data()
    found = re.search(rb"[0-9a-f-]{36}:\d+(-\d+)?", data)
    return found and found.group().decode()


tracking = connect(client_flag=CLIENT.SESSION_TRACK)
check("nothing is tracked by default", gtids(tracking, "INSERT INTO t_sessions VALUES (10)"), None)
ask(tracking, "SET SESSION session_track_gtids = OWN_GTID")
told = gtids(tracking, "INSERT INTO t_sessions VALUES (11)")
check("the GTID of a commit", ask(root, f"SELECT GTID_SUBSET('{told}', @@GLOBAL.gtid_executed)"), ((1,),))
check("a read has none", gtids(tracking, "DO 1"), None)
ask(tracking, "BEGIN")
check("nothing before the commit", gtids(tracking, "INSERT INTO t_sessions VALUES (12)"), None)
later = gtids(tracking, "COMMIT")
check("of COMMIT", int(later.rsplit(":")[-1]) > int(told.rsplit(":")[-1]), True)
# What another member waits for before it is read.
check("waited for", ask(root, f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{later}', 10)"), ((0,),))

# COM_RESET_CONNECTION (31): the session begins anew, with what it held rolled back.
ask(tracking, "SET @x = 1, SESSION sql_mode = ''")
ask(tracking, "BEGIN")
ask(tracking, "INSERT INTO t_sessions VALUES (20)")
tracking._execute_command(31, b"")
tracking._read_ok_packet()
check("after a reset", ask(tracking, "SELECT @x, @@sql_mode = @@GLOBAL.sql_mode, COUNT(*) FROM t_sessions WHERE id = 20"), ((None, 1, 0),))
check("still the same user", ask(tracking, "SELECT CURRENT_USER()"), (("app@%",),))

# Long data (24) has no answer; what is too long is told when the statement runs.
tracking._execute_command(COMMAND.COM_STMT_PREPARE, "SELECT LENGTH(?)")
packet = tracking._read_packet()
statement = struct.unpack("<I", packet.get_all_data()[1:5])[0]
tracking._read_packet(), tracking._read_packet()
tracking._read_packet(), tracking._read_packet()
for piece in [b"abc", b"x" * 100_000]:
    tracking._execute_command(COMMAND.COM_STMT_SEND_LONG_DATA, struct.pack("<IH", statement, 0) + piece)
tracking._execute_command(COMMAND.COM_STMT_EXECUTE, struct.pack("<IBIBB", statement, 0, 1, 0, 1) + b"\xfd\x00")
answer = [tracking._read_packet().get_all_data() for _ in range(5)]
check("long data, in pieces", struct.unpack("<q", answer[3][2:10])[0] if len(answer[3]) >= 10 else answer[3][2:], 100_003)

# KILL ends a statement that would run for hours, while others are answered.
ask(root, "CREATE TABLE t_long (id INT PRIMARY KEY, v INT)")
ask(root, "INSERT INTO t_long VALUES " + ",".join(f"({row}, {row % 7})" for row in range(3000)))


def killed(what, sql):
    """The error that `sql` ends with once `what` of its session is killed; and its connection."""
    victim, errors = connect(), []

    def run():
        try:
            ask(victim, sql)
        except pymysql.MySQLError as error:
            errors.append(error.args[0])

    thread = threading.Thread(target=run)
    thread.start()
    running = f"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {victim.thread_id()} AND INFO = %r" % sql
    eventually(f"it runs: {sql}", lambda: ask(root, running) == ((1,),))
    ask(root, f"KILL {what} {victim.thread_id()}")
    thread.join(60)
    check(f"KILL {what}: {sql}", errors, [1317])
    return victim


for long in [
    "SELECT COUNT(*) FROM t_long a, t_long b, t_long c WHERE a.v + b.v + c.v = 99",
    "SELECT a.id FROM t_long a, t_long b, t_long c ORDER BY a.v + b.v + c.v DESC LIMIT 1",
    "SELECT a.v, COUNT(DISTINCT b.id) FROM t_long a, t_long b, t_long c GROUP BY a.v",
    "SELECT id FROM t_long t WHERE EXISTS (SELECT 1 FROM t_long b, t_long c WHERE b.v + c.v = 99 + t.v)",
    "UPDATE t_long SET v = (SELECT MAX(b.v + c.v + d.v) FROM t_long b, t_long c, t_long d)",
    "INSERT INTO t_long SELECT a.id + 3000 * b.id + 3000, c.v FROM t_long a, t_long b, t_long c WHERE c.v = 99",
    "DELETE a FROM t_long a JOIN t_long b ON a.v <= b.v JOIN t_long c ON b.v <= c.v WHERE c.v + b.v = 99",
]:
    survivor = killed("QUERY", long)
    check("the session goes on", ask(survivor, "SELECT COUNT(*), SUM(v) FROM t_long"), ((3000, 8994),))
    survivor.close()
gone = killed("CONNECTION", "SELECT COUNT(*) FROM t_long a, t_long b, t_long c WHERE a.v + b.v + c.v = 99")
# 2006 or 2013, by how far the driver gets.
try:
    ask(gone, "SELECT 1")
    check("after KILL CONNECTION", "an answer", "a lost connection")
except pymysql.MySQLError as error:
    check("after KILL CONNECTION", error.args[0] in (2006, 2013), True)
sleeper = killed("CONNECTION", "DO SLEEP(86400)")

# An account without rights sees nothing of others.
poor = pymysql.connect(host=HOST, port=PORT, user="poor", password="poor")
refused("another's database", pymysql.MySQLError, 1044, lambda: poor.select_db(DATABASE))
refused("a wrong password", pymysql.MySQLError, 1045, lambda: connect(password="wrong"))
for _ in range(20):
    connect().close()
refused("a wrong password still", pymysql.MySQLError, 1045, lambda: connect(password="wrong"))
end()
