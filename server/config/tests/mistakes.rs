//! Mistakes in configuration are told all at once, each with its place and what to do.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions

use std::fs;

use sprout_config::{Mistakes, read};

/// What is said about these two files, without the directory in front.
fn told(sprout: &str, cfme_data: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sprout.yaml");
    fs::write(&file, sprout).unwrap();
    fs::write(dir.path().join("cfme_data.yaml"), cfme_data).unwrap();
    let mut mistakes = Mistakes::default();
    let config = read(&file, &mut mistakes);
    let Err(invalid) = mistakes.or_some(config) else { return Vec::new() };
    invalid.to_string().replace(&format!("{}/", dir.path().display()), "").lines().map(str::to_owned).collect()
}

#[track_caller]
fn expect(sprout: &str, cfme_data: &str, expected: &[&str]) {
    assert_eq!(told(sprout, cfme_data), expected);
}

const NOTHING: &str = "other: {}\n";

#[test]
fn all_at_once() {
    let sprout = "\
server:
  listen: 0.0.0.0:7600
  database: {url: 'mysql://u:hunter2@h/n'}
  groups:
    demo:
      template_pattern: x
      default_lease: 2h
      max_lease: 1h
      endpoints:
        web: {port: 0, scheme: 'http:'}
        a: {port: 80}
        b: {port: 80}
      probes:
        - {endpoint: wbe, tcp: {}}
        - {endpoint: web, tcp: {}, ssh: {}}
        - {endpoint: web, http: {path: x, statuses: [2000]}, timeout: 11m}
";
    let cfme_data = "\
management_systems:
  a:
    type: virtualcenter
    use_for_sprout: true
    sprout: {}
  b:
    use_for_sprout: true
    sprout:
      socket: tcp://x
      memroy_mib: 5
    type: container
  c: {type: libvirt, use_for_sprout: true, sprout: {domain_type: xen, cpus: 0, provisioning_limit: -1}}
  d: {type: container, use_for_sprout: true, sprout: {socket: 'tcp://x', provisioning_limit: 0}}
";
    expect(
        sprout,
        cfme_data,
        &[
            "cfme_data.yaml:3:11: management_systems.a.type: type virtualcenter is not supported yet; supported are container, libvirt, external, sim",
            "cfme_data.yaml:10:7: management_systems.b.sprout: unknown key `memroy_mib`; known keys are: socket, publish_address, memory_mib, cpus, provisioning_limit, appliance_limit, memory_limit, cpu_limit, circuit_failures, disabled",
            "cfme_data.yaml:12:80: management_systems.c.sprout: invalid type: string \"-1\", expected u32",
            "cfme_data.yaml: management_systems.d.sprout.socket: \"tcp://x\" is not a socket; write unix:///path or http://host:port",
            "cfme_data.yaml: management_systems.d.sprout.provisioning_limit: nothing could be deployed; use 1 or more, or `disabled: true`",
            "sprout.yaml: server.listen: other machines can connect to 0.0.0.0:7600, which needs TLS: set server.tls.cert and server.tls.key, or listen on 127.0.0.1",
            "sprout.yaml: server.database.url: not a database that is known; write sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME",
            "sprout.yaml: server.groups.demo.default_lease: 2h is longer than max_lease, 1h",
            "sprout.yaml:12:19: server.groups.demo.endpoints.b.port: endpoint a has port 80 already; remove one of them",
            "sprout.yaml:10:21: server.groups.demo.endpoints.web.port: there is no port 0; use 1 to 65535",
            "sprout.yaml:10:21: server.groups.demo.endpoints.web.scheme: not a URL scheme; use http, https or ssh",
            "sprout.yaml:14:22: server.groups.demo.probes[0].endpoint: there is no endpoint `wbe`; known endpoints: a, b, web",
            "sprout.yaml:15:22: server.groups.demo.probes[1]: a probe has exactly one of `http: {…}`, `tcp: {}` and `ssh: {}`",
            "sprout.yaml:16:22: server.groups.demo.probes[2].timeout: 11m is not between 0s and the deadline, 10m",
            "sprout.yaml:16:22: server.groups.demo.probes[2].http.path: \"x\" is not the path of a URL; begin it with / and write no spaces",
            "sprout.yaml:16:22: server.groups.demo.probes[2].http.statuses: 2000 is not an HTTP status; use 100 to 599",
        ],
    );
}

#[test]
fn what_cannot_be_read_has_its_place_too() {
    expect(
        "server:\n  listn: x\n",
        NOTHING,
        &[
            "sprout.yaml:2:3: unknown key `listn` (did you mean `listen`?); known keys are: listen, tls, database, redis, data_dir, logs, providers_file, check_interval, keep_results, keep_audit, holds_per_user, log, release_names, groups",
        ],
    );
    expect(
        "server:\n  check_interval: 5\n",
        NOTHING,
        &["sprout.yaml:2:19: a unit is missing, expected a length of time such as 90s, 15m, 2h or 1h30m"],
    );
    expect(
        "server:\n  providers_file: none.yaml\n",
        NOTHING,
        &["none.yaml: file not found; create it or name another one"],
    );
}

#[test]
fn what_belongs_to_others_is_left_alone() {
    let theirs = "\
basic_info: {version: 5}
management_systems:
  a: {name: A, type: rhevm, credentials: {username: u}, endpoints: {default: {}}, use_for_sprout: false, sprout: {cluster: [x]}}
  b: {type: openstack, use_for_sprout: true}
  c: {name: 5, type: container, use_for_sprout: true, sprout: {}, template_upload: {host: x}}
";
    expect("server: {}\n", theirs, &[]);
}

#[test]
fn providers_of_others() {
    let providers = "\
management_systems:
  a: {type: external, use_for_sprout: true, sprout: {}}
  b: {type: external, use_for_sprout: true, sprout: {endpoint: 'lab:7700', token: hunter2}}
  c: {type: sim, use_for_sprout: true, sprout: {endpoint: 'unix:///run/sim.sock', ca: none.pem}}
  d: {type: sim, use_for_sprout: true, sprout: {endpoint: 'http://127.0.0.1:7700', tokn: x}}
  e: {type: sim, use_for_sprout: true, sprout: {endpoint: 'http://127.0.0.1:7700', token: hunter2, memory_mib: 64, cpus: 1}}
";
    expect(
        "server: {}\n",
        providers,
        &[
            "cfme_data.yaml: management_systems.a.sprout.endpoint: it is missing; name the process that serves the provider, e.g. https://host:port",
            "cfme_data.yaml: management_systems.b.sprout.endpoint: \"lab:7700\" is no endpoint; write http://host:port, https://host:port or unix:///path",
            "cfme_data.yaml: management_systems.c.sprout.ca: none.pem cannot be read: No such file or directory (os error 2); name a file of PEM certificates",
            "cfme_data.yaml: management_systems.c.sprout.ca: only an https endpoint shows a certificate; write https://, or remove it",
            "cfme_data.yaml:5:84: management_systems.d.sprout: unknown key `tokn`; known keys are: endpoint, token, ca, memory_mib, cpus, provisioning_limit, appliance_limit, memory_limit, cpu_limit, circuit_failures, disabled",
        ],
    );
}
