//! Who gets what: tasks that can be given out meet workers with room.

use std::collections::BTreeSet;

use crate::{ProviderKey, WorkerId, worker::Slots, workflow::Lane};

/// A worker with room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeWorker {
    /// Who.
    pub id: WorkerId,
    /// Its session: through no other would it hear of a task.
    pub session: String,
    /// Driver types it serves.
    pub drivers: Vec<String>,
    /// What it can take.
    pub room: Slots,
}

/// A worker with room, and the providers it can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Who.
    pub id: WorkerId,
    /// Providers it serves.
    pub providers: BTreeSet<ProviderKey>,
    /// What it can take.
    pub room: Slots,
}

/// Tasks of some lanes that can be given out alike: as many as this, on these providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The lanes: neighbours, the first and the last.
    pub lanes: (Lane, Lane),
    /// Providers that someone with room for these lanes serves; never none.
    pub providers: BTreeSet<ProviderKey>,
    /// Room for each of these lanes; never 0.
    pub room: u32,
}

impl Demand {
    /// It is for this lane too.
    pub fn is_for(&self, lane: Lane) -> bool {
        (self.lanes.0..=self.lanes.1).contains(&lane)
    }
}

/// What can be given out. Whoever looks for it finds no task for which there is nobody, however many of those there are; so the head of
/// what is found can always be given out.
pub fn demand(servers: &[Server]) -> Vec<Demand> {
    let mut demands: Vec<Demand> = Vec::new();
    for lane in Lane::ALL {
        let able = || servers.iter().filter(|server| server.room.of(lane) > 0);
        let room = able().fold(0_u32, |sum, server| sum.saturating_add(server.room.of(lane)));
        let providers: BTreeSet<_> = able().flat_map(|server| server.providers.iter().cloned()).collect();
        if providers.is_empty() {
            continue;
        }
        match demands.last_mut() {
            Some(last) if last.lanes.1 as u8 + 1 == lane as u8 && last.room == room && last.providers == providers => {
                last.lanes.1 = lane;
            }
            _ => demands.push(Demand { lanes: (lane, lane), providers, room }),
        }
    }
    demands
}

/// Gives each task, in this order, to the worker with the most room that serves its provider: the index of that worker, or none. Takes the room.
pub fn spread<'a>(
    tasks: impl IntoIterator<Item = (Lane, &'a ProviderKey)>,
    servers: &mut [Server],
) -> Vec<Option<usize>> {
    let mut chosen = Vec::new();
    for (lane, provider) in tasks {
        let able = servers.iter().enumerate().filter(|(_, s)| s.room.of(lane) > 0 && s.providers.contains(provider));
        // Of equals the first: callers turn the list, so that it is not always the same.
        let best = able.max_by_key(|(index, server)| (server.room.total(), std::cmp::Reverse(*index)));
        let best = best.map(|(index, _)| index);
        chosen.push(best.filter(|index| servers[*index].room.take(lane)));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn server(id: &str, providers: &[&str], shared: u32, kill: u32) -> Server {
        let room = Slots { shared, lanes: [(Lane::Kill, kill)].into() };
        Server { id: id.into(), providers: providers.iter().map(|key| (*key).into()).collect(), room }
    }

    fn given(tasks: &[(Lane, &str)], servers: &mut [Server]) -> Vec<Option<usize>> {
        let tasks: Vec<(Lane, ProviderKey)> = tasks.iter().map(|(lane, key)| (*lane, (*key).into())).collect();
        spread(tasks.iter().map(|(lane, key)| (*lane, key)), servers)
    }

    #[test]
    fn tasks_are_spread_evenly_among_those_who_serve() {
        let mut servers = [server("a", &["p"], 3, 0), server("b", &["p", "q"], 3, 0), server("c", &["q"], 3, 0)];
        let tasks = [(Lane::Provision, "p"); 4];
        assert_eq!(given(&tasks, &mut servers), [Some(0), Some(1), Some(0), Some(1)]);
        assert_eq!(given(&[(Lane::Provision, "q"), (Lane::Provision, "x")], &mut servers), [Some(2), None]);
    }

    #[test]
    fn kills_take_their_own_room_and_leave_the_shared_room_to_others() {
        let mut servers = [server("a", &["p"], 1, 1)];
        let tasks = [(Lane::Kill, "p"), (Lane::Provision, "p"), (Lane::Provision, "p"), (Lane::Kill, "p")];
        assert_eq!(given(&tasks, &mut servers), [Some(0), Some(0), None, None]);
    }

    #[test]
    fn demand_is_of_what_someone_has_room_for() {
        let servers = [server("a", &["p"], 0, 1), server("b", &["q"], 5, 0)];
        let demands = demand(&servers);
        let of = |lane: Lane| demands.iter().find(|demand| demand.is_for(lane)).unwrap();
        assert_eq!((of(Lane::Kill).room, of(Lane::Kill).providers.len()), (6, 2));
        assert_eq!((of(Lane::Provision).room, of(Lane::Provision).providers.len()), (5, 1));
        assert_eq!(demands.len(), 3, "neighbours that are alike go together");
        assert!(demand(&[server("full", &["p"], 0, 0)]).is_empty());
    }

    proptest! {
        /// Nobody gets more than fits or what it does not serve, and what is demanded is not refused from the start.
        #[test]
        fn nobody_is_given_too_much(
            tasks in vec((0_usize..6, 0_usize..3), 0..60),
            rooms in vec((0_u32..5, 0_u32..5, 1_usize..8), 0..5),
        ) {
            let keys = ["p", "q", "r"];
            let served = |mask: usize| (0..3).filter(|bit| mask & (1 << bit) != 0).map(|bit| keys[bit]).collect::<Vec<_>>();
            let before: Vec<_> = rooms.iter().map(|(shared, kill, mask)| server("w", &served(*mask), *shared, *kill)).collect();
            let demands = demand(&before);
            let wanted = |(lane, key): &(Lane, &str)| {
                demands.iter().any(|d| d.is_for(*lane) && d.providers.contains(&ProviderKey::from(*key)))
            };
            let tasks: Vec<_> = tasks.into_iter().map(|(lane, key)| (Lane::ALL[lane], keys[key])).filter(wanted).collect();
            let mut servers = before.clone();
            let chosen = given(&tasks, &mut servers);
            prop_assert!(tasks.is_empty() || chosen[0].is_some(), "the head of what is demanded");
            for (index, server) in before.iter().enumerate() {
                let mine = || tasks.iter().zip(&chosen).filter(|(_, to)| **to == Some(index)).map(|(task, _)| *task);
                prop_assert!(mine().all(|(_, key)| server.providers.contains(&ProviderKey::from(key))));
                prop_assert_eq!(&servers[index].room, &server.room.left(mine().map(|(lane, _)| lane)));
            }
        }
    }
}
