#!/usr/bin/env python3
"""Records or compares the answers of tests/cases/sql/*.txt.

    record.py HOST:PORT [FILE..]            runs every statement there and writes the answers into the files
    record.py --compare HOST:PORT [FILE..]  runs them and prints what differs from the files
    record.py --differences HOST:PORT       compares all and updates the lists of engine/sql/DIFFERENCES.md

The expected answers are those of MySQL: record against a MySQL 8.4 or later, outside a group, started with
its defaults, as a user that may do everything without a password (`root`; USER_=.. and PASSWORD=.. otherwise).
The files' format is described in README.md beside this script.
"""
import glob
import os
import sys

import pymysql

HERE = os.path.dirname(os.path.abspath(__file__))
SETUP = [
    "DROP DATABASE IF EXISTS cases",
    "CREATE DATABASE cases",
    "USE cases",
    "SET NAMES utf8mb4",
    "SET time_zone = '+00:00'",
]
MARKS = ("> ", "| ", "! ", "~ ", ">", "|")


def parse(text):
    """Statements with what stands before each (comments, empty lines) and the recorded answer's lines."""
    cases, before, statement, answer = [], [], [], []
    for line in text.split("\n"):
        if statement and statement[-1].endswith(";"):
            if line[:2] in ("> ", "| ", "! ", "~ ") or line in (">", "|"):
                answer.append(line)
                continue
            cases.append((before, statement, answer))
            before, statement, answer = [], [], []
        if not statement and (not line.strip() or line.startswith("#")):
            before.append(line)
        else:
            statement.append(line)
    if statement:
        cases.append((before, statement, answer))
        before = []
    return cases, before


def cell(value):
    if value is None:
        return "NULL"
    if isinstance(value, (bytes, bytearray)):
        value = bytes(value).decode("utf-8", "replace")
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t").replace("\0", "\\0")


def asks_for_counts(statement):
    text = statement.upper()
    return any(word in text for word in ("ROW_COUNT", "FOUND_ROWS", "WARNING_COUNT", "SHOW WARNINGS", "SHOW ERRORS"))


def run(connection, statement, warnings):
    """The answer's lines."""
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    except pymysql.err.MySQLError as error:
        if len(error.args) < 2 or not error.args[0] or error.args[0] >= 2000 and error.args[0] < 3000:
            raise
        return ["! %d %s" % (error.args[0], cell(error.args[1]))]
    lines = []
    if cursor.description:
        lines.append("> " + "\t".join(cell(column[0]) for column in cursor.description))
        lines += ["| " + "\t".join(cell(value) for value in row) for row in cursor.fetchall()]
    if warnings:
        cursor.execute("SHOW WARNINGS")
        lines += ["~ " + " ".join(cell(value) for value in row) for row in cursor.fetchall()]
    return lines


def connect(address):
    host, port = address.rsplit(":", 1)
    return pymysql.connect(host=host, port=int(port), user=os.environ.get("USER_", "root"), autocommit=None,
                           password=os.environ.get("PASSWORD", ""), charset="utf8mb4", conv={}, use_unicode=False,
                           sql_mode=None)


def update_differences(names):
    """Drops the cases that are equal from the list, and adds the others."""
    path = os.path.join(HERE, "../../engine/sql/DIFFERENCES.md")
    with open(path) as file:
        lines = file.read().split("\n")
    left, out, inside, kept = dict.fromkeys(names), [], False, True
    for line in lines:
        if line.startswith("```"):
            inside = not inside
        elif inside and line.startswith("    "):
            # The reason of the case above.
            if not kept:
                continue
        elif inside:
            kept = line in left
            if not kept:
                continue
            del left[line]
        out.append(line)
    text = "\n".join(out).rstrip("\n")
    heading = "\n\n## Not looked into\n"
    if left and heading not in text + "\n":
        text += heading + "\n```text\n```"
    if left:
        text = text[: text.rindex("```")] + "\n".join(f"{name}\n    Not looked into yet." for name in left) + "\n```"
    with open(path, "w") as file:
        file.write(text + "\n")


def main():
    args = sys.argv[1:]
    differences = "--differences" in args
    compare = "--compare" in args or differences
    args = [arg for arg in args if not arg.startswith("--")]
    names = []
    files = args[1:] or sorted(glob.glob(os.path.join(HERE, "sql", "*.txt")))
    total = unequal = 0
    for path in files:
        with open(path) as file:
            cases, rest = parse(file.read())
        connection = connect(args[0])
        for statement in SETUP:
            connection.cursor().execute(statement)
        seen = {}
        texts = ["\n".join(statement)[:-1] for _, statement, _ in cases]
        out = []
        for at, (before, statement, answer) in enumerate(cases):
            counts_next = at + 1 < len(texts) and asks_for_counts(texts[at + 1])
            try:
                got = run(connection, texts[at], not counts_next and not asks_for_counts(texts[at]))
            except Exception as error:
                print(f"{path}: {texts[at]}: {error!r}")
                got = [f"! 2013 {error!r}"]
                if not compare:
                    raise
                connection = connect(args[0])
                connection.cursor().execute("USE cases")
            total += 1
            seen[texts[at]] = seen.get(texts[at], 0) + 1
            if compare and got != answer:
                unequal += 1
                again = f" ({seen[texts[at]]})" if seen[texts[at]] > 1 else ""
                names.append(f"{os.path.basename(path)}: " + texts[at].replace("\n", " ") + again)
                print(f"{os.path.basename(path)}: {texts[at]}")
                for line in answer:
                    print("   mysql  " + line)
                for line in got:
                    print("   here   " + line)
            out += before + statement + got
        if not compare:
            with open(path, "w") as file:
                file.write("\n".join(out + rest))
    if differences:
        update_differences(names)
    if compare:
        print(f"{total} cases, {unequal} unequal ({100.0 * (total - unequal) / max(total, 1):.1f} % equal)")
    else:
        print(f"{total} cases recorded")


main()
