//! Secure messaging: key establishment beside the key agreement that is in it, and a protected GET DATA of 2 KB beside a
//! plain one, in process and through libpcsclite and our socket.
//!
//! In process a plain read is a copy of 2 KB, and no cipher comes near that: there the measure is OpenSSL's AES in CBC mode
//! and CMAC over the same bytes. Where programs are, beyond a socket, it is the plain read.

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    env,
    hint::black_box,
    io,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use benches::{
    Report,
    client::{Client, context},
    median, microseconds,
    program::Remote,
    time_per_call,
};
use card_sim::{crypto::Crypto, key::PrivateKey, profile, sm::CipherSuite};
use openssl::{
    pkey::{PKey, Private},
    sign::Signer,
    symm::{Cipher, encrypt},
};
use vreader::{
    crypto::{DefaultCrypto, backend_name},
    emulated::EmulatedCard,
    issue::{Features, Request, SecureMessaging, issue},
    random,
    reader::{InsertedCard, Interface, ReaderSettings},
    run::{World, WorldSettings},
    sm::{Local, SecureChannel, Transport, whole_answer},
};

/// What this program is when it starts itself again.
const CLIENT: &str = "--client";

const SUITES: [(&str, CipherSuite); 2] = [("CS2", CipherSuite::Cs2), ("CS7", CipherSuite::Cs7)];

/// Turns of all candidates, and the time that each gets in a turn.
const TURNS: usize = 31;
const TURN: Duration = Duration::from_millis(5);
/// The same beyond the socket: commands in a turn.
const PER_TURN: u32 = 20;

/// The card's key establishment may take this many times a bare key agreement.
const ESTABLISHMENT_LIMIT: f64 = 1.5;
/// A protected read in process may take this many times OpenSSL's encryption and code.
const CIPHER_LIMIT: f64 = 1.5;
/// A protected read through the socket may take this many times a plain one.
const READ_LIMIT: f64 = 1.5;

/// GET DATA of the object of 2 KB.
const GET_DATA: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x02, 0x00];
const OBJECT: u32 = 0x5F_C102;
const LENGTH: usize = 2048;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, reader] = arguments.as_slice()
        && role == CLIENT
    {
        return client(reader);
    }
    let mut report = Report::new("Secure messaging");
    for (name, suite) in SUITES {
        println!("# {name}, in process, on {}", backend_name());
        establishment(&mut report, name, suite);
        read(&mut report, name, suite);
        println!("# {name}, through libpcsclite and our socket");
        beyond_the_socket(&mut report, name, suite);
    }
    report.end()
}

/// A card with secure messaging and an object of 2 KB that everybody may read.
fn card(suite: CipherSuite) -> EmulatedCard {
    let secure_messaging = Some(SecureMessaging { suite, intermediate: false });
    let features = Features { secure_messaging, ..Features::default() };
    let request = Request { seed: Some(1), features, ..Request::default() };
    let mut issued = issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).expect("a sample card");
    let (_, object) = issued.objects.iter_mut().find(|(tag, _)| tag.get() == OBJECT).expect("a CHUID");
    *object = [&[0x53, 0x82, 0x08, 0x00][..], &[0x5A; LENGTH]].concat();
    let mut card = EmulatedCard::in_memory(&profile::PIV, 3, &issued).expect("it fits");
    card.power_on(Interface::Contact);
    card
}

/// Establishes a session, which checks the card's certificate as well.
fn session<T: Transport<Error = Infallible>>(transport: &mut T) -> SecureChannel<'_, T> {
    let mut rng = random::from_seed("bench", 0);
    SecureChannel::establish(transport, &[], &mut DefaultCrypto::default(), &mut rng)
        .unwrap_or_else(|error| panic!("no session: {error}"))
}

/// A carrier of commands that remembers the last GENERAL AUTHENTICATE, and how long the card took for all commands.
struct Watch<T> {
    transport: T,
    taken: Rc<Cell<Duration>>,
    authenticate: Rc<RefCell<Vec<u8>>>,
}

impl<T: Transport> Watch<T> {
    fn new(transport: T) -> Self {
        Self { transport, taken: Rc::default(), authenticate: Rc::default() }
    }
}

