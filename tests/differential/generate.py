#!/usr/bin/env python3
"""Random schemas and statements on a MySQL and on a member side by side; what differs is printed.

    generate.py MYSQL_HOST:PORT MEMBER_HOST:PORT [--seed N] [--rounds N] [--statements N]

Both take the user sb with the password sb, who may do everything; the database `differential` is made anew on both for
each round. A round is a few tables with random columns and keys, then statements: inserts, updates, deletes and
queries of random expressions, and at its end the tables' whole contents. Compared are results (rows in order where the
statement orders them by a key, else as a set), affected rows and error numbers.

By hand, not in CI. What it found so far is in findings.txt beside this script. PyMySQL is needed.
"""
import argparse
import datetime
import decimal
import random

import pymysql

TYPES = [
    "INT", "INT UNSIGNED", "TINYINT", "SMALLINT", "BIGINT", "BIGINT UNSIGNED", "DECIMAL(10,3)", "DECIMAL(5,0)", "DOUBLE",
    "VARCHAR(20)", "CHAR(5)", "TEXT", "VARBINARY(10)", "DATE", "DATETIME", "DATETIME(3)", "TIME", "YEAR",
    "ENUM('a','b','c')", "SET('x','y','z')", "BIT(6)", "TIMESTAMP NULL",
]
TEXTS = ["", "a", "b", "A", "abc", "12", "-3.5", "1e2", "x y", "ä", "日本", "a%b", "2024-02-29", "12:30:00", "z", "0", " 7 "]


