//! Client connections: one task each, reading packets, running requests, writing answers.

use super::sockets::{Socket, Sockets};
use super::{Clock, random};
use crate::engine::Engine;
use engine_sql::session::{Flow, Session};
use futures_lite::future::or;
use glommio::TaskQueueHandle;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use wire::client::{Connection, Options, ServerError, refuse_connection};

/// Bytes read at once.
const READ_BYTES: usize = 16 << 10;
/// Answers above this size are sent before the next request is looked at.
const OUT_BYTES: usize = 64 << 10;
/// Requests of a transaction that go before others' begins: a long one is no more than anybody else.
const HURRIED_REQUESTS: u32 = 100;
/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Serves clients on `address`.
///
/// # Errors
/// What the system said, with the address.
pub fn listen(
    address: std::net::SocketAddr,
    engine: Rc<Engine>,
    clock: Clock,
    queue: TaskQueueHandle,
    options: Arc<Options>,
) -> Result<(), String> {
    if super::net::is_served(address) {
        return Err(format!("cannot listen for clients on {address}: the port is already in use"));
    }
    let cannot = |error: std::io::Error| format!("cannot listen for clients on {address}: {error}");
    let listener = Sockets::start(queue).and_then(|sockets| sockets.listen(address)).map_err(cannot)?;
    let mut options = options;
    let accept = async move {
        loop {
            let Ok(socket) = listener.accept().await else {
                // That connection's own error, or no descriptor is free: some end with time.
                glommio::timer::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            if socket.is_one_too_many() {
                // A new socket takes these few bytes at once, and nobody misses them if it does not.
                let _ = socket.write_all(&refuse_connection(&ServerError::new(1040, "Too many connections"))).await;
                continue;
            }
            // SET GLOBAL max_allowed_packet counts for the connections that begin after it.
            let payload_bytes_max = engine.server().globals.borrow().number("max_allowed_packet") as usize;
            if options.payload_bytes_max != payload_bytes_max {
                options = Arc::new(Options { payload_bytes_max, ..(*options).clone() });
            }
            let (engine, options) = (engine.clone(), options.clone());
            let spawned = glommio::spawn_local_into(serve(socket, engine, clock, options), queue);
            if let Ok(task) = spawned {
                task.detach();
            }
        }
    };
    glommio::spawn_local_into(accept, queue).map_err(|error| error.to_string())?.detach();
    Ok(())
}

fn scramble() -> [u8; 20] {
    // No NUL and no byte above 127: clients read the nonce as a C string.
    let mut bytes = [0; 20];
    for byte in &mut bytes {
        *byte = (random() % 94) as u8 + 33;
    }
    bytes
}

async fn serve(socket: Socket, engine: Rc<Engine>, clock: Clock, options: Arc<Options>) {
    let address = socket.peer().ip().to_canonical();
    let host = if address.is_loopback() { "localhost".to_owned() } else { address.to_string() };
    engine.tick(clock.now());
    let mut session = Session::new(engine.server(), &host);
    let mut connection = Connection::new(session.id(), scramble(), &host, options);
    if address.is_loopback() {
        // What stays on this machine needs no TLS to be secret.
        connection.set_secure();
    }
    let mut bytes = vec![0; READ_BYTES];
    let mut out = Vec::new();
    // Requests of the transaction under way so far.
    let mut requests = 0;
    loop {
        connection.swap_out(&mut out);
        if !out.is_empty() && socket.write_all(&out).await.is_err() {
            return;
        }
        out.clear();
        if connection.is_closing() {
            return;
        }
        let count = {
            let read = async { socket.read(&mut bytes).await.unwrap_or(0) };
            // KILL, offline_mode and the end of the server reach an idle connection too.
            let read = async { Ok(read.await) };
            let ended = async { Err(poll_fn(|cx| session.poll_ended(cx)).await) };
            match or(read, ended).await {
                Ok(0) => return,
                Ok(count) => count,
                Err(ended) => {
                    connection.fatal(&ended.error());
                    continue;
                }
            }
        };
        connection.feed(&bytes[..count]);
        engine.tick(clock.now());
        // Bytes that are no packet end the connection; the client has been told in the out buffer.
        while let Ok(Some(request)) = connection.next_request() {
            if session.is_beginning() {
                socket.give_way().await;
                engine.tick(clock.now());
            }
            if session.handle(request, &mut connection).await == Flow::Close {
                break;
            }
            requests = if session.is_under_way() { requests + 1 } else { 0 };
            socket.set_under_way((1..=HURRIED_REQUESTS).contains(&requests));
            if connection.out().len() > OUT_BYTES {
                connection.swap_out(&mut out);
                if socket.write_all(&out).await.is_err() {
                    return;
                }
                out.clear();
            }
        }
    }
}