impl<T: Transport> Transport for Watch<T> {
    type Error = T::Error;

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, T::Error> {
        if command.get(1) == Some(&0x87) {
            self.authenticate.replace(command.to_vec());
        }
        let begin = Instant::now();
        let answer = self.transport.transmit(command);
        self.taken.set(self.taken.get() + begin.elapsed());
        answer
    }
}

/// Makes short commands extended ones, so that an answer comes in one piece.
struct Extended<'a, T>(&'a mut T);

impl<T: Transport> Transport for Extended<'_, T> {
    type Error = T::Error;

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, T::Error> {
        self.0.transmit(&extended(command))
    }
}

/// The same command with extended lengths.
fn extended(command: &[u8]) -> Vec<u8> {
    let (header, rest) = command.split_at(4);
    let (length, rest) = rest.split_first().expect("a command with data");
    [header, &[0x00, 0x00, *length], rest, &[0x00]].concat()
}

/// The card's part of key establishment against one key agreement, and what a whole one takes with the host's part.
fn establishment(report: &mut Report, name: &str, suite: CipherSuite) {
    let mut card = card(suite);
    // The same command again and again: the host's key may be anything.
    let mut watch = Watch::new(Local(&mut card));
    session(&mut watch);
    let command = watch.authenticate.take();
    let point = &command[command.len() - 3 - suite.point_length()..][..suite.point_length()];
    let mut crypto = DefaultCrypto::default();
    let key = PrivateKey::ecc(suite.curve(), &vec![0x21; suite.curve().size()]).expect("a key");
    let mut shared = vec![0; suite.curve().size()];

    let mut times = [const { Vec::new() }; 3];
    for _ in 0..TURNS {
        let [of_bare, of_card, of_both] = &mut times;
        of_bare.push(time(|| crypto.ecdh(black_box(&key), point, &mut shared).expect("both are valid")));
        of_card.push(time(|| {
            let answer = card.card().transmit(black_box(&command));
            assert!(answer.data.len() > suite.point_length(), "no session: {:?}", answer.status);
        }));
        of_both.push(time(|| drop(black_box(session(&mut Local(&mut card))))));
    }
    let ratio = ratio(&times[1], &times[0]);
    let [bare, of_card, both] = times.each_mut().map(|times| median(times));
    report.note(&format!("{name}: key agreement alone"), bare, "us");
    report.note(&format!("{name}: key establishment, card"), of_card, "us");
    report.note(&format!("{name}: card and host, certificates checked"), both, "us");
    report.at_most(&format!("{name}: card / key agreement alone"), ratio, ESTABLISHMENT_LIMIT, "x");
}

/// The card's part of a protected GET DATA of 2 KB in one extended answer, against a plain one, and against OpenSSL.
fn read(report: &mut Report, name: &str, suite: CipherSuite) {
    let mut card = card(suite);
    let plain = extended(&GET_DATA);
    let cipher = OpenSsl::new(suite);

    let mut times = [const { Vec::new() }; 4];
    for _ in 0..TURNS {
        let [of_plain, of_protected, of_openssl, of_both] = &mut times;
        of_plain.push(time(|| {
            assert!(card.card().transmit(black_box(&plain)).data.len() > LENGTH);
        }));
        let mut local = Local(&mut card);
        let mut watch = Watch::new(Extended(&mut local));
        let taken = watch.taken.clone();
        let mut channel = session(&mut watch);
        taken.take();
        of_both.push(microseconds(mean(|| read_protected(&mut channel))));
        of_protected.push(microseconds(taken.get()) / f64::from(PER_TURN));
        of_openssl.push(time(|| cipher.protect()));
    }
    let ratio = ratio(&times[1], &times[2]);
    let [plain, protected, openssl, both] = times.each_mut().map(|times| median(times));
    report.note(&format!("{name}: plain read of 2 KB"), plain, "us");
    report.note(&format!("{name}: OpenSSL's CBC and CMAC over 2 KB"), openssl, "us");
    report.note(&format!("{name}: protected read of 2 KB, card"), protected, "us");
    report.note(&format!("{name}: card and host"), both, "us");
    report.at_most(&format!("{name}: card / OpenSSL"), ratio, CIPHER_LIMIT, "x");
}

/// OpenSSL's part in the same work.
struct OpenSsl {
    cipher: Cipher,
    key: Vec<u8>,
    code_key: PKey<Private>,
    bytes: Vec<u8>,
}

