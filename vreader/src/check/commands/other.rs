//! Assertions about algorithms and the Global PIN, and those that no command to a card can show.

use super::{
    Assertion, Need, Trial, Tried, authenticate::algorithm_of_key, check, one_of, select::CARD_MANAGER,
};
use crate::check::{
    evidence::Found,
    look::{PIV, template},
    outcome::not_applicable,
};

const VERIFY_GLOBAL: [u8; 4] = [0x00, 0x20, 0x00, 0x00];

pub(super) const ROWS: &[Assertion] = &[
    Assertion {
        id: "01.16A-R4",
        about: "SELECT",
        text: "SELECT of another application leaves the status of the Global PIN as it is",
        needs: &[Need::GlobalPin],
        run: |trial| {
            log_in(trial)?;
            if trial.select(&CARD_MANAGER)?.status != 0x9000 {
                return Ok(not_applicable(super::select::NO_OTHER_APPLICATION)?);
            }
            let status = trial.select(&PIV)?.status;
            one_of(status, &[0x9000], "SELECT")?;
            trial.expect(VERIFY_GLOBAL, &[], &[0x9000], "VERIFY for key reference 00 without data")
        },
    },
    Assertion {
        id: "03.01",
        about: "GENERAL AUTHENTICATE",
        text: "The card authentication key works with its own algorithm only",
        needs: &[],
        run: |trial| {
            let own = algorithm_of_key(trial, 0x9E)?;
            for other in [0x05, 0x07, 0x11, 0x14].into_iter().filter(|other| *other != own) {
                let what = format!("algorithm {other:02X} with the key 9E, whose algorithm is {own:02X}");
                let data = template([(0x82, &[]), (0x81, &[0; 32])]);
                trial.expect([0x00, 0x87, other, 0x9E], &data, &[0x6A86], &what)?;
            }
            Ok(())
        },
    },
    Assertion {
        id: "03.09-R4",
        about: "On-card comparison",
        text: "Fingerprint templates for on-card comparison cannot be read",
        needs: &[],
        run: |_| Ok(not_applicable("the data model has no object that would hold them")?),
    },
    Assertion {
        id: "04.03A-R4",
        about: "Middleware",
        text: "Middleware establishes secure messaging with key 04 and algorithm 27 or 2E (also 04.07A-R4, 04.08)",
        needs: &[],
        run: |_| Ok(not_applicable("it is about middleware, not about cards")?),
    },
    Assertion {
        id: "05.16",
        about: "VERIFY",
        text: "The Global PIN is verified and opens what the PIN opens",
        needs: &[Need::GlobalPin],
        run: |trial| {
            log_in(trial)?;
            let found = trial.get_data(0x5F_C103)?;
            check(
                matches!(found, Found::Object(_)),
                || "the fingerprints".to_owned(),
                || format!("{found:X?}"),
            )
        },
    },
];

fn log_in(trial: &mut Trial<'_>) -> Tried {
    match trial.secrets.global_pin.clone() {
        Some(pin) => trial.expect(VERIFY_GLOBAL, &*pin, &[0x9000], "VERIFY with the Global PIN"),
        None => Ok(not_applicable("it needs the Global PIN; give it with --global-pin")?),
    }
}
