//! Names of appliances on providers, decided and stored before the first call to a provider.

use sprout_domain::{GroupName, Timestamp};

/// `s_appl_GROUP_YYMMDD_RAND8`: the form clean-up rules of existing installations know. Short enough for every provider.
pub(crate) fn appliance(group: &GroupName, now: Timestamp) -> String {
    let random = random();
    let fine = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' };
    let group: String = group.0.chars().take(30).map(fine).collect();
    format!("s_appl_{group}_{}_{random}", now.format("%y%m%d"))
}

/// What tells names apart that are otherwise the same: 8 letters and digits.
pub(crate) fn random() -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..8).map(|_| char::from(ALPHABET[fastrand::usize(0..ALPHABET.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_suit_every_provider() {
        let name = appliance(&"a/b ü-5.11 and something very long".into(), Timestamp::UNIX_EPOCH);
        assert!(name.starts_with("s_appl_a-b---5.11-and-something-very-"), "{name}");
        assert!(name.len() <= 63 && name.contains("_700101_"), "{name}");
        assert_ne!(name, appliance(&"a".into(), Timestamp::UNIX_EPOCH));
    }
}