impl OpenSsl {
    fn new(suite: CipherSuite) -> Self {
        let cipher = match suite {
            CipherSuite::Cs2 => Cipher::aes_128_cbc(),
            CipherSuite::Cs7 => Cipher::aes_256_cbc(),
        };
        let key = vec![0x21; cipher.key_len()];
        let code_key = PKey::cmac(&cipher, &key).expect("a key for codes");
        Self { cipher, key, code_key, bytes: vec![0x5A; LENGTH] }
    }

    fn protect(&self) {
        let encrypted = encrypt(self.cipher, &self.key, Some(&[0; 16]), black_box(&self.bytes)).expect("AES");
        let mut signer = Signer::new_without_digest(&self.code_key).expect("CMAC");
        black_box(signer.sign_oneshot_to_vec(&encrypted).expect("a code"));
    }
}

/// A program reads from the card, plain and protected in turns: in parts of 256 bytes as most do, and in one.
fn beyond_the_socket(report: &mut Report, name: &str, suite: CipherSuite) {
    let world = World::with(&WorldSettings::default()).expect("a world");
    let settings = ReaderSettings::new("Bench");
    let reader = world.readers().add(settings, Some(Box::new(card(suite)))).expect("a reader");
    let mut client = Remote::start(&[CLIENT, &reader], Some(world.socket()));
    let mut all = ORDERS.map(|_| Vec::new());
    for _ in 0..TURNS {
        for (order, times) in ORDERS.iter().zip(&mut all) {
            client.order(order);
            times.push(client.answer().parse().expect("a number"));
        }
    }
    let medians = all.each_mut().map(|times| median(&mut times.clone()));
    for (order, median) in ORDERS.iter().zip(medians) {
        report.note(&format!("{name}: {order}"), median, "us");
    }
    let [_, plain_parts, protected_parts, plain_whole, protected_whole] = &all;
    let what = format!("{name}: protected / plain, 2 KB in parts");
    report.at_most(&what, ratio(protected_parts, plain_parts), READ_LIMIT, "x");
    let what = format!("{name}: protected / plain, 2 KB in one");
    report.at_most(&what, ratio(protected_whole, plain_whole), READ_LIMIT, "x");
}

/// What a client is told to do.
const ORDERS: [&str; 5] =
    ["key establishment", "plain in parts", "protected in parts", "plain in one", "protected in one"];

/// The client's side of [`Remote`].
fn client(reader: &str) -> ExitCode {
    let mut card = Pcsc(Client::connect(&context(), reader));
    for order in io::stdin().lines() {
        let taken = match order.expect("a line").as_str() {
            "key establishment" => mean(|| drop(session(&mut card))),
            "plain in parts" => mean(|| read_plain(&mut card)),
            "protected in parts" => mean_protected(&mut card),
            "plain in one" => mean(|| read_plain(&mut Extended(&mut card))),
            "protected in one" => mean_protected(&mut Extended(&mut card)),
            other => panic!("there is no order {other:?}"),
        };
        println!("{}", microseconds(taken));
    }
    ExitCode::SUCCESS
}

/// A card through libpcsclite.
struct Pcsc(Client);

impl Transport for Pcsc {
    type Error = Infallible;

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Infallible> {
        Ok(self.0.transmit(command).to_vec())
    }
}

fn read_plain(transport: &mut impl Transport<Error = Infallible>) {
    let Ok(answer) = whole_answer(transport, &GET_DATA);
    assert!(answer.is_success() && answer.data.len() > LENGTH);
}

fn mean_protected(transport: &mut impl Transport<Error = Infallible>) -> Duration {
    let mut channel = session(transport);
    mean(|| read_protected(&mut channel))
}

fn read_protected(channel: &mut SecureChannel<'_, impl Transport<Error = Infallible>>) {
    assert!(channel.transmit(&GET_DATA).expect("an answer").data.len() > LENGTH);
}

/// The mean of a turn.
fn mean(mut work: impl FnMut()) -> Duration {
    let begin = Instant::now();
    for _ in 0..PER_TURN {
        work();
    }
    begin.elapsed() / PER_TURN
}

fn time(work: impl FnMut()) -> f64 {
    microseconds(time_per_call(TURN, work))
}

/// The median of the ratios of the turns.
fn ratio(these: &[f64], those: &[f64]) -> f64 {
    median(&mut these.iter().zip(those).map(|(this, that)| this / that).collect::<Vec<_>>())
}
