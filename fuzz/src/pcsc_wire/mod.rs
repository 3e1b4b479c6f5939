//! The PC/SC socket and clients that do what they like.
//!
//! One world lives as long as the program. A script is played by a few clients: requests with any numbers in their fields,
//! cut anywhere, with wrong sizes and lengths, noise, and hands that move cards meanwhile. What must hold:
//!
//! * A client that keeps to the protocol gets every answer, of the right size, and a command's answer is its own.
//! * A handle of another client cannot be used.
//! * Afterwards nothing is left of the clients: no thread, no handle, no context, no memory.
//! * Another client's handle is what it was, but for the reset and the removal that it is told of; new clients are served.

// The client and the card of the tests.
#[allow(dead_code, reason = "they have more than is needed here")]
#[path = "../../../vreader/tests/worlds/echo_card.rs"]
mod echo_card;
#[allow(dead_code, reason = "they have more than is needed here")]
#[path = "../../../vreader/tests/worlds/raw.rs"]
mod raw;

mod message;
mod peer;
mod step;
mod world;

use std::sync::Once;

use self::{
    peer::{Others, Peer},
    step::{CONNECTIONS, Hand, Step, script},
    world::Surroundings,
};

/// Bytes of the longest script; what comes behind them is not played.
pub const LONGEST: usize = step::MOST * step::LENGTH;

/// Plays one script.
pub fn play(input: &[u8]) {
    // What is made at the first use and kept is no leak: memory is compared with what is in use after a session.
    static USED: Once = Once::new();
    USED.call_once(|| play_script(&seeds().swap_remove(1).1));
    play_script(input);
}

fn play_script(input: &[u8]) {
    let mut world = Surroundings::get();
    let mut peers: [Option<Peer>; CONNECTIONS] = Default::default();
    // As soon as a transaction may be open, some calls of others may have to wait for its end.
    let mut transaction = false;
    for step in script(input) {
        match step {
            Step::Hand(hand) => world.touch(hand),
            Step::Close(connection) => peers[connection] = None,
            Step::Noise { connection, bytes } => {
                peers[connection].get_or_insert_with(|| world.peer()).send(&bytes);
            }
            Step::Request { connection, form, request } => {
                transaction |= request.command == 0x07;
                let mut peer = peers[connection].take().unwrap_or_else(|| world.peer());
                let others = Others::new(peers.iter().flatten(), &world.witness);
                if peer.request(request, form, &others, transaction) {
                    peers[connection] = Some(peer);
                }
            }
        }
    }
    peers.iter().flatten().for_each(Peer::finish);
    peers.into_iter().flatten().for_each(Peer::leave);
    world.is_unharmed();
}

/// Sessions of well-behaved clients, for the fuzzer to spoil.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let request = step::write;
    let hand = step::write_hand;
    // The fields are those of `message`: of CONNECT context, name, share mode, protocols; of TRANSMIT handle, protocol,
    // capacity, length, first byte.
    let begin = |connection, minor: u8| {
        [
            request(connection, 0x11, [0, minor - 3, 0, 0, 0]),
            request(connection, 0x01, [2, 0, 0, 0, 0]),
            request(connection, 0x04, [0, 0, 2, 3, 0]),
        ]
        .concat()
    };
    let transmit = |connection, length| request(connection, 0x09, [0, 2, 42, length, 0]);
    let end = |connection| {
        [request(connection, 0x06, [0, 0, 0, 0, 0]), request(connection, 0x02, [0, 0, 0, 0, 0])].concat()
    };
    let session = |steps: &[[u8; step::LENGTH]]| [begin(0, 4), steps.concat(), end(0)].concat();
    let seeds: [(&str, Vec<u8>); 9] = [
        ("empty", Vec::new()),
        ("commands", [begin(0, 4), transmit(0, 5).to_vec(), transmit(0, 69).to_vec(), end(0)].concat()),
        (
            "transactions",
            [
                [begin(0, 5), begin(1, 6)].concat(),
                [request(0, 0x07, [0; 5]), transmit(0, 5), transmit(1, 5), request(1, 0x07, [0; 5])].concat(),
                [request(0, 0x08, [0, 1, 0, 0, 0]), request(1, 0x0B, [0; 5])].concat(),
                [request(1, 0x05, [0, 2, 3, 0, 0]), transmit(1, 5)].concat(),
                [end(0), end(1)].concat(),
            ]
            .concat(),
        ),
        (
            "reader",
            session(&[
                request(0, 0x0A, [0, 0, 42, 1, 0]),
                request(0, 0x0A, [0, 1, 42, 2 + 4 * 31, 255]),
                request(0, 0x0A, [0, 2, 42, 3 + 4 * 44, 255]),
                request(0, 0x0F, [0, 1, 36, 0, 0]),
                request(0, 0x10, [0, 1, 36, 0, 0]),
            ]),
        ),
        ("states", session(&[0x12, 0x14, 0x15, 0x16, 0x17].map(|command| request(0, command, [0; 5])))),
        (
            "foreign",
            [begin(0, 4), begin(1, 4), request(0, 0x09, [0x80, 2, 42, 5, 0]).to_vec(), end(1)].concat(),
        ),
        ("witness", [begin(0, 4), request(0, 0x06, [0xC0, 1, 0, 0, 0]).to_vec()].concat()),
        (
            "waiting",
            [
                [begin(0, 3), begin(1, 4), begin(2, 6)].concat(),
                [request(0, 0x12, [0; 5]), request(0, 0x13, [0; 5]), request(1, 0x13, [0; 5])].concat(),
                [request(2, 0x13, [0; 5]), request(2, 0x16, [0; 5]), request(2, 0x17, [0; 5])].concat(),
                [hand(Hand::Remove), request(0, 0x14, [0; 5]), hand(Hand::Insert)].concat(),
                [request(1, 0x14, [0; 5]), request(2, 0x15, [0; 5]), request(1, 0x0D, [0x80, 0, 0, 0, 0])]
                    .concat(),
            ]
            .concat(),
        ),
        (
            "hands",
            session(&[
                hand(Hand::Reset),
                transmit(0, 5),
                request(0, 0x05, [0, 2, 3, 1, 0]),
                hand(Hand::Plug),
                request(0, 0x04, [0, 1, 1, 3, 0]),
                hand(Hand::Fail),
                request(0, 0x0B, [0; 5]),
                hand(Hand::Mend),
                hand(Hand::Unplug),
            ]),
        ),
    ];
    seeds.map(|(name, input)| (name.to_owned(), input)).into()
}
