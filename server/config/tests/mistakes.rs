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
            "cfme_data.yaml:10:7: management_systems.b.sprout: unknown key `memroy_mib` (did you mean `memory_mib`?); known keys are: socket, publish_address, memory_mib, cpus, provisioning_limit, appliance_limit, memory_limit, cpu_limit, circuit_failures, configuring_limit, template_name_limit, container_base_template, disabled, catalogue",
            "cfme_data.yaml:12:100: management_systems.c.sprout: not a valid value, expected u32",
            "cfme_data.yaml:13:63: management_systems.d.sprout.socket: \"tcp://x\" is not a socket; write unix:///path or http://host:port",
            "cfme_data.yaml:13:94: management_systems.d.sprout.provisioning_limit: nothing could be deployed; use 1 or more, or `disabled: true`",
            "sprout.yaml:2:11: server.listen: other machines can connect to 0.0.0.0:7600, which needs TLS: set server.tls.cert and server.tls.key, or listen on 127.0.0.1",
            "sprout.yaml:3:19: server.database.url: not a database that is known; write sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME",
            "sprout.yaml:6:25: server.groups.demo.template_pattern: it needs a named part `(?<version>…)`, or `(?<date>…)` where builds have no version",
            "sprout.yaml:7:22: server.groups.demo.default_lease: 2h is longer than max_lease, 1h",
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
            "sprout.yaml:2:3: unknown key `listn` (did you mean `listen`?); known keys are: listen, metrics_listen, tls, database, redis, data_dir, logs, providers_file, check_interval, refresh_interval, leak_grace, orphan_grace, keep_results, keep_audit, holds_per_user, trusted_proxies, log, release_names, template_names, catalogues, catalogue_interval, groups",
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
            "cfme_data.yaml:2:53: management_systems.a.sprout.endpoint: it is missing; name the process that serves the provider, e.g. https://host:port",
            "cfme_data.yaml:3:64: management_systems.b.sprout.endpoint: \"lab:7700\" is no endpoint; write http://host:port, https://host:port or unix:///path",
            "cfme_data.yaml:4:87: management_systems.c.sprout.ca: none.pem cannot be read: No such file or directory (os error 2); name a file of PEM certificates",
            "cfme_data.yaml:4:87: management_systems.c.sprout.ca: only an https endpoint shows a certificate; write https://, or remove it",
            "cfme_data.yaml:5:84: management_systems.d.sprout: unknown key `tokn` (did you mean `token`?); known keys are: endpoint, token, ca, memory_mib, cpus, provisioning_limit, appliance_limit, memory_limit, cpu_limit, circuit_failures, configuring_limit, template_name_limit, container_base_template, disabled, catalogue",
        ],
    );
}

/// As [`told`], with credentials.
fn told_with(credentials: &str, cfme_data: &str) -> Result<Vec<sprout_config::ProviderConfig>, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("sprout.yaml"), "server: {}\n").unwrap();
    fs::write(dir.path().join("cfme_data.yaml"), cfme_data).unwrap();
    fs::write(dir.path().join("credentials.yaml"), credentials).unwrap();
    let mut mistakes = Mistakes::default();
    let config = read(&dir.path().join("sprout.yaml"), &mut mistakes);
    let told = mistakes.or_some(config).map(|config| config.providers);
    told.map_err(|invalid| invalid.to_string().replace(&format!("{}/", dir.path().display()), ""))
}

const CREDENTIALS: &str = "\
plain: {username: admin, password: 0123}
synonyms: {principal: admin, secret: hunter2, token: tok, deep: {project: p, keys: [k]}}
base: {username: admin, password: hunter2}
heir: {inherit: base, domain: lab}
alias: heir
";

