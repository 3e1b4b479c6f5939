//! The story of a card that is issued: blank, registered, assigned, written, handed over (FLOWS row 50).

use super::stage::Stage;
use crate::cli::Outcome;

/// The day on which the stories of PIV cards begin.
pub(super) const BEGIN: &str = "2026-01-05";

/// The PIN that the holder chooses.
pub(super) const PIN: &str = "246813";

/// What leads to a card that its holder uses; other stories begin there.
pub(super) fn issued_card(stage: &mut Stage<'_>) -> Outcome {
    stage.part("The scene: a database, and Dana Sample's card, as `vreader demo issue` makes it")?;
    stage.prepare(&[
        &format!("vreader cms init --now {BEGIN}"),
        &format!("vreader cms holder add 'Dana Quincy Sample' --identifier 1234567893 --now {BEGIN}"),
        "vreader card new --blank dana.card",
        "vreader ctl insert --card dana.card",
        &format!("vreader cms register --now {BEGIN}"),
        &format!("vreader cms assign 1 1 --now {BEGIN}"),
        &format!("vreader cms issue --pin {PIN} --now {BEGIN}"),
    ])
}

pub(super) fn tell(stage: &mut Stage<'_>) -> Outcome {
    stage.say(
        "A private PC/SC world with an empty reader, as `vreader serve --empty` makes it; every line behind a $ is run in a shell there.",
    )?;
    stage.part("An authority, a holder, a blank card")?;
    stage.done(format!("vreader cms init --now {BEGIN}")).says("with a test authority").run()?;
    stage
        .done(format!("vreader cms holder add 'Dana Quincy Sample' --identifier 1234567893 --now {BEGIN}"))
        .says("holder 1: Dana Quincy Sample")
        .run()?;
    stage.done("vreader card new --blank dana.card").says("a blank piv card").run()?;
    stage
        .done("vreader ctl insert --card dana.card")
        .leads_to("in the reader", "a card that nobody registered")
        .run()?;

    stage.part("The card comes into stock, and becomes Dana's")?;
    stage
        .refused(format!("vreader cms issue --pin {PIN} --now {BEGIN}"))
        .says("is not in the database")
        .changes_nothing()
        .run()?;
    stage.done(format!("vreader cms register --now {BEGIN}")).leads_to("card 1", "AVAILABLE").run()?;
    stage.done(format!("vreader cms assign 1 1 --now {BEGIN}")).leads_to("card 1", "ASSIGNED").run()?;

    stage.part("Issue: the card gets its objects, keys, certificates, unlock code and PIN")?;
    stage
        .done(format!("vreader cms issue --pin {PIN} --now {BEGIN}"))
        .says("done: issue to Dana Quincy Sample")
        .leads_to("card 1", "ISSUED")
        .leads_to("card 1, last day", "2032-01-04")
        .leads_to("PIN, tries left", "3")
        .run()?;
    for purpose in ["Authentication", "Signature", "Encryption", "Card Authentication"] {
        stage.insist(&format!("on the card: {purpose}"), "2029-01-04")?;
    }
    stage
        .done(format!("vreader card info --pin {PIN} --now {BEGIN}"))
        .says("Dana Quincy Sample")
        .changes_nothing()
        .run()?;
    stage
        .done(format!("vreader cms compare --pin {PIN} --now {BEGIN}"))
        .says("agree")
        .changes_nothing()
        .run()?;

    stage.part("The other way: produced today, handed over when its holder comes")?;
    stage
        .done(format!("vreader cms holder add 'Sam Lee Sample' --identifier 1234567885 --now {BEGIN}"))
        .says("holder 2: Sam Lee Sample")
        .run()?;
    stage.prepare(&[
        "vreader card new --blank sam.card",
        "vreader ctl swap --card sam.card",
        &format!("vreader cms register --now {BEGIN}"),
        &format!("vreader cms assign 2 2 --now {BEGIN}"),
    ])?;
    stage.done(format!("vreader cms issue --produce --now {BEGIN}")).leads_to("card 2", "PRODUCED").run()?;
    stage.refused(format!("vreader card info --pin 123456 --now {BEGIN}")).says("PIN").run()?;
    stage
        .done("vreader cms hand-over --new-pin 975310 --now 2026-01-09")
        .leads_to("card 2", "ISSUED")
        .leads_to("PIN, tries left", "3")
        .run()?;
    stage
        .done("vreader card info --pin 975310 --now 2026-01-09")
        .says("Sam Lee Sample")
        .changes_nothing()
        .run()?;
    Ok(())
}