class Round:
    def __init__(self, rng):
        self.rng = rng
        self.tables = {}

    def pick(self, *choices):
        return self.rng.choice(choices)

    def create(self, number):
        name = f"t{number}"
        columns = [("id", "INT")]
        parts = ["id INT NOT NULL AUTO_INCREMENT PRIMARY KEY" if self.rng.random() < 0.5 else "id INT NOT NULL PRIMARY KEY"]
        keys = []
        for at in range(self.rng.randint(2, 5)):
            column, kind = f"c{at}", self.pick(*TYPES)
            columns.append((column, kind))
            null = self.pick("", "", "", " NOT NULL")
            default = self.pick("", "", f" DEFAULT {self.literal(kind)}") if kind not in ("TEXT",) else ""
            if null and default == " DEFAULT NULL":
                default = ""
            parts.append(f"{column} {kind}{null}{default}")
            if self.rng.random() < 0.35 and kind != "TEXT":
                keys.append(f"{self.pick('KEY', 'KEY', 'UNIQUE KEY')} k{at} ({column})")
        self.tables[name] = columns
        return f"CREATE TABLE {name} ({', '.join(parts + keys)})"

    def literal(self, kind=None):
        if self.rng.random() < 0.1:
            return "NULL"
        kind = kind or self.pick(*TYPES)
        number = self.pick(0, 1, -1, 2, 3, 5, 7, 10, 99, 127, 128, -129, 255, 32768, 2**31 - 1, 2**31, -2**31, 2**63 - 1)
        if kind.startswith(("INT", "TINY", "SMALL", "BIG", "BIT", "YEAR")):
            return str(number) if self.rng.random() < 0.9 else self.text()
        if kind.startswith(("DECIMAL", "DOUBLE")):
            return self.pick("0.5", "-1.25", "3", "12345.678", "0.0005", "1e3", "-99999.9995", "2.5", str(number))
        if kind.startswith(("DATE", "TIMESTAMP")):
            return self.pick("'2024-02-29'", "'2023-12-31 23:59:59.5'", "'2000-01-01'", "'1999-06-15 12:00:00'", "20240101", "'2024-13-01'", "'bad'")
        if kind.startswith("TIME"):
            return self.pick("'12:34:56'", "'-01:00:00'", "'838:59:59'", "'900:00:00'", "123456", "'1 02:03:04'", "'x'")
        if kind.startswith("ENUM"):
            return self.pick("'a'", "'b'", "'C'", "2", "'d'", "''")
        if kind.startswith("SET"):
            return self.pick("'x'", "'y,x'", "'x,y,z'", "5", "''", "'w'")
        return self.text()

    def text(self):
        return "'" + self.rng.choice(TEXTS) + "'"

    def column(self, columns):
        return self.rng.choice(columns)[0]

    def expr(self, columns, depth=0):
        """An expression over columns."""
        draw = self.rng.random()
        if depth > 2 or draw < 0.35:
            return self.column(columns) if self.rng.random() < 0.65 else self.literal()
        one = lambda: self.expr(columns, depth + 1)
        return self.pick(
            lambda: f"({one()} {self.pick('+', '-', '*', '/', 'DIV', '%')} {one()})",
            lambda: f"({one()} {self.pick('=', '<', '>', '<=', '>=', '<>', '<=>')} {one()})",
            lambda: f"({one()} {self.pick('AND', 'OR', 'XOR')} {one()})",
            lambda: f"(NOT {one()})",
            lambda: f"({one()} IS {self.pick('', 'NOT ')}NULL)",
            lambda: f"({one()} {self.pick('', 'NOT ')}BETWEEN {one()} AND {one()})",
            lambda: f"({one()} {self.pick('', 'NOT ')}IN ({one()}, {one()}, {one()}))",
            lambda: f"({one()} LIKE {self.pick(chr(39) + '%a%' + chr(39), chr(39) + '_' + chr(39), one())})",
            lambda: f"COALESCE({one()}, {one()})",
            lambda: f"IFNULL({one()}, {one()})",
            lambda: f"IF({one()}, {one()}, {one()})",
            lambda: f"NULLIF({one()}, {one()})",
            lambda: f"CASE WHEN {one()} THEN {one()} ELSE {one()} END",
            lambda: f"CONCAT({one()}, {one()})",
            lambda: f"{self.pick('LENGTH', 'CHAR_LENGTH', 'UPPER', 'LOWER', 'HEX', 'ABS', 'SIGN', 'FLOOR', 'CEIL', 'REVERSE', 'LTRIM', 'ASCII', 'BIN', 'YEAR', 'MONTH', 'DAYOFYEAR', 'TO_DAYS', 'LAST_DAY', 'QUARTER')}({one()})",
            lambda: f"ROUND({one()}, {self.pick(0, 1, 2, -1)})",
            lambda: f"SUBSTRING({one()}, {self.pick(1, 2, -2, 0)}, {self.pick(1, 3)})",
            lambda: f"REPLACE({one()}, 'a', 'bb')",
            lambda: f"GREATEST({one()}, {one()})",
            lambda: f"LEAST({one()}, {one()})",
            lambda: f"CAST({one()} AS {self.pick('SIGNED', 'UNSIGNED', 'CHAR', 'CHAR(3)', 'DECIMAL(8,2)', 'DATE', 'DATETIME', 'TIME', 'DOUBLE')})",
            lambda: f"({one()} {self.pick('&', '|', '^', '<<', '>>')} {one()})",
            lambda: f"-{one()}",
            lambda: f"STRCMP({one()}, {one()})",
            lambda: f"DATE_ADD({one()}, INTERVAL {self.pick(1, -3, 40)} {self.pick('DAY', 'MONTH', 'HOUR', 'SECOND', 'YEAR')})",
            lambda: f"DATEDIFF({one()}, {one()})",
        )()

    def statement(self):
        name = self.rng.choice(list(self.tables))
        columns = self.tables[name]
        draw = self.rng.random()
        if draw < 0.3:
            some = [column for column in columns if column[0] == "id" or self.rng.random() < 0.75]
            ignore = self.pick("", "", "", " IGNORE")
            verb = self.pick("INSERT", "INSERT", "INSERT", "REPLACE")
            rows = []
            for _ in range(self.rng.randint(1, 3)):
                rows.append("(" + ", ".join(str(self.rng.randint(1, 40)) if c == "id" else self.literal(k) for c, k in some) + ")")
            text = f"{verb}{ignore if verb == 'INSERT' else ''} INTO {name} ({', '.join(c for c, _ in some)}) VALUES {', '.join(rows)}"
            if verb == "INSERT" and self.rng.random() < 0.2:
                column, kind = self.rng.choice(columns[1:])
                text += f" ON DUPLICATE KEY UPDATE {column} = {self.pick('VALUES(' + column + ')', self.literal(kind))}"
            return text
        if draw < 0.4:
            column, kind = self.rng.choice(columns[1:])
            value = self.literal(kind) if self.rng.random() < 0.6 else self.expr(columns)
            return f"UPDATE{self.pick('', '', ' IGNORE')} {name} SET {column} = {value} WHERE {self.expr(columns)} ORDER BY id LIMIT {self.rng.randint(1, 5)}"
        if draw < 0.45:
            return f"DELETE FROM {name} WHERE {self.expr(columns)} ORDER BY id LIMIT 2"
        if draw < 0.6:
            group = self.column(columns)
            other = self.column(columns)
            f = self.pick("COUNT", "SUM", "MIN", "MAX", "AVG", "COUNT(DISTINCT", "BIT_OR")
            call = f"{f}({other})" if "(" not in f else f"{f} {other})"
            having = self.pick("", "", f" HAVING COUNT(*) > 1")
            return f"SELECT {group}, COUNT(*), {call} FROM {name} GROUP BY {group}{having} ORDER BY {group}"
        if draw < 0.7:
            other = self.rng.choice(list(self.tables))
            return (f"SELECT a.id, b.id FROM {name} a {self.pick('JOIN', 'LEFT JOIN')} {other} b ON a.{self.column(columns)} = "
                    f"b.{self.column(self.tables[other])} ORDER BY a.id, b.id")
        if draw < 0.75:
            return f"SELECT {self.pick('', 'DISTINCT ')}{self.expr(columns)} AS e FROM {name} ORDER BY e"
        if draw < 0.8:
            column = self.column(columns)
            return f"SELECT id FROM {name} WHERE {column} {self.pick('=', '>', '<', '>=')} {self.literal()} ORDER BY {column}, id"
        return f"SELECT id, {self.expr(columns)} AS e, {self.expr(columns)} AS f FROM {name} WHERE {self.expr(columns)} ORDER BY id"