#[test]
fn credentials_are_found() {
    let cfme_data = "\
management_systems:
  a: {type: container, use_for_sprout: yes, sprout: {}, credentials: plain}
  b: {type: sim, use_for_sprout: true, sprout: {endpoint: 'http://h:1'}, endpoints: {default: {credentials: synonyms}}}
  c: {type: container, use_for_sprout: true, sprout: {}, credentials: alias}
  d: {type: container, use_for_sprout: true, sprout: {}, credentials: {username: u, password: p}}
  e: {type: container, use_for_sprout: no, sprout: {}, credentials: nobody}
  f: {type: container, use_for_sprout: true, sprout: {}, credentials: alias, endpoints: {default: {credentials: plain}}}
";
    let providers = told_with(CREDENTIALS, cfme_data).unwrap();
    assert_eq!(providers.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(), ["a", "b", "c", "d", "f"]);
    let found = |index: usize| providers[index].credentials.clone().unwrap();
    let secret = |index: usize| found(index).password.unwrap().expose().to_owned();
    assert_eq!((found(0).username.as_deref(), secret(0).as_str()), (Some("admin"), "0123"));
    assert_eq!((found(1).username.as_deref(), secret(1).as_str()), (Some("admin"), "hunter2"));
    assert_eq!(found(1).others.keys().collect::<Vec<_>>(), ["deep.keys.0", "deep.project", "token"]);
    let sprout_config::DriverConfig::Sim(sim) = &providers[1].driver else { panic!("another driver") };
    assert_eq!(sim.token.expose(), "tok");
    assert_eq!((secret(2).as_str(), found(2).others["domain"].expose()), ("hunter2", "lab"));
    assert_eq!((secret(3).as_str(), secret(4).as_str()), ("p", "hunter2"));
    assert!(!format!("{providers:?}").contains("hunter2"));
}

#[test]
fn credentials_that_are_wrong() {
    let credentials = "\
a: b
b: a
both: {username: u, principal: p}
list: [x]
nested: {username: {x: y}}
";
    let cfme_data = "\
management_systems:
  a: {type: container, use_for_sprout: true, sprout: {}, credentials: a}
  b: {type: container, use_for_sprout: true, sprout: {}, credentials: both}
  c: {type: container, use_for_sprout: true, sprout: {}, credentials: bothh}
  d: {type: container, use_for_sprout: true, sprout: {}, credentials: list}
  e: {type: container, use_for_sprout: true, sprout: {}, credentials: nested}
  f: {type: container, use_for_sprout: maybe, sprout: {}}
  g: {type: container, use_for_sprout: true, sprout: 5}
";
    let told = told_with(credentials, cfme_data).unwrap_err();
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "credentials.yaml:2:4: management_systems.a.credentials: credentials `a` stand for themselves, by way of this; write a mapping",
            "credentials.yaml:3:32: management_systems.b.credentials: `principal` is another name of `username`, which is there, too; remove one of them",
            "cfme_data.yaml:4:71: management_systems.c.credentials: there are no credentials `bothh` (did you mean `both`?) in credentials.yaml",
            "credentials.yaml:4:7: management_systems.d.credentials: found a list, expected a mapping with username and password, or its key",
            "credentials.yaml:5:20: management_systems.e.credentials: found a mapping, expected a text",
            "cfme_data.yaml:7:40: management_systems.f.use_for_sprout: not a valid value, expected true or false",
            "cfme_data.yaml:8:54: management_systems.g.sprout: found a single value, expected a mapping",
        ]
    );
}

