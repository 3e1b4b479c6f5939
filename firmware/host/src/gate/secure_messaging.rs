//! Secure messaging: key establishment by the card's key, and protected commands by session keys, PIN and code.
//!
//! A session's keys come from the card's key and the host's, and both are other ones in each run; what a host proves or
//! presents wrongly must take as long at each place.

use card_sim::{
    key::{AsymmetricAlgorithm, KeyReference, PrivateKey},
    sm::CipherSuite,
};
use vectors::oracle::secure_messaging::{Host, request};

use super::{Bench, Form};
use crate::{
    machine::{Flash, Machine, MachineError, Message},
    sample::{self, Sample, random},
};

/// What the rows of a suite are called.
struct Rows {
    establishment: &'static str,
    plain_read: &'static str,
    read: &'static str,
    right: &'static str,
    wrong_digit: &'static str,
    wrong_code: &'static str,
}

const CS2: Rows = Rows {
    establishment: "CS2: key establishment",
    plain_read: "GET DATA of 1,856 bytes, plain",
    read: "CS2: GET DATA of 1,856 bytes",
    right: "CS2: VERIFY, right",
    wrong_digit: "CS2: VERIFY, by the wrong digit",
    wrong_code: "CS2: VERIFY, by the code's wrong byte",
};

const CS7: Rows = Rows {
    establishment: "CS7: key establishment",
    plain_read: CS2.plain_read,
    read: "CS7: GET DATA of 1,856 bytes",
    right: "CS7: VERIFY, right",
    wrong_digit: "CS7: VERIFY, by the wrong digit",
    wrong_code: "CS7: VERIFY, by the code's wrong byte",
};

/// GET DATA of the certificate for PIV authentication.
const READ: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x05, 0x00];

/// Where the code begins, from the end of a short command: before it are its tag and length, behind it is Le.
const CODE: usize = 9;

impl Bench<'_> {
    /// Everything of a suite.
    pub(super) fn secure_messaging(&mut self, suite: CipherSuite) -> Result<(), MachineError> {
        let rows = match suite {
            CipherSuite::Cs2 => CS2,
            CipherSuite::Cs7 => CS7,
        };
        for scalar in sample::scalars(suite.curve()) {
            let flash = card(suite.curve(), &scalar);
            let mut session = self.session(suite, &flash, rows.establishment)?;
            session.ask(self, rows.plain_read, &READ, false)?;
            assert_eq!(session.ask(self, rows.read, &READ, true)?, [0x90, 0x00]);
            assert_eq!(session.ask(self, rows.right, &sample::verify(sample::PIN), true)?, [0x90, 0x00]);
            self.measured.memory = self.measured.memory.or_more(session.board.memory_used()?);
        }
        let flash = card(suite.curve(), &random(5)[..suite.curve().size()]);
        for place in 0..sample::PIN.len() {
            let mut wrong = sample::PIN;
            wrong[place] = b'0';
            let mut session = self.session(suite, &flash, rows.establishment)?;
            let status = session.ask(self, rows.wrong_digit, &sample::verify(wrong), true)?;
            assert_eq!(status, [0x63, 0xC2], "inside the answer");
        }
        for place in 0..8 {
            let mut session = self.session(suite, &flash, rows.establishment)?;
            let mut command = session.host.protect(&sample::verify(sample::PIN)).expect("a command");
            let at = command.len() - CODE + place;
            command[at] ^= 0x01;
            let answer = session.board.transmit(&command)?;
            assert_eq!(answer, [0x69, 0x88], "the code is wrong");
            let instructions = session.board.instructions()?;
            self.add(rows.wrong_code, Form::new(), instructions);
        }
        Ok(())
    }

    /// A new board with this flash, on which a session is established, which is measured.
    fn session(
        &mut self,
        suite: CipherSuite,
        flash: &[u8],
        what: &'static str,
    ) -> Result<Session, MachineError> {
        let flash = Flash::new(flash)?;
        let mut board = Machine::start(self.firmware, &flash)?;
        board.tell(Message::PowerOn)?;
        let scalar = &random(9)[..suite.curve().size()];
        let point = sample::point(suite.curve(), scalar);
        let request = request(suite.id(), &point).expect("a point of its length");
        let mut answer = board.transmit(&request)?;
        let instructions = board.instructions()?;
        rest(&mut board, &mut answer)?;
        let data = answer.strip_suffix(&[0x90, 0x00]).expect("key establishment succeeds");
        let host = Host::established(suite.id(), scalar, &point, data).expect("the card proves its key");
        self.add(what, vec![data.len()], instructions);
        Ok(Session { board, host, _flash: flash })
    }
}

/// A board and the host's half of a session with it.
struct Session {
    board: Machine,
    host: Host,
    _flash: Flash,
}

impl Session {
    /// Measures a command, plain or protected, and gives its status word.
    fn ask(
        &mut self,
        bench: &mut Bench<'_>,
        what: &'static str,
        command: &[u8],
        protected: bool,
    ) -> Result<[u8; 2], MachineError> {
        let sent = if protected { self.host.protect(command).expect("a command") } else { command.to_vec() };
        let mut answer = self.board.transmit(&sent)?;
        let instructions = self.board.instructions()?;
        rest(&mut self.board, &mut answer)?;
        if protected {
            let data = answer.strip_suffix(&[0x90, 0x00]).expect("a protected answer");
            answer = self.host.open(data).expect("an answer of this session");
        }
        bench.add(what, vec![answer.len()], instructions);
        Ok(*answer.last_chunk().expect("a status word"))
    }
}

/// Fetches what is left of an answer.
fn rest(board: &mut Machine, answer: &mut Vec<u8>) -> Result<(), MachineError> {
    while let Some(&[0x61, more]) = answer.last_chunk() {
        answer.truncate(answer.len() - 2);
        answer.extend(board.transmit(&[0x00, 0xC0, 0x00, 0x00, more])?);
    }
    Ok(())
}

/// The flash of a card with every object, and with this key for secure messaging.
fn card(algorithm: AsymmetricAlgorithm, scalar: &[u8]) -> Vec<u8> {
    let key = PrivateKey::ecc(algorithm, scalar).expect("a scalar of its length");
    let certificate = sample::card_verifiable_certificate(&sample::point(algorithm, scalar));
    let keys = vec![(KeyReference::SecureMessaging, key)];
    Sample { keys, full: true, certificate: Some(certificate), ..Sample::default() }.flash()
}
