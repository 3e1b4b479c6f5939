//! One APDU through Debian's pcscd and vpcd: our attachment against a plain `vpicc` loop with the same card.
//!
//! pcscd runs in a private network and mount namespace, in which this program starts itself again; the
//! machine's own pcscd is not touched. Both cards are measured in turns, by a client of libpcsclite.

use std::{
    env,
    io::{self, Write},
    net::TcpStream,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use benches::{Report, median, microseconds};
use card_sim::profile::PIV;
use pcsc::{Card, Context, Protocols, ReaderState, Scope, ShareMode, State};
use vpicc::VSmartCard;
use vreader::{
    attach::vpcd::{DEFAULT_PORT, Endpoint, Plug, reader_name},
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    issue::{Request, issue},
    reader::InsertedCard,
};

/// Tells the second start of this program that it is in the private namespaces.
const INSIDE: &str = "--inside-the-private-world";
/// What the first process in the namespaces does before it becomes this program.
const PREPARE: &str = "ip link set lo up && mount -t tmpfs tmpfs /run && mkdir /run/pcscd && exec \"$@\"";

const SELECT: &str = "00A404000BA00000030800001000010000";
const GET_DATA: &str = "00CB3FFF055C035FC10200";

/// Measurements: in each round many of ours and, as each takes 44 ms, a few of the plain loop.
const ROUNDS: usize = 25;
const OURS_PER_ROUND: usize = 200;
const PLAIN_PER_ROUND: usize = 4;

const MEDIAN_LIMIT: f64 = 120.0;
const RATIO_LIMIT: f64 = 200.0;

fn main() -> ExitCode {
    if env::args().any(|argument| argument == INSIDE) {
        return measure();
    }
    let program = env::current_exe().expect("a running program has a path");
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !rootly() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let path = format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default());
    match unshare.args(["--", "sh", "-c", PREPARE, "sh"]).arg(program).arg(INSIDE).env("PATH", path).status()
    {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot start unshare: {error}; run tools/install-clients");
            ExitCode::FAILURE
        }
    }
}

/// Whether namespaces need no user namespace around them.
fn rootly() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// A program that ends with its handle.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn measure() -> ExitCode {
    let pcscd = Command::new("pcscd").args(["--foreground", "--critical"]).stdin(Stdio::null()).spawn();
    let _pcscd = match pcscd {
        Ok(child) => Daemon(child),
        Err(error) => {
            eprintln!("cannot start pcscd: {error}; run tools/install-clients");
            return ExitCode::FAILURE;
        }
    };
    let plug = Plug::new(&Endpoint::default(), vec![Box::new(sample_card())], |slot, event| {
        println!("# {}", event.in_words(slot));
        // The figures are what matters; a closed output shows there.
        let _ = io::stdout().flush();
    })
    .expect("the first slot has a port");
    thread::spawn(plain_loop);

    let mut report = Report::new("One APDU through Debian's pcscd and vpcd");
    let context = wait_for("pcscd", || Context::establish(Scope::User).ok());
    let mut ours = Reader::connect(&context, 0);
    let mut plain = Reader::connect(&context, 1);
    let answer = ours.transmit(SELECT);
    assert!(answer.ends_with(&[0x90, 0x00]), "the card is selected: {answer:02X?}");
    assert_eq!(answer, plain.transmit(SELECT), "both are the same card");

    for _ in 0..ROUNDS {
        (0..OURS_PER_ROUND).for_each(|_| ours.time(SELECT));
        (0..PLAIN_PER_ROUND).for_each(|_| plain.time(SELECT));
    }
    let (ours_median, plain_median) = (median(&mut ours.times), median(&mut plain.times));
    report.at_most("SELECT, vreader vpcd, median", ours_median, MEDIAN_LIMIT, "us");
    report.note("SELECT, vreader vpcd, 90 %", at_90_percent(&ours.times), "us");
    report.note("SELECT, plain vpicc loop, median", plain_median, "us");
    report.note("SELECT, plain vpicc loop, 90 %", at_90_percent(&plain.times), "us");
    report.at_least("plain loop / vreader vpcd, medians", plain_median / ours_median, RATIO_LIMIT, "x");

    ours.times.clear();
    (0..ROUNDS * OURS_PER_ROUND).for_each(|_| ours.time(GET_DATA));
    report.note("GET DATA, 256 bytes, vreader vpcd, median", median(&mut ours.times), "us");
    drop(ours);
    plug.stop();
    report.end()
}

/// The same sample card each time.
fn sample_card() -> EmulatedCard {
    let request = Request { seed: Some(1), ..Request::default() };
    let issued = issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).expect("a sample card");
    EmulatedCard::in_memory(&PIV, PIV.default_tries, &issued).expect("the card fits its memory")
}

/// The card in a loop as `vpicc` documents it, in the second slot.
fn plain_loop() {
    let stream = wait_for("vpcd", || TcpStream::connect(("127.0.0.1", DEFAULT_PORT + 1)).ok());
    let mut card = Plain(sample_card());
    // It ends when pcscd does.
    let _ = vpicc::Connection::from(stream).run(&mut card);
}

struct Plain(EmulatedCard);

impl VSmartCard for Plain {
    fn atr(&self) -> &[u8] {
        self.0.atr()
    }

    fn power_on(&mut self) {
        self.0.power_on();
    }

    fn power_off(&mut self) {
        self.0.power_off();
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn execute(&mut self, command: &[u8]) -> Vec<u8> {
        self.0.transmit(command)
    }
}

/// A card as a PC/SC program has it, and the times of its answers in microseconds.
struct Reader {
    card: Card,
    times: Vec<f64>,
}

impl Reader {
    /// Waits for the card of a slot and connects to it.
    fn connect(context: &Context, slot: usize) -> Self {
        let name = std::ffi::CString::new(reader_name(slot)).expect("the name has no NUL");
        let mut states = [ReaderState::new(name.clone(), State::UNAWARE)];
        wait_for("the card", || {
            states[0].sync_current_state();
            // A reader that is not there yet is an error, a card that is not there yet the end of the time.
            let _ = context.get_status_change(Duration::from_millis(100), &mut states);
            states[0].event_state().contains(State::PRESENT).then_some(())
        });
        let card =
            context.connect(&name, ShareMode::Shared, Protocols::ANY).expect("the card can be connected");
        Self { card, times: Vec::new() }
    }

    fn transmit(&self, command: &str) -> Vec<u8> {
        let command = hex::decode(command).expect("the commands are hex");
        let mut buffer = [0; 512];
        self.card.transmit(&command, &mut buffer).expect("an answer").to_vec()
    }

    fn time(&mut self, command: &str) {
        let command = hex::decode(command).expect("the commands are hex");
        let mut buffer = [0; 512];
        let begin = Instant::now();
        self.card.transmit(&command, &mut buffer).expect("an answer");
        self.times.push(microseconds(begin.elapsed()));
    }
}

/// The value that nine of ten sorted measurements do not exceed.
fn at_90_percent(sorted: &[f64]) -> f64 {
    sorted[sorted.len() * 9 / 10]
}

/// Waits for a condition, looking often.
fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "waited 30 s in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
