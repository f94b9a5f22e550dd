// mysql2 for Node.js: promises, prepared statements, streams, a pool, several statements in one text.
// Like the Python scripts, first on the primary, then on each secondary (common.py says how).
'use strict';
const { isDeepStrictEqual } = require('node:util');
const mysql = require('mysql2/promise');

const env = process.env;
const login = {
  host: env.QUORATE_HOST, port: Number(env.QUORATE_PORT), user: env.QUORATE_USER, password: env.QUORATE_PASSWORD,
  database: env.QUORATE_DATABASE,
};
let checked = 0;
let failed = 0;

function check(what, found, wanted) {
  checked += 1;
  if (!isDeepStrictEqual(found, wanted)) {
    failed += 1;
    console.log(`FAILED ${what}: found`, found, 'wanted', wanted);
  }
}

async function refused(what, number, run) {
  try {
    await run();
    check(what, 'no error', number);
  } catch (error) {
    check(what, error.errno, number);
  }
}

const rows = async (connection, sql, values) => (await connection.query(sql, values))[0].map((row) => ({ ...row }));

async function onPrimary(connection) {
  await connection.query('DROP TABLE IF EXISTS t_mysql2');
  await connection.query(`CREATE TABLE t_mysql2 (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40), price DECIMAL(10,2),
    seen DATETIME(3), body BLOB, doc JSON, flag TINYINT(1), big BIGINT UNSIGNED, bits BIT(8), UNIQUE (name))`);
  const seen = new Date(2024, 1, 29, 12, 34, 56, 789);
  const body = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
  const [inserted] = await connection.query('INSERT INTO t_mysql2 SET ?',
    { name: "O'Neil 🦀", price: 12.34, seen, body, doc: JSON.stringify({ a: [1, null] }), flag: true,
      big: '18446744073709551615', bits: 5 });
  check('insertId', inserted.insertId, 1);
  check('affectedRows', inserted.affectedRows, 1);
  const [[row]] = await connection.execute('SELECT * FROM t_mysql2 WHERE id = ?', [1]);
  check('name', row.name, "O'Neil 🦀");
  check('price', row.price, '12.34');
  check('seen', row.seen.getTime(), seen.getTime());
  check('body', Buffer.compare(row.body, body), 0);
  check('doc', row.doc, { a: [1, null] });
  check('flag', row.flag, 1);
  check('bits', row.bits, Buffer.from([5]));

  for (let at = 0; at < 50; at += 1) {
    await connection.execute('INSERT INTO t_mysql2 (name, price) VALUES (?, ?)', [`n${at}`, at]);
  }
  check('numbers as parameters', await rows(connection, 'SELECT COUNT(*) AS c FROM t_mysql2 WHERE price < ?', [10]),
    [{ c: 10 }]);
  const [few] = await connection.execute('SELECT name FROM t_mysql2 WHERE price >= ? AND name LIKE ? ORDER BY id LIMIT ?',
    [40, 'n4%', '3']);
  check('a prepared LIMIT', few.map((one) => one.name), ['n40', 'n41', 'n42']);
  const [updated] = await connection.query("UPDATE t_mysql2 SET flag = NULL WHERE name IN (?)", [['n1', 'n2', 'n99']]);
  check('matched and changed rows', [updated.affectedRows, updated.changedRows], [2, 0]);
  await refused('a duplicate', 1062, () => connection.execute('INSERT INTO t_mysql2 (name) VALUES (?)', ['n1']));
  await refused('an unknown column', 1054, () => connection.query('SELECT nothing FROM t_mysql2'));
  await refused('more in one text than was agreed', 1064, () => connection.query('SELECT 1; SELECT 2'));

  await connection.beginTransaction();
  await connection.query('DELETE FROM t_mysql2 WHERE id > 1');
  await connection.rollback();
  check('rolled back', (await rows(connection, 'SELECT COUNT(*) AS c FROM t_mysql2'))[0].c, 51);
  await connection.beginTransaction();
  await connection.query('DELETE FROM t_mysql2 WHERE price > ?', [30]);
  await connection.commit();
  check('committed', (await rows(connection, 'SELECT COUNT(*) AS c FROM t_mysql2'))[0].c, 32);
}

async function anywhere(connection) {
  const [[row]] = await connection.query('SELECT 1 AS one, NULL AS nothing, 1.5 AS exact, 1e1 AS float1, NOW(3) AS at');
  check('literals', [row.one, row.nothing, row.exact, row.float1, row.at instanceof Date], [1, null, '1.5', 10, true]);
  const several = await mysql.createConnection({ ...login, multipleStatements: true });
  const [sets] = await several.query('SELECT 1 AS a; SET @x = 5; SELECT @x AS b; SELECT 2 AS c WHERE 1 = 0');
  check('several statements', [sets[0][0].a, sets[1].affectedRows, Number(sets[2][0].b), sets[3]], [1, 0, 5, []]);
  await refused('the second of three', 1146, () => several.query('SELECT 1; SELECT * FROM no_such_table; SELECT 3'));
  check('afterwards', (await several.query('SELECT 4 AS d'))[0][0].d, 4);

  await several.query("SET SESSION wait_timeout = 77");
  await several.reset();
  check('after reset', (await several.query('SELECT @@wait_timeout = @@GLOBAL.wait_timeout AS same, @x AS x'))[0][0],
    { same: 1, x: null });
  await several.changeUser({ user: login.user, password: login.password, database: 'information_schema' });
  check('after changeUser', (await several.query('SELECT DATABASE() AS d'))[0][0].d, 'information_schema');
  await refused('changeUser with a wrong password', 1045,
    () => several.changeUser({ user: login.user, password: 'wrong' }));
  several.destroy();

  const pool = mysql.createPool({ ...login, connectionLimit: 4 });
  const ids = await Promise.all(Array.from({ length: 20 }, (_, at) => pool.execute('SELECT ? + 1 AS n', [at])));
  check('a pool', ids.map(([[one]]) => Number(one.n)), Array.from({ length: 20 }, (_, at) => at + 1));
  await pool.end();

  let count = 0;
  const stream = connection.connection.query('SELECT name FROM t_mysql2 ORDER BY id').stream();
  for await (const _ of stream) count += 1;
  check('a stream', count, 32);
  check('ping', await connection.ping(), true);
  const [[first]] = await connection.execute('SELECT name, doc, bits FROM t_mysql2 WHERE id = ?', [1]);
  check('the first row', [first.name, first.doc, first.bits], ["O'Neil 🦀", { a: [1, null] }, Buffer.from([5])]);
}

async function main() {
  const connection = await mysql.createConnection(login);
  if (env.QUORATE_READ_ONLY === '1') {
    for (const sql of ['INSERT INTO t_mysql2 (name) VALUES (?)', 'UPDATE t_mysql2 SET flag = ?', 'DELETE FROM t_mysql2 WHERE id > ?']) {
      await refused(`${sql} on a secondary`, 1290, () => connection.execute(sql, [1]));
      await refused(`${sql} on a secondary, as text`, 1290, () => connection.query(sql, [1]));
    }
  } else {
    await onPrimary(connection);
  }
  await anywhere(connection);
  await connection.end();
}

main().catch((error) => {
  failed += 1;
  console.log('FAILED', error);
}).finally(() => {
  console.log(`${checked - failed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : 0);
});
