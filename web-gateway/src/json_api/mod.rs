//! The JSON API of the service that was replaced, for clients that speak nothing else: one address, a method's name and its arguments in, a result out.
//!
//! `POST /appliances/api` with `{"method", "args", "kwargs", "auth": [name, password]}` answers `{"status": "success", "result": …}`,
//! `{"status": "autherror", "result": {"message"}}` or `{"status": "exception", "result": {"class", "message"}}`, always with 200, but for 503 with
//! `Retry-After` while the server cannot be asked, and 413 for a body that nobody would read. Any other HTTP method lists the methods.

mod appliance;
mod args;
mod caller;
mod failure;
mod group;
mod method;
mod pool;
mod provider;
mod task;
mod unanswered;
mod upstream;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{self, Body},
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{any, post},
};
use serde_json::{Map, Value, json};
use sprout_client::{ClientError, Connection};
use sprout_conf::Secret;
use tokio::time::timeout;

use self::{
    args::{Args, Named},
    caller::{Caller, Callers},
    failure::Failure,
    method::{METHODS, Rights, described},
    unanswered::Unanswered,
};
use crate::{client::Client, trust::Trust};

/// Where clients find it.
const PATHS: [&str; 2] = ["/appliances/api", "/appliances/api/"];
/// A body may be this large.
const BODY_LIMIT: usize = 1024 * 1024;
/// And take this long to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// When clients are to come back while the server cannot be asked: as often as they did before.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// What all calls share.
pub(crate) struct JsonApi {
    callers: Callers,
    own: Option<Connection>,
    unanswered: Unanswered,
    trust: Trust,
}

impl JsonApi {
    /// An API in front of a server; `own` is the connection of the gateway's own user.
    pub(crate) fn new(server: Connection, own: Option<Connection>, trust: Trust) -> Self {
        Self { callers: Callers::new(server), own, unanswered: Unanswered::default(), trust }
    }

    /// Its routes.
    pub(crate) fn routes(self) -> Router {
        let api = Arc::new(self);
        let routes = |router: Router<Arc<Self>>, path| router.route(path, post(answer).fallback(any(describe)));
        PATHS.into_iter().fold(Router::new(), routes).with_state(api)
    }
}

/// One call.
struct Call {
    api: Arc<JsonApi>,
    method: &'static str,
    caller: Option<Arc<Caller>>,
}

impl Call {
    /// Calls the server as the caller, or where nobody is, as the gateway's own user.
    fn connection(&self) -> Result<Connection, Failure> {
        let own = || self.api.own.clone();
        self.caller
            .as_ref()
            .map(|caller| caller.connection.clone())
            .or_else(own)
            .ok_or_else(|| needs_authentication(self.method))
    }

    /// Name of the caller.
    fn name(&self) -> &str {
        self.caller.as_ref().map_or("", |caller| &caller.name)
    }

    /// Why something about a pool failed: a pool that the caller may not see is somebody else's, if the gateway can see it.
    async fn about_pool(&self, id: u64, error: ClientError) -> Failure {
        self.about_pools(&[id], error).await
    }

    async fn about_pools(&self, ids: &[u64], error: ClientError) -> Failure {
        if let (Some("POOL_NOT_FOUND"), Some(own)) = (error.reason(), &self.api.own) {
            for id in ids {
                let (owned, mine) = (pool::get_as(own, *id).await, pool::get_as_caller(self, *id).await);
                if owned.is_ok() && !mine {
                    return Failure::Auth("This pool belongs to a different user!".to_owned());
                }
            }
        }
        match error.reason() {
            Some("POOL_NOT_FOUND") => Failure::does_not_exist("AppliancePool"),
            _ => error.into(),
        }
    }

    /// Why something about an appliance failed.
    async fn about_appliance(&self, named: &Named, error: ClientError) -> Failure {
        if error.reason() != Some("APPLIANCE_NOT_FOUND") {
            return error.into();
        }
        match &self.api.own {
            Some(own) if appliance::get_as(own, named).await.is_ok() => {
                Failure::Auth("This appliance belongs to a different user!".to_owned())
            }
            _ => Failure::does_not_exist("Appliance"),
        }
    }
}

/// What a client sends.
struct Sent {
    method: String,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
    auth: Option<(String, Secret)>,
}

impl Sent {
    /// Takes a body apart, or says which of its parts is not as it should be. What the part was is not repeated: it may be a password.
    fn from_json(body: Value) -> Result<Self, &'static str> {
        let Value::Object(mut body) = body else { return Err("an object") };
        let Some(Value::String(method)) = body.remove("method") else {
            return Err("an object with \"method\": a text");
        };
        let args = match body.remove("args") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(args)) => args,
            Some(_) => return Err("an object with \"args\": an array"),
        };
        let kwargs = match body.remove("kwargs") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(kwargs)) => kwargs,
            Some(_) => return Err("an object with \"kwargs\": an object"),
        };
        let auth = match body.remove("auth") {
            None | Some(Value::Null) => None,
            Some(auth) => match serde_json::from_value::<[String; 2]>(auth) {
                Ok([name, password]) => Some((name, Secret::from(password))),
                Err(_) => return Err("an object with \"auth\": an array of a user's name and password"),
            },
        };
        Ok(Self { method, args, kwargs, auth })
    }
}

