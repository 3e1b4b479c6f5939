//! Bytes from a client, in as few system calls as they arrive in.
//!
//! libpcsclite sends header, structure and payload one by one, and each would wake this thread anew, often in the place
//! of the client itself. So this thread lets the client go on once before it looks: by the time it is back, the client has
//! usually read its last answer and sent the whole of its next request, and there is nobody to be woken. That is a quarter
//! of the time that a short command takes; when there is nobody else to go on, it costs one system call.
//!
//! PINs pass through this buffer, which is why it is wiped.

use std::{
    io::{self, BufRead, Read},
    os::unix::net::UnixStream,
    thread,
};

use zeroize::Zeroizing;

/// Room for every request but those with a long payload.
const CAPACITY: usize = 2048;

/// The receiving half of a connection.
pub(super) struct Source<'a> {
    stream: &'a UnixStream,
    buffer: Zeroizing<[u8; CAPACITY]>,
    start: usize,
    end: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(stream: &'a UnixStream) -> Self {
        Self { stream, buffer: Zeroizing::new([0; CAPACITY]), start: 0, end: 0 }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && out.len() >= CAPACITY {
            // A long payload has no need of a stop here.
            return self.stream.read(out);
        }
        let here = self.fill_buf()?;
        let length = here.len().min(out.len());
        out[..length].copy_from_slice(&here[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.start == self.end {
            thread::yield_now();
            match self.stream.read(&mut self.buffer[..]) {
                Ok(0) => return Ok(&[]),
                Ok(length) => (self.start, self.end) = (0, length),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
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
