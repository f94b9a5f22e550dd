//! One client that changes tables while the others work on them.

use super::{Answer, Place, Sql};
use engine_core::rng::Rng;

/// What changes of tables meet when they race with one another, or their outcome was unknown: names that
/// are taken or gone.
pub(super) const EXPECTED: [u16; 5] = [1050, 1051, 1061, 1091, 1146];

/// Changes tables until the history says stop, or the member's process ends.
pub async fn live(place: Place, mut rng: Rng) {
    let mut sql = None;
    loop {
        place.pause(20_000 + rng.below(500_000)).await;
        if place.history.borrow().stop {
            return;
        }
        if sql.is_none() {
            sql = Sql::login(&place).await;
        }
        let Some(connection) = &mut sql else { continue };
        connection.changes_tables = true;
        for statement in statements(&mut rng) {
            if connection.run(&statement).await == Answer::Closed {
                sql = None;
                break;
            }
            place.pause(rng.below(3000)).await;
        }
    }
}

fn statements(rng: &mut Rng) -> Vec<String> {
    let number = rng.below(4);
    let one = match rng.below(6) {
        0 => format!("ALTER TABLE sim.bank ADD INDEX b{number} (balance)"),
        1 => format!("ALTER TABLE sim.bank DROP INDEX b{number}"),
        2 => format!("CREATE INDEX v{number} ON sim.registers (version)"),
        3 => format!("DROP INDEX v{number} ON sim.registers"),
        4 => {
            return vec![
                format!("CREATE TABLE sim.other{number} (id INT PRIMARY KEY, v INT UNIQUE)"),
                format!("INSERT INTO sim.other{number} VALUES (1, 1), (2, 2), (3, NULL)"),
                format!("DELETE FROM sim.other{number} WHERE id = 2"),
            ];
        }
        _ => format!("DROP TABLE sim.other{number}"),
    };
    vec![one]
}
