//! Clients that stall, flood, lie about lengths or die: the server stays up, other clients see nothing of it, and memory
//! does not grow.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{Arc, Barrier},
    time::{Duration, Instant},
};

use vreader::attach::pcsc::Slots;

use crate::{
    echo_card::{EchoCard, SlowCard, world, world_with},
    raw::{INSUFFICIENT_BUFFER, LEAVE, Raw, SHARED, SUCCESS, T1, message, word, words},
    vreader::{Place, wait_for},
};

/// Much longer than an exchange takes, much shorter than a person's patience.
const SOON: Duration = Duration::from_secs(2);

/// Every command with the size of its structure.
const COMMANDS: [(u32, usize); 20] = [
    (0x01, 12),
    (0x02, 8),
    (0x04, 152),
    (0x05, 24),
    (0x06, 12),
    (0x07, 8),
    (0x08, 12),
    (0x09, 32),
    (0x0A, 24),
    (0x0B, 8),
    (0x0D, 8),
    (0x0F, 280),
    (0x10, 280),
    (0x11, 12),
    (0x12, 0),
    (0x13, 0),
    (0x14, 0),
    (0x15, 0),
    (0x16, 0),
    (0x17, 0),
];

/// Repeatable disorder (xorshift).
struct Disorder(u64);

impl Disorder {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// A well-behaved client beside the others.
struct Witness {
    raw: Raw,
    handle: u32,
}

impl Witness {
    fn new(socket: &Path, reader: &str) -> Self {
        let mut raw = Raw::new(socket, 4);
        let handle = raw.handle(reader);
        Self { raw, handle }
    }

