//! A client of the service that was replaced, as those who wrote one knew it: plain HTTP, a method's name and arguments in, and nothing else known.

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Client, Method, Response, header::RETRY_AFTER};
use serde_json::{Value, json};
use sprout_client::proto::user::{CreateTokenRequest, Role, TokenScope};
use sprout_e2e::{AllInOne, GROUP, retry};

use super::{
    browser::client,
    world::{PASSWORD, gateway, play, testers, user},
};

/// One client, as whoever it is.
struct Old {
    http: Client,
    url: String,
    auth: Option<[String; 2]>,
}

/// What is not a success: `autherror` or `exception`, the class, the message.
#[derive(Debug)]
struct Told(String, String, String);

impl Old {
    fn new(url: &str, name: Option<&str>) -> Self {
        let auth = name.map(|name| [name.to_owned(), PASSWORD.to_owned()]);
        Self { http: client().build().unwrap(), url: format!("{url}/appliances/api"), auth }
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> Result<Response> {
        Ok(self.http.post(&self.url).body(body).send().await?)
    }

    async fn ask(&self, method: &str, args: Value, kwargs: Value) -> Result<Result<Value, Told>> {
        let mut body = json!({"method": method, "args": args, "kwargs": kwargs});
        if let Some(auth) = &self.auth {
            body["auth"] = json!(auth);
        }
        let response = self.post(body.to_string()).await?;
        ensure!(response.status() == 200, "{method}: {} {}", response.status(), response.text().await?);
        said(response).await
    }

    async fn call(&self, method: &str, args: Value) -> Result<Value> {
        self.call_with(method, args, json!({})).await
    }

    async fn call_with(&self, method: &str, args: Value, kwargs: Value) -> Result<Value> {
        self.ask(method, args, kwargs).await?.map_err(|told| anyhow::anyhow!("{method}: {told:?}"))
    }

    /// What is told to who may not, or asks for what is not.
    async fn refused(&self, method: &str, args: Value) -> Result<Told> {
        match self.ask(method, args, json!({})).await? {
            Err(told) => Ok(told),
            Ok(result) => bail!("{method} answers {result}"),
        }
    }

    /// Waits for a task as old clients do.
    async fn finished(&self, task: &Value) -> Result<()> {
        ensure!(task.is_u64(), "{task} is no task");
        retry("the task ends", async || {
            ensure!(self.call("task_finished", json!([task])).await? == json!(true));
            Ok(())
        })
        .await?;
        ensure!(self.call("task_result", json!([task])).await? == json!(true));
        Ok(())
    }

    async fn fulfilled(&self, pool: &Value) -> Result<Vec<Value>> {
        let check = retry("the pool is fulfilled", async || {
            // Some keep ids as texts.
            let check = self.call("request_check", json!([pool.to_string()])).await?;
            ensure!(check["fulfilled"] == true && check["finished"] == true, "{check}");
            Ok(check)
        })
        .await?;
        ensure!(check["progress"] == 100 && check["preconfigured"] == true && check["yum_update"] == false, "{check}");
        check["appliances"].as_array().cloned().context("appliances")
    }
}

async fn said(response: Response) -> Result<Result<Value, Told>> {
    let mut body: Value = serde_json::from_str(&response.text().await?)?;
    let (status, result) = (body["status"].as_str().unwrap_or_default().to_owned(), body["result"].take());
    let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
    match &*status {
        "success" => Ok(Ok(result)),
        "autherror" | "exception" => Ok(Err(Told(status.clone(), text("class"), text("message")))),
        _ => bail!("{status}: {result}"),
    }
}

#[test]
fn an_old_client_finds_every_method_as_it_was() {
    play(async |world| {
        for (name, role) in [("ann", Role::User), ("ben", Role::User)] {
            user(world, name, role).await?;
        }
        testers(world, &["ann", "ben"]).await?;
        let token = CreateTokenRequest { name: "gateway".into(), scope: TokenScope::Read.into(), lifetime: None };
        let token = world.client.users().create_token(token).await?.into_inner().secret;
        let file = world.directory().join("gateway.token");
        std::fs::write(&file, token)?;
        let (_running, url) = gateway(world, "old", &format!("  token_file: {}\n", file.display())).await?;
        let who = |name| Old::new(&url, name);
        let (nobody, ann, ben, admin) = (who(None), who(Some("ann")), who(Some("ben")), who(Some("admin")));
        what_there_is(&nobody, &ann, &admin).await?;
        let pool = pools(&nobody, &ann, &ben).await?;
        appliances(&nobody, &ann, &ben, &pool).await?;
        rights(&nobody, &ann, &url).await?;
        bodies(&ann).await?;
        ensure!(ann.call("destroy_pool", json!([pool])).await?.is_null());
        retry("the pool is gone", async || {
            ensure!(nobody.call("pool_exists", json!([pool])).await? == json!(false));
            Ok(())
        })
        .await?;
        restart(world, &ann).await
    });
}

async fn what_there_is(nobody: &Old, ann: &Old, admin: &Old) -> Result<()> {
    let described = nobody.http.request(Method::GET, &nobody.url).send().await?;
    let described = said(described).await?.map_err(|told| anyhow::anyhow!("{told:?}"))?;
    let methods = described["available_methods"].as_array().context("methods")?;
    ensure!(methods.len() == 34);
    for method in methods {
        for key in ["name", "args", "defaults", "docstring", "needs_authentication"] {
            ensure!(method.get(key).is_some(), "{method} has no {key}");
        }
    }
    let named = |name: &str| methods.iter().find(|method| method["name"] == name).cloned().unwrap_or_default();
    ensure!(
        named("pool_exists")["needs_authentication"] == false && named("destroy_pool")["needs_authentication"] == true
    );
    ensure!(named("prolong_appliance_pool_lease")["args"] == json!(["id", "minutes"]));
    ensure!(named("prolong_appliance_pool_lease")["defaults"] == json!([60]));

    ensure!(nobody.call("available_groups", json!([])).await? == json!([GROUP]));
    ensure!(nobody.call("available_providers", json!([])).await? == json!(["simulated"]));
    ensure!(nobody.call("available_cfme_versions", json!([])).await? == json!(["1.0"]));
    ensure!(
        nobody.call_with("available_cfme_versions", json!([]), json!({"preconfigured": false})).await? == json!([])
    );
    ensure!(nobody.call("has_template", json!(["sim-1.0", true])).await? == json!(true));
    ensure!(nobody.call("has_template", json!(["sim-1.0", false])).await? == json!(false));
    ensure!(ann.call("available_provider_types", json!([])).await? == json!(["sim"]));
    ensure!(admin.call("add_provider", json!(["simulated"])).await? == json!(true));
    ensure!(admin.refused("add_provider", json!(["none"])).await?.1 == "KeyError");

    ensure!(ann.call("num_shepherd_appliances", json!([GROUP])).await? == json!(0));
    ensure!(admin.call("set_number_free_appliances", json!([GROUP, 1])).await? == json!(true));
    ensure!(admin.call("set_number_free_appliances", json!([GROUP, -1])).await? == json!(false));
    let wanted = ann.call("get_number_free_appliances", json!([GROUP])).await?;
    ensure!(wanted.as_object().is_some_and(|groups| groups.values().eq([&json!(1)])), "{wanted}");
    retry("one is warm", async || {
        ensure!(ann.call_with("num_shepherd_appliances", json!([GROUP]), json!({"version": "1.0"})).await? == json!(1));
        Ok(())
    })
    .await?;
    let warm = nobody.call("list_appliances", json!([])).await?;
    ensure!(warm[0]["pool_id"].is_null() && warm[0]["template_name"] == "sim-1.0", "{warm}");
    ensure!(admin.call("set_number_free_appliances", json!([GROUP, 0])).await? == json!(true));
    Ok(())
}

async fn pools(nobody: &Old, ann: &Old, ben: &Old) -> Result<Value> {
    let pool = ann
        .call_with("request_appliances", json!([GROUP]), json!({"count": 2, "lease_time": 30, "version": "1.0"}))
        .await?;
    ensure!(pool.is_u64(), "{pool}");
    let appliances = ann.fulfilled(&pool).await?;
    ensure!(appliances.len() == 2 && appliances.iter().all(|appliance| appliance["ready"] == true), "{appliances:?}");
    ensure!(nobody.call("pool_exists", json!([pool])).await? == json!(true));
    ensure!(nobody.call("pool_exists", json!([99_999])).await? == json!(false));
    let used = nobody.call("list_appliances", json!([true])).await?;
    ensure!(used.as_array().is_some_and(|used| used.len() == 2), "{used}");

    let leased = |appliance: &Value| appliance["leased_until"].as_str().map(str::to_owned);
    ensure!(ann.call("prolong_appliance_pool_lease", json!([pool, 120])).await?.is_null());
    let longer = ann.call("appliance_data", json!([appliances[0]["id"]])).await?;
    ensure!(leased(&longer) > leased(&appliances[0]), "{longer}");
    ensure!(
        ann.call_with("prolong_appliance_lease", json!([appliances[0]["id"]]), json!({"minutes": 180}))
            .await?
            .is_null()
    );
    ensure!(leased(&ann.call("appliance_data", json!([appliances[0]["id"]])).await?) > leased(&longer));

    ensure!(ann.call("set_pool_description", json!([pool, "Jenkins job 7"])).await? == json!(true));
    ensure!(ann.call("get_pool_description", json!([pool])).await? == "Jenkins job 7");
    ensure!(ann.call("find_pools_by_description", json!(["Jenkins job 7"])).await? == json!([pool]));
    ensure!(ann.call("find_pools_by_description", json!(["job"])).await? == json!([]));
    ensure!(ann.call("find_pools_by_description", json!(["job", true])).await? == json!([pool]));
    ensure!(ben.call("find_pools_by_description", json!(["job", true])).await? == json!([]), "somebody else's");

    let other = ann.call_with("clone_pool", json!([pool]), json!({"count": 1})).await?;
    ann.fulfilled(&other).await?;
    ensure!(ann.call("merge_pools", json!([pool, other])).await? == pool);
    ensure!(ann.fulfilled(&pool).await?.len() == 3);
    for (method, args) in [
        ("request_check", json!([pool])),
        ("destroy_pool", json!([pool])),
        ("prolong_appliance_pool_lease", json!([pool])),
        ("set_pool_description", json!([pool, "mine"])),
        ("clone_pool", json!([pool])),
    ] {
        let Told(status, _, message) = ben.refused(method, args).await?;
        ensure!(status == "autherror" && message == "This pool belongs to a different user!", "{method}: {message}");
    }
    ensure!(ann.refused("request_check", json!([99_999])).await?.1 == "DoesNotExist");
    Ok(pool)
}

async fn appliances(nobody: &Old, ann: &Old, ben: &Old, pool: &Value) -> Result<()> {
    let all = ann.fulfilled(pool).await?;
    let (one, id) = (&all[0], &all[0]["id"]);
    // By id, by address and by name it is the same.
    for named in [id, &one["ip_address"], &one["name"]] {
        ensure!(ann.call("appliance_data", json!([named])).await?["uuid"] == one["uuid"], "{named}");
    }
    ensure!(ann.call("appliance_provider_type", json!([id])).await? == "sim");
    ensure!(ann.call("appliance_provider_key", json!([id])).await? == "simulated");
    ensure!(nobody.call("power_state", json!([id])).await? == "on");
    ensure!(ann.call("power_on", json!([id])).await?.is_null(), "it is on");
    ann.finished(&ann.call("power_off", json!([id])).await?).await?;
    ensure!(nobody.call("power_state", json!([id])).await? == "off");
    ensure!(ann.call("power_off", json!([id])).await?.is_null(), "it is off");
    ensure!(ann.call("suspend", json!([id])).await? == json!(false));
    ann.finished(&ann.call_with("power_on", json!([id]), json!({"wait_ready": true})).await?).await?;
    ann.finished(&ann.call("suspend", json!([id])).await?).await?;
    ensure!(nobody.call("power_state", json!([id])).await? == "suspended");
    ensure!(ann.call("suspend", json!([id])).await?.is_null(), "it is suspended");
    ann.finished(&ann.call("power_on", json!([id])).await?).await?;
    ann.finished(&ann.call("rename_appliance", json!([id, "renamed-1"])).await?).await?;
    ensure!(ann.call("appliance_data", json!(["renamed-1"])).await?["id"] == *id);
    ann.finished(&ann.call("appliance_connect_direct_lun", json!([id])).await?).await?;
    ensure!(ann.call("appliance_data", json!([id])).await?["lun_disk_connected"] == true);
    ann.finished(&ann.call("appliance_disconnect_direct_lun", json!([id])).await?).await?;
    ensure!(ann.call("appliance_data", json!([id])).await?["lun_disk_connected"] == false);
    for method in ["appliance_data", "destroy_appliance", "power_off", "suspend"] {
        let Told(status, _, message) = ben.refused(method, json!([id])).await?;
        ensure!(
            status == "autherror" && message == "This appliance belongs to a different user!",
            "{method}: {message}"
        );
    }
    ensure!(ann.refused("appliance_data", json!(["none"])).await?.1 == "DoesNotExist");
    ann.finished(&ann.call("destroy_appliance", json!([id])).await?).await?;
    ensure!(ann.fulfilled(pool).await?.len() == 2);
    Ok(())
}

/// The messages that clients match on.
async fn rights(nobody: &Old, ann: &Old, url: &str) -> Result<()> {
    let told = |told: Told| [told.0, told.1, told.2];
    let needs = told(nobody.refused("request_appliances", json!([GROUP])).await?);
    ensure!(needs == ["autherror", "", "Method request_appliances needs authentication!"], "{needs:?}");
    let none = told(ann.refused("nonsense", json!([])).await?);
    ensure!(none == ["exception", "NameError", "Method nonsense not found!"], "{none:?}");
    let few = told(ann.refused("set_number_free_appliances", json!([GROUP, 5])).await?);
    ensure!(few == ["autherror", "", "You don't have enough rights!"], "{few:?}");
    let stranger = told(Old::new(url, Some("eve")).refused("available_provider_types", json!([])).await?);
    ensure!(stranger == ["autherror", "", "User eve does not exist!"], "{stranger:?}");
    let wrong = Old { auth: Some(["ann".to_owned(), "wrong".to_owned()]), ..Old::new(url, None) };
    let wrong = told(wrong.refused("available_provider_types", json!([])).await?);
    ensure!(wrong == ["autherror", "", "Wrong password for user ann!"], "{wrong:?}");
    let group = ann.refused("request_appliances", json!(["none"])).await?;
    ensure!(group.0 == "exception" && group.2.contains("none"), "{group:?}");
    for args in [json!([GROUP, "two"]), json!([GROUP, 1, -5]), json!([GROUP, 1, 60, {}]), json!([])] {
        let told = ann.refused("request_appliances", args).await?;
        ensure!(told.0 == "exception" && ["TypeError", "ValueError"].contains(&&*told.1), "{told:?}");
    }
    Ok(())
}

async fn bodies(ann: &Old) -> Result<()> {
    for body in [
        "",
        "no JSON",
        "[]",
        "3",
        "{}",
        r#"{"method": 3}"#,
        r#"{"method": "x", "args": {}}"#,
        r#"{"method": "pool_exists", "args": [1], "auth": "ann"}"#,
        "\u{0}",
    ] {
        let response = ann.post(body.to_owned()).await?;
        ensure!(response.status() == 200, "{body}");
        let told = said(response).await?.err().with_context(|| format!("{body} succeeds"))?;
        ensure!(told.0 == "exception" && !told.2.is_empty(), "{body}: {told:?}");
    }
    let deep = "[".repeat(200_000);
    ensure!(said(ann.post(deep).await?).await?.is_err());
    // It is told, or cut off, before everything is sent.
    if let Ok(response) = ann.post(vec![b' '; 100 << 20]).await {
        ensure!(response.status() == 413, "{}", response.status());
    }
    ensure!(ann.call("available_groups", json!([])).await? == json!([GROUP]), "and it goes on");
    Ok(())
}

/// While the server restarts, clients are told when to come back; and then all is as it was.
async fn restart(world: &AllInOne, ann: &Old) -> Result<()> {
    world.sprout.stop().await?;
    let body = json!({"method": "available_groups", "auth": ann.auth}).to_string();
    let away = ann.post(body).await?;
    ensure!(away.status() == 503 && away.headers().contains_key(RETRY_AFTER), "{away:?}");
    ensure!(said(away).await?.is_err_and(|told| told.0 == "exception"));
    world.sprout.ensure_running().await?;
    retry("it is back", async || {
        ensure!(ann.call("available_groups", json!([])).await? == json!([GROUP]));
        Ok(())
    })
    .await
}
