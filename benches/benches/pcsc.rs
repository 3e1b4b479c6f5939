//! One command through libpcsclite and our socket: against a bare echo of the same bytes, and against Debian's pcscd with
//! our vpcd attachment and with a plain `vpicc` loop. And how soon a waiting program hears of a change.
//!
//! The card and the command are the same in all of them. libpcsclite looks once in a process's life where its socket is:
//! each attachment has a client process of its own, and they are measured in turns.

use std::{
    env,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use benches::{
    Report, at_90_percent,
    client::{Client, context, next_change},
    median, microseconds, pcscd,
    program::{Daemon, Remote, own_program},
};
use pcsc::State;
use vreader::{
    attach::vpcd::{Endpoint, Plug, reader_name},
    reader::{InsertedCard, Interface, ReaderSettings},
    run::{World, WorldSettings},
};

/// What this program is when it starts itself again.
const CLIENT: &str = "--client";
const ECHO: &str = "--echo";

/// Short rounds, so that all have the same share of what else the machine does. The plain loop takes 44 ms for a command.
const ROUNDS: usize = 100;
const PER_ROUND: usize = 50;
const ROUNDS_OF_PLAIN: usize = 2;
const CHANGES: usize = 200;

/// Longer than a client needs to fall asleep.
const ASLEEP: Duration = Duration::from_millis(3);

const ECHO_LIMIT: f64 = 2.0;
const VPCD_LIMIT: f64 = 3.0;
const PLAIN_LIMIT: f64 = 1000.0;
const CHANGE_LIMIT: f64 = 1000.0;

/// Sizes on the socket: TRANSMIT's header and structure with the command, and the structure before the answer.
const REQUEST: usize = 8 + 32 + 5;
const STRUCTURE: usize = 32;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [role] if role == ECHO => echo(),
        [role, reader] if role == CLIENT => client(reader),
        _ => pcscd::in_private_namespaces(measure),
    }
}

fn measure() -> ExitCode {
    let world = World::with(&WorldSettings::default()).expect("a world");
    let reader =
        world.readers().add(ReaderSettings::new("Bench"), Some(Box::new(Answers))).expect("a reader");
    let mut ours = Remote::start(&[CLIENT, &reader], Some(world.socket()));

    let _pcscd = pcscd::start();
    // It has nobody to tell.
    let plug = Plug::new(&Endpoint::default(), vec![Box::new(Answers)], |_, _| {}).expect("the first slot");
    pcscd::plain_loop(Box::new(Answers));
    let mut vpcd = Remote::start(&[CLIENT, &reader_name(0)], None);
    let mut plain = Remote::start(&[CLIENT, &reader_name(1)], None);

    let mut report = Report::new("One command through libpcsclite and our socket");
    for length in [2, 4096] {
        round_trips(&mut report, length, &mut ours, &mut vpcd, &mut plain);
    }
    changes(&mut report, &world, &reader, &mut ours);
    plug.stop();
    report.end()
}

/// A five-byte command with an answer of this length.
fn round_trips(report: &mut Report, length: usize, ours: &mut Remote, vpcd: &mut Remote, plain: &mut Remote) {
    let command = format!("card {length} {PER_ROUND}");
    let echo = format!("echo {length} {PER_ROUND}");
    let mut all: [Vec<f64>; 4] = Default::default();
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let [of_ours, of_echo, of_vpcd, of_plain] = &mut all;
        let (mut a, mut b) = (times(ours, &command), times(ours, &echo));
        ratios.push(median(&mut a) / median(&mut b));
        of_ours.extend(a);
        of_echo.extend(b);
        of_vpcd.extend(times(vpcd, &command));
        if round % ROUNDS_OF_PLAIN == 0 {
            of_plain.extend(times(plain, &format!("card {length} 1")));
        }
    }
    let medians = all.each_mut().map(|times| median(times));
    let names = ["our socket", "bare echo", "pcscd, vreader vpcd", "pcscd, plain vpicc loop"];
    println!("# 5 bytes to the card, {length} back");
    for ((name, times), median) in names.iter().zip(&all).zip(medians) {
        report.note(&format!("{name}, median"), median, "us");
        report.note(&format!("{name}, 90 %"), at_90_percent(times), "us");
    }
    let [ours, echo, vpcd, plain] = medians;
    report.at_most("our socket / bare echo", ours / echo, ECHO_LIMIT, "x");
    ratios.sort_by(f64::total_cmp);
    for (which, place) in
        [("a tenth of the rounds is below", ROUNDS / 10), ("a tenth is above", ROUNDS * 9 / 10)]
    {
        report.note(&format!("the same, {which}"), ratios[place], "x");
    }
    report.at_least("pcscd, vreader vpcd / our socket", vpcd / ours, VPCD_LIMIT, "x");
    report.at_least("pcscd, plain vpicc loop / our socket", plain / ours, PLAIN_LIMIT, "x");
}