#[test]
fn a_directory_is_checked_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    let told = || {
        let checked = sprout_config::check(dir.path());
        let told = checked
            .mistakes
            .or(checked.files)
            .map_err(|e| e.to_string().replace(&format!("{}/", dir.path().display()), ""));
        told.map(|files| {
            files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>()
        })
    };
    assert!(told().unwrap_err().contains("there is no configuration in this directory"));
    write("sprout.yaml", "server: {}\n");
    write("credentials.local.yaml", "a: {username: x}\n");
    write(
        "cfme_data.yaml",
        "management_systems: {a: {type: container, use_for_sprout: true, sprout:, credentials: a}}\n",
    );
    write("env.yaml", "appliances: [{hostname: 192.0.2.1, ui_protocol: https}]\n");
    write("other.yaml", "a: 1\n");
    assert_eq!(told().unwrap(), ["cfme_data.yaml", "credentials.local.yaml", "env.yaml", "other.yaml", "sprout.yaml"]);
    write("env.yaml", "appliances: [{ui_protocol: https}]\n");
    write("other.yaml", "a: 1\na: 2\n");
    write("sprout.yaml", "server: {listn: x}\n");
    write("credentials.yaml", "a: [x]\nb: c\n");
    let told = told().unwrap_err();
    assert_eq!(
        told.lines().map(|line| line.split(": ").next().unwrap()).collect::<Vec<_>>(),
        ["credentials.local.yaml:1:5", "env.yaml:1:14", "other.yaml:2:1", "sprout.yaml:1:10"],
        "{told}"
    );
}

#[test]
fn templates_are_not_deleted_before_they_are_used_no_more() {
    let group = |keys: &str| format!("server:\n  groups:\n    demo:\n      template_pattern: '(?<version>.*)'\n{keys}");
    let zero = group("      deploy_limit: 5s\n      template_obsolete_days: 0\n");
    expect(
        &zero,
        NOTHING,
        &[
            "sprout.yaml:5:21: server.groups.demo.deploy_limit: 5s is too short for any deployment; use 60m",
            "sprout.yaml:6:31: server.groups.demo.template_obsolete_days: a template is at least a day old before it is obsolete; use 1 or more, or leave it out",
        ],
    );
    let early = group("      template_obsolete_days: 90\n      template_obsolete_days_delete: 30\n");
    expect(
        &early,
        NOTHING,
        &[
            "sprout.yaml:6:38: server.groups.demo.template_obsolete_days_delete: shorter than template_obsolete_days, 90: nothing is deleted that is used",
        ],
    );
    expect(&group("      template_obsolete_days: 90\n      template_obsolete_days_delete: 90\n"), NOTHING, &[]);
}

#[test]
fn a_preparation_that_cannot_work_is_told() {
    let sprout = "\
server:
  groups:
    demo:
      template_pattern: '(?<version>x)'
      templates_url: ftp://builds
      build_image: latest
      endpoints: {web: {port: 80}}
      ssh: {credentials: nobody}
      prepare:
        version: {http: {endpoint: web}}
        configure:
          - {script: 'x', upload: {file: a, to: b}}
          - {script_file: missing.sh}
          - {upload: {file: sprout.yaml, to: etc/x, mode: '0999'}}
          - {http: {endpoint: wbe, method: get, path: x, statuses: [7]}, limit: 0s, silence: 0s}
          - {script: ' '}
    other:
      template_pattern: '(?<version>y)'
      build_pattern: '(?<version>y)'
      endpoints: {web: {port: 80}}
      prepare: {seal: [{script: 'x'}]}
    idle:
      template_pattern: '(?<version>z)'
      prepare: {}
";
    let told = told(sprout, NOTHING);
    for says in [
        "demo.templates_url: \"ftp://builds\" is no address of an index",
        "demo.build_image: it names the same image for all builds",
        "demo.ssh.endpoint: there is no endpoint `ssh`",
        "demo.ssh.credentials: there are no credentials `nobody`",
        "demo.prepare.version: only a script can tell the version",
        "demo.prepare.configure[0]: it has exactly one of",
        "missing.sh cannot be read",
        "demo.prepare.configure[2].upload.mode: \"0999\" is no permission",
        "demo.prepare.configure[2].upload.to: \"etc/x\" is no absolute path",
        "demo.prepare.configure[3].limit: it needs some time",
        "demo.prepare.configure[3].silence: it cannot speak all the time",
        "demo.prepare.configure[3].http.endpoint: the group has no endpoint `wbe`",
        "demo.prepare.configure[3].http.path: \"x\" is not the path",
        "demo.prepare.configure[3].http.method: \"get\" is no method",
        "demo.prepare.configure[3].http.statuses: 7 is not an HTTP status",
        "demo.prepare.configure[4].script: the script is empty",
        "other.build_pattern: it says nothing without `templates_url`",
        "other.prepare.seal[0]: it is done over SSH",
        "idle.prepare: nothing is done to prepare a template",
    ] {
        assert!(told.iter().any(|line| line.contains(says)), "{says}: {told:#?}");
    }
}

