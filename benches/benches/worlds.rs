//! Worlds as people use them: how long one takes to start, what many clients get done, what an idle one costs.
//!
//! The servers are `vreader serve` processes, and each client is a process of its own, with libpcsclite.

use std::{
    env, fs,
    io::{BufRead, BufReader, stdin},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use benches::{
    Report, at_90_percent,
    client::{Client, context, next_change},
    median, microseconds,
    program::{Daemon, Remote, vreader_program},
};

/// What this program is when it starts itself again.
const CLIENT: &str = "--client";

/// Costs the card next to nothing.
const SELECT: [u8; 10] = [0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08];

const STARTS: usize = 100;
const START_LIMIT: f64 = 10.0;

/// Commands of each client of a crowd.
const COMMANDS: u32 = 1000;

const IDLE: Duration = Duration::from_secs(5);
const MEMORY_LIMIT: f64 = 8.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, reader] = arguments.as_slice()
        && role == CLIENT
    {
        return client(reader);
    }
    let runtime = tempfile::tempdir().expect("a temporary folder");
    let mut report = Report::new("Worlds");
    starts(&mut report, runtime.path());
    crowds(&report, runtime.path());
    idle(&mut report, runtime.path());
    report.end()
}

/// `vreader run -- true` against `true`, in turns. The card is a new one in memory, made before.
fn starts(report: &mut Report, runtime: &Path) {
    let time = |command: &mut Command| {
        let begin = Instant::now();
        let status = command.status().expect("it starts");
        assert!(status.success(), "{command:?} failed");
        begin.elapsed().as_secs_f64() * 1e3
    };
    let (mut with, mut without) = (Vec::new(), Vec::new());
    // The first makes the card.
    time(vreader(runtime).args(["run", "--", "true"]));
    for _ in 0..STARTS {
        with.push(time(vreader(runtime).args(["run", "--", "true"])));
        without.push(time(&mut Command::new("true")));
    }
    let (with_median, without_median) = (median(&mut with), median(&mut without));
    report.note("true, median", without_median, "ms");
    report.note("vreader run -- true, median", with_median, "ms");
    report.note("vreader run -- true, 90 %", at_90_percent(&with), "ms");
    report.at_most("vreader run -- true, more than true", with_median - without_median, START_LIMIT, "ms");
}

/// The vreader program, whose sockets and ready-made cards are in this folder.
fn vreader(folder: &Path) -> Command {
    let mut command = Command::new(vreader_program());
    command.env("XDG_RUNTIME_DIR", folder).env("XDG_CACHE_HOME", folder);
    command
}

/// Many clients at a time. An error of one ends it, and this.
fn crowds(report: &Report, runtime: &Path) {
    let one = Server::start(runtime, &["--card", "piv"]);
    crowd(report, "1 client", &[(&one, 0)]);
    crowd(report, "64 clients, one reader", &[(&one, 0); 64]);
    drop(one);
    let sixteen = Server::start(runtime, &["--card", "piv"].repeat(16));
    let readers: Vec<_> = (0..16).map(|reader| (&sixteen, reader)).collect();
    crowd(report, "16 clients, 16 readers in one world", &readers);
    drop(sixteen);
    let worlds: Vec<_> = (0..64).map(|_| Server::start(runtime, &["--card", "piv"])).collect();
    let readers: Vec<_> = worlds.iter().map(|world| (world, 0)).collect();
    crowd(report, "64 clients, 64 worlds", &readers);
}

/// A client for each of these readers, all at a time.
fn crowd(report: &Report, what: &str, readers: &[(&Server, usize)]) {
    let mut clients: Vec<_> = readers.iter().map(|(world, reader)| world.client(*reader)).collect();
    all_answer(&mut clients, "ready");
    let begin = Instant::now();
    order_all(&mut clients, "go");
    all_answer(&mut clients, "done");
    let time = begin.elapsed().as_secs_f64();
    order_all(&mut clients, "leave");
    clients.into_iter().for_each(Remote::end);
    let commands = f64::from(COMMANDS * u32::try_from(readers.len()).expect("not that many"));
    report.note(&format!("{what}, no error"), commands / time / 1e3, "thousand commands/s");
}

