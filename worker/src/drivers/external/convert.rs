//! From what a provider says to what a driver says. What cannot be is told, not guessed.

use sprout_proto::provider::{self as pb, Ability};

use crate::driver::{Capabilities, Instance, Needs};

pub(super) fn capabilities(can: pb::Capabilities) -> Capabilities {
    let needs = |ability| match ability {
        Ability::Unspecified => None,
        Ability::Any => Some(Needs::Any),
        Ability::Off => Some(Needs::Off),
    };
    Capabilities {
        retag: can.retag,
        suspend: can.suspend,
        rename: needs(can.rename()),
        resize: needs(can.resize()),
        snapshot: can.snapshot,
        disk: can.disk,
        make_template: needs(can.make_template()),
    }
}

/// The instance, or what of it cannot be.
pub(super) fn instance(instance: pb::Instance) -> Result<Instance, String> {
    if instance.name.is_empty() {
        return Err("an instance without a name".to_owned());
    }
    let port = |port: u32| u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(|| format!("a port {port}"));
    let power = instance.power_state();
    let published = instance.published.iter().map(|published| {
        let host = published.host.clone();
        if host.is_empty() {
            return Err(format!("a port {} published nowhere", published.port));
        }
        Ok((port(published.port)?, (host, port(published.host_port)?)))
    });
    Ok(Instance {
        published: published.collect::<Result<_, String>>()?,
        power,
        name: instance.name,
        provider_ref: instance.provider_ref,
        tags: instance.tags,
        address: instance.address.filter(|address| !address.is_empty()),
        memory_mib: instance.memory_mib,
        cpus: instance.cpus,
        console_url: instance.console_url.filter(|url| !url.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use sprout_proto::appliance::PowerState;

    use super::*;

    fn told(published: pb::PublishedPort) -> Result<Instance, String> {
        let power_state = PowerState::On.into();
        instance(pb::Instance { name: "a".into(), power_state, published: vec![published], ..Default::default() })
    }

    #[test]
    fn ports_that_cannot_be_are_told() {
        let fine = told(pb::PublishedPort { port: 80, host: "h".into(), host_port: 8080 }).unwrap();
        assert_eq!(fine.published.get(&80), Some(&("h".to_owned(), 8080)));
        let wrong = told(pb::PublishedPort { port: 70_000, host: "h".into(), host_port: 1 }).unwrap_err();
        assert!(wrong.contains("70000"), "{wrong}");
        assert!(told(pb::PublishedPort { port: 80, host: String::new(), host_port: 1 }).is_err());
        assert!(instance(pb::Instance::default()).is_err());
    }

    #[test]
    fn what_is_not_said_to_be_possible_is_not() {
        let none = capabilities(pb::Capabilities::default());
        assert!(!none.retag && !none.suspend && !none.snapshot && !none.disk);
        assert_eq!((none.rename, none.resize, none.make_template), (None, None, None));
        let off = pb::Capabilities { rename: Ability::Off.into(), ..Default::default() };
        assert_eq!(capabilities(off).rename, Some(Needs::Off));
    }
}