#[test]
fn keys_that_nobody_signs_in_with_are_told_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    let group = "{template_pattern: '(?<version>x)', endpoints: {ssh: {port: 22}}, ssh: {credentials: root}}";
    write("sprout.yaml", &format!("server:\n  groups:\n    demo: {group}\n"));
    write("cfme_data.yaml", NOTHING);
    write(
        "credentials.yaml",
        "root:\n  username: root\n  private_key: |\n    -----BEGIN RSA PRIVATE KEY-----\n    MIIEpA==\n    -----END RSA PRIVATE KEY-----\n",
    );
    let told = sprout_config::check(dir.path()).mistakes.or(()).unwrap_err().to_string();
    assert!(told.contains("credentials.yaml:4:5: root.private_key: this is an RSA key"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn credentials_of_catalogues() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write(
        "sprout.yaml",
        "\
server:
  catalogues:
    a: {url: 'https://bot', credentials: basic}
    b: {url: 'http://localhost:80/x', credentials: key}
    c: {url: 'https://bot', credentials: token}
    d: {url: 'http://bot', credentials: token}
    e: {url: 'https://bot', credentials: nothing}
    f: {url: 'https://bot', credentials: two}
    g: {url: 'https://bot', credentials: tokn}
    h: {url: 'http://localhost.evil', credentials: token}
",
    );
    write("cfme_data.yaml", NOTHING);
    write(
        "credentials.yaml",
        "\
basic: {username: u, password: p}
key: {principal: u, api_key: k}
token: {token: t}
nothing: {username: u}
two: {username: u, password: p, api_key: k}
",
    );
    let mut mistakes = Mistakes::default();
    let config = read(&dir.path().join("sprout.yaml"), &mut mistakes).unwrap();
    let shown = |name: &str| config.server.catalogues[name].authorization().expose().to_owned();
    assert_eq!(["a", "b", "c"].map(shown), ["Basic dTpw", "ApiKey u:k", "Bearer t"]);
    let told = mistakes.or(()).unwrap_err().to_string().replace(&format!("{}/", dir.path().display()), "");
    let told: Vec<_> = told.lines().map(|line| line.split(", ").next().unwrap().split(';').next().unwrap()).collect();
    assert_eq!(
        told,
        [
            "sprout.yaml:9:42: server.catalogues.g.credentials: there are no credentials `tokn` (did you mean `token`?) in credentials.yaml",
            "sprout.yaml:6:41: server.catalogues.d.credentials: credentials do not travel unencrypted",
            "sprout.yaml:7:42: server.catalogues.e.credentials: these credentials are not what a trackerbot takes",
            "sprout.yaml:8:42: server.catalogues.f.credentials: these credentials are not what a trackerbot takes",
            "sprout.yaml:10:52: server.catalogues.h.credentials: credentials do not travel unencrypted",
        ]
    );
}

#[test]
fn rules_for_names() {
    let sprout = "\
server:
  template_names:
    - {name: a, pattern: '(', stream: s}
    - {name: a, pattern: '(?<version>.*)-(?<dat>.*)'}
    - {name: c, pattern: '(?<minor>.)', stream: 'x{mniro}{', ignore: true}
    - {name: d, pattern: '(?<stream>.)', fallbck: true}
    - {name: e, pattern: '(?<stream>.)'}
";
    expect(
        sprout,
        NOTHING,
        &[
            "sprout.yaml:6:42: unknown key `fallbck` (did you mean `fallback`?); known keys are: name, pattern, product, stream, version, date, type, unusable_types, ignore, fallback",
        ],
    );
    let sprout = sprout.replace("fallbck: true", "version: x");
    expect(
        &sprout,
        NOTHING,
        &[
            "sprout.yaml:3:26: server.template_names[0].pattern: not a regular expression: unclosed group",
            "sprout.yaml:4:14: server.template_names[1].name: another rule is named `a`; give each a name of its own",
            "sprout.yaml:4:26: server.template_names[1].pattern: nothing uses the part `dat` (did you mean `date`?); name it in a text, or use a group without a name",
            "sprout.yaml:4:26: server.template_names[1]: it says no stream: give it a part `(?<stream>…)`, or a `stream:`",
            "sprout.yaml:5:49: server.template_names[2].stream: the pattern has no part `(?<mniro>…)` (did you mean `minor`?)",
            "sprout.yaml:5:49: server.template_names[2].stream: a `{` that nothing closes; write {PART}",
            "sprout.yaml:5:26: server.template_names[2].pattern: nothing uses the part `minor`; name it in a text, or use a group without a name",
            "sprout.yaml:7:26: server.template_names[4]: it says neither version nor date: give it a part `(?<version>…)` or `(?<date>…)`, or `ignore: true`",
        ],
    );
}

#[test]
fn catalogues() {
    let sprout = "\
server:
  catalogue_interval: 5s
  catalogues:
    'a b': {url: 'http://'}
    b: {url: 'ftp://x', ca: nowhere.pem}
    c: {url: 'http://u@h/?x', ca: sprout.yaml}
    d: {url: 'https://bot.example:8443/hub'}
  groups:
    downstream-59z: {catalogue: e}
    upstream: {catalogue: d}
";
    let told = told(sprout, NOTHING).join("\n");
    for part in [
        "sprout.yaml:2:23: server.catalogue_interval: shorter than a minute",
        "sprout.yaml:4:18: server.catalogues.a b: a catalogue's name has",
        "sprout.yaml:4:18: server.catalogues.a b.url: \"http://\" is no URL to begin with",
        "sprout.yaml:5:14: server.catalogues.b.url: \"ftp://x\" is no URL",
        "sprout.yaml:5:29: server.catalogues.b.ca: ",
        "nowhere.pem cannot be read",
        "sprout.yaml:6:14: server.catalogues.c.url: \"http://u@h/?x\" is no URL",
        "sprout.yaml:6:35: server.catalogues.c.ca: ",
        "sprout.yaml:9:33: server.groups.downstream-59z.catalogue: there is no `e` in server.catalogues; known: a b, b, c, d",
    ] {
        assert!(told.contains(part), "{part}\nis not in\n{told}");
    }
    assert!(!told.contains("catalogues.d"), "{told}");
}

#[test]
fn groups_that_no_template_can_be_found_for_are_noted() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sprout.yaml");
    let look = |sprout: &str| {
        fs::write(&file, sprout).unwrap();
        let mut mistakes = Mistakes::default();
        let notes = read(&file, &mut mistakes).unwrap().notes;
        mistakes.or(()).unwrap();
        notes
    };
    let groups = "  groups:\n    downstream-59z: {}\n    upstream: {}\n    mine: {}\n    own: {template_pattern: 'own-(?<version>.+)'}\n";
    let notes = look(&format!("server:\n{groups}"));
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].contains("sprout.yaml:5:") && notes[0].contains("server.groups.mine: no template can be"),
        "{notes:?}"
    );
    let rule = |stream: &str| {
        format!("server:\n  template_names: [{{name: r, pattern: '(?<x>.+)-(?<version>.+)', {stream}}}]\n{groups}")
    };
    assert_eq!(look(&rule("stream: 'm{x}e'")).len(), 2);
    let any = "server:\n  template_names: [{name: r, pattern: '(?<stream>.+)-(?<version>.+)'}]\n";
    assert_eq!(look(&format!("{any}{groups}")), [""; 0]);
}
