//! What a call was made with, for its audit record: the request's bytes as they come by, and as JSON without secrets once that is asked for.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MessageDescriptor, SerializeOptions, Value};
use tonic::service::AxumBody;

/// Bytes of a request kept; of longer ones nothing is told.
const MOST_KEPT: usize = 64 << 10;
/// Bytes of JSON told.
const MOST_TOLD: usize = 4 << 10;
/// Of JSON that is longer, so many: written into JSON once more it grows to twice as many at most.
const BEGINNING: usize = MOST_TOLD / 2 - 16;
/// Before each message: whether it is compressed, and how long it is.
const PREFIX: usize = 5;

/// What each unary rpc takes, by the path of the rpc.
static REQUESTS: LazyLock<HashMap<String, MessageDescriptor>> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(sprout_proto::DESCRIPTORS).unwrap_or_default();
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let path =
        |method: &prost_reflect::MethodDescriptor| format!("{}/{}", method.parent_service().full_name(), method.name());
    methods.map(|method| (path(&method), method.input())).collect()
});

/// The beginning of what a client sent.
#[derive(Debug, Default)]
pub(crate) struct Sent(Mutex<Vec<u8>>);

impl Sent {
    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = (MOST_KEPT + PREFIX).saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// As JSON without secrets; empty if it did not come, was not this rpc's, or is too long to be told.
    pub(crate) fn json(&self, method: &str) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(PREFIX..).and_then(|message| json(method, message)).unwrap_or_default()
    }
}

/// Keeps the beginning of what passes.
pub(crate) fn kept(body: AxumBody, sent: Arc<Sent>) -> AxumBody {
    AxumBody::new(Kept { body, sent })
}

struct Kept {
    body: AxumBody,
    sent: Arc<Sent>,
}

impl Body for Kept {
    type Data = <AxumBody as Body>::Data;
    type Error = <AxumBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.sent.keep(data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn json(method: &str, message: &[u8]) -> Option<String> {
    let mut message = DynamicMessage::decode(REQUESTS.get(method)?.clone(), message).ok()?;
    without_secrets(&mut message);
    let mut json = Vec::new();
    let options = SerializeOptions::new().use_proto_field_name(true);
    message.serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options).ok()?;
    let json = String::from_utf8(json).ok()?;
    if json.len() <= MOST_TOLD {
        return Some(json);
    }
    let beginning = json.get(..json.floor_char_boundary(BEGINNING))?;
    Some(serde_json::json!({ "beginning": beginning }).to_string())
}

/// Takes out the fields that the protos mark as secret, at any depth.
fn without_secrets(message: &mut DynamicMessage) {
    let secrets: Vec<_> = message.fields().map(|(field, _)| field).filter(is_secret).collect();
    for field in &secrets {
        message.clear_field(field);
    }
    message.fields_mut().for_each(|(_, value)| inside(value));
}

fn inside(value: &mut Value) {
    match value {
        Value::Message(message) => without_secrets(message),
        Value::List(values) => values.iter_mut().for_each(inside),
        Value::Map(values) => values.values_mut().for_each(inside),
        _ => {}
    }
}

fn is_secret(field: &FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}

#[cfg(test)]
mod tests {
    use sprout_proto::{
        pool::RequestPoolRequest,
        user::{CreateUserRequest, LoginRequest},
    };

    use super::*;

    const REQUEST_POOL: &str = "sprout.pool.v1.PoolService/RequestPool";

    fn told(method: &str, message: &impl prost::Message) -> String {
        let sent = Sent::default();
        sent.keep(&[0, 0, 0, 0, 0]);
        // It may come in any pieces.
        message.encode_to_vec().chunks(7).for_each(|chunk| sent.keep(chunk));
        sent.json(method)
    }

    #[test]
    fn what_was_sent_is_told_without_secrets() {
        let login = LoginRequest { name: "ann".to_owned(), password: "correct horse".to_owned(), ..Default::default() };
        assert_eq!(told("sprout.user.v1.UserService/Login", &login), r#"{"name":"ann"}"#);
        let user = CreateUserRequest {
            name: "eve".to_owned(),
            password: "correct horse".to_owned(),
            role: 2,
            ..Default::default()
        };
        let told = told("sprout.user.v1.UserService/CreateUser", &user);
        assert!(told.starts_with(r#"{"name":"eve","role":"ROLE_"#), "{told}");
    }

    #[test]
    fn messages_with_secrets_do_not_print_them() {
        let pool = DescriptorPool::decode(sprout_proto::DESCRIPTORS).unwrap();
        let with_secrets = pool.all_messages().filter(|message| message.fields().any(|field| is_secret(&field)));
        let mut names: Vec<_> = with_secrets.map(|message| message.full_name().to_owned()).collect();
        let mut redacted = sprout_proto::REDACTED.to_vec();
        names.sort_unstable();
        redacted.sort_unstable();
        assert_eq!(redacted, names, "list them in proto/build.rs and proto/src/redacted.rs");
    }

    #[test]
    fn passwords_tokens_and_secrets_are_marked_everywhere() {
        let pool = DescriptorPool::decode(sprout_proto::DESCRIPTORS).unwrap();
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            for field in method.input().fields() {
                let name = field.name();
                let looks_secret =
                    ["password", "secret", "join_token", "private"].iter().any(|word| name.contains(word));
                assert_eq!(is_secret(&field), looks_secret, "{}", field.full_name());
            }
        }
    }

    #[test]
    fn long_requests_are_cut_and_remain_json() {
        let request = |length| RequestPoolRequest { description: "\"ü".repeat(length), ..Default::default() };
        let told_of = |length| told(REQUEST_POOL, &request(length));
        let cut = told_of(5000);
        assert!(cut.len() <= MOST_TOLD && cut.len() > MOST_TOLD / 2, "{}", cut.len());
        let cut: serde_json::Value = serde_json::from_str(&cut).unwrap();
        assert!(cut["beginning"].as_str().unwrap().starts_with(r#"{"description":"\"ü"#), "{cut}");
        assert_eq!(told_of(100_000), "", "more than is kept");
    }

    #[test]
    fn what_makes_no_sense_is_not_told() {
        let sent = Sent::default();
        assert_eq!(sent.json(REQUEST_POOL), "");
        sent.keep(&[0, 0, 0, 0, 2, 0xff, 0xff]);
        assert_eq!((sent.json(REQUEST_POOL), sent.json("no.such/Rpc")), (String::new(), String::new()));
    }
}
