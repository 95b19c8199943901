use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::upstream;

const PLACE: Place = Place(0);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn pool(settings: &GatewaySettings, listener: &TcpListener) -> Arc<Pool> {
    let base = Base::parse(&format!("http://{}/base", listener.local_addr().unwrap())).unwrap();
    let connector = upstream::connector(settings).unwrap();
    let sockets = upstream::socket_connector(settings).unwrap();
    Arc::new(Pool::new(connector, sockets, settings, &[base]))
}

fn request() -> Request<Upload> {
    let mut request = Request::new(Upload::held(Bytes::from_static(b"question")));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = "/base/v1/x".parse().unwrap();
    request
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Reads one request with its body.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"question") {
        let mut piece = [0; 1_000];
        let read = stream.read(&mut piece).await.unwrap();
        assert_ne!(read, 0, "the request broke off");
        text.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(text).unwrap()
}

async fn ask(pool: &Arc<Pool>) -> Bytes {
    let response = pool.send(PLACE, request()).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

fn idle(pool: &Pool) -> usize {
    pool.hosts[0].idle.lock().len()
}

#[tokio::test]
async fn a_connection_is_used_again_and_the_host_is_named() {
    let listener = listener().await;
    let pool = pool(&GatewaySettings::default(), &listener);
    let provider = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            let text = read_request(&mut stream).await.to_lowercase();
            assert!(text.starts_with("post /base/v1/x http/1.1\r\n"), "{text}");
            let host = format!("host: {}\r\n", listener.local_addr().unwrap());
            assert!(text.contains(&host), "{text}");
            stream.write_all(ANSWER).await.unwrap();
        }
        stream
    };
    let caller = async {
        for _ in 0..3 {
            assert_eq!(ask(&pool).await, "ok");
            assert_eq!(idle(&pool), 1);
        }
    };
    tokio::join!(provider, caller);
}

#[tokio::test]
async fn one_that_was_closed_while_idle_is_replaced_and_the_request_sent_once() {
    let listener = listener().await;
    let pool = pool(&GatewaySettings::default(), &listener);
    for _ in 0..3 {
        let provider = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(ANSWER).await.unwrap();
            stream
        };
        let (stream, answer) = tokio::join!(provider, ask(&pool));
        assert_eq!(answer, "ok");
        // Closed only now that it is kept, after an answer that promised nothing of the kind.
        assert_eq!(idle(&pool), 1);
        drop(stream);
        // The runtime hears of it, as it does between any two requests.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_request_that_was_sent_is_not_sent_again() {
    let listener = listener().await;
    let pool = pool(&GatewaySettings::default(), &listener);
    let provider = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(ANSWER).await.unwrap();
        read_request(&mut stream).await;
    };
    let caller = async {
        assert_eq!(ask(&pool).await, "ok");
        let error = pool.send(PLACE, request()).await.err().unwrap();
        assert!(!error.is_unsent(), "{error}");
    };
    tokio::join!(provider, caller);
    assert_eq!(idle(&pool), 0);
}

#[tokio::test]
async fn who_cannot_be_reached_was_sent_nothing() {
    let listener = listener().await;
    let pool = pool(&GatewaySettings::default(), &listener);
    drop(listener);
    let error = pool.send(PLACE, request()).await.err().unwrap();
    assert!(error.is_unsent(), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_let_go_of_closes_its_connection() {
    let listener = listener().await;
    let pool = pool(&GatewaySettings::default(), &listener);
    let provider = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n";
        stream.write_all(endless).await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    };
    let caller = async {
        let mut body = pool.send(PLACE, request()).await.unwrap().into_body();
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(piece, "ok");
    };
    tokio::join!(provider, caller);
    assert_eq!(idle(&pool), 0);
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_few_and_do_not_last() {
    let listener = listener().await;
    let settings = GatewaySettings {
        idle_connections_max: 2,
        ..GatewaySettings::default()
    };
    let pool = pool(&settings, &listener);
    let provider = async {
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(listener.accept().await.unwrap().0);
        }
        for stream in &mut streams {
            read_request(stream).await;
            stream.write_all(ANSWER).await.unwrap();
        }
        streams
    };
    let callers = async { tokio::join!(ask(&pool), ask(&pool), ask(&pool)) };
    let (mut streams, _) = tokio::join!(provider, callers);
    assert_eq!(idle(&pool), 2);
    // The clock moves by itself when there is nothing else to wait for.
    for stream in &mut streams {
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    }
    assert_eq!(idle(&pool), 0);
    let another = pool.another(2);
    assert_eq!(
        (idle(&another), another.idle_max, another.hosts.len()),
        (0, 1, 1)
    );
}

/// Takes connections (the system does) and never says a word.
#[tokio::test(start_paused = true)]
async fn a_dead_http2_connection_ends_its_calls() {
    let dead = listener().await;
    let pool = pool(&GatewaySettings::default(), &dead);
    let stream = TcpStream::connect(dead.local_addr().unwrap())
        .await
        .unwrap();
    let stream = Stream::Http(TokioIo::new(stream));
    pool.share(&pool.hosts[0], stream).await.unwrap();
    let soon = PING_INTERVAL + PING_TIMEOUT + Duration::from_secs(1);
    let ended = tokio::time::timeout(soon, pool.send(PLACE, request())).await;
    assert!(ended.unwrap().is_err());
}

/// Frames of HTTP/2 (RFC 9113, section 6), written out.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn refused_stream(stream: u8) -> [u8; 13] {
    [0, 0, 4, 3, 0, 0, 0, 0, stream, 0, 0, 0, 7]
}

