//! What a reading could see, as PostgreSQL says it: `xmin:xmax:those that were under way`.

/// A snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    xmin: u64,
    xmax: u64,
    under_way: Box<[u64]>,
}

impl Snapshot {
    /// Reads `pg_current_snapshot()`; nothing where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (xmin, xmax) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let list = parts.next()?;
        let under_way = list.split(',').filter(|xid| !xid.is_empty()).map(|xid| xid.parse().ok()).collect::<Option<Box<[u64]>>>()?;
        Some(Self { xmin, xmax, under_way })
    }

    /// Tells whether it has what a transaction changed that was committed.
    pub fn sees(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && !self.under_way.contains(&xid))
    }

    /// Tells whether it has everything below a transaction.
    pub fn sees_all_below(&self, xid: u64) -> bool {
        self.xmin >= xid
    }
}

#[cfg(test)]
mod tests {
    use super::Snapshot;

    #[test]
    fn a_transaction_under_way_is_not_seen() {
        let snapshot = Snapshot::parse("10:20:10,15").unwrap();
        let seen: Vec<u64> = (8..22).filter(|xid| snapshot.sees(*xid)).collect();
        assert_eq!(seen, [8, 9, 11, 12, 13, 14, 16, 17, 18, 19]);
        assert!(snapshot.sees_all_below(10) && !snapshot.sees_all_below(11));
        assert!(Snapshot::parse("10:10:").unwrap().sees(9) && !Snapshot::parse("10:10:").unwrap().sees(10));
        for nonsense in ["", "10", "10:20", "a:b:", "10:20:x"] {
            assert_eq!(Snapshot::parse(nonsense), None, "{nonsense}");
        }
    }
}