    /// That everything is as ever, and fast.
    fn sees_nothing(&mut self) {
        let begun = Instant::now();
        assert_eq!(self.raw.begin(self.handle), SUCCESS);
        self.raw.echoes(self.handle, &[0x00, 0xCA, 0x7F, 0x68]);
        assert_eq!(word(&self.raw.call(0x08, &words(&[self.handle, LEAVE, 0])), 8), SUCCESS);
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
}

/// Sends bytes as far as the server takes them; it may close the connection at any of them.
fn throw(socket: &Path, bytes: &[u8]) {
    let mut stream = UnixStream::connect(socket).expect("the server listens");
    if let Err(error) = stream.write_all(bytes) {
        assert!([ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&error.kind()), "{error}");
    }
}

#[test]
fn random_bytes_end_their_connection_and_nothing_else() {
    let (world, reader) = world();
    let mut witness = Witness::new(world.socket(), &reader);
    let mut disorder = Disorder(0x5EED);
    for round in 0..2000 {
        let length = disorder.below(600);
        throw(world.socket(), &disorder.bytes(length));
        if round % 100 == 0 {
            witness.sees_nothing();
        }
    }
}

#[test]
fn random_requests_of_the_right_size_harm_nobody() {
    let (world, reader) = world();
    let mut witness = Witness::new(world.socket(), &reader);
    let mut disorder = Disorder(0xF00D);
    for round in 0..400 {
        let mut bytes = message(0x11, &words(&[4, 3 + u32::try_from(disorder.below(4)).unwrap(), 0]));
        for _ in 0..disorder.below(8) {
            let (command, size) = COMMANDS[disorder.below(COMMANDS.len())];
            let mut structure = disorder.bytes(size);
            // Small numbers now and then: they mean more.
            for word in structure.chunks_exact_mut(4) {
                if disorder.below(2) == 0 {
                    word.copy_from_slice(&u32::try_from(disorder.below(5)).unwrap().to_ne_bytes());
                }
            }
            bytes.extend(message(command, &structure));
        }
        throw(world.socket(), &bytes);
        if round % 20 == 0 {
            witness.sees_nothing();
        }
    }
}

#[test]
fn a_connection_may_drop_at_every_byte() {
    let (world, reader) = world();
    let mut witness = Witness::new(world.socket(), &reader);
    let mut name = reader.as_bytes().to_vec();
    name.resize(128, 0);
    // A whole session, up to the handle, which only the server knows.
    let session = [
        message(0x11, &words(&[4, 4, 0])),
        message(0x01, &words(&[2, 0, 0])),
        message(0x12, &[]),
        message(0x13, &[]),
        message(0x14, &[]),
        message(0x04, &[words(&[1]), name.clone(), words(&[2, 3, 0, 0, 0])].concat()),
        message(0x09, &words(&[1, T1, 16, 4, 0, 16, 300, 0])),
        vec![0, 1, 2, 3],
    ]
    .concat();
    for length in 0..=session.len() {
        throw(world.socket(), &session[..length]);
    }
    witness.sees_nothing();
    // Within every message that follows a handle.
    let begin = |handle| message(0x07, &words(&[handle, 0]));
    let transmit =
        |handle| [message(0x09, &words(&[handle, T1, 16, 4, 0, 16, 300, 0])), vec![0, 1, 2, 3]].concat();
    for length in 0..=begin(0).len() + transmit(0).len() {
        let mut raw = Raw::new(world.socket(), 4);
        let context = raw.establish();
        let (handle, _, rv) = raw.connect(context, &reader, SHARED);
        assert_eq!(rv, SUCCESS);
        raw.stream.write_all(&[begin(handle), transmit(handle)].concat()[..length]).unwrap();
    }
    // The last may have died in a transaction, which resets the card for others.
    drop(witness);
    wait_for("the dead are gone", || (world.readers().list()[0].handles == 0).then_some(()));
    Witness::new(world.socket(), &reader).sees_nothing();
}

/// One request of every kind, as a client of 4:`minor` sends it, with its payload.
fn requests(minor: u32, context: u32, handle: u32) -> Vec<Vec<u8>> {
    let request = |(command, _)| {
        let mut structure = vec![0; size_of_body(command, minor)];
        let subject = if [0x02, 0x04, 0x0D].contains(&command) { context } else { handle };
        if let Some(word) = structure.first_chunk_mut() {
            *word = subject.to_ne_bytes();
        }
        match command {
            0x09 => {
                [message(command, &words(&[handle, T1, 16, 4, 0, 16, 300, 0])), vec![0, 1, 2, 3]].concat()
            }
            0x0A => {
                [message(command, &words(&[handle, 0x4200_0D48, 4, 300, 0, 0])), vec![0, 1, 2, 3]].concat()
            }
            _ => message(command, &structure),
        }
    };
    COMMANDS.map(request).to_vec()
}

/// In 4:3 a structure comes with WAIT and STOP.
fn size_of_body(command: u32, minor: u32) -> usize {
    match (command, minor) {
        (0x13 | 0x14, 3) => 8,
        _ => COMMANDS.iter().find(|(known, _)| *known == command).map_or(0, |(_, size)| *size),
    }
}

#[test]
fn a_connection_may_drop_at_every_byte_of_every_request() {
    let (world, reader) = world();
    let mut witness = Witness::new(world.socket(), &reader);
    for minor in 3..=6 {
        for place in 0..COMMANDS.len() {
            let mut length = 0;
            loop {
                let mut raw = Raw::new(world.socket(), minor);
                let context = raw.establish();
                let (handle, _, rv) = raw.connect(context, &reader, SHARED);
                assert_eq!(rv, SUCCESS);
                let request = requests(minor, context, handle).swap_remove(place);
                if length == request.len() {
                    break;
                }
                raw.stream.write_all(&request[..length]).unwrap();
                length += 1;
            }
        }
        // Nothing was asked for to the end, so nothing has happened.
        wait_for("the dead are gone", || (world.readers().list()[0].handles == 1).then_some(()));
        witness.sees_nothing();
    }
}

#[test]
fn wrong_sizes_and_unknown_commands_end_their_connection() {
    let (world, reader) = world();
    let mut witness = Witness::new(world.socket(), &reader);
    let close = |minor, size: u32, command: u32| {
        let mut raw = Raw::new(world.socket(), minor);
        raw.handle(&reader);
        // The server may close the connection before it has read all of it.
        let _ = raw.stream.write_all(&[words(&[size, command]), vec![0; 300]].concat());
        raw.is_closed();
    };
    for minor in 3..=6 {
        for (command, _) in COMMANDS {
            let size = u32::try_from(size_of_body(command, minor)).unwrap();
            for wrong in [0, 4, 8, size.wrapping_sub(1), size + 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF] {
                if wrong != size {
                    close(minor, wrong, command);
                }
            }
        }
        for command in [0x00, 0x03, 0x0C, 0x0E, 0x18, 0x100, 0x0900_0000, 0xFFFF_FFFF] {
            for size in [0, 8, 0xFFFF_FFFF] {
                close(minor, size, command);
            }
        }
        witness.sees_nothing();
    }
}

#[test]
fn clients_that_stall_in_a_message_keep_nobody_waiting() {
    let (world, reader) = world();
    let mut witness = Witness::new(world.socket(), &reader);
    let stalled: Vec<_> = (0..100)
        .map(|number| {
            let mut stream = UnixStream::connect(world.socket()).unwrap();
            let (command, size) = COMMANDS[number % 14];
            let whole = message(command, &vec![0; size]);
            stream.write_all(&whole[..whole.len() - 1]).unwrap();
            stream
        })
        .collect();
    witness.sees_nothing();
    drop(stalled);
    witness.sees_nothing();
}

#[test]
fn clients_that_never_read_keep_nobody_waiting() {
    let (world, reader) = world();
    let mut witness = Witness::new(world.socket(), &reader);
    let floods: Vec<_> = (0..10)
        .map(|_| {
            let stream = UnixStream::connect(world.socket()).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
            // 3 KB of answer for 8 bytes, until the server's buffer and ours are full.
            let flood = message(0x12, &[]).repeat(1000);
            while (&stream).write_all(&flood).is_ok() {}
            stream
        })
        .collect();
    witness.sees_nothing();
    // Nor do they when they wait for changes.
    for stream in &floods {
        let _ = (&*stream).write(&message(0x13, &[]));
    }
    let mut second = Raw::new(world.socket(), 4);
    second.send(0x13, &[]);
    second.receive(16 * 184);
    let begun = Instant::now();
    world.readers().remove(&reader).unwrap();
    assert_eq!(second.receive(8), [0; 8]);
    assert!(begun.elapsed() < SOON);
}

#[test]
fn a_waiting_client_that_does_not_read_its_events_is_disconnected() {
    let (world, reader) = world();
    let mut raw = Raw::new(world.socket(), 5);
    raw.stream.set_nonblocking(true).unwrap();
    // A wait, and more 8-byte answers than the buffer holds; the server stops when it is full.
    raw.stream.write_all(&message(0x13, &[])).unwrap();
    let flood = message(0x15, &[]).repeat(100);
    let mut written = 0;
    wait_for("the buffers are full", || match raw.stream.write(&flood) {
        Ok(length) => {
            written += length;
            None
        }
        Err(error) => (error.kind() == ErrorKind::WouldBlock && written > 1000).then_some(()),
    });
    std::thread::sleep(Duration::from_millis(50));
    world.readers().remove(&reader).unwrap();
    raw.stream.set_nonblocking(false).unwrap();
    // Its unread answers come, and then the end.
    let answers = raw.drain();
    assert!(answers > 8 * 100, "{answers} bytes");
}

#[test]
fn lengths_that_are_only_claimed_cost_nothing() {
    let (world, reader) = world();
    let mut witness = Witness::new(world.socket(), &reader);
    let mut claims = Vec::new();
    for length in [65_548, 65_549, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF] {
        for command in [0x09, 0x0A] {
            let mut raw = Raw::new(world.socket(), 4);
            let handle = raw.handle(&reader);
            let structure = if command == 0x09 {
                words(&[handle, T1, 16, length, 0, 16, length, 0])
            } else {
                words(&[handle, 0x4200_0D48, length, length, 0, 0])
            };
            raw.send(command, &structure);
            raw.stream.write_all(&[0; 1000]).unwrap();
            raw.hears_nothing();
            claims.push(raw);
        }
    }
    // Lengths within a structure move nothing at all.
    let mut raw = Raw::new(world.socket(), 4);
    let handle = raw.handle(&reader);
    for length in [265, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF] {
        let attribute = [words(&[handle, 0x0001_0100]), vec![0; 264], words(&[length, 0])].concat();
        let got = raw.call(0x0F, &attribute);
        assert_eq!((&got[8..16], word(&got, 272), word(&got, 276)), (&b"vreader\0"[..], 8, SUCCESS));
        assert_eq!(word(&raw.call(0x10, &attribute), 276), INSUFFICIENT_BUFFER);
    }
    witness.sees_nothing();
    drop(claims);
    witness.sees_nothing();
}

#[test]
fn a_slow_card_keeps_only_its_own_reader_waiting() {
    let gate = Arc::new(Barrier::new(2));
    let (world, slow) = world_with(Slots::Sixteen, Some(Box::new(SlowCard { gate: Arc::clone(&gate) })));
    let fast =
        world.readers().add(vreader::reader::ReaderSettings::new("Fast"), Some(Box::new(EchoCard))).unwrap();
    let mut witness = Witness::new(world.socket(), &fast);
    let mut raw = Raw::new(world.socket(), 4);
    let handle = raw.handle(&slow);
    raw.send(0x09, &words(&[handle, T1, 16, 1, 0, 16, 300, 0]));
    raw.stream.write_all(&[0x42]).unwrap();
    gate.wait();
    witness.sees_nothing();
    let mut listing = Raw::new(world.socket(), 4);
    listing.send(0x12, &[]);
    listing.receive(16 * 184);
    gate.wait();
    assert_eq!(word(&raw.receive(32), 28), SUCCESS);
    assert_eq!(raw.receive(2), [0x90, 0x00]);
}

/// Resident memory of a process in KiB (proc(5)).
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Threads of a process.
fn threads(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/task")).unwrap().count()
}

#[test]
fn memory_and_threads_do_not_grow() {
    let place = Place::new();
    let serving = place.serve(&["--empty"]);
    let process = serving.child.id();
    let idle = threads(process);
    let mut disorder = Disorder(0xBAD);
    let mut round = || {
        for number in 0..300 {
            let length = disorder.below(400);
            throw(&serving.socket, &disorder.bytes(length));
            throw(&serving.socket, &message(0x12, &[]).repeat(20));
            if number % 30 == 0 {
                throw(
                    &serving.socket,
                    &[message(0x09, &words(&[1, 2, 16, 100_000, 0, 16, 9, 0])), vec![7; 90_000]].concat(),
                );
            }
        }
        wait_for("all threads have ended", || (threads(process) == idle).then_some(()));
        memory(process)
    };
    round();
    let before = round();
    for _ in 0..5 {
        round();
    }
    let after = memory(process);
    assert!(after < before + 2048, "{before} KiB, then {after} KiB");
    assert_eq!(serving.end_by("TERM"), Some(0));
    place.is_clean();
}
