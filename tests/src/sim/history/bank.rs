//! The bank: money moves between accounts, each transfer beside a row that tells of it. Every snapshot has
//! the same sum; in the end each account holds what its transfers say, and each transfer is there if it was
//! acknowledged and not if it was refused.

use super::txn::Fate;
use std::collections::{BTreeMap, BTreeSet};

/// Accounts of the bank, and what each begins with.
pub const ACCOUNTS: u64 = 6;
/// Balance of an account at the beginning.
pub const BALANCE: i64 = 100;

/// A movement of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// From this account.
    pub from: u64,
    /// To this one.
    pub to: u64,
    /// So much.
    pub amount: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Bank {
    transfers: BTreeMap<u64, (Transfer, Fate)>,
}

impl Bank {
    /// What is known of a transfer.
    pub fn transfer(&mut self, id: u64, transfer: Transfer, fate: Fate) {
        self.transfers.insert(id, (transfer, fate));
    }

    /// All balances of one snapshot.
    ///
    /// # Errors
    /// Money was made or lost.
    pub fn read(balances: &[i64]) -> Result<(), String> {
        let (sum, count) = (balances.iter().sum::<i64>(), balances.len() as u64);
        if count != ACCOUNTS {
            return Err(format!("bank: a snapshot has {count} accounts of {ACCOUNTS}"));
        }
        if sum != ACCOUNTS as i64 * BALANCE {
            return Err(format!("bank: the sum of one snapshot is {sum}: {balances:?}"));
        }
        Ok(())
    }

    /// What is there in the end: `(id, balance)` and ids of transfers, both in order.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn check(&self, accounts: &[(u64, i64)], transfers: &[u64]) -> Result<(), String> {
        let present: BTreeSet<u64> = transfers.iter().copied().collect();
        if present.len() != transfers.len() {
            return Err("bank: a transfer is there twice".into());
        }
        let mut expected: BTreeMap<u64, i64> = (0..ACCOUNTS).map(|id| (id, BALANCE)).collect();
        for id in &present {
            let Some((Transfer { from, to, amount }, fate)) = self.transfers.get(id) else {
                return Err(format!("bank: nobody asked for transfer {id}"));
            };
            if *fate == Fate::Failed {
                return Err(format!("certainty: transfer {id} was refused and is there"));
            }
            *expected.entry(*from).or_default() -= amount;
            *expected.entry(*to).or_default() += amount;
        }
        let lost = self.transfers.iter().find(|(id, (_, fate))| *fate == Fate::Acknowledged && !present.contains(id));
        if let Some((id, transfer)) = lost {
            return Err(format!("durability: transfer {id} was acknowledged and is lost: {transfer:?}"));
        }
        let found: BTreeMap<u64, i64> = accounts.iter().copied().collect();
        if found != expected {
            return Err(format!("bank: the transfers that are there make {expected:?}; accounts hold {found:?}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anomalies_are_found() {
        let mut bank = Bank::default();
        bank.transfer(1, Transfer { from: 0, to: 1, amount: 5 }, Fate::Acknowledged);
        bank.transfer(2, Transfer { from: 0, to: 2, amount: 7 }, Fate::Failed);
        bank.transfer(3, Transfer { from: 3, to: 0, amount: 9 }, Fate::Unknown);
        for (balances, transfers, found) in [
            ([95, 105, 100, 100], &[1][..], ""),
            ([104, 105, 100, 91], &[1, 3], ""),
            // The row is there without its money, and money without its row.
            ([95, 105, 100, 100], &[1, 3], "bank: the transfers"),
            ([104, 105, 100, 91], &[1], "bank: the transfers"),
            ([100, 100, 100, 100], &[], "durability"),
            ([88, 105, 107, 100], &[1, 2], "certainty"),
            ([95, 105, 100, 100], &[1, 1], "bank: a transfer"),
            ([95, 105, 100, 100], &[1, 8], "bank: nobody"),
        ] {
            let accounts = balances.into_iter().chain([100, 100]).zip(0..).map(|(balance, id)| (id, balance));
            let rule = bank.check(&accounts.collect::<Vec<_>>(), transfers).err().unwrap_or_default();
            assert!(if found.is_empty() { rule.is_empty() } else { rule.starts_with(found) }, "{balances:?} {rule}");
        }
        assert_eq!(Bank::read(&[95, 105, 100, 100, 100, 100]), Ok(()));
        assert!(Bank::read(&[95, 100, 100, 100, 100, 100]).is_err());
        assert!(Bank::read(&[200, 100, 100, 100, 100]).is_err());
    }
}
