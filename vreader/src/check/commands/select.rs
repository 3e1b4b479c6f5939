//! SELECT (SP 800-73-5 part 2, 3.1.1).

use apdu::tlv_ber::{Reader, Tag};

use super::{Assertion, Need, PIV, PinStatus, Trial, Tried, check, one_of};
use crate::check::{
    evidence::Found,
    outcome::{failed, hex, not_applicable},
};

pub(super) const ROWS: &[Assertion] = &[
    Assertion {
        id: "01.08",
        about: "SELECT",
        text: "An application is selected after a reset",
        needs: &[],
        run: default_application,
    },
    Assertion {
        id: "05.05",
        about: "SELECT",
        text: "SELECT with the full AID answers with the application property template",
        needs: &[],
        run: |trial| template(trial, &PIV),
    },
    Assertion {
        id: "05.06",
        about: "SELECT",
        text: "There is no second PIV application",
        needs: &[],
        run: |trial| {
            let status = trial.status([0x00, 0xA4, 0x04, 0x02], &PIV)?;
            check(
                status != 0x9000,
                || "a refusal of SELECT for the next occurrence".to_owned(),
                || format!("{status:04X}"),
            )
        },
    },
    Assertion {
        id: "05.07",
        about: "SELECT",
        text: "SELECT with the AID without its version answers the same",
        needs: &[],
        run: |trial| template(trial, PIV.get(..9).unwrap_or_default()),
    },
    Assertion {
        id: "05.09",
        about: "SELECT",
        text: "Selecting the PIV application again, by full or short AID, leaves the security status as it is",
        needs: &[Need::Pin],
        run: |trial| {
            trial.log_in()?;
            for name in [&PIV[..], PIV.get(..9).unwrap_or_default()] {
                let status = trial.select(name)?.status;
                one_of(status, &[0x9000], "SELECT")?;
                trial.must_be(PinStatus::Verified, "after SELECT of the same application")?;
            }
            Ok(())
        },
    },
    Assertion {
        id: "05.10a",
        about: "SELECT",
        text: "SELECT of an application that is not there leaves PIV selected",
        needs: &[],
        run: |trial| {
            unknown(trial)?;
            let found = trial.get_data(0x5F_C102)?;
            check(
                matches!(found, Found::Object(_)),
                || "the CHUID afterwards".to_owned(),
                || format!("{found:X?}"),
            )
        },
    },
    Assertion {
        id: "05.10b",
        about: "SELECT",
        text: "SELECT of an application that is not there leaves the security status as it is",
        needs: &[Need::Pin],
        run: |trial| {
            trial.log_in()?;
            unknown(trial)?;
            trial.must_be(PinStatus::Verified, "after SELECT of what is not there")
        },
    },
    Assertion {
        id: "05.11",
        about: "SELECT",
        text: "SELECT of another application ends the statuses of the PIV application (also 01.16)",
        needs: &[Need::Pin],
        run: other_application,
    },
];

/// An AID that nobody has: proprietary, not registered.
const NOBODYS: [u8; 8] = [0xF0, 0x43, 0x48, 0x45, 0x43, 0x4B, 0x00, 0x01];

/// GlobalPlatform's card manager, which most cards with several applications have.
const CARD_MANAGER: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

fn unknown(trial: &mut Trial<'_>) -> Tried {
    let status = trial.select(&NOBODYS)?.status;
    one_of(status, &[0x6A82], "SELECT of an AID that nobody has")
}

fn default_application(trial: &mut Trial<'_>) -> Tried {
    trial.card.reset()?;
    match trial.get_data(0x5F_C102)? {
        Found::Object(_) => Ok(()),
        Found::Refused(_) => Ok(not_applicable("another application than PIV is the default")?),
    }
}

/// `61 { 4F, 79 { 4F RID } … }`, and at most one cipher suite.
fn template(trial: &mut Trial<'_>, name: &[u8]) -> Tried {
    let answer = trial.select(name)?;
    one_of(answer.status, &[0x9000], "SELECT")?;
    let found = || hex(&answer.data);
    let Ok(contents) = Reader::new(&answer.data).expect(Tag::new(0x61)) else {
        return Ok(failed("the template 61", found())?);
    };
    let find = |tag| Reader::new(contents).find(Tag::new(tag)).ok().flatten();
    // The whole AID, or its part behind the RID: both are on genuine cards.
    let identifier = find(0x4F).unwrap_or_default();
    check(
        identifier == PIV || Some(identifier) == PIV.get(5..),
        || "the AID, or its part behind the RID, in 4F".to_owned(),
        || hex(identifier),
    )?;
    let authority = find(0x79).and_then(|authority| Reader::new(authority).find(Tag::new(0x4F)).ok()?);
    check(authority == PIV.get(..5), || "the RID A000000308 in 79, 4F".to_owned(), found)?;
    let suites = Reader::new(contents)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|element| element.tag.number() == 0xAC)
        .flat_map(|element| Reader::new(element.value).into_iter().filter_map(Result::ok))
        .filter(|element| element.tag.number() == 0x80 && matches!(element.value, [0x27 | 0x2E]))
        .count();
    check(suites <= 1, || "at most one cipher suite in AC".to_owned(), || suites.to_string())
}

fn other_application(trial: &mut Trial<'_>) -> Tried {
    trial.log_in()?;
    if trial.select(&CARD_MANAGER)?.status != 0x9000 {
        return Ok(not_applicable("the card shows no other application: it has no card manager to select")?);
    }
    let status = trial.select(&PIV)?.status;
    one_of(status, &[0x9000], "SELECT")?;
    let found = trial.pin_status()?;
    check(found != PinStatus::Verified, || "a PIN that is no longer verified".to_owned(), || found.in_words())
}