/// From a change until a program that waits in SCardGetStatusChange has told us of it through a pipe.
fn changes(report: &mut Report, world: &World, reader: &str, client: &mut Remote) {
    let mut times = Vec::new();
    for _ in 0..CHANGES / 2 {
        for insert in [false, true] {
            client.order("wait");
            client.answer();
            thread::sleep(ASLEEP);
            let begin = Instant::now();
            let readers = world.readers();
            if insert { readers.insert(reader, None) } else { readers.remove(reader) }.expect("a change");
            let seen = client.answer();
            times.push(microseconds(begin.elapsed()));
            assert_eq!(seen == "card", insert, "the client sees the card come and go");
        }
    }
    println!("# a card comes or goes");
    report.at_most("until SCardGetStatusChange returns, median", median(&mut times), CHANGE_LIMIT, "us");
    report.note("the same, 90 %", at_90_percent(&times), "us");
}

/// Answers `XX XX P1 P2 XX` with as many bytes as P1 and P2 say, of which 9000 are the last.
struct Answers;

impl Answers {
    /// The command that is answered with so many bytes.
    fn command(length: usize) -> [u8; 5] {
        let [p1, p2] = u16::try_from(length).expect("a short answer").to_be_bytes();
        [0x00, 0xCA, p1, p2, 0x00]
    }
}

impl InsertedCard for Answers {
    fn atr(&self) -> &[u8] {
        // T=1 and nothing else.
        &[0x3B, 0x80, 0x01, 0x81]
    }

    fn power_on(&mut self, _: Interface) {}

    fn power_off(&mut self) {}

    fn reset(&mut self) {}

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let [_, _, p1, p2, _] = *command else { return vec![0x67, 0x00] };
        let length = usize::from(u16::from_be_bytes([p1, p2]));
        let mut answer = Vec::with_capacity(length);
        answer.resize(length.saturating_sub(2), 0);
        answer.extend([0x90, 0x00]);
        answer
    }
}

/// Times that a client measures.
fn times(client: &mut Remote, order: &str) -> Vec<f64> {
    client.order(order);
    client.answer().split(' ').map(|time| time.parse().expect("a number")).collect()
}

/// The client's side of [`Remote`].
fn client(reader: &str) -> ExitCode {
    let context = context();
    let mut card = Client::connect(&context, reader);
    let mut echo = EchoClient::start();
    for order in io::stdin().lines() {
        let order = order.expect("a line");
        let words: Vec<&str> = order.split(' ').collect();
        let number = |word: &str| word.parse::<usize>().expect("a number");
        match words.as_slice() {
            ["card", length, count] => {
                let (command, length) = (Answers::command(number(length)), number(length));
                assert_eq!(card.transmit(&command).len(), length);
                print_times((0..number(count)).map(|_| card.time(&command)));
            }
            ["echo", length, count] => {
                let length = STRUCTURE + number(length);
                echo.time(length);
                print_times((0..number(count)).map(|_| echo.time(length)));
            }
            ["wait"] => {
                let state = next_change(&context, reader, || println!("waiting"));
                println!("{}", if state.contains(State::PRESENT) { "card" } else { "none" });
            }
            _ => panic!("there is no order {order:?}"),
        }
    }
    ExitCode::SUCCESS
}

fn print_times(times: impl Iterator<Item = f64>) {
    let times: Vec<String> = times.map(|time| time.to_string()).collect();
    println!("{}", times.join(" "));
}

/// Asks a process that does nothing but answer.
struct EchoClient {
    stream: UnixStream,
    buffer: Vec<u8>,
    _process: Daemon,
}

impl EchoClient {
    fn start() -> Self {
        let (stream, theirs) = UnixStream::pair().expect("two sockets");
        let mut program = Command::new(own_program());
        let child = program.arg(ECHO).stdin(OwnedFd::from(theirs)).spawn().expect("this program starts");
        Self { stream, buffer: vec![0; 8 * 1024], _process: Daemon(child) }
    }

    /// How long it takes to get `length` bytes for a request, in microseconds.
    fn time(&mut self, length: usize) -> f64 {
        let begin = Instant::now();
        let mut request = [0; REQUEST];
        request[..4].copy_from_slice(&u32::try_from(length).expect("a short answer").to_ne_bytes());
        self.stream.write_all(&request).expect("the echo reads");
        self.stream.read_exact(&mut self.buffer[..length]).expect("the echo answers");
        microseconds(begin.elapsed())
    }
}

/// The other side of [`EchoClient`]: one read and one write for each answer.
fn echo() -> ExitCode {
    let socket = io::stdin().as_fd().try_clone_to_owned().expect("a socket");
    let mut stream = UnixStream::from(socket);
    let mut buffer = [0; 8 * 1024];
    while let Ok(REQUEST) = stream.read(&mut buffer) {
        let length = u32::from_ne_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
        let answer = usize::try_from(length).ok().and_then(|length| buffer.get(..length));
        stream.write_all(answer.expect("a short answer")).expect("the client reads");
    }
    ExitCode::SUCCESS
}
