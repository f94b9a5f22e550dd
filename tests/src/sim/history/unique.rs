//! Races for a unique key: several clients claim one name; at most one claim is acknowledged, and it is the
//! one that is there in the end.

use super::txn::Fate;
use std::collections::BTreeMap;

/// Claims of each name: id of the row and what became of it.
#[derive(Debug, Default)]
pub struct Names {
    claims: BTreeMap<u64, BTreeMap<u64, Fate>>,
}

impl Names {
    /// What is known of the claim of `name` by row `id`.
    pub fn claim(&mut self, name: u64, id: u64, fate: Fate) {
        self.claims.entry(name).or_default().insert(id, fate);
    }

    /// What is there in the end: `(name, id)`.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn check(&self, present: &[(u64, u64)]) -> Result<(), String> {
        let mut owners: BTreeMap<u64, u64> = BTreeMap::new();
        for &(name, id) in present {
            if let Some(other) = owners.insert(name, id) {
                return Err(format!("unique key: name {name} belongs to {other} and to {id}"));
            }
            match self.claims.get(&name).and_then(|claims| claims.get(&id)) {
                None => return Err(format!("unique key: nobody claimed name {name} for {id}")),
                Some(Fate::Failed) => {
                    return Err(format!("certainty: {id}'s claim of {name} was refused and is there"));
                }
                Some(_) => {}
            }
        }
        for (name, claims) in &self.claims {
            let granted: Vec<_> =
                claims.iter().filter(|(_, fate)| **fate == Fate::Acknowledged).map(|(id, _)| id).collect();
            match granted[..] {
                [] => {}
                [id] if owners.get(name) == Some(id) => {}
                [id] => return Err(format!("durability: {id}'s claim of name {name} was acknowledged and is lost")),
                _ => return Err(format!("unique key: claims of name {name} by {granted:?} were all acknowledged")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anomalies_are_found() {
        for (claims, present, found) in [
            (&[(1, Fate::Acknowledged), (2, Fate::Failed), (3, Fate::Unknown)][..], &[(7, 1)][..], ""),
            (&[(1, Fate::Failed), (3, Fate::Unknown)], &[(7, 3)], ""),
            (&[(1, Fate::Failed), (3, Fate::Unknown)], &[], ""),
            (&[(1, Fate::Acknowledged)], &[], "durability"),
            (&[(1, Fate::Acknowledged), (3, Fate::Unknown)], &[(7, 3)], "durability"),
            (&[(1, Fate::Acknowledged), (2, Fate::Acknowledged)], &[(7, 1)], "unique key: claims"),
            (&[(1, Fate::Unknown), (2, Fate::Unknown)], &[(7, 1), (7, 2)], "unique key: name"),
            (&[(1, Fate::Failed)], &[(7, 1)], "certainty"),
            (&[(1, Fate::Unknown)], &[(8, 1)], "unique key: nobody"),
        ] {
            let mut names = Names::default();
            claims.iter().for_each(|&(id, fate)| names.claim(7, id, fate));
            let rule = names.check(present).err().unwrap_or_default();
            assert!(if found.is_empty() { rule.is_empty() } else { rule.starts_with(found) }, "{claims:?} {rule}");
        }
    }
}
