//! What is done inside of appliances, against an SSH server that runs it, and servers that hang, refuse, cut, or show another key.

use std::sync::atomic::{AtomicU64, Ordering};

use sprout_proto::{
    appliance::Endpoint,
    task::{
        Action, ApplianceRef, ConfigureStep, HttpCall, MakeTemplateStep, Script, SshAccess, StepOutput, Upload,
        VerifyVersionStep, WaitSshStep, Workshop, action::Action as Deed, step_input::Step, step_output::Output,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::{Duration, Instant, timeout},
};

use super::{
    run,
    tests::{Bench, appliance, bench, ours, tags},
};
use crate::{
    driver::{DriverError, PowerState, Reason},
    testing::{
        Fault,
        sshd::{PASSWORD, Sshd, USER, key},
    },
};

const PATIENCE: Duration = Duration::from_secs(30);

fn host_key(number: u8) -> String {
    key(number).public_key().to_openssh().unwrap().trim().to_owned()
}

fn access(number: u8, password: &str) -> SshAccess {
    SshAccess {
        endpoint: "ssh".to_owned(),
        username: USER.to_owned(),
        password: password.to_owned(),
        private_key: String::new(),
        host_key: host_key(number),
    }
}

fn length(milliseconds: u64) -> Option<prost_types::Duration> {
    Duration::from_millis(milliseconds).try_into().ok()
}

fn script(text: &str) -> Action {
    let script = Script { name: "it".to_owned(), text: text.to_owned() };
    Action { action: Some(Deed::Script(script)), limit: length(20_000), silence: None }
}

/// Of an appliance of its own: what runs on one ends what ran there before.
fn workshop(endpoints: Vec<Endpoint>, ssh: SshAccess, actions: Vec<Action>) -> Workshop {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let id = u64::from(std::process::id()) << 16 | LAST.fetch_add(1, Ordering::Relaxed);
    let appliance = || ApplianceRef { tags: Some(tags(id, 1)), ..appliance() };
    let environment = [("SPROUT_VERSION".to_owned(), "1.2 it's".to_owned())].into();
    Workshop { appliance: Some(appliance()), endpoints, ssh: Some(ssh), actions, environment }
}

async fn done(bench: &Bench, step: &Step) -> Result<StepOutput, DriverError> {
    timeout(PATIENCE, run(bench.ctx(), step)).await.expect("it hangs")
}

async fn configured(endpoint: Endpoint, ssh: SshAccess, actions: Vec<Action>) -> Result<StepOutput, DriverError> {
    let step = Step::Configure(ConfigureStep { workshop: Some(workshop(vec![endpoint], ssh, actions)) });
    done(&bench(), &step).await
}

#[tokio::test]
async fn the_key_that_is_shown_first_is_told_and_another_one_refused() {
    let (bench, sshd) = (bench(), Sshd::start(1, 0, None).await);
    bench.driver.put(ours(PowerState::On));
    let step = |host_key: &str| {
        let endpoint = Some(sshd.endpoint());
        Step::WaitSsh(WaitSshStep { appliance: Some(appliance()), endpoint, host_key: host_key.to_owned() })
    };
    for known in [String::new(), host_key(1)] {
        match done(&bench, &step(&known)).await.unwrap().output {
            Some(Output::WaitSsh(told)) => assert_eq!(told.host_key, host_key(1)),
            other => panic!("{other:?}"),
        }
    }
    let changed = done(&bench, &step(&host_key(2))).await.unwrap_err();
    assert!(changed.reason == Reason::AccessDenied && changed.message.contains("another host key"), "{changed}");
    let nothing = Step::WaitSsh(WaitSshStep { appliance: Some(appliance()), ..WaitSshStep::default() });
    assert!(done(&bench, &nothing).await.is_ok(), "where nothing is done over SSH");
}

#[tokio::test]
async fn a_server_that_is_not_up_yet_is_waited_for_unless_the_appliance_ends() {
    let bench = bench();
    bench.driver.put(ours(PowerState::On));
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let endpoint = Endpoint { name: "ssh".into(), host: "127.0.0.1".into(), port: port.into(), url: None };
    let waiting = WaitSshStep { appliance: Some(appliance()), endpoint: Some(endpoint), host_key: String::new() };
    let step = Step::WaitSsh(waiting);
    let up = async {
        bench.driver.called("find", 1).await;
        Sshd::start(1, port, None).await
    };
    let (sshd, told) = tokio::join!(up, done(&bench, &step));
    told.unwrap();
    drop(sshd);
    bench.driver.put(ours(PowerState::Off));
    assert_eq!(done(&bench, &step).await.unwrap_err().reason, Reason::ApplianceBroken);
}

#[tokio::test]
async fn scripts_run_with_their_environment_and_files_are_written_whole() {
    let (sshd, dir) = (Sshd::start(1, 0, None).await, tempfile::tempdir().unwrap());
    let path = dir.path().join("new/app.conf").display().to_string();
    let content: Vec<u8> = (0..300_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let upload = Upload { name: "app.conf".to_owned(), content: content.clone(), path: path.clone(), mode: 0o640 };
    let upload = Action { action: Some(Deed::Upload(upload)), limit: length(20_000), silence: None };
    let check = format!("test $(stat -c %a {path}) = 640; read x || x=none; echo \"$x $SPROUT_VERSION\"");
    let actions = vec![upload, script("#!/bin/sh -e\ncd /\nfalse || true"), script(&check)];
    for _ in 0..2 {
        let step =
            VerifyVersionStep { workshop: Some(workshop(vec![sshd.endpoint()], access(1, PASSWORD), actions.clone())) };
        match done(&bench(), &Step::VerifyVersion(step)).await.unwrap().output {
            Some(Output::VerifyVersion(told)) => assert_eq!(told.version, "none 1.2 it's"),
            other => panic!("{other:?}"),
        }
        assert!(std::fs::read(&path).unwrap() == content, "the file is not what was sent");
    }
}

#[tokio::test]
async fn a_key_lets_in_where_the_server_knows_it() {
    let own = key(9);
    let sshd = Sshd::start(1, 0, Some(own.public_key().clone())).await;
    let text = own.to_openssh(russh::keys::ssh_key::LineEnding::LF).unwrap().to_string();
    let ssh = SshAccess { private_key: text, ..access(1, "") };
    configured(sshd.endpoint(), ssh.clone(), vec![script("true")]).await.unwrap();
    let other = SshAccess { private_key: "nonsense".to_owned(), ..ssh };
    let unreadable = configured(sshd.endpoint(), other, vec![script("true")]).await.unwrap_err();
    assert!(unreadable.reason == Reason::Invalid && !unreadable.message.contains("nonsense"), "{unreadable}");
}

#[tokio::test]
async fn what_goes_wrong_is_told() {
    let sshd = Sshd::start(1, 0, None).await;
    let at = || sshd.endpoint();
    let failing = configured(at(), access(1, PASSWORD), vec![script("echo why >&2; exit 7")]).await.unwrap_err();
    assert_eq!(failing.reason, Reason::ApplianceBroken);
    assert!(failing.message.contains("status 7") && failing.message.contains("why"), "{failing}");

    let refused = configured(at(), access(1, "wrong"), vec![script("true")]).await.unwrap_err();
    assert!(refused.reason == Reason::AccessDenied && !refused.message.contains("wrong"), "{refused}");

    let changed = configured(at(), access(2, PASSWORD), vec![script("true")]).await.unwrap_err();
    assert!(changed.reason == Reason::AccessDenied && changed.message.contains("another host key"), "{changed}");

    let cut = configured(at(), access(1, PASSWORD), vec![script("true"), script("#!/cutter\n")]).await.unwrap_err();
    assert!(cut.reason == Reason::Unreachable && cut.message.contains("ended"), "{cut}");

    let nowhere = Endpoint { name: "other".to_owned(), ..at() };
    assert_eq!(
        configured(nowhere, access(1, PASSWORD), vec![script("true")]).await.unwrap_err().reason,
        Reason::Invalid
    );
}

#[tokio::test]
async fn what_never_ends_is_ended() {
    let sshd = Sshd::start(1, 0, None).await;
    let endless = Action { limit: length(1_500), ..script("while :; do echo x; sleep 0.05; done") };
    let late = configured(sshd.endpoint(), access(1, PASSWORD), vec![endless]).await.unwrap_err();
    assert!(late.reason == Reason::Deadline && late.message.contains("not done within"), "{late}");
    let hanging = Action { silence: length(500), ..script("echo here; sleep 1000") };
    let mut workshop = workshop(vec![sshd.endpoint()], access(1, PASSWORD), vec![hanging]);
    let step = |workshop: &Workshop| Step::Configure(ConfigureStep { workshop: Some(workshop.clone()) });
    let silent = done(&bench(), &step(&workshop)).await.unwrap_err();
    assert!(silent.reason == Reason::Deadline && silent.message.contains("said nothing"), "{silent}");
    // Whoever comes next ends what hangs there.
    workshop.actions = vec![script("exit 0")];
    done(&bench(), &step(&workshop)).await.unwrap();
    // Who never speaks at all.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = mute.local_addr().unwrap().port().into();
    let endpoint = Endpoint { name: "ssh".into(), host: "127.0.0.1".into(), port, url: None };
    let begun = Instant::now();
    let action = Action { limit: length(700), ..script("true") };
    let error = configured(endpoint, access(1, PASSWORD), vec![action]).await.unwrap_err();
    assert!(error.reason == Reason::Unreachable && begun.elapsed() < Duration::from_secs(10), "{error}");
    // Who refuses.
    drop(mute);
    let endpoint = Endpoint { name: "ssh".into(), host: "127.0.0.1".into(), port, url: None };
    let action = Action { limit: length(700), ..script("true") };
    let error = configured(endpoint, access(1, PASSWORD), vec![action]).await.unwrap_err();
    assert!(error.reason == Reason::Unreachable && error.message.contains("refused"), "{error}");
}

#[tokio::test]
async fn requests_are_made_and_judged_by_their_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().into();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let n = stream.read(&mut request).await.unwrap();
            let text = String::from_utf8_lossy(&request[..n]).to_lowercase();
            let fine =
                text.starts_with("put /api?x=1 ") && text.contains("authorization: basic") && text.ends_with("{}");
            let status = if fine { "201 Created" } else { "418 no" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 3\r\nconnection: close\r\n\r\nyes");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let call = |path: &str, statuses: Vec<u32>| {
        let call = HttpCall {
            endpoint: "web".to_owned(),
            method: "PUT".to_owned(),
            path: path.to_owned(),
            body: "{}".to_owned(),
            content_type: "application/json".to_owned(),
            statuses,
            username: "admin".to_owned(),
            password: "secret".to_owned(),
            tls: false,
        };
        Action { action: Some(Deed::Http(call)), limit: length(5_000), silence: None }
    };
    let at = || Endpoint { name: "web".into(), host: "127.0.0.1".into(), port, url: None };
    configured(at(), access(1, ""), vec![call("/api?x=1", vec![])]).await.unwrap();
    configured(at(), access(1, ""), vec![call("/other", vec![418])]).await.unwrap();
    let other = configured(at(), access(1, ""), vec![call("/other", vec![])]).await.unwrap_err();
    assert!(other.reason == Reason::ApplianceBroken && other.message.contains("418"), "{other}");
}

#[tokio::test]
async fn a_template_is_made_once() {
    let bench = bench();
    bench.driver.put(ours(PowerState::Off));
    let step = || Step::MakeTemplate(MakeTemplateStep { appliance: Some(appliance()), template: "s_tpl_x".into() });
    for _ in 0..2 {
        done(&bench, &step()).await.unwrap();
    }
    assert_eq!(bench.driver.count("make_template"), 1);
    bench.driver.script("make_template", [Fault::Fails(Reason::Unsupported)]);
    bench.driver.with_templates(vec![]);
    assert_eq!(done(&bench, &step()).await.unwrap_err().reason, Reason::Unsupported);
    bench.driver.script("make_template", [Fault::ActsAndFails(Reason::Unreachable)]);
    assert_eq!(done(&bench, &step()).await.unwrap_err().reason, Reason::Unreachable);
    done(&bench, &step()).await.unwrap();
    assert_eq!(bench.driver.count("make_template"), 3, "what was made although nobody learnt of it is seen");
}
