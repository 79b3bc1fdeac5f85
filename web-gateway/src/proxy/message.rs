//! The one message of a call from a browser, read whole before the server hears of it, so that what is too large, too slow or no message at all costs
//! the server nothing and is told apart.

use std::{future::poll_fn, pin::pin, time::Duration};

use axum::body::Bytes;
use http_body::Body as _;
use tokio::time::timeout;
use tonic::body::Body;

use super::refused::Refused;

/// Bytes of a message, as the server reads them.
pub(super) const MOST: usize = 4 << 20;
/// What comes before a message: whether it is compressed, and how long it is.
const HEAD: usize = 5;
/// A message must have arrived within this time.
const LIMIT: Duration = Duration::from_secs(30);

/// Reads it, with what comes before it.
pub(super) async fn read(body: Body) -> Result<Bytes, Refused> {
    let message = timeout(LIMIT, collect(body)).await.map_err(|_| Refused::Slow(LIMIT))??;
    let (head, rest) = message.split_at_checked(HEAD).ok_or(Refused::Malformed("it has less than five bytes"))?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    match head[0] {
        0 if usize::try_from(length).is_ok_and(|length| length == rest.len()) => Ok(message),
        0 => Err(Refused::Malformed("its length is not what it says")),
        1 => Err(Refused::Malformed("it is compressed, which the server did not ask for")),
        _ => Err(Refused::Malformed("its first byte says that it is no message")),
    }
}

async fn collect(body: Body) -> Result<Bytes, Refused> {
    let mut body = pin!(body);
    let mut message = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        // Base64 that is none, or a connection that broke, which leaves nobody to be told.
        let frame = frame.map_err(|_| Refused::Malformed("it cannot be read to its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        if message.len() + data.len() > HEAD + MOST {
            return Err(Refused::TooLarge(MOST));
        }
        message.extend_from_slice(&data);
    }
    Ok(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: Vec<u8>) -> Result<Bytes, Refused> {
        super::read(Body::new(axum::body::Body::from(bytes))).await
    }

    #[tokio::test]
    async fn one_message_and_nothing_else_is_passed_on() {
        assert_eq!(read(vec![0, 0, 0, 0, 0]).await.unwrap(), vec![0, 0, 0, 0, 0]);
        assert_eq!(read(vec![0, 0, 0, 0, 2, 8, 1]).await.unwrap(), vec![0, 0, 0, 0, 2, 8, 1]);
        for wrong in [
            vec![],
            vec![0, 0, 0],
            vec![0, 0, 0, 0, 3, 8, 1],
            vec![0, 0, 0, 0, 1, 8, 1],
            vec![1, 0, 0, 0, 2, 8, 1],
            vec![0x80, 0, 0, 0, 2, 8, 1],
            vec![0, 255, 255, 255, 255],
            b"hello world".to_vec(),
        ] {
            assert!(matches!(read(wrong.clone()).await, Err(Refused::Malformed(_))), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn as_much_as_the_server_reads_and_no_more() {
        let message = |length: usize| {
            let mut message = vec![0];
            message.extend(u32::try_from(length).unwrap().to_be_bytes());
            message.resize(HEAD + length, 0);
            message
        };
        assert!(read(message(MOST)).await.is_ok());
        assert!(matches!(read(message(MOST + 1)).await, Err(Refused::TooLarge(MOST))));
    }

    #[tokio::test(start_paused = true)]
    async fn it_has_some_time_to_arrive() {
        let never = axum::body::Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        assert!(matches!(super::read(Body::new(never)).await, Err(Refused::Slow(_))));
    }
}