def cell(value):
    if isinstance(value, (decimal.Decimal, float, int, str, type(None))):
        return repr(value)
    if isinstance(value, (datetime.date, datetime.timedelta)):
        return str(value)
    return repr(value)


def run(connection, sql):
    """What the server says, as something to compare."""
    cursor = connection.cursor()
    try:
        affected = cursor.execute(sql)
    except pymysql.err.MySQLError as error:
        return ("error", error.args[0], str(error.args[1])[:100])
    if cursor.description is None:
        return ("ok", affected, cursor.warning_count)
    rows = [tuple(cell(value) for value in row) for row in cursor.fetchall()]
    return ("rows", rows, cursor.warning_count)


def same(sql, left, right, warnings=False):
    if left[0] != right[0]:
        return False
    if left[0] == "error":
        return left[1] == right[1]
    if left[0] == "ok":
        return left[1] == right[1] and (not warnings or left[2] == right[2])
    rows = [list(answer[1]) for answer in (left, right)]
    if "ORDER BY id" not in sql and "ORDER BY a.id" not in sql and ", id" not in sql:
        rows = [sorted(answer) for answer in rows]
    return rows[0] == rows[1] and (not warnings or left[2] == right[2])


def connect(address):
    host, port = address.split(":")
    # Values come as text: what is compared is what the server wrote.
    connection = pymysql.connect(host=host, port=int(port), user="sb", password="sb", autocommit=True, charset="utf8mb4", conv={})
    run(connection, "SET time_zone = '+00:00'")
    return connection


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mysql")
    parser.add_argument("member")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--statements", type=int, default=150)
    parser.add_argument("--warnings", action="store_true", help="compare the counts of warnings too")
    options = parser.parse_args()
    mysql, member = connect(options.mysql), connect(options.member)
    total = differing = 0
    for seed in range(options.seed, options.seed + options.rounds):
        made = Round(random.Random(seed))
        for sql in ["DROP DATABASE IF EXISTS differential", "CREATE DATABASE differential", "USE differential"]:
            run(mysql, sql), run(member, sql)
        statements = [made.create(number) for number in range(2)]
        for at in range(options.statements):
            sql = statements[at] if at < len(statements) else made.statement()
            left, right = run(mysql, sql), run(member, sql)
            total += 1
            if not same(sql, left, right, options.warnings):
                differing += 1
                print(f"seed {seed}: {sql}\n  MySQL:   {str(left)[:300]}\n  Quorate: {str(right)[:300]}")
            if sql.startswith("CREATE") and left[0] == "error":
                made.tables = {name: columns for name, columns in made.tables.items() if not sql.startswith(f"CREATE TABLE {name} ")}
                if not made.tables:
                    break
            # So that one difference is not told again by every later statement.
            if at % 10 == 9 or not same(sql, left, right):
                for name in made.tables:
                    whole = f"SELECT * FROM {name} ORDER BY id"
                    if not same(whole, run(mysql, whole), run(member, whole)):
                        print(f"seed {seed}: {name} differs; its rows are deleted")
                        run(mysql, f"DELETE FROM {name}"), run(member, f"DELETE FROM {name}")
    print(f"{total} statements, {differing} differ")


if __name__ == "__main__":
    main()
