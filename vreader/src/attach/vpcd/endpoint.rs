//! Where vpcd listens, and what its readers are called.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::Obstacle;

/// The port of vpcd's first slot; each further slot has the next one.
pub const DEFAULT_PORT: u16 = 0x8C7B;

/// How long one address may take to answer. The queue of a vpcd slot holds one card: a third one gets no
/// answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The place where vpcd listens: a host, and the port of its first slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address. vpcd itself listens on IPv4 only.
    pub host: String,
    /// The port of the first slot.
    pub port: u16,
}

impl Endpoint {
    /// The port of a slot, if there is such a port.
    pub fn port_of(&self, slot: usize) -> Option<u16> {
        u16::try_from(slot).ok().and_then(|slot| self.port.checked_add(slot))
    }

    /// The same host with the port of one slot.
    pub(super) fn of_slot(&self, slot: usize) -> Option<Self> {
        let port = self.port_of(slot)?;
        Some(Self { host: self.host.clone(), port })
    }

    /// Connects, or says what stands in the way of the card for `slot`.
    pub(super) fn connect(&self, slot: usize) -> Result<TcpStream, Obstacle> {
        let addresses: Vec<SocketAddr> = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| Obstacle::unreachable(self, &error))?
            .collect();
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in &addresses {
            match TcpStream::connect_timeout(address, CONNECT_TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(match failure.kind() {
            io::ErrorKind::ConnectionRefused => {
                let local = addresses.iter().all(|address| address.ip().is_loopback());
                Obstacle::nothing_listens(self, slot, local)
            }
            io::ErrorKind::TimedOut => Obstacle::NoAnswer { endpoint: self.clone() },
            _ => Obstacle::unreachable(self, &failure),
        })
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: DEFAULT_PORT }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The name under which PC/SC programs see a slot of the reader that Debian's vpcd configures.
pub fn reader_name(slot: usize) -> String {
    format!("Virtual PCD 00 {slot:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_have_consecutive_ports_and_names() {
        let endpoint = Endpoint::default();
        for (slot, port, name) in [
            (0, Some(35963), "Virtual PCD 00 00"),
            (1, Some(35964), "Virtual PCD 00 01"),
            (15, Some(35978), "Virtual PCD 00 0F"),
        ] {
            assert_eq!(endpoint.port_of(slot), port);
            assert_eq!(reader_name(slot), name);
        }
        assert_eq!(Endpoint { port: 0xFFFF, ..endpoint.clone() }.port_of(1), None);
        assert_eq!(endpoint.port_of(usize::MAX), None);
        assert_eq!(endpoint.to_string(), "127.0.0.1:35963");
    }
}
