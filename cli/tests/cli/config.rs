//! Configuration files: checked, shown, encrypted, and read by the tool that existing teams encrypt with.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::support::Bed;

fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn all_that_is_wrong_is_listed() {
    let (bed, dir) = (Bed::new(), tempfile::tempdir().unwrap());
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    write(dir.path(), "sprout.yaml", "server:\n  listn: x\n  groups: {a: {template_pattern: 5, max_lease: soon}}\n");
    write(
        dir.path(),
        "cfme_data.yaml",
        "management_systems: {a: {type: container, use_for_sprout: true, sprout: {cpus: many}}}\n",
    );
    let ran = bed.run(&["config", "check", dir.path().to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.stdout);
    assert!(
        lines[0].starts_with(&format!(
            "{}:1:80: management_systems.a.sprout: not a valid value, expected u32",
            path("cfme_data.yaml")
        )),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with(&format!("{}:2:3: unknown key `listn` (did you mean `listen`?)", path("sprout.yaml"))),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with(&format!("{}:3:", path("sprout.yaml"))), "{}", lines[2]);
    assert!(ran.stderr.starts_with("error: 3 things are wrong with "), "{}", ran.stderr);
    let json = bed.run(&["config", "check", dir.path().to_str().unwrap(), "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json["mistakes"][0]["line"].as_u64(), json["mistakes"][0]["column"].as_u64()), (Some(1), Some(80)));

    write(dir.path(), "sprout.yaml", "server: {}\n");
    write(dir.path(), "cfme_data.local.yaml", "management_systems: {a: {sprout: {cpus: 2}}}\n");
    let ran = bed.run(&["config", "check", dir.path().to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 3), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn what_is_merged_is_shown_without_secrets() {
    let (bed, dir) = (Bed::new(), tempfile::tempdir().unwrap());
    let file = write(dir.path(), "credentials.yaml", "a: {username: u, password: hunter2}\n");
    write(dir.path(), "credentials.local.yaml", "a: {username: local}\nb: {token: hunter2}\n");
    let ran = bed.run(&["config", "show", &file]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stdout, "a:\n  username: local\n  password: \"[secret]\"\nb:\n  token: \"[secret]\"\n");
    let ran = bed.run(&["config", "show", &format!("{file}.none")]);
    assert!(ran.code == 1 && ran.stderr.contains("file not found"), "{}", ran.stderr);
}

#[test]
fn files_are_encrypted_and_decrypted() {
    let (bed, dir) = (Bed::new(), tempfile::tempdir().unwrap());
    let text = "# kept\na: |\n  text\n";
    let (plain, encrypted) =
        (write(dir.path(), "c.yaml", text), dir.path().join("c.eyaml").to_str().unwrap().to_owned());
    let ran = bed.run(&["config", "encrypt", &plain]);
    assert!(ran.code == 1 && ran.stderr.contains("there is no key; put it into"), "{}", ran.stderr);
    let key = write(dir.path(), ".yaml_key", "key\n");
    for sealed in [&[][..], &["--sealed"]] {
        let ran = bed.run(&[&["config", "encrypt", &plain, "--force"], sealed].concat());
        assert_eq!((ran.code, ran.stderr.contains("weak")), (0, sealed.is_empty()), "{}", ran.stderr);
        let ran = bed.run(&["config", "decrypt", &encrypted]);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, text), "{}", ran.stderr);
    }
    let ran = bed.run(&["config", "encrypt", &plain, "--key-file", &key]);
    assert!(ran.code == 2 && ran.stderr.contains("is there already; nothing was changed"), "{}", ran.stderr);
    let ran = bed.run(&["config", "encrypt", &plain, "--force", "--remove"]);
    assert!(ran.code == 0 && !Path::new(&plain).exists(), "{}", ran.stderr);
    let ran = bed.run(&["config", "decrypt", &encrypted, "--to", &plain]);
    assert_eq!((ran.code, fs::read_to_string(&plain).unwrap().as_str()), (0, text), "{}", ran.stderr);
    // What is no YAML is not hidden behind a key.
    let wrong = write(dir.path(), "wrong.yaml", "a: 1\na: 2\n");
    let ran = bed.run(&["config", "encrypt", &wrong]);
    assert!(ran.code == 1 && ran.stderr.contains("wrong.yaml:2:1: key `a` is there twice"), "{}", ran.stderr);
}

#[test]
fn the_state_of_the_server_is_told() {
    let bed = Bed::new();
    let told = bed.staff(&["config", "status"]).stdout;
    for part in [
        "2023-11-14",
        "sprout.yaml, cfme_data.eyaml",
        "listen",
        "note: a.eyaml is not used",
        "sprout.yaml:2:3: unknown key",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let json: serde_json::Value = serde_json::from_str(&bed.staff(&["config", "status", "-o", "json"]).stdout).unwrap();
    assert_eq!(
        (json["refused_at"].as_str(), json["files"][1].as_str()),
        (Some("2023-11-14T22:14:20.000Z"), Some("cfme_data.eyaml"))
    );
}

/// Packages of the original tool; it is from before Python 3.10, and so is what it needs.
const PACKAGES: [&str; 2] = ["yaycl==0.3.0", "yaycl-crypt==0.4.0"];
const DRIVER: &str = r#"
import collections, collections.abc, json, os, sys, warnings
warnings.simplefilter("ignore")
for name in ("Mapping", "Sequence", "Set"):
    setattr(collections, name, getattr(collections.abc, name))
import yaycl, yaycl_crypt
verb, directory, name = sys.argv[1:]
conf = yaycl.Config(directory, crypt_key_file=os.path.join(directory, ".yaml_key"))
if verb == "encrypt":
    yaycl_crypt.encrypt_yaml(conf, name)
elif verb == "load":
    print(json.dumps(conf[name], default=dict, sort_keys=True))
"#;

/// A Python that has the original tool; none: it cannot be had here.
fn original_tool() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/yaycl");
    let python = home.join("bin/python");
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    };
    let shim = "import collections, collections.abc as a; [setattr(collections, n, getattr(a, n)) for n in ('Mapping', 'Sequence', 'Set')]; import yaycl_crypt";
    if run(&python, &["-c", shim]).is_ok() {
        return Some(python);
    }
    let install = || {
        run(Path::new("python3"), &["-m", "venv", home.to_str().unwrap_or_default()])?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(&python, &[&pip[..], &["setuptools==65.7.0", "wheel"]].concat())?;
        run(&python, &[&pip[..], &["--no-build-isolation"], &PACKAGES].concat())
    };
    match install() {
        Ok(()) => Some(python),
        Err(error) if env::var_os("SPROUT_TEST_REQUIRE").is_none() => {
            eprintln!("skipped: the original tool cannot be installed: {error}");
            None
        }
        Err(error) => panic!("the original tool cannot be installed: {error}"),
    }
}

#[test]
fn the_original_tool_reads_ours_and_we_read_its() {
    let Some(python) = original_tool() else { return };
    let (bed, dir) = (Bed::new(), tempfile::tempdir().unwrap());
    let driver = write(dir.path(), "driver.py", DRIVER);
    let original = |verb: &str, name: &str| {
        let output = Command::new(&python).args([&driver, verb, dir.path().to_str().unwrap(), name]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    write(dir.path(), ".yaml_key", "a key with a line end\n");
    let text = "# comment\nzeta: {user: admin, pass: 'päss: #1', list: [1, 2.5, yes, ~, '007', 010]}\ntext: |\n  line 1\n\n  line 2\n";
    let expected = r#"{"text": "line 1\n\nline 2\n", "zeta": {"list": [1, 2.5, true, null, "007", 8], "pass": "p\u00e4ss: #1", "user": "admin"}}"#;

    let ours = write(dir.path(), "ours.yaml", text);
    let ran = bed.run(&["config", "encrypt", &ours, "--remove"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(original("load", "ours").trim(), expected);

    write(dir.path(), "theirs.yaml", text);
    original("encrypt", "theirs");
    let theirs = dir.path().join("theirs.eyaml");
    assert!(theirs.exists() && !dir.path().join("theirs.yaml").exists());
    let ran = bed.run(&[
        "config",
        "decrypt",
        theirs.to_str().unwrap(),
        "--to",
        dir.path().join("back.yaml").to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(original("load", "back").trim(), expected);
    let checked = bed.run(&["config", "check", theirs.to_str().unwrap()]);
    assert_eq!(checked.code, 0, "{}", checked.stdout);
    // And what either wrote means the same to us.
    let meaning = |name: &str| {
        let document = sprout_conf::Document::open(
            &dir.path().join(name),
            sprout_conf::Dialect::Legacy,
            &sprout_conf::KeySource::default(),
        );
        let value: serde_json::Value = serde_json::to_value(document.unwrap().root()).unwrap();
        value
    };
    let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
    assert_eq!((meaning("ours.yaml"), meaning("theirs.yaml")), (expected.clone(), expected));
}
