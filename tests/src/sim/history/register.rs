//! Registers that count their writes: as many as were acknowledged, at most as many as were not refused.
//! What a register was read as at which version is checked with the lists (`versions`, `cycle`).

use super::txn::{Fate, Key, Txn};

/// The version of each register in the end, against the writes.
///
/// # Errors
/// Writes were lost, or refused ones are there.
pub fn check(txns: &[Txn], finals: &[(Key, u64)]) -> Result<(), String> {
    for &(register, version) in finals {
        let count = |fate: Fate| {
            let written = txns.iter().filter(|txn| txn.fate == fate).flat_map(Txn::writes);
            written.filter(|&(key, _)| key == register).count() as u64
        };
        let (acknowledged, unknown) = (count(Fate::Acknowledged), count(Fate::Unknown));
        let told = format!("{acknowledged} writes were acknowledged and the outcome of {unknown} is unknown");
        if version < acknowledged {
            return Err(format!("durability: {register} is at version {version}; {told}"));
        }
        if version > acknowledged + unknown {
            return Err(format!("certainty: {register} is at version {version}; {told}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::history::txn::Op;

    #[test]
    fn lost_and_resurrected_writes_are_found() {
        let key = Key::Register(0);
        let write = |item, fate| Txn { fate, ops: vec![Op::Write { key, item }], ..Txn::default() };
        let txns = [
            write(1, Fate::Acknowledged),
            write(2, Fate::Acknowledged),
            write(3, Fate::Unknown),
            write(4, Fate::Failed),
        ];
        for (version, found) in [(1, "durability"), (2, ""), (3, ""), (4, "certainty")] {
            let rule = check(&txns, &[(key, version)]).err().unwrap_or_default();
            assert!(if found.is_empty() { rule.is_empty() } else { rule.starts_with(found) }, "{version} {rule}");
        }
    }
}
