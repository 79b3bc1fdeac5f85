use proptest::prelude::*;

use super::*;

fn room() -> Room {
    Room {
        disabled: false,
        working: true,
        circuit: CircuitState::Closed,
        next_try_at: None,
        provisioning_limit: 5,
        provisioning_count: 0,
        appliance_limit: None,
        appliance_count: 0,
        memory: Capacity::default(),
        cpus: Capacity::default(),
        usual: Need { memory_mib: 2048, cpus: 2 },
    }
}

fn capacity(used: u64, limit: u64) -> Capacity {
    Capacity { total: None, used, limit: Some(limit) }
}

#[test]
fn says_what_is_missing_and_a_slot_last() {
    let need = room().need(None, None);
    let until = Some(Timestamp::UNIX_EPOCH);
    let open = CircuitState::Open;
    for (room, missing) in [
        (room(), Ok(())),
        (Room { disabled: true, working: false, ..room() }, Err(NoRoom::Disabled)),
        (Room { working: false, ..room() }, Err(NoRoom::NotWorking)),
        (Room { circuit: open, next_try_at: until, ..room() }, Err(NoRoom::CircuitOpen { until })),
        (Room { provisioning_count: 5, ..room() }, Err(NoRoom::Slot { limit: 5 })),
        (Room { appliance_limit: Some(3), appliance_count: 2, ..room() }, Ok(())),
        (
            Room { appliance_limit: Some(3), appliance_count: 3, provisioning_count: 5, ..room() },
            Err(NoRoom::ApplianceLimit { limit: 3 }),
        ),
        (Room { memory: capacity(2048, 4096), ..room() }, Ok(())),
        (Room { memory: capacity(2049, 4096), ..room() }, Err(NoRoom::Memory { limit: 4096, free: 2047 })),
        (Room { cpus: capacity(9, 8), ..room() }, Err(NoRoom::Cpus { limit: 8, free: 0 })),
    ] {
        assert_eq!(room.fits(&need), missing, "{room:?}");
    }
}

#[test]
fn a_half_open_circuit_lets_one_through_after_its_check() {
    let half = Room { circuit: CircuitState::HalfOpen, ..room() };
    let need = half.need(None, None);
    assert_eq!(half.fits(&need), Ok(()));
    let mut taken = half;
    taken.take(&need);
    assert_eq!(taken.fits(&need), Err(NoRoom::CircuitOpen { until: None }));
    let checked = Room { next_try_at: Some(Timestamp::UNIX_EPOCH), ..half };
    assert_eq!(checked.fits(&need), Err(NoRoom::CircuitOpen { until: None }));
}

#[test]
fn what_is_asked_for_counts_in_place_of_what_is_usual() {
    assert_eq!(room().need(None, Some(8)), Need { memory_mib: 2048, cpus: 8 });
    assert_eq!(room().need(Some(512), None), Need { memory_mib: 512, cpus: 2 });
}

#[test]
fn what_is_larger_than_all_there_may_be_never_fits() {
    let room = Room { memory: capacity(4096, 4096), appliance_limit: Some(1), appliance_count: 1, ..room() };
    assert_eq!(room.never(&room.need(None, None)), None, "it has to wait");
    assert_eq!(room.never(&room.need(Some(4097), None)), Some(NoRoom::Memory { limit: 4096, free: 4096 }));
    assert_eq!(Room { appliance_limit: Some(0), ..room }.never(&room.usual), Some(NoRoom::ApplianceLimit { limit: 0 }));
}

#[test]
fn load_is_that_of_whatever_is_scarcest() {
    assert_eq!(Room { provisioning_count: 2, ..room() }.load(), 400, "nothing has an end");
    let room = Room { appliance_limit: Some(10), appliance_count: 1, provisioning_count: 4, ..room() };
    assert_eq!(room.load(), 100);
    assert_eq!(Room { memory: capacity(3, 4), cpus: capacity(1, 4), ..room }.load(), 750);
    let more_than_there_is = Capacity { total: Some(4), used: 6, limit: None };
    assert_eq!(Room { cpus: more_than_there_is, ..room }.load(), 1500);
    assert!(Room { cpus: more_than_there_is, ..room }.fits(&room.usual).is_ok(), "no limit was set");
}

proptest! {
    /// Whatever is placed while it fits stays within all limits, load only grows, and what fits is never said not to fit ever.
    #[test]
    fn what_fits_stays_within_the_limits(
        limits in (1_u32..6, proptest::option::of(0_u32..6), proptest::option::of(0_u64..5000), proptest::option::of(0_u64..9)),
        needs in proptest::collection::vec((0_u64..2000, 0_u64..4), 0..12),
    ) {
        let (slots, appliances, memory, cpus) = limits;
        let mut room = Room {
            provisioning_limit: slots,
            appliance_limit: appliances,
            memory: Capacity { limit: memory, ..Capacity::default() },
            cpus: Capacity { limit: cpus, ..Capacity::default() },
            ..room()
        };
        for (memory_mib, wanted_cpus) in needs {
            let need = Need { memory_mib, cpus: wanted_cpus };
            if room.fits(&need).is_ok() {
                prop_assert_eq!(room.never(&need), None);
                let before = room.load();
                room.take(&need);
                prop_assert!(room.load() >= before);
            }
            prop_assert!(room.provisioning_count <= slots);
            prop_assert!(appliances.is_none_or(|limit| room.appliance_count <= limit));
            prop_assert!(memory.is_none_or(|limit| room.memory.used <= limit));
            prop_assert!(cpus.is_none_or(|limit| room.cpus.used <= limit));
        }
    }
}
