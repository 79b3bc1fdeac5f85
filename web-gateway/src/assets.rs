//! The browser UI, as `npm run build` in `ui/` made it: embedded in release builds, read from `ui/dist` in others, where it may change or be missing.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
        },
    },
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Dist;

/// The page of all pages: which one is shown, the script in it decides by the address.
const INDEX: &str = "index.html";
/// What is in here has the hash of its contents in its name.
const HASHED: &str = "assets/";
/// How files are compressed beside themselves, the best first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];
/// Where there is no UI.
const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>Sprout</title><h1>The UI is not built</h1>
<p>This gateway was built without the browser UI. In the sources, run <code>make build</code>, or <code>npm ci &amp;&amp; npm run build</code> in
<code>web-gateway/ui</code>; a release build then needs to be made again. Everything else the gateway does works.</p>
";

/// Answers a request for a page or a part of one.
pub(crate) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let allow = [(ALLOW, HeaderValue::from_static("GET, HEAD"))];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, "nothing here takes that\n").into_response();
    }
    let name = path.trim_start_matches('/');
    let is_index = name.is_empty() || name == INDEX;
    if !is_index && let Some(response) = file(name, headers) {
        return response;
    }
    if !is_index && (name.starts_with(HASHED) || !wants_page(headers)) {
        let now = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        return (StatusCode::NOT_FOUND, now, "there is no such file\n").into_response();
    }
    file(INDEX, headers).unwrap_or_else(|| {
        let kind = (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        let now = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
        (StatusCode::NOT_FOUND, [kind, now], NOT_BUILT).into_response()
    })
}

fn file(name: &str, headers: &HeaderMap) -> Option<Response> {
    // Those that are compressed are parts of others.
    if ENCODINGS.iter().any(|(_, ending)| name.ends_with(ending)) {
        return None;
    }
    let plain = Dist::get(name)?;
    let compressed = ENCODINGS.iter().filter(|(encoding, _)| accepts(headers, encoding));
    let mut compressed =
        compressed.filter_map(|(encoding, ending)| Some((*encoding, Dist::get(&format!("{name}{ending}"))?)));
    let (encoding, sent) = compressed.next().map_or((None, plain), |(encoding, found)| (Some(encoding), found));
    let tag = tag(&sent);
    let cache = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let same = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response =
        if same { StatusCode::NOT_MODIFIED.into_response() } else { Response::new(Body::from(sent.data)) };
    let answered = response.headers_mut();
    answered.insert(CONTENT_TYPE, HeaderValue::from_static(kind(name)));
    answered.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    answered.insert(VARY, HeaderValue::from_static("accept-encoding"));
    answered.insert(ETAG, HeaderValue::try_from(tag).ok()?);
    answered.extend(encoding.map(|encoding| (CONTENT_ENCODING, HeaderValue::from_static(encoding))));
    Some(response)
}

fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&hash[..16]))
}

/// A browser that goes to an address wants a page; one that loads a part of a page does not.
fn wants_page(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let all = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|all| all.split(',')).any(|one| {
        let (name, quality) = one.split_once(';').map_or((one, ""), |(name, quality)| (name, quality));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case(encoding) && !refused
    })
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: axum::http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn what_is_accepted_is_read_as_browsers_write_it() {
        let chromium = headers(ACCEPT_ENCODING, "gzip, deflate, br, zstd");
        assert!(accepts(&chromium, "br") && accepts(&chromium, "gzip"));
        let picky = headers(ACCEPT_ENCODING, "br;q=0, GZIP;q=0.5");
        assert!(!accepts(&picky, "br") && accepts(&picky, "gzip"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
        assert!(
            wants_page(&headers(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8"))
                && !wants_page(&headers(ACCEPT, "*/*"))
        );
    }

    #[test]
    fn what_is_no_file_and_no_page_is_not_found() {
        let page = headers(ACCEPT, "text/html");
        for (method, path, headers, status) in [
            (Method::POST, "/", &page, StatusCode::METHOD_NOT_ALLOWED),
            (Method::GET, "/assets/none-12345678.js", &page, StatusCode::NOT_FOUND),
            (Method::GET, "/none.js", &HeaderMap::new(), StatusCode::NOT_FOUND),
            (Method::GET, "/../Cargo.toml", &HeaderMap::new(), StatusCode::NOT_FOUND),
            (Method::GET, "/../../src/lib.rs", &HeaderMap::new(), StatusCode::NOT_FOUND),
        ] {
            assert_eq!(answer(&method, path, headers).status(), status, "{path}");
        }
    }

    #[test]
    fn a_page_or_how_to_build_it() {
        let page = headers(ACCEPT, "text/html");
        for path in ["/", "/index.html", "/groups/cfme-5.11"] {
            let response = answer(&Method::GET, path, &page);
            let built = Dist::get(INDEX).is_some();
            assert_eq!(response.status(), if built { StatusCode::OK } else { StatusCode::NOT_FOUND }, "{path}");
            assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        }
    }
}