fn order_all(clients: &mut [Remote], order: &str) {
    for client in clients {
        client.order(order);
    }
}

fn all_answer(clients: &mut [Remote], expected: &str) {
    for client in clients {
        assert_eq!(client.answer(), expected);
    }
}

/// A world with a card that a client has used, and with one that waits for changes.
fn idle(report: &mut Report, runtime: &Path) {
    let world = Server::start(runtime, &["--card", "piv"]);
    let mut client = world.client(0);
    assert_eq!(client.answer(), "ready");
    for (order, answer) in [("go", "done"), ("leave\nwait", "waiting")] {
        client.order(order);
        assert_eq!(client.answer(), answer);
    }
    // The card loses its power after 600 ms, and then there is nothing left to do.
    thread::sleep(Duration::from_secs(1));
    let before = world.cost();
    thread::sleep(IDLE);
    let after = world.cost();
    report.at_most(
        "an idle world, processor time",
        microseconds(after.0.saturating_sub(before.0)),
        0.0,
        "us",
    );
    report.at_most("an idle world, wake-ups", f64::from(after.1 - before.1), 0.0, "");
    report.at_most("an idle world, resident memory", world.memory(), MEMORY_LIMIT, "MB");
}

/// A `vreader serve`.
struct Server {
    process: Daemon,
    socket: PathBuf,
}

impl Server {
    fn start(runtime: &Path, options: &[&str]) -> Self {
        let mut serve = vreader(runtime);
        let mut child = serve
            .arg("serve")
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("vreader starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("the line for the shell");
        let (_, socket) = line.trim().split_once('=').expect("the line for the shell");
        Self { process: Daemon(child), socket: socket.into() }
    }

    fn client(&self, reader: usize) -> Remote {
        Remote::start(&[CLIENT, &format!("vreader {reader:02X} 00")], Some(&self.socket))
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.process.0.id().to_string()).join(name)
    }

    /// Processor time, and how often its threads have been given the processor (proc(5), schedstat).
    fn cost(&self) -> (Duration, u32) {
        let tasks = fs::read_dir(self.proc("task")).expect("the process runs");
        tasks.fold((Duration::ZERO, 0), |(time, turns), task| {
            let file = task.expect("a thread").path().join("schedstat");
            let text = fs::read_to_string(file).expect("a thread");
            let mut numbers = text.split_whitespace();
            let mut number = || numbers.next().expect("three numbers");
            let (nanoseconds, _, here) = (number(), number(), number());
            let nanoseconds = nanoseconds.parse().expect("a number");
            (time + Duration::from_nanos(nanoseconds), turns + here.parse::<u32>().expect("a number"))
        })
    }

    /// Resident memory in MB (proc(5), status).
    fn memory(&self) -> f64 {
        let status = fs::read_to_string(self.proc("status")).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024.0 / 1e6
    }
}

/// The client's side of [`Remote`]: one card, in one reader.
fn client(reader: &str) -> ExitCode {
    let context = context();
    let mut card = Some(Client::connect(&context, reader));
    println!("ready");
    for order in stdin().lines() {
        match (order.expect("a line").as_str(), &mut card) {
            ("go", Some(card)) => {
                for _ in 0..COMMANDS {
                    assert!(card.transmit(&SELECT).ends_with(&[0x90, 0x00]), "the card is selected");
                }
                println!("done");
            }
            ("leave", card) => card.take().expect("a card").leave(),
            ("wait", _) => {
                next_change(&context, reader, || println!("waiting"));
            }
            (order, _) => panic!("there is no order {order:?} now"),
        }
    }
    ExitCode::SUCCESS
}
