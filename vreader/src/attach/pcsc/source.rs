//! Bytes from a client, in as few system calls as they arrive in.
//!
//! libpcsclite sends header, structure and payload one by one, and each would wake this thread anew, often in the place
//! of the client itself. So this thread lets the client go first: by the time it has its turn again, the client has usually
//! read its last answer and sent the whole of its next request, and nobody has to be woken. That is a quarter of the time
//! that a short command takes. When nobody else has anything to do, it costs one system call.
//!
//! On a busy machine the turn may go to a program that keeps it for milliseconds, and the client waits. That is noticed,
//! and then this thread waits like any other for a while.
//!
//! PINs pass through this buffer, which is why it is wiped.

use std::{
    io::{self, BufRead, Read},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

/// Room for every request but those with a long payload.
const CAPACITY: usize = 2048;

/// Clients need much less for a request: when it is there after a longer turn, somebody else had that turn.
const LONG_TURN: Duration = Duration::from_micros(500);
/// For how many requests nobody is let go first after a long turn.
const CAUTION: u32 = 1000;

/// The receiving half of a connection.
pub(super) struct Source<'a> {
    stream: &'a UnixStream,
    buffer: Zeroizing<[u8; CAPACITY]>,
    start: usize,
    end: usize,
    /// Requests to come for which nobody is let go first.
    caution: u32,
}

impl<'a> Source<'a> {
    pub(super) fn new(stream: &'a UnixStream) -> Self {
        Self { stream, buffer: Zeroizing::new([0; CAPACITY]), start: 0, end: 0, caution: 0 }
    }

    /// Lets others go first, and notices when that kept the client waiting.
    fn give_way(&mut self) {
        let begun = Instant::now();
        thread::yield_now();
        if begun.elapsed() > LONG_TURN && self.has_been_sent_something() {
            self.caution = CAUTION;
        }
    }

    fn has_been_sent_something(&self) -> bool {
        let mut polled = [PollFd::new(self.stream, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Waits for bytes; none come at the end.
    fn receive(&mut self) -> io::Result<()> {
        loop {
            match self.stream.read(&mut self.buffer[..]) {
                Ok(length) => {
                    (self.start, self.end) = (0, length);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && out.len() >= CAPACITY {
            // A long payload has no need of a stop here.
            return self.stream.read(out);
        }
        if self.start == self.end {
            // Within a request: its first bytes are asked for with `fill_buf`.
            self.give_way();
            self.receive()?;
        }
        let here = &self.buffer[self.start..self.end];
        let length = here.len().min(out.len());
        out[..length].copy_from_slice(&here[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            match self.caution.checked_sub(1) {
                Some(less) => self.caution = less,
                None => self.give_way(),
            }
            self.receive()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, length: usize) {
        self.start = (self.start + length).min(self.end);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn bytes_arrive_in_order_whatever_their_pieces() {
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        let sent: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let expected = sent.clone();
        let writer = thread::spawn(move || {
            for piece in sent.chunks(7001) {
                theirs.write_all(piece).unwrap();
            }
        });
        let mut source = Source::new(&ours);
        let mut received = Vec::new();
        for length in [1, 8, 31, CAPACITY - 1, CAPACITY, CAPACITY + 1, 65_548].into_iter().cycle() {
            let length = length.min(expected.len() - received.len());
            let mut piece = vec![0; length];
            source.read_exact(&mut piece).unwrap();
            received.extend(piece);
            if received.len() == expected.len() {
                break;
            }
        }
        writer.join().unwrap();
        assert!(received == expected);
        assert!(source.fill_buf().unwrap().is_empty());
    }
}
