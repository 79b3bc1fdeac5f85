//! Workers as the database knows them, and how much they can be given.

use std::collections::BTreeMap;

use crate::{Error, Result, Timestamp, WorkerId, workflow::Lane};

/// Steps a worker runs at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slots {
    /// Of all lanes together, beyond the room that some have of their own.
    pub shared: u32,
    /// Room of a lane's own.
    pub lanes: BTreeMap<Lane, u32>,
}

impl Slots {
    /// What is left while steps of these lanes run, each in its lane's own room as far as there is any.
    pub fn left(&self, running: impl IntoIterator<Item = Lane>) -> Self {
        let mut count: BTreeMap<Lane, u32> = BTreeMap::new();
        for lane in running {
            *count.entry(lane).or_default() += 1;
        }
        let own = |lane: &Lane| self.lanes.get(lane).copied().unwrap_or_default();
        let in_shared: u32 = count.iter().map(|(lane, running)| running.saturating_sub(own(lane))).sum();
        let left =
            |(lane, slots): (&Lane, &u32)| (*lane, slots.saturating_sub(count.get(lane).copied().unwrap_or_default()));
        Self { shared: self.shared.saturating_sub(in_shared), lanes: self.lanes.iter().map(left).collect() }
    }

    /// Steps of this lane that fit.
    pub fn of(&self, lane: Lane) -> u32 {
        self.shared.saturating_add(self.lanes.get(&lane).copied().unwrap_or_default())
    }

    /// Steps of any lane that fit.
    pub fn total(&self) -> u32 {
        self.lanes.values().fold(self.shared, |sum, slots| sum.saturating_add(*slots))
    }

    /// Takes room for one step of this lane, its lane's own first; `false` if there is none.
    pub fn take(&mut self, lane: Lane) -> bool {
        let room = match self.lanes.get_mut(&lane) {
            Some(own) if *own > 0 => own,
            _ => &mut self.shared,
        };
        let fits = *room > 0;
        *room = room.saturating_sub(1);
        fits
    }
}

/// A node that runs tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its id.
    pub id: WorkerId,
    /// Version of its program.
    pub version: String,
    /// A session of it is open.
    pub connected: bool,
    /// Steps it may run at once.
    pub slots: Slots,
    /// Steps it runs now.
    pub running_count: u32,
    /// Driver types it serves.
    pub drivers: Vec<String>,
    /// What it says of itself, for placement.
    pub labels: BTreeMap<String, String>,
    /// It is given nothing new, by request.
    pub drained: bool,
    /// It said that it is leaving: it is given nothing new.
    pub leaving: bool,
    /// When it was last heard.
    pub last_heard_at: Timestamp,
}

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerHello {
    /// Its id.
    pub id: WorkerId,
    /// Version of its program.
    pub version: String,
    /// Driver types it serves.
    pub drivers: Vec<String>,
    /// Steps it runs at once.
    pub slots: Slots,
    /// What it says of itself, for placement.
    pub labels: BTreeMap<String, String>,
    /// It takes nothing new.
    pub leaving: bool,
}

/// The most that may be said in a Hello.
const MAX_LABELS: usize = 64;
const MAX_DRIVERS: usize = 64;
const MAX_SLOTS: u32 = 10_000;

impl WorkerHello {
    /// Checks that it can be used.
    pub fn check(&self) -> Result<()> {
        let word = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
        };
        if !word(&self.id.0, 64) || self.id.0.contains('/') {
            return Err(Error::invalid("worker_id", "a worker id has 1 to 64 characters: letters, digits, and ._-"));
        }
        if self.version.len() > 64 || self.version.contains('\0') {
            return Err(Error::invalid("version", "a worker's version has at most 64 bytes, none of them NUL"));
        }
        if self.drivers.len() > MAX_DRIVERS || self.drivers.iter().any(|driver| !word(driver, 64)) {
            let sentence =
                format!("a worker names at most {MAX_DRIVERS} provider types, each of letters, digits, and ._-/");
            return Err(Error::invalid("provider_types", sentence));
        }
        if self.slots.total() == 0 || self.slots.shared > MAX_SLOTS || self.slots.lanes.values().any(|n| *n > MAX_SLOTS)
        {
            let sentence = format!("a worker has 1 to {MAX_SLOTS} slots; set `slots` in its configuration");
            return Err(Error::invalid("slots", sentence));
        }
        let fits =
            |(key, value): (&String, &String)| word(key, 64) && value.len() <= 256 && !value.contains(['\n', '\0']);
        if self.labels.len() > MAX_LABELS || !self.labels.iter().all(fits) {
            let sentence = format!(
                "a worker has at most {MAX_LABELS} labels, each with a key of up to 64 letters, digits, and ._-/ and a value of up to 256 bytes in one line"
            );
            return Err(Error::invalid("labels", sentence));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn slots(shared: u32, kill: u32) -> Slots {
        Slots { shared, lanes: [(Lane::Kill, kill)].into() }
    }

    fn hello() -> WorkerHello {
        let (id, version) = ("w".into(), "1".to_owned());
        let labels = BTreeMap::new();
        WorkerHello { id, version, drivers: vec!["container".to_owned()], slots: slots(1, 0), labels, leaving: false }
    }

    proptest! {
        /// However many are given, and in whatever order: never more than fit, and what is left is what counting anew says.
        #[test]
        fn taking_one_by_one_is_counting(wanted in vec(0_usize..6, 0..30), shared in 0_u32..6, kill in 0_u32..6) {
            let all = slots(shared, kill);
            let mut room = all.clone();
            let lanes = wanted.into_iter().map(|n| Lane::ALL[n]);
            let given: Vec<_> = lanes.filter(|lane| room.take(*lane)).collect();
            prop_assert_eq!(&room, &all.left(given.iter().copied()));
            prop_assert_eq!(given.len() + room.total() as usize, all.total() as usize);
        }
    }

    #[test]
    fn a_lane_with_room_of_its_own_is_not_kept_out_by_others() {
        let left = slots(2, 1).left([Lane::Provision, Lane::Provision]);
        assert_eq!((left.of(Lane::Kill), left.of(Lane::Provision)), (1, 0));
        let left = slots(2, 1).left([Lane::Kill, Lane::Kill]);
        assert_eq!((left.of(Lane::Kill), left.of(Lane::Provision)), (1, 1));
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_its_field() {
        assert_eq!(hello().check(), Ok(()));
        let long = || "x".repeat(65);
        let label = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        let bad = [
            ("worker_id", WorkerHello { id: "a b".into(), ..hello() }),
            ("worker_id", WorkerHello { id: "".into(), ..hello() }),
            ("version", WorkerHello { version: long(), ..hello() }),
            ("provider_types", WorkerHello { drivers: vec![long()], ..hello() }),
            ("provider_types", WorkerHello { drivers: vec!["a,b".to_owned()], ..hello() }),
            ("slots", WorkerHello { slots: slots(0, 0), ..hello() }),
            ("slots", WorkerHello { slots: slots(1, u32::MAX), ..hello() }),
            ("labels", WorkerHello { labels: label("a=b", "c"), ..hello() }),
            ("labels", WorkerHello { labels: label("a", "b\nc"), ..hello() }),
            ("labels", WorkerHello { labels: (0..65).map(|n| (n.to_string(), String::new())).collect(), ..hello() }),
        ];
        for (field, hello) in bad {
            assert_eq!(hello.check().unwrap_err().metadata, [("field", field.to_owned())], "{hello:?}");
        }
    }
}