async fn describe() -> Response {
    success(described())
}

async fn answer(
    State(api): State<Arc<JsonApi>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let may_sign_in = api.trust.may_carry_secrets(peer, request.headers());
    let client = api.trust.client(peer, request.headers());
    let sent = match read(request.into_body()).await {
        Ok(sent) => sent,
        Err(response) => return *response,
    };
    match run(api, sent, may_sign_in, client).await {
        Ok(result) => success(result),
        Err(failure) => refusal(failure),
    }
}

async fn run(api: Arc<JsonApi>, sent: Sent, may_sign_in: bool, client: Client) -> method::Answer {
    let Some(method) = METHODS.iter().find(|method| method.name == sent.method) else {
        return Err(Failure::exception("NameError", format!("Method {} not found!", sent.method)));
    };
    if sent.auth.is_none() && method.rights == Rights::User {
        return Err(needs_authentication(method.name));
    }
    if sent.auth.is_some() && !may_sign_in {
        let message = "a password must not travel in the clear: call this over https (or have the administrator set allow_plain_passwords)";
        return Err(Failure::Auth(message.to_owned()));
    }
    let args = Args::bind(method.name, method.parameters, sent.args, sent.kwargs);
    let caller = |auth: Option<(String, Secret)>| {
        let (api, client) = (api.clone(), client.clone());
        async move {
            let Some((name, password)) = auth else { return Ok(None) };
            api.callers.find(&name, &password, &client, api.own.as_ref()).await.map(Some)
        }
    };
    let mut call = Call { api: api.clone(), method: method.name, caller: caller(sent.auth.clone()).await? };
    let args = args?;
    match ((method.run)(&call, &args).await, sent.auth) {
        // Nothing was done: the token was no good any more. The password may be.
        (Err(Failure::SignedOut), Some((name, password))) => {
            api.callers.forget(&name, &password).await;
            call.caller = caller(Some((name, password))).await?;
            (method.run)(&call, &args).await
        }
        (answer, _) => answer,
    }
}

fn needs_authentication(method: &str) -> Failure {
    Failure::Auth(format!("Method {method} needs authentication!"))
}

/// Reads what a client sends, or says what is wrong with it.
async fn read(body: Body) -> Result<Sent, Box<Response>> {
    let wrong = |class, message: String| Box::new(refusal(Failure::exception(class, message)));
    let bytes = match timeout(BODY_DEADLINE, body::to_bytes(body, BODY_LIMIT)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let message = format!("the body is larger than {BODY_LIMIT} bytes, or broke off");
            return Err(Box::new((StatusCode::PAYLOAD_TOO_LARGE, *wrong("ValueError", message)).into_response()));
        }
        Err(_) => {
            return Err(wrong("TimeoutError", format!("the body did not arrive within {} s", BODY_DEADLINE.as_secs())));
        }
    };
    let form = r#"send {"method": NAME, "args": [...], "kwargs": {...}, "auth": [NAME, PASSWORD]}"#;
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| wrong("ValueError", format!("the body is not JSON ({error}); {form}")))?;
    Sent::from_json(value).map_err(|lacks| wrong("TypeError", format!("the body must be {lacks}; {form}")))
}

fn success(result: Value) -> Response {
    shown(StatusCode::OK, json!({"status": "success", "result": result}))
}

fn refusal(failure: Failure) -> Response {
    let exception =
        |class: &str, message: String| json!({"status": "exception", "result": {"class": class, "message": message}});
    match failure {
        Failure::Auth(message) => shown(StatusCode::OK, json!({"status": "autherror", "result": {"message": message}})),
        Failure::SignedOut => refusal(Failure::Auth(
            "the token of this gateway is no good any more: its administrator has to give it another".to_owned(),
        )),
        Failure::Exception { class, message } => shown(StatusCode::OK, exception(class, message)),
        Failure::Unavailable(message) => {
            let mut response = shown(StatusCode::SERVICE_UNAVAILABLE, exception("ConnectionError", message));
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            response
        }
    }
}

fn shown(code: StatusCode, body: Value) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (code, [kind, (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_body_is_named_and_not_repeated() {
        for (body, part) in [
            (json!([]), "an object"),
            (json!({}), "\"method\""),
            (json!({"method": 3}), "\"method\""),
            (json!({"method": "x", "args": {}}), "\"args\""),
            (json!({"method": "x", "kwargs": []}), "\"kwargs\""),
            (json!({"method": "x", "auth": "hunter2"}), "\"auth\""),
            (json!({"method": "x", "auth": ["me", "hunter2", 3]}), "\"auth\""),
        ] {
            let lacks = Sent::from_json(body).err().unwrap();
            assert!(lacks.contains(part) && !lacks.contains("hunter2"), "{lacks}");
        }
        let sent = Sent::from_json(json!({"method": "x", "args": null, "kwargs": null, "auth": null})).ok().unwrap();
        assert!(sent.args.is_empty() && sent.kwargs.is_empty() && sent.auth.is_none());
    }
}
