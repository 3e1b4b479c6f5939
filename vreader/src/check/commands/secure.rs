//! Secure messaging, pairing code and virtual contact interface (SP 800-73-5 part 2, section 4; part 1, 5.5).

use std::cell::Cell;

use card_sim::interface::Interface;

use super::{Assertion, Need, Stop, Trial, Tried, check, one_of};
use crate::{
    check::{
        evidence::Found,
        hand::{CheckError, command},
        look::template,
        outcome::{failed, hex, not_applicable},
    },
    crypto::DefaultCrypto,
    issue::tlv::elements,
    sm::{SecureChannel, SmError, Transport},
};

const ABOUT: &str = "Secure messaging";

pub(super) const ROWS: &[Assertion] = &[
    Assertion {
        id: "01.17",
        about: "Pairing code",
        text: "The pairing code is eight digits (also 01.18A-R4)",
        needs: &[Need::Pin],
        run: |trial| {
            let code = trial.pairing_code()?;
            check(
                code.len() == 8 && code.iter().all(u8::is_ascii_digit),
                || "eight digits".to_owned(),
                || hex(&code),
            )
        },
    },
    Assertion {
        id: "05.41-R4a",
        about: ABOUT,
        text: "A session is established with key 04: certificate chain and proof of the key hold",
        needs: &[Need::SecureMessaging],
        run: |trial| with_session(trial, |_| Ok(())),
    },
    Assertion {
        id: "05.41-R4b",
        about: ABOUT,
        text: "A protected GET DATA answers what a plain one does",
        needs: &[Need::SecureMessaging],
        run: |trial| {
            let plain = trial.get_data(CHUID)?;
            with_session(trial, |session| {
                let answer = session.transmit(&get_data(CHUID)).map_err(stop)?;
                one_of(answer.status, &[0x9000], "a protected GET DATA")?;
                let same = matches!(&plain, Found::Object(object) if *object == *answer.data);
                check(same, || "the same object".to_owned(), || hex(&answer.data))
            })
        },
    },
    Assertion {
        id: "05.41-R4c",
        about: ABOUT,
        text: "A command whose protection is wrong is answered with 6988 and ends the session",
        needs: &[Need::SecureMessaging],
        run: tampered,
    },
    Assertion {
        id: "05.41-R4d",
        about: ABOUT,
        text: "A protected command without a session is refused",
        needs: &[],
        run: |trial| {
            let data = [elements([(0x8E, &[0; 8])])].concat();
            let status = trial.status([0x0C, 0xCB, 0x3F, 0xFF], &data)?;
            one_of(status, &[0x6882, 0x6982, 0x6987, 0x6988], "a protected command without a session")
        },
    },
    Assertion {
        id: "05.42-R4a",
        about: ABOUT,
        text: "Only key 04 establishes sessions: a cipher suite with another key is answered with 6A86",
        needs: &[],
        run: |trial| {
            let data = template([(0x81, &[0; 74]), (0x82, &[])]);
            trial.expect([0x00, 0x87, 0x27, 0x9A], &data, &[0x6A86], "cipher suite 27 with the key 9A")
        },
    },
    Assertion {
        id: "05.42-R4b",
        about: ABOUT,
        text: "A point that is not on the curve is answered with 6A80",
        needs: &[Need::SecureMessaging],
        run: |trial| {
            // Whichever suite it has, the other one is not its.
            for (suite, length) in [(0x27, 74), (0x2E, 106)] {
                let mut challenge = vec![0x01; length];
                if let Some([control, .., _]) = challenge.first_chunk_mut::<10>() {
                    *control = 0x00;
                }
                if let Some(form) = challenge.get_mut(9) {
                    *form = 0x04;
                }
                let data = template([(0x81, &challenge), (0x82, &[])]);
                let what = format!("a point that is not on the curve of suite {suite:02X}");
                trial.expect([0x00, 0x87, suite, 0x04], &data, &[0x6A80, 0x6A86], &what)?;
            }
            Ok(())
        },
    },
    Assertion {
        id: "05.18b",
        about: "Virtual contact",
        text: "Over the contactless interface a session opens what needs the virtual contact interface, after pairing if the card asks for it",
        needs: &[Need::Contactless, Need::SecureMessaging],
        run: virtual_contact,
    },
    Assertion {
        id: "05.18A-R4",
        about: "Virtual contact",
        text: "Wrong PINs over the virtual contact interface leave tries for the contacts",
        needs: &[Need::Contactless, Need::SecureMessaging, Need::Pin, Need::Change],
        run: tries_for_contact,
    },
];

const CHUID: u32 = 0x5F_C102;
const CCC: u32 = 0x5F_C107;

fn get_data(tag: u32) -> Vec<u8> {
    let [_, name @ ..] = tag.to_be_bytes();
    command([0x00, 0xCB, 0x3F, 0xFF], &elements([(0x5C, &name)])).to_vec()
}

