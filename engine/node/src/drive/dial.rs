//! A connection to another member, which sends again soon what was lost.
//!
//! TCP waits at least 200 ms before it sends the last packet of a burst again, though a round trip between members
//! takes a fraction of one: with 5 % of a leader's packets lost its group spent most of its time in that pause. The
//! kernel measures how long the peer takes to answer; only the least of what it makes of that is lowered here, so a
//! slow link, or a peer that acknowledges late, is waited for as before.
//!
//! Absent on purpose: the same for clients, whose networks are theirs.

use glommio::net::TcpStream;
use nix::sys::socket::SetSockOpt;
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;

/// `TCP_RTO_MIN_US` of linux/tcp.h; older headers do not have it.
const RTO_MIN_US: libc::c_int = 45;
/// Least pauses asked for, in microseconds: the kernel takes none below two ticks of its clock.
const PAUSES_US: [u32; 3] = [10_000, 20_000, 40_000];

mod option {
    use nix::{setsockopt_impl, sockopt_impl};

    sockopt_impl!(
        /// Least time before a packet is sent again, in microseconds.
        RetransmitMin,
        SetOnly,
        libc::IPPROTO_TCP,
        super::RTO_MIN_US,
        u32
    );
}

/// Begins to connect; what is written waits for the connection, and says if it failed.
///
/// # Errors
/// What the system said.
pub fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.cloexec(), Some(Protocol::TCP))?;
    socket.set_nodelay(true)?;
    // Linux before 6.15 knows no such option: there the pause stays as it is.
    let socket = std::net::TcpStream::from(socket);
    let _ = PAUSES_US.iter().find(|&pause| option::RetransmitMin.set(&socket, pause).is_ok());
    let socket = Socket::from(socket);
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => return Err(error),
        _ => {}
    }
    // The executor waits for what would block, on sockets that could.
    socket.set_nonblocking(false)?;
    Ok(TcpStream::from(socket))
}