fn goodbye_after(last_stream: u8) -> [u8; 17] {
    let mut frame = [0; 17];
    (frame[2], frame[3], frame[12]) = (8, 7, last_stream);
    frame
}

/// Status 200 (index 8 of the static table of HPACK), then the body.
fn answer_on(stream: u8) -> Vec<u8> {
    let head = [0, 0, 1, 1, 4, 0, 0, 0, stream, 0x88];
    let body = [0, 0, 2, 0, 1, 0, 0, 0, stream, b'o', b'k'];
    [&head[..], &body[..]].concat()
}

/// Shares a connection of HTTP/2 with the listener; what the provider holds of it.
async fn shared_with(pool: &Arc<Pool>, listener: &TcpListener) -> TcpStream {
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let mut far = far.unwrap().0;
    far.write_all(SETTINGS).await.unwrap();
    let near = Stream::Http(TokioIo::new(near.unwrap()));
    pool.share(&pool.hosts[0], near).await.unwrap();
    far
}

/// Reads until a request's body has come; what stands before it in frames does not matter.
async fn read_body(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    while !seen.windows(8).any(|bytes| bytes == b"question") {
        seen.push(stream.read_u8().await.unwrap());
    }
}

/// The provider answers on a new connection what it did not look at on a shared one.
async fn is_sent_elsewhere_after(word: &[u8]) {
    let listener = listener().await;
    let pool = pool(&GatewaySettings::default(), &listener);
    let mut shared = shared_with(&pool, &listener).await;
    let provider = async {
        read_body(&mut shared).await;
        shared.write_all(word).await.unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        read_request(&mut other).await;
        other.write_all(ANSWER).await.unwrap();
        other
    };
    let (_other, answer) = tokio::join!(provider, ask(&pool));
    assert_eq!(answer, "ok");
}

#[tokio::test]
async fn what_the_provider_did_not_look_at_is_sent_again() {
    is_sent_elsewhere_after(&refused_stream(1)).await;
    is_sent_elsewhere_after(&goodbye_after(0)).await;
}

#[tokio::test]
async fn what_the_provider_looked_at_is_not_sent_again() {
    let listener = listener().await;
    let pool = pool(&GatewaySettings::default(), &listener);
    let mut shared = shared_with(&pool, &listener).await;
    let provider = async {
        read_body(&mut shared).await;
        shared.write_all(&answer_on(1)).await.unwrap();
        read_body(&mut shared).await;
        shared.write_all(&goodbye_after(3)).await.unwrap();
        drop(shared);
    };
    let caller = async {
        assert_eq!(ask(&pool).await, "ok");
        let error = pool.send(PLACE, request()).await.err().unwrap();
        assert!(!error.is_unsent(), "{error}");
    };
    tokio::join!(provider, caller);
}

#[tokio::test]
async fn whoever_refuses_again_and_again_is_left_alone() {
    let listener = listener().await;
    let pool = pool(&GatewaySettings::default(), &listener);
    let mut shared = shared_with(&pool, &listener).await;
    let provider = async {
        let mut before = Vec::new();
        for _ in 0..=REFUSALS_MAX {
            read_body(&mut shared).await;
            // There is another connection already when it hears of the refusal.
            *pool.hosts[0].shared.lock() = None;
            let next = shared_with(&pool, &listener).await;
            shared.write_all(&refused_stream(1)).await.unwrap();
            before.push(std::mem::replace(&mut shared, next));
        }
        before
    };
    let (_before, error) = tokio::join!(provider, pool.send(PLACE, request()));
    assert!(error.err().unwrap().is_unsent());
}