/// A session's failure is the card's; a broken transport is not.
fn stop(error: SmError<CheckError>) -> Stop {
    match error {
        SmError::Transport(error) => Stop::Error(error),
        error => match failed::<()>("a session of secure messaging", error.to_string()) {
            Err(miss) => Stop::Miss(miss),
            Ok(()) => Stop::Error(CheckError::Copy),
        },
    }
}

fn with_session(
    trial: &mut Trial<'_>,
    then: impl FnOnce(&mut SecureChannel<'_, super::Hand<'_>>) -> Tried,
) -> Tried {
    let mut crypto = DefaultCrypto::default();
    let mut session = SecureChannel::establish(&mut trial.card, &[], &mut crypto, trial.rng).map_err(stop)?;
    then(&mut session)
}

/// Flips a bit of the next protected command.
struct Flipping<'a, T> {
    card: &'a mut T,
    armed: &'a Cell<bool>,
}

impl<T: Transport> Transport for Flipping<'_, T> {
    type Error = T::Error;

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, T::Error> {
        let mut command = command.to_vec();
        if self.armed.replace(false)
            && let Some(end) = command.len().checked_sub(2)
            && let Some(byte) = command.get_mut(end)
        {
            // The last byte of the MAC, before Le.
            *byte ^= 0x01;
        }
        self.card.transmit(&command)
    }
}

fn tampered(trial: &mut Trial<'_>) -> Tried {
    let armed = Cell::new(false);
    let mut card = Flipping { card: &mut trial.card, armed: &armed };
    let mut crypto = DefaultCrypto::default();
    let mut session = SecureChannel::establish(&mut card, &[], &mut crypto, trial.rng).map_err(stop)?;
    armed.set(true);
    for (what, wanted) in [
        ("a command with a wrong MAC", &[0x6988][..]),
        ("the next protected command, the session being over", &[0x6987, 0x6988, 0x6882, 0x6982]),
    ] {
        match session.transmit(&get_data(CHUID)) {
            Err(SmError::Ended(status)) => one_of(status, wanted, what)?,
            Err(error) => return Err(stop(error)),
            Ok(answer) => {
                return Ok(failed(
                    format!("a refusal of {what}"),
                    format!("{:04X} within it", answer.status),
                )?);
            }
        }
    }
    Ok(())
}

fn virtual_contact(trial: &mut Trial<'_>) -> Tried {
    let Some(policy) = trial.policy().filter(|policy| policy.virtual_contact()) else {
        return Ok(not_applicable("the card has no virtual contact interface")?);
    };
    let code = policy.pairing_code().then(|| trial.pairing_code()).transpose()?;
    with_session(trial, |session| {
        if let Some(code) = code {
            let answer = session.transmit(&get_data(CCC)).map_err(stop)?;
            one_of(answer.status, &[0x6982], "a protected GET DATA before pairing")?;
            pair(session, &code)?;
        }
        let answer = session.transmit(&get_data(CCC)).map_err(stop)?;
        one_of(answer.status, &[0x9000], "a protected GET DATA over the virtual contact interface")
    })
}

fn pair(session: &mut SecureChannel<'_, super::Hand<'_>>, code: &[u8]) -> Tried {
    let answer = session.transmit(&command([0x00, 0x20, 0x00, 0x98], code)).map_err(stop)?;
    one_of(answer.status, &[0x9000], "the pairing code")
}

fn tries_for_contact(trial: &mut Trial<'_>) -> Tried {
    let Some(policy) = trial.policy().filter(|policy| policy.virtual_contact()) else {
        return Ok(not_applicable("the card has no virtual contact interface")?);
    };
    let code = policy.pairing_code().then(|| trial.pairing_code()).transpose()?;
    let wrong = trial.wrong_pin()?;
    with_session(trial, |session| {
        if let Some(code) = code {
            pair(session, &code)?;
        }
        for _ in 0..super::MOST_TRIES {
            let answer = session.transmit(&command(super::VERIFY_PIN, &wrong)).map_err(stop)?;
            match answer.status {
                0x6983 => return Ok(()),
                status if status & 0xFFF0 == 0x63C0 => {}
                status => return one_of(status, &[0x63C0, 0x6983], "a wrong PIN"),
            }
        }
        Ok(failed("6983 before the tries are used up", "16 wrong tries")?)
    })?;
    if !trial.card.present(Interface::Contact) {
        return Ok(not_applicable("the card cannot be moved to the contacts")?);
    }
    let status = trial.select(&super::PIV)?.status;
    one_of(status, &[0x9000], "SELECT through the contacts")?;
    let left = trial.tries()?;
    check(left > 0, || "tries that are left for the contacts".to_owned(), || "none".to_owned())
}
