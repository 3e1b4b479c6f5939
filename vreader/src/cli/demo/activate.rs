//! The story of an old Common Access Card whose PIV Authentication certificate is activated (FLOWS rows 36 to 43).

use super::stage::Stage;
use crate::cli::Outcome;

const DAY: &str = "2018-06-01";

pub(super) fn tell(stage: &mut Stage<'_>) -> Outcome {
    stage.part("The scene: a Common Access Card that was issued in 2017, before its kind came with the certificate activated")?;
    stage.prepare(&[
        "vreader cms init --now 2017-01-02",
        "vreader cms holder add 'Dana Quincy Sample' --identifier 1234567893 --now 2017-06-01",
        "vreader cms produce old.card --profile cac-oberthur-v55 --holder 1 --issued 2017-06-01 --now 2017-06-01",
        "vreader ctl insert --card old.card",
    ])?;

    stage.part("Before: three certificates")?;
    stage
        .done(format!("vreader card certs --now {DAY}"))
        .says("ID - SAMPLE.DANA.Q.1234567893")
        .changes_nothing()
        .run()?;
    stage.insist_on(3, "on the card: ")?;
    stage
        .done(format!("vreader card info --pin 123456 --now {DAY}"))
        .says("not activated")
        .changes_nothing()
        .run()?;
    stage
        .done(format!("vreader cms activate --list 1 --now {DAY}"))
        .says("[Activate PIV Certificate]")
        .changes_nothing()
        .run()?;

    stage.part("The wrong certificate, and a change of mind")?;
    stage
        .refused(format!("vreader cms activate --login id --pin 123456 --yes --now {DAY}"))
        .says("use the Signature or DOD EMAIL certificate or you may not be able to login")
        .changes_nothing()
        .run()?;
    stage
        .done(format!("echo no | vreader cms activate --pin 123456 --now {DAY}"))
        .says("PIV information")
        .says("cancelled; nothing was changed")
        .changes_nothing()
        .run()?;

    stage.part("Activate")?;
    stage
        .done(format!("echo yes | vreader cms activate --pin 123456 --now {DAY}"))
        .says("Your CAC has been successfully updated.")
        .says("Remove the card and put it in again")
        .run()?;
    stage.insist("on the card: Authentication", "until")?;
    stage.done("vreader ctl remove").leads_to("in the reader", "-").run()?;
    stage.done("vreader ctl insert").leads_to("in the reader", "card 1").run()?;

    stage.part("After: four certificates")?;
    stage
        .done(format!("vreader card certs --now {DAY}"))
        .says("Authentication - SAMPLE.DANA.Q.1234567893")
        .changes_nothing()
        .run()?;
    stage.insist_on(4, "on the card: ")?;
    stage
        .done(format!("vreader cms compare --pin 123456 --now {DAY}"))
        .says("agree")
        .changes_nothing()
        .run()?;
    stage
        .refused(format!("vreader cms activate --pin 123456 --yes --now {DAY}"))
        .says("nothing is to be activated")
        .changes_nothing()
        .run()?;
    Ok(())
}
